"""How far gridctl may go in each area: off, shadow, advisory, closed loop (SG-37).

Going down is one person's act, at once. Going up to a mode that commands needs a request, evidence
from scored plans, and two more persons in two sessions; closed loop an envelope besides, which they
approve (`gridctl.control.promotion`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from gridctl.control.approvals import REASON_MIN
from gridctl.control.audit import OFFICE, entry
from gridctl.control.ports import Person, Store
from gridctl.control.promotion import Evidence, PromotionRules
from gridctl.control.settings import ModePolicy
from gridctl.model.canonical import canonical_json
from gridctl.model.clock import Clock
from gridctl.model.envelope import Envelope, Promotion
from gridctl.model.errors import Refusal, RefusedError, UnavailableError
from gridctl.model.limits import ClosedLoopLimit
from gridctl.model.mode import AreaMode, Mode, ModeRequest, ShadowScore
from gridctl.model.resource import Resource

MAY_SET = frozenset({"OPERATOR", "SUPERVISOR", "ENGINEER"})
MAY_APPROVE = frozenset({"OPERATOR", "SUPERVISOR"})
REQUEST_LIFE_S = 86_400.0
"""Grid seconds after which a request that two have not approved is over."""
SCORES_MAX = 3_000
"""A month of them, one an interval."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModeView:
    """An area as people see it; `lacking`: why it may not go up to advisory. `evidence`: for
    closed loop, within `bound` and of `devices` only, as OT allows (None: not at all)."""

    mode: AreaMode
    scored: int
    forecast_error_pct: float | None
    relieved_kwh: float
    over_kwh: float
    lacking: tuple[str, ...]
    evidence: Evidence
    bound: ClosedLoopLimit | None
    devices: tuple[str, ...]


