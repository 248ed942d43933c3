"""The field's end of the line to the office: dials out, reconnects, and loses no outcome.

What waits for the line is bounded. Measurements: the newest of each point, so that a long outage
costs memory for one image and no more. Outcomes and acks: kept in order until they were written;
the guard refuses orders when there is no room for theirs. Events: in order, the newest gives way
and its number is missing. Heartbeat, and a device's own alarms: only the newest.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from itertools import islice
from typing import TypeAlias, final

from gridctl.link import (
    Endpoint,
    Frame,
    FrameError,
    LoopbackEndpoint,
    OfficeLink,
    UnixEndpoint,
    read_frame,
    split_hello,
    write_frame,
)
from gridctl.model.link import (
    EVENTS_PER_FRAME_MAX,
    Ack,
    Conditions,
    Event,
    Events,
    FieldAlarm,
    Heartbeat,
    Hello,
    Outcome,
    SignedOrder,
    Telemetry,
)
from gridctl.model.measurement import Measurement

log = logging.getLogger(__name__)

BACKOFF_S = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
DIAL_TIMEOUT_S = 5.0
VITAL_FRAMES_MAX = 4_096
RECENT_FRAMES = 512
"""Outcomes and acks that are told again after a reconnect: a frame that was in the socket when it
broke is lost without a trace, and the office knows a repeated one for the echo that it is."""
ORDERS_WAITING_MAX = 64
MEASUREMENTS_PER_FRAME = 125
"""Of 500 that are allowed: the office takes a frame in one turn of its loop, and an approval needs
some tens of turns beside a plant that streams."""
EVENTS_WAITING_MAX = 100_000
EVENTS_RECENT = 20_000
"""Events that are told again after a reconnect; the office knows each by its number."""

Wire: TypeAlias = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Dial: TypeAlias = Callable[[], Awaitable[Wire]]
Greeting: TypeAlias = Callable[[], tuple[Hello, Iterable[Measurement]]]


def dial(endpoint: Endpoint) -> Dial:
    """How to reach the office at `endpoint`. The call raises OSError or TimeoutError."""

    async def connect() -> Wire:
        async with asyncio.timeout(DIAL_TIMEOUT_S):
            match endpoint:
                case UnixEndpoint(path=path):
                    return await asyncio.open_unix_connection(str(path))
                case LoopbackEndpoint(host=host, port=port):
                    return await asyncio.open_connection(host, port)

    return connect


@final
class MemoryLine:
    """Joins an `OfficeLink` and a `FieldLinkClient` in one process, over a socket pair.

    The same bytes as on the real socket, without an address. `dial` goes to the client; `cut`
    breaks the line, `broken` keeps it so.
    """

    def __init__(self, office: OfficeLink) -> None:
        self._office = office
        self._ends: list[asyncio.StreamWriter] = []
        self._served: set[asyncio.Task[None]] = set()
        self.broken = False

    async def dial(self) -> Wire:
        """A new line. Raises OSError while it is broken."""
        if self.broken:
            raise ConnectionRefusedError("the line is cut")
        mine, theirs = socket.socketpair()
        reader, writer = await asyncio.open_connection(sock=theirs)
        served = asyncio.create_task(self._office.serve(reader, writer))
        self._served.add(served)
        served.add_done_callback(self._served.discard)
        wire = await asyncio.open_connection(sock=mine)
        self._ends.append(wire[1])
        return wire

    def cut(self) -> None:
        """Break the line now."""
        for end in self._ends:
            end.close()
        self._ends.clear()


class FieldLinkClient:
    """Carries frames up and orders down, for as long as `run` runs.

    `greeting` gives the hello and the whole process image; both go first on each connection.
    """

    def __init__(self, *, dial: Dial, greeting: Greeting, points_max: int) -> None:
        self._dial = dial
        self._greeting = greeting
        self._points_max = points_max
        self._values: dict[str, Measurement] = {}
        self._vital: deque[Outcome | Ack] = deque()
        self._recent: deque[Outcome | Ack] = deque(maxlen=RECENT_FRAMES)
        self._events: deque[Event] = deque()
        self._events_recent: deque[Event] = deque(maxlen=EVENTS_RECENT)
        self._greet_again = False
        self._alarms: dict[str, FieldAlarm] = {}
        self._alarms_waiting: dict[str, FieldAlarm] = {}
        self._conditions: dict[str, Conditions] = {}
        self._conditions_waiting: dict[str, Conditions] = {}
        self._heartbeat: Heartbeat | None = None
        self._telemetry_sequence = 0
        self._wake = asyncio.Event()
        self.orders: asyncio.Queue[SignedOrder] = asyncio.Queue(ORDERS_WAITING_MAX)
        self.connected = False
        self.dropped = 0
        """Values and frames that had to give way, since start."""
        self.events_dropped = 0
        """Events that had to give way because the office was away for too long, since start."""

    @property
    def room(self) -> int:
        """How many outcomes and acks there is still room for."""
        return VITAL_FRAMES_MAX - len(self._vital)

    def report(self, measurements: Iterable[Measurement]) -> None:
        """New values; the newest of each point waits for the line."""
        for measurement in measurements:
            self._values.pop(measurement.point, None)
            self._values[measurement.point] = measurement
        while len(self._values) > self._points_max:
            del self._values[next(iter(self._values))]
            self.dropped += 1
        self._wake.set()

    def happened(self, events: Iterable[Event]) -> None:
        """Events, each of which the office must hear in its turn."""
        for event in events:
            if len(self._events) >= EVENTS_WAITING_MAX:
                self.events_dropped += 1
            else:
                self._events.append(event)
        self._wake.set()

    def greet_again(self, *, points_max: int) -> None:
        """The points are others now: say so on the line that there is, with the whole image."""
        self._points_max = points_max
        self._greet_again = True
        self._wake.set()

    def tell(self, frame: Outcome | Ack | FieldAlarm | Conditions | Heartbeat) -> None:
        """Something the office must hear; outcomes and acks keep their order."""
        match frame:
            case Outcome() | Ack():
                if self.room <= 0:
                    self._vital.popleft()
                    self.dropped += 1
                    log.error("link: an outcome had to be dropped, the office is away too long")
                self._vital.append(frame)
            case FieldAlarm():
                if frame.active:
                    self._alarms[frame.key] = frame
                else:
                    self._alarms.pop(frame.key, None)
                self._alarms_waiting[frame.key] = frame
            case Conditions():
                self._conditions[frame.link] = self._conditions_waiting[frame.link] = frame
            case Heartbeat():
                self._heartbeat = frame
        self._wake.set()

    async def run(self) -> None:
        """Connect, carry, reconnect with growing pauses; ends only by cancellation."""
        failures = 0
        while True:
            try:
                reader, writer = await self._dial()
            except (OSError, TimeoutError) as error:
                log.debug("link: no office: %s", error)
            else:
                failures = 0 if await self._carry(reader, writer) else failures
            await asyncio.sleep(BACKOFF_S[min(failures, len(BACKOFF_S) - 1)])
            failures += 1

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Use one connection until it ends; whether the office took our hello."""
        greeted = False
        try:
            await self._greet(writer)
            greeted = self.connected = True
            self._again()
            async with asyncio.TaskGroup() as both:
                both.create_task(self._up(writer))
                both.create_task(self._down(reader))
        except* (OSError, EOFError, TimeoutError) as errors:
            log.info("link: office is gone: %s", errors.exceptions[0])
        except* FrameError as errors:
            log.error("link: connection given up: %s", errors.exceptions[0])
        finally:
            self.connected = False
            writer.close()
            with contextlib.suppress(OSError, TimeoutError):
                async with asyncio.timeout(1.0):
                    await writer.wait_closed()
        return greeted

    async def _greet(self, writer: asyncio.StreamWriter) -> None:
        """Hello, and the whole image to be told behind it."""
        self._greet_again = False
        hello, image = self._greeting()
        for part in split_hello(hello):
            await write_frame(writer, part)
        waiting = self._values
        self._values = {m.point: m for m in image} | waiting
        self._wake.set()

    def _again(self) -> None:
        """What a new connection has to be told although it was told before."""
        self._vital.extendleft(reversed(self._recent))
        self._recent.clear()
        self._events.extendleft(reversed(self._events_recent))
        self._events_recent.clear()
        self._alarms_waiting = dict(self._alarms)
        self._conditions_waiting = self._conditions | self._conditions_waiting

    async def _up(self, writer: asyncio.StreamWriter) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            if self._greet_again:
                await self._greet(writer)
            await self._tell_vital(writer)
            for frame in self._take():
                await write_frame(writer, frame)
                # A big plant's second is many frames: what became of a command goes in between,
                # and an order is taken in.
                await asyncio.sleep(0)
                await self._tell_vital(writer)
            await self._tell_events(writer)

    async def _tell_vital(self, writer: asyncio.StreamWriter) -> None:
        while self._vital:
            await write_frame(writer, self._vital[0])
            self._recent.append(self._vital.popleft())

    async def _tell_events(self, writer: asyncio.StreamWriter) -> None:
        """One frame of events a turn, so that a storm of them holds back nothing else."""
        told = tuple(islice(self._events, EVENTS_PER_FRAME_MAX))
        if not told:
            return
        await write_frame(writer, Events(events=told))
        for _ in told:
            self._events_recent.append(self._events.popleft())
        if self._events:
            self._wake.set()

    def _take(self) -> list[Frame]:
        frames: list[Frame] = list(self._alarms_waiting.values())
        self._alarms_waiting.clear()
        frames += self._conditions_waiting.values()
        self._conditions_waiting.clear()
        if self._heartbeat is not None:
            frames.append(self._heartbeat)
            self._heartbeat = None
        values, self._values = iter(self._values.values()), {}
        while chunk := tuple(islice(values, MEASUREMENTS_PER_FRAME)):
            self._telemetry_sequence += 1
            frames.append(Telemetry(sequence=self._telemetry_sequence, measurements=chunk))
        return frames

    async def _down(self, reader: asyncio.StreamReader) -> None:
        while True:
            frame = await read_frame(reader)
            if not isinstance(frame, SignedOrder):
                raise FrameError(f"{frame.type} is nothing that an office may send")
            await self.orders.put(frame)
