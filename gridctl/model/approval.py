"""How many people, and which, have to say yes (SG-06, SG-07)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gridctl.model.envelope import Promotion
from gridctl.model.errors import Refusal
from gridctl.model.plan import Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalPolicy:
    """Thresholds above which two distinct persons are needed; `life_s` etc. in real seconds.

    `two_person_head_kw`: a share of what the head may carry; None: not asked. `may_worsen`: plans
    may make violations worse that are there already, so every one needs two (SG-16).
    """

    two_person_kw: float
    two_person_customers: int
    plan_life_s: float
    approval_life_s: float
    second_needs_factor: bool = False
    """The second of two persons must have shown a second factor (SG-07)."""
    two_person_head_kw: float | None = None
    may_worsen: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """One person's yes to exactly one digest. `at_s` in grid time, `at_mono_s` real seconds.
    `standing`: digests of the promotions, joined by commas, by which the person said it beforehand
    (SG-37); "": said to this plan."""

    plan: str
    digest: str
    by: str
    session: str
    at_s: float
    at_mono_s: float
    standing: str = ""


def approvals_needed(plan: Plan, policy: ApprovalPolicy) -> int:
    """1, or 2 when the plan is as large as the policy's thresholds (SG-06)."""
    large = abs(plan.net_kw) >= policy.two_person_kw
    many = plan.customers > policy.two_person_customers
    share = policy.two_person_head_kw
    of_the_head = share is not None and abs(plan.net_kw) >= share
    return 2 if large or many or of_the_head or policy.may_worsen else 1


STRONG_FACTORS = frozenset({"code", "key", "provider"})
"""Proofs that count as a second factor; an identity provider answers for its own."""


def may_approve(
    plan: Plan, shown_digest: str, by: str, session: str, earlier: Sequence[Approval]
) -> Refusal | None:
    """None when `by` may approve `plan`, else why not (SG-07, SG-09)."""
    if shown_digest != plan.digest():
        return Refusal(
            code="plan_changed",
            reasons=("the plan on your screen is not the plan that waits: read it again",),
        )
    if by == plan.proposed_by:
        return Refusal(code="own_plan", reasons=(f"{by} proposed this plan",))
    for given in earlier:
        if given.by == by:
            return Refusal(
                code="same_person",
                reasons=(f"{by} has approved already: a second person is needed",),
            )
        if given.session == session:
            return Refusal(
                code="same_session",
                reasons=("this session has approved already: a second session is needed",),
            )
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What the promotions of a plan's areas say to it: `reasons` why people decide, none when it is
    inside every envelope (SG-37)."""

    promotions: tuple[Promotion, ...]
    reasons: tuple[str, ...]


def standing_approvals(
    promotions: Sequence[Promotion], *, plan: str, digest: str, at_s: float, at_mono_s: float
) -> tuple[Approval, ...]:
    """What persons said beforehand as their yes to `plan`: one of each, however many areas he has
    promoted (SG-37)."""
    said: dict[str, tuple[str, list[str]]] = {}
    for promotion in promotions:
        for person, session in zip(promotion.approved_by, promotion.sessions, strict=True):
            said.setdefault(person, (session, []))[1].append(promotion.digest())
    return tuple(
        Approval(
            plan=plan,
            digest=digest,
            by=person,
            session=session,
            at_s=at_s,
            at_mono_s=at_mono_s,
            standing=",".join(digests),
        )
        for person, (session, digests) in said.items()
    )
