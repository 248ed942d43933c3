"""What takes an area out of closed loop by itself (SG-37): each trigger a few lines, on facts that
the office has anyway."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from statistics import fmean

from gridctl.control.alarmfigures import flood_now
from gridctl.control.interlock import Situation, blocked
from gridctl.control.ports import CycleView, EffectView, Store
from gridctl.control.settings import ModePolicy
from gridctl.control.settlement import BASELINE_POINT, REDUCTION_POINT
from gridctl.model.clock import Clock
from gridctl.model.command import CommandState
from gridctl.model.envelope import Promotion

UNVERIFIED_MAX = 2
UNVERIFIED = frozenset({CommandState.UNCONFIRMED, CommandState.FAILED, CommandState.REFUSED})
"""Ends after which nobody can say that the device did what it was told."""
REMEMBERED = 1_000
BLOCKED_DELAY_S = 3.0
"""Real seconds: the first values after a reconnection come one by one. Nothing is approved or
ordered meanwhile (SG-12)."""
LOOK_BACK_S = 3_600.0
FLOOD_LOOK_S = 4 * 3_600.0
STEP_S = 300.0
SAMPLES_MIN = 4
LOOK_EVERY_S = 10.0
DISAGREES = "not_verified"


class Unverified:
    """Commands that could not be verified, newest last: (grid time, resource)."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, str]] = deque(maxlen=REMEMBERED)

    def note(self, resource: str, state: CommandState, at_s: float) -> None:
        """A command has come to `state`."""
        if state in UNVERIFIED:
            self._seen.append((at_s, resource))

    def since(self, at_s: float, area_of: Mapping[str, str], area: str) -> int:
        """How many of the area's since `at_s`."""
        return sum(1 for when, name in self._seen if when >= at_s and area_of.get(name) == area)


class Triggers:
    """The triggers. `look` reads the store every few seconds; the rest is in memory."""

    def __init__(
        self,
        *,
        store: Store,
        clock: Clock,
        policy: ModePolicy,
        head_point: str,
        area_of: Mapping[str, str],
        unverified: Unverified,
        situation: Callable[[], Situation],
        cycle: Callable[[], CycleView | None],
        effect: Callable[[], EffectView | None],
    ) -> None:
        self._store = store
        self._clock = clock
        self._policy = policy
        self._head_point = head_point
        self._area_of = area_of
        self._unverified = unverified
        self._situation = situation
        self._cycle = cycle
        self._effect = effect
        self._blocked_since_mono_s: float | None = None
        self._looked_mono_s = float("-inf")
        self._flood = ""
        self._present: Sequence[str] = ()
        self._forecast_error_pct: tuple[float, float] | None = None
        self._effect_seen: tuple[float, EffectView | None] = (float("-inf"), None)

    def reasons(self, promotion: Promotion) -> Iterator[str]:
        """Why its area may not go on by `promotion`; nothing while it may."""
        area, since_s = promotion.envelope.area, promotion.at_s
        yield from self._data()
        yield from self._commands(area, since_s)
        yield from self._checker(since_s)
        yield from self._plan_error(since_s)
        if self._flood:
            yield self._flood
        yield from self._forecast(since_s)
        yield from self._presence(area)

    async def look(self) -> None:
        """What only the store knows. Raises UnavailableError."""
        mono_s, now_s = self._clock.monotonic_s(), self._clock.now_s()
        effect = self._effect()
        if effect is not self._effect_seen[1]:
            self._effect_seen = (now_s, effect)
        if mono_s - self._looked_mono_s < LOOK_EVERY_S:
            return
        events = await self._store.duties.alarm_events(start_s=now_s - FLOOD_LOOK_S, end_s=now_s)
        flood = flood_now(events, now_s)
        self._flood = "" if flood is None else f"alarms come in a flood: {flood.count} (SG-29)"
        self._present = await self._store.sessions.on_duty(within_s=self._policy.presence_s)
        self._forecast_error_pct = await self._error(now_s)
        self._looked_mono_s = mono_s

    async def _error(self, now_s: float) -> tuple[float, float] | None:
        """(since, mean error in per cent) of the forecast in the last hour."""
        end_s = now_s // STEP_S * STEP_S
        start_s = end_s - LOOK_BACK_S
        head, ours, promised = [
            await self._store.series(point, start_s=start_s, end_s=end_s, step_s=STEP_S)
            for point in (self._head_point, REDUCTION_POINT, BASELINE_POINT)
        ]
        known = [
            (kw + (less or 0.0), ahead)
            for kw, less, ahead in zip(head.values, ours.values, promised.values, strict=True)
            if kw is not None and ahead is not None
        ]
        if len(known) < SAMPLES_MIN:
            return None
        mean_kw = fmean(abs(kw) for kw, _ in known)
        return start_s, 100 * fmean(abs(ahead - kw) for kw, ahead in known) / max(mean_kw, 1.0)

    def _data(self) -> Iterator[str]:
        """STOP at once; stale data, a clock fault, a lost line or record after a moment."""
        now, mono_s = self._situation(), self._clock.monotonic_s()
        if now.stopped:
            yield "STOP holds (SG-21)"
            return
        reasons = blocked(now)
        if not reasons:
            self._blocked_since_mono_s = None
            return
        if self._blocked_since_mono_s is None:
            self._blocked_since_mono_s = mono_s
        if mono_s - self._blocked_since_mono_s >= BLOCKED_DELAY_S:
            yield from reasons

    def _commands(self, area: str, since_s: float) -> Iterator[str]:
        """Two commands that could not be verified."""
        count = self._unverified.since(since_s, self._area_of, area)
        if count >= UNVERIFIED_MAX:
            yield f"{count} commands of area {area} failed or could not be verified (SG-18)"

    def _checker(self, since_s: float) -> Iterator[str]:
        """The AC check does not agree with the optimizer."""
        cycle = self._cycle()
        if cycle is not None and cycle.status == DISAGREES and cycle.at_s >= since_s:
            yield f"the AC check disagrees with the optimizer: {cycle.reason} (SG-15)"

    def _plan_error(self, since_s: float) -> Iterator[str]:
        """The head does not show what a plan promised."""
        at_s, effect = self._effect_seen
        if effect is not None and effect.kept is False and at_s >= since_s:
            yield f"plan {effect.plan} does not show what it promised at the head (SG-18)"

    def _forecast(self, promoted_s: float) -> Iterator[str]:
        """The forecast is further off than the promotion asked for; of what came since."""
        if self._forecast_error_pct is None:
            return
        since_s, error_pct = self._forecast_error_pct
        bound_pct = self._policy.forecast_error_max_pct
        if since_s >= promoted_s - LOOK_BACK_S / 2 and error_pct > bound_pct:
            yield (
                f"the forecast was {error_pct:.1f} % off in the last hour, {bound_pct:g} % are "
                "allowed (SG-37)"
            )

    def _presence(self, area: str) -> Iterator[str]:
        """Nobody of the desk who answers for the area has done anything for a while."""
        if self._looked_mono_s == float("-inf"):
            return
        if not any(areas == "*" or area in areas.split(",") for areas in self._present):
            yield (
                f"nobody at the desk has done anything for {self._policy.presence_s:g} s (SG-37)"
            )
