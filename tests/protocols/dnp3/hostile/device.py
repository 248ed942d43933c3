"""What an honest outstation with the bench's points says: the ground on which the liars stand."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

from tests.protocols.dnp3.hostile.wire import (
    CONFIRM,
    DELAY_MEASURE,
    DIRECT_OPERATE,
    DIRECT_OPERATE_NR,
    DISABLE_UNSOLICITED,
    ENABLE_UNSOLICITED,
    OPERATE,
    READ,
    RECORD_TIME,
    SELECT,
    WRITE,
    Request,
    ranged,
    response,
)

RESTART = 0x0080
NO_FUNCTION, OBJECT_UNKNOWN, PARAMETER_ERROR, OVERFLOW = 0x0100, 0x0200, 0x0400, 0x0800
ANALOGS = {0: 812.5, 7: 2.025, 8: 0.0, 9: 7.0}
OUTPUTS = {12: 0.0, 13: 0.0, 70: 0.0}
_QUIET = frozenset({WRITE, ENABLE_UNSOLICITED, DISABLE_UNSOLICITED, RECORD_TIME})


def analog(value: float, flags: int = 0x01) -> bytes:
    """g30v5 and g40v3: flag octet and float."""
    return struct.pack("<Bf", flags, value)


@dataclass(slots=True)
class HonestDevice:
    """Answers one request with one fragment (None: nothing is due).

    `operated` is every OPERATE that matched its SELECT: (index, value). `direct` counts what this
    program must never send.
    """

    restarted: bool = True
    operated: list[tuple[int, float]] = field(default_factory=list)
    selects: int = 0
    direct: int = 0
    _selected: bytes = b""
    _heartbeat: int = 41

    def answer(self, request: Request) -> bytes | None:
        iin = RESTART if self.restarted else 0
        if request.function == CONFIRM:
            return None
        if request.function == READ:
            return response(request.sequence, self._read(request), iin=iin)
        if request.function in _QUIET:
            if request.function == WRITE and request.objects[:2] == b"\x50\x01":
                self.restarted, iin = False, 0
            return response(request.sequence, iin=iin)
        if request.function == DELAY_MEASURE:
            return response(request.sequence, b"\x34\x02\x07\x01\x00\x00", iin=iin)
        if request.function in (SELECT, OPERATE):
            return response(request.sequence, self._control(request), iin=iin)
        if request.function in (DIRECT_OPERATE, DIRECT_OPERATE_NR):
            self.direct += 1
        return response(request.sequence, iin=iin | NO_FUNCTION)

    def _read(self, request: Request) -> bytes:
        if request.asks_static:
            self._heartbeat += 1
            return self.static()
        group, qualifier = request.objects[0], request.objects[2]
        if qualifier not in (0x00, 0x01):
            return b""
        start = request.objects[3]  # the bench's indices fit an octet
        values = {30: ANALOGS, 40: OUTPUTS}.get(group, {})
        variation = 5 if group == 30 else 3
        return ranged(group, variation, start, [analog(values[start])]) if start in values else b""

    def static(self) -> bytes:
        """The whole picture, as a class 0 poll gets it."""
        return b"".join(
            [
                ranged(1, 2, 3, [b"\x81"]),
                ranged(20, 1, 0, [struct.pack("<BI", 1, self._heartbeat)]),
                *(ranged(30, 5, index, [analog(value)]) for index, value in ANALOGS.items()),
                *(ranged(40, 3, index, [analog(value)]) for index, value in OUTPUTS.items()),
            ]
        )

    def _control(self, request: Request) -> bytes:
        objects = request.objects
        index, value = control_of(objects)
        status = 0
        if request.function == SELECT:
            self.selects += 1
            self._selected = objects
            status = 7 if index == 13 else 0
        elif objects == self._selected:
            self.operated.append((index, value))
            self._selected = b""
        else:
            status = 2
        return objects[:-1] + bytes([status])


def control_of(objects: bytes) -> tuple[int, float]:
    """Index and value of one g41v3, or index and code of one g12v1, in a request."""
    if objects[:2] == b"\x0c\x01":
        width = 1 if objects[2] == 0x17 else 2
        at = 3 + width
        return int.from_bytes(objects[at : at + width], "little"), float(objects[at + width])
    if objects[:3] == b"\x29\x03\x17":
        return objects[4], struct.unpack_from("<f", objects, 5)[0]
    if objects[:3] == b"\x29\x03\x28":
        index, value = struct.unpack_from("<Hf", objects, 5)
        return index, value
    raise ValueError(f"not one g41v3: {objects.hex()}")