class AreaModes:
    """The modes, in memory and in the store. `changed` is told the area of every change."""

    def __init__(
        self,
        *,
        store: Store,
        clock: Clock,
        policy: ModePolicy,
        rules: PromotionRules,
        resources: Sequence[Resource],
        changed: Callable[[str], None],
    ) -> None:
        self._store = store
        self._records = store.modes
        self._clock = clock
        self._policy = policy
        self._rules = rules
        self._changed = changed
        self._areas = tuple(sorted({r.area for r in resources}))
        self._modes: dict[str, AreaMode] = {}
        self._unwritten: dict[str, AreaMode] = {}

    async def load(self) -> None:
        """Take over what the store remembers."""
        for mode in await self._records.all():
            self._modes[mode.area] = mode

    def of(self, area: str) -> AreaMode:
        """The area's mode now."""
        return self._modes.get(area) or AreaMode(
            area=area, mode=self._policy.first, since_s=0.0, by="", reason="never set"
        )

    def all(self) -> tuple[AreaMode, ...]:
        """Of every area, by name."""
        return tuple(self.of(area) for area in self._areas)

    def word(self) -> str:
        """All areas in one word, for the top bar."""
        modes = {self.of(area).mode for area in self._areas}
        return next(iter(modes)).value if len(modes) == 1 else "mixed"

    def not_commanded(self, *, shadow: bool = False) -> Mapping[str, str]:
        """Areas whose devices may not be used, and why. `shadow`: for a plan that is never sent."""
        return {
            area: f"area {area} is {'off' if mode is Mode.OFF else f'in {mode}'} (SG-37)"
            for area in self._areas
            if not ((mode := self.of(area).mode).commands or (shadow and mode is Mode.SHADOW))
        }

    @property
    def any_shadow(self) -> bool:
        """Whether a shadow plan is worth making."""
        return any(self.of(area).mode is Mode.SHADOW for area in self._areas)

    @property
    def closed(self) -> Mapping[str, Promotion]:
        """Areas in closed loop, and by which promotion."""
        return {
            area: mode.promotion
            for area in self._areas
            if (mode := self.of(area)).mode is Mode.CLOSED_LOOP and mode.promotion is not None
        }

    def over(self, promotion: Promotion) -> tuple[str, ...]:
        """Why `promotion` stands no more; nothing while it is its area's (SG-37)."""
        area = promotion.envelope.area
        if self.closed.get(area) != promotion:
            return (f"area {area} is {self.of(area).mode}: its closed loop has ended (SG-37)",)
        return tuple(self._rules.over(promotion, now_s=self._clock.now_s()))

    async def views(self) -> Sequence[ModeView]:
        """Every area with its evidence."""
        scores = await self._records.scores(limit=SCORES_MAX)
        return [self._view(mode, scores) for mode in self.all()]

    async def set(self, area: str, to: Mode, *, reason: str, person: Person) -> AreaMode:
        """Go down at once, or ask to go up. Raises RefusedError."""
        before = self._known(area)
        if person.role not in MAY_SET:
            raise _refused("wrong_role", f"role {person.role} may not set modes (SG-31)")
        if len(reason.strip()) < REASON_MIN:
            raise _refused("no_reason", "say why, for those who read it later")
        if to is Mode.CLOSED_LOOP:
            raise _refused(
                "no_envelope",
                "closed loop is asked for with an envelope: kW, devices, hours, causes, ramp, life "
                "(SG-37)",
            )
        if to is before.mode:
            raise _refused("same_mode", f"area {area} is {to.value} already")
        at_s = self._clock.now_s()
        if to.commands and to.rank > before.mode.rank:
            await self._evident(before)
            request = ModeRequest(
                to=to, by=person.user, session=person.session, at_s=at_s, reason=reason.strip()
            )
            after = replace(before, request=request)
            await self._write(before, after, "mode.request", person, to.value)
            return after
        after = AreaMode(area=area, mode=to, since_s=at_s, by=person.user, reason=reason.strip())
        await self._write(before, after, "mode.set", person, to.value)
        self._changed(area)
        return after

    async def ask(self, envelope: Envelope, *, reason: str, person: Person) -> AreaMode:
        """Ask for closed loop inside `envelope`. Raises RefusedError."""
        before = self._known(envelope.area)
        refusal = self._rules.refusal(envelope, person)
        if refusal is not None:
            raise RefusedError(refusal)
        if len(reason.strip()) < REASON_MIN:
            raise _refused("no_reason", "say why, for those who read it later")
        await self._evident(before, closed_loop=True)
        request = ModeRequest(
            to=Mode.CLOSED_LOOP,
            by=person.user,
            session=person.session,
            at_s=self._clock.now_s(),
            reason=reason.strip(),
            envelope=envelope,
        )
        after = replace(before, request=request)
        asked = f"{Mode.CLOSED_LOOP}, envelope {canonical_json(envelope).decode()}"
        await self._write(before, after, "mode.request", person, asked)
        return after

    def demote(self, area: str, why: str) -> bool:
        """Closed loop of `area` ends by itself, at once; False where there is none. In memory: it
        ends also when the record cannot be written, which `write_demotions` does."""
        before = self.of(area)
        if before.mode is not Mode.CLOSED_LOOP:
            return False
        self._modes[area] = self._unwritten[area] = AreaMode(
            area=area,
            mode=Mode.ADVISORY,
            since_s=self._clock.now_s(),
            by=OFFICE.user,
            reason=why,
        )
        self._changed(area)
        return True

    async def write_demotions(self) -> None:
        """Write down the demotions that are not yet."""
        for area, after in list(self._unwritten.items()):
            try:
                await self._record(after, "mode.demote", OFFICE, Mode.CLOSED_LOOP, after.mode)
            except UnavailableError:
                return
            self._unwritten.pop(area, None)

    async def approve(self, area: str, *, person: Person, shown_digest: str = "") -> AreaMode:
        """One person's yes to what is asked for; the second one sets it. `shown_digest`: of the
        envelope that was on the screen. Raises RefusedError."""
        before = self._known(area)
        request, at_s = before.request, self._clock.now_s()
        if person.role not in MAY_APPROVE:
            raise _refused("wrong_role", f"role {person.role} may not approve modes (SG-31)")
        if request is None or at_s - request.at_s > REQUEST_LIFE_S:
            raise _refused("no_request", f"nobody asks for another mode of area {area}")
        if person.user == request.by or person.session == request.session:
            raise _refused("own_request", f"{request.by} asked for it: others approve (SG-07)")
        if person.user == request.approved_by or person.session == request.approved_session:
            raise _refused("same_person", "a second person in a second session is needed (SG-06)")
        closed_loop = request.to is Mode.CLOSED_LOOP
        refusal = self._rules.may_approve(request, shown_digest, person)
        if refusal is not None:
            raise RefusedError(refusal)
        await self._evident(before, closed_loop=closed_loop)
        if not request.approved_by:
            given = replace(
                request,
                approved_by=person.user,
                approved_session=person.session,
                approved_role=person.role,
            )
            after = replace(before, request=given)
            await self._write(before, after, "mode.approve", person, "1 of 2 approvals")
            return after
        after = AreaMode(
            area=area,
            mode=request.to,
            since_s=at_s,
            by=f"{request.by}, {request.approved_by}, {person.user}",
            reason=request.reason,
            promotion=self._rules.promotion(request, person, at_s=at_s),
        )
        promotion = after.promotion
        # In full: orders and approvals name its digest, and the record must show of what.
        to = "" if promotion is None else f", promotion {canonical_json(promotion).decode()}"
        await self._write(before, after, "mode.set", person, f"{request.to}{to}")
        self._changed(area)
        return self.of(area)

    async def _evident(self, mode: AreaMode, *, closed_loop: bool = False) -> None:
        view = self._view(mode, await self._records.scores(limit=SCORES_MAX))
        lacking = view.evidence.lacking if closed_loop else view.lacking
        if lacking:
            raise RefusedError(Refusal(code="no_evidence", reasons=lacking))

    def _view(self, mode: AreaMode, scores: Sequence[ShadowScore]) -> ModeView:
        """Evidence counts from when the area last came into shadow."""
        its = [
            s
            for s in scores
            if mode.mode is Mode.SHADOW and mode.area in s.areas and s.end_s > mode.since_s
        ]
        error = sum(s.forecast_error_pct for s in its) / len(its) if its else None
        return ModeView(
            mode=mode,
            scored=len(its),
            forecast_error_pct=error,
            relieved_kwh=sum(s.relieved_kwh for s in its),
            over_kwh=sum(s.over_kwh for s in its),
            lacking=self._lacking(mode, len(its), error),
            evidence=self._rules.evidence(mode, scores, now_s=self._clock.now_s()),
            bound=self._rules.bound(mode.area),
            devices=self._rules.devices(mode.area),
        )

    def _lacking(self, mode: AreaMode, scored: int, error: float | None) -> tuple[str, ...]:
        if mode.mode.commands:
            return ()
        if mode.mode is Mode.OFF:
            return ("it is off: shadow comes first (SG-37)",)
        reasons = []
        if scored < self._policy.shadow_plans_min:
            reasons.append(
                f"{scored} shadow plans are scored, {self._policy.shadow_plans_min} are needed "
                "(SG-37)"
            )
        if error is not None and error > self._policy.forecast_error_max_pct:
            reasons.append(
                f"the forecast was {error:.1f} % off on average, "
                f"{self._policy.forecast_error_max_pct:g} % are allowed (SG-37)"
            )
        return tuple(reasons)

    def _known(self, area: str) -> AreaMode:
        if area not in self._areas:
            raise _refused("no_such_area", f"no device is in an area {area}")
        return self.of(area)

    async def _write(
        self, before: AreaMode, after: AreaMode, action: str, person: Person, to: str
    ) -> None:
        await self._record(after, action, person, before.mode, to)
        now = self.of(after.area)
        # What went down by itself while this was written stays down.
        if now == before or after.mode.rank < now.mode.rank:
            self._modes[after.area] = after

    async def _record(
        self, after: AreaMode, action: str, person: Person, before: str, to: str
    ) -> None:
        async with self._store.transaction() as unit:
            await unit.put_mode(after)
            await unit.audit(
                entry(
                    at_s=self._clock.now_s(),
                    person=person,
                    action=action,
                    object_=f"area {after.area}",
                    before=before,
                    after=to,
                    reason=after.request.reason if after.request is not None else after.reason,
                )
            )


def _refused(code: str, reason: str) -> RefusedError:
    return RefusedError(Refusal(code=code, reasons=(reason,)))
