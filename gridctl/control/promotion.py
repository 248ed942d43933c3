"""Closed loop of an area: who may ask for it, with which envelope, on what evidence (SG-37).

An engineer asks, two others approve exactly that envelope, one of them a supervisor, in two
sessions; what they have approved is the standing approval of the plans inside it. It ends by
itself, after a shift at the latest, and anybody of the desk ends it at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import floor
from statistics import fmean

from gridctl.control.ports import Person
from gridctl.control.settings import ModePolicy
from gridctl.model.approval import STRONG_FACTORS
from gridctl.model.envelope import Envelope, Promotion, beyond
from gridctl.model.errors import Refusal
from gridctl.model.limits import ClosedLoopLimit, LimitSet
from gridctl.model.mode import AreaMode, Mode, ModeRequest, ShadowScore
from gridctl.model.resource import Resource

MAY_ASK = "ENGINEER"
NEEDED_ROLE = "SUPERVISOR"
DAY_S = 86_400.0
SHADOW_PREFIX = "S-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What the scored plans of an area say; `days`: how far they reach back. `advisory`: plans that
    people approved and that were carried out. None: no score."""

    scored: int
    advisory: int
    days: float
    forecast_error_pct: float | None
    plan_error_pct: float | None
    lacking: tuple[str, ...]


class PromotionRules:
    """The rules; pure but for what it is told at the start. `head_limit_kw`: what plan errors are
    a share of. `second_needs_factor`: the second of two persons has shown a second factor."""

    def __init__(
        self,
        *,
        policy: ModePolicy,
        resources: Sequence[Resource],
        limits: LimitSet,
        model_digest: str,
        head_limit_kw: float,
        second_needs_factor: bool,
    ) -> None:
        self._policy = policy
        self._limits_digest = limits.digest()
        self._model_digest = model_digest
        self._head_limit_kw = head_limit_kw
        self._second_needs_factor = second_needs_factor
        self._bounds = {bound.area: bound for bound in limits.closed_loop}
        self._points = {r.mrid: (r.area, r.points.setpoint) for r in resources}

    def bound(self, area: str) -> ClosedLoopLimit | None:
        """What OT allows there; None: nothing."""
        return self._bounds.get(area)

    def devices(self, area: str) -> tuple[str, ...]:
        """Devices of `area` that OT lets move without a person."""
        bound = self.bound(area)
        points = () if bound is None else bound.points
        return tuple(m for m, (where, p) in self._points.items() if where == area and p in points)

    def refusal(self, envelope: Envelope, person: Person) -> Refusal | None:
        """Why `person` cannot ask for `envelope`, whatever the evidence says."""
        if person.role != MAY_ASK:
            reason = f"role {person.role} may not ask for closed loop, an {MAY_ASK} may (SG-31)"
            return Refusal(code="wrong_role", reasons=(reason,))
        reasons = tuple(self._mistakes(envelope))
        return Refusal(code="bad_envelope", reasons=reasons) if reasons else None

    def _mistakes(self, envelope: Envelope) -> Iterator[str]:
        yield from envelope.mistakes()
        bound = self._bounds.get(envelope.area)
        if bound is None:
            yield (
                f"OT's limits file has no [[closed_loop]] for area {envelope.area}: there is none "
                "(SG-37)"
            )
            return
        yield from beyond(envelope, bound)
        for device in envelope.devices:
            area, point = self._points.get(device, ("", ""))
            if area != envelope.area:
                yield f"{device} is no device of area {envelope.area}"
            elif point not in bound.points:
                yield f"{device}: OT lets it move with a person's approval only (SG-37)"

    def evidence(self, mode: AreaMode, scores: Sequence[ShadowScore], *, now_s: float) -> Evidence:
        """Of the last days that the policy asks for."""
        policy = self._policy
        its = [s for s in scores if mode.area in s.areas]
        since_s = now_s - policy.evidence_days * DAY_S
        recent = [s for s in its if s.end_s >= since_s]
        advisory = [
            s for s in recent if not s.plan.startswith(SHADOW_PREFIX) and s.end_s > mode.since_s
        ]
        days = (now_s - min((s.start_s for s in its), default=now_s)) / DAY_S
        forecast = fmean(s.forecast_error_pct for s in recent) if recent else None
        plan = (
            100 * fmean(s.plan_error_kw for s in recent) / self._head_limit_kw if recent else None
        )
        lacking = []
        if mode.mode is not Mode.ADVISORY:
            lacking.append(f"it is {mode.mode}: advisory comes first (SG-37)")
        for what, found, needed in (
            ("plans are scored", len(recent), policy.shadow_plans_min),
            ("plans that people approved are scored", len(advisory), policy.advisory_plans_min),
        ):
            if found < needed:
                lacking.append(f"{found} {what}, {needed} are needed (SG-37)")
        if days < policy.evidence_days:
            # Rounded down: what is lacking never reads as if it were enough.
            back = f"scores reach back {floor(10 * days) / 10:.1f} days"
            lacking.append(f"{back}, {policy.evidence_days:g} are needed (SG-37)")
        for name, error, bound in (
            ("forecast", forecast, policy.forecast_error_max_pct),
            ("head that plans promised", plan, policy.plan_error_max_pct),
        ):
            if error is not None and error > bound:
                lacking.append(
                    f"the {name} was {error:.1f} % off on average, {bound:g} % are allowed (SG-37)"
                )
        return Evidence(
            scored=len(recent),
            advisory=len(advisory),
            days=days,
            forecast_error_pct=forecast,
            plan_error_pct=plan,
            lacking=tuple(lacking),
        )

    def may_approve(
        self, request: ModeRequest, shown_digest: str, person: Person
    ) -> Refusal | None:
        """What closed loop asks for beyond what holds for every mode."""
        envelope = request.envelope
        if envelope is None:
            return None
        if shown_digest != envelope.digest():
            reason = "the envelope on your screen is not the one that waits: read it again"
            return Refusal(code="envelope_changed", reasons=(reason,))
        if not request.approved_by:
            return None
        if NEEDED_ROLE not in (person.role, request.approved_role):
            reason = f"one of the two who approve closed loop is a {NEEDED_ROLE} (SG-31)"
            return Refusal(code="no_supervisor", reasons=(reason,))
        if self._second_needs_factor and person.factor not in STRONG_FACTORS:
            reason = "the second of two persons signs in with a second factor (SG-07)"
            return Refusal(code="second_factor_missing", reasons=(reason,))
        return None

    def promotion(self, request: ModeRequest, person: Person, *, at_s: float) -> Promotion | None:
        """What the second yes makes of `request`; None: it asks for another mode."""
        if request.envelope is None:
            return None
        return Promotion(
            envelope=request.envelope,
            asked_by=request.by,
            approved_by=(request.approved_by, person.user),
            sessions=(request.approved_session, person.session),
            at_s=at_s,
            limits_digest=self._limits_digest,
            model_digest=self._model_digest,
        )

    def over(self, promotion: Promotion, *, now_s: float) -> Iterator[str]:
        """Why a promotion holds no more, and never will again."""
        yield from promotion.over(now_s)
        if promotion.limits_digest != self._limits_digest:
            yield f"OT's limits have changed since area {promotion.envelope.area} was promoted"
        if promotion.model_digest != self._model_digest:
            yield f"the model has changed since area {promotion.envelope.area} was promoted"
