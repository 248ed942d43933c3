"""The DNP3 driver: one link to one outstation, on yadnp3 behind a line of our own (ADR 0013).

One supervising task owns the session: it opens it, watches over it, and is the only one that
throws it away. Everybody else asks for that by condemning the session.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Sequence

from gridctl.model.clock import Clock
from gridctl.model.errors import UnavailableError
from gridctl.model.link import LinkHealth
from gridctl.model.measurement import Measurement
from gridctl.model.permit import Permit
from protocols.backoff import Backoff, Randomness
from protocols.dnp3.capture import Capture
from protocols.dnp3.codec import PointTable
from protocols.dnp3.commanding import Commander
from protocols.dnp3.dialing import own_until_s, tls_context
from protocols.dnp3.image import PointImage
from protocols.dnp3.knowledge import Knowledge
from protocols.dnp3.report import diagnostics, total, words
from protocols.dnp3.session import Session
from protocols.dnp3.settings import read_settings
from protocols.dnp3.trace import lines
from protocols.dnp3.values import Decoder
from protocols.driver import Execution, LinkSettings, PointAddress, StageCallback
from protocols.inbox import Inbox
from protocols.traffic import Traffic, bounded

log = logging.getLogger(__name__)

STOP_DEADLINE_S = 4.5
STARTING_TICK_S = 0.05
SETTLED_S = 10.0
"""A connection that was ready for this long was of use: the next pause is a short one again."""


class Dnp3Driver:
    """Fulfils `protocols.driver.Driver` (contract: tests/contracts/test_driver_contract.py).

    `stage` hears SELECTED and OPERATED in the moment in which the octets leave, and `aborted` is
    asked in that moment too: no OPERATE leaves after a STOP.
    """

    def __init__(
        self,
        settings: LinkSettings,
        points: Sequence[PointAddress],
        inbox: Inbox,
        clock: Clock,
        randomness: Randomness | None = None,
    ) -> None:
        """Raises ConfigError for options or addresses that cannot be used; opens nothing."""
        self._link = settings.id
        self._settings = read_settings(settings)
        self._table = PointTable(points)
        self._clock = clock
        self._image = PointImage(self._table, inbox, clock, polled_s=self._settings.integrity_s)
        self._decoder = Decoder(self._table)
        self._traffic = Traffic()
        tls = self._settings.tls
        self._knowledge = Knowledge(
            traffic=self._traffic,
            tls_context=None if tls is None else tls_context(tls, file=settings.file),
        )
        self._own_until_s = None if tls is None else own_until_s(tls)
        self.capture = Capture(clock.now_s)
        # Seeded by the link: every link pauses differently, and each the same in every run.
        self._backoff = Backoff(randomness=randomness or random.Random(settings.id))  # noqa: S311
        self._commander = Commander(
            link=self._link,
            settings=self._settings,
            table=self._table,
            clock=clock,
            session=lambda: self._session,
        )
        scan_s = min(point.point.scan_s for point in points)
        self._tick_s = min(0.25, max(0.02, scan_s / 4))
        self._session: Session | None = None
        self._supervisor: asyncio.Task[None] | None = None
        self._stop = asyncio.Event()
        self._woken: asyncio.Future[None] | None = None
        self._asked_to_wake = False
        self._state = "down"
        self._since_s = clock.now_s()
        self._detail = "not started"
        self._endpoint = self._settings.endpoints[0]
        self._device_until_s: float | None = None
        self._opens = 0
        self._late_scans = 0
        self._was_lost = 0

    @property
    def link(self) -> str:
        return self._link

    async def start(self) -> None:
        if self._supervisor is None:
            self._stop.clear()
            self._set_state("connecting", "")
            self._supervisor = asyncio.create_task(
                self._supervise(), name=f"dnp3-{self._link}-supervisor"
            )

    async def stop(self) -> None:
        supervisor, self._supervisor = self._supervisor, None
        if supervisor is None:
            return
        self._stop.set()
        if self._session is not None:
            self._session.condemn("stopped")
        self._wake()
        await asyncio.wait({supervisor}, timeout=STOP_DEADLINE_S)
        if not supervisor.done():
            supervisor.cancel()
        self._set_state("down", "stopped")

    # --- supervision ------------------------------------------------------------------------

    async def _supervise(self) -> None:
        turn = 0
        while not self._stop.is_set():
            self._endpoint = self._settings.endpoints[turn % len(self._settings.endpoints)]
            session = Session(
                link=self._link,
                settings=self._settings,
                table=self._table,
                image=self._image,
                decoder=self._decoder,
                knowledge=self._knowledge,
                capture=self.capture,
                clock=self._clock,
                changed=self._wake,
            )
            began_s, was_ready = self._clock.monotonic_s(), False
            try:
                reason, was_ready = await self._live(session)
            finally:
                self._image.lose_all()
                self._session = None
                await session.close()
            self._traffic = total(self._traffic, session.conversation)
            self._knowledge.traffic = self._traffic
            lived_s = self._clock.monotonic_s() - began_s
            if not was_ready:
                turn += 1
            elif lived_s >= SETTLED_S:
                self._backoff.settled()
            if self._stop.is_set():
                return
            self._set_state("down" if self._state != "connecting" else self._state, reason)
            self._traffic.retries += 1
            self._traffic.failed(reason, at_s=self._clock.now_s())
            log.warning("link %s: reconnecting: %s", self._link, reason)
            await self._rest(self._backoff.pause_s())

    async def _live(self, session: Session) -> tuple[str, bool]:
        """Open and watch `session` until it has to go; why, and whether it was ready."""
        opening = asyncio.create_task(session.open(self._endpoint))
        try:
            while not opening.done():
                if self._stop.is_set():
                    return "stopped", False
                self._look_at_image(connected=False)
                await self._pause(self._tick_s, opening)
            await opening
        except UnavailableError as error:
            return str(error), False
        finally:
            opening.cancel()
            await asyncio.wait({opening}, timeout=1.0)
        self._session, was_ready = session, False
        self._opens += 1
        self._device_until_s = session.device_certificate_until_s
        while not (self._stop.is_set() or session.condemned):
            session.look()
            was_ready = was_ready or session.ready
            if self._state != "up" or not session.usable:
                self._show(session)
            await self._pause(self._tick_s if session.ready else STARTING_TICK_S)
        return session.lost or "stopped", was_ready

    async def _rest(self, seconds: float) -> None:
        """The whole pause between two attempts; only a stop ends it early."""
        end_s = self._clock.monotonic_s() + seconds
        while (left_s := end_s - self._clock.monotonic_s()) > 0 and not self._stop.is_set():
            await self._pause(left_s)

    async def _pause(self, seconds: float, task: asyncio.Task[None] | None = None) -> None:
        """Sleep `seconds`, or less when woken or when `task` ends; points go on ageing.

        A timer and a future, no task of its own: hundreds of links do this several times a second.
        """
        loop = asyncio.get_running_loop()
        end_s = loop.time() + seconds
        while (left_s := end_s - loop.time()) > 0:
            woken: asyncio.Future[None] = loop.create_future()
            self._woken = woken
            timer = loop.call_later(min(left_s, self._tick_s), _resolve, woken)
            if task is not None:
                task.add_done_callback(lambda _, woken=woken: _resolve(woken))  # type: ignore[misc]
            try:
                await woken
            finally:
                timer.cancel()
                self._woken = None
            self._look_at_image(connected=self._session is not None)
            if self._asked_to_wake or (task is not None and task.done()):
                self._asked_to_wake = False
                return

    def _wake(self) -> None:
        self._asked_to_wake = True
        if self._woken is not None:
            _resolve(self._woken)

    def _look_at_image(self, *, connected: bool) -> None:
        lost = self._image.watch()
        self._late_scans += max(0, lost - self._was_lost) if connected else 0
        self._was_lost = lost

    def _show(self, session: Session) -> None:
        if session.usable:
            self._set_state("up", "")
        elif not session.condemned:
            self._set_state("connecting", "connected, waiting for the first integrity poll")

    def _set_state(self, state: str, detail: str) -> None:
        if state != self._state:
            log.info("link %s: %s -> %s %s", self._link, self._state, state, detail)
            self._state = state
            self._since_s = self._clock.now_s()
        self._detail = detail

    def start_trace(self) -> None:
        """Keep what passes the line from now on."""
        self.capture.start()

    def stop_trace(self) -> None:
        self.capture.stop()

    def trace_lines(self) -> Sequence[str]:
        return tuple(lines(self.capture.pieces()))

    def trace_pcap(self) -> bytes:
        return self.capture.pcap()

    def health(self) -> LinkHealth:
        session = self._session
        if self._state == "up" and (session is None or not session.usable):
            self._set_state("down", "connection lost")
        elif session is not None and session.usable:
            # Put into words when somebody asks, not at every look at hundreds of links.
            self._set_state("up", "; ".join(words(session, self._image, self._was_lost)))
        conversation = None if session is None else session.conversation
        ends = [one for one in (self._own_until_s, self._device_until_s) if one is not None]
        health = LinkHealth(
            link=self._link,
            protocol="dnp3",
            endpoint=self._settings.endpoint,
            state=self._state,
            since_s=self._since_s,
            points=len(self._table),
            reads=self._image.reads,
            late_scans=self._late_scans,
            commands=self._commander.sent,
            reconnects=max(0, self._opens - 1),
            round_trip_s=None,
            detail=self._detail,
            active_endpoint=str(self._endpoint) if session is not None else "",
            certificate_expires_s=min(ends) if ends else None,
            commands_in_flight=self._commander.waiting + bool(self._commander.owner),
            lock_owner=self._commander.owner,
            events=self._knowledge.events,
            diagnostics=diagnostics(conversation, self._knowledge),
        )
        traffic = self._traffic if conversation is None else total(self._traffic, conversation)
        return bounded(traffic.filled(health))

    # --- what the agent asks ----------------------------------------------------------------

    async def read_back(self, point: str, *, timeout_s: float) -> Measurement | None:
        binding = self._table.by_mrid.get(point)
        session = self._session
        if binding is None or session is None:
            return None
        return await session.read_back(binding, timeout_s=timeout_s)

    async def execute(
        self, permit: Permit, *, aborted: Callable[[], bool], stage: StageCallback
    ) -> Execution:
        return await self._commander.execute(permit, aborted, stage)


def _resolve(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
