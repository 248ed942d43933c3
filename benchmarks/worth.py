"""What planning is worth: a heat-wave week on the simulator, four ways to act.

    python -m benchmarks.worth [--days 7] [--write]

The same world (scenario `heat-wave`, feeder IEEE 123, its own fleet) is run from the scenario's
start four times, with the same weather and demand, and with

- nothing: no control at all;
- rule: priority shedding as utilities do it. Every five minutes the head is read; above 97 %
  of its limit load groups are shed whole, the cheapest class first, until the reading less what was
  shed is under 95 %; they are given back, last first, when there is room. Minimum and maximum
  duration, recovery and starts of the day are kept. Batteries discharge by the clock from 15 to 20
  h and charge from 0 to 6 h;
- gridctl: forecast (load alone, no weather) and optimizer as the office uses them, each half hour,
  against the 90 % quantile;
- foresight: the same optimizer with the import that is to come as its forecast.

Neither approval nor wire take part: a plan is carried out as soon as it is verified. --write puts
the table and the picture into docs (three minutes on two cores that others used too).
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from benchmarks.worth_page import DAY_S, STEP_S, Outcome, table, write
from gridctl.exam_question import DeviceBooks, answer, question
from gridctl.model.clock import ManualClock
from gridctl.model.planning import (
    Forecast,
    ForecastTask,
    Horizon,
    PlanningResult,
    Series,
)
from gridctl.model.resource import Battery, LoadGroup, PvInverter, Resource
from optimizer.forecast import forecast
from optimizer.plan import network_of
from optimizer.regulated import RegulatedNetwork
from sim.fleet import load_fleet
from sim.history import HistoryTable, history
from sim.scenario import Scenario, load_scenario, scenario_feeder
from sim.world import World

WAYS = ("nothing", "rule", "gridctl", "foresight")
STORY = "heat-wave"
TICK_S = 300.0
STEP_H, TICK_H = STEP_S / 3600.0, TICK_S / 3600.0
SEEN = 24
EVERY = 2
SHED_ABOVE, SHED_TO = 0.97, 0.95
DISCHARGE_H, CHARGE_H = (15, 20), (0, 6)
OVER_KW = 1.0
DEADLINE_S = 60.0


class Books:
    """What devices were told, and the history that rules need."""

    def __init__(self, world: World, scenario: Scenario) -> None:
        self.world, self.scenario = world, scenario
        self.resources = world.fleet.resources()
        self.groups = [r for r in self.resources if isinstance(r, LoadGroup)]
        self.devices = DeviceBooks(utc_offset_s=scenario.utc_offset_s)

    def read(self, point: str) -> float:
        return float(self.world.read(point).value)

    def known(self, point: str | None) -> float | None:
        return None if point is None else self.read(point)

    def hour(self, at_s: float) -> float:
        return (at_s + self.scenario.utc_offset_s) % DAY_S / 3600.0

    def ask(self, resource: Resource, at_s: float, kw: float) -> None:
        """Command a device."""
        self.world.command(resource.points.setpoint, kw, lease_s=None)
        self.devices.told(resource, kw, at_s)

    def relief_kw(self) -> float:
        """By how much the devices lower the head now, by their own readings."""
        total = 0.0
        for r in self.resources:
            if isinstance(r, LoadGroup):
                total += self.read(r.points.feedback)
            elif isinstance(r, PvInverter):
                total -= self.curtailed_kw(r)
            else:
                total += self.read(r.points.power)
        return total

    def curtailed_kw(self, pv: PvInverter) -> float:
        if pv.points.available is None:
            return 0.0
        most = min(self.read(pv.points.available), pv.rating_kw)
        return max(most - self.read(pv.points.feedback), 0.0)


class Rule:
    """Priority shedding by the head's reading; called before each tick."""

    def __init__(self, books: Books, limit_kw: float) -> None:
        self._books, self._limit_kw = books, limit_kw
        self._order = sorted(books.groups, key=lambda g: (g.priority, g.cost_per_kwh, g.mrid))

    def __call__(self, k: int, tick: int, at_s: float) -> None:
        del k, tick
        self._batteries(at_s)
        head_kw = self._books.read("FDR.TotW")
        for group in self._order:
            since_s = self._books.devices.since_s.get(group.mrid)
            if since_s is not None and at_s + TICK_S - since_s > group.duration_max_s:
                head_kw += self._books.read(group.points.feedback)
                self._books.ask(group, at_s, 0.0)
        if head_kw > SHED_ABOVE * self._limit_kw:
            for group in self._order:
                if head_kw <= SHED_TO * self._limit_kw:
                    return
                if self._may_start(group, at_s):
                    kw = self._can_kw(group)
                    self._books.ask(group, at_s, kw)
                    head_kw -= kw
            return
        for group in reversed(self._order):
            since_s = self._books.devices.since_s.get(group.mrid)
            if since_s is None or at_s - since_s < group.duration_min_s:
                continue
            back_kw = self._books.read(group.points.feedback)
            if head_kw + back_kw < SHED_TO * self._limit_kw:
                head_kw += back_kw
                self._books.ask(group, at_s, 0.0)

    def _can_kw(self, group: LoadGroup) -> float:
        point = group.points.available
        return group.rating_kw if point is None else min(self._books.read(point), group.rating_kw)

    def _may_start(self, group: LoadGroup, at_s: float) -> bool:
        devices, mrid = self._books.devices, group.mrid
        ready_s = devices.released_s.get(mrid, -np.inf) + group.recovery_s
        used = devices.starts_today(mrid, at_s)
        fits = self._can_kw(group) >= max(group.level_min * group.rating_kw, 1.0)
        return (
            mrid not in devices.since_s
            and at_s >= ready_s
            and used < group.starts_per_day_max
            and fits
        )

    def _batteries(self, at_s: float) -> None:
        hour = self._books.hour(at_s)
        for r in self._books.resources:
            if not isinstance(r, Battery) or r.points.soc is None:
                continue
            soc, kw = self._books.read(r.points.soc), 0.0
            if DISCHARGE_H[0] <= hour < DISCHARGE_H[1] and soc > r.soc_min_pct + 1.0:
                kw = r.rating_kw
            elif CHARGE_H[0] <= hour < CHARGE_H[1] and soc < r.soc_max_pct - 1.0:
                kw = -0.5 * r.rating_kw
            self._books.ask(r, at_s, kw)


