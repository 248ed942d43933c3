"""Generators: run or stand still, start after a delay and at a cost, ramp, never below their least.

A generator injects its setpoint from the moment it has started: the energy that is missing while it
starts and ramps up is taken off the first intervals of each run, so that a plan does not count on
kW that are not there yet. Its kvar follow its kW (the power factor that its voltage regulator
holds); the kW are capped where both together would leave its kVA.
"""

from __future__ import annotations

import math
from functools import partial

import numpy as np
import scipy.sparse as sp

from gridctl.model.planning import ResourceState
from gridctl.model.resource import Generator
from optimizer.block import COST_MIN, Block, BoolArray, Rows, RunColumns, block_of, selection
from optimizer.run_rows import Ramp, RunLimits, add_ramps, add_runs, rules_of
from optimizer.runs import RunRules
from optimizer.timegrid import SECONDS_PER_HOUR, FloatArray, TimeGrid

FULL_WITHIN_KW = 0.1
RUNS_ABOVE_KW = 1e-6
WORTH_KW = 0.5
LEVEL_SHARE_MIN = 0.02
SECONDS_PER_MINUTE = 60.0
POWER_FACTOR_MIN = 1e-3


def default_kw(generator: Generator) -> float:
    """Standing still."""
    del generator
    return 0.0


def kvar_per_kw(generator: Generator) -> float:
    """kvar that it injects with each kW."""
    return math.tan(math.acos(min(max(generator.power_factor, POWER_FACTOR_MIN), 1.0)))


def cap_kw(generator: Generator, state: ResourceState) -> float:
    """The most that it can give now, within its kW and its kVA."""
    by_kva = generator.rating_kva * min(generator.power_factor, 1.0)
    return min(generator.rating_kw, by_kva, state.available_kw)


def level_kw(generator: Generator) -> float:
    """The least that it gives while it runs."""
    return max(generator.level_min, LEVEL_SHARE_MIN) * generator.rating_kw


def unusable(generator: Generator, state: ResourceState, grid: TimeGrid) -> str | None:
    """Why it cannot be planned with, or None."""
    if state.excluded is not None:
        return state.excluded
    if not math.isfinite(state.available_kw):
        return "what it can give is not known"
    most_kw = cap_kw(generator, state)
    if most_kw < WORTH_KW:
        return "nothing to give now"
    if most_kw < level_kw(generator):
        return f"{most_kw:.0f} kW to give, less than its least load of {level_kw(generator):.0f} kW"
    rules = run_rules(generator, state, grid)
    if not rules.active and not np.any(rules.length_min <= rules.length_max):
        return (
            f"runs of {generator.run_min_s:.0f} to {generator.run_max_s:.0f} s do not fit "
            f"intervals of {grid.step_s:.0f} s"
        )
    return None


def run_rules(generator: Generator, state: ResourceState, grid: TimeGrid) -> RunRules:
    """Its rules in whole intervals, with its history as constants."""
    return rules_of(
        state,
        grid,
        RunLimits(
            length_min_s=generator.run_min_s,
            length_max_s=generator.run_max_s,
            rest_s=generator.rest_s,
            starts_per_day_max=generator.starts_per_day_max,
            still=_ramp(generator, state, grid).still if state.active_since_s is not None else 0,
        ),
    )


def running_share(
    generator: Generator, state: ResourceState, grid: TimeGrid, on: BoolArray
) -> FloatArray:
    """Share of each interval (T,) in which a machine that runs as `on` says gives its setpoint.

    Time to start and half the time to ramp to full count as lost.
    """
    ramp_s = SECONDS_PER_MINUTE * cap_kw(generator, state) / (2.0 * generator.ramp_kw_per_min)
    share = np.ones(grid.count)
    started_s = state.active_since_s
    for t in range(grid.count):
        if not on[t]:
            started_s = None
            continue
        if started_s is None:
            started_s = float(grid.begin_s[t])
        gives_s = max(started_s + generator.start_s + ramp_s, float(grid.begin_s[t]))
        left_s = max(float(grid.end_s[t]) - gives_s, 0.0)
        share[t] = left_s / (float(grid.hours[t]) * SECONDS_PER_HOUR)
    return share


