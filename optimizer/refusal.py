"""What is refused before anything is solved: numbers that cannot be, limits that contradict each
other, a problem too large to answer in time. Each in words that name the field."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict
from itertools import pairwise

from gridctl.model.network import Feeder
from gridctl.model.planning import PlanningTask, ResourceState
from gridctl.model.resource import Battery, Generator, LoadGroup, PvInverter, Reactive, Resource

ROWS_MAX = 1_000_000
"""Rows of the linear programme that a task may have before a voltage row is added."""
INTERVALS_MAX = 10_000
STEP_MAX_S = 31 * 86_400.0
TIME_MAX_S = 1e11
"""More than three thousand years: no time at all."""
PRICE_MAX = 1e6
"""Of a kWh, in whatever money: above it the penalties of broken limits are lost among prices."""
TOLD_MAX = 5
_ROWS_PER_INTERVAL = {LoadGroup: 9, Generator: 9, Battery: 4, PvInverter: 0}


def refusals(task: PlanningTask) -> list[str]:
    """Why `task` is not solved; empty when nothing speaks against it."""
    found = [*_grid(task), *_limits(task), *_forecast(task), *_feeder(task.feeder)]
    found += _strangers(task)
    states = {s.resource: s for s in task.states}
    seen: set[str] = set()
    for resource in task.resources:
        if resource.mrid in seen:
            found.append(f"{resource.mrid} is there twice")
        seen.add(resource.mrid)
        found += [f"{resource.mrid}: {what}" for what in _resource(resource)]
        state = states.get(resource.mrid)
        if state is not None:
            found += [f"{resource.mrid}: {what}" for what in _state(state)]
    if not found and (rows := rows_of(task)) > ROWS_MAX:
        found.append(
            f"{rows} rows for {len(task.resources)} resources in {task.horizon.count} intervals, "
            f"{ROWS_MAX} at most: plan fewer intervals, or split the feeder"
        )
    return found


def rows_of(task: PlanningTask) -> int:
    """Rows that the programme of `task` has at least."""
    per_interval = sum(_ROWS_PER_INTERVAL[type(r)] for r in task.resources) + 3
    return per_interval * task.horizon.count


def told(reasons: list[str]) -> str:
    """The first few in one sentence."""
    more = len(reasons) - TOLD_MAX
    return "; ".join(reasons[:TOLD_MAX]) + (f"; and {more} more" if more > 0 else "")


def _strangers(task: PlanningTask) -> Iterator[str]:
    """States of nobody, or twice of somebody."""
    names = {r.mrid for r in task.resources}
    told: set[str] = set()
    for state in task.states:
        if state.resource not in names:
            yield f"there is a state of {state.resource}, which is no resource of the task"
        elif state.resource in told:
            yield f"{state.resource} has two states"
        told.add(state.resource)


def _grid(task: PlanningTask) -> Iterator[str]:
    horizon = task.horizon
    if not 1 <= horizon.count <= INTERVALS_MAX:
        yield f"horizon: {horizon.count} intervals, 1 to {INTERVALS_MAX} are possible"
    if not 0.0 < horizon.step_s <= STEP_MAX_S:
        yield f"horizon: steps of {horizon.step_s} s"
    for name, value in (
        ("horizon.start_s", horizon.start_s),
        ("now_s", task.now_s),
        ("utc_offset_s", task.utc_offset_s),
        ("deadline_s", task.deadline_s),
    ):
        if not abs(value) <= TIME_MAX_S:
            yield f"{name} is {value}"
    if task.deadline_s <= 0.0:
        yield f"deadline_s is {task.deadline_s}: there is no time to plan"
    dearest = max((abs(v) for v in task.policy.price_per_kwh), default=0.0)
    if not dearest <= PRICE_MAX:
        yield f"policy.price_per_kwh has {dearest:g} a kWh, {PRICE_MAX:g} at most"


def _limits(task: PlanningTask) -> Iterator[str]:
    limits = task.limits
    if not math.isfinite(limits.head_import_kw):
        yield f"limits.head_import_kw is {limits.head_import_kw}"
    low, high = limits.voltage_min_pu, limits.voltage_max_pu
    if not (math.isfinite(low) and math.isfinite(high) and 0.0 < low < high):
        yield f"limits: voltages from {low} to {high} pu contradict each other"
    if not limits.loading_max_pct > 0.0:
        yield f"limits.loading_max_pct is {limits.loading_max_pct}"
    for request in task.requests:
        if not (math.isfinite(request.target_kw) and request.target_kw >= 0.0):
            yield f"request {request.mrid}: {request.target_kw} kW"
        most_kw = request.export_max_kw
        if most_kw is not None and not (math.isfinite(most_kw) and most_kw >= 0.0):
            yield f"request {request.mrid}: {most_kw} kW of export at most"
        if not request.start_s < request.end_s:
            yield f"request {request.mrid} ends before it begins"


def _feeder(feeder: Feeder) -> Iterator[str]:
    """Ratings by which currents are divided."""
    rated: list[tuple[str, float | None]] = [(e.mrid, e.rating_a) for e in feeder.lines]
    rated += [(e.mrid, e.rating_a) for e in feeder.switches]
    # A terminal of an equivalent branch that is not rated has 0 A.
    rated += [(e.mrid, amps) for e in feeder.equivalents for amps in e.rating_a if amps != 0.0]
    for mrid, amps in rated:
        if amps is not None and not (math.isfinite(amps) and amps > 0.0):
            yield f"{mrid}: rating_a is {amps}"
    for transformer in feeder.transformers:
        kva = transformer.rating_kva
        if not (math.isfinite(kva) and kva > 0.0):
            yield f"{transformer.mrid}: rating_kva is {kva}"


def _forecast(task: PlanningTask) -> Iterator[str]:
    if len(task.forecast.values_kw) != len(task.forecast.quantiles):
        yield (
            f"the forecast has {len(task.forecast.values_kw)} series for"
            f" {len(task.forecast.quantiles)} quantiles"
        )
        return
    try:
        values = task.forecast.at_quantile(task.quantile)
    except KeyError as missing:
        yield str(missing.args[0])
        return
    bad = [k for k, v in enumerate(values) if not math.isfinite(v)]
    if bad:
        yield f"the forecast is {values[bad[0]]} in interval {bad[0]} ({len(bad)} such)"


def _resource(resource: Resource) -> Iterator[str]:
    if not (math.isfinite(resource.rating_kw) and resource.rating_kw > 0.0):
        yield f"rating_kw is {resource.rating_kw}"
    if not (math.isfinite(resource.cost_per_kwh) and resource.cost_per_kwh >= 0.0):
        yield f"cost_per_kwh is {resource.cost_per_kwh}"
    shares = [t.share for t in resource.terminals]
    if not shares or not all(math.isfinite(s) for s in shares) or abs(sum(shares) - 1.0) > 1e-3:  # noqa: PLR2004
        yield "the shares of its terminals do not sum to 1"
    if isinstance(resource, Battery | PvInverter) and resource.reactive is not None:
        yield from _reactive(resource.reactive)
    match resource:
        case Battery():
            yield from _battery(resource)
        case LoadGroup():
            yield from _load_group(resource)
        case Generator():
            yield from _generator(resource)
        case PvInverter():
            return


def _reactive(reactive: Reactive) -> Iterator[str]:
    if not (math.isfinite(reactive.rating_kva) and reactive.rating_kva > 0.0):
        yield f"reactive.rating_kva is {reactive.rating_kva}"
    if not (math.isfinite(reactive.kvar_max) and reactive.kvar_max >= 0.0):
        yield f"reactive.kvar_max is {reactive.kvar_max}"
    volts = [v for v, _ in reactive.volt_var]
    if any(not (math.isfinite(v) and math.isfinite(q)) for v, q in reactive.volt_var) or any(
        a >= b for a, b in pairwise(volts)
    ):
        yield "reactive.volt_var does not ascend in voltage"


def _battery(battery: Battery) -> Iterator[str]:
    if not (math.isfinite(battery.energy_kwh) and battery.energy_kwh > 0.0):
        yield f"energy_kwh is {battery.energy_kwh}"
    if not 0.0 < battery.efficiency <= 1.0:
        yield f"efficiency is {battery.efficiency}"
    if not 0.0 <= battery.soc_min_pct <= battery.soc_max_pct <= 100.0:  # noqa: PLR2004
        yield f"charge from {battery.soc_min_pct} to {battery.soc_max_pct} %"
    steps = [(0.0, 0.0), *((one.to_pct, one.per_kwh) for one in battery.depth_costs)]
    if not all(
        0.0 <= a[0] < b[0] <= 100.0 and a[1] <= b[1] < math.inf  # noqa: PLR2004
        for a, b in pairwise(steps)
    ):
        yield "depth_costs do not ascend in depth (to 100 %) and in cost"


def _load_group(group: LoadGroup) -> Iterator[str]:
    if group.customers < 0 or group.starts_per_day_max < 0:
        yield f"customers {group.customers}, starts_per_day_max {group.starts_per_day_max}"
    yield from _runs(group.duration_min_s, group.duration_max_s, group.recovery_s)
    if group.appliance is not None:
        for name, value in asdict(group.appliance).items():
            if value is not None and not (math.isfinite(value) and value > 0.0):
                yield f"appliance.{name} is {value}"
    yield from _around_a_call(group)
    if not 0.0 <= group.level_min <= 1.0:
        yield f"level_min is {group.level_min}"
    if any(not (math.isfinite(s) and s >= 0.0) for s in group.rebound):
        yield "rebound has a share below 0"
    if any(not 0.0 < s <= 1.0 for s in group.stages):
        yield "stages lie between 0 and 1"


def _around_a_call(group: LoadGroup) -> Iterator[str]:
    if group.cancel_cost is not None and not 0.0 <= group.cancel_cost < math.inf:
        yield f"cancel_cost is {group.cancel_cost}"
    if group.precool is not None:
        for name, value in asdict(group.precool).items():
            least = 0.0 if name == "fade_h" else 1e-9
            if not (math.isfinite(value) and value >= least):
                yield f"precool.{name} is {value}"


def _generator(generator: Generator) -> Iterator[str]:
    yield from _runs(generator.run_min_s, generator.run_max_s, generator.rest_s)
    if not 0.0 <= generator.level_min <= 1.0:
        yield f"level_min is {generator.level_min}"
    if not generator.ramp_kw_per_min > 0.0:
        yield f"ramp_kw_per_min is {generator.ramp_kw_per_min}"
    if not generator.rating_kva > 0.0 or not 0.0 < generator.power_factor <= 1.0:
        yield f"rating_kva {generator.rating_kva}, power_factor {generator.power_factor}"
    if not (math.isfinite(generator.start_cost) and math.isfinite(generator.idle_cost_per_h)):
        yield f"start_cost {generator.start_cost}, idle_cost_per_h {generator.idle_cost_per_h}"


def _runs(least_s: float, most_s: float, rest_s: float) -> Iterator[str]:
    if not (0.0 <= least_s <= most_s and math.isfinite(most_s)):
        yield f"runs of at least {least_s} and at most {most_s} s contradict each other"
    if not (math.isfinite(rest_s) and rest_s >= 0.0):
        yield f"a rest of {rest_s} s"


def _state(state: ResourceState) -> Iterator[str]:
    """A value that is not known is told by exclusion, and NaN of what can be is; not infinity."""
    for name, value in (
        ("setpoint_kw", state.setpoint_kw),
        ("power_kw", state.power_kw),
        ("active_since_s", state.active_since_s or 0.0),
        ("released_at_s", state.released_at_s or 0.0),
        ("hours_today", state.hours_today),
        ("hours_season", state.hours_season),
    ):
        if not math.isfinite(value) and state.excluded is None:
            yield f"{name} is {value}"
    if state.available_kw == math.inf:
        yield "available_kw is inf"
    for begin_s, end_s in state.announced:
        if not begin_s < end_s:
            yield f"a call that was announced from {begin_s:g} to {end_s:g} s"
    for begin_s, end_s, kw in state.precooled:
        if not (begin_s <= end_s and 0.0 <= kw < math.inf):
            yield f"{kw:g} kW drawn ahead from {begin_s:g} to {end_s:g} s"
