"""Object headers and objects (IEEE 1815-2012 Annex A): octets into columns of plain numbers.

Every count is checked against the octets that are really there before anything is made of it, so
the cost is linear in the fragment whatever its headers claim (dnp3.md §5: lying sizes, objects of
no length). An object that is not in the table ends the walk; what came before it is kept.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NamedTuple

_CODES: Final[Mapping[str, str]] = {
    "flags": "B",
    "state": "B",
    "double": "B",
    "status": "B",
    "u8": "B",
    "u16": "H",
    "i16": "h",
    "u32": "I",
    "i32": "i",
    "f32": "f",
    "f64": "d",
    "time": "IH",
    "relative": "H",
    "crob": "BBII",
}
_NUMBERS: Final = frozenset({"u8", "u16", "i16", "u32", "i32", "f32", "f64"})


def _family(group: int, variations: Mapping[int, str]) -> dict[tuple[int, int], str]:
    return {(group, variation): fields for variation, fields in variations.items()}


_COUNTER: Final = {1: "flags u32", 2: "flags u16", 5: "u32", 6: "u16"}
_FROZEN: Final = {
    1: "flags u32",
    2: "flags u16",
    5: "flags u32 time",
    6: "flags u16 time",
    9: "u32",
    10: "u16",
}
_COUNTER_EVENT: Final = {
    1: "flags u32",
    2: "flags u16",
    5: "flags u32 time",
    6: "flags u16 time",
}
_ANALOG_EVENT: Final = {
    1: "flags i32",
    2: "flags i16",
    3: "flags i32 time",
    4: "flags i16 time",
    5: "flags f32",
    6: "flags f64",
    7: "flags f32 time",
    8: "flags f64 time",
}
_FIELDS: Final[Mapping[tuple[int, int], str]] = {
    **_family(1, {1: "packed1", 2: "state"}),
    **_family(2, {1: "state", 2: "state time", 3: "state relative"}),
    **_family(3, {1: "packed2", 2: "double"}),
    **_family(4, {1: "double", 2: "double time", 3: "double relative"}),
    **_family(10, {1: "packed1", 2: "state"}),
    **_family(11, {1: "state", 2: "state time"}),
    **_family(12, {1: "crob status"}),
    **_family(13, {1: "state", 2: "state time"}),
    **_family(20, _COUNTER),
    **_family(21, _FROZEN),
    **_family(22, _COUNTER_EVENT),
    **_family(23, _COUNTER_EVENT),
    **_family(
        30,
        {
            1: "flags i32",
            2: "flags i16",
            3: "i32",
            4: "i16",
            5: "flags f32",
            6: "flags f64",
        },
    ),
    **_family(
        31,
        {
            1: "flags i32",
            2: "flags i16",
            3: "flags i32 time",
            4: "flags i16 time",
            5: "i32",
            6: "i16",
            7: "flags f32",
            8: "flags f64",
        },
    ),
    **_family(32, _ANALOG_EVENT),
    **_family(33, _ANALOG_EVENT),
    **_family(34, {1: "u16", 2: "u32", 3: "f32"}),
    **_family(40, {1: "flags i32", 2: "flags i16", 3: "flags f32", 4: "flags f64"}),
    **_family(41, {1: "i32 status", 2: "i16 status", 3: "f32 status", 4: "f64 status"}),
    **_family(42, _ANALOG_EVENT),
    **_family(43, {v: f.replace("flags", "status") for v, f in _ANALOG_EVENT.items()}),
    **_family(50, {1: "time", 3: "time", 4: "time u32 u8"}),
    **_family(51, {1: "time", 2: "time"}),
    **_family(52, {1: "u16", 2: "u16"}),
    **_family(80, {1: "packed1"}),
    **_family(102, {1: "u8"}),
    **_family(121, {1: "flags u16 u32"}),
    **_family(122, {1: "flags u16 u32", 2: "flags u16 u32 time"}),
}
"""What each object is made of, in the order of its octets."""

_ATTRIBUTES, _CLASSES = 0, 60
_STRINGS: Final = frozenset({110, 111, 112, 113})

_STATIC_OF: Final[Mapping[int, int]] = {
    2: 1,
    4: 3,
    11: 10,
    22: 20,
    23: 21,
    32: 30,
    33: 31,
    42: 40,
    111: 110,
}


def static_group(group: int) -> int:
    """The group of the present value whose events `group` reports; itself for a static group."""
    return _STATIC_OF.get(group, group)


def is_event(group: int) -> bool:
    return group in _STATIC_OF


@dataclass(frozen=True, slots=True)
class Layout:
    """One object: `size` octets (0: packed bits, of `bits` each), and its fields."""

    fields: tuple[str, ...]
    code: str
    size: int
    bits: int


@lru_cache(maxsize=1024)
def layout(group: int, variation: int) -> Layout | None:
    """The layout of `group`/`variation`, or None for an object that is not in the table."""
    if group in _STRINGS:
        return Layout(("text",), f"{variation}s", variation, 0) if variation else None
    spec = _FIELDS.get((group, variation))
    if spec is None:
        return None
    if spec.startswith("packed"):
        return Layout((spec,), "", 0, int(spec[-1]))
    fields = tuple(spec.split())
    code = "".join(_CODES[field] for field in fields)
    return Layout(fields, code, struct.calcsize("<" + code), 0)


class Block(NamedTuple):
    """One object header and its objects, cut out of a fragment.

    `indexes` is a range for what came by start and stop, None where each object brings its own
    index (`prefix` octets wide) and for headers without objects. `header` and `end` are where the
    block begins and ends in the fragment's objects.
    """

    group: int
    variation: int
    qualifier: int
    indexes: range | None
    prefix: int
    number: int
    body: bytes
    header: int
    end: int

    @property
    def name(self) -> str:
        return f"g{self.group}v{self.variation}"


class Broken(NamedTuple):
    """Where the walk had to end, and why; `unknown` for an object that is well-formed perhaps,
    but in no table of ours."""

    at: int
    reason: str
    unknown: bool


_RANGE: Final = {0: "<BB", 1: "<HH", 2: "<II"}
_COUNT: Final = {7: "<B", 8: "<H", 9: "<I"}
_ALL, _FREE = 0x06, 0x5B
_PREFIX: Final = {0: 0, 1: 1, 2: 2, 3: 4}


def walk(objects: bytes, *, data: bool = True) -> Iterator[Block | Broken]:
    """The blocks of `objects`; a `Broken` is the last item where there is one.

    `data` false: a request whose headers have no objects behind them (READ and the like).
    """
    at, end = 0, len(objects)
    while at < end:
        found = _block(objects, at, data)
        yield found
        if isinstance(found, Broken):
            return
        at = found.end


class _Head(NamedTuple):
    """What an object header tells before its objects."""

    group: int
    variation: int
    qualifier: int
    indexes: range | None
    prefix: int
    number: int
    end: int

    @property
    def name(self) -> str:
        return f"g{self.group}v{self.variation}"


def _block(objects: bytes, at: int, data: bool) -> Block | Broken:
    if at + 3 > len(objects):
        return Broken(at, "the last object header is cut short", False)
    if objects[at + 2] == _FREE:
        return _free_format(objects, at)
    head = _head(objects, at)
    if isinstance(head, Broken):
        return head
    if head.group == _CLASSES or head.number == 0:
        data = False
    octets = _octets(objects, head) if data else head.prefix * head.number
    if isinstance(octets, str):
        return Broken(at, octets, layout(head.group, head.variation) is None)
    end = head.end + octets
    if end > len(objects):
        return Broken(
            at, f"{head.name} tells {head.number} objects, more than there are octets", False
        )
    return Block(
        head.group,
        head.variation,
        head.qualifier,
        head.indexes,
        head.prefix,
        head.number,
        objects[head.end : end],
        at,
        end,
    )


def _head(objects: bytes, at: int) -> _Head | Broken:
    group, variation, qualifier = objects[at : at + 3]
    prefix, kind, body_at = _PREFIX.get(qualifier >> 4), qualifier & 0x0F, at + 3
    if qualifier == _ALL:
        return _Head(group, variation, qualifier, None, 0, 0, body_at)
    if kind in _RANGE and prefix == 0:
        limits = _unpack(_RANGE[kind], objects, body_at)
        if limits is None or limits[1] < limits[0]:
            return Broken(at, f"g{group}v{variation} has no usable range", False)
        indexes = range(limits[0], limits[1] + 1)
        body_at += struct.calcsize(_RANGE[kind])
        return _Head(group, variation, qualifier, indexes, 0, len(indexes), body_at)
    if kind in _COUNT and prefix is not None:
        told = _unpack(_COUNT[kind], objects, body_at)
        if told is None:
            return Broken(at, f"g{group}v{variation} has no count", False)
        body_at += struct.calcsize(_COUNT[kind])
        return _Head(group, variation, qualifier, None, prefix, told[0], body_at)
    return Broken(at, f"g{group}v{variation} has qualifier 0x{qualifier:02X}", False)


def _unpack(code: str, objects: bytes, at: int) -> tuple[int, ...] | None:
    try:
        return struct.unpack_from(code, objects, at)
    except struct.error:
        return None


def _octets(objects: bytes, head: _Head) -> int | str:
    """How many octets the objects of `head` take, or why it cannot be said."""
    if head.group == _ATTRIBUTES:
        return _attribute_octets(objects, head.end, head.number, head.prefix)
    if head.group in _STRINGS and head.variation == 0:
        return head.number * head.prefix  # opendnp3 shows empty strings so in class 0
    found = layout(head.group, head.variation)
    if found is None:
        return f"{head.name} is not in the table"
    if found.bits:
        return (
            -(-head.number * found.bits // 8) if not head.prefix else f"{head.name} with an index"
        )
    return head.number * (found.size + head.prefix)


def _attribute_octets(objects: bytes, at: int, count: int, prefix: int) -> int | str:
    start = at
    for _ in range(count):
        if at + prefix + 2 > len(objects):
            return "a device attribute is cut short"
        at += prefix + 2 + objects[at + prefix + 1]
    return at - start


def _free_format(objects: bytes, at: int) -> Block | Broken:
    """Qualifier 0x5B: a count, then a 16-bit size before each object."""
    group, variation, qualifier = objects[at : at + 3]
    body_at = at + 4
    if body_at > len(objects):
        return Broken(at, "a free-format header is cut short", False)
    count, end = objects[at + 3], body_at
    for _ in range(count):
        size = _unpack("<H", objects, end)
        if size is None or end + 2 + size[0] > len(objects):
            return Broken(at, "a free-format object is cut short", False)
        end += 2 + size[0]
    return Block(group, variation, qualifier, None, 2, count, objects[body_at:end], at, end)


class Columns(NamedTuple):
    """The objects of one block as columns. `flags` None: a variation without flags.

    `values` are raw numbers (for packed bits and states 0 or 1, for double bits 0 to 3); `times`
    in ms since the epoch, or since the common time of occurrence when `relative`. `double`: the
    values are states of double bits.
    """

    indexes: Sequence[int]
    values: Sequence[float]
    flags: Sequence[int] | None
    times: Sequence[int] | None
    relative: bool
    double: bool


@lru_cache(maxsize=1024)
def _rows_code(group: int, variation: int, prefix: int) -> struct.Struct:
    found = layout(group, variation)
    assert found is not None  # noqa: S101 - the walk let the block pass
    return struct.Struct("<" + ("", "B", "H", "", "I")[prefix] + found.code)


def columns(block: Block) -> Columns | None:
    """The block's objects; None for one that carries no values (attributes, classes, text)."""
    found = layout(block.group, block.variation)
    if found is None or not block.number or block.qualifier == _FREE:
        return None
    if found.bits:
        return _packed(block, found.bits)
    fields = found.fields
    if not _NUMBERS.union(("state", "double")).intersection(fields) or "crob" in fields:
        return None
    rows = zip(
        *_rows_code(block.group, block.variation, block.prefix).iter_unpack(block.body),
        strict=True,
    )
    indexes: Sequence[int] = next(rows) if block.prefix else block.indexes or range(block.number)
    return _named(indexes, fields, rows)


