"""The rules of a plan, checked in plain Python: no array, nothing of the optimizer's own code."""

from __future__ import annotations

from itertools import pairwise
from math import exp
from typing import NamedTuple

from gridctl.model.planning import PlanningResult, PlanningTask, ResourceState
from gridctl.model.policy import HotSpot
from gridctl.model.resource import Battery, Generator, LoadGroup, PvInverter, Resource

TOLERANCE_KW = 0.01
NOTHING_KW = 0.5
"""A device that has less than this to give may be let go before its time."""
TOLERANCE_KWH = 0.5
"""Setpoints are rounded to watts and tiny ones dropped; over a day that may sum up to this."""


def series_of(result: PlanningResult) -> dict[str, list[float]]:
    """Setpoints by resource, in the order of the intervals; each series is complete."""
    found: dict[str, dict[int, float]] = {}
    for setpoint in result.setpoints:
        found.setdefault(setpoint.resource, {})[setpoint.interval] = setpoint.kw
    count = result.horizon.count
    for mrid, values in found.items():
        assert sorted(values) == list(range(count)), f"{mrid} has a setpoint for {sorted(values)}"
    return {mrid: [values[k] for k in range(count)] for mrid, values in found.items()}


def broken(task: PlanningTask, result: PlanningResult) -> list[str]:
    """Every rule that `result` breaks, in words."""
    resources = {r.mrid: r for r in task.resources}
    states = {s.resource: s for s in task.states}
    found: list[str] = []
    for mrid, series in series_of(result).items():
        resource, state = resources[mrid], states[mrid]
        if state.excluded is not None:
            found.append(f"{mrid}: has setpoints although it is excluded: {state.excluded}")
        found += _kvar(resource, result)
        match resource:
            case LoadGroup():
                found += _group(task, resource, state, series)
            case Battery():
                found += _battery(task, resource, state, series)
            case Generator():
                found += _generator(task, resource, state, series)
            case PvInverter():
                found += [
                    f"{mrid}: ceiling of {kw:g} kW"
                    for kw in series
                    if not -TOLERANCE_KW <= kw <= resource.rating_kw + TOLERANCE_KW
                ]
    return found


def _kvar(resource: Resource, result: PlanningResult) -> list[str]:
    """Kvar are asked only of who takes them, within their limit and the kVA."""
    reactive = getattr(resource, "reactive", None)
    found = []
    for s in result.setpoints:
        if s.resource != resource.mrid or s.kvar == 0.0:
            continue
        if reactive is None or reactive.volt_var:
            found.append(f"{s.resource}: {s.kvar:g} kvar, and it takes none")
            continue
        kw = s.kw if isinstance(resource, Battery) else 0.0
        if abs(s.kvar) > reactive.kvar_max + TOLERANCE_KW or (
            (kw**2 + s.kvar**2) ** 0.5 > reactive.rating_kva + 2 * TOLERANCE_KW
        ):
            found.append(f"{s.resource}: {kw:g} kW and {s.kvar:g} kvar in interval {s.interval}")
    return found


def _begin_s(task: PlanningTask, k: int) -> float:
    return max(task.horizon.start_s + k * task.horizon.step_s, task.now_s)


def _end_s(task: PlanningTask, k: int) -> float:
    return task.horizon.start_s + (k + 1) * task.horizon.step_s


def _generator(
    task: PlanningTask, unit: Generator, state: ResourceState, series: list[float]
) -> list[str]:
    cap = min(unit.rating_kw, unit.rating_kva * unit.power_factor, state.available_kw)
    found = [
        f"{unit.mrid}: {kw:g} kW in interval {k}, {unit.level_min * unit.rating_kw:g} to {cap:g}"
        for k, kw in enumerate(series)
        if kw != 0.0
        and not unit.level_min * unit.rating_kw - TOLERANCE_KW <= kw <= cap + TOLERANCE_KW
    ]
    step = unit.ramp_kw_per_min * task.horizon.step_s / 60.0
    was = 0.0 if state.active_since_s is None else min(max(state.setpoint_kw, 0.0), cap)
    before = [was, *series]
    for k, kw in enumerate(series):
        switched = (before[k] > 0.0) != (kw > 0.0)
        most = max(step, unit.level_min * unit.rating_kw) if switched else step
        if abs(kw - before[k]) > most + TOLERANCE_KW:
            found.append(f"{unit.mrid}: from {before[k]:g} to {kw:g} kW in interval {k}")
    return found + _runs(
        task,
        unit.mrid,
        state,
        series,
        Runs(unit.run_min_s, unit.run_max_s, unit.rest_s, unit.starts_per_day_max),
    )


