"""Runs of on/off control as rules in whole intervals and as rows of the linear programme.

Whatever is switched on for a while shares them: load groups that shed, generators that run.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from gridctl.model.planning import ResourceState
from optimizer.block import Rows
from optimizer.runs import BoolArray, RunRules, best_runs
from optimizer.timegrid import IntArray, TimeGrid

ROUNDING = 1e-6
LONG = 10**6
"""Intervals; what lasts longer lasts for ever."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunLimits:
    """What a resource's runs must keep to: least and greatest length, rest after each, starts,
    hours. `still`: intervals
    for which a run that is on may not stop (it has to ramp down first)."""

    length_min_s: float
    length_max_s: float
    rest_s: float
    starts_per_day_max: int
    hours_per_day_max: float | None = None
    hours_per_season_max: float | None = None
    still: int = 0


def rules_of(state: ResourceState, grid: TimeGrid, limits: RunLimits) -> RunRules:
    """`limits` in whole intervals, with the resource's history as constants.

    A run that starts in interval 0 starts now, not at the interval's beginning.
    """
    begun_s = grid.begin_s - (grid.end_s - grid.step_s)
    length_min = np.ceil((begun_s + limits.length_min_s) / grid.step_s - ROUNDING)
    length_max = np.floor((begun_s + limits.length_max_s) / grid.step_s + ROUNDING)
    active = state.active_since_s is not None
    rested_s = -np.inf
    if active:
        rested_s = grid.now_s + limits.rest_s
    elif state.released_at_s is not None:
        rested_s = state.released_at_s + limits.rest_s
    held = held_max = 0
    if state.active_since_s is not None:
        held = grid.intervals_until(state.active_since_s + limits.length_min_s)
        held_max = max(held, grid.intervals_within(state.active_since_s + limits.length_max_s))
    left = {int(day): limits.starts_per_day_max for day in np.unique(grid.day)}
    if grid.today in left:
        left[grid.today] = max(limits.starts_per_day_max - state.starts_today, 0)
    told = announced(state, grid)
    held = max(held, limits.still)
    rules = RunRules(
        length_min=np.clip(length_min, 1, LONG).astype(np.int64),
        length_max=np.minimum(length_max, LONG).astype(np.int64),
        recovery=math.ceil(min(limits.rest_s / grid.step_s, LONG) - ROUNDING),
        may_start=grid.begin_s >= rested_s - ROUNDING,
        day=grid.day,
        starts_left=left,
        active=active,
        held=held,
        held_max=max(held, held_max) if active else 0,
        hours=grid.hours,
        hours_left=_hours_left(state, grid, limits, held if active else 0),
        season_hours_left=_left(limits.hours_per_season_max, state.hours_season, grid, held),
    )
    if not told.any():
        return rules
    # What was announced is kept as far as the other rules, which protect customers, let it be.
    kept = best_runs(replace(rules, must=told), np.full(grid.count, -1.0))
    return replace(rules, must=told & kept)


def announced(state: ResourceState, grid: TimeGrid) -> BoolArray:
    """(T,): the intervals that customers have been told of."""
    told = np.zeros(grid.count, dtype=np.bool_)
    for start_s, end_s in state.announced:
        told |= (grid.begin_s < end_s - ROUNDING) & (grid.end_s > start_s + ROUNDING)
    return told


def _hours_left(
    state: ResourceState, grid: TimeGrid, limits: RunLimits, held: int
) -> dict[int, float]:
    """Hours left of each day; what must still be held is never forbidden."""
    if limits.hours_per_day_max is None:
        return {}
    found = {}
    for day in np.unique(grid.day):
        used = state.hours_today if int(day) == grid.today else 0.0
        least = float(grid.hours[:held][grid.day[:held] == day].sum())
        found[int(day)] = max(limits.hours_per_day_max - used, least)
    return found


def _left(most: float | None, used: float, grid: TimeGrid, held: int) -> float:
    if most is None:
        return math.inf
    return max(most - used, float(grid.hours[:held].sum()))