class Planned:
    """gridctl's mind: forecast and plan each half hour; `truth`: perfect foresight."""

    def __init__(
        self, books: Books, *, past: HistoryTable | None, truth: np.ndarray | None
    ) -> None:
        self._books, self._truth = books, truth
        self._network: RegulatedNetwork | None = None
        self._result: PlanningResult | None = None
        self._made = 0
        self.plans = self.unplanned = 0
        self.base = [] if past is None else list(past.head_kw)
        self._begin_s = 0.0 if past is None else past.start_s

    def __call__(self, k: int, tick: int, at_s: float) -> None:
        if tick > 0:
            return
        if k % EVERY == 0:
            result = self._plan(k, at_s)
            check = result.verification
            if check is not None and not check.ok:
                self.unplanned += 1
            else:
                self._result, self._made = result, k
        if self._result is None:
            return
        wanted = {s.resource: s.kw for s in self._result.setpoints if s.interval == k - self._made}
        for r in self._books.resources:
            if r.mrid in wanted:
                self._books.ask(r, at_s, wanted[r.mrid])

    def _forecast(self, k: int, horizon: Horizon) -> Forecast:
        if self._truth is not None:
            ahead = tuple(map(float, self._truth[k : k + SEEN]))
            return Forecast(
                horizon=horizon, quantiles=(0.5, 0.9), values_kw=(ahead, ahead),
                method="the simulated world, run ahead", history_days=0.0, nmae_pct=None,
            )  # fmt: skip
        past = Series(start_s=self._begin_s, step_s=STEP_S, values=tuple(self.base))
        return forecast(
            ForecastTask(
                history=past, temperature_c=None, horizon=horizon, quantiles=(0.1, 0.5, 0.9),
                utc_offset_s=self._books.scenario.utc_offset_s,
            )
        )  # fmt: skip

    def _plan(self, k: int, at_s: float) -> PlanningResult:
        horizon, books = Horizon(start_s=at_s, step_s=STEP_S, count=SEEN), self._books
        task = question(
            books.world,
            books.scenario,
            states=tuple(books.devices.state(r, books.known, at_s) for r in books.resources),
            ahead=self._forecast(k, horizon),
            head_kw=books.read("FDR.TotW"),
            now_s=at_s,
            deadline_s=DEADLINE_S,
        )
        self._network = network_of(task, models_of=self._network)
        self.plans += 1
        return answer(task, self._network)