class Runs(NamedTuple):
    """Rules of runs: least and greatest length, rest after each, starts of a day."""

    least_s: float
    most_s: float
    rest_s: float
    starts_per_day: int


def _group(
    task: PlanningTask, group: LoadGroup, state: ResourceState, series: list[float]
) -> list[str]:
    found = _ahead(task, group, state, series) + _announced(task, group, state, series)
    cap = min(group.rating_kw, state.available_kw)
    for k, kw in enumerate(series):
        if kw > cap + TOLERANCE_KW:
            found.append(f"{group.mrid}: {kw:g} kW in interval {k}, {cap:g} available")
        if 0.0 < kw < group.level_min * group.rating_kw - TOLERANCE_KW:
            found.append(f"{group.mrid}: {kw:g} kW is below its least useful level")
    return found + _runs(
        task,
        group.mrid,
        state,
        series,
        Runs(
            group.duration_min_s, group.duration_max_s, group.recovery_s, group.starts_per_day_max
        ),
    )


def _announced(
    task: PlanningTask, group: LoadGroup, state: ResourceState, series: list[float]
) -> list[str]:
    """A call that was announced, fits the other rules and has no price of cancelling is kept."""
    found = []
    for start, end in state.announced:
        begun = start <= task.now_s
        if (group.cancel_cost is not None and not begun) or state.blocked:
            continue
        if not group.duration_min_s <= end - start <= group.duration_max_s:
            continue
        if begun or start < (state.released_at_s or -1e99) + group.recovery_s:
            continue
        if group.hours_per_day_max is not None or state.starts_today >= group.starts_per_day_max:
            continue
        if end - start > group.duration_max_s - group.recovery_s and state.active_since_s:
            continue
        found += [
            f"{group.mrid}: off in interval {k}, which was announced"
            for k, kw in enumerate(series)
            if _begin_s(task, k) < end - 1e-3 and _end_s(task, k) > start + 1e-3 and kw <= 0.0
        ]
    return found


def _ahead(
    task: PlanningTask, group: LoadGroup, state: ResourceState, series: list[float]
) -> list[str]:
    """Drawn ahead of a call: no more than it may, soon enough before one, not too cold."""
    own, found = group.precool, []
    stored, last = 0.0, task.now_s
    if own is not None:
        for start, end, kw in state.precooled:
            stored += kw * (end - start) / 3600 * _left(own.fade_h, task.now_s - end)
    within = max(stored, 0.0 if own is None else own.energy_kwh)
    for k, kw in enumerate(series):
        stored *= _left(0.0 if own is None else own.fade_h, _end_s(task, k) - last)
        last = _end_s(task, k)
        if kw >= -TOLERANCE_KW:
            continue
        most = 0.0
        if own is not None:
            most = own.rating_kw if state.precool_kw is None else state.precool_kw
        if own is None or -kw > min(most, own.rating_kw) + TOLERANCE_KW:
            found.append(f"{group.mrid}: {kw:g} kW in interval {k}, {-most:g} drawn ahead at most")
            continue
        begins = [j for j in range(k + 1, len(series)) if series[j] > 0.0]
        if not begins or _begin_s(task, begins[0]) - _begin_s(task, k) > own.ahead_s + 1e-6:
            found.append(f"{group.mrid}: drawn ahead in interval {k} of no call")
        stored += -kw * (_end_s(task, k) - _begin_s(task, k)) / 3600
        if stored > within + TOLERANCE_KWH:
            found.append(f"{group.mrid}: {stored:g} kWh drawn ahead after interval {k}")
    return found


def _left(fade_h: float, seconds: float) -> float:
    return exp(-seconds / 3600 / fade_h) if fade_h > 0.0 else 1.0


