"""What all resources together could do about a limit, at the very most."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from optimizer.arrays import BoolArray, FloatArray
from optimizer.block import Block
from optimizer.limits import Bounds
from optimizer.linear import LinearModel
from optimizer.network import FlowResult
from optimizer.stacked import block_diagonal

LITTLE: Final = 0.05
"""Share of what is too much below which nobody is said to be able to mend it."""


def reach_kw(blocks: Sequence[Block], count: int) -> tuple[FloatArray, FloatArray]:
    """(members, T) each: the least and the most that each could inject, kW."""
    if not blocks:
        return np.zeros((0, count)), np.zeros((0, count))
    all_of = block_diagonal([b.injection for b in blocks])
    value, column = all_of.data, all_of.indices
    row = np.repeat(np.arange(len(blocks) * count), np.diff(all_of.indptr))
    # A column that is not used may have no bound, and what is stored may be a zero.
    used: BoolArray = value != 0.0
    value, column, row = value[used], column[used], row[used]
    least = np.concatenate([b.lower for b in blocks])
    most = np.concatenate([b.upper for b in blocks])
    up: BoolArray = value > 0.0
    low = value * np.where(up, least[column], most[column])
    high = value * np.where(up, most[column], least[column])
    least_kw = np.bincount(row, weights=low, minlength=len(blocks) * count).astype(np.float64)
    most_kw = np.bincount(row, weights=high, minlength=len(blocks) * count).astype(np.float64)
    return least_kw.reshape(-1, count), most_kw.reshape(-1, count)


def worth_mending(
    blocks: Sequence[Block], model: LinearModel, bounds: Bounds, base: FlowResult
) -> Bounds:
    """`bounds`, in which what nobody can mend may stay as it is without a plan.

    A pocket of a feeder far out of its limits has hundreds of rows in each interval, which change
    nothing but the price of every plan. That a plan makes one worse is still seen.
    """
    low, high = reach_kw(blocks, base.v_pu.shape[1])
    up, down = np.maximum(model.dv, 0.0), np.minimum(model.dv, 0.0)
    lift, drop = up @ high + down @ low, -(up @ low + down @ high)
    under, over = bounds.v_low_pu - base.v_pu, base.v_pu - bounds.v_high_pu
    too_much = base.branch_loading_pct - bounds.loading_pct
    relief = np.zeros(too_much.shape)
    for t in np.flatnonzero((too_much > 0.0).any(axis=0)):
        slope = model.loading_slope(int(t))
        relief[:, t] = -(np.maximum(slope, 0.0) @ low[:, t] + np.minimum(slope, 0.0) @ high[:, t])
    further = bounds.further
    least, most = base.v_pu - further.voltage_pu, base.v_pu + further.voltage_pu
    return replace(
        bounds,
        v_low_pu=np.where((under > 0.0) & (lift < LITTLE * under), least, bounds.v_low_pu),
        v_high_pu=np.where((over > 0.0) & (drop < LITTLE * over), most, bounds.v_high_pu),
        loading_pct=np.where(
            (too_much > 0.0) & (relief < LITTLE * too_much),
            base.branch_loading_pct + further.loading_pct,
            bounds.loading_pct,
        ),
    )
