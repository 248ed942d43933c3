"""An outstation that answers exactly what a test tells it to, and remembers what it was asked.

On our own frames, so that it can say anything; the native stack in between is the second opinion.
"""

from __future__ import annotations

import asyncio
import ssl
import struct
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from gridctl.model.measurement import Measurement, Point, PointKind
from gridctl.model.quantity import Phase, Unit
from gridctl.wallclock import system_clock
from protocols.dnp3.driver import Dnp3Driver
from protocols.dnp3.fragments import (
    CON,
    FIN,
    FIR,
    UNS,
    Fragment,
    Function,
    Reassembler,
    Segmenter,
    parse_fragment,
)
from protocols.dnp3.frames import (
    LINK_STATUS,
    PRM,
    REQUEST_LINK_STATUS,
    UNCONFIRMED_USER_DATA,
    FrameReader,
    build_frame,
)
from protocols.driver import LinkSettings, OptionValue, PointAddress
from protocols.inbox import Inbox
from tests.ports import free_port

MASTER, OUTSTATION = 1, 1024
Answer: TypeAlias = "list[Fragment] | None"
Script: TypeAlias = Callable[[Fragment], Answer]


def analogs(*values: float, start: int = 0, flags: int = 0x01) -> bytes:
    """g30v5 from index `start` on."""
    head = bytes((30, 5, 0x01)) + struct.pack("<HH", start, start + len(values) - 1)
    return head + b"".join(struct.pack("<Bf", flags, value) for value in values)


def answer(request: Fragment, objects: bytes = b"", *, iin: int = 0) -> list[Fragment]:
    """One final response to `request`."""
    return [Fragment(FIR | FIN | request.sequence, Function.RESPONSE, iin, objects)]


def classes(request: Fragment) -> set[int]:
    """Which classes a READ, ENABLE_UNSOLICITED … names."""
    objects = request.objects
    return {objects[i + 1] - 1 for i in range(0, len(objects) - 2, 3) if objects[i] == 60}


@dataclass
class Outstation:
    """`script` gives the answer to a request; None: silence. `asked` is every request but confirms,
    `confirms` those; `links` counts connections, `keep_alives` link status requests. `slams`: what
    connects is accepted and closed at once."""

    script: Script = answer
    port: int = field(default_factory=free_port)
    context: ssl.SSLContext | None = None
    answers_keep_alive: bool = True
    slams: bool = False
    asked: list[Fragment] = field(default_factory=list)
    confirms: list[Fragment] = field(default_factory=list)
    links: int = 0
    keep_alives: int = 0
    _server: asyncio.Server | None = None
    _writers: list[asyncio.StreamWriter] = field(default_factory=list)
    _segmenter: Segmenter = field(
        default_factory=lambda: Segmenter(control=PRM, destination=MASTER, source=OUTSTATION)
    )

    async def start(self) -> None:
        self._server = await asyncio.start_server(
            self._serve, "127.0.0.1", self.port, ssl=self.context
        )

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
        self.cut()

    def cut(self) -> None:
        """Break every connection."""
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    def send(self, *fragments: Fragment) -> None:
        """Say something unasked on the newest connection."""
        for fragment in fragments:
            self._writers[-1].write(self._segmenter.frames(fragment.octets()))

    def send_octets(self, octets: bytes) -> None:
        self._writers[-1].write(octets)

    def unsolicited(self, sequence: int, objects: bytes = b"", *, iin: int = 0) -> Fragment:
        control = FIR | FIN | CON | UNS | sequence
        return Fragment(control, Function.UNSOLICITED_RESPONSE, iin, objects)

    def functions(self) -> list[str]:
        """The names of what was asked, READs without class 0 as EVENTS."""
        names = []
        for request in self.asked:
            name = Function(request.function).name
            if name == "READ" and 0 not in classes(request):
                name = "EVENTS" if classes(request) else "RANGE"
            names.append(name)
        return names

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.links += 1
        if self.slams:
            writer.close()
            return
        self._writers.append(writer)
        frames, segments = FrameReader(), Reassembler()
        try:
            while octets := await reader.read(4_096):
                for frame in frames.feed(octets):
                    if frame.function == REQUEST_LINK_STATUS:
                        self.keep_alives += 1
                        if self.answers_keep_alive:
                            writer.write(_LINK_STATUS_FRAME)
                    if frame.function == UNCONFIRMED_USER_DATA:
                        self._hear(segments.feed(frame.payload), writer)
        except (OSError, ssl.SSLError):
            return
        finally:
            writer.close()

    def _hear(self, octets: bytes | None, writer: asyncio.StreamWriter) -> None:
        request = parse_fragment(octets) if octets is not None else None
        if request is None:
            return
        if request.function == Function.CONFIRM:
            self.confirms.append(request)
            return
        self.asked.append(request)
        for fragment in self.script(request) or ():
            writer.write(self._segmenter.frames(fragment.octets()))