def add_runs(rows: Rows, rules: RunRules, on: IntArray, start: IntArray, stop: IntArray) -> None:
    """The rules of `rules` as rows: the tight formulation with start and stop columns."""
    count = rules.count
    t = np.arange(count)
    was_on = np.where((t == 0) & rules.active, 1.0, 0.0)
    change = [(t, on, 1.0), (t[1:], on[:-1], -1.0), (t, start, -1.0), (t, stop, 1.0)]
    rows.add_all(change, lower=was_on, upper=was_on, count=count)
    rows.add_all([(t, start, 1.0), (t, stop, 1.0)], upper=1.0, count=count)
    # Who started so late must still be on.
    at, begun = np.nonzero((t <= t[:, None]) & (t[:, None] < t + rules.length_min))
    rows.add_all([(at, start[begun], 1.0), (t, on, -1.0)], upper=0.0, count=count)
    longest = np.maximum(rules.length_max, 0)
    bounded = np.flatnonzero(t + longest < count)
    at, inside = np.nonzero((t >= bounded[:, None]) & (t <= (bounded + longest[bounded])[:, None]))
    most = np.maximum(longest, np.clip(rules.held - t, 0, longest + 1))[bounded]
    rows.add_all([(at, on[inside], 1.0)], upper=most.astype(np.float64), count=len(bounded))
    resting = t[:-1] if rules.recovery > 0 else t[:0]
    at, later = np.nonzero((t > resting[:, None]) & (t <= resting[:, None] + rules.recovery))
    rows.add_all([(at, start[later], 1.0), (resting, on[resting], 1.0)], upper=1.0,
                 count=len(resting))  # fmt: skip
    if rules.active and rules.held_max < count:
        window = on[: rules.held_max + 1]
        rows.add([(int(column), 1.0) for column in window], upper=float(rules.held_max))
    for day, left in rules.starts_left.items():
        made = start[rules.day == day]
        rows.add([(int(column), 1.0) for column in made], upper=float(left))
    for day, hours in rules.hours_left.items():
        inside = np.flatnonzero(rules.day == day)
        rows.add([(int(on[t]), float(rules.hours[t])) for t in inside], upper=hours)
    if np.isfinite(rules.season_hours_left):
        all_on = [(int(c), float(h)) for c, h in zip(on, rules.hours, strict=True)]
        rows.add(all_on, upper=rules.season_hours_left)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ramp:
    """How a level may move: `step_kw` from one interval to the next, `least_kw` while it is on (a
    start or stop may jump so far), `most_kw`, `was_kw` before the horizon."""

    step_kw: float
    least_kw: float
    most_kw: float
    was_kw: float

    @property
    def jump_kw(self) -> float:
        """What a start or stop may move beyond a step."""
        return max(self.least_kw - self.step_kw, 0.0)

    @property
    def still(self) -> int:
        """Intervals that it must stay on until it is low enough to be stopped."""
        high_kw = min(self.was_kw, self.most_kw) - self.step_kw - self.jump_kw
        return max(math.ceil(high_kw / self.step_kw - ROUNDING), 0)


def add_ramps(rows: Rows, ramp: Ramp, level: IntArray, start: IntArray, stop: IntArray) -> None:
    """Rows that hold the columns `level` to `ramp`."""
    if ramp.step_kw >= ramp.most_kw:
        return
    for t in range(len(level)):
        was_kw = min(max(ramp.was_kw, 0.0), ramp.most_kw) if t == 0 else 0.0
        before = [] if t == 0 else [(int(level[t - 1]), -1.0)]
        change = [(int(level[t]), 1.0), *before]
        rows.add([*change, (int(start[t]), -ramp.jump_kw)], upper=was_kw + ramp.step_kw)
        rows.add([*change, (int(stop[t]), ramp.jump_kw)], lower=was_kw - ramp.step_kw)
