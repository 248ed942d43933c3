"""How points look on the wire: static and event variations, and the octets of each.

An outstation shows analogs as floats unless a file beside the points file, `variations.csv`, says
otherwise: columns `link`, `address` (as in the points file), `static` and `event` (numbers of
variations; empty: the usual one) and, if it is there, `class` (of its events, 0: none).
"""

from __future__ import annotations

import csv
import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from py1815.objects import encode_time

from gridctl.model.errors import ConfigError

VARIATIONS: Final = "variations.csv"
BINARY, DOUBLE, BINARY_OUTPUT, COUNTER, FROZEN, ANALOG, ANALOG_OUTPUT = 1, 3, 10, 20, 21, 30, 40
USUAL: Final[Mapping[int, int]] = {
    BINARY: 2, DOUBLE: 2, BINARY_OUTPUT: 2, COUNTER: 1, FROZEN: 1, ANALOG: 5, ANALOG_OUTPUT: 3,
}  # fmt: skip
"""The variation of each static group where nothing else is said; flags with all of them."""
USUAL_ANALOG_EVENT: Final = 7
USUAL_COUNTER_EVENT: Final = 5
CLASS_MAX: Final = 3
_INT32, _INT16, _INT32_BARE, _INT16_BARE, _FLOAT, _DOUBLE = range(1, 7)
_ANALOG_FORMS: Final = {
    _INT32: "<i", _INT16: "<h", _INT32_BARE: "<i", _INT16_BARE: "<h", _FLOAT: "<f", _DOUBLE: "<d",
}  # fmt: skip
_OUTPUT_FORMS: Final = {1: _INT32, 2: _INT16, 3: _FLOAT, 4: _DOUBLE}
_COUNTER_FORMS: Final = {1: "<I", 2: "<H", 5: "<I", 6: "<H"}
_EVENT_FORMS: Final = {
    1: (_INT32, False), 2: (_INT16, False), 3: (_INT32, True), 4: (_INT16, True),
    5: (_FLOAT, False), 6: (_DOUBLE, False), 7: (_FLOAT, True), 8: (_DOUBLE, True),
}  # fmt: skip
STATIC: Final[Mapping[int, frozenset[int]]] = {
    BINARY: frozenset({2}),
    DOUBLE: frozenset({2}),
    BINARY_OUTPUT: frozenset({2}),
    COUNTER: frozenset(_COUNTER_FORMS),
    FROZEN: frozenset({1, 2}),
    ANALOG: frozenset(_ANALOG_FORMS),
    ANALOG_OUTPUT: frozenset(_OUTPUT_FORMS),
}
ANALOG_EVENTS: Final = frozenset(_EVENT_FORMS)
_COUNTER_EVENT_FORMS: Final = {1: (1, False), 2: (2, False), 5: (1, True), 6: (2, True)}
COUNTER_EVENTS: Final = frozenset(_COUNTER_EVENT_FORMS)
EVENTS: Final[Mapping[int, frozenset[int]]] = {ANALOG: ANALOG_EVENTS, COUNTER: COUNTER_EVENTS}
"""Variations of the events of a group whose points may have one of their own."""
_HAVE_EVENTS: Final = frozenset({BINARY, DOUBLE, COUNTER, FROZEN, ANALOG})
_BARE: Final = frozenset({_INT32_BARE, _INT16_BARE})
_BARE_COUNTERS: Final = frozenset({5, 6})
_ONLINE, _OVER_RANGE, _STATE = 0x01, 0x20, 0x80
_FLOAT32_MAX: Final = 3.4028234663852886e38
INTERMEDIATE, OFF, ON, INDETERMINATE = range(4)
_DOUBLE_BITS: Final = {0: OFF, 1: ON, 2: INTERMEDIATE}


@dataclass(frozen=True, slots=True, kw_only=True)
class PointForm:
    """Variations of one point; 0: the usual one. `event_class`: None as its group has it."""

    static: int = 0
    event: int = 0
    event_class: int | None = None


def double_bits(value: float) -> int:
    """The two bits of a double-bit input: 0 open, 1 closed, 2 on its way, else indeterminate."""
    return _DOUBLE_BITS.get(round(value), INDETERMINATE) if math.isfinite(value) else INDETERMINATE


def encode_static(group: int, variation: int, value: float, flags: int) -> bytes:
    """One static object without its time."""
    if group in (BINARY, BINARY_OUTPUT):
        return bytes([flags | (_STATE if value else 0)])
    if group == DOUBLE:
        return bytes([flags | double_bits(value) << 6])
    if group in (COUNTER, FROZEN):
        form = _COUNTER_FORMS[variation]
        modulus = 1 << 8 * struct.calcsize(form)
        body = struct.pack(form, round(value) % modulus)
        return body if variation in _BARE_COUNTERS else bytes([flags]) + body
    if group == ANALOG_OUTPUT:
        variation = _OUTPUT_FORMS[variation]
    return _analog(variation, value, flags)


def encode_analog_event(variation: int, value: float, flags: int, at_ms: int) -> bytes:
    """One analog event without its index."""
    form, timed = _EVENT_FORMS[variation]
    return _analog(form, value, flags) + (encode_time(at_ms) if timed else b"")


def encode_counter_event(variation: int, value: int, flags: int, at_ms: int) -> bytes:
    """One counter event without its index."""
    form, timed = _COUNTER_EVENT_FORMS[variation]
    body = encode_static(COUNTER, form, value, flags)
    return body + (encode_time(at_ms) if timed else b"")


def _analog(form: int, value: float, flags: int) -> bytes:
    """Flag octet and number; what does not fit saturates and is marked OVER_RANGE."""
    code = _ANALOG_FORMS[form]
    if math.isnan(value):
        value, flags = 0.0, flags & ~_ONLINE
    if form in (_FLOAT, _DOUBLE):
        top = _FLOAT32_MAX if form == _FLOAT else math.inf
        if abs(value) > top:
            value, flags = math.copysign(top, value), flags | _OVER_RANGE
        body = struct.pack(code, value)
    else:
        top = float((1 << 8 * struct.calcsize(code) - 1) - 1)
        if abs(value) > top:
            value, flags = math.copysign(top, value), flags | _OVER_RANGE
        body = struct.pack(code, round(value))
    return body if form in _BARE else bytes([flags]) + body


def read_forms(path: Path) -> dict[tuple[str, str], PointForm]:
    """The forms in `path` by link and address, none where there is no file. ConfigError names the
    line of a variation that this outstation does not have."""
    if not path.is_file():
        return {}
    found = {}
    with path.open(newline="", encoding="utf-8") as file:
        for line, row in enumerate(csv.DictReader(file), start=2):
            try:
                told = row.get("class") or ""
                form = PointForm(
                    static=int(row["static"] or 0),
                    event=int(row["event"] or 0),
                    event_class=int(told) if told else None,
                )
                group = int(row["address"].partition(":")[0])
                if form.static and form.static not in STATIC.get(group, frozenset()):
                    raise ValueError(f"g{group}v{form.static} is not served")
                if form.event and form.event not in EVENTS.get(group, frozenset()):
                    raise ValueError(f"group {group} has no events of variation {form.event}")
                if form.event_class is not None and (
                    group not in _HAVE_EVENTS or not 0 <= form.event_class <= CLASS_MAX
                ):
                    raise ValueError(f"group {group} has no events of class {form.event_class}")
                found[row["link"], row["address"]] = form
            except (KeyError, TypeError, ValueError) as error:
                raise ConfigError(f"cannot be read: {error}", file=str(path), line=line) from None
    return found
