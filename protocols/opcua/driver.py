"""One OPC UA link: keeps a session alive, reports every point, executes permits.

The supervisor makes a new session for every attempt, waits between attempts with growing, jittered
pauses, and watches the subscription itself: a server that stays silent for three keep-alive times
is lost. Where there are redundant servers it is in charge of which one is asked; commands go to
that one only.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Sequence
from typing import Final

from gridctl.model.clock import Clock
from gridctl.model.link import LinkHealth
from gridctl.model.measurement import Measurement
from gridctl.model.permit import Permit
from protocols.backoff import Backoff, Randomness
from protocols.conditions import DeviceCondition
from protocols.driver import Execution, LinkSettings, PointAddress, Result, StageCallback
from protocols.inbox import Inbox
from protocols.opcua.codec import alone, measurement_of
from protocols.opcua.conditions import Conditions
from protocols.opcua.connection import WIRE_ERRORS, reason_of
from protocols.opcua.controls import Operation
from protocols.opcua.history import read_gap
from protocols.opcua.image import PointImage
from protocols.opcua.redundancy import Servers
from protocols.opcua.report import Counts, diagnostics, first_expiry_s, up_detail
from protocols.opcua.session import Session
from protocols.opcua.settings import read_settings, read_targets
from protocols.opcua.trace import WireLog
from protocols.opcua.wire import Sample
from protocols.traffic import Traffic, bounded

_log = logging.getLogger(__name__)

# A server that is away is looked for often: its operators wait for it. One that refuses us (user,
# certificate, policy) is left in peace: each wrong password may lock an account.
_AWAY_FIRST_S: Final = 0.5
_AWAY_CAP_S: Final = 1.5
_REFUSED_FIRST_S: Final = 1.0
_REFUSED_CAP_S: Final = 30.0
_STEADY_S: Final = 10.0  # a session that lived this long starts the pauses from the beginning
_RETRY_S: Final = 10.0
_BACKFILL_S: Final = 5.0  # the link is not up meanwhile: what is older than this stays a gap
_FIRST_PUBLISHINGS: Final = 3.0  # so many publishing intervals after its start a point has spoken
_LEVEL_END_S: Final = 1.0
_TICK_MAX_S: Final = 0.5
_STOP_S: Final = 5.0
_BUG_PAUSE_S: Final = 5.0
_LOST_KEEPALIVES: Final = 3.0
_REPORT_KEEPALIVES: Final = 1.2  # a keep-alive may be this late before values are not re-reported


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
        self._targets = read_targets(settings, points, self._settings)
        self._index = {target.row.point.mrid: i for i, target in enumerate(self._targets)}
        self._link = settings.id
        self._clock = clock
        dice = random.SystemRandom() if randomness is None else randomness
        self._away = Backoff(randomness=dice, first_s=_AWAY_FIRST_S, cap_s=_AWAY_CAP_S)
        self._refused = Backoff(randomness=dice, first_s=_REFUSED_FIRST_S, cap_s=_REFUSED_CAP_S)
        shortest_s = min((t.row.point.scan_s for t in self._targets), default=_TICK_MAX_S)
        self._tick_s = min(_TICK_MAX_S, shortest_s / 5.0)
        self._image = PointImage(
            self._targets,
            inbox,
            clock,
            heartbeat=self._settings.heartbeat,
            tick_s=self._tick_s,
        )
        self._traffic = Traffic()
        self.trace = WireLog(clock.now_s)
        self.trace.stop()
        self._conditions = Conditions(clock)
        self._task: asyncio.Task[None] | None = None
        self._stopping = False
        self._session: Session | None = None
        self._command_lock = asyncio.Lock()
        self._lock_owner = ""
        self._told_lost = False
        self._state = "connecting"
        self._detail = "not started"
        self._since_s = clock.now_s()
        self._late_scans = 0
        self._commands = 0
        self._opened = 0
        self._counts = Counts()
        self._servers = Servers(
            self._settings, self._counts, make=self._new_session, stopping=lambda: self._stopping
        )
        self._silent = False

    @property
    def link(self) -> str:
        return self._link

    async def start(self) -> None:
        if self._task is None:
            self._stopping = False
            self._spawn(0.0)

    async def stop(self) -> None:
        task, self._task = self._task, None
        if task is None:
            return
        # The flag beside the cancellation: asyncio.wait_for of Python 3.11 loses one that arrives
        # together with an answer, and asyncua waits by it.
        self._stopping = True
        task.cancel()
        await asyncio.wait({task}, timeout=_STOP_S)
        if task.done() and not task.cancelled():
            error = task.exception()
            if error is not None:
                _log.error("link %s: supervisor ended with %s", self._link, reason_of(error))
        self._enter("down", "stopped")

    def _spawn(self, after_s: float) -> None:
        self._task = asyncio.create_task(self._supervise(after_s), name=f"opcua {self._link}")
        self._task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        """The supervisor ends when it is told to, and in no other way: after a bug it is said, the
        link is down, and a new one begins."""
        error = None if task.cancelled() else task.exception()
        if error is None or self._stopping:
            return
        _log.error("link %s: supervisor broke", self._link, exc_info=error)
        self._down(f"bug: {reason_of(error)}")
        self._spawn(_BUG_PAUSE_S)

    async def execute(
        self, permit: Permit, *, aborted: Callable[[], bool], stage: StageCallback
    ) -> Execution:
        command = permit.command
        index = self._index.get(command.point, -1)
        if index < 0 or not self._targets[index].commandable:
            return _rejected("NOT_COMMANDABLE", f"{command.point} takes no command on this link")
        if self._live_session() is None:
            return self._link_down()
        patience_s = max(0.0, permit.expires_mono_s - self._clock.monotonic_s())
        try:
            async with asyncio.timeout(patience_s):
                await self._command_lock.acquire()
        except TimeoutError:
            return _rejected(
                "BUSY", f"{self._lock_owner} on this link took longer than the permit holds"
            )
        try:
            refusal = permit.use(self._clock.monotonic_s())
            if refusal is not None:
                return _rejected("PERMIT", refusal)
            session = self._live_session()
            if session is None:
                return self._link_down()
            self._commands += 1
            self._lock_owner = command.mrid
            operation = Operation(
                session=session,
                target=self._targets[index],
                command=command,
                aborted=aborted,
                stage=stage,
                clock=self._clock,
            )
            return await operation.run()
        finally:
            self._lock_owner = ""
            self._command_lock.release()

    async def read_back(self, point: str, *, timeout_s: float) -> Measurement | None:
        index, session = self._index.get(point, -1), self._live_session()
        if index < 0 or session is None:
            return None
        try:
            async with asyncio.timeout(timeout_s):
                sample = await session.read_one(index)
        except WIRE_ERRORS:
            return None
        if sample is None:
            return None
        element = self._targets[index].element
        if index in session.ranged:
            sample, element = alone(sample), ()
        return measurement_of(
            self._targets[index].row,
            sample,
            element=element,
            last=self._image.known(index),
            received_s=self._clock.now_s(),
        )

    def conditions(self) -> tuple[DeviceCondition, ...] | None:
        """The server's alarms, worst first; none unless `conditions = true`, None while the link is
        down or has not told them all yet."""
        if not self._settings.conditions:
            return ()
        if self._live_session() is None or not self._conditions.are_complete:
            return None
        return self._conditions.all()

    async def acknowledge(self, condition: str, *, comment: str) -> Execution:
        """Acknowledge one of `conditions()` in the server, after a person has confirmed it."""
        if not self._settings.encrypted:
            return _rejected("UNENCRYPTED", f"link {self._link} is not encrypted: it only reads")
        session = self._live_session()
        if session is None:
            return self._link_down()
        return await self._conditions.acknowledge(session, condition, comment)

    def start_trace(self) -> None:
        """Keep requests and answers in words from now on."""
        self.trace.start()

    def stop_trace(self) -> None:
        self.trace.stop()

    def trace_lines(self) -> tuple[str, ...]:
        return self.trace.lines()

    def trace_pcap(self) -> None:
        """None: on the network it is encrypted, and the clear text is no packet."""

    def health(self) -> LinkHealth:
        session = self._session
        busy = self._lock_owner
        health = LinkHealth(
            link=self._link,
            protocol="opcua",
            endpoint=self._settings.urls[0],
            state=self._state,
            since_s=self._since_s,
            points=len(self._targets),
            reads=self._image.reads,
            late_scans=self._late_scans,
            commands=self._commands,
            reconnects=max(0, self._opened - 1),
            round_trip_s=None,
            detail=self._detail if session is None else up_detail(session, self._image),
            active_endpoint="" if session is None else session.url,
            certificate_expires_s=first_expiry_s(self._settings, session),
            commands_in_flight=1 if busy else 0,
            lock_owner=busy,
            rejected_certificate=self._counts.rejected,
            diagnostics=diagnostics(self._settings, self._counts, session)
            | ({"conditions": self._conditions.summary()} if self._settings.conditions else {}),
        )
        return bounded(self._traffic.filled(health))

    def _live_session(self) -> Session | None:
        session = self._session
        return None if session is None or session.is_lost else session

    def _link_down(self) -> Execution:
        return _rejected("LINK_DOWN", f"link {self._link} is down: {self._detail}")

    async def _supervise(self, after_s: float) -> None:
        await asyncio.sleep(after_s)
        while not self._stopping:
            opened_s = self._clock.monotonic_s()
            session, reason = await self._servers.open_best()
            if session is None:
                self._down(reason)
            else:
                await self._hold_sessions(session)
                if self._clock.monotonic_s() - opened_s > _STEADY_S:
                    self._away.settled()
                    self._refused.settled()
                    if len(self._settings.urls) > 1:
                        continue  # the other server is asked at once
            if not self._stopping:
                pauses = self._refused if self._servers.is_refused else self._away
                await asyncio.sleep(pauses.pause_s())

    def _new_session(self, url: str) -> Session:
        box: list[Session] = []
        session = Session(
            self._settings,
            url,
            self._targets,
            report=lambda samples: self._on_samples(box[0], samples),
            refused=self._image.refuse,
            clock=self._clock,
            traffic=self._traffic,
            trace=self.trace,
        )
        box.append(session)
        return session

    async def _backfill(self, session: Session) -> None:
        """Tell what happened in the gap before anything newer is told: events have an order.

        The subscription is older than this reading, so both know the changes in between. Where the
        subscription begins, the history ends: each change is told by one of them.
        """
        since_s = self._image.since_s()
        nodes = {
            index: node
            for index in since_s
            if (node := session.connection.node(self._targets[index].node)) is not None
        }
        try:
            async with asyncio.timeout(_BACKFILL_S):
                live_ticks = await session.first_changes(
                    nodes, within_s=_FIRST_PUBLISHINGS * self._settings.publishing_ms / 1000.0
                )
                gap = await read_gap(
                    session.connection,
                    nodes,
                    since_s=since_s,
                    until_s=self._clock.now_s(),
                    live_ticks=live_ticks,
                )
        except WIRE_ERRORS as error:
            _log.warning("link %s: the gap stays: %s", self._link, reason_of(error))
            return
        for note in gap.notes:
            _log.warning("link %s: the gap stays: %s", self._link, note)
        self._image.remember(gap.samples)
        self._counts.backfilled += len(gap.samples)

    async def _hold_sessions(self, session: Session) -> None:
        """Keep the link on `session`, and on those that it is handed over to, until one is lost.
        That it is lost is told before closing: closing may take seconds when nobody answers."""
        current = session
        try:
            if self._settings.backfill:
                await self._backfill(current)
            self._opened += 1
            self._take_charge(current)
            current.activate()
            while (successor := await self._hold(current)) is not None:
                async with self._command_lock:  # no command is on its way through the former one
                    former, current = current, successor
                    self._take_charge(current)
                    current.activate(self._image.untold)
                self._counts.switches += 1
                self._counts.gaps += former.gaps
                await former.close()
            self._down(current.connection.lost_reason)
        except WIRE_ERRORS as error:
            self._down(reason_of(error))
        finally:
            self._session = None
            self._counts.gaps += current.gaps
            self._servers.lost(current.url)
            await current.close()

    def _take_charge(self, session: Session) -> None:
        self._session = session
        self._told_lost = False
        self._enter("up", "")
        _log.info("link %s is up: %s", self._link, session.url)

    def _down(self, reason: str) -> None:
        if reason != self._detail or self._state != "down":
            _log.warning("link %s is down: %s", self._link, reason)
        self._session = None
        self._traffic.failed(reason, at_s=self._clock.now_s())
        self._enter("down", reason)
        if not self._told_lost:
            self._told_lost = True
            self._image.lose()

    async def _hold(self, session: Session) -> Session | None:
        """Watch the session until it is lost (None), or another server is better (its session)."""
        now_s = self._clock.monotonic_s()
        retry_s = now_s + _RETRY_S
        self._image.heartbeat_moved_s = now_s
        if self._settings.conditions:
            await self._conditions.follow(session)
        level = asyncio.create_task(self._servers.better_than(session))
        learning = asyncio.create_task(session.methods.learn())
        try:
            while not (self._stopping or await session.connection.wait_lost(self._tick_s)):
                now_s = self._clock.monotonic_s()
                if not self._still_alive(session, now_s):
                    break
                if session.unmonitored and now_s >= retry_s:
                    retry_s = now_s + _RETRY_S
                    await session.retry_unmonitored()
                if level.done() and not session.is_lost:
                    return level.result()
        finally:
            level.cancel()
            learning.cancel()
            await asyncio.wait({level, learning}, timeout=_LEVEL_END_S)
        return None

    def _still_alive(self, session: Session, now_s: float) -> bool:
        """False when the server was silent for too long; else points are re-reported as long as
        its last sign of life is fresh."""
        silent_s = now_s - session.alive_s
        if silent_s > _LOST_KEEPALIVES * session.keepalive_s:
            session.connection.give_up(f"no keep-alive for {silent_s:.1f} s")
            return False
        if silent_s <= _REPORT_KEEPALIVES * session.keepalive_s:
            self._silent = False
            self._image.re_report()
        elif not self._silent:
            self._silent = True
            self._late_scans += 1
        return True

    def _on_samples(self, session: Session, samples: Sequence[Sample]) -> None:
        if session is self._session:  # one that was handed over has nothing more to say
            self._image.take(samples, ranged=session.ranged)

    def _enter(self, state: str, detail: str) -> None:
        if state != self._state:
            self._since_s = self._clock.now_s()
        self._state = state
        self._detail = detail


def _rejected(status: str, detail: str) -> Execution:
    return Execution(result=Result.REJECTED, status=status, detail=detail, round_trip_s=0.0)
