"""Calls that customers have been told of and that may be cancelled at a cost.

What was announced is kept (`run_rows.announced`). Where a group says what a cancellation costs, a
call that has not begun may be taken back for it: one column a call, 1 when it is cancelled. A call
that has begun goes on by the rules of runs.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from gridctl.model.planning import ResourceState
from gridctl.model.resource import LoadGroup
from optimizer.block import BoolArray, Call, Rows
from optimizer.runs import RunRules
from optimizer.timegrid import FloatArray, IntArray, TimeGrid

ROUNDING_S = 1e-3


def may_cancel(group: LoadGroup, start_s: float, grid: TimeGrid) -> bool:
    """Whether a call that was announced for `start_s` may still be taken back."""
    return group.cancel_cost is not None and start_s > grid.now_s + ROUNDING_S


def locked(group: LoadGroup, state: ResourceState, grid: TimeGrid) -> ResourceState:
    """`state` with only those announced calls that cannot be cancelled."""
    if group.cancel_cost is None or not state.announced:
        return state
    kept = tuple(call for call in state.announced if not may_cancel(group, call[0], grid))
    return replace(state, announced=kept)


def calls_of(
    group: LoadGroup, state: ResourceState, grid: TimeGrid, rules: RunRules, first: int
) -> tuple[Call, ...]:
    """The calls that may be cancelled, with their columns from `first` on; `rules` with all that
    was announced says which intervals of them can be kept at all."""
    found: list[Call] = []
    for start_s, end_s in state.announced:
        if not may_cancel(group, start_s, grid):
            continue
        during: BoolArray = (grid.begin_s < end_s - ROUNDING_S) & (
            grid.end_s > start_s + ROUNDING_S
        )
        during = during & rules.must if len(rules.must) else np.zeros_like(during)
        if during.any():
            found.append(Call(column=first + len(found), during=during))
    return tuple(found)


def add_calls(
    rows: Rows,
    group: LoadGroup,
    calls: tuple[Call, ...],
    *,
    on: IntArray,
    upper: FloatArray,
    cost: FloatArray,
) -> None:
    """On while a call is not cancelled."""
    for call in calls:
        upper[call.column] = 1.0
        cost[call.column] = group.cancel_cost or 0.0
        for t in np.flatnonzero(call.during):
            rows.add([(int(on[t]), 1.0), (call.column, 1.0)], lower=1.0)
