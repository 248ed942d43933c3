"""The answers that carry values, decoded in runs: PublishResponse and ReadResponse.

asyncua builds four objects a value on the way; here values of equal shape, which is nearly all of
them, are unpacked together (OPC 10000-6 §5.2). What is shaped otherwise (strings, arrays,
structures, a value that is missing) goes through asyncua's decoder of variants, one at a time.
Measured in benchmarks/protocols_opcua.py; a test compares both decoders on random values.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, TypeAlias

from asyncua import ua
from asyncua.common.utils import Buffer
from asyncua.ua.object_ids import ObjectIds
from asyncua.ua.ua_binary import (
    extensionobject_from_binary,
    nodeid_from_binary,
    struct_from_binary,
    variant_from_binary,
)

ITEMS_MAX: Final = 1_000_000
"""More values in one answer than any server may have; a lying count must not eat the memory."""
GRACE_TICKS: Final = 10
"""A float of seconds holds microseconds, a server's clock finer ones."""
_EPOCH_TICKS: Final = 116_444_736_000_000_000  # 1601 to 1970 in 100 ns (OPC 10000-6 §5.2.2.5)
_WINDOW: Final = 8


class Sample(NamedTuple):
    """One value as it was on the wire. `handle`: the client's own number, in a read the place.
    `kind`: VariantType, 0 without a value. Times in 100 ns ticks since 1601, 0 when not given."""

    handle: int
    kind: int
    value: object
    status: int
    source_ticks: int
    server_ticks: int


class MalformedError(ValueError):
    """The answer does not hold what it says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Publication:
    """One PublishResponse. `ended`: status of a StatusChangeNotification, None without one.
    `events`: event notifications as asyncua decodes them. `keepalive`: nothing was in it."""

    subscription: int
    sequence: int
    keepalive: bool
    samples: Sequence[Sample]
    ended: int | None
    events: Sequence[ua.EventFieldList]


_Row: TypeAlias = tuple[Any, ...]
_FORMATS: Final = {1: "?", 2: "b", 3: "B", 4: "h", 5: "H", 6: "i", 7: "I", 8: "q", 9: "Q"} | {
    10: "f",
    11: "d",
}
_VALUE, _STATUS, _SOURCE, _SERVER, _SOURCE_PICO, _SERVER_PICO = 1, 2, 4, 8, 16, 32


def _complete(mask: int, kind: int) -> Callable[[Iterable[_Row]], list[Sample]]:
    """Rows of one shape as samples, what the shape leaves out filled in."""
    new = tuple.__new__
    match (bool(mask & _STATUS), bool(mask & _SOURCE), bool(mask & _SERVER)):
        case (True, True, True):
            return lambda rows: [new(Sample, (h, kind, v, c, s, r)) for h, _, v, c, s, r in rows]
        case (True, True, False):
            return lambda rows: [new(Sample, (h, kind, v, c, s, 0)) for h, _, v, c, s in rows]
        case (True, False, True):
            return lambda rows: [new(Sample, (h, kind, v, c, 0, r)) for h, _, v, c, r in rows]
        case (True, False, False):
            return lambda rows: [new(Sample, (h, kind, v, c, 0, 0)) for h, _, v, c in rows]
        case (False, True, True):
            return lambda rows: [new(Sample, (h, kind, v, 0, s, r)) for h, _, v, s, r in rows]
        case (False, True, False):
            return lambda rows: [new(Sample, (h, kind, v, 0, s, 0)) for h, _, v, s in rows]
        case (False, False, True):
            return lambda rows: [new(Sample, (h, kind, v, 0, 0, r)) for h, _, v, r in rows]
        case _:
            return lambda rows: [new(Sample, (h, kind, v, 0, 0, 0)) for h, _, v in rows]


@dataclass(frozen=True, slots=True)
class _Layout:
    """Values with this mask and this type, one after the other."""

    key: int
    row: struct.Struct
    complete: Callable[[Iterable[_Row]], list[Sample]]


def _layout(mask: int, kind: int, handle: str) -> _Layout:
    parts = [
        handle,
        "H",
        _FORMATS[kind],
        "I" if mask & _STATUS else "",
        "q" if mask & _SOURCE else "",
        "2x" if mask & _SOURCE_PICO else "",
        "q" if mask & _SERVER else "",
        "2x" if mask & _SERVER_PICO else "",
    ]
    key = kind << 8 | mask
    return _Layout(key, struct.Struct("<" + "".join(parts)), _complete(mask, kind))


def _layouts(handle: str) -> dict[int, _Layout]:
    made = (_layout(mask, kind, handle) for mask in range(1, 64, 2) for kind in _FORMATS)
    return {one.key: one for one in made}


_KEY: Final = struct.Struct("<H")
_WITH_HANDLE: Final = _layouts("I")
_INT32: Final = struct.Struct("<i")
_HEADER: Final = struct.Struct("<qIIBi")
_TYPE_SIZE: Final = 4  # a four-byte node id
_SUBSCRIPTION: Final = struct.Struct("<Ii")
_MESSAGE: Final = struct.Struct("<?Iqi")
_BODY: Final = struct.Struct("<Bi")
_HISTORY: Final = struct.Struct("<Ii")
_HISTORY_DATA: Final = ObjectIds.HistoryData_Encoding_DefaultBinary
_DATA_CHANGE: Final = ObjectIds.DataChangeNotification_Encoding_DefaultBinary
_AFTER_VALUE: Final = (
    (_STATUS, struct.Struct("<I")),
    (_SOURCE, struct.Struct("<q")),
    (_SOURCE_PICO, struct.Struct("<H")),
    (_SERVER, struct.Struct("<q")),
    (_SERVER_PICO, struct.Struct("<H")),
)


def seconds_of(ticks: int) -> float:
    """UTC seconds since 1970 of a DateTime."""
    return (ticks - _EPOCH_TICKS) / 1e7


def ticks_of(seconds: float) -> int:
    """DateTime of UTC seconds since 1970, to the microsecond that a float can hold."""
    return round(seconds * 1e6) * 10 + _EPOCH_TICKS


def decode_publish(data: bytes) -> Publication:
    """A PublishResponse. Raises MalformedError, or what asyncua's decoder raises."""
    try:
        return _publish(data)
    except struct.error as error:
        raise MalformedError(f"publish response of {len(data)} bytes: {error}") from error


