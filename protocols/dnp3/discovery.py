"""What a DNP3 device has: its attributes (g0) and every object of its integrity poll.

Reads and only reads, on the same stack and line as the driver; one connection, let go at the end.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import opendnp3 as o

from gridctl.model.clock import Clock
from gridctl.model.errors import ConfigError, UnavailableError
from gridctl.model.measurement import PointKind
from protocols.discovery import DeviceAttribute, Discovery, FoundPoint, Trace
from protocols.dnp3.callbacks import Quiet
from protocols.dnp3.capture import Capture
from protocols.dnp3.codec import PointTable, read_group
from protocols.dnp3.dialing import tls_context
from protocols.dnp3.fragments import Fragment, Iin
from protocols.dnp3.image import PointImage
from protocols.dnp3.knowledge import Knowledge
from protocols.dnp3.objects import Block, Broken, columns, is_event, texts, walk
from protocols.dnp3.outputs import ANALOG_FORMS, ANALOG_GROUP, AO_FLOAT, CROB_GROUP, LATCH
from protocols.dnp3.session import Session
from protocols.dnp3.settings import Way, read_settings
from protocols.dnp3.trace import iin_words, lines
from protocols.dnp3.values import Decoder, flagless, qualities
from protocols.driver import LinkSettings
from protocols.inbox import Inbox
from protocols.traffic import Traffic

LOOK_S: Final = 0.02
_ATTRIBUTES: Final = 0
_ALL_ATTRIBUTES: Final = 254
_NAMES: Final[Mapping[int, str]] = {
    240: "largest transmit fragment",
    241: "largest receive fragment",
    242: "software version",
    243: "hardware version",
    245: "location",
    246: "identification code",
    247: "device name",
    248: "serial number",
    249: "DNP3 subset and conformance",
    250: "product name and model",
    252: "manufacturer",
}
_KINDS: Final[Mapping[int, PointKind]] = {
    1: PointKind.DISCRETE,
    3: PointKind.DISCRETE,
    10: PointKind.CONTROL,
    20: PointKind.COUNTER,
    21: PointKind.COUNTER,
    30: PointKind.ANALOG,
    31: PointKind.ANALOG,
    40: PointKind.SETPOINT,
    110: PointKind.ANALOG,
}
_COMMANDED: Final[Mapping[int, int]] = {10: 12, 40: 41}
_ANALOG_COMMANDS: Final[Mapping[int, str]] = {
    form.variation: form.name for form in ANALOG_FORMS.values()
}
"""What an output's status tells of its command: a status in 16 bits, so is the setpoint."""
_TEXT, _UNSIGNED, _SIGNED, _FLOAT = 1, 2, 3, 4


class Inventory:
    """Everything that was read, newest last; at most `points_max` objects are kept."""

    def __init__(self, points_max: int) -> None:
        self._points_max = points_max
        self.points: dict[tuple[int, int], FoundPoint] = {}
        self.attributes: dict[int, DeviceAttribute] = {}
        self.notes: dict[str, None] = {}
        self.truncated = False

    def read(self, objects: bytes) -> int:
        """Take in the objects of a response; returns how many octets could be read."""
        kept = 0
        for block in walk(objects):
            if isinstance(block, Broken):
                self.notes[f"The device also sends what cannot be read here: {block.reason}."] = (
                    None
                )
                break
            kept = block.end
            if block.group == _ATTRIBUTES:
                self._attribute(block)
            elif not is_event(block.group) and block.group in _KINDS:
                for index, value, octet, text in _objects(block):
                    self._point(block, index, value, octet, text)
        return kept

    def _point(self, block: Block, index: int, value: float, octet: int | None, text: str) -> None:
        key = block.group, index
        if key not in self.points and len(self.points) >= self._points_max:
            self.truncated = True
            return
        group, command = _COMMANDED.get(block.group, block.group), ""
        if group == CROB_GROUP:
            command = LATCH.name
        elif group == ANALOG_GROUP:
            command = _ANALOG_COMMANDS.get(block.variation, AO_FLOAT.name)
        self.points[key] = FoundPoint(
            address=f"{group}:{index}",
            kind=_KINDS[block.group],
            native_type=block.name,
            command=command,
            writable=True if command else None,
            value=None if text else value,
            value_text=text,
            quality=(
                flagless(block.group, block.name, int(value))
                if octet is None
                else qualities(block.group)[octet]
            ),
        )

    def _attribute(self, block: Block) -> None:
        at = block.prefix
        if len(block.body) < at + 2:
            return
        kind, size = block.body[at], block.body[at + 1]
        octets = block.body[at + 2 : at + 2 + size]
        self.attributes[block.variation] = DeviceAttribute(
            name=_NAMES.get(block.variation, f"attribute {block.variation}"),
            value=_attribute_text(kind, octets),
            native=block.name,
        )


def _objects(block: Block) -> Iterator[tuple[int, float, int | None, str]]:
    """Index, value, flag octet and text of each object."""
    for index, octets in texts(block):
        yield index, 0.0, None, octets.rstrip(b"\0 ").decode("ascii", "replace")
    found = columns(block)
    if found is not None:
        flags: Sequence[int | None] = found.flags or [None] * len(found.values)
        for index, value, octet in zip(found.indexes, found.values, flags, strict=True):
            yield index, float(value), octet, ""


