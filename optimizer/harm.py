"""Load groups whose rebound would overload what is behind them: left out, and planned again.

Rebound comes back where the group's customers are, some of them behind a service transformer that
is near its limit, and the smallest run sets off some. A plan that overloads a branch which would
not be without it never passes the AC check; so who does that is not asked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import numpy as np

from gridctl.model.planning import PlanningTask
from gridctl.model.resource import LoadGroup
from optimizer.arrays import FloatArray
from optimizer.assemble import Programme
from optimizer.limits import Limit, loaded
from optimizer.network import FlowResult
from optimizer.verify import LOADING_TOLERANCE_PCT

ROUNDS_MAX: Final = 4
_SHARE: Final = 0.2
"""Of the greatest part in an overload: who has less is no culprit."""


def culprits(programme: Programme, injection_kw: FloatArray, flow: FlowResult) -> dict[str, str]:
    """Why to leave out which groups: those whose rebound in `injection_kw` (channels, T) takes a
    branch beyond its limit in `flow`, or further beyond it. Never one that sheds now."""
    problem, limit = programme.problem, programme.bounds.loading_pct
    before = np.maximum(problem.base_flow.branch_loading_pct - limit, 0.0)
    rise = np.maximum(flow.branch_loading_pct - limit, 0.0) - before
    found: dict[str, str] = {}
    idle = [_may_stay_idle(programme, i) for i in range(len(programme.members))]
    for branch, t in np.argwhere(rise > LOADING_TOLERANCE_PCT).tolist():
        kw = injection_kw[: len(idle), t]
        part = programme.model.tangent(branch, t).slope[: len(idle)] * kw
        part = np.where(idle & (kw < 0.0), part, 0.0)
        for i in np.flatnonzero((part > 0.0) & (part >= _SHARE * part.max(initial=0.0))):
            mrid = problem.task.resources[programme.members[i]].mrid
            found.setdefault(mrid, _told(flow.branch_names[branch]))
    return found


def _told(name: str) -> str:
    limit, where = loaded(name)
    if limit is Limit.UNBALANCE:
        return f"its rebound would take the voltage unbalance at {where} beyond its limit"
    return f"its rebound would overload {where}"


def _may_stay_idle(programme: Programme, i: int) -> bool:
    resource = programme.problem.task.resources[programme.members[i]]
    if not isinstance(resource, LoadGroup):
        return False
    return programme.problem.states[resource.mrid].active_since_s is None


def left_out(task: PlanningTask, reasons: Mapping[str, str]) -> PlanningTask:
    """`task` without these resources."""
    states = tuple(
        replace(s, excluded=reasons[s.resource]) if s.resource in reasons else s
        for s in task.states
    )
    return replace(task, states=states)
