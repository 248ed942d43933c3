"""How far gridctl may go in each area: off, shadow, advisory (SG-37).

Going down is one person's act, at once. Going up to a mode that commands needs a request, evidence
from shadow plans, and two more persons in two sessions. Closed loop is refused: nothing here lets a
plan go without people.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from gridctl.control.approvals import REASON_MIN
from gridctl.control.audit import entry
from gridctl.control.ports import Person, Store
from gridctl.control.settings import ModePolicy
from gridctl.model.clock import Clock
from gridctl.model.errors import Refusal, RefusedError
from gridctl.model.mode import AreaMode, Mode, ModeRequest, ShadowScore
from gridctl.model.resource import Resource

MAY_SET = frozenset({"OPERATOR", "SUPERVISOR", "ENGINEER"})
MAY_APPROVE = frozenset({"OPERATOR", "SUPERVISOR"})
REQUEST_LIFE_S = 86_400.0
"""Grid seconds after which a request that two have not approved is over."""
SCORES_MAX = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class ModeView:
    """An area as people see it; `lacking`: why it may not go up to advisory."""

    mode: AreaMode
    scored: int
    forecast_error_pct: float | None
    relieved_kwh: float
    over_kwh: float
    lacking: tuple[str, ...]


class AreaModes:
    """The modes, in memory and in the store. `changed` is told the area of every change."""

    def __init__(
        self,
        *,
        store: Store,
        clock: Clock,
        policy: ModePolicy,
        resources: Sequence[Resource],
        changed: Callable[[str], None],
    ) -> None:
        self._store = store
        self._records = store.modes
        self._clock = clock
        self._policy = policy
        self._changed = changed
        self._areas = tuple(sorted({r.area for r in resources}))
        self._modes: dict[str, AreaMode] = {}

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

    async def views(self) -> Sequence[ModeView]:
        """Every area with its evidence."""
        scores = await self._records.scores(limit=SCORES_MAX)
        return [self._view(mode, scores) for mode in self.all()]

    async def set(self, area: str, to: Mode, *, reason: str, person: Person) -> AreaMode:
        """Go down at once, or ask to go up. Raises RefusedError."""
        before = self._known(area)
        if person.role not in MAY_SET:
            raise _refused("wrong_role", f"a {person.role} may not set modes (SG-31)")
        if len(reason.strip()) < REASON_MIN:
            raise _refused("no_reason", "say why, for those who read it later")
        if to is Mode.CLOSED_LOOP:
            raise _refused(
                "no_closed_loop",
                "closed loop needs an approved envelope and demotion by itself, which gridctl does "
                "not have yet: each plan needs people (SG-37)",
            )
        if to is before.mode:
            raise _refused("same_mode", f"area {area} is {to.value} already")
        at_s = self._clock.now_s()
        if to.commands:
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

    async def approve(self, area: str, *, person: Person) -> AreaMode:
        """One person's yes to what is asked for; the second one sets it. Raises RefusedError."""
        before = self._known(area)
        request, at_s = before.request, self._clock.now_s()
        if person.role not in MAY_APPROVE:
            raise _refused("wrong_role", f"a {person.role} may not approve modes (SG-31)")
        if request is None or at_s - request.at_s > REQUEST_LIFE_S:
            raise _refused("no_request", f"nobody asks for another mode of area {area}")
        if person.user == request.by or person.session == request.session:
            raise _refused("own_request", f"{request.by} asked for it: others approve (SG-07)")
        if person.user == request.approved_by or person.session == request.approved_session:
            raise _refused("same_person", "a second person in a second session is needed (SG-06)")
        await self._evident(before)
        if not request.approved_by:
            given = replace(request, approved_by=person.user, approved_session=person.session)
            after = replace(before, request=given)
            await self._write(before, after, "mode.approve", person, "1 of 2 approvals")
            return after
        after = AreaMode(
            area=area,
            mode=request.to,
            since_s=at_s,
            by=f"{request.by}, {request.approved_by}, {person.user}",
            reason=request.reason,
        )
        await self._write(before, after, "mode.set", person, request.to.value)
        self._changed(area)
        return after

    async def _evident(self, mode: AreaMode) -> None:
        lacking = self._view(mode, await self._records.scores(limit=SCORES_MAX)).lacking
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
        async with self._store.transaction() as unit:
            await unit.put_mode(after)
            await unit.audit(
                entry(
                    at_s=self._clock.now_s(),
                    person=person,
                    action=action,
                    object_=f"area {after.area}",
                    before=before.mode,
                    after=to,
                    reason=after.request.reason if after.request is not None else after.reason,
                )
            )
        self._modes[after.area] = after


def _refused(code: str, reason: str) -> RefusedError:
    return RefusedError(Refusal(code=code, reasons=(reason,)))
