"""Windows in which a resource may not be used, as hard bounds of its block."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from gridctl.model.enrolment import Window
from optimizer.block import Block
from optimizer.runs import BoolArray, RunRules
from optimizer.timegrid import FloatArray, IntArray, TimeGrid


def blocked_intervals(windows: Sequence[Window], grid: TimeGrid) -> BoolArray:
    """(T,): the intervals that any of `windows` touches."""
    touched = np.zeros(grid.count, dtype=np.bool_)
    for window in windows:
        touched |= (window.start_s < grid.end_s) & (window.end_s > grid.begin_s)
    return touched


def restricted(block: Block, windows: Sequence[Window], grid: TimeGrid) -> Block:
    """`block` without anything that moves it in the intervals that `windows` touch.

    A run that is on ends before the first of them, whatever its least length is.
    """
    blocked = blocked_intervals(windows, grid)
    if not blocked.any():
        return block
    lower, upper = block.lower.copy(), block.upper.copy()
    for moved in (block.action, *(() if block.kvar is None else (block.kvar,))):
        columns = np.unique(moved[np.flatnonzero(blocked), :].nonzero()[1]).astype(np.int64)
        _shut(lower, upper, columns)
    if block.runs is None:
        return replace(block, lower=lower, upper=upper)
    rules = _rules(block.runs.rules, blocked)
    calls = tuple(replace(call, during=call.during & ~blocked) for call in block.runs.calls)
    _shut(lower, upper, block.runs.on[blocked])
    _shut(lower, upper, block.runs.start[blocked | ~rules.may_start])
    return replace(
        block, lower=lower, upper=upper, runs=replace(block.runs, rules=rules, calls=calls)
    )


def _shut(lower: FloatArray, upper: FloatArray, columns: IntArray) -> None:
    lower[columns] = np.minimum(lower[columns], 0.0)
    upper[columns] = 0.0


def _rules(rules: RunRules, blocked: BoolArray) -> RunRules:
    """Runs start outside the windows and end before the next one; none that would be too short."""
    room = np.zeros(rules.count, dtype=np.int64)
    free = 0
    for t in range(rules.count - 1, -1, -1):
        free = 0 if blocked[t] else free + 1
        room[t] = free
    # a run that reaches the end of the horizon may go on behind it
    open_ended = room == rules.count - np.arange(rules.count)
    length_max = np.where(open_ended, rules.length_max, np.minimum(rules.length_max, room))
    first = int(room[0])
    to_the_end = first == rules.count
    return replace(
        rules,
        length_max=length_max,
        may_start=rules.may_start & (rules.length_min <= length_max),
        must=rules.must & ~blocked if len(rules.must) else rules.must,
        held=rules.held if to_the_end else min(rules.held, first),
        held_max=rules.held_max if to_the_end else min(rules.held_max, first),
    )