class Tally:
    """What a run adds up to."""

    def __init__(self, books: Books) -> None:
        self._books = books
        self.shed = self.curtailed = self.moved = self.cost = self.voltage_h = 0.0
        self.means: list[float] = []

    def add(self) -> None:
        """One tick of devices and voltages."""
        books, story = self._books, self._books.scenario
        for r in books.resources:
            if isinstance(r, LoadGroup):
                kwh = books.read(r.points.feedback) * TICK_H
                self.shed += kwh
            elif isinstance(r, PvInverter):
                kwh = books.curtailed_kw(r) * TICK_H
                self.curtailed += kwh
            else:
                kwh = max(books.read(r.points.power), 0.0) * TICK_H
                self.moved += kwh
            self.cost += kwh * r.cost_per_kwh
        size = np.abs(books.world.grid.solution.voltages_pu)
        live = size[size > 0.0]
        if live.min() < story.voltage_min_pu or live.max() > story.voltage_max_pu:
            self.voltage_h += TICK_H


def acting(
    way: str, books: Books, past: HistoryTable | None, truth: np.ndarray | None
) -> Rule | Planned | None:
    """Who acts one way."""
    if way == "rule":
        return Rule(books, books.scenario.head_limit_kw)
    return None if way == "nothing" else Planned(books, past=past, truth=truth)


def lived(way: str, days: float, truth: np.ndarray | None = None) -> Outcome:
    """Run the story one way; `truth` (T,) for foresight."""
    began_s = time.process_time()
    story = load_scenario(STORY)
    feeder = scenario_feeder(story)
    start_s = story.start_s // STEP_S * STEP_S
    past = None
    if way == "gridctl":
        # Before the world: both need the process's one engine.
        past = history(feeder, story, end_s=start_s, days=story.history_days, step_s=STEP_S)
    clock = ManualClock(grid_s=start_s)
    fleet = load_fleet(feeder, story.fleet)
    world = World(feeder=feeder, fleet=fleet, scenario=story, clock=clock, links={})
    world.tick(clock.now_s())
    books = Books(world, story)
    act, tally = acting(way, books, past, truth), Tally(books)
    ticks = round(STEP_S / TICK_S)
    for k in range(round(days * DAY_S / STEP_S)):
        head = base = 0.0
        for tick in range(ticks):
            if act is not None:
                act(k, tick, clock.now_s())
            clock.advance(TICK_S)
            world.tick(clock.now_s())
            now_kw = books.read("FDR.TotW")
            head += now_kw / ticks
            base += (now_kw + books.relief_kw()) / ticks
            tally.add()
        tally.means.append(head)
        if isinstance(act, Planned):
            act.base.append(base)
    return outcome(way, tally, act, books, cpu_s=time.process_time() - began_s)


def outcome(
    way: str, tally: Tally, act: Rule | Planned | None, books: Books, *, cpu_s: float
) -> Outcome:
    limit_kw = books.scenario.head_limit_kw
    over = np.maximum(np.array(tally.means) - limit_kw, 0.0)
    return Outcome(
        way=way,
        over_kwh=float(over.sum()) * STEP_H,
        over_h=float((over > OVER_KW).sum()) * STEP_H,
        peak_kw=max(tally.means),
        shed_kwh=tally.shed,
        curtailed_kwh=tally.curtailed,
        moved_kwh=tally.moved,
        calls=books.devices.calls,
        voltage_h=tally.voltage_h,
        cost=tally.cost,
        plans=act.plans if isinstance(act, Planned) else 0,
        unplanned=act.unplanned if isinstance(act, Planned) else 0,
        cpu_s=cpu_s,
        limit_kw=limit_kw,
        head_kw=tuple(tally.means),
    )


def week(days: float) -> list[Outcome]:
    """All four ways, each in a process of its own (the engine has one circuit a process)."""
    with ProcessPoolExecutor(3, mp_context=get_context("spawn")) as pool:
        first = [pool.submit(lived, way, days) for way in ("rule", "gridctl")]
        # Foresight reaches beyond the last interval.
        ahead = pool.submit(lived, "nothing", days + SEEN * STEP_S / DAY_S).result()
        truth = np.array(ahead.head_kw)
        nothing = pool.submit(lived, "nothing", days)
        foresight = pool.submit(lived, "foresight", days, truth)
        rule, gridctl = (f.result() for f in first)
        return [nothing.result(), rule, gridctl, foresight.result()]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--days", type=float, default=7.0)
    parser.add_argument("--write", action="store_true", help="into docs")
    options = parser.parse_args()
    found = week(options.days)
    sys.stdout.write(f"{table(found)}\n")
    print("processor seconds:", {o.way: round(o.cpu_s) for o in found}, file=sys.stderr)
    if options.write:
        write(found)


if __name__ == "__main__":
    main()
