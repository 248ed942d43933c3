"""A plan every half hour, carried out in the simulated world, for hours or days.

The office's part (what was asked when, starts of the day, releases) is kept here in a few lines of
plain Python, and what was really asked of each device is checked against its rules in the end with
nothing of the optimizer's own code: clock times and comparisons.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from gridctl.model.clock import ManualClock
from gridctl.model.planning import (
    Forecast,
    Horizon,
    NetworkLimits,
    NetworkState,
    PlanningResult,
    PlanningTask,
    ResourceState,
)
from gridctl.model.resource import Battery, Generator, LoadGroup, PvInverter, Resource
from optimizer.plan import network_of, plan_task
from optimizer.regulated import RegulatedNetwork
from sim.fleet import load_fleet
from sim.scenario import Scenario, load_scenario, scenario_feeder
from sim.world import World
from tests.optimizer.rules import broken

STEP_S = 900.0
TICK_S = 150.0
SEEN = 24
EVERY = 2
"""Intervals between two plans."""
DAY_S = 86_400.0


@dataclass(slots=True, kw_only=True)
class Asked:
    """What a device was asked, as (grid time, kW), only where it changed."""

    series: list[tuple[float, float]] = field(default_factory=list)

    def ask(self, at_s: float, kw: float) -> None:
        if not self.series or self.series[-1][1] != kw:
            self.series.append((at_s, kw))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Loop:
    """What came of it: rules broken in plans and in deeds, and the head's import (ticks,)."""

    plans: int
    broken_in_plans: list[str]
    broken_in_deeds: list[str]
    unverified: list[str]
    head_kw: np.ndarray
    uncontrolled_kw: np.ndarray
    voltage_pu: tuple[float, float]
    limit_kw: float
    asked: Mapping[str, Asked]


def world_of(scenario: Scenario, clock: ManualClock) -> World:
    feeder = scenario_feeder(scenario)
    return World(
        feeder=feeder,
        fleet=load_fleet(feeder, scenario.fleet),
        scenario=scenario,
        clock=clock,
        links={},
    )


def truth(scenario: Scenario, hours: float) -> np.ndarray:
    """The head's import without any control, mean of each interval, kW."""
    clock = ManualClock(grid_s=_start_s(scenario))
    world = world_of(scenario, clock)
    means = []
    for _ in range(round(hours * 3600.0 / STEP_S)):
        total = 0.0
        for _ in range(round(STEP_S / TICK_S)):
            clock.advance(TICK_S)
            world.tick(clock.now_s())
            total += world.read("FDR.TotW").value
        means.append(total * TICK_S / STEP_S)
    return np.array(means)


def _start_s(scenario: Scenario) -> float:
    return scenario.start_s // STEP_S * STEP_S


