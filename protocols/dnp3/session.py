"""One life of a link: a connection to the device, the line, and the native stack behind it.

A broken one is thrown away with its stack, never mended: nothing that was queued in it can leave
later (dnp3.md G8). All methods belong to the event loop. Life-cycle calls of the stack run in a
thread of their own (`stack.off_loop`), never in a callback (G4).
"""

from __future__ import annotations

import asyncio
import logging
import threading
import zlib
from collections.abc import Callable

import opendnp3 as o

from gridctl.model.clock import Clock
from gridctl.model.errors import UnavailableError
from gridctl.model.measurement import Measurement
from protocols.dnp3.callbacks import Application, Listener, Quiet, Readings
from protocols.dnp3.capture import Capture
from protocols.dnp3.codec import Binding, PointTable, Sample, decode_all
from protocols.dnp3.conversation import Conversation
from protocols.dnp3.dialing import device_until_s, dial
from protocols.dnp3.exchange import Ending, Exchange
from protocols.dnp3.fragments import Fragment, Function
from protocols.dnp3.image import SILENT_SCANS, PointImage
from protocols.dnp3.knowledge import Knowledge
from protocols.dnp3.line import Line
from protocols.dnp3.polls import Polls, range_read, reads_of
from protocols.dnp3.scans import Occasions, add_scans, configure_device
from protocols.dnp3.selftest import SelfTest, readable_by_stack
from protocols.dnp3.settings import Dnp3Settings, Way
from protocols.dnp3.stack import manager, off_loop, total
from protocols.dnp3.stackconfig import channel_retry, stack_config
from protocols.dnp3.turns import start_timeout_s
from protocols.dnp3.values import Decoder

log = logging.getLogger(__name__)

CONNECT_TIMEOUT_S = 5.0
LIFECYCLE_DEADLINE_S = 3.0
READ_BACKS_MAX = 64
GIVEN_UP_MAX = 3
"""So many polls that the native stack does not take are no accident."""


