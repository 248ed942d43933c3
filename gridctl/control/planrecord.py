"""What becomes of a plan, written down: its state, who has said yes, and the audit, in one
transaction each. Whether it may become that is decided in `gridctl.control.approvals`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from gridctl.control.audit import OFFICE, entry
from gridctl.control.ports import Person, Store
from gridctl.model.approval import Approval
from gridctl.model.clock import Clock
from gridctl.model.envelope import Promotion
from gridctl.model.errors import Refusal, RefusedError
from gridctl.model.inputs import InputPart
from gridctl.model.measurement import Snapshot
from gridctl.model.plan import Plan, PlanState
from gridctl.model.planning import Forecast
from gridctl.model.program import RequestState
from gridctl.model.selection import Selection


@dataclass(slots=True, kw_only=True)
class OpenPlan:
    """A plan that waits for people or for its release, and what it was computed from. `standing`:
    the promotions by which it was approved, when no person has approved this very plan."""

    plan: Plan
    digest: str
    snapshot: Snapshot
    forecast: Forecast
    proposed_mono_s: float
    selection: Selection
    state: PlanState = PlanState.PROPOSED
    approvals: list[Approval] = field(default_factory=list)
    approved_mono_s: float | None = None
    standing: tuple[Promotion, ...] = ()


class PlanRecord:
    """The store's side of deciding on plans. What is written is also what `OpenPlan` shows then."""

    def __init__(self, *, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def propose(self, chosen: OpenPlan, inputs: Sequence[InputPart]) -> None:
        """A plan begins its life, with what it was computed from. Raises UnavailableError."""
        plan, at_s = chosen.plan, self._clock.now_s()
        async with self._store.transaction() as unit:
            await unit.add_plan(plan, PlanState.PROPOSED, at_s)
            await unit.keep_inputs(plan.mrid, inputs)
            await unit.audit(
                entry(
                    at_s=at_s,
                    person=OFFICE,
                    action="plan.propose",
                    object_=plan.mrid,
                    after=PlanState.PROPOSED,
                    reason=f"{plan.net_kw:.0f} kW, {plan.customers} customers",
                    plan_digest=chosen.digest,
                )
            )

    async def accept(
        self,
        chosen: OpenPlan,
        given: Sequence[Approval],
        *,
        to: PlanState,
        action: str,
        reason: str,
        person: Person,
    ) -> None:
        """`given` is said yes; the plan is `to` now. Raises RefusedError when the store knows
        another state of it."""
        at_s = self._clock.now_s()
        async with self._store.transaction() as unit:
            moved = chosen.state is to or await unit.move_plan(
                chosen.plan.mrid, expected=chosen.state, to=to, at_s=at_s, reason=reason
            )
            if not moved:
                raise RefusedError(
                    Refusal(code="not_open", reasons=("somebody else has decided just now",))
                )
            for approval in given:
                await unit.add_approval(approval)
            await unit.audit(
                entry(
                    at_s=at_s,
                    person=person,
                    action=action,
                    object_=chosen.plan.mrid,
                    before=chosen.state,
                    after=to,
                    reason=reason,
                    plan_digest=chosen.digest,
                )
            )
        chosen.state = to
        chosen.approvals.extend(given)

    async def move(self, chosen: OpenPlan, to: PlanState, reason: str, person: Person) -> bool:
        """To another state, with what it answers when it becomes active; False when the store knows
        another state of it."""
        at_s = self._clock.now_s()
        async with self._store.transaction() as unit:
            moved = await unit.move_plan(
                chosen.plan.mrid, expected=chosen.state, to=to, at_s=at_s, reason=reason
            )
            if moved and to is PlanState.ACTIVE:
                for request in chosen.plan.requests:
                    await unit.move_request(request, RequestState.ACTIVE)
            await unit.audit(
                entry(
                    at_s=at_s,
                    person=person,
                    action=f"plan.{to}",
                    object_=chosen.plan.mrid,
                    before=chosen.state,
                    after=to,
                    reason=reason,
                    plan_digest=chosen.digest,
                    result="ok" if moved else "refused: another state in the store",
                )
            )
        if moved:
            chosen.state = to
        return moved

    async def refuse(
        self, refusal: Refusal, action: str, mrid: str, person: Person, digest: str
    ) -> RefusedError:
        """The refusal, audited, to be raised."""
        async with self._store.transaction() as unit:
            await unit.audit(
                entry(
                    at_s=self._clock.now_s(),
                    person=person,
                    action=action,
                    object_=mrid,
                    reason="; ".join(refusal.reasons),
                    plan_digest=digest,
                    result=f"refused: {refusal.code}",
                )
            )
        return RefusedError(refusal)
