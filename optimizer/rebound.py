"""Where a run may end: not where what comes back would overload a branch whatever else is planned.

Rebound is known only once runs are held, and a run that ends at the wrong time cannot be mended by
any level: even the shortest run at its least level overloads a service transformer near its limit.
So that is asked before runs are chosen. An end is ruled out only where all other resources
together could not take the overload back, so that no plan which passes its AC check is lost.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp

from optimizer.arrays import FloatArray, IntArray
from optimizer.block import Block, Rows, RunColumns
from optimizer.limits import Bounds
from optimizer.linear import LinearModel
from optimizer.network import FlowResult
from optimizer.reach import reach_kw
from optimizer.runs import RunRules

FLAT_PCT_PER_KW = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Spared:
    """The blocks with ends ruled out, and by block that can now end nowhere the branch (row) that
    its shortest run would overload."""

    blocks: list[Block]
    hopeless: dict[int, int]


def spared(
    blocks: Sequence[Block], members: int, model: LinearModel, bounds: Bounds, base: FlowResult
) -> Spared:
    """`blocks`, of which the first `members` inject in the order of the model's columns, with the
    ends of their runs where they do no harm. A run that is on now, or is announced, may end
    anywhere its rules say."""
    found, hopeless = list(blocks), dict[int, int]()
    back = {i: b.runs.back_kw for i, b in enumerate(blocks[:members]) if b.runs and _asked(b.runs)}
    if not back or not base.branch_loading_pct.size:
        return Spared(blocks=found, hopeless=hopeless)
    room, where = _room_kw(blocks[:members], model, bounds.loading_pct, base, back)
    for i, kw in back.items():
        runs = blocks[i].runs
        if runs is None or not np.isfinite(room[i]).any():
            continue
        rules = replace(runs.rules, longest=_longest(kw, room[i], runs.rules))
        if np.all(rules.longest >= rules.length_max.max()):
            continue
        found[i] = _ending(blocks[i], replace(runs, rules=rules))
        if not _can_run(rules):
            hopeless[i] = int(where[i, np.flatnonzero(rules.longest < rules.length_max.max())[-1]])
    return Spared(blocks=found, hopeless=hopeless)


def _asked(runs: RunColumns) -> bool:
    return runs.back_kw.size > 0 and not runs.is_bound and not runs.calls


def _longest(back_kw: FloatArray, room_kw: FloatArray, rules: RunRules) -> IntArray:
    """(T,): the longest run after whose release in each interval there is room for what comes
    back."""
    count, most = len(room_kw), len(back_kw) - 1
    kw = np.repeat(back_kw[:, None, :], count, axis=1)
    # One that begins now has a part of its first interval behind it.
    since = np.arange(1, min(count, most + 1))
    gone = 1.0 - float(rules.hours[0] / rules.hours[-1]) if len(rules.hours) else 0.0
    kw[since, since] -= gone * (back_kw[since] - back_kw[since - 1])
    fits = np.ones((most + 1, count), dtype=np.bool_)
    for k in range(back_kw.shape[1]):
        fits[:, : count - k] &= kw[:, : count - k, k] <= room_kw[k:]
    longest: IntArray = most - fits[::-1].argmax(axis=0)
    return longest


def _room_kw(
    members: Sequence[Block],
    model: LinearModel,
    limit: FloatArray,
    base: FlowResult,
    back: Mapping[int, FloatArray],
) -> tuple[FloatArray, IntArray]:
    """(members, T) each: what may come back at most, kW, and the branch (row) that says so; what
    all others could take off the branch is counted as taken off."""
    free = np.maximum(limit - base.branch_loading_pct, 0.0)
    most = np.zeros(len(members))
    for i, kw in back.items():
        most[i] = kw.max()
    low, high = reach_kw(members, base.branch_loading_pct.shape[1])
    room: FloatArray = np.full((len(members), free.shape[1]), np.inf)
    where: IntArray = np.zeros(room.shape, dtype=np.intp)
    asked = sorted(back)
    for t in range(free.shape[1]):
        slope = model.loading_slope(t)[:, : len(members)]
        # Who cannot be overloaded by all of them together has room enough.
        near = np.flatnonzero(free[:, t] < np.maximum(-slope, 0.0) @ most)
        own = slope[near]
        relief = np.maximum(np.maximum(-own * low[:, t], -own * high[:, t]), 0.0)
        left = free[near, t, None] + relief.sum(axis=1, keepdims=True) - relief
        per_kw = np.maximum(-own, 0.0)
        kw = np.divide(left, per_kw, out=np.full(own.shape, np.inf), where=per_kw > FLAT_PCT_PER_KW)
        if near.size:
            room[asked, t] = kw.min(axis=0)[asked]
            where[asked, t] = near[kw.argmin(axis=0)[asked]]
    return room, where


def _ending(block: Block, runs: RunColumns) -> Block:
    """`block` with rows that keep its runs to `longest`."""
    rules, upper, rows = runs.rules, block.upper.copy(), Rows()
    for t, most in enumerate(rules.longest.tolist()):
        if most < rules.length_min.min():
            upper[runs.stop[t]] = 0.0
        elif most < min(t, int(rules.length_max.max())):
            before = runs.on[t - most - 1 : t].tolist()
            rows.add([(runs.stop[t], 1.0), *((c, 1.0) for c in before)], upper=most + 1.0)
    if not rows.count:
        return replace(block, upper=upper, runs=runs)
    more = rows.matrix(block.columns)
    return replace(
        block,
        upper=upper,
        matrix=sp.csr_array(sp.vstack([block.matrix, more], format="csr")),
        row_lower=np.concatenate([block.row_lower, rows.lower]),
        row_upper=np.concatenate([block.row_upper, rows.upper]),
        runs=runs,
    )


def _can_run(rules: RunRules) -> bool:
    """Whether any run is left: one that ends where it may, or beyond the horizon."""
    for t in np.flatnonzero(rules.may_start & (rules.length_min <= rules.length_max)).tolist():
        first, last = t + int(rules.length_min[t]), t + int(rules.length_max[t])
        ends = np.arange(first, min(last + 1, rules.count))
        if last >= rules.count or np.any(ends - t <= rules.longest[ends]):
            return True
    return False
