"""The hot path: a fragment's objects straight to measurements, without boxing them one by one.

Same meaning as `codec.decode`, which is the plain statement of it and the path of samples that the
native stack boxed; `selftest.py` holds the two against each other on the device's own fragments.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, fields
from functools import lru_cache
from typing import Final, TypeAlias

from gridctl.model.measurement import Flag, Measurement, Quality, TimeQuality, Validity
from protocols.dnp3.codec import FUTURE_MAX_S, PointTable, quality_of
from protocols.dnp3.fragments import Iin
from protocols.dnp3.objects import (
    Block,
    Broken,
    Columns,
    columns,
    is_event,
    static_group,
    texts,
    walk,
)

# A frozen dataclass's constructor takes 0.82 µs, its slots' own setters 0.31 µs (measured); the
# unpacking fails at import when Measurement gets another field.
_SETTERS: Final[list[Callable[[Measurement, object], None]]] = [
    getattr(Measurement, one.name).__set__ for one in fields(Measurement)
]
_point, _value, _quality, _source_s, _time_quality, _received_s = _SETTERS
_new: Final = object.__new__


def measurement(  # noqa: PLR0917 - keywords cost a fifth of the call
    point: str,
    value: float,
    quality: Quality,
    source_s: float,
    time_quality: TimeQuality,
    received_s: float,
) -> Measurement:
    """A `Measurement`, for where thousands are made at once."""
    made = _new(Measurement)
    _point(made, point)
    _value(made, value)
    _quality(made, quality)
    _source_s(made, source_s)
    _time_quality(made, time_quality)
    _received_s(made, received_s)
    return made


_COMMON_TIME: Final = 51
_DOUBLE_BIT: Final = 3
_COMMAND_EVENTS: Final = frozenset({13, 43})
_POSITION: Final = (0.0, 0.0, 1.0, 0.0)
"""What the four states of a double bit are worth; 0 and 3 are invalid besides."""
TEXT_SHOWN_MAX: Final = 24

Target: TypeAlias = tuple[str, float, float, Sequence[tuple[str, float, float]]]
"""mRID, scale, offset, and the further points that read the same object."""


@lru_cache(maxsize=64)
def qualities(group: int) -> tuple[Quality, ...]:
    """The quality of each flag octet of static `group`: made once, shared by all measurements."""
    return tuple(quality_of(group, octet, "") for octet in range(256))


@lru_cache(maxsize=1024)
def flagless(group: int, name: str, state: int) -> Quality:
    """The quality of an object of variation `name` that has no flags; `state` of a double bit."""
    quality = quality_of(group, None, name)
    if group == _DOUBLE_BIT and state in (0, 3):
        return quality.degraded(Flag.INCONSISTENT, Validity.INVALID)
    return quality


@dataclass(slots=True)
class Reading:
    """What one fragment brought. `undecoded` says why its rest could not be read, "" when all was;
    `kept` is the length of what could."""

    measurements: list[Measurement] = field(default_factory=list)
    undecoded: str = ""
    unknown: bool = False
    kept: int = 0
    events: int = 0
    commanded: list[str] = field(default_factory=list)


class Decoder:
    """Fragments of one link to measurements of its points. Not thread-safe; owned by the loop."""

    def __init__(self, table: PointTable) -> None:
        self._targets: dict[int, dict[int, Target]] = {}
        for (group, index), bindings in table.objects.items():
            reached = [(b.mrid, b.row.scale, b.row.offset) for b in bindings]
            self._targets.setdefault(group, {})[index] = (*reached[0], tuple(reached[1:]))
        self._timed: dict[str, Measurement] = {}

    def read(self, objects: bytes, *, first: bool, iin: int, received_s: float) -> Reading:
        """Everything in `objects` that a point asks for.

        `first`: a new response begins. A static object that only repeats an event of the same
        response is left out: the event has the time.
        """
        if first:
            self._timed = {}
        reading = Reading()
        common: tuple[int, bool] | None = None
        for block in walk(objects):
            if isinstance(block, Broken):
                reading.undecoded, reading.unknown = block.reason, block.unknown
                break
            reading.kept = block.end
            if block.group == _COMMON_TIME and len(block.body) >= 6:  # noqa: PLR2004 - 48 bits
                common = int.from_bytes(block.body[:6], "little"), block.variation == 1
                continue
            stamp = _Stamp(received_s, not iin & Iin.NEED_TIME, common)
            self._block(block, stamp, reading)
        return reading

    def _block(self, block: Block, stamp: _Stamp, reading: Reading) -> None:
        group = static_group(block.group)
        targets = self._targets.get(group)
        if block.group in _COMMAND_EVENTS:
            reading.commanded.append(f"{block.name} ×{block.number}")
            return
        if targets is None:
            return
        strings = texts(block)
        if strings:
            reading.measurements += _strings(strings, targets, stamp)
            return
        found = columns(block)
        if found is None:
            return
        if found.flags is None:
            octets: Iterable[Quality] = (
                [flagless(group, block.name, int(v)) for v in found.values]
                if group == _DOUBLE_BIT
                else [flagless(group, block.name, 0)] * len(found.values)
            )
        else:
            table = qualities(group)
            octets = [table[octet] for octet in found.flags]
        values = [_POSITION[int(v)] for v in found.values] if group == _DOUBLE_BIT else found.values
        event = is_event(block.group)
        if found.times is not None:
            made = _timed(found, values, octets, targets, stamp)
        elif event or not self._timed:
            made = _untimed(found.indexes, values, octets, targets, stamp.received_s)
        else:
            made = [
                m
                for m in _untimed(found.indexes, values, octets, targets, stamp.received_s)
                if not self._repeats(m)
            ]
        if event:
            reading.events += len(made)
            self._timed.update((m.point, m) for m in made)
        reading.measurements += made

    def _repeats(self, static: Measurement) -> bool:
        event = self._timed.get(static.point)
        return event is not None and event.value == static.value and event.quality == static.quality


@dataclass(frozen=True, slots=True)
class _Stamp:
    """What the time of an object is judged by: receipt, the device's own claim, and the common
    time of occurrence (ms, synchronized) that relative times count from."""

    received_s: float
    synchronized: bool
    common: tuple[int, bool] | None

    def of(self, time_ms: int, relative: bool) -> tuple[float, TimeQuality]:
        synchronized = self.synchronized
        if relative:
            if self.common is None:
                return self.received_s, TimeQuality.RECEIVED
            time_ms += self.common[0]
            synchronized = synchronized and self.common[1]
        if not time_ms:
            return self.received_s, TimeQuality.RECEIVED
        source_s = time_ms / 1000.0
        if synchronized and source_s <= self.received_s + FUTURE_MAX_S:
            return source_s, TimeQuality.SYNCHRONIZED
        return source_s, TimeQuality.UNSYNCHRONIZED


def _untimed(
    indexes: Sequence[int],
    values: Sequence[float],
    quality: Iterable[Quality],
    targets: dict[int, Target],
    received_s: float,
) -> list[Measurement]:
    """The hottest loop of the link: everything it needs is a local name."""
    made: list[Measurement] = []
    append, get, received = made.append, targets.get, TimeQuality.RECEIVED
    new, kind = _new, Measurement
    set_point, set_value, set_quality = _point, _value, _quality
    set_source_s, set_time_quality, set_received_s = _source_s, _time_quality, _received_s
    for index, raw, octet in zip(indexes, values, quality, strict=True):
        target = get(index)
        if target is None:
            continue
        mrid, scale, offset, more = target
        value = raw * scale + offset
        if more or value - value != 0.0:
            made += _each(target, raw, octet, (received_s, received), received_s)
            continue
        m = new(kind)
        set_point(m, mrid)
        set_value(m, value)
        set_quality(m, octet)
        set_source_s(m, received_s)
        set_time_quality(m, received)
        set_received_s(m, received_s)
        append(m)
    return made


def _timed(
    found: Columns,
    values: Sequence[float],
    quality: Iterable[Quality],
    targets: dict[int, Target],
    stamp: _Stamp,
) -> list[Measurement]:
    made: list[Measurement] = []
    append, get, received_s = made.append, targets.get, stamp.received_s
    new, kind = _new, Measurement
    set_point, set_value, set_quality = _point, _value, _quality
    set_source_s, set_time_quality, set_received_s = _source_s, _time_quality, _received_s
    relative, of = found.relative, stamp.of
    times = found.times or ()
    for index, raw, octet, time_ms in zip(found.indexes, values, quality, times, strict=True):
        target = get(index)
        if target is None:
            continue
        mrid, scale, offset, more = target
        value = raw * scale + offset
        told = of(time_ms, relative)
        if more or value - value != 0.0:
            made += _each(target, raw, octet, told, received_s)
            continue
        m = new(kind)
        set_point(m, mrid)
        set_value(m, value)
        set_quality(m, octet)
        set_source_s(m, told[0])
        set_time_quality(m, told[1])
        set_received_s(m, received_s)
        append(m)
    return made


def _each(
    target: Target,
    raw: float,
    quality: Quality,
    told: tuple[float, TimeQuality],
    received_s: float,
) -> list[Measurement]:
    """All points of one object; what is no number (NaN, infinite) becomes 0 and invalid."""
    made = []
    for mrid, scale, offset in (target[:3], *target[3]):
        value, found = raw * scale + offset, quality
        if value - value != 0.0:
            value, found = 0.0, quality.degraded(Flag.OVERFLOW, Validity.INVALID)
        made.append(
            Measurement(
                point=mrid,
                value=value,
                quality=found,
                source_time_s=told[0],
                time_quality=told[1],
                received_time_s=received_s,
            )
        )
    return made


def _strings(
    strings: Sequence[tuple[int, bytes]], targets: dict[int, Target], stamp: _Stamp
) -> list[Measurement]:
    """An octet string is worth the number that it spells; any other is invalid, its text kept."""
    made: list[Measurement] = []
    for index, octets in strings:
        target = targets.get(index)
        if target is None:
            continue
        text = octets.rstrip(b"\0 ").decode("ascii", "replace")
        native = f"text {text[:TEXT_SHOWN_MAX]!r}"
        raw: float
        try:
            raw, validity = float(text), Validity.GOOD
        except ValueError:
            raw, validity = 0.0, Validity.INVALID
        flags: frozenset[Flag] = (
            frozenset() if validity is Validity.GOOD else frozenset({Flag.INCONSISTENT})
        )
        quality = Quality(validity=validity, flags=flags, native=native)
        told = (stamp.received_s, TimeQuality.RECEIVED)
        made += _each(target, raw, quality, told, stamp.received_s)
    return made
