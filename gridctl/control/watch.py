"""What just goes on by itself beside the office's work: STOP from elsewhere, standing alarms."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from gridctl.control.alarms import AlarmBook, Condition
from gridctl.control.approvals import Approvals
from gridctl.control.audit import FIELD, STOP_FILE, Unwritten, entry
from gridctl.control.dispatcher import Dispatcher
from gridctl.control.interlock import Situation, blocked
from gridctl.control.ports import Store
from gridctl.control.stop import StopState
from gridctl.model.clock import Clock
from gridctl.model.plan import PlanState

HEAD_OVER_DELAY_S = 5.0
HEAD_OVER_BACK_SHARE = 0.995
"""The import counts as back below its limit from this share of it on (deadband)."""
START_GRACE_S = 15.0
"""Real seconds after the start in which the field may be silent without an alarm."""
BLOCKED_DELAY_S = 3.0
"""Real seconds for which "nothing can be approved" must last before it is an alarm (on-delay): the
first values after a reconnection come one by one."""


class Watch:
    """Ends plans; looks twice a second. `situation` is the office's."""

    def __init__(
        self,
        *,
        store: Store,
        clock: Clock,
        approvals: Approvals,
        dispatcher: Dispatcher,
        stop_state: StopState,
        situation: Callable[[], Situation],
        unwritten: Unwritten,
    ) -> None:
        self._store = store
        self._clock = clock
        self._unwritten = unwritten
        self._approvals = approvals
        self._dispatcher = dispatcher
        self._stop_state = stop_state
        self._situation = situation
        self._recorded = False

    async def plans(self) -> None:
        """End plans that have lived too long, and all of them when STOP came by file or from the
        field; write down what could not be before. Raises UnavailableError."""
        await self._unwritten.write()
        await self._dispatcher.ends.write()
        await self._approvals.expire()
        if not self._situation().stopped:
            self._recorded = False
            return
        reason = self._stop_state.reason or "STOP holds in the field"
        self._dispatcher.halt(PlanState.STOPPED, reason)
        if self._approvals.open:
            await self._approvals.stop_all(reason, FIELD)
        if not self._recorded:
            await self._record(reason)
            self._recorded = True

    async def _record(self, reason: str) -> None:
        """An audit row for a STOP that did not come over the desk, which writes its own."""
        if self._stop_state.held:
            return
        async with self._store.transaction() as unit:
            await unit.audit(
                entry(
                    at_s=self._clock.now_s(),
                    person=STOP_FILE if self._stop_state.file_present else FIELD,
                    action="stop",
                    object_="dispatch",
                    after="stopped",
                    reason=reason,
                )
            )


class StandingAlarms:
    """Raises and clears the alarms of the situation as a whole.

    At start nothing is wrong yet: the field agent gets `START_GRACE_S` to connect and to report.
    """

    def __init__(
        self,
        *,
        alarms: AlarmBook,
        stop_state: StopState,
        situation: Callable[[], Situation],
        head_kw: Callable[[], float | None],
        head_limit_kw: float,
        wrong_clocks_s: Callable[[], Mapping[str, float]],
        refusing: Callable[[], Mapping[str, str]],
        clock: Clock,
    ) -> None:
        """`wrong_clocks_s`: by link, how far its device's clock is from ours; `refusing`: links
        that refuse commands, and why they are left alone."""
        self._alarms = alarms
        self._wrong_clocks_s = wrong_clocks_s
        self._clock_links: set[str] = set()
        self._stop_state = stop_state
        self._situation = situation
        self._head_kw = head_kw
        self._head_limit_kw = head_limit_kw
        self._refusing = refusing
        self._clock = clock
        self._over_since_mono_s: float | None = None
        self._started_mono_s = clock.monotonic_s()
        self._starting = True
        self._blocked_since_mono_s: float | None = None

    async def look(self) -> None:
        """Call it twice a second."""
        now = self._situation()
        others = [r for r in blocked(now) if now.field_connected and not now.stopped]
        self._end_of_start(ready=now.field_connected and not others)
        if now.field_connected or not self._starting:
            await self._alarms.follows(
                not now.field_connected,
                Condition(
                    key="link",
                    priority=1,
                    text="the line to the field agent is down",
                    response="check the field agent's process; held setpoints run out by "
                    "themselves",
                ),
            )
        await self._alarms.follows(
            now.stopped,
            Condition(
                key="stop",
                priority=1,
                text=f"STOP holds: {self._stop_state.reason or 'in the field'}",
                response="find out why, then resume with a reason",
            ),
        )
        await self._alarms.follows(
            self._lasts(bool(others)),
            Condition(
                key="blocked",
                priority=2,
                text=f"nothing can be approved: {'; '.join(others)}",
                response="mend what the reasons name; telemetry goes on meanwhile",
            ),
        )
        refusing = self._refusing()
        await self._alarms.follows(
            bool(refusing),
            Condition(
                key="refusing",
                priority=2,
                text="; ".join(refusing.values()),
                response="look at the concentrator: its local switch, another master; plans are "
                "made with the others meanwhile",
            ),
        )

        await self._head()
        await self._clocks()

    async def _clocks(self) -> None:
        wrong_s = self._wrong_clocks_s()
        self._clock_links |= wrong_s.keys()
        for link in sorted(self._clock_links):
            off_s = wrong_s.get(link, 0.0)
            await self._alarms.follows(
                link in wrong_s,
                Condition(
                    key=f"clock.{link}",
                    priority=3,
                    text=f"the clock of the device behind {link} is {abs(off_s):.0f} s "
                    f"{'ahead' if off_s > 0 else 'behind'}: its times are not used",
                    response="see to the device's time source and to time_sync of the link; its "
                    "values count as of the moment in which they are received",
                ),
            )
        self._clock_links &= wrong_s.keys()

    async def _head(self) -> None:
        """The import is above its limit, and has been for a moment. Not known: as before."""
        head_kw, limit_kw = self._head_kw(), self._head_limit_kw
        if head_kw is None:
            return
        mono_s = self._clock.monotonic_s()
        if head_kw > limit_kw:
            if self._over_since_mono_s is None:
                self._over_since_mono_s = mono_s
        elif head_kw <= HEAD_OVER_BACK_SHARE * limit_kw:
            self._over_since_mono_s = None
        since_s = self._over_since_mono_s
        if since_s is not None and mono_s - since_s < HEAD_OVER_DELAY_S:
            return
        await self._alarms.follows(
            since_s is not None,
            Condition(
                key="head",
                priority=2,
                text=f"the import at the feeder head is above its limit of {limit_kw:.0f} kW",
                response="approve the plan that waits or ask for one; else relieve the feeder "
                "by switching",
            ),
        )

    def _end_of_start(self, *, ready: bool) -> None:
        waited_s = self._clock.monotonic_s() - self._started_mono_s
        if ready or waited_s >= START_GRACE_S:
            self._starting = False

    def _lasts(self, is_blocked: bool) -> bool:
        """Whether it has been so for a while, and not only since a moment or the start."""
        mono_s = self._clock.monotonic_s()
        if not is_blocked:
            self._blocked_since_mono_s = None
            return False
        if self._blocked_since_mono_s is None:
            self._blocked_since_mono_s = mono_s
        return not self._starting and mono_s - self._blocked_since_mono_s >= BLOCKED_DELAY_S
