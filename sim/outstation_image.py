"""What a simulated outstation shows: its objects, encoded from the plant at the moment of a read.

Static data is read from the plant when a master asks, so a poll never shows an old picture.
Variations with flags only, floats for analogs (g30v5, g40v3): an integer would drop the fraction.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from py1815 import UnknownObject, object_header
from py1815.application import ObjectHeader
from py1815.session import ParameterError

from sim.plant import Plant, PlantPoint, Reading

_ONLINE = 0x01
_COMM_LOST = 0x04
_OVER_RANGE = 0x20
_STATE = 0x80
_DOUBLE_OFF, _DOUBLE_ON = 0x40, 0x80
_FLOAT32_MAX = 3.4028234663852886e38
_COUNTER_MODULUS = 1 << 32
INDEX_MAX = 65_535

BLOCK_OCTETS_MAX = 1_000
"""A header's objects are split at this size, so that a fragment of 2,048 octets is filled well."""

GROUP_OF: Mapping[int, int] = {1: 1, 3: 3, 10: 10, 12: 10, 20: 20, 30: 30, 40: 40, 41: 40}
"""The static group that shows a point of the addressed group (outputs show their status)."""

_VARIATION: Mapping[int, int] = {1: 2, 3: 2, 10: 2, 20: 1, 30: 5, 40: 3}
_SIZE: Mapping[int, int] = {1: 1, 3: 1, 10: 1, 20: 5, 30: 5, 40: 5}


@dataclass(frozen=True, slots=True)
class ObjectKey:
    """Group and index of a static object."""

    group: int
    index: int


def parse_address(address: str) -> ObjectKey:
    """`30:12` as an object; ValueError for anything else."""
    group, separator, index = address.partition(":")
    if not separator or not group.isdecimal() or not index.isdecimal():
        raise ValueError(f"{address!r} is not group:index")
    if int(group) not in GROUP_OF or int(index) > INDEX_MAX:
        raise ValueError(f"{address!r} is no object of this outstation")
    return ObjectKey(int(group), int(index))


def to_wire(point: PlantPoint, value: float) -> float:
    """A value in the point's unit as the number on the wire."""
    return (value - point.offset) / point.scale


def to_plant(point: PlantPoint, wire: float) -> float:
    """A number on the wire as a value in the point's unit."""
    return wire * point.scale + point.offset


def flags_of(reading: Reading) -> int:
    """IEEE 1815-2012 §11.6: a device that does not trust its value is not online."""
    return _ONLINE if reading.good else _COMM_LOST


class OutstationImage:
    """Answers reads for the points of one link (py1815's BlockReadProvider).

    Outputs that the plant does not show by themselves show what was last operated.
    """

    def __init__(self, points: Sequence[PlantPoint], plant: Plant) -> None:
        self._plant = plant
        self.points: dict[ObjectKey, PlantPoint] = {}
        self.outputs: dict[ObjectKey, PlantPoint] = {}
        self.leases: dict[int, list[PlantPoint]] = {}
        self.enables: dict[int, list[PlantPoint]] = {}
        self._operated: dict[ObjectKey, float] = {}
        for point in points:
            address = parse_address(point.address)
            key = ObjectKey(GROUP_OF[address.group], address.index)
            # A feedback that names the same status as a setpoint shows it: the feedback wins.
            if key not in self.points or not point.command:
                self.points[key] = point
            if point.command:
                self.outputs[key] = point
            if point.lease:
                lease = parse_address(point.lease)
                self.leases.setdefault(lease.index, []).append(point)
            if point.enable:
                enable = parse_address(point.enable)
                self.enables.setdefault(enable.index, []).append(point)
        shown = set(self.points) | {ObjectKey(40, index) for index in self.leases}
        shown |= {ObjectKey(10, index) for index in self.enables}
        self._indices: dict[int, list[int]] = {
            group: sorted(key.index for key in shown if key.group == group) for group in _VARIATION
        }

    def operated(self, key: ObjectKey, wire: float) -> None:
        """Remember what an output was last set to."""
        self._operated[key] = wire

    def reading(self, key: ObjectKey) -> tuple[float, int, float | None]:
        """Wire value, flag octet and grid time (None: has none) of an object that is shown."""
        point = self.points.get(key)
        if point is not None:
            try:
                reading = self._plant.read(point.mrid)
            except KeyError:
                return self._operated.get(key, 0.0), _ONLINE, None
            return to_wire(point, reading.value), flags_of(reading), reading.at_s
        return self._operated.get(key, 0.0), _ONLINE, None

    def read(self, headers: Sequence[ObjectHeader]) -> bytes:
        return b"".join(self.read_blocks(headers))

    def read_blocks(self, headers: Sequence[ObjectHeader]) -> Sequence[bytes]:
        """Each requested header's objects, in blocks that fit a fragment."""
        blocks: list[bytes] = []
        for header in headers:
            if header.event_class == 0:
                for group in _VARIATION:
                    blocks += self._blocks(group, self._indices[group])
            elif header.event_class is not None:
                continue
            else:
                blocks += self._blocks(header.group, self._asked(header))
        return blocks

    def _asked(self, header: ObjectHeader) -> list[int]:
        variation = _VARIATION.get(header.group)
        if variation is None or header.variation not in (0, variation):
            raise UnknownObject(f"g{header.group}v{header.variation} is not served")
        indices = self._indices[header.group]
        if header.start is not None and header.stop is not None:
            indices = [i for i in indices if header.start <= i <= header.stop]
            if not indices:
                raise ParameterError(f"no g{header.group} in {header.start}..{header.stop}")
        return indices

    def _blocks(self, group: int, indices: Sequence[int]) -> Iterator[bytes]:
        room = max(1, BLOCK_OCTETS_MAX // _SIZE[group])
        for run in _runs(indices, room):
            body = b"".join(self._encode(ObjectKey(group, index)) for index in run)
            yield object_header(group, _VARIATION[group], start=run[0], stop=run[-1]) + body

    def _encode(self, key: ObjectKey) -> bytes:
        value, flags, _ = self.reading(key)
        match key.group:
            case 1 | 10:
                return bytes([flags | (_STATE if value else 0)])
            case 3:
                return bytes([flags | (_DOUBLE_ON if value else _DOUBLE_OFF)])
            case 20:
                return bytes([flags]) + struct.pack("<I", round(value) % _COUNTER_MODULUS)
            case _:
                return pack_float(value, flags)


def pack_float(value: float, flags: int) -> bytes:
    """Flag octet and float32; what does not fit saturates and is marked OVER_RANGE."""
    if math.isnan(value):
        return bytes([flags & ~_ONLINE]) + struct.pack("<f", 0.0)
    if abs(value) > _FLOAT32_MAX:
        return bytes([flags | _OVER_RANGE]) + struct.pack("<f", math.copysign(_FLOAT32_MAX, value))
    return bytes([flags]) + struct.pack("<f", value)


def _runs(indices: Sequence[int], room: int) -> Iterator[Sequence[int]]:
    """Contiguous runs of at most `room` indices."""
    run: list[int] = []
    for index in indices:
        if run and (index != run[-1] + 1 or len(run) >= room):
            yield run
            run = []
        run.append(index)
    if run:
        yield run