def _publish(data: bytes) -> Publication:
    position = _after_header(data)
    subscription, available = _SUBSCRIPTION.unpack_from(data, position)
    position += _SUBSCRIPTION.size + 4 * max(0, available)
    _, sequence, _, count = _MESSAGE.unpack_from(data, position)
    position += _MESSAGE.size
    samples: list[Sample] = []
    events: list[ua.EventFieldList] = []
    ended: int | None = None
    for _ in range(_bounded(count)):
        start, body, end = _extension(data, position)
        if body is not None:
            samples += _data_change(data[body:end])
        else:
            other = extensionobject_from_binary(Buffer(data[start:end]))
            if isinstance(other, ua.StatusChangeNotification):
                ended = int(other.Status.value)
            elif isinstance(other, ua.EventNotificationList):
                events += other.Events or ()
        position = end
    return Publication(
        subscription=subscription,
        sequence=sequence,
        keepalive=count <= 0,
        samples=samples,
        ended=ended,
        events=events,
    )


def _extension(data: bytes, start: int) -> tuple[int, int | None, int]:
    """Start and end of an extension object, and where its body begins if it is a data change."""
    buffer = Buffer(data, start)
    kind = nodeid_from_binary(buffer)
    encoding, length = _BODY.unpack_from(data, buffer.cur_pos)
    body = buffer.cur_pos + _BODY.size
    if encoding != 1 or length < 0 or body + length > len(data):
        raise MalformedError("a notification is longer than its message")
    wanted = (kind.NamespaceIndex, kind.Identifier) == (0, _DATA_CHANGE)
    return start, body if wanted else None, body + length


def decode_read(data: bytes, *, first: int = 0) -> list[Sample]:
    """A ReadResponse, in the order of the request, handles counting from `first`. Raises as
    `decode_publish`."""
    try:
        start = _after_header(data)
        (count,) = _INT32.unpack_from(data, start)
        return _read_run(data, start + 4, _bounded(count), first)
    except struct.error as error:
        raise MalformedError(f"read response of {len(data)} bytes: {error}") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryPart:
    """One node's share of a HistoryReadResponse. `more`: continuation point, b"" at the end."""

    status: int
    more: bytes
    samples: Sequence[Sample]


def decode_history(data: bytes) -> list[HistoryPart]:
    """A HistoryReadResponse of raw values, in the order of the request. Raises as `decode_publish`;
    other history than HistoryData counts as none."""
    try:
        position = _after_header(data)
        (count,) = _INT32.unpack_from(data, position)
        position += _INT32.size
        parts: list[HistoryPart] = []
        for _ in range(_bounded(count)):
            status, length = _HISTORY.unpack_from(data, position)
            position += _HISTORY.size
            more = data[position : position + max(0, length)]
            position += max(0, length)
            samples, position = _history_data(data, position)
            parts.append(HistoryPart(status=status, more=more, samples=samples))
        return parts
    except struct.error as error:
        raise MalformedError(f"history response of {len(data)} bytes: {error}") from error


