"""Load groups: shed in runs with a least and a greatest length, and what comes back afterwards."""

from __future__ import annotations

import math
from functools import partial

import numpy as np
import scipy.sparse as sp

from gridctl.model.planning import ResourceState
from gridctl.model.resource import LoadGroup
from optimizer.block import COST_MIN, Block, BoolArray, Rows, RunColumns, block_of, selection
from optimizer.run_rows import RunLimits, add_runs, rules_of
from optimizer.runs import RunRules
from optimizer.timegrid import SECONDS_PER_HOUR, FloatArray, TimeGrid

FULL_WITHIN_KW = 0.1
SHED_MIN_KW = 1e-6
WORTH_KW = 0.5
"""Less than this is nothing: its least level would be lost among the meters' noise."""
LEVEL_SHARE_MIN = 0.2
"""A run sheds at least this share of what can be shed, so that "on" is visible at the device."""
START_COST_H = 0.02
"""A start costs as much as shedding everything for so long: no needless starts."""


def default_kw(group: LoadGroup) -> float:
    """Nothing shed."""
    del group
    return 0.0


def shed_so_far_kwh(state: ResourceState, now_s: float) -> float:
    """Energy of the shed that is running now, at the level that is confirmed now."""
    if state.active_since_s is None:
        return 0.0
    return max(state.setpoint_kw, 0.0) * max(now_s - state.active_since_s, 0.0) / SECONDS_PER_HOUR


def injection_kw(
    group: LoadGroup, state: ResourceState, grid: TimeGrid, setpoint_kw: FloatArray
) -> FloatArray:
    """Shed minus rebound, kW (T,).

    When a run of shedding ends, `rebound[k]` of its whole energy comes back in the k-th interval
    after its release (the first of them is the interval in which it is released).
    """
    net = np.array(setpoint_kw, dtype=np.float64)
    energy_kwh = shed_so_far_kwh(state, grid.now_s)
    for t in range(grid.count):
        if setpoint_kw[t] > SHED_MIN_KW:
            energy_kwh += float(setpoint_kw[t]) * float(grid.hours[t])
            continue
        for k, share in enumerate(group.rebound[: grid.count - t]):
            net[t + k] -= share * energy_kwh / float(grid.hours[t + k])
        energy_kwh = 0.0
    return net


def unusable(group: LoadGroup, state: ResourceState, grid: TimeGrid) -> str | None:
    """Why it cannot be planned with, or None."""
    if state.excluded is not None:
        return state.excluded
    if not math.isfinite(state.available_kw):
        return "what can be shed is not known"
    cap_kw = _cap_kw(group, state)
    if cap_kw < WORTH_KW:
        return "nothing to shed now"
    if cap_kw < group.level_min * group.rating_kw:
        return (
            f"{cap_kw:.0f} kW to shed, less than the least useful "
            f"{group.level_min * group.rating_kw:.0f} kW"
        )
    rules = run_rules(group, state, grid)
    if not rules.active and not np.any(rules.length_min <= rules.length_max):
        return (
            f"runs of {group.duration_min_s:.0f} to {group.duration_max_s:.0f} s do not fit "
            f"intervals of {grid.step_s:.0f} s"
        )
    return None


def _cap_kw(group: LoadGroup, state: ResourceState) -> float:
    return min(group.rating_kw, state.available_kw)


def run_rules(group: LoadGroup, state: ResourceState, grid: TimeGrid) -> RunRules:
    """The group's rules in whole intervals, with its history as constants."""
    return rules_of(
        state,
        grid,
        RunLimits(
            length_min_s=group.duration_min_s,
            length_max_s=group.duration_max_s,
            rest_s=group.recovery_s,
            starts_per_day_max=group.starts_per_day_max,
        ),
    )