_LINK_STATUS_FRAME = build_frame(LINK_STATUS, MASTER, OUTSTATION)


def row(index: int, *, group: int = 30, scan_s: float = 0.3, **changes: object) -> PointAddress:
    """An analog input as a row of a points file; `changes` are the row's own."""
    kind = {1: PointKind.DISCRETE, 3: PointKind.DISCRETE, 20: PointKind.COUNTER}
    made = PointAddress(
        point=Point(
            mrid=f"P{group}.{index}",
            name="",
            equipment="",
            kind=kind.get(group, PointKind.ANALOG),
            unit=Unit.KW,
            phase=Phase.NONE,
            scan_s=scan_s,
        ),
        link="L",
        address=f"{group}:{index}",
        command="",
        lease="",
        scale=1.0,
        offset=0.0,
        deadband=0.0,
        min_value=None,
        max_value=None,
        file="points.csv",
        line=2 + index,
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def setpoint(index: int, **changes: object) -> PointAddress:
    """An analog output, -100 to 100, half a kW around it confirmed; `changes` are the row's own."""
    made = row(index, min_value=-100.0, max_value=100.0, command="ao-float", address=f"41:{index}")
    point = replace(
        made.point, mrid=f"SP.{index}", kind=PointKind.SETPOINT, expect="P30.0", tolerance=0.5
    )
    return replace(made, point=point, **changes)  # type: ignore[arg-type]


def relay(index: int, command: str = "crob-latch") -> PointAddress:
    """A relay output, 0 or 1."""
    made = setpoint(index, min_value=0.0, max_value=1.0, command=command, address=f"12:{index}")
    return replace(
        made, point=replace(made.point, mrid=f"RL.{index}", kind=PointKind.CONTROL, unit=Unit.STATE)
    )


@dataclass
class Bench:
    """A driver in front of an outstation, and what came out of its inbox."""

    driver: Dnp3Driver
    outstation: Outstation
    inbox: Inbox
    latest: dict[str, Measurement] = field(default_factory=dict)
    seen: list[Measurement] = field(default_factory=list)

    async def until(self, condition: Callable[[], bool], seconds: float = 8.0) -> bool:
        """Read the inbox until `condition` holds; False when it did not in `seconds`."""
        loop = asyncio.get_running_loop()
        end_s = loop.time() + seconds
        while not condition():
            if loop.time() > end_s:
                return False
            for measurement in await self.inbox.get(timeout_s=0.02):
                self.latest[measurement.point] = measurement
                self.seen.append(measurement)
        return True

    async def up(self) -> None:
        assert await self.until(lambda: self.driver.health().state == "up"), self.driver.health()

    async def pump(self, seconds: float) -> None:
        await self.until(lambda: False, seconds)


def settings(port: int, **options: OptionValue) -> LinkSettings:
    given: dict[str, OptionValue] = {
        "host": "127.0.0.1",
        "port": port,
        "master_address": MASTER,
        "outstation_address": OUTSTATION,
        "response_timeout_s": 1.5,
        "select_timeout_s": 5.0,
        "time_sync": "none",
    }
    return LinkSettings(id="L", protocol="dnp3", file="gridctl.toml", options=given | options)


@asynccontextmanager
async def bench_of(
    outstation: Outstation, rows: Sequence[PointAddress], **options: OptionValue
) -> AsyncIterator[Bench]:
    """The driver and the outstation, both started."""
    inbox = Inbox(10_000)
    driver = Dnp3Driver(settings(outstation.port, **options), rows, inbox, system_clock())
    await outstation.start()
    await driver.start()
    try:
        yield Bench(driver, outstation, inbox)
    finally:
        await driver.stop()
        await outstation.stop()