def _history_data(data: bytes, position: int) -> tuple[Sequence[Sample], int]:
    buffer = Buffer(data, position)
    kind = nodeid_from_binary(buffer)
    position = buffer.cur_pos
    if data[position] == 0:  # no body
        return (), position + 1
    _, length = _BODY.unpack_from(data, position)
    body = position + _BODY.size
    end = body + max(0, length)
    if end > len(data):
        raise MalformedError("a history is longer than its message")
    if (kind.NamespaceIndex, kind.Identifier) != (0, _HISTORY_DATA):
        return (), end
    (count,) = _INT32.unpack_from(data, body)
    return _read_run(data[:end], body + _INT32.size, _bounded(count), 0), end


def _read_run(data: bytes, start: int, count: int, first: int) -> list[Sample]:
    # A read carries no handles; the same layouts serve when each value is given four bytes in
    # front. Values are found by their shapes, so this costs one pass over the bytes.
    samples: list[Sample] = []
    position = start
    while len(samples) < count:
        (key,) = _KEY.unpack_from(data, position)
        layout = _BARE.get(key)
        if layout is None:
            sample, position = _odd(data, position, first + len(samples))
            samples.append(sample)
            continue
        rows, position = _run(layout, data, position, count - len(samples))
        handle = first + len(samples)
        samples += layout.complete((at, *row) for at, row in enumerate(rows, start=handle))
    return samples


_BARE: Final = _layouts("")


def _data_change(data: bytes) -> list[Sample]:
    (count,) = _INT32.unpack_from(data, 0)
    left = _bounded(count)
    samples: list[Sample] = []
    position = 4
    while left:
        (key,) = _KEY.unpack_from(data, position + 4)
        layout = _WITH_HANDLE.get(key)
        if layout is None:
            (handle,) = struct.unpack_from("<I", data, position)
            sample, position = _odd(data, position + 4, handle)
            samples.append(sample)
            left -= 1
            continue
        rows, position = _run(layout, data, position, left)
        samples += layout.complete(rows)
        left -= len(rows)
    return samples


def _run(layout: _Layout, data: bytes, position: int, most: int) -> tuple[list[_Row], int]:
    """As many values of this layout as follow one another, at least one. The window doubles, so
    that types that alternate cost a few values too many and not all the rest each time."""
    row, key = layout.row, layout.key
    at = 1 if row.format.startswith("<I") else 0
    found: list[_Row] = []
    window = _WINDOW
    while len(found) < most:
        fit = min(window, most - len(found), (len(data) - position) // row.size)
        rows = list(row.iter_unpack(data[position : position + fit * row.size]))
        same = next((i for i, one in enumerate(rows) if one[at] != key), len(rows))
        found += rows[:same]
        position += same * row.size
        if same < fit or fit == 0:
            break
        window *= 2
    if not found:
        raise MalformedError("the values end before their count")
    return found, position


def _odd(data: bytes, position: int, handle: int) -> tuple[Sample, int]:
    """One value of any shape. Only its variant is left to asyncua, whose DataValue has the server's
    time before the source's picoseconds, against OPC 10000-6 §5.2.2.17."""
    mask = data[position]
    position += 1
    kind, value = 0, None
    if mask & _VALUE:
        buffer = Buffer(data, position)
        variant = variant_from_binary(buffer)
        position = buffer.cur_pos
        kind, value = int(getattr(variant.VariantType, "value", 0)), variant.Value
    numbers = {}
    for bit, form in _AFTER_VALUE:
        if mask & bit:
            (numbers[bit],) = form.unpack_from(data, position)
            position += form.size
    sample = Sample(
        handle=handle,
        kind=kind,
        value=value,
        status=numbers.get(_STATUS, 0),
        source_ticks=numbers.get(_SOURCE, 0),
        server_ticks=numbers.get(_SERVER, 0),
    )
    return sample, position


def _after_header(data: bytes) -> int:
    """Where the parameters begin, behind type and response header."""
    if data[_TYPE_SIZE + _HEADER.size :][:3] == b"\0\0\0" and data[0] == 1:
        *_, diagnostics, strings = _HEADER.unpack_from(data, _TYPE_SIZE)
        if diagnostics == 0 and strings <= 0:
            return _TYPE_SIZE + _HEADER.size + 3
    buffer = Buffer(data)
    nodeid_from_binary(buffer)
    struct_from_binary(ua.ResponseHeader, buffer)
    return buffer.cur_pos


def _bounded(count: int) -> int:
    if count > ITEMS_MAX:
        raise MalformedError(f"{count} values in one answer")
    return max(0, count)