def block(group: LoadGroup, state: ResourceState, grid: TimeGrid) -> Block:
    """Columns of each interval: shed kW, on, started, stopped. Rebound depends on where runs end,
    so it comes in when the runs are fixed (`aftermath`)."""
    count, rules = grid.count, run_rules(group, state, grid)
    columns = 4 * count
    shed, on, start, stop = (np.arange(count) + k * count for k in range(4))
    cap_kw = _cap_kw(group, state)
    level_kw = max(group.level_min * group.rating_kw, LEVEL_SHARE_MIN * cap_kw)
    lower, upper, cost = np.zeros(columns), np.full(columns, np.inf), np.zeros(columns)
    upper[shed] = cap_kw
    upper[on] = upper[stop] = 1.0
    upper[start] = np.where(rules.may_start, 1.0, 0.0)
    lower[on[: rules.held]] = 1.0
    price = max(group.cost_per_kwh, COST_MIN)
    cost[shed] = price * grid.hours
    cost[start] = price * START_COST_H * cap_kw
    rows = Rows()
    for t in range(count):
        rows.add([(int(shed[t]), 1.0), (int(on[t]), -cap_kw)], upper=0.0)
        rows.add([(int(shed[t]), 1.0), (int(on[t]), -level_kw)], lower=0.0)
    add_runs(rows, rules, on, start, stop)
    shedding = selection(count, columns, shed, 1.0)
    return block_of(
        resource=group.mrid,
        default_kw=default_kw(group),
        lower=lower,
        upper=upper,
        cost=cost,
        rows=rows,
        action=shedding,
        injection=shedding,
        offset_kw=np.zeros(count),
        runs=RunColumns(
            on=on,
            start=start,
            stop=stop,
            rules=rules,
            full_kw=cap_kw,
            aftermath=partial(_aftermath, group, state, grid),
        ),
    )


def _aftermath(
    group: LoadGroup, state: ResourceState, grid: TimeGrid, on: BoolArray
) -> tuple[sp.csr_array, FloatArray]:
    """Rebound of the given runs: minus a share of each run's energy after its release.

    The shed's columns come first in the block. What a run that is on now has shed before the
    horizon comes back as a constant.
    """
    count = grid.count
    row: list[int] = []
    column: list[int] = []
    value: list[float] = []
    constant = np.zeros(count)
    so_far_kwh, members = shed_so_far_kwh(state, grid.now_s), list[int]()
    for t in range(count):
        if on[t]:
            members.append(t)
            continue
        for k, share in enumerate(group.rebound[: count - t]):
            per_kwh = -share / float(grid.hours[t + k])
            constant[t + k] += per_kwh * so_far_kwh
            row += [t + k] * len(members)
            column += members
            value += [per_kwh * float(grid.hours[m]) for m in members]
        so_far_kwh, members = 0.0, []
    return sp.csr_array((value, (row, column)), shape=(count, 4 * count)), constant


def held_back(
    group: LoadGroup, state: ResourceState, grid: TimeGrid, setpoint_kw: FloatArray, t: int
) -> str | None:
    """Why it sheds no more in interval `t` than `setpoint_kw` (T,) says; None: no rule forbids it.

    Read from the rules and the plan, in the order in which a person would ask.
    """
    on = setpoint_kw > 0.0
    if on[t]:
        full = setpoint_kw[t] >= _cap_kw(group, state) - FULL_WITHIN_KW
        return "sheds all it has" if full else None
    rules = run_rules(group, state, grid)
    starts = on & ~np.concatenate([[rules.active], on[:-1]])
    day = grid.day[t]
    if int(starts[grid.day == day].sum()) >= rules.starts_left.get(int(day), 0):
        return "has made its starts of the day"
    before, after = np.flatnonzero(on[:t]), np.flatnonzero(on[t:])
    if not rules.may_start[t] or (before.size and t - before[-1] <= rules.recovery):
        return "recovers from its last run"
    if after.size and after[0] <= rules.recovery + int(rules.length_min[t]):
        return "is kept for the run that follows"
    return None
