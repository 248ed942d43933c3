"""One life of a link: from AddTCPClient to Shutdown. A broken one is thrown away, never mended.

All methods belong to the event loop. Life-cycle calls run in a thread of their own
(`stack.off_loop`), never in a callback (dnp3.md G4).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

import opendnp3 as o

from gridctl.model.clock import Clock
from gridctl.model.measurement import Measurement
from protocols.dnp3.callbacks import Application, Listener, Readings
from protocols.dnp3.codec import Binding, PointTable, Sample
from protocols.dnp3.controls import Completion, PointState, Reply, Wire
from protocols.dnp3.image import SILENT_SCANS, PointImage
from protocols.dnp3.settings import Dnp3Settings
from protocols.dnp3.stack import manager, milliseconds, off_loop, total

log = logging.getLogger(__name__)

OPEN_RETRY_MIN_S = 0.5
OPEN_RETRY_MAX_S = 5.0
RECONNECT_DELAY_S = 1.0
"""Without it a peer that accepts and closes costs 3,090 reconnects/s and a whole core (G6)."""
KEEP_ALIVE_S = 86_400.0
"""Commands pile up behind a pending link-layer keep-alive and go out late (G8), so there is none
in practice: every scan is a proof of life, and the watch over it is ours."""
RESPONSE_MAX_S = 5.0
"""A response that has not ended by then, in however many fragments, never will."""
LIFECYCLE_DEADLINE_S = 3.0
READ_BACKS_MAX = 64
PLAUSIBLE_SINCE_S = 946_684_800.0
"""2000-01-01: a master whose own clock is before that must not set anybody's."""


