"""People say yes or no to exactly one digest, in time, each for himself (SG-06 … SG-09).

The rule of select before operate once more: proposing selects the plan; an approval operates only
on the selected digest, next in sequence, in the life of the plan. Whatever changes in between voids
the selection, and with it the plan.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from gridctl.control.audit import OFFICE
from gridctl.control.planrecord import OpenPlan, PlanRecord
from gridctl.control.ports import Person, Store
from gridctl.model.approval import (
    STRONG_FACTORS,
    Approval,
    ApprovalPolicy,
    Standing,
    approvals_needed,
    may_approve,
    standing_approvals,
)
from gridctl.model.clock import Clock
from gridctl.model.envelope import Promotion
from gridctl.model.errors import Refusal
from gridctl.model.inputs import InputPart
from gridctl.model.measurement import Snapshot
from gridctl.model.plan import Plan, PlanState
from gridctl.model.planning import Forecast
from gridctl.model.selection import Selection
from gridctl.model.tag import Tag

MAY_APPROVE = frozenset({"OPERATOR", "SUPERVISOR"})
REASON_MIN = 3
BREAK_GLASS_REASON_MIN = 20


class Approvals:
    """The plans that are not decided yet. `blocked`: why nothing may be approved now (SG-12);
    `cautions`: what whoever approves must have read (SG-26); `inside`: what the envelopes of the
    plan's areas say to it, `over`: why a promotion holds no more (SG-37)."""

    def __init__(
        self,
        *,
        store: Store,
        clock: Clock,
        policy: ApprovalPolicy,
        blocked: Callable[[OpenPlan], tuple[str, ...]],
        cautions: Callable[[Plan], tuple[Tag, ...]],
        inside: Callable[[OpenPlan], Standing],
        over: Callable[[Promotion], tuple[str, ...]],
    ) -> None:
        self._store = store
        self._record = PlanRecord(store=store, clock=clock)
        self._clock = clock
        self._policy = policy
        self._blocked = blocked
        self._cautions = cautions
        self._inside = inside
        self._over = over
        self._open: dict[str, OpenPlan] = {}
        self._lock = asyncio.Lock()
        self.decided = asyncio.Event()
        """Set when a plan was approved: the dispatcher need not wait for its next look."""

    @property
    def open(self) -> Mapping[str, OpenPlan]:
        """Plans that wait for people, or are approved and wait for release, oldest first."""
        return MappingProxyType(self._open)

    async def propose(
        self,
        plan: Plan,
        *,
        snapshot: Snapshot,
        forecast: Forecast,
        inputs: Sequence[InputPart],
    ) -> OpenPlan:
        """Put a plan before people; its life begins now. `inputs`: what it was computed from."""
        chosen = OpenPlan(
            plan=plan,
            digest=plan.digest(),
            snapshot=snapshot,
            forecast=forecast,
            proposed_mono_s=self._clock.monotonic_s(),
            selection=Selection(timeout_s=self._policy.plan_life_s),
        )
        self._select(chosen)
        async with self._lock:
            await self._record.propose(chosen, inputs)
            self._open[plan.mrid] = chosen
        return chosen

    async def approve(
        self, mrid: str, *, shown_digest: str, person: Person, cautions: Sequence[str] = ()
    ) -> OpenPlan:
        """One person's yes, who has read `cautions`. Raises RefusedError; every refusal is audited
        too."""
        async with self._lock:
            chosen = await self._waiting(mrid, "plan.approve", person)
            refusal = self._may_approve(chosen, shown_digest, person, cautions)
            if refusal is not None:
                raise await self._record.refuse(refusal, "plan.approve", mrid, person, shown_digest)
            await self._accept(chosen, person)
        return chosen

    async def break_glass(
        self,
        mrid: str,
        *,
        shown_digest: str,
        reason: str,
        person: Person,
        cautions: Sequence[str] = (),
    ) -> OpenPlan:
        """One person releases a plan that needs two, because limits are broken without it (SG-11).
        All other rules stay. Raises RefusedError; every refusal is audited too."""
        async with self._lock:
            chosen = await self._waiting(mrid, "plan.break_glass", person)
            refusal: Refusal | None = None
            if not is_emergency(chosen.plan):
                why = "no limit is broken without this plan: it is no emergency (SG-11)"
                refusal = Refusal(code="no_emergency", reasons=(why,))
            elif len(reason.strip()) < BREAK_GLASS_REASON_MIN:
                why = f"say why in {BREAK_GLASS_REASON_MIN} characters or more (SG-11)"
                refusal = Refusal(code="no_reason", reasons=(why,))
            refusal = refusal or self._may_approve(chosen, shown_digest, person, cautions)
            if refusal is not None:
                raise await self._record.refuse(
                    refusal, "plan.break_glass", mrid, person, shown_digest
                )
            await self._accept(chosen, person, alone=reason.strip())
        return chosen

    async def stand(self, mrid: str) -> tuple[str, ...]:
        """Let the standing approval of the plan's areas say yes to it (SG-37); why it does not, and
        people decide, else. The same rules as for people, for each of those who promoted them."""
        async with self._lock:
            chosen = self._open.get(mrid)
            if chosen is None or chosen.state is not PlanState.PROPOSED or self._is_over(chosen):
                return ("people have begun to decide, or its time is over",)
            standing = self._inside(chosen)
            given = standing_approvals(
                standing.promotions,
                plan=mrid,
                digest=chosen.digest,
                at_s=self._clock.now_s(),
                at_mono_s=self._clock.monotonic_s(),
            )
            ended = tuple(reason for p in standing.promotions for reason in self._over(p))
            reasons = standing.reasons or ended or self._may_stand(chosen, given)
            if not reasons:
                await self._accept_standing(chosen, standing.promotions, given)
            return reasons

    async def reject(
        self, mrid: str, *, shown_digest: str, reason: str, person: Person
    ) -> OpenPlan:
        """One person's no is enough. Raises RefusedError."""
        async with self._lock:
            chosen = await self._waiting(mrid, "plan.reject", person)
            refusal: Refusal | None = None
            if person.role not in MAY_APPROVE:
                refusal = _wrong_role(person)
            elif not chosen.state.is_open:
                reason = f"the plan is {chosen.state} already: STOP ends it (SG-21)"
                refusal = Refusal(code="not_open", reasons=(reason,))
            elif shown_digest != chosen.digest:
                refusal = _changed()
            elif len(reason.strip()) < REASON_MIN:
                refusal = Refusal(code="no_reason", reasons=("say why, for those who read it",))
            if refusal is not None:
                raise await self._record.refuse(refusal, "plan.reject", mrid, person, shown_digest)
            await self._end(chosen, PlanState.REJECTED, reason.strip(), person)
        return chosen

    async def expire(self) -> None:
        """End what has lived too long (SG-08): no release, ever."""
        async with self._lock:
            for chosen in list(self._open.values()):
                if self._is_over(chosen):
                    await self._end(chosen, PlanState.EXPIRED, self._why_over(chosen), OFFICE)

    async def void(self, mrid: str, reason: str) -> None:
        """What the plan was computed from has moved on."""
        async with self._lock:
            chosen = self._open.get(mrid)
            if chosen is not None:
                await self._end(chosen, PlanState.VOID, reason, OFFICE)

    async def stop_all(self, reason: str, person: Person) -> None:
        """STOP flushes what waits (SG-21)."""
        async with self._lock:
            for chosen in list(self._open.values()):
                await self._end(chosen, PlanState.STOPPED, reason, person)

    async def take(self) -> OpenPlan | None:
        """The oldest approved plan, moved to ACTIVE with what it answers; None when there is none.
        It is taken once."""
        async with self._lock:
            for chosen in list(self._open.values()):
                if chosen.state is not PlanState.APPROVED or self._is_over(chosen):
                    continue
                ended = [reason for p in chosen.standing for reason in self._over(p)]
                if ended:
                    await self._end(chosen, PlanState.VOID, "; ".join(ended), OFFICE)
                    continue
                if await self._record.move(chosen, PlanState.ACTIVE, "release", OFFICE):
                    del self._open[chosen.plan.mrid]
                    return chosen
        return None

    def expires_in_s(self, mrid: str) -> float | None:
        """Real seconds that the plan has left, or None when it is not open."""
        chosen = self._open.get(mrid)
        if chosen is None:
            return None
        return max(0.0, self._ends_mono_s(chosen) - self._clock.monotonic_s())

    def _may_approve(
        self, chosen: OpenPlan, shown_digest: str, person: Person, cautions: Sequence[str]
    ) -> Refusal | None:
        plan = chosen.plan
        if person.role not in MAY_APPROVE:
            return _wrong_role(person)
        if not chosen.state.is_open:
            return Refusal(code="not_open", reasons=(f"the plan is {chosen.state} already",))
        refusal = may_approve(plan, shown_digest, person.user, person.session, chosen.approvals)
        if refusal is not None:
            return refusal
        is_second = bool(chosen.approvals)
        if is_second and self._policy.second_needs_factor and person.factor not in STRONG_FACTORS:
            reason = "the second of two persons signs in with a second factor (SG-07)"
            return Refusal(code="second_factor_missing", reasons=(reason,))
        blocked = self._blocked(chosen)
        if blocked:
            return Refusal(code="blocked", reasons=blocked)
        unread = [t for t in self._cautions(chosen.plan) if t.id not in set(cautions)]
        if unread:
            reasons = tuple(f"{t.device}: {t.words()}" for t in unread)
            return Refusal(
                code="caution", reasons=("read these first, then approve again:", *reasons)
            )
        refusal = chosen.selection.operate(
            digest=shown_digest,
            by=plan.mrid,
            sequence=len(chosen.approvals) + 1,
            at_s=self._clock.monotonic_s(),
        )
        if refusal is not None:
            self._select(chosen)
        return refusal

    def _may_stand(self, chosen: OpenPlan, given: Sequence[Approval]) -> tuple[str, ...]:
        """Why what persons said beforehand is not the approval that this plan needs."""
        plan = chosen.plan
        if self._policy.may_worsen:
            return ("plans may make violations worse here: two persons look at each (SG-16)",)
        if len(given) < max(1, approvals_needed(plan, self._policy)):
            return ("fewer persons have promoted its areas than must approve it (SG-06)",)
        if plan.proposed_by in {a.by for a in given}:
            return (f"{plan.proposed_by} has proposed it (SG-07)",)
        unread = [f"{t.device}: {t.words()}" for t in self._cautions(plan)]
        return tuple(unread) or self._blocked(chosen)

    async def _accept_standing(
        self, chosen: OpenPlan, promotions: Sequence[Promotion], given: Sequence[Approval]
    ) -> None:
        await self._record.accept(
            chosen,
            given,
            to=PlanState.APPROVED,
            action="plan.stand",
            reason=f"inside the envelope of {'; '.join(p.words() for p in promotions)}",
            person=OFFICE,
        )
        chosen.standing = tuple(promotions)
        chosen.approved_mono_s = self._clock.monotonic_s()
        self.decided.set()

    async def _accept(self, chosen: OpenPlan, person: Person, *, alone: str = "") -> None:
        """`alone`: why this one person is enough (SG-11)."""
        plan = chosen.plan
        given = Approval(
            plan=plan.mrid,
            digest=chosen.digest,
            by=person.user,
            session=person.session,
            at_s=self._clock.now_s(),
            at_mono_s=self._clock.monotonic_s(),
        )
        count = len(chosen.approvals) + 1
        needed = count if alone else approvals_needed(plan, self._policy)
        await self._record.accept(
            chosen,
            (given,),
            to=PlanState.APPROVED if count >= needed else PlanState.PARTIAL,
            action="plan.break_glass" if alone else "plan.approve",
            reason=f"break-glass by {person.user}: {alone}"
            if alone
            else f"{count} of {needed} approvals",
            person=person,
        )
        self._select(chosen)
        if count >= needed:
            chosen.approved_mono_s = given.at_mono_s
            self.decided.set()

    def _select(self, chosen: OpenPlan) -> None:
        chosen.selection.select(
            digest=chosen.digest,
            by=chosen.plan.mrid,
            sequence=len(chosen.approvals),
            at_s=chosen.proposed_mono_s,
        )

    async def _waiting(self, mrid: str, action: str, person: Person) -> OpenPlan:
        """The open plan of this name. Raises RefusedError, audited, when there is none or its
        time is over."""
        chosen = self._open.get(mrid)
        if chosen is not None and not self._is_over(chosen):
            return chosen
        if chosen is not None:
            why = self._why_over(chosen)
            await self._end(chosen, PlanState.EXPIRED, why, OFFICE)
            refusal = Refusal(code="expired", reasons=(why,))
        else:
            stored = await self._store.plan(mrid)
            if stored is None:
                refusal = Refusal(code="no_such_plan", reasons=(f"there is no plan {mrid}",))
            elif stored.state is PlanState.EXPIRED:
                refusal = Refusal(code="expired", reasons=(stored.reason,))
            else:
                refusal = Refusal(
                    code="not_open", reasons=(f"the plan is {stored.state}: {stored.reason}",)
                )
        waits = [m for m, one in self._open.items() if one.state.is_open]
        if waits:
            reason = f"plan {waits[-1]} waits now: read it before you decide on it"
            refusal = replace(refusal, reasons=(*refusal.reasons, reason))
        raise await self._record.refuse(refusal, action, mrid, person, "")

    async def _end(self, chosen: OpenPlan, to: PlanState, reason: str, person: Person) -> None:
        await self._record.move(chosen, to, reason, person)
        self._open.pop(chosen.plan.mrid, None)

    def _ends_mono_s(self, chosen: OpenPlan) -> float:
        if chosen.approved_mono_s is not None:
            return chosen.approved_mono_s + self._policy.approval_life_s
        return chosen.proposed_mono_s + self._policy.plan_life_s

    def _is_over(self, chosen: OpenPlan) -> bool:
        return self._clock.monotonic_s() > self._ends_mono_s(chosen)

    def _why_over(self, chosen: OpenPlan) -> str:
        if chosen.approved_mono_s is not None:
            return f"approved, but not released within {self._policy.approval_life_s:g} s (SG-08)"
        return f"not approved within {self._policy.plan_life_s:g} s (SG-08)"


def is_emergency(plan: Plan) -> bool:
    """Whether the AC check shows limits that are broken without the plan and fewer with it."""
    check = plan.result.verification
    return check is not None and check.before.violations > check.after.violations


def _wrong_role(person: Person) -> Refusal:
    return Refusal(
        code="wrong_role", reasons=(f"role {person.role} may not decide on plans (SG-31)",)
    )


def _changed() -> Refusal:
    return Refusal(
        code="plan_changed",
        reasons=("the plan on your screen is not the plan that waits: read it again",),
    )
