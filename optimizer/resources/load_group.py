"""Load groups: shed in runs with a least and a greatest length, and what comes back afterwards."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import scipy.sparse as sp

from gridctl.model.planning import ResourceState
from gridctl.model.resource import LoadGroup
from optimizer.block import (
    COST_MIN,
    Block,
    BoolArray,
    Rows,
    RunColumns,
    Stages,
    block_of,
    selection,
)
from optimizer.resources import cancelling, precool
from optimizer.run_rows import Ramp, RunLimits, add_ramps, add_runs, rules_of
from optimizer.runs import RunRules
from optimizer.timegrid import SECONDS_PER_HOUR, FloatArray, IntArray, TimeGrid

FULL_WITHIN_KW = 0.1
SHED_MIN_KW = 1e-6
WORTH_KW = 0.5
"""Less than this is nothing: its least level would be lost among the meters' noise."""
SECONDS_PER_MINUTE = 60.0
DISCOMFORT = 1e3
"""A kWh put off beyond comfort costs as much as so many kWh shed."""
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

    When a run of shedding ends, `rebound[k]` of its whole energy, less what was drawn ahead of it,
    comes back in the k-th interval after its release (the first of them is the interval in which it
    is released), and the pickup of its length's class is drawn besides.
    """
    net = np.array(setpoint_kw, dtype=np.float64)
    for run in runs_of(group, state, grid, setpoint_kw > SHED_MIN_KW):
        inside = slice(run.first, run.released)
        kwh = run.before_kwh + float(setpoint_kw[inside] @ grid.hours[inside])
        ahead_kwh = run.ahead_kwh + precool.drawn_kwh(run.ahead, grid, setpoint_kw)
        for t, share in _comes_back(group, run, grid):
            net[t] -= share * (kwh - ahead_kwh) / float(grid.hours[t])
        for t, share in _picked_up(group, run, grid):
            net[t] -= share * kwh / run.hours
    return net


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A run that ends within the horizon: on in [`first`, `released`), for `hours` in all, of which
    `before_kwh` were shed before the horizon. `ahead`: (interval, share that is left when it
    begins) of what may be drawn ahead of it; `ahead_kwh` of it before the horizon."""

    first: int
    released: int
    hours: float
    before_kwh: float
    ahead: tuple[tuple[int, float], ...] = ()
    ahead_kwh: float = 0.0


def runs_of(group: LoadGroup, state: ResourceState, grid: TimeGrid, on: BoolArray) -> list[Run]:
    """The runs of `on` (T,) that end within the horizon, the one that is on now included."""
    found: list[Run] = []
    before = 0
    begun = None if state.active_since_s is None else 0
    before_kwh = shed_so_far_kwh(state, grid.now_s)
    before_h = 0.0
    if state.active_since_s is not None:
        before_h = max(grid.now_s - state.active_since_s, 0.0) / SECONDS_PER_HOUR
    for t in range(grid.count):
        if on[t]:
            begun = t if begun is None else begun
        elif begun is not None:
            hours = before_h + float(grid.hours[begun:t].sum())
            if hours > 0.0:
                run = Run(first=begun, released=t, hours=hours, before_kwh=before_kwh)
                found.append(_prepared(run, group, state, grid, before))
            begun, before_kwh, before_h, before = None, 0.0, 0.0, t
    return found


def _prepared(run: Run, group: LoadGroup, state: ResourceState, grid: TimeGrid, before: int) -> Run:
    """`run` with what is drawn ahead of it; `before`: the end of the run before it, or 0."""
    own = group.precool
    if own is None:
        return run
    goes_on = run.first == 0 and state.active_since_s is not None
    begins_s = state.active_since_s if goes_on else float(grid.begin_s[run.first])
    known = 0.0
    if before == 0 and begins_s is not None and begins_s - grid.now_s <= own.ahead_s:
        known = precool.stored_kwh(own, state, begins_s)
    ahead = () if goes_on else tuple(precool.ahead_of(own, grid, run.first, before))
    return replace(run, ahead=ahead, ahead_kwh=known)


def _comes_back(group: LoadGroup, run: Run, grid: TimeGrid) -> list[tuple[int, float]]:
    """(interval, share of the run's energy) of the payback."""
    room = grid.count - run.released
    return [(run.released + k, share) for k, share in enumerate(group.rebound[:room])]


def _picked_up(group: LoadGroup, run: Run, grid: TimeGrid) -> list[tuple[int, float]]:
    """(interval, share of the run's mean kW) of the cold-load pickup of its length's class."""
    classes = [p for p in group.pickup if run.hours * SECONDS_PER_HOUR >= p.after_s - 1.0]
    if not classes:
        return []
    longest = max(classes, key=lambda p: p.after_s)
    room = grid.count - run.released
    return [(run.released + k, share) for k, share in enumerate(longest.shares[:room])]


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


