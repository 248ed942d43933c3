"""PV that need not be asked: on a large feeder, what a plan could curtail without mending anything.

Each inverter is a column of every slope and row. To curtail one takes nothing off the import; it
helps only where a voltage is high or a branch is overloaded by what flows back. Whether it does is
asked of one AC power flow of the whole horizon without any of them.
"""

from __future__ import annotations

import numpy as np

from gridctl.model.resource import PvInverter
from optimizer.limits import Bounds
from optimizer.linear import LARGE_FROM
from optimizer.problem import Problem, astray
from optimizer.reach import LITTLE
from optimizer.regulated import RegulatedNetwork
from optimizer.resources import pv


def needless(problem: Problem, bounds: Bounds, network: RegulatedNetwork) -> frozenset[int]:
    """Numbers of the resources that a plan can do without, none on a feeder that is not large."""
    task, base = problem.task, problem.base_flow
    away = astray(problem)
    found = [
        i
        for i, r in enumerate(task.resources)
        if isinstance(r, PvInverter)
        and r.reactive is None
        and r.mrid not in away
        and r.mrid not in problem.excluded
    ]
    wanted = task.policy.asks or np.isfinite(bounds.least_kw).any()
    if not found or wanted or len(task.resources) * len(base.v_pu) < LARGE_FROM:
        return frozenset()
    if np.any(base.v_pu > bounds.v_high_pu):
        return frozenset()
    kw = np.zeros((len(task.resources), problem.grid.count))
    for i in found:
        resource = task.resources[i]
        if isinstance(resource, PvInverter):
            kw[i] = -pv.available_kw(resource, problem.states[resource.mrid], problem.grid)
    flow = problem.flow(problem.case(kw), network, start=base)
    if not flow.converged:
        return frozenset()
    too_much = np.maximum(base.branch_loading_pct - bounds.loading_pct, 0.0)
    mended = base.branch_loading_pct - flow.branch_loading_pct
    helps = np.any((too_much > 0.0) & (mended > LITTLE * too_much))
    return frozenset() if helps else frozenset(found)