def _attribute_text(kind: int, octets: bytes) -> str:
    if kind == _TEXT:
        return octets.decode("ascii", "replace").strip("\0 ")
    if kind in (_UNSIGNED, _SIGNED):
        return str(int.from_bytes(octets, "little", signed=kind == _SIGNED))
    if kind == _FLOAT and len(octets) in (4, 8):
        return f"{struct.unpack('<f' if len(octets) == 4 else '<d', octets)[0]:g}"  # noqa: PLR2004
    return octets.hex()


class _Probe(Session):
    """A session that collects what comes and asks for nothing by itself."""

    inventory: Inventory
    answers = 0

    def take(self, response: Fragment, *, first: bool) -> int:  # noqa: ARG002 - Receiver's
        return self.inventory.read(response.objects)

    def round_trip(self, seconds: float) -> None:
        super().round_trip(seconds)
        self.answers += 1

    def _become_ready(self) -> None:
        self.ready = True

    async def ask(self, group: int, variation: int, index: int | None) -> bool:
        """Read one object, or all of a group; whether it was answered."""
        before, master, quiet = self.answers, self._master, Quiet()
        if master is None or not self.usable:
            return False
        wanted = o.GroupVariationID(group, variation)
        if index is None:
            master.ScanAllObjects(wanted, quiet)
        else:
            master.ScanRange(wanted, index, index, quiet)
        end_s = self._clock.monotonic_s() + self._settings.response_timeout_s + self.start_timeout_s
        while self._clock.monotonic_s() < end_s and not self.condemned:
            if self.answers > before:
                return True
            await asyncio.sleep(LOOK_S)
            self.look()
        return False


async def discover(
    settings: LinkSettings,
    *,
    clock: Clock,
    ask: Sequence[str],
    points_max: int,
    timeout_s: float,
    trace: Trace | None = None,
) -> Discovery:
    """What `protocols.discovery` asks of every protocol. Raises ConfigError for options or
    addresses of `ask` that cannot be used, UnavailableError when the device is not to be had."""
    read = read_settings(settings)
    wanted = {address: _object_of(address, settings) for address in ask}
    began_s, inventory = clock.monotonic_s(), Inventory(points_max)
    table = PointTable(())
    knowledge = Knowledge(traffic=Traffic(), decoder_fault="")
    if read.tls is not None:
        knowledge.tls_context = tls_context(read.tls, file=settings.file)
    failures: list[str] = []
    capture = Capture(clock.now_s)
    if trace is not None:
        capture.start()
    for endpoint in read.endpoints:
        probe = _Probe(
            link=f"{settings.id} probe",
            settings=read,
            table=table,
            image=PointImage(table, Inbox(1), clock),
            decoder=Decoder(table),
            knowledge=knowledge,
            capture=capture,
            clock=clock,
            changed=lambda: None,
        )
        probe.inventory = inventory
        try:
            async with asyncio.timeout(max(0.1, timeout_s - (clock.monotonic_s() - began_s))):
                await _read_all(probe, endpoint, inventory, wanted)
            break
        except TimeoutError:
            failures.append(f"{endpoint}: not read whole within {timeout_s:g} s")
        except UnavailableError as error:
            failures.append(str(error))
        finally:
            await probe.close()
            if trace is not None:
                for line in lines(capture.pieces()):
                    trace(line)
                capture.start()
    else:
        raise UnavailableError("; ".join(failures))
    latest = probe.conversation.indications.latest
    if latest & ~(Iin.CLASS_1_EVENTS | Iin.CLASS_2_EVENTS | Iin.CLASS_3_EVENTS):
        inventory.notes[f"The device indicates {iin_words(latest)}."] = None
    return Discovery(
        protocol="dnp3",
        endpoint=str(endpoint),
        attributes=tuple(one for _, one in sorted(inventory.attributes.items())),
        points=tuple(one for _, one in sorted(inventory.points.items())),
        notes=tuple(inventory.notes),
        absent=tuple(a for a, key in wanted.items() if key not in inventory.points),
        truncated=inventory.truncated,
        took_s=clock.monotonic_s() - began_s,
    )


async def _read_all(
    probe: _Probe,
    endpoint: Way,
    inventory: Inventory,
    wanted: Mapping[str, tuple[int, int]],
) -> None:
    await probe.open(endpoint)
    while not probe.ready:
        if probe.condemned:
            raise UnavailableError(f"{endpoint}: {probe.lost or 'the connection broke'}")
        await asyncio.sleep(LOOK_S)
        probe.look()
    if not await probe.ask(_ATTRIBUTES, _ALL_ATTRIBUTES, None) or not inventory.attributes:
        inventory.notes["The device tells no attributes (g0)."] = None
    for group, index in wanted.values():
        if (group, index) not in inventory.points:
            await probe.ask(group, 0, index)


def _object_of(address: str, settings: LinkSettings) -> tuple[int, int]:
    found = read_group(address)
    if found is None:
        raise ConfigError(
            f"{address!r} is not group:index of an object that can be read, e.g. 30:12",
            file=settings.file,
            key="field.points",
        )
    return found