def _level_kw(group: LoadGroup, state: ResourceState) -> float:
    """The least that it sheds while it is on."""
    cap = _cap_kw(group, state)
    least = max(group.level_min * group.rating_kw, LEVEL_SHARE_MIN * cap)
    return max(least, min(group.stages) * cap) if group.stages else least


def _ramp(group: LoadGroup, state: ResourceState, grid: TimeGrid) -> Ramp | None:
    if group.ramp_kw_per_min is None:
        return None
    return Ramp(
        step_kw=group.ramp_kw_per_min * grid.step_s / SECONDS_PER_MINUTE,
        least_kw=_level_kw(group, state),
        most_kw=_cap_kw(group, state),
        was_kw=state.setpoint_kw if state.active_since_s is not None else 0.0,
    )


def _columns(group: LoadGroup, grid: TimeGrid) -> int:
    """Shed, on, start, stop of each interval; with comfort, energy put off and what is too much;
    with precooling, what is drawn ahead and stored."""
    return _ahead_first(group, grid) + (0 if group.precool is None else 2 * grid.count)


def _ahead_first(group: LoadGroup, grid: TimeGrid) -> int:
    return (4 if group.comfort is None else 6) * grid.count


def _length_max_s(group: LoadGroup, state: ResourceState) -> float:
    """No run is longer than comfort lets it be at its least level."""
    if group.comfort is None:
        return group.duration_max_s
    kw = max(_level_kw(group, state), SHED_MIN_KW)
    longest_s = group.comfort.energy_kwh / kw * SECONDS_PER_HOUR
    return min(group.duration_max_s, longest_s)


def run_rules(group: LoadGroup, state: ResourceState, grid: TimeGrid) -> RunRules:
    """The group's rules in whole intervals, with its history as constants."""
    ramp = _ramp(group, state, grid)
    return rules_of(
        cancelling.locked(group, state, grid),
        grid,
        RunLimits(
            length_min_s=group.duration_min_s,
            length_max_s=_length_max_s(group, state),
            rest_s=group.recovery_s,
            starts_per_day_max=group.starts_per_day_max,
            hours_per_day_max=group.hours_per_day_max,
            hours_per_season_max=group.hours_per_season_max,
            still=ramp.still if ramp is not None and state.active_since_s is not None else 0,
        ),
    )


def block(group: LoadGroup, state: ResourceState, grid: TimeGrid) -> Block:
    """Columns of each interval: see `_columns`. Rebound depends on where runs end,
    so it comes in when the runs are fixed (`aftermath`)."""
    count, rules = grid.count, run_rules(group, state, grid)
    told = replace(group, cancel_cost=None) if group.cancel_cost is not None else group
    all_told = run_rules(told, state, grid) if state.announced else rules
    calls = cancelling.calls_of(group, state, grid, all_told, _columns(group, grid))
    columns = _columns(group, grid) + len(calls)
    shed, on, start, stop = (np.arange(count) + k * count for k in range(4))
    cap_kw = _cap_kw(group, state)
    level_kw = _level_kw(group, state)
    lower, upper, cost = np.zeros(columns), np.full(columns, np.inf), np.zeros(columns)
    upper[shed] = cap_kw
    upper[on] = upper[stop] = 1.0
    upper[start] = np.where(rules.may_start, 1.0, 0.0)
    lower[on[: rules.held]] = 1.0
    lower[on[: len(rules.must)][rules.must]] = 1.0
    price = max(group.cost_per_kwh, COST_MIN)
    cost[shed] = price * grid.hours
    cost[start] = price * START_COST_H * cap_kw + group.call_value
    rows = Rows()
    t = np.arange(count)
    rows.add_all([(t, shed, 1.0), (t, on, -cap_kw)], upper=0.0, count=count)
    rows.add_all([(t, shed, 1.0), (t, on, -level_kw)], lower=0.0, count=count)
    add_runs(rows, rules, on, start, stop)
    cancelling.add_calls(rows, group, calls, on=on, upper=upper, cost=cost)
    ramp = _ramp(group, state, grid)
    if ramp is not None:
        add_ramps(rows, ramp, shed, start, stop)
    if group.comfort is not None:
        _add_comfort(rows, group, state, grid, np.arange(4 * count, 6 * count))
        cost[5 * count : 6 * count] = price * DISCOMFORT
        if group.precool is not None:
            lower[4 * count : 5 * count] = -np.inf
    shedding = selection(count, columns, shed, 1.0)
    if group.precool is not None:
        own = np.arange(_ahead_first(group, grid), _columns(group, grid))
        precool.add_precool(rows, group.precool, state, grid, columns=own, on=on, start=start)
        precool.bound_and_price(
            group.precool, state, grid, columns=own, price=price, upper=upper, cost=cost
        )
        shedding = shedding - selection(count, columns, own[:count], 1.0)
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
            aftermath=partial(_aftermath, group, state, grid, columns),
            calls=calls,
            back_kw=np.zeros((0, 0)) if group.precool else _back_kw(group, grid, level_kw),
        ),
        stages=Stages(columns=shed, levels_kw=np.sort(np.array(group.stages)) * cap_kw)
        if group.stages
        else None,
    )


