"""Runs of on/off control as rules in whole intervals and as rows of the linear programme.

Whatever is switched on for a while shares them: load groups that shed, generators that run.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from gridctl.model.planning import ResourceState
from optimizer.block import Rows
from optimizer.runs import RunRules
from optimizer.timegrid import IntArray, TimeGrid

ROUNDING = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class RunLimits:
    """What a resource's runs must keep to: least and greatest length, rest after each, starts."""

    length_min_s: float
    length_max_s: float
    rest_s: float
    starts_per_day_max: int


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
    return RunRules(
        length_min=np.maximum(length_min, 1).astype(np.int64),
        length_max=length_max.astype(np.int64),
        recovery=math.ceil(limits.rest_s / grid.step_s - ROUNDING),
        may_start=grid.begin_s >= rested_s - ROUNDING,
        day=grid.day,
        starts_left=left,
        active=active,
        held=held,
        held_max=held_max,
    )


def add_runs(rows: Rows, rules: RunRules, on: IntArray, start: IntArray, stop: IntArray) -> None:
    """The rules of `rules` as rows: the tight formulation with start and stop columns."""
    count = rules.count
    for t in range(count):
        was_on = 1.0 if t == 0 and rules.active else 0.0
        before = [] if t == 0 else [(int(on[t - 1]), -1.0)]
        change = [(int(on[t]), 1.0), *before, (int(start[t]), -1.0), (int(stop[t]), 1.0)]
        rows.add(change, lower=was_on, upper=was_on)
        rows.add([(int(start[t]), 1.0), (int(stop[t]), 1.0)], upper=1.0)
        must = [k for k in range(t + 1) if t < k + rules.length_min[k]]
        rows.add([*((int(start[k]), 1.0) for k in must), (int(on[t]), -1.0)], upper=0.0)
        longest = max(int(rules.length_max[t]), 0)
        if t + longest < count:
            window = on[t : t + longest + 1]
            held = max(min(rules.held - t, len(window)), 0)
            rows.add([(int(column), 1.0) for column in window], upper=float(max(longest, held)))
        after = start[t + 1 : t + 1 + rules.recovery]
        if len(after):
            rows.add([*((int(c), 1.0) for c in after), (int(on[t]), 1.0)], upper=1.0)
    if rules.active and rules.held_max < count:
        window = on[: rules.held_max + 1]
        rows.add([(int(column), 1.0) for column in window], upper=float(rules.held_max))
    for day, left in rules.starts_left.items():
        made = start[rules.day == day]
        rows.add([(int(column), 1.0) for column in made], upper=float(left))