class Session:
    """One channel with one master on it. `condemned` means: nothing more is sent on it."""

    def __init__(
        self,
        *,
        link: str,
        settings: Dnp3Settings,
        table: PointTable,
        image: PointImage,
        clock: Clock,
        changed: Callable[[], None],
    ) -> None:
        self._link = link
        self._settings = settings
        self._clock = clock
        self._changed = changed
        self._image = image
        self._loop = asyncio.get_running_loop()
        self._generation = image.open_generation()
        self._scan_s = min(b.row.point.scan_s for b in table.by_mrid.values())
        self.opened_s: float | None = None
        self.opens = 0
        self.ready = False
        self.condemned = False
        self._waiters: dict[str, list[asyncio.Future[Measurement]]] = {}
        self._pending: set[asyncio.Future[Reply]] = set()
        # The stack does not keep Python's half of these alive: this object must (pydnp3 #24).
        self._readings = Readings(table, self._take)
        self._fresh = Readings(table, self._take_fresh)
        self.application = Application(clock, on_ready=self._tell(self._on_ready))
        self._listener = Listener(self._tell(self._on_open), self._on_loss_native)
        self._channel: o.IChannel | None = None
        self._master: o.IMaster | None = None

    # --- life cycle -------------------------------------------------------------------------

    async def open(self) -> None:
        """Add channel, master and scans, and begin to connect. Raises TimeoutError or
        UnavailableError; `close` is due in every case."""
        await off_loop(self._open_native, deadline_s=LIFECYCLE_DEADLINE_S)

    def _open_native(self) -> None:
        settings = self._settings
        retry = o.ChannelRetry(milliseconds(OPEN_RETRY_MIN_S), milliseconds(OPEN_RETRY_MAX_S))
        retry.reconnectDelay = milliseconds(RECONNECT_DELAY_S)
        self._channel = manager().AddTCPClient(
            f"{self._link}#{self._generation}",
            o.levels.NOTHING,
            retry,
            [o.IPEndpoint(settings.host, settings.port)],
            "0.0.0.0",  # noqa: S104 - the local end of an outgoing connection
            self._listener,
        )
        master = self._channel.AddMaster(
            self._link, self._readings, self.application, self._stack_config()
        )
        # One poll of everything per scan period: buffered events first, then the present values,
        # so that every point is heard of again in each period (proof of life).
        master.AddClassScan(
            o.ClassField(True, True, True, True), milliseconds(self._scan_s), self._readings
        )
        master.Enable()
        self._master = master

    def _stack_config(self) -> o.MasterStackConfig:
        settings = self._settings
        config = o.MasterStackConfig()
        config.link.LocalAddr = settings.master_address
        config.link.RemoteAddr = settings.outstation_address
        config.link.KeepAliveTimeout = milliseconds(KEEP_ALIVE_S)
        config.master.responseTimeout = milliseconds(settings.response_timeout_s)
        config.master.taskStartTimeout = milliseconds(self.start_timeout_s)
        config.master.taskRetryPeriod = milliseconds(self._scan_s)
        config.master.maxTaskRetryPeriod = milliseconds(self._scan_s)
        config.master.disableUnsolOnStartup = settings.disable_unsolicited_at_start
        if settings.time_sync != "none" and self._clock.now_s() >= PLAUSIBLE_SINCE_S:
            config.master.timeSyncMode = (
                o.TimeSyncMode.LAN if settings.time_sync == "lan" else o.TimeSyncMode.NonLAN
            )
        return config

    async def close(self) -> None:
        """Shut the channel down; whoever waits is told. Returns in `LIFECYCLE_DEADLINE_S`."""
        self.condemned = True
        self.ready = False
        channel, self._channel, self._master = self._channel, None, None
        if channel is not None:
            try:
                await off_loop(channel.Shutdown, deadline_s=LIFECYCLE_DEADLINE_S)
            except TimeoutError:
                log.error("link %s: the DNP3 channel does not shut down; left behind", self._link)
        # Give the callbacks that Shutdown caused their turn before the rest is written off.
        await asyncio.sleep(0)
        for future in self._pending:
            if not future.done():
                future.set_result(_lost_reply())
        for waiters in self._waiters.values():
            for waiter in waiters:
                waiter.cancel()
        self._waiters.clear()

    # --- state, told by native threads ------------------------------------------------------

    def _tell(self, step: Callable[[], None]) -> Callable[[], None]:
        @total(None)
        def told() -> None:
            self._loop.call_soon_threadsafe(step)

        return told

    def _on_open(self) -> None:
        self.opens += 1
        self.opened_s = self._clock.monotonic_s()
        self.ready = False
        self._changed()

    def _on_ready(self) -> None:
        self.ready = self._listener.is_open and not self.condemned
        self._changed()

    def _on_loss_native(self) -> None:
        # On the channel's own strand, hence before any value of the next connection.
        self._image.lose_all(self._generation)
        self._loop.call_soon_threadsafe(self._on_loss)

    def _on_loss(self) -> None:
        self.ready = False
        self.opened_s = None
        self._changed()

    def _take(self, samples: list[Sample]) -> None:
        self._image.take(samples, self._generation)

    def _take_fresh(self, samples: list[Sample]) -> None:
        for measurement in self._image.take(samples, self._generation):
            self._loop.call_soon_threadsafe(self._answer, measurement)

    # --- watch ------------------------------------------------------------------------------

    @property
    def start_timeout_s(self) -> float:
        """How long a request may wait for its turn before it is dropped unsent."""
        return min(1.5, self._settings.response_timeout_s)

    @property
    def is_open(self) -> bool:
        return self._listener.is_open

    @property
    def usable(self) -> bool:
        """Whether commands and read-backs may be sent now."""
        return self.ready and self._listener.is_open and not self.condemned

    def fault(self) -> str | None:
        """Why this session has to be thrown away, or None while it is healthy or reconnecting."""
        now_s = self._clock.monotonic_s()
        if not self._listener.is_open or self.opened_s is None:
            return None
        heard_s = max(self.opened_s, self.application.heard_s or self.opened_s)
        limit_s = max(SILENT_SCANS * self._scan_s, self._settings.response_timeout_s + self._scan_s)
        if now_s - heard_s > limit_s:
            return f"connected, but no answer for {now_s - heard_s:.1f} s"
        task_s = self.application.task_since_s
        if task_s is not None and now_s - max(task_s, self.opened_s) > RESPONSE_MAX_S + limit_s:
            return "a response does not come to its end"
        return None

    # --- requests ---------------------------------------------------------------------------

    def operate(self, wire: Wire, index: int) -> asyncio.Future[Reply]:
        """SELECT and, when the echo is accepted, OPERATE at once, of output `index`."""
        future: asyncio.Future[Reply] = self._loop.create_future()
        if self._master is None or self.condemned:
            future.set_result(_unsent_reply())
            return future

        def deliver(reply: Reply) -> None:
            if not future.done():
                future.set_result(reply)

        @total(None)
        def answered(result: o.ICommandTaskResult) -> None:
            summary = int(result.summary)
            points = tuple((int(p.index), int(p.state), int(p.status)) for p in result.to_list())

            def tell(iin2: int) -> None:
                reply = Reply(summary=summary, points=points, iin2=iin2)
                self._loop.call_soon_threadsafe(deliver, reply)

            if summary == Completion.SUCCESS:
                self.application.after_iin(tell)
            else:
                tell(0)

        self._pending.add(future)
        future.add_done_callback(self._pending.discard)
        self._master.SelectAndOperate(wire, index, answered)
        return future

    async def read_back(self, binding: Binding, *, timeout_s: float) -> Measurement | None:
        """Read one object by its range and wait for what comes; None when nothing does."""
        waiting = sum(len(waiters) for waiters in self._waiters.values())
        if self._master is None or not self.usable or waiting >= READ_BACKS_MAX:
            return None
        waiter: asyncio.Future[Measurement] = self._loop.create_future()
        self._waiters.setdefault(binding.mrid, []).append(waiter)
        self._master.ScanRange(
            o.GroupVariationID(binding.group, 0), binding.index, binding.index, self._fresh
        )
        await asyncio.wait({waiter}, timeout=timeout_s)
        remaining = self._waiters.get(binding.mrid, [])
        if waiter in remaining:
            remaining.remove(waiter)
        return waiter.result() if waiter.done() and not waiter.cancelled() else None

    def _answer(self, measurement: Measurement) -> None:
        for waiter in self._waiters.pop(measurement.point, []):
            if not waiter.done():
                waiter.set_result(measurement)


def _lost_reply() -> Reply:
    """The channel is gone and the stack has said nothing: anything may have happened."""
    return Reply(summary=Completion.NO_COMMS, points=(), iin2=0)


def _unsent_reply() -> Reply:
    return Reply(summary=Completion.START_TIMEOUT, points=((0, PointState.INIT, 0),), iin2=0)
