"""Octets of DNP3 made by hand: frames with right CRCs around whatever a liar wants to say.

Written from IEEE 1815-2012 and shared with nothing: not with our driver, not with its peers.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

MASTER, OUTSTATION = 1, 1024
USER_DATA = 0x44
"""Control octet of an outstation's unconfirmed user data: PRM, function 4."""
REQUEST_LINK_STATUS = 0x49
LINK_STATUS = 0x0B
SEGMENT_MAX = 249

FIR, FIN, CON, UNS = 0x80, 0x40, 0x20, 0x10
RESPONSE, UNSOLICITED = 129, 130
CONFIRM, READ, WRITE, SELECT, OPERATE, DIRECT_OPERATE, DIRECT_OPERATE_NR = range(7)
ENABLE_UNSOLICITED, DISABLE_UNSOLICITED = 20, 21
DELAY_MEASURE, RECORD_TIME = 23, 24


def _table() -> tuple[int, ...]:
    found = []
    for octet in range(256):
        register = octet
        for _ in range(8):
            register = register >> 1 ^ (0xA6BC if register & 1 else 0)
        found.append(register)
    return tuple(found)


_TABLE = _table()


def crc(octets: bytes) -> bytes:
    """The check octets of `octets` (clause 9.2.4.3)."""
    register = 0
    for octet in octets:
        register = register >> 8 ^ _TABLE[(register ^ octet) & 0xFF]
    return struct.pack("<H", register ^ 0xFFFF)


def frame(
    payload: bytes = b"",
    *,
    control: int = USER_DATA,
    destination: int = MASTER,
    source: int = OUTSTATION,
    length: int | None = None,
) -> bytes:
    """One link frame whose CRCs hold; `length` may lie about the payload."""
    told = len(payload) + 5 if length is None else length
    header = struct.pack("<BBBBHH", 0x05, 0x64, told & 0xFF, control, destination, source)
    parts = [header, crc(header)]
    for at in range(0, len(payload), 16):
        block = payload[at : at + 16]
        parts += [block, crc(block)]
    return b"".join(parts)


def segmented(
    fragment: bytes,
    *,
    sequence: int = 0,
    source: int = OUTSTATION,
    destination: int = MASTER,
    control: int = USER_DATA,
) -> list[bytes]:
    """The frames of `fragment`, whose first transport segment has number `sequence`."""
    frames = []
    for at in range(0, max(1, len(fragment)), SEGMENT_MAX):
        head = sequence & 0x3F
        head |= 0x40 if at == 0 else 0
        head |= 0x80 if at + SEGMENT_MAX >= len(fragment) else 0
        part = bytes([head]) + fragment[at : at + SEGMENT_MAX]
        frames.append(frame(part, source=source, destination=destination, control=control))
        sequence += 1
    return frames


@dataclass(frozen=True, slots=True)
class Request:
    """What the master asks: one application fragment, and how its frame said so."""

    control: int
    function: int
    objects: bytes
    link_control: int

    @property
    def sequence(self) -> int:
        return self.control & 0x0F

    @property
    def asks_static(self) -> bool:
        """Whether a READ wants class 0."""
        return self.function == READ and b"\x3c\x01\x06" in self.objects


@dataclass(slots=True)
class RequestReader:
    """Frames of our master into requests; its requests fit one frame, else it is told here.

    `statuses` counts requests of the link layer, which have no user data.
    """

    rest: bytes = b""
    statuses: int = 0
    faults: list[str] = field(default_factory=list)

    def feed(self, octets: bytes) -> list[Request]:
        self.rest += octets
        found = []
        while len(self.rest) >= 10:
            if self.rest[:2] != b"\x05\x64" or crc(self.rest[:8]) != self.rest[8:10]:
                self.faults.append(f"no frame of a master: {self.rest[:10].hex()}")
                self.rest = b""
                break
            body = self.rest[2] - 5
            size = 10 + body + 2 * -(-body // 16)
            if len(self.rest) < size:
                break
            whole, self.rest = self.rest[:size], self.rest[size:]
            blocks = whole[10:]
            payload = b"".join(blocks[at : at + 18][:-2] for at in range(0, len(blocks), 18))
            if not payload:
                self.statuses += 1
            elif len(payload) >= 3 and payload[0] & 0xC0 == 0xC0:
                found.append(Request(payload[1], payload[2], payload[3:], whole[3]))
            else:
                self.faults.append(f"a request in more than one segment: {payload[:4].hex()}")
        return found


def response(
    sequence: int, objects: bytes = b"", *, iin: int = 0, control: int = FIR | FIN
) -> bytes:
    """A solicited response; `iin` has its first octet in the low byte."""
    return struct.pack("<BBH", control | sequence & 0x0F, RESPONSE, iin) + objects


def unsolicited(sequence: int, objects: bytes = b"", *, iin: int = 0, con: bool = True) -> bytes:
    """An unsolicited response that asks for a confirmation."""
    control = FIR | FIN | UNS | (CON if con else 0) | sequence & 0x0F
    return struct.pack("<BBH", control, UNSOLICITED, iin) + objects


def ranged(group: int, variation: int, start: int, bodies: list[bytes]) -> bytes:
    """Static objects with 16-bit start and stop."""
    stop = start + len(bodies) - 1
    return struct.pack("<BBBHH", group, variation, 0x01, start, stop) + b"".join(bodies)