def _named(
    indexes: Sequence[int], fields: tuple[str, ...], rows: Iterator[tuple[int, ...]]
) -> Columns:
    values: Sequence[float] | None = None
    flags: Sequence[int] | None = None
    times: Sequence[int] | None = None
    for field in fields:
        column = next(rows)
        if field in ("state", "double"):
            flags = column
            shift = 7 if field == "state" else 6
            values = [octet >> shift for octet in column]
        elif field in ("flags", "status"):
            flags = column
        elif field == "time":
            times = [low | high << 32 for low, high in zip(column, next(rows), strict=True)]
        elif field == "relative":
            times = column
        elif values is None:
            values = column
    assert values is not None  # noqa: S101 - `columns` asked for one
    return Columns(indexes, values, flags, times, "relative" in fields, "double" in fields)


_BITS: Final = [tuple(octet >> bit & 1 for bit in range(8)) for octet in range(256)]
_PAIRS: Final = [tuple(octet >> bit & 3 for bit in (0, 2, 4, 6)) for octet in range(256)]


def _packed(block: Block, bits: int) -> Columns:
    table = _BITS if bits == 1 else _PAIRS
    values = [value for octet in block.body for value in table[octet]]
    indexes = block.indexes or range(block.number)
    return Columns(indexes, values[: block.number], None, None, False, bits != 1)


def texts(block: Block) -> list[tuple[int, bytes]]:
    """Index and octets of each octet string of `block`; empty for any other group, and for a
    header that brings none (a liar's g110v0)."""
    if block.group not in _STRINGS or not block.variation or not block.number:
        return []
    if block.qualifier == _FREE:
        return []
    rows = _rows_code(block.group, block.variation, block.prefix).iter_unpack(block.body)
    if block.prefix:
        return [(int(index), text) for index, text in rows]
    return [
        (index, text)
        for index, (text,) in zip(block.indexes or range(block.number), rows, strict=True)
    ]
