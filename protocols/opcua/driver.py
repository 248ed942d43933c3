"""One OPC UA link: keeps a session alive, reports every point, executes permits.

The supervisor makes a new session for every attempt, waits between attempts with growing, jittered
pauses, and watches the subscription itself: a server that stays silent for three keep-alive times
is lost.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final, Protocol

from gridctl.model.clock import Clock
from gridctl.model.link import LinkHealth
from gridctl.model.measurement import Measurement
from gridctl.model.permit import Permit
from protocols.driver import Execution, LinkSettings, PointAddress, Result, StageCallback
from protocols.inbox import Inbox
from protocols.opcua.codec import lost, measurement_of, unreadable
from protocols.opcua.controls import Operation
from protocols.opcua.session import WIRE_ERRORS, Session, Values, reason_of
from protocols.opcua.settings import read_settings, read_targets

_log = logging.getLogger(__name__)

_FIRST_PAUSE_S: Final = 0.5
_PAUSE_MAX_S: Final = 5.0
_STEADY_S: Final = 10.0  # a session that lived this long starts the pauses from the beginning
_OPEN_TIMEOUTS: Final = 10  # requests that opening a session may take, each with its own timeout
_RETRY_S: Final = 10.0
_TICK_MAX_S: Final = 0.5
_STOP_S: Final = 5.0
_LOST_KEEPALIVES: Final = 3.0
_REPORT_KEEPALIVES: Final = 1.2  # a keep-alive may be this late before values are not re-reported
_HEARTBEAT_MISSES: Final = 3.0


class Randomness(Protocol):
    """The one thing that is asked of a source of randomness."""

    def uniform(self, a: float, b: float, /) -> float: ...


class Backoff:
    """Pauses between attempts: doubled each time up to `cap_s`, each between half and all of it,
    so that many links do not fall upon a restarted server together."""

    def __init__(self, *, first_s: float, cap_s: float, randomness: Randomness) -> None:
        self._first_s = first_s
        self._cap_s = cap_s
        self._randomness = randomness
        self._next_s = first_s

    def pause_s(self) -> float:
        """The next pause, in seconds."""
        pause_s, self._next_s = self._next_s, min(2.0 * self._next_s, self._cap_s)
        return self._randomness.uniform(0.5, 1.0) * pause_s

    def reset(self) -> None:
        """Begin with short pauses again."""
        self._next_s = self._first_s


class OpcUaDriver:
    """Fulfils `protocols.driver.Driver` on OPC UA. Raises ConfigError when the options, files or
    addresses cannot be used; connects only when started."""

    def __init__(
        self,
        settings: LinkSettings,
        points: Sequence[PointAddress],
        inbox: Inbox,
        clock: Clock,
        *,
        randomness: Randomness | None = None,
    ) -> None:
        self._settings = read_settings(settings)
        self._targets = read_targets(settings, points, self._settings.heartbeat)
        self._by_mrid = {target.row.point.mrid: target for target in self._targets}
        self._link = settings.id
        self._inbox = inbox
        self._clock = clock
        self._backoff = Backoff(
            first_s=_FIRST_PAUSE_S,
            cap_s=_PAUSE_MAX_S,
            randomness=random.SystemRandom() if randomness is None else randomness,
        )
        shortest_s = min((t.row.point.scan_s for t in self._targets), default=_TICK_MAX_S)
        self._tick_s = min(_TICK_MAX_S, shortest_s / 5.0)
        self._task: asyncio.Task[None] | None = None
        self._session: Session | None = None
        self._command_lock = asyncio.Lock()
        self._known: dict[str, Measurement] = {}
        self._put: dict[str, tuple[Measurement, float]] = {}
        self._told_lost = False
        self._state = "connecting"
        self._detail = "not started"
        self._since_s = clock.now_s()
        self._reads = 0
        self._late_scans = 0
        self._commands = 0
        self._opened = 0
        self._silent = False
        self._heartbeat_moved_s = 0.0

    @property
    def link(self) -> str:
        return self._link

    async def start(self) -> None:
        if self._task is None:
            self._task = asyncio.create_task(self._supervise(), name=f"opcua {self._link}")

    async def stop(self) -> None:
        task, self._task = self._task, None
        if task is None:
            return
        task.cancel()
        await asyncio.wait({task}, timeout=_STOP_S)
        if task.done() and not task.cancelled():
            error = task.exception()
            if error is not None:
                _log.error("link %s: supervisor ended with %s", self._link, reason_of(error))
        self._enter("down", "stopped")

    async def execute(
        self, permit: Permit, *, aborted: Callable[[], bool], stage: StageCallback
    ) -> Execution:
        command = permit.command
        target = self._by_mrid.get(command.point)
        if target is None or not target.commandable:
            return _rejected("NOT_COMMANDABLE", f"{command.point} takes no command on this link")
        if self._live_session() is None:
            return self._link_down()
        patience_s = max(0.0, permit.expires_mono_s - self._clock.monotonic_s())
        try:
            async with asyncio.timeout(patience_s):
                await self._command_lock.acquire()
        except TimeoutError:
            return _rejected("BUSY", "another command on this link took longer than the permit")
        try:
            refusal = permit.use(self._clock.monotonic_s())
            if refusal is not None:
                return _rejected("PERMIT", refusal)
            session = self._live_session()
            if session is None:
                return self._link_down()
            self._commands += 1
            operation = Operation(
                session=session,
                target=target,
                command=command,
                aborted=aborted,
                stage=stage,
                clock=self._clock,
            )
            return await operation.run()
        finally:
            self._command_lock.release()

    async def read_back(self, point: str, *, timeout_s: float) -> Measurement | None:
        target, session = self._by_mrid.get(point), self._live_session()
        if target is None or session is None:
            return None
        node = session.node(target.node)
        if node is None:
            return None
        try:
            async with asyncio.timeout(timeout_s):
                (value,) = await session.read([node])
        except WIRE_ERRORS:
            return None
        return measurement_of(
            target.row, value, last=self._known.get(point), received_s=self._clock.now_s()
        )

    def health(self) -> LinkHealth:
        session = self._session
        return LinkHealth(
            link=self._link,
            protocol="opcua",
            endpoint=self._settings.url,
            state=self._state,
            since_s=self._since_s,
            points=len(self._targets),
            reads=self._reads,
            late_scans=self._late_scans,
            commands=self._commands,
            reconnects=max(0, self._opened - 1),
            round_trip_s=None if session is None else session.round_trip_s,
            detail=self._detail if session is None else self._up_detail(session),
        )

    def _live_session(self) -> Session | None:
        session = self._session
        return None if session is None or session.is_lost else session

    def _link_down(self) -> Execution:
        return _rejected("LINK_DOWN", f"link {self._link} is down: {self._detail}")

    async def _supervise(self) -> None:
        while True:
            await self._one_session()
            await asyncio.sleep(self._backoff.pause_s())

    async def _one_session(self) -> None:
        """Open a session, hold it as long as it lives, tell that it is lost, and only then close
        it: closing may take seconds when nobody answers."""
        session = Session(
            self._settings,
            self._targets,
            report=self._on_values,
            refused=self._on_refused,
            clock=self._clock,
        )
        opened_s = self._clock.monotonic_s()
        try:
            async with asyncio.timeout(_OPEN_TIMEOUTS * self._settings.timeout_s):
                await session.open()
            self._session = session
            self._opened += 1
            self._told_lost = False
            self._enter("up", "")
            _log.info("link %s is up", self._link)
            self._down(await self._hold(session))
        except WIRE_ERRORS as error:
            self._down(reason_of(error))
        finally:
            self._session = None
            if self._clock.monotonic_s() - opened_s > _STEADY_S:
                self._backoff.reset()
            await session.close()

    def _down(self, reason: str) -> None:
        _log.warning("link %s is down: %s", self._link, reason)
        self._session = None
        self._enter("down", reason)
        self._report_lost()

    async def _hold(self, session: Session) -> str:
        retry_s = self._clock.monotonic_s() + _RETRY_S
        self._heartbeat_moved_s = self._clock.monotonic_s()
        while not await session.wait_lost(self._tick_s):
            now_s = self._clock.monotonic_s()
            silent_s = now_s - session.alive_s
            if silent_s > _LOST_KEEPALIVES * session.keepalive_s:
                session.give_up(f"no keep-alive for {silent_s:.1f} s")
                break
            if silent_s <= _REPORT_KEEPALIVES * session.keepalive_s:
                self._silent = False
                self._re_report(now_s)
            elif not self._silent:
                self._silent = True
                self._late_scans += 1
            if session.has_unmonitored and now_s >= retry_s:
                retry_s = now_s + _RETRY_S
                await session.retry_unmonitored()
        return session.lost_reason

    def _on_values(self, values: Values) -> None:
        received_s = self._clock.now_s()
        now_s = self._clock.monotonic_s()
        fresh: list[Measurement] = []
        for index, value in values:
            row = self._targets[index].row
            mrid = row.point.mrid
            before = self._known.get(mrid)
            measured = measurement_of(row, value, last=before, received_s=received_s)
            self._known[mrid] = measured
            if mrid == self._settings.heartbeat and before is not None:
                self._heartbeat_moved_s = (
                    self._heartbeat_moved_s if before.value == measured.value else now_s
                )
            if self._worth_telling(row, measured):
                fresh.append(measured)
        self._reads += len(values)
        self._tell(fresh, now_s)

    def _worth_telling(self, row: PointAddress, measured: Measurement) -> bool:
        """Exception deadband on our side, against what was told last: servers' own deadbands
        differ, and one of them compares with the wrong value (opcua.md §4)."""
        told = self._put.get(row.point.mrid)
        if told is None or told[0].quality != measured.quality:
            return True
        return abs(measured.value - told[0].value) >= row.deadband

    def _on_refused(self, index: int, code: int) -> None:
        row = self._targets[index].row
        measured = unreadable(
            row, code, self._known.get(row.point.mrid), received_s=self._clock.now_s()
        )
        self._known[row.point.mrid] = measured
        self._tell([measured], self._clock.monotonic_s())

    def _re_report(self, now_s: float) -> None:
        """Tell every point again that was silent for its scan period: the server lives, so what
        it said last still holds."""
        received_s = self._clock.now_s()
        due: list[Measurement] = []
        for target in self._targets:
            point = target.row.point
            known = self._known.get(point.mrid)
            if known is None:
                continue
            told = self._put.get(point.mrid)
            if told is None or now_s - told[1] >= point.scan_s - self._tick_s:
                due.append(replace(known, received_time_s=received_s))
        self._tell(due, now_s)

    def _tell(self, measurements: Sequence[Measurement], now_s: float) -> None:
        for measurement in measurements:
            self._put[measurement.point] = (measurement, now_s)
        if measurements:
            self._inbox.put(list(measurements))

    def _report_lost(self) -> None:
        """Every point once with COMM_LOST; what was known stays known for the next session."""
        if self._told_lost:
            return
        self._told_lost = True
        received_s = self._clock.now_s()
        self._tell(
            [
                lost(target.row, self._known.get(mrid), received_s=received_s)
                for mrid, target in self._by_mrid.items()
            ],
            self._clock.monotonic_s(),
        )

    def _up_detail(self, session: Session) -> str:
        if self._settings.heartbeat:
            scan_s = self._by_mrid[self._settings.heartbeat].row.point.scan_s
            still_s = self._clock.monotonic_s() - self._heartbeat_moved_s
            if still_s > _HEARTBEAT_MISSES * scan_s:
                return f"heartbeat {self._settings.heartbeat} has not moved for {still_s:.0f} s"
        if session.has_unmonitored:
            return "the server refuses some points: check the points file"
        return ""

    def _enter(self, state: str, detail: str) -> None:
        if state != self._state:
            self._since_s = self._clock.now_s()
        self._state = state
        self._detail = detail


def _rejected(status: str, detail: str) -> Execution:
    return Execution(result=Result.REJECTED, status=status, detail=detail, round_trip_s=0.0)
