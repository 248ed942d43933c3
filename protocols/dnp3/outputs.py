"""Output objects: how the points file names them, what a value becomes, which values none can be.

Pure octets (IEEE 1815-2012 Annex A, g12 and g41); the native stack's objects are made of them in
`controls.py`. A value that its object cannot carry is refused, never cut.
"""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from gridctl.model.errors import Refusal
from gridctl.model.measurement import PointKind

CROB_GROUP: Final = 12
ANALOG_GROUP: Final = 41

_PULSE_ON, _LATCH_ON, _LATCH_OFF = 0x01, 0x03, 0x04
_CLOSE, _TRIP = 0x41, 0x81
"""PULSE_ON with the trip-close code in bits 6 and 7 (Annex A, g12v1)."""
_LATCH_MS: Final = 100
"""On and off time have no meaning for a latch; the stack writes 100 ms each."""
PULSE_MS_MAX: Final = 60_000
PULSES_MAX: Final = 20
_PULSE: Final = re.compile(r"(crob-pulse|crob-trip-close):(\d{1,6})/(\d{1,6})x(\d{1,3})")
_PULSE_FORM: Final = "ON/OFFxCOUNT in ms, e.g. 500/100x1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """The one object that a command may put on the wire: what stands between its index and its
    status. `role` names it where one request carries several."""

    group: int
    variation: int
    index: int
    octets: bytes
    role: str = "setpoint"

    def object(self) -> bytes:
        """The whole object of a request as the stack spells one: header, index, value, status 0."""
        head = struct.pack("<BBBHH", self.group, self.variation, 0x28, 1, self.index)
        return head + self.octets + b"\x00"


@dataclass(frozen=True, slots=True)
class AnalogForm:
    """One variation of g41. `low` to `high` is what it can carry; `whole`: integers only."""

    name: str
    variation: int
    code: str
    low: float
    high: float
    whole: bool

    def output(
        self, index: int, wire: float, *, within: tuple[float, float], slack: float
    ) -> Output | Refusal:
        """The object for `wire`; all numbers in wire units. An integer may be off by `slack` and
        stays `within`: rounding must not carry it over a limit."""
        if not math.isfinite(wire) or not self.low <= wire <= self.high:
            return _not_representable(f"{wire:g} on the wire does not fit {self}")
        value: float = wire
        if self.whole:
            value = min(max(round(wire), math.ceil(within[0] - _EXACT)), _floor(within[1]))
            if abs(value - wire) > max(slack, _EXACT):
                return _not_representable(
                    f"{wire:.6g} on the wire is no whole number, as {self} needs it, and the next "
                    "one inside the limits is further off than the point's tolerance"
                )
        return Output(
            group=ANALOG_GROUP,
            variation=self.variation,
            index=index,
            octets=struct.pack("<" + self.code, value),
        )

    def __str__(self) -> str:
        span = f", {self.low:.0f} to {self.high:.0f}" if self.whole else ""
        return f"{self.name} (g41v{self.variation}{span})"


@dataclass(frozen=True, slots=True)
class RelayForm:
    """One way to use g12v1: the control code for 1 and, where there is one, for 0; how long the
    output is on and off, and how often."""

    name: str
    on: int
    off: int | None
    on_ms: int
    off_ms: int
    count: int

    def output(self, index: int, value: float) -> Output | Refusal:
        """The object for 1 or 0; a pulse that has no opposite knows 1 alone."""
        code = {1.0: self.on, 0.0: self.off}.get(value)
        if code is None:
            known = "neither 0 nor 1" if self.off is not None else "not 1, all that a pulse knows"
            return _not_representable(f"{value:g} is {known}")
        octets = struct.pack("<BBII", code, self.count, self.on_ms, self.off_ms)
        return Output(group=CROB_GROUP, variation=1, index=index, octets=octets)


_EXACT: Final = 1e-6
"""What dividing by a scale may cost: 25 / 0.05 is 500.00000000000006."""


def _floor(wire: float) -> int:
    return math.floor(wire + _EXACT)


def _not_representable(reason: str) -> Refusal:
    return Refusal(code="NOT_REPRESENTABLE", reasons=(reason,))


Form: TypeAlias = AnalogForm | RelayForm

_FLOAT32_MAX = 3.4028234663852886e38
_FLOAT64_MAX = 1.7976931348623157e308
AO_FLOAT: Final = AnalogForm("ao-float", 3, "f", -_FLOAT32_MAX, _FLOAT32_MAX, False)
ANALOG_FORMS: Final[Mapping[str, AnalogForm]] = {
    form.name: form
    for form in (
        AO_FLOAT,
        AnalogForm("ao-double", 4, "d", -_FLOAT64_MAX, _FLOAT64_MAX, False),
        AnalogForm("ao-int16", 2, "h", -(2.0**15), 2.0**15 - 1, True),
        AnalogForm("ao-int32", 1, "i", -(2.0**31), 2.0**31 - 1, True),
    )
}
LATCH: Final = RelayForm("crob-latch", _LATCH_ON, _LATCH_OFF, _LATCH_MS, _LATCH_MS, 1)
COMMAND_FORMS: Final[Mapping[PointKind, Sequence[str]]] = {
    PointKind.SETPOINT: tuple(ANALOG_FORMS),
    PointKind.CONTROL: (
        "crob-latch",
        "crob-pulse:ON/OFFxCOUNT",
        "crob-trip-close:ON/OFFxCOUNT",
    ),
}
"""What the points file's column `command` may say, by kind."""


def read_form(kind: PointKind, text: str) -> Form | str:
    """The form that `text` of a points file's column `command` names, or what is wrong with it."""
    if kind is PointKind.SETPOINT and text in ANALOG_FORMS:
        return ANALOG_FORMS[text]
    if kind is PointKind.CONTROL and text == LATCH.name:
        return LATCH
    known = f"a {kind} of DNP3 takes {', '.join(COMMAND_FORMS[kind])}"
    if kind is not PointKind.CONTROL or not text.startswith(("crob-pulse", "crob-trip-close")):
        return f"{text!r}: {known}"
    found = _PULSE.fullmatch(text)
    if found is None:
        return f"{text!r}: a pulse is written with {_PULSE_FORM}"
    on_ms, off_ms, count = (int(one) for one in found.groups()[1:])
    if not 1 <= on_ms <= PULSE_MS_MAX or off_ms > PULSE_MS_MAX or not 1 <= count <= PULSES_MAX:
        return (
            f"{text!r}: on for 1 to {PULSE_MS_MAX} ms, off for 0 to {PULSE_MS_MAX} ms, "
            f"1 to {PULSES_MAX} times"
        )
    if found[1] == "crob-pulse":
        return RelayForm("crob-pulse", _PULSE_ON, None, on_ms, off_ms, count)
    return RelayForm("crob-trip-close", _CLOSE, _TRIP, on_ms, off_ms, count)
