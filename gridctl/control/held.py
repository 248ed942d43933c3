"""No new plan could be made: the last one that passed its AC check is held, and it is said so.

The optimizer may be late, dead, or come to nothing that its AC check lets pass; the forecast may be
missing. None of this touches a plan that was verified before: one that is carried out goes on to
its end, one that waits keeps waiting for people. What people need to know is that the plan before
them is not the newest word, why, and since when.
"""

from __future__ import annotations

from gridctl.control.approvals import Approvals
from gridctl.control.dispatcher import Dispatcher
from gridctl.control.ports import HeldPlan

AS_WANTED = frozenset(
    {
        "optimal",
        "feasible",
        "not_needed",
        "no_setpoints",
        "waiting",
        "active",
        "rejected",
    }
)
"""How a cycle ends when planning itself works."""


class Holding:
    """Remembers since when planning fails, and names the plan that is held meanwhile."""

    def __init__(self, *, approvals: Approvals, dispatcher: Dispatcher) -> None:
        self._approvals = approvals
        self._dispatcher = dispatcher
        self._since_s: float | None = None

    def after(self, status: str, reason: str, now_s: float) -> HeldPlan | None:
        """What is held after a cycle that ended with `status` at grid time `now_s`; None while
        planning works. `plan` is None where there is none to hold."""
        if status in AS_WANTED:
            self._since_s = None
            return None
        if self._since_s is None:
            self._since_s = now_s
        active = self._dispatcher.active
        waiting = [chosen for chosen in self._approvals.open.values() if chosen.state.is_open]
        chosen = active if active is not None else waiting[0] if waiting else None
        return HeldPlan(
            plan=None if chosen is None else chosen.plan.mrid,
            made_s=None if chosen is None else chosen.plan.created_s,
            is_active=active is not None,
            since_s=self._since_s,
            reason=reason,
        )
