"""Inverters that follow a volt-var curve by themselves, as the power flow sees them.

Their kvar are no variables of a plan: in every power flow each gives what its curve says of the
voltage that it sees, found by a damped iteration around the flow. The linear model holds them still
between two flows; its offsets then move to what they did.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gridctl.model.planning import PlanningTask
from gridctl.model.resource import Battery, PvInverter, Reactive
from optimizer.arrays import FloatArray, IntArray
from optimizer.resources import pv
from optimizer.resources.reactive import volt_var_kvar
from optimizer.timegrid import time_grid

ROUNDS_MAX = 30
DAMPING = 0.5
SETTLED_KVAR = 0.05


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Follower:
    """One inverter: its rows and their shares of its kvar; `kw` (T,) that take of its kVA."""

    rows: IntArray
    shares: FloatArray
    reactive: Reactive
    kw: FloatArray


def followers_of(
    task: PlanningTask, node_phases: Sequence[tuple[str, str]]
) -> tuple[Follower, ...]:
    """The inverters of `task` with a curve. PV is taken to give what the sun gives, a battery its
    rating: a plan that takes less of them leaves more room than is counted on."""
    index = {place: i for i, place in enumerate(node_phases)}
    grid = time_grid(task.horizon, now_s=task.now_s, utc_offset_s=task.utc_offset_s)
    states = {s.resource: s for s in task.states}
    found = []
    for r in task.resources:
        if not isinstance(r, Battery | PvInverter) or r.reactive is None or not r.reactive.volt_var:
            continue
        state = states.get(r.mrid)
        if state is None or any((t.node, t.phase) not in index for t in r.terminals):
            continue
        kw = (
            pv.available_kw(r, state, grid)
            if isinstance(r, PvInverter)
            else np.full(grid.count, r.rating_kw)
        )
        found.append(
            Follower(
                rows=np.array([index[t.node, t.phase] for t in r.terminals], dtype=np.intp),
                shares=np.array([t.share for t in r.terminals]),
                reactive=r.reactive,
                kw=kw,
            )
        )
    return tuple(found)


def answered(followers: Sequence[Follower], v_pu: FloatArray) -> FloatArray:
    """(n, T) kvar that the inverters give at voltages `v_pu` (n, T)."""
    kvar = np.zeros_like(v_pu)
    for one in followers:
        own = volt_var_kvar(one.reactive, v_pu[one.rows].mean(axis=0), one.kw[: v_pu.shape[1]])
        kvar[one.rows] += np.outer(one.shares, own)
    return kvar
