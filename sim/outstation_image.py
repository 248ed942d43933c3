"""What a simulated outstation shows: its objects, encoded from the plant at the moment of a read.

Static data is read from the plant when a master asks, so a poll never shows an old picture.
Floats for analogs (g30v5, g40v3) unless a point has a form of its own: an integer would drop the
fraction.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from py1815 import UnknownObject, object_header
from py1815.application import ObjectHeader
from py1815.session import ParameterError

from sim.outstation_forms import COUNTER, FROZEN, STATIC, USUAL, PointForm, encode_static
from sim.plant import Plant, PlantPoint, Reading

_ONLINE = 0x01
_COMM_LOST = 0x04
_COUNTER_MODULUS = 1 << 32
INDEX_MAX = 65_535

BLOCK_OCTETS_MAX = 1_000
"""A header's objects are split at this size, so that a fragment of 2,048 octets is filled well."""

GROUP_OF: Mapping[int, int] = {1: 1, 3: 3, 10: 10, 12: 10, 20: 20, 30: 30, 40: 40, 41: 40}
"""The static group that shows a point of the addressed group (outputs show their status)."""

_SIZE_MAX: Mapping[int, int] = {1: 1, 3: 1, 10: 1, 20: 5, 21: 5, 30: 9, 40: 9}


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

    def __init__(
        self,
        points: Sequence[PlantPoint],
        plant: Plant,
        forms: Mapping[str, PointForm] | None = None,
    ) -> None:
        self._plant = plant
        self.forms = {_static_key(a): form for a, form in (forms or {}).items()}
        self.frozen: dict[int, tuple[int, int]] = {}
        """Value and flags of each counter at its last freeze."""
        self._cleared: dict[int, int] = {}
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
            group: sorted(key.index for key in shown if key.group == group) for group in USUAL
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
            wire = to_wire(point, reading.value) - self._cleared.get(key.index, 0) * (
                key.group == COUNTER
            )
            return wire, flags_of(reading), reading.at_s
        return self._operated.get(key, 0.0), _ONLINE, None

    def read(self, headers: Sequence[ObjectHeader]) -> bytes:
        return b"".join(self.read_blocks(headers))

    def read_blocks(self, headers: Sequence[ObjectHeader]) -> Sequence[bytes]:
        """Each requested header's objects, in blocks that fit a fragment."""
        blocks: list[bytes] = []
        for header in headers:
            if header.event_class == 0:
                for group in USUAL:
                    blocks += self._blocks(group, self._of_group(group), 0)
            elif header.event_class is not None:
                continue
            else:
                asked = self._asked(header)
                blocks += self._blocks(header.group, asked, header.variation)
        return blocks

    def freeze(self, headers: Sequence[ObjectHeader], *, clear: bool) -> None:
        """Keep the counters that `headers` name as they stand, and start them anew on `clear`
        (py1815's FreezeProvider)."""
        for header in headers:
            if header.group != COUNTER:
                raise UnknownObject(f"group {header.group} cannot be frozen")
            for index in self._in_range(header, self._indices[COUNTER]):
                value, flags, _ = self.reading(ObjectKey(COUNTER, index))
                self.frozen[index] = round(value) % _COUNTER_MODULUS, flags
                if clear:
                    self._cleared[index] = self._cleared.get(index, 0) + round(value)

    def named(self, header: ObjectHeader, group: int) -> list[int]:
        """Indices of `group` that a header names. Raises ParameterError where it has none."""
        return self._in_range(header, self._indices[group])

    def _of_group(self, group: int) -> list[int]:
        return sorted(self.frozen) if group == FROZEN else self._indices[group]

    def _asked(self, header: ObjectHeader) -> list[int]:
        served = STATIC.get(header.group)
        if served is None or (header.variation and header.variation not in served):
            raise UnknownObject(f"g{header.group}v{header.variation} is not served")
        return self._in_range(header, self._of_group(header.group))

    def _in_range(self, header: ObjectHeader, indices: list[int]) -> list[int]:
        if header.indices is not None:
            there = set(indices)
            missing = [i for i in header.indices if i not in there]
            if missing:
                raise ParameterError(f"no g{header.group} at {missing[0]}")
            return list(header.indices)
        if header.start is not None and header.stop is not None:
            indices = [i for i in indices if header.start <= i <= header.stop]
            if not indices:
                raise ParameterError(f"no g{header.group} in {header.start}..{header.stop}")
        return indices

    def _blocks(self, group: int, indices: Sequence[int], asked: int) -> Iterator[bytes]:
        """Objects of a group, in the variation that was asked for, else each in its own."""
        room = max(1, BLOCK_OCTETS_MAX // _SIZE_MAX[group])
        form = {i: asked or self._own_form(group, i) for i in indices}
        for run in _runs(indices, room, form):
            variation = form[run[0]]
            body = b"".join(self._encode(ObjectKey(group, i), variation) for i in run)
            yield object_header(group, variation, start=run[0], stop=run[-1]) + body

    def _own_form(self, group: int, index: int) -> int:
        form = self.forms.get(ObjectKey(group, index))
        return (form.static if form else 0) or USUAL[group]

    def _encode(self, key: ObjectKey, variation: int) -> bytes:
        if key.group == FROZEN:
            value, flags = self.frozen[key.index]
            return encode_static(FROZEN, variation, value, flags)
        wire, flags, _ = self.reading(key)
        return encode_static(key.group, variation, wire, flags)


def _static_key(address: str) -> ObjectKey:
    found = parse_address(address)
    return ObjectKey(GROUP_OF[found.group], found.index)


def _runs(indices: Sequence[int], room: int, form: Mapping[int, int]) -> Iterator[Sequence[int]]:
    """Contiguous runs of at most `room` indices of one form."""
    run: list[int] = []
    for index in indices:
        apart = run and (index != run[-1] + 1 or form[index] != form[run[-1]])
        if run and (apart or len(run) >= room):
            yield run
            run = []
        run.append(index)
    if run:
        yield run