class _Office:
    """States with the history that a plan must know."""

    def __init__(self, world: World, resources: tuple[Resource, ...], utc_offset_s: float) -> None:
        self._world, self.resources, self._offset_s = world, resources, utc_offset_s
        self.asked = {r.mrid: Asked() for r in resources}
        self._since: dict[str, float] = {}
        self._released: dict[str, float] = {}
        self._starts: dict[tuple[str, int], int] = {}

    def _day(self, at_s: float) -> int:
        return int((at_s + self._offset_s) // DAY_S)

    def ask(self, resource: Resource, at_s: float, kw: float) -> None:
        """Command a device and keep the books."""
        mrid = resource.mrid
        self._world.command(resource.points.setpoint, kw, lease_s=None)
        self.asked[mrid].ask(at_s, kw)
        if not isinstance(resource, LoadGroup | Generator):
            return
        if kw > 0.0 and mrid not in self._since:
            self._since[mrid] = at_s
            key = (mrid, self._day(at_s))
            self._starts[key] = self._starts.get(key, 0) + 1
        elif kw <= 0.0 and mrid in self._since:
            del self._since[mrid]
            self._released[mrid] = at_s

    def state(self, resource: Resource, at_s: float) -> ResourceState:
        points = resource.points
        power = self._world.read(points.power).value
        available = resource.rating_kw
        if points.available is not None:
            available = self._world.read(points.available).value
        elif isinstance(resource, PvInverter):
            available = power
        soc = None if points.soc is None else self._world.read(points.soc).value
        return ResourceState(
            resource=resource.mrid,
            available_kw=available,
            power_kw=power,
            setpoint_kw=self._world.read(points.feedback).value,
            soc_pct=soc,
            excluded=None,
            starts_today=self._starts.get((resource.mrid, self._day(at_s)), 0),
            active_since_s=self._since.get(resource.mrid),
            released_at_s=self._released.get(resource.mrid),
        )


def run(
    hours: float,
    *,
    name: str = "hot-afternoon",
    limit_kw: float | None = None,
    only: str = "",
) -> Loop:
    """Plan and act for `hours` from the scenario's start; with the resource `only` alone."""
    scenario = load_scenario(name)
    ahead = truth(scenario, hours + SEEN * STEP_S / 3600.0)
    clock = ManualClock(grid_s=_start_s(scenario))
    world = world_of(scenario, clock)
    resources = tuple(r for r in world.fleet.resources() if only in ("", r.mrid))
    office = _Office(world, resources, scenario.utc_offset_s)
    limit = scenario.head_limit_kw if limit_kw is None else limit_kw
    in_plans: list[str] = []
    unverified: list[str] = []
    head: list[float] = []
    low, high = 9.0, 0.0
    network: RegulatedNetwork | None = None
    result: PlanningResult | None = None
    plans, made_at = 0, 0
    for k in range(round(hours * 3600.0 / STEP_S)):
        if k % EVERY == 0:
            seen = ahead[k : k + SEEN]
            task = _task(scenario, world, office, seen, now_s=clock.now_s(), limit_kw=limit)
            network = network_of(task, models_of=network)
            ticks = iter(range(10**9))
            result = plan_task(task, monotonic_s=lambda t=ticks: 1e-3 * next(t), network=network)  # type: ignore[misc]
            plans, made_at = plans + 1, k
            in_plans += broken(task, result)
            check = result.verification
            if check is not None and not check.ok:
                unverified += check.reasons
        _act(office, result, k - made_at, clock.now_s())
        for _ in range(round(STEP_S / TICK_S)):
            clock.advance(TICK_S)
            world.tick(clock.now_s())
            head.append(world.read("FDR.TotW").value)
            size = np.abs(world.grid.solution.voltages_pu)
            low, high = min(low, float(size.min())), max(high, float(size.max()))
    return Loop(
        plans=plans,
        broken_in_plans=in_plans,
        broken_in_deeds=deeds(office, clock.now_s(), scenario.utc_offset_s),
        unverified=unverified,
        head_kw=np.array(head),
        uncontrolled_kw=ahead[: round(hours * 3600.0 / STEP_S)],
        voltage_pu=(low, high),
        limit_kw=limit,
        asked=office.asked,
    )


def _act(office: _Office, result: PlanningResult | None, interval: int, at_s: float) -> None:
    """The plan's setpoints of this interval; a device without one goes on as it is told."""
    if result is None:
        return
    by_name = {r.mrid: r for r in office.resources}
    for s in result.setpoints:
        if s.interval == interval:
            office.ask(by_name[s.resource], at_s, s.kw)


def _task(
    scenario: Scenario,
    world: World,
    office: _Office,
    ahead: np.ndarray,
    *,
    now_s: float,
    limit_kw: float,
) -> PlanningTask:
    horizon = Horizon(start_s=now_s, step_s=STEP_S, count=SEEN)
    feeder = world.feeder
    return PlanningTask(
        feeder=feeder,
        resources=office.resources,
        states=tuple(office.state(r, now_s) for r in office.resources),
        network=NetworkState(
            head_kw=world.read("FDR.TotW").value,
            head_kvar=0.0,
            taps=dict(world.grid.taps()),
            closed_capacitors=tuple(c.mrid for c in feeder.capacitors if world.grid.closed(c.mrid)),
            open_switches=tuple(s.mrid for s in feeder.switches if s.is_open),
            voltages_pu={},
        ),
        limits=NetworkLimits(
            head_import_kw=limit_kw,
            voltage_min_pu=scenario.voltage_min_pu,
            voltage_max_pu=scenario.voltage_max_pu,
            loading_max_pct=scenario.loading_max_pct,
        ),
        forecast=Forecast(
            horizon=horizon,
            quantiles=(0.5, 0.9),
            values_kw=tuple(tuple(float(v) for v in f * ahead) for f in (1.0, 1.03)),
            method="the simulated world, run ahead",
            history_days=0.0,
            nmae_pct=None,
        ),
        quantile=0.9,
        requests=(),
        horizon=horizon,
        now_s=now_s,
        utc_offset_s=scenario.utc_offset_s,
        deadline_s=600.0,
    )


def deeds(office: _Office, end_s: float, utc_offset_s: float) -> list[str]:
    """Every rule that what was really asked breaks, in words."""
    found: list[str] = []
    for r in office.resources:
        series = office.asked[r.mrid].series
        if isinstance(r, LoadGroup):
            found += _group_deeds(r, series, end_s, utc_offset_s)
        elif isinstance(r, Battery):
            found += [f"{r.mrid}: {kw:g} kW" for _, kw in series if abs(kw) > r.rating_kw + 0.01]
        else:
            found += [
                f"{r.mrid}: ceiling {kw:g} kW" for _, kw in series if not 0 <= kw <= r.rating_kw
            ]
    return found


def _group_deeds(
    group: LoadGroup, series: list[tuple[float, float]], end_s: float, utc_offset_s: float
) -> list[str]:
    found: list[str] = []
    since: float | None = None
    released: float | None = None
    starts: dict[int, int] = {}
    for at_s, kw in [*series, (end_s, -1.0)]:
        over = kw < 0.0
        if kw > 0.0 and since is None:
            if released is not None and at_s - released < group.recovery_s:
                found.append(f"{group.mrid}: started {at_s - released:g} s after its release")
            day = int((at_s + utc_offset_s) // DAY_S)
            starts[day] = starts.get(day, 0) + 1
            since = at_s
        elif kw <= 0.0 and since is not None:
            lasted_s = at_s - since
            if lasted_s < group.duration_min_s and not over:
                found.append(f"{group.mrid}: released after {lasted_s:g} s")
            if lasted_s > group.duration_max_s:
                found.append(f"{group.mrid}: held for {lasted_s:g} s")
            since, released = None, at_s
        if 0.0 < kw < group.level_min * group.rating_kw - 0.01:
            found.append(f"{group.mrid}: {kw:g} kW, below its least level")
    found += [
        f"{group.mrid}: {n} starts on day {day}"
        for day, n in starts.items()
        if n > group.starts_per_day_max
    ]
    return found