def _add_comfort(
    rows: Rows, group: LoadGroup, state: ResourceState, grid: TimeGrid, columns: IntArray
) -> None:
    """Energy put off, which fades, stays below what customers put up with; the shed's columns come
    first in the block. What was drawn ahead is put off less. What goes beyond has a price that
    nothing pays for long."""
    comfort, own = group.comfort, group.precool
    if comfort is None:
        return
    count = grid.count
    so_far_kwh = shed_so_far_kwh(state, grid.now_s)
    if own is not None:
        so_far_kwh -= precool.stored_kwh(own, state, grid.now_s)
    first = _ahead_first(group, grid)
    put_off, beyond = columns[:count], columns[count:]
    for t in range(count):
        hours = float(grid.hours[t])
        keeps = math.exp(-hours / comfort.fade_h) if comfort.fade_h > 0.0 else 1.0
        before = [] if t == 0 else [(int(put_off[t - 1]), -keeps)]
        known = keeps * so_far_kwh if t == 0 else 0.0
        drawn = [] if own is None else [(first + t, hours)]
        rows.add([(int(put_off[t]), 1.0), *before, (t, -hours), *drawn], lower=known)
        rows.add([(int(put_off[t]), 1.0), (int(beyond[t]), -1.0)], upper=comfort.energy_kwh)


def _aftermath(
    group: LoadGroup, state: ResourceState, grid: TimeGrid, columns: int, on: BoolArray
) -> tuple[sp.csr_array, FloatArray]:
    """Rebound and pickup of the given runs: minus a share of each run's energy after its release.

    The shed's columns come first in the block. What a run that is on now has shed before the
    horizon comes back as a constant.
    """
    count = grid.count
    row: list[int] = []
    column: list[int] = []
    value: list[float] = []
    constant = np.zeros(count)
    for run in runs_of(group, state, grid, on):
        back = [(t, -share / float(grid.hours[t])) for t, share in _comes_back(group, run, grid)]
        back += [(t, -share / run.hours) for t, share in _picked_up(group, run, grid)]
        for t, per_kwh in back:
            constant[t] += per_kwh * run.before_kwh
            row += [t] * (run.released - run.first)
            column += range(run.first, run.released)
            value += [per_kwh * float(h) for h in grid.hours[run.first : run.released]]
        # What was drawn ahead of the run does not come back after it.
        for t, share in _comes_back(group, run, grid):
            per_kwh = share / float(grid.hours[t])
            constant[t] += per_kwh * run.ahead_kwh
            row += [t] * len(run.ahead)
            column += [_ahead_first(group, grid) + k for k, _ in run.ahead]
            value += [per_kwh * left * float(grid.hours[k]) for k, left in run.ahead]
    return sp.csr_array((value, (row, column)), shape=(count, columns)), constant


def _back_kw(group: LoadGroup, grid: TimeGrid, level_kw: float) -> FloatArray:
    """(T + 1, K): kW that come back in the k-th interval after a run of so many whole intervals
    that sheds `level_kw` all the time."""
    width = max(map(len, [group.rebound, *(p.shares for p in group.pickup)]))
    length = np.arange(grid.count + 1)
    found: FloatArray = np.outer(length, _filled(group.rebound, width))
    picked_up = np.zeros(found.shape)
    for pickup in sorted(group.pickup, key=lambda p: p.after_s):
        # Of the classes that a length reaches, the longest counts.
        picked_up[length * grid.step_s >= pickup.after_s - 1.0] = _filled(pickup.shares, width)
    return level_kw * (found + picked_up)


def _filled(shares: Sequence[float], width: int) -> FloatArray:
    return np.pad(np.asarray(shares, dtype=np.float64), (0, width - len(shares)))


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
    begins_s, ends_s = float(grid.begin_s[t]), float(grid.end_s[t])
    for window in state.blocked:
        if window.start_s < ends_s and window.end_s > begins_s:
            return f"may not be used then ({window.reason})"
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
