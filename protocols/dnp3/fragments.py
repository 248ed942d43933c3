"""Transport segments and the application header (IEEE 1815-2012 clauses 8 and 4.2).

No socket, no clock: segments in, fragments out, and back.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import IntEnum
from typing import Final, NamedTuple

from protocols.dnp3.frames import PAYLOAD_MAX, UNCONFIRMED_USER_DATA, build_frame

FRAGMENT_MAX: Final = 2_048
SEGMENT_MAX: Final = PAYLOAD_MAX - 1

_T_FIN, _T_FIR, _T_SEQ = 0x80, 0x40, 0x3F

FIR: Final = 0x80
FIN: Final = 0x40
CON: Final = 0x20
UNS: Final = 0x10
SEQ: Final = 0x0F


class Function(IntEnum):
    """Application function codes (Table 4-2)."""

    CONFIRM = 0
    READ = 1
    WRITE = 2
    SELECT = 3
    OPERATE = 4
    DIRECT_OPERATE = 5
    DIRECT_OPERATE_NR = 6
    IMMED_FREEZE = 7
    IMMED_FREEZE_NR = 8
    FREEZE_CLEAR = 9
    FREEZE_CLEAR_NR = 10
    FREEZE_AT_TIME = 11
    FREEZE_AT_TIME_NR = 12
    COLD_RESTART = 13
    WARM_RESTART = 14
    INITIALIZE_DATA = 15
    INITIALIZE_APPL = 16
    START_APPL = 17
    STOP_APPL = 18
    SAVE_CONFIG = 19
    ENABLE_UNSOLICITED = 20
    DISABLE_UNSOLICITED = 21
    ASSIGN_CLASS = 22
    DELAY_MEASURE = 23
    RECORD_CURRENT_TIME = 24
    RESPONSE = 129
    UNSOLICITED_RESPONSE = 130


NO_RESPONSE: Final = frozenset(
    {
        Function.CONFIRM,
        Function.DIRECT_OPERATE_NR,
        Function.IMMED_FREEZE_NR,
        Function.FREEZE_CLEAR_NR,
        Function.FREEZE_AT_TIME_NR,
    }
)
"""Requests that the outstation does not answer."""


class Iin(IntEnum):
    """Internal indications, first octet in the low byte (Table 4-3)."""

    BROADCAST = 0x0001
    CLASS_1_EVENTS = 0x0002
    CLASS_2_EVENTS = 0x0004
    CLASS_3_EVENTS = 0x0008
    NEED_TIME = 0x0010
    LOCAL_CONTROL = 0x0020
    DEVICE_TROUBLE = 0x0040
    DEVICE_RESTART = 0x0080
    NO_FUNC_CODE_SUPPORT = 0x0100
    OBJECT_UNKNOWN = 0x0200
    PARAMETER_ERROR = 0x0400
    EVENT_BUFFER_OVERFLOW = 0x0800
    ALREADY_EXECUTING = 0x1000
    CONFIG_CORRUPT = 0x2000


IIN_REQUEST_ERRORS: Final = Iin.NO_FUNC_CODE_SUPPORT | Iin.OBJECT_UNKNOWN | Iin.PARAMETER_ERROR


class Fragment(NamedTuple):
    """One application fragment. `iin` is 0 in requests; `objects` follows the header."""

    control: int
    function: int
    iin: int
    objects: bytes

    @property
    def sequence(self) -> int:
        return self.control & SEQ

    @property
    def first(self) -> bool:
        return bool(self.control & FIR)

    @property
    def final(self) -> bool:
        return bool(self.control & FIN)

    @property
    def confirm_wanted(self) -> bool:
        return bool(self.control & CON)

    @property
    def unsolicited(self) -> bool:
        return bool(self.control & UNS)

    @property
    def is_response(self) -> bool:
        return self.function >= Function.RESPONSE

    def octets(self) -> bytes:
        """The fragment as it stands on the wire."""
        header = bytes((self.control, self.function))
        if self.is_response:
            header += self.iin.to_bytes(2, "little")
        return header + self.objects


def parse_fragment(octets: bytes) -> Fragment | None:
    """The fragment in `octets`, or None when its header is cut short."""
    if len(octets) < 2:  # noqa: PLR2004 - control and function
        return None
    control, function = octets[0], octets[1]
    if function < Function.RESPONSE:
        return Fragment(control, function, 0, octets[2:])
    if len(octets) < 4:  # noqa: PLR2004 - and the internal indications
        return None
    return Fragment(control, function, octets[2] | octets[3] << 8, octets[4:])


class Reassembler:
    """Segments of one direction into whole fragments; `errors` counts what did not fit.

    A lost or foreign segment throws the incomplete fragment away; one that repeats the last is
    ignored (clause 8.2.2).
    """

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._octets = 0
        self._last = b""
        self.errors = 0

    @property
    def open(self) -> bool:
        """Whether a fragment has begun and not ended."""
        return bool(self._parts)

    def feed(self, segment: bytes) -> bytes | None:
        """The fragment that `segment` completes, or None."""
        if not segment:
            self.errors += 1
            return None
        head = segment[0]
        if head & _T_FIR:
            if self._parts:
                self.errors += 1
            if head & _T_FIN:
                self._parts = []
                return segment[1:]
            self._parts, self._octets = [segment[1:]], len(segment) - 1
            self._last = segment
            return None
        if not self._parts:
            self.errors += 1
            return None
        if segment == self._last:
            return None
        self._octets += len(segment) - 1
        expected = (self._last[0] + 1) & _T_SEQ
        if head & _T_SEQ != expected or self._octets > FRAGMENT_MAX:
            self._parts = []
            self.errors += 1
            return None
        self._parts.append(segment[1:])
        self._last = segment
        if not head & _T_FIN:
            return None
        whole = b"".join(self._parts)
        self._parts = []
        return whole


class Segmenter:
    """Fragments of one direction into frames; keeps the transport sequence."""

    def __init__(self, *, control: int, destination: int, source: int) -> None:
        self._control = control | UNCONFIRMED_USER_DATA
        self._destination = destination
        self._source = source
        self._sequence = 0

    def frames(self, fragment: bytes) -> bytes:
        """`fragment` as the octets of one or more frames."""
        return b"".join(self._frames(fragment))

    def _frames(self, fragment: bytes) -> Iterator[bytes]:
        for at in range(0, max(1, len(fragment)), SEGMENT_MAX):
            part = fragment[at : at + SEGMENT_MAX]
            head = self._sequence
            if at == 0:
                head |= _T_FIR
            if at + SEGMENT_MAX >= len(fragment):
                head |= _T_FIN
            self._sequence = (self._sequence + 1) & _T_SEQ
            yield build_frame(self._control, self._destination, self._source, bytes((head,)) + part)