class Session:
    """One connection. `condemned` means: nothing more is sent on it; `lost` says why it ended.

    Fulfils `receiver.Receiver`.
    """

    def __init__(
        self,
        *,
        link: str,
        settings: Dnp3Settings,
        table: PointTable,
        image: PointImage,
        decoder: Decoder,
        knowledge: Knowledge,
        capture: Capture,
        clock: Clock,
        changed: Callable[[], None],
    ) -> None:
        self._link = link
        self._settings = settings
        self._table = table
        self._clock = clock
        self._changed = changed
        self._image = image
        self._decoder = decoder
        self.knowledge = knowledge
        self._loop = asyncio.get_running_loop()
        self._generation = image.open_generation()
        self.scan_s = min((b.row.point.scan_s for b in table.by_mrid.values()), default=1.0)
        self._due_s = max(settings.poll_s(self.scan_s), settings.response_timeout_s)
        self.opened_s: float | None = None
        self.ready = False
        self.condemned = False
        self.lost = ""
        self.device_certificate_until_s: float | None = None
        self._waiters: dict[str, list[asyncio.Future[Measurement]]] = {}
        self._pending: set[asyncio.Future[Ending]] = set()
        # What once failed is tried again: the device, or what was in its way, may be another now.
        self._selftest: SelfTest | None = None if knowledge.decoder_fault == "" else SelfTest()
        self._integrity_s: float | None = None
        self._occasions = Occasions(settings)
        self.conversation = Conversation(
            master=settings.master_address,
            outstation=settings.outstation_address,
            receiver=self,
            monotonic_s=clock.monotonic_s,
            now_s=clock.now_s,
            response_timeout_s=settings.response_timeout_s,
            response_max_s=settings.response_max_s,
            unsolicited_classes=settings.unsolicited,
            plain_time=settings.time_sync == "write",
        )
        self.conversation.lean = knowledge.decoder_fault == ""
        self.conversation.ignores_disable = knowledge.ignores_disable
        self.line = Line(self.conversation, capture, self._on_lost)
        # The stack does not keep Python's half of these alive: this object must (pydnp3 #24).
        self._readings = Readings(self._boxed)
        self._quiet = Quiet()
        self._application = Application(clock)
        self._listener = Listener()
        # Opening and closing may meet: a channel that is added after its session was closed would
        # dial for ever.
        self._native = threading.Lock()
        self._closing = False
        self._channel: o.IChannel | None = None
        self._master: o.IMaster | None = None
        self._scans: list[o.IMasterScan] = []
        self._polls = Polls(self._loop, self.line.read)

    # --- life cycle -------------------------------------------------------------------------

    async def open(self, endpoint: Way) -> None:
        """Connect to the device, then let the stack begin. `close` is due in every case.

        Raises UnavailableError with the reason, also when the stack cannot be had.
        """
        context = self.knowledge.tls_context
        transport = await dial(
            self.line.device_end,
            endpoint,
            timeout_s=CONNECT_TIMEOUT_S,
            context=context,
            name=self._settings.tls.name if self._settings.tls is not None else None,
        )
        self.device_certificate_until_s = device_until_s(transport)
        address = await self.line.listen()
        try:
            await off_loop(lambda: self._open_native(address), deadline_s=LIFECYCLE_DEADLINE_S)
            async with asyncio.timeout(LIFECYCLE_DEADLINE_S):
                await self.line.stack_came.wait()
        except TimeoutError:
            raise UnavailableError("the native stack did not come to its line") from None
        except RuntimeError as error:
            raise UnavailableError(f"the native stack refused: {error}") from error
        self.opened_s = self._clock.monotonic_s()

    def _open_native(self, address: tuple[str, int]) -> None:
        with self._native:
            if not self._closing:
                self._add_channel(address)

    def _add_channel(self, address: tuple[str, int]) -> None:
        self._channel = manager().AddTCPClient(
            f"{self._link}#{self._generation}",
            o.levels.NOTHING,
            channel_retry(),
            [o.IPEndpoint(*address)],
            "127.0.0.1",
            self._listener,
        )
        master = self._channel.AddMaster(
            self._link,
            self._readings,
            self._application,
            stack_config(self._settings, scan_s=self.scan_s, now_s=self._clock.now_s()),
        )
        # Before it begins: the whole start-up can be over before this thread runs again.
        self._master = master
        master.Enable()

    async def close(self) -> None:
        """Let go of device and stack; whoever waits is told. Returns in `LIFECYCLE_DEADLINE_S`."""
        self.condemn("closed")
        self._scans.clear()
        self._master = None
        try:
            await off_loop(self._close_native, deadline_s=LIFECYCLE_DEADLINE_S)
        except TimeoutError:
            log.error("link %s: the DNP3 channel does not shut down; left behind", self._link)
        # Give the callbacks that Shutdown caused their turn before the rest is written off.
        await asyncio.sleep(0)
        for future in self._pending:
            if not future.done():
                future.set_result(Ending.LINK_LOST)

    def _close_native(self) -> None:
        with self._native:
            self._closing = True
            channel, self._channel = self._channel, None
            if channel is not None:
                channel.Shutdown()

    def condemn(self, why: str) -> None:
        """Nothing more leaves: the device's socket is reset at once."""
        self.condemned = True
        self.ready = False
        self.line.drop(why)

    def _on_lost(self, reason: str) -> None:
        self._polls.end()
        self.condemned = True
        self.ready = False
        self.lost = reason
        self._image.lose_all(self._generation)
        for waiters in self._waiters.values():
            for waiter in waiters:
                waiter.cancel()
        self._waiters.clear()
        self._changed()

    # --- what the line tells (receiver.Receiver) ----------------------------------------

    def take(self, response: Fragment, *, first: bool) -> int:
        received_s = self._clock.now_s()
        reading = self._decoder.read(
            response.objects, first=first, iin=response.iin, received_s=received_s
        )
        self.knowledge.note(reading)
        if self._selftest is not None and response.function == Function.RESPONSE:
            kept = response.objects[: reading.kept]
            self._selftest.ours(readable_by_stack(kept), first=first)
        if not self.knowledge.boxed:
            self._image.take(reading.measurements, self._generation)
            if self._waiters:
                self._answer(reading.measurements)
        return reading.kept

    def for_stack(self, objects: bytes) -> bytes:
        return readable_by_stack(objects)

    def may_confirm(self) -> bool:
        return not self._readings.failed

    def integrity_done(self) -> None:
        if self.ready or self.condemned:
            return
        self._integrity_s = self._clock.monotonic_s()
        if self._selftest is None:
            self._become_ready()
            return
        self._selftest.whole()
        if self._selftest.verdict is not None:
            self._decide(self._selftest.verdict)

    def round_trip(self, seconds: float) -> None:
        self.knowledge.traffic.round_trips.add(seconds)

    # --- values as the stack boxed them -----------------------------------------------------

    @property
    def _handler(self) -> o.ISOEHandler:
        """Who hears the values of what is asked: nobody where the line takes them itself."""
        return self._readings if self.knowledge.boxed else self._quiet

    def _boxed(self, samples: list[Sample], unsolicited: bool) -> None:
        """On the stack's thread: for the self-test, or for good where it failed."""
        if self.knowledge.boxed:
            received_s = self._clock.now_s()
            taken = decode_all(samples, self._table, received_s=received_s)
            self._image.take(taken, self._generation)
            self._loop.call_soon_threadsafe(self._answer, taken)
        if self._selftest is not None and not unsolicited:
            self._loop.call_soon_threadsafe(self._judge_decoder, samples)

    def _judge_decoder(self, samples: list[Sample]) -> None:
        selftest = self._selftest
        if selftest is None or self.condemned:
            return
        selftest.theirs(samples)
        if self._integrity_s is not None and selftest.verdict is not None:
            self._decide(selftest.verdict)

    def _decide(self, fault: str) -> None:
        self._selftest = None
        known, self.knowledge.decoder_fault = self.knowledge.decoder_fault, fault
        if fault and fault != known:
            log.error("link %s: reading by the stack's values: %s", self._link, fault)
        self.conversation.lean = not fault
        self._become_ready()

    def _become_ready(self) -> None:
        if self._master is None or self.condemned:
            return
        self.ready = True
        self.knowledge.ignores_disable = self.conversation.ignores_disable
        # Links that come up together must not poll together ever after.
        phase = zlib.crc32(self._link.encode()) / 2**32
        period_s = self._settings.poll_s(self.scan_s)
        self._loop.call_later(phase * period_s, self._begin_scans)
        configure_device(self._master, self._settings, self._table, self._deadbands_told)
        self._changed()

    def _begin_scans(self) -> None:
        if self._master is None or not self.usable:
            return
        if self.conversation.lean:
            self._polls.begin(reads_of(self._settings, scan_s=self.scan_s))
        else:
            self._scans = add_scans(self._master, self._settings, self._handler, scan_s=self.scan_s)

    @total(None)
    def _deadbands_told(self, result: object) -> None:
        """On the stack's thread."""
        log.info("link %s: deadbands written: %s", self._link, result)

    # --- watch ------------------------------------------------------------------------------

    @property
    def start_timeout_s(self) -> float:
        """How long a request may wait for its turn before it is dropped unsent."""
        return start_timeout_s(self._settings.response_timeout_s)

    @property
    def usable(self) -> bool:
        """Whether commands and read-backs may be sent now."""
        return self.ready and not self.condemned and self.line.is_open

    def look(self) -> None:
        """Judge what has not come; due a few times a second."""
        if self.condemned or self.opened_s is None:
            return
        self.line.tick()
        now_s, heard_s = self._clock.monotonic_s(), self.conversation.heard_s
        silent_s = now_s - max(self.opened_s, heard_s)
        keep_alive_s = self._settings.keep_alive_s
        due_s = self._due_s
        limit_s = max(SILENT_SCANS * due_s, self._settings.response_timeout_s + due_s)
        if silent_s > min(limit_s, keep_alive_s + self._settings.response_timeout_s):
            self.condemn(f"connected, but no answer for {silent_s:.1f} s")
        elif self.ready and now_s - self.conversation.answered_s > limit_s + keep_alive_s:
            self.condemn("the device talks, but answers nothing that it is asked")
        elif silent_s > keep_alive_s:
            self.line.to_device(self.conversation.link.status_request())
        self._judge_selftest(now_s)
        if self.ready and now_s - heard_s < self.scan_s:
            self._image.renew(self._generation)
        if self._master is not None and self.usable:
            self._occasions.serve(
                self._master,
                self._handler,
                self.conversation,
                events=self.knowledge.events,
                now_s=now_s,
            )

    def _judge_selftest(self, now_s: float) -> None:
        selftest, integrity_s = self._selftest, self._integrity_s
        if selftest is None or integrity_s is None:
            return
        # The stack that has given a poll up repeats it after a scan, and waits its timeout again.
        patience_s = 2 * self._settings.response_timeout_s + self.scan_s
        if now_s - integrity_s > patience_s or selftest.given_up >= GIVEN_UP_MAX:
            self._decide(selftest.conclude())

    # --- requests ---------------------------------------------------------------------------

    def operate(self, exchange: Exchange) -> asyncio.Future[Ending]:
        """SELECT and, when `exchange` lets it, OPERATE."""
        future: asyncio.Future[Ending] = self._loop.create_future()
        if not self.usable:
            future.set_result(Ending.BUSY)
            return future

        def ended(ending: Ending) -> None:
            if not future.done():
                future.set_result(ending)

        exchange.ended = ended
        self._pending.add(future)
        future.add_done_callback(self._pending.discard)
        self.line.command(exchange)
        return future

    async def read_back(self, binding: Binding, *, timeout_s: float) -> Measurement | None:
        """Read one object by its range and wait for what comes; None when nothing does."""
        waiting = sum(len(waiters) for waiters in self._waiters.values())
        if self._master is None or not self.usable or waiting >= READ_BACKS_MAX:
            return None
        waiter: asyncio.Future[Measurement] = self._loop.create_future()
        waiters = self._waiters.setdefault(binding.mrid, [])
        waiters.append(waiter)
        if self.conversation.lean:
            self.line.read(range_read(binding.group, binding.index, binding.index))
        else:
            self._master.ScanRange(
                o.GroupVariationID(binding.group, 0), binding.index, binding.index, self._handler
            )
        await asyncio.wait({waiter}, timeout=timeout_s)
        if waiter in waiters:
            waiters.remove(waiter)
        return waiter.result() if waiter.done() and not waiter.cancelled() else None

    def _answer(self, measurements: list[Measurement]) -> None:
        for measurement in measurements:
            for waiter in self._waiters.pop(measurement.point, ()):
                if not waiter.done():
                    waiter.set_result(measurement)