def injection_kw(
    generator: Generator, state: ResourceState, grid: TimeGrid, setpoint_kw: FloatArray
) -> FloatArray:
    """The setpoint, less what is missing while it starts, kW (T,)."""
    on = setpoint_kw > RUNS_ABOVE_KW
    return np.asarray(setpoint_kw * running_share(generator, state, grid, on), dtype=np.float64)


def block(generator: Generator, state: ResourceState, grid: TimeGrid) -> Block:
    """Columns of each interval: kW, on, started, stopped. What a start takes off depends on where
    runs begin, so it comes in when the runs are fixed (`aftermath`)."""
    count, rules = grid.count, run_rules(generator, state, grid)
    columns = 4 * count
    power, on, start, stop = (np.arange(count) + k * count for k in range(4))
    most_kw, least_kw = cap_kw(generator, state), level_kw(generator)
    lower, upper, cost = np.zeros(columns), np.full(columns, np.inf), np.zeros(columns)
    upper[power] = most_kw
    upper[on] = upper[stop] = 1.0
    upper[start] = np.where(rules.may_start, 1.0, 0.0)
    lower[on[: rules.held]] = 1.0
    lower[on[: len(rules.must)][rules.must]] = 1.0
    cost[power] = max(generator.cost_per_kwh, COST_MIN) * grid.hours
    cost[on] = generator.idle_cost_per_h * grid.hours
    cost[start] = generator.start_cost
    rows = Rows()
    for t in range(count):
        rows.add([(int(power[t]), 1.0), (int(on[t]), -most_kw)], upper=0.0)
        rows.add([(int(power[t]), 1.0), (int(on[t]), -least_kw)], lower=0.0)
    add_runs(rows, rules, on, start, stop)
    add_ramps(rows, _ramp(generator, state, grid), power, start, stop)
    giving = selection(count, columns, power, 1.0)
    return block_of(
        resource=generator.mrid,
        default_kw=default_kw(generator),
        lower=lower,
        upper=upper,
        cost=cost,
        rows=rows,
        action=giving,
        injection=giving,
        offset_kw=np.zeros(count),
        runs=RunColumns(
            on=on,
            start=start,
            stop=stop,
            rules=rules,
            full_kw=most_kw,
            aftermath=partial(_aftermath, generator, state, grid),
        ),
    )


def _ramp(generator: Generator, state: ResourceState, grid: TimeGrid) -> Ramp:
    return Ramp(
        step_kw=generator.ramp_kw_per_min * grid.step_s / SECONDS_PER_MINUTE,
        least_kw=level_kw(generator),
        most_kw=cap_kw(generator, state),
        was_kw=state.setpoint_kw if state.active_since_s is not None else 0.0,
    )


def _aftermath(
    generator: Generator, state: ResourceState, grid: TimeGrid, on: BoolArray
) -> tuple[sp.csr_array, FloatArray]:
    """Minus what is missing while the given runs start; the kW come first in the block."""
    count = grid.count
    missing = running_share(generator, state, grid, on) - 1.0
    at = np.flatnonzero(missing < 0.0)
    return sp.csr_array((missing[at], (at, at)), shape=(count, 4 * count)), np.zeros(count)


def held_back(
    generator: Generator, state: ResourceState, grid: TimeGrid, setpoint_kw: FloatArray, t: int
) -> str | None:
    """Why it gives no more in interval `t` than `setpoint_kw` (T,) says; None: no rule says so."""
    on = setpoint_kw > RUNS_ABOVE_KW
    if on[t]:
        if setpoint_kw[t] >= cap_kw(generator, state) - FULL_WITHIN_KW:
            return "gives all its power"
        share = running_share(generator, state, grid, on)[t]
        return "is still starting" if share < 1.0 else None
    rules = run_rules(generator, state, grid)
    starts = on & ~np.concatenate([[rules.active], on[:-1]])
    day = grid.day[t]
    if int(starts[grid.day == day].sum()) >= rules.starts_left.get(int(day), 0):
        return "has made its starts of the day"
    before = np.flatnonzero(on[:t])
    if not rules.may_start[t] or (before.size and t - before[-1] <= rules.recovery):
        return "rests after its last run"
    return None
