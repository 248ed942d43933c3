"""Load groups whose rebound would overload what is behind them: taken out of the plan.

Rebound comes back where the group's customers are, some of them behind a service transformer that
is near its limit. What one group alone would do is ruled out before (`optimizer.rebound`); here is
what is left: several together, and what the AC truth shows. A plan that overloads a branch which
would not be without it never passes the AC check; so who does that is not asked. Only their runs
leave the plan and the others answer, from the solution at hand; to plan anew without them each time
is what a feeder with hundreds of service transformers has no time for.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Final

import numpy as np

from gridctl.model.resource import LoadGroup
from optimizer.arrays import FloatArray
from optimizer.assemble import Programme
from optimizer.limits import Limit, Tiers, loaded
from optimizer.network import FlowResult
from optimizer.priority import shut
from optimizer.verify import LOADING_TOLERANCE_PCT

_SHARE: Final = 0.2
"""Of the greatest part in an overload: who has less is no culprit."""
DEARER: Final = 10.0


def culprits(programme: Programme, injection_kw: FloatArray, flow: FlowResult) -> dict[str, str]:
    """Why to leave out which groups: those whose rebound in `injection_kw` (channels, T) takes a
    branch beyond its limit in `flow`, or further beyond it. Never one that sheds now."""
    problem, limit = programme.problem, programme.bounds.loading_pct
    before = np.maximum(problem.base_flow.branch_loading_pct - limit, 0.0)
    rise = np.maximum(flow.branch_loading_pct - limit, 0.0) - before
    found: dict[str, str] = {}
    idle = [_may_stay_idle(programme, i) for i in range(len(programme.channels.members))]
    rise -= programme.bounds.further.loading_pct
    for branch, t in np.argwhere(rise > LOADING_TOLERANCE_PCT).tolist():
        kw = injection_kw[: len(idle), t]
        part = programme.model.tangent(branch, t).slope[: len(idle)] * kw
        part = np.where(idle & (kw < 0.0), part, 0.0)
        for i in np.flatnonzero((part > 0.0) & (part >= _SHARE * part.max(initial=0.0))):
            mrid = problem.task.resources[programme.channels.members[i]].mrid
            found.setdefault(mrid, _told(flow.branch_names[branch]))
    return found


def _told(name: str) -> str:
    limit, where = loaded(name)
    if limit is Limit.UNBALANCE:
        return f"its rebound would take the voltage unbalance at {where} beyond its limit"
    return f"its rebound would overload {where}"


def _may_stay_idle(programme: Programme, i: int) -> bool:
    resource = programme.problem.task.resources[programme.channels.members[i]]
    if not isinstance(resource, LoadGroup):
        return False
    return programme.problem.states[resource.mrid].active_since_s is None


def leave_out(programme: Programme, resources: Collection[str]) -> None:
    """No run of these starts from now on."""
    for index, block in enumerate(programme.blocks):
        if block.resource in resources:
            programme.blocks[index] = shut(block)


def forbid(programme: Programme, tiers: Tiers) -> bool:
    """Harm costs more than all that a plan of `tiers` could mend by it; whether that is new."""
    dearer = replace(tiers, loading_harm_pct=DEARER * tiers.loading_harm_pct)
    is_new = programme.tiers != dearer
    programme.tiers = dearer
    return is_new


def hopeless(programme: Programme) -> dict[str, str]:
    """Why groups are of no use of which each run would do harm, by resource."""
    names = programme.problem.base_flow.branch_names
    return {programme.blocks[i].resource: _told(names[b]) for i, b in programme.hopeless.items()}
