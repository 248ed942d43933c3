"""A plan every half hour, carried out in the simulated world, for hours or days.

The office's part (what was asked when, starts of the day, releases) is kept here in a few lines of
plain Python, and what was really asked of each device is checked against its rules in the end with
nothing of the optimizer's own code: clock times and comparisons.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np

from gridctl.control.delivery import Delivery, Given
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
from gridctl.model.policy import DynamicRating, Policy, VoltageCorrection
from gridctl.model.policy import Scenario as Course
from gridctl.model.resource import (
    Battery,
    Comfort,
    DepthCost,
    Generator,
    LoadGroup,
    Pickup,
    PvInverter,
    Resource,
)
from optimizer.plan import network_of, plan_task
from optimizer.regulated import RegulatedNetwork
from sim.fleet import load_fleet
from sim.scenario import Scenario, load_scenario, scenario_feeder
from sim.world import World
from tests.optimizer.rules import broken

STEP_S = 900.0
TICK_S = 150.0
SEEN = 24
MEASURED_EVERY = 4
"""Of so many nodes one has a meter that the office hears of."""
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
        self._delivery = Delivery(resources)
        self._since: dict[str, float] = {}
        self._released: dict[str, float] = {}
        self._starts: dict[tuple[str, int], int] = {}
        self._runs: dict[str, list[tuple[float, float]]] = {}
        self._ahead: dict[str, list[tuple[float, float, float]]] = {}

    def _day(self, at_s: float) -> int:
        return int((at_s + self._offset_s) // DAY_S)

    def ask(self, resource: Resource, at_s: float, kw: float) -> None:
        """Command a device and keep the books."""
        mrid = resource.mrid
        self._world.command(resource.points.setpoint, kw, lease_s=None)
        self._end_ahead(mrid, at_s)
        self.asked[mrid].ask(at_s, kw)
        if not isinstance(resource, LoadGroup | Generator):
            return
        if kw > 0.0 and mrid not in self._since:
            self._since[mrid] = at_s
            key = (mrid, self._day(at_s))
            self._starts[key] = self._starts.get(key, 0) + 1
        elif kw <= 0.0 and mrid in self._since:
            self._runs.setdefault(mrid, []).append((self._since.pop(mrid), at_s))
            self._released[mrid] = at_s
            self._ahead.pop(mrid, None)

    def _end_ahead(self, mrid: str, at_s: float) -> None:
        """What was drawn ahead until now is remembered until the run after it ends."""
        told = self.asked[mrid].series
        if told and told[-1][1] < 0.0:
            known = self._ahead.setdefault(mrid, [])
            since_s = max(told[-1][0], known[-1][1] if known else told[-1][0])
            if at_s > since_s:
                known.append((since_s, at_s, -told[-1][1]))

    def _hours(self, mrid: str, at_s: float) -> tuple[float, float]:
        """Hours on, today and in all."""
        runs = [*self._runs.get(mrid, [])]
        if mrid in self._since:
            runs.append((self._since[mrid], at_s))
        midnight_s = self._day(at_s) * DAY_S - self._offset_s
        today_s = sum(max(end - max(begin, midnight_s), 0.0) for begin, end in runs)
        return today_s / 3600.0, sum(end - begin for begin, end in runs) / 3600.0

    def look(self, at_s: float) -> None:
        """As the office does once devices have followed: who gives less than it confirms?"""
        given = {
            r.mrid: Given(
                setpoint_kw=self._world.read(r.points.feedback).value,
                power_kw=self._world.read(r.points.power).value,
                soc_pct=self._world.read(r.points.soc).value,
            )
            for r in self._delivery.watched
            if r.points.soc is not None
        }
        self._delivery.look(given, now_s=at_s)

    def state(self, resource: Resource, at_s: float) -> ResourceState:
        points = resource.points
        power = self._world.read(points.power).value
        available = resource.rating_kw
        if points.available is not None:
            available = self._world.read(points.available).value
        elif isinstance(resource, PvInverter):
            available = power
        available = min(available, self._delivery.at_most_kw(at_s).get(resource.mrid, available))
        soc = None if points.soc is None else self._world.read(points.soc).value
        today_h, season_h = self._hours(resource.mrid, at_s)
        if isinstance(resource, LoadGroup):
            self._end_ahead(resource.mrid, at_s)
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
            hours_today=today_h,
            hours_season=season_h,
            precooled=tuple(self._ahead.get(resource.mrid, ())),
        )


def with_every_rule(resource: Resource) -> Resource:
    """A load group with every rule that a group can have, a battery that wears by depth; others as
    they are."""
    if isinstance(resource, Battery):
        steps = ((20.0, 0.0), (50.0, 0.03), (90.0, 0.1))
        return replace(
            resource, depth_costs=tuple(DepthCost(to_pct=p, per_kwh=c) for p, c in steps)
        )
    if not isinstance(resource, LoadGroup):
        return resource
    return replace(
        resource,
        hours_per_day_max=5.0,
        hours_per_season_max=25.0,
        call_value=0.5,
        ramp_kw_per_min=max(resource.rating_kw / 15.0, 1.0),
        pickup=(Pickup(after_s=7200.0, shares=(0.2, 0.1)),),
        comfort=Comfort(energy_kwh=3.0 * resource.rating_kw, fade_h=3.0),
    )


def every_wish(ahead: np.ndarray, hour: float) -> Policy:
    """A policy that asks for everything that does not contradict the rest."""
    hours = (hour + np.arange(SEEN) * STEP_S / 3600.0) % 24.0
    evening = (hours >= 16.0) & (hours < 21.0)
    return Policy(
        price_per_kwh=tuple(np.where(evening, 0.35, 0.12).tolist()),
        demand_charge_per_kw=2.0,
        peak_so_far_kw=2900.0,
        loss_price_per_kwh=0.1,
        voltage_band_pu=(0.955, 1.045),
        ratings=(
            DynamicRating(
                branch="L149-1", reference_c=30.0, above_pct_per_k=1.0, below_pct_per_k=0.5
            ),
        ),
        temperature_c=tuple((28.0 + 7.0 * np.sin((hours - 9.0) / 24.0 * 2 * np.pi)).tolist()),
        reserve_kw=50.0,
        ramp_kw_per_h=900.0,
        return_kw_max=300.0,
        fairness=2.0,
        scenarios=tuple(
            Course(probability=p, head_kw=tuple((f * ahead).tolist()))
            for p, f in ((0.2, 0.97), (0.6, 1.01), (0.2, 1.04))
        ),
        cvar_level=0.8,
        cvar_weight=0.3,
        voltage_margin_sigma=1.0,
        load_sigma=0.02,
        voltage_correction=VoltageCorrection(offset_max_pu=0.03, half_life_h=6.0),
        unbalance_max_pct=3.0,
    )


def run(
    hours: float,
    *,
    name: str = "hot-afternoon",
    limit_kw: float | None = None,
    only: str = "",
    fleet: str = "",
    everything: bool = False,
    changed: Callable[[Resource], Resource] | None = None,
) -> Loop:
    """Plan and act for `hours` from the scenario's start; with the resource `only` alone; on
    another `fleet`; with `everything` that a policy can ask for and all rules of load groups; with
    resources `changed` from what the fleet says."""
    scenario = load_scenario(name)
    if fleet:
        scenario = replace(scenario, fleet=fleet)
    ahead = truth(scenario, hours + SEEN * STEP_S / 3600.0)
    clock = ManualClock(grid_s=_start_s(scenario))
    world = world_of(scenario, clock)
    resources = tuple(r for r in world.fleet.resources() if only in ("", r.mrid))
    if everything:
        resources = tuple(map(with_every_rule, resources))
    if changed is not None:
        resources = tuple(map(changed, resources))
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
            office.look(clock.now_s())
            seen = ahead[k : k + SEEN]
            task = _task(scenario, world, office, seen, now_s=clock.now_s(), limit_kw=limit)
            if everything:
                hour = (clock.now_s() + scenario.utc_offset_s) % DAY_S / 3600.0
                task = replace(task, policy=every_wish(seen, hour))
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
            voltages_pu={
                f"{node.mrid}.{phase}": world.grid.voltage_pu(node.mrid, phase)
                for node in feeder.nodes[::MEASURED_EVERY]
                for phase in node.phases
            },
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
        elif isinstance(r, Generator):
            found += _generator_deeds(r, series, end_s, utc_offset_s)
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
    rules = _RunRules(
        least_s=group.duration_min_s,
        most_s=group.duration_max_s,
        rest_s=group.recovery_s,
        starts_per_day=group.starts_per_day_max,
        least_kw=group.level_min * group.rating_kw,
    )
    found, runs = _run_deeds(group.mrid, rules, series, end_s, utc_offset_s)
    found += _ahead_deeds(group, series, end_s)
    by_day: dict[int, float] = {}
    for begin_s, stop_s in runs:
        at_s = begin_s
        while at_s < stop_s:
            day = int((at_s + utc_offset_s) // DAY_S)
            until_s = min(stop_s, (day + 1) * DAY_S - utc_offset_s)
            by_day[day] = by_day.get(day, 0.0) + (until_s - at_s) / 3600.0
            at_s = until_s
    for most, hours, word in (
        (group.hours_per_day_max, max(by_day.values(), default=0.0), "a day"),
        (group.hours_per_season_max, sum(by_day.values()), "in all"),
    ):
        if most is not None and hours > most + 1e-6:
            found.append(f"{group.mrid}: on for {hours:g} h {word}")
    return found


def _ahead_deeds(group: LoadGroup, series: list[tuple[float, float]], end_s: float) -> list[str]:
    """Drawn ahead of a call: how much at once, and how much is in the rooms at any moment."""
    own, found, stored_kwh = group.precool, [], 0.0
    for (at_s, kw), (until_s, _) in pairwise([*series, (end_s, 0.0)]):
        hours = (until_s - at_s) / 3600.0
        if own is None or own.fade_h > 0.0:
            stored_kwh *= 0.0 if own is None else np.exp(-hours / own.fade_h)
        if kw > 0.0:
            stored_kwh = 0.0
        if kw >= 0.0:
            continue
        stored_kwh -= kw * hours
        if own is None or -kw > own.rating_kw + 0.01:
            found.append(f"{group.mrid}: {kw:g} kW")
        elif stored_kwh > own.energy_kwh + 0.5:
            found.append(f"{group.mrid}: {stored_kwh:g} kWh drawn ahead")
    return found


def _generator_deeds(
    unit: Generator, series: list[tuple[float, float]], end_s: float, utc_offset_s: float
) -> list[str]:
    rules = _RunRules(
        least_s=unit.run_min_s,
        most_s=unit.run_max_s,
        rest_s=unit.rest_s,
        starts_per_day=unit.starts_per_day_max,
        least_kw=unit.level_min * unit.rating_kw,
    )
    found, _ = _run_deeds(unit.mrid, rules, series, end_s, utc_offset_s)
    return found + [
        f"{unit.mrid}: {kw:g} kW" for _, kw in series if not 0.0 <= kw <= unit.rating_kw + 0.01
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class _RunRules:
    least_s: float
    most_s: float
    rest_s: float
    starts_per_day: int
    least_kw: float


def _run_deeds(
    mrid: str,
    rules: _RunRules,
    series: list[tuple[float, float]],
    end_s: float,
    utc_offset_s: float,
) -> tuple[list[str], list[tuple[float, float]]]:
    """Rules of runs that are broken, and the runs (begin, end)."""
    found: list[str] = []
    runs: list[tuple[float, float]] = []
    since: float | None = None
    released: float | None = None
    starts: dict[int, int] = {}
    for k, (at_s, kw) in enumerate([*series, (end_s, 0.0)]):
        over = k == len(series)
        if kw > 0.0 and since is None:
            if released is not None and at_s - released < rules.rest_s:
                found.append(f"{mrid}: started {at_s - released:g} s after its release")
            day = int((at_s + utc_offset_s) // DAY_S)
            starts[day] = starts.get(day, 0) + 1
            since = at_s
        elif kw <= 0.0 and since is not None:
            lasted_s = at_s - since
            if lasted_s < rules.least_s and not over:
                found.append(f"{mrid}: released after {lasted_s:g} s")
            if lasted_s > rules.most_s:
                found.append(f"{mrid}: held for {lasted_s:g} s")
            runs.append((since, at_s))
            since, released = None, at_s
        if 0.0 < kw < rules.least_kw - 0.01:
            found.append(f"{mrid}: {kw:g} kW, below its least level")
    found += [
        f"{mrid}: {n} starts on day {day}" for day, n in starts.items() if n > rules.starts_per_day
    ]
    return found, runs
