"""The DNP3 driver: one link to one outstation, on yadnp3.

One supervising task owns the session: it opens it, watches over it, and is the only one that
shuts it down. Everybody else asks for that by condemning the session.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence

from gridctl.model.clock import Clock
from gridctl.model.command import Command, CommandState
from gridctl.model.errors import Refusal, UnavailableError
from gridctl.model.link import LinkHealth
from gridctl.model.measurement import Measurement
from gridctl.model.permit import Permit
from protocols.dnp3.codec import Binding, PointTable
from protocols.dnp3.controls import Judgement, Phase, Wire, build, judge, setpoint
from protocols.dnp3.image import PointImage
from protocols.dnp3.session import LIFECYCLE_DEADLINE_S, Session
from protocols.dnp3.settings import read_settings
from protocols.driver import Execution, LinkSettings, PointAddress, Result, StageCallback
from protocols.inbox import Inbox

log = logging.getLogger(__name__)

PAUSE_MIN_S = 0.5
PAUSE_MAX_S = 5.0
STOP_DEADLINE_S = 4.5
ABORT_LOOK_S = 0.02
LEASE_MIN_S = 1.0

_IIN1_WORDS = ((0x20, "local control"), (0x40, "device trouble"), (0x80, "device restart"))
_IIN2_WORDS = ((0x08, "event buffer overflow"), (0x20, "configuration corrupt"))


class Dnp3Driver:
    """Fulfils `protocols.driver.Driver` (contract: tests/contracts/test_driver_contract.py).

    Select before operate only; DIRECT OPERATE does not occur in this program (SG-01). yadnp3
    sends OPERATE by itself as soon as the SELECT's echo is right, so nobody can be asked between
    the two. `aborted` is therefore asked right before the SELECT leaves and every 20 ms while its
    answer is awaited: when it turns true the socket is closed, so that no OPERATE can follow. What
    is left is the round trip of a SELECT that was answered in that moment.

    For the same reason `stage` hears SELECTED right before the call and OPERATED when the result
    shows that OPERATE has left: accepted, or with an unknown outcome. A refusal at OPERATE is told
    by the Execution alone.
    """

    def __init__(
        self,
        settings: LinkSettings,
        points: Sequence[PointAddress],
        inbox: Inbox,
        clock: Clock,
    ) -> None:
        """Raises ConfigError for options or addresses that cannot be used; opens nothing."""
        self._link = settings.id
        self._settings = read_settings(settings)
        self._table = PointTable(points)
        self._clock = clock
        self._image = PointImage(self._table, inbox, clock)
        scan_s = min(point.point.scan_s for point in points)
        self._tick_s = min(0.25, max(0.02, scan_s / 10))
        self._session: Session | None = None
        self._supervisor: asyncio.Task[None] | None = None
        self._stopping = False
        self._wake = asyncio.Event()
        self._one_at_a_time = asyncio.Lock()
        self._state = "down"
        self._since_s = clock.now_s()
        self._detail = "not started"
        self._commands = 0
        self._opens = 0
        self._late_scans = 0

    @property
    def link(self) -> str:
        return self._link

    async def start(self) -> None:
        if self._supervisor is None:
            self._stopping = False
            self._set_state("connecting", "")
            self._supervisor = asyncio.create_task(
                self._supervise(), name=f"dnp3-{self._link}-supervisor"
            )

    async def stop(self) -> None:
        supervisor, self._supervisor = self._supervisor, None
        if supervisor is None:
            return
        self._stopping = True
        self._wake.set()
        await asyncio.wait({supervisor}, timeout=STOP_DEADLINE_S)
        if not supervisor.done():
            supervisor.cancel()
        self._set_state("down", "stopped")

    # --- supervision ------------------------------------------------------------------------

    async def _supervise(self) -> None:
        pause_s = PAUSE_MIN_S
        while not self._stopping:
            session = Session(
                link=self._link,
                settings=self._settings,
                table=self._table,
                image=self._image,
                clock=self._clock,
                changed=self._wake.set,
            )
            reason = await self._live(session)
            pause_s = PAUSE_MIN_S if session.ready else min(PAUSE_MAX_S, 2 * pause_s)
            session.condemned = True
            self._image.lose_all()
            self._set_state("down", reason)
            await session.close()
            self._opens += session.opens
            self._session = None
            if not self._stopping:
                log.warning("link %s: reconnecting: %s", self._link, reason)
                await self._wait(pause_s, until=lambda: self._stopping)

    async def _live(self, session: Session) -> str:
        """Open and watch `session` until it has to be thrown away; returns why."""
        try:
            await session.open()
        except (TimeoutError, UnavailableError, RuntimeError) as error:
            return f"cannot open the channel: {type(error).__name__} {error}".rstrip()
        self._session = session
        was_lost = 0
        while not self._stopping:
            if session.condemned:
                return "a command ended without a known outcome"
            fault = session.fault()
            if fault is not None:
                return fault
            lost = self._image.watch()
            self._late_scans += max(0, lost - was_lost) if session.is_open else 0
            was_lost = lost
            self._show(session, lost)
            await self._wait(self._tick_s)
        return "stopped"

    async def _wait(self, seconds: float, until: Callable[[], bool] = lambda: True) -> None:
        """Sleep `seconds`, or less when woken and `until` holds."""
        deadline_s = self._clock.monotonic_s() + seconds
        while (left_s := deadline_s - self._clock.monotonic_s()) > 0:
            self._wake.clear()
            try:
                # Not wait_for: in Python 3.11 it swallows a cancellation that meets its result.
                async with asyncio.timeout(left_s):
                    await self._wake.wait()
            except TimeoutError:
                return
            if until():
                return

    def _show(self, session: Session, lost: int) -> None:
        if session.usable:
            words = [word for bit, word in _IIN1_WORDS if session.application.iin1 & bit]
            words += [word for bit, word in _IIN2_WORDS if session.application.iin2 & bit]
            if lost:
                missing = self._image.missing()
                words.append(f"{lost} points silent")
                if missing:
                    words.append(f"never reported: {', '.join(missing[:5])}")
            self._set_state("up", "; ".join(words))
        elif session.is_open:
            self._set_state("connecting", "connected, waiting for the first integrity poll")
        elif self._state == "up":
            self._set_state("down", "connection lost")
        elif not session.opens:
            self._set_state(self._state, "no connection yet")

    def _set_state(self, state: str, detail: str) -> None:
        if state != self._state:
            log.info("link %s: %s -> %s %s", self._link, self._state, state, detail)
            self._state = state
            self._since_s = self._clock.now_s()
        self._detail = detail

    def health(self) -> LinkHealth:
        session = self._session
        if self._state == "up" and (session is None or not session.usable):
            self._set_state("down", "connection lost")
        opens = self._opens + (session.opens if session is not None else 0)
        return LinkHealth(
            link=self._link,
            protocol="dnp3",
            endpoint=self._settings.endpoint,
            state=self._state,
            since_s=self._since_s,
            points=len(self._table),
            reads=self._image.reads,
            late_scans=self._late_scans,
            commands=self._commands,
            reconnects=max(0, opens - 1),
            round_trip_s=session.application.round_trip_s if session is not None else None,
            detail=self._detail,
        )

    # --- reading one point ------------------------------------------------------------------

    async def read_back(self, point: str, *, timeout_s: float) -> Measurement | None:
        binding = self._table.by_mrid.get(point)
        session = self._session
        if binding is None or session is None:
            return None
        return await session.read_back(binding, timeout_s=timeout_s)

    # --- commands ---------------------------------------------------------------------------

    async def execute(
        self, permit: Permit, *, aborted: Callable[[], bool], stage: StageCallback
    ) -> Execution:
        started_s = self._clock.monotonic_s()
        reason = permit.use(started_s)
        if reason is not None:
            return self._ended(started_s, Result.REJECTED, "PERMIT", reason)
        try:
            async with asyncio.timeout(permit.expires_mono_s - started_s):
                await self._one_at_a_time.acquire()
        except TimeoutError:
            return self._ended(
                started_s,
                Result.REJECTED,
                "PERMIT",
                "the permit expired behind another command to this device",
            )
        try:
            return await self._execute(permit.command, started_s, aborted, stage)
        finally:
            self._one_at_a_time.release()

    async def _execute(
        self,
        command: Command,
        started_s: float,
        aborted: Callable[[], bool],
        stage: StageCallback,
    ) -> Execution:
        prepared = self._prepare(command)
        if isinstance(prepared, Refusal):
            return self._ended(
                started_s, Result.REJECTED, prepared.code, "; ".join(prepared.reasons)
            )
        session, binding, wire, lease = prepared
        self._commands += 1
        if lease is not None and binding.lease_index is not None:
            held = await self._operate(session, lease, binding.lease_index, aborted)
            if held.result is not Result.ACCEPTED:
                return self._ended(
                    started_s,
                    held.result,
                    held.status,
                    f"The lease could not be written, the setpoint was not sent. {held.detail}",
                )
        if not aborted():
            stage(CommandState.SELECTED)
        judged = await self._operate(session, wire, binding.index, aborted)
        if judged.phase in (Phase.DONE, Phase.OPERATE_UNANSWERED):
            stage(CommandState.OPERATED)
        return self._ended(started_s, judged.result, judged.status, judged.detail)

    def _prepare(self, command: Command) -> tuple[Session, Binding, Wire, Wire | None] | Refusal:
        """All that can be refused before anything is sent."""
        binding = self._table.by_mrid.get(command.point)
        if binding is None:
            return Refusal(
                code="NO_SUCH_POINT", reasons=(f"{command.point} is not on link {self._link}",)
            )
        session = self._session
        if session is None or not session.usable:
            return Refusal(
                code="LINK_DOWN",
                reasons=(f"link {self._link} is {self._state}; nothing was sent or queued",),
            )
        wire = build(binding, command.value)
        if isinstance(wire, Refusal):
            return wire
        if binding.lease_index is None:
            return session, binding, wire, None
        left_s = command.lease_until_s - self._clock.now_s()
        if command.value == command.default_value:
            # Going home is always allowed; a lease on the default holds nothing back.
            left_s = max(left_s, LEASE_MIN_S)
        if left_s <= 0:
            return Refusal(code="LEASE_EXPIRED", reasons=(f"the lease ended {-left_s:.0f} s ago",))
        lease = setpoint(left_s)
        return lease if isinstance(lease, Refusal) else (session, binding, wire, lease)

    async def _operate(
        self, session: Session, wire: Wire, index: int, aborted: Callable[[], bool]
    ) -> Judgement:
        if aborted():
            return _aborted("Stopped before SELECT; nothing was sent.")
        future = session.operate(wire, index)
        settings = self._settings
        deadline_s = (
            self._clock.monotonic_s()
            + session.start_timeout_s
            + 2 * settings.response_timeout_s
            + 1.0
        )
        cut = False
        while not future.done():
            await asyncio.wait({future}, timeout=ABORT_LOOK_S)
            cut = not future.done() and aborted()
            if cut or self._clock.monotonic_s() > deadline_s:
                break
        if not future.done():
            self._condemn(session)
            await asyncio.wait({future}, timeout=LIFECYCLE_DEADLINE_S + 0.5)
        if not future.done():
            return _unknown("The stack gave no answer.")
        judged = judge(future.result(), index)
        if judged.broken:
            self._condemn(session)
        if cut and judged.phase in (Phase.SELECT_UNANSWERED, Phase.NOT_SENT):
            return _aborted("Stopped after SELECT; the socket was closed before any OPERATE.")
        return judged

    def _condemn(self, session: Session) -> None:
        """Nothing more leaves on this session; the supervisor closes it."""
        session.condemned = True
        self._wake.set()

    def _ended(self, started_s: float, result: Result, status: str, detail: str) -> Execution:
        return Execution(
            result=result,
            status=status,
            detail=detail,
            round_trip_s=self._clock.monotonic_s() - started_s,
        )


def _aborted(detail: str) -> Judgement:
    return Judgement(
        result=Result.ABORTED, status="ABORTED", detail=detail, phase=Phase.SELECT_UNANSWERED
    )


def _unknown(detail: str) -> Judgement:
    return Judgement(
        result=Result.UNKNOWN,
        status="NO_ANSWER",
        detail=f"Outcome not known: {detail}",
        phase=Phase.OPERATE_UNANSWERED,
    )