def _runs(
    task: PlanningTask, mrid: str, state: ResourceState, series: list[float], rules: Runs
) -> list[str]:
    found = []
    on_since = state.active_since_s
    released = state.released_at_s if on_since is None else None
    starts: dict[int, int] = {}
    today = int((task.now_s + task.utc_offset_s) // 86_400)
    starts[today] = state.starts_today
    for k, kw in enumerate(series):
        at = _begin_s(task, k)
        if kw > 0.0 and on_since is None:
            if released is not None and at - released < rules.rest_s - 1e-6:
                found.append(f"{mrid}: starts {at - released:g} s after its release")
            on_since = at
            day = int((at + task.utc_offset_s) // 86_400)
            starts[day] = starts.get(day, 0) + 1
        elif kw <= 0.0 and on_since is not None:
            if at - on_since < rules.least_s - 1e-6 and state.available_kw >= NOTHING_KW:
                found.append(f"{mrid}: released after {at - on_since:g} s in interval {k}")
            on_since, released = None, at
        if on_since is not None and _end_s(task, k) - on_since > rules.most_s + 1e-6:
            found.append(f"{mrid}: on for {_end_s(task, k) - on_since:g} s in interval {k}")
    found += [
        f"{mrid}: {number} starts on day {day}"
        for day, number in starts.items()
        if number > max(rules.starts_per_day, state.starts_today if day == today else 0)
    ]
    return found


def _battery(
    task: PlanningTask, battery: Battery, state: ResourceState, series: list[float]
) -> list[str]:
    found = []
    assert state.soc_pct is not None
    energy = state.soc_pct / 100 * battery.energy_kwh
    low = min(battery.soc_min_pct / 100 * battery.energy_kwh, energy) - TOLERANCE_KWH
    high = max(battery.soc_max_pct / 100 * battery.energy_kwh, energy) + TOLERANCE_KWH
    power = min(battery.rating_kw, state.available_kw) + TOLERANCE_KW
    for k, kw in enumerate(series):
        hours = (_end_s(task, k) - _begin_s(task, k)) / 3600
        energy -= hours * (kw / battery.efficiency if kw > 0 else kw * battery.efficiency)
        if abs(kw) > power:
            found.append(f"{battery.mrid}: {kw:g} kW in interval {k}")
        if not low <= energy <= high:
            found.append(f"{battery.mrid}: {energy:.1f} kWh after interval {k}")
    return found


def hot_spots_c(own: HotSpot, steps: list[tuple[float, float, float]]) -> list[tuple[float, float]]:
    """(top oil, hot spot) in °C after each step of (load as a share of the rating, air in °C,
    hours): IEC 60076-7, or IEEE C57.91 where all k are 1."""
    oil, one, two, found = own.oil_rise_now_k, own.winding_now_k, own.counter_now_k, []
    for load, air, hours in steps:
        minutes = 60 * hours
        losses = (1 + own.loss_ratio * load**2) / (1 + own.loss_ratio)
        oil_end = own.top_oil_rise_k * losses**own.oil_exponent
        winding = own.hot_spot_rise_k * load**own.winding_exponent
        oil = oil_end + (oil - oil_end) * exp(-minutes / own.k11 / own.tau_oil_min)
        end = own.k21 * winding
        one = end + (one - end) * exp(-minutes / own.k22 / own.tau_winding_min)
        end = (own.k21 - 1) * winding
        two = end + (two - end) * exp(-minutes * own.k22 / own.tau_oil_min)
        found.append((air + oil, air + oil + one - two))
    return found


def wear_by_depth(battery: Battery, soc_pct: float, steps: list[tuple[float, float]]) -> float:
    """What depth costs over `steps` (kW, hours): every kWh out of the shallowest slice that has
    one, every kWh into the shallowest that has room."""
    full = max(battery.soc_max_pct, soc_pct) / 100 * battery.energy_kwh
    edges = [0.0, *(one.to_pct / 100 * battery.energy_kwh for one in battery.depth_costs)]
    edges[-1] = full
    missing = full - soc_pct / 100 * battery.energy_kwh
    room = [max(min(missing, high) - low, 0.0) for low, high in pairwise(edges)]
    size = [high - low for low, high in pairwise(edges)]
    paid = 0.0
    for kw, hours in steps:
        left = kw * hours / battery.efficiency if kw > 0 else -kw * hours * battery.efficiency
        for k, one in enumerate(battery.depth_costs):
            part = min(left, size[k] - room[k]) if kw > 0 else min(left, room[k])
            room[k] += part if kw > 0 else -part
            left -= part
            paid += part * battery.efficiency * one.per_kwh if kw > 0 else 0.0
    return paid
