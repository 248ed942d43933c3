"""Link frames (IEEE 1815-2012 clause 9): octets in, frames out, and back. No socket, no clock.

What looks like a row of whole frames is checked in one go; whatever is not, frame by frame.
"""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

from protocols.dnp3.crc import BLOCK_OCTETS, all_sound, block_sound, crc, header_sound

START: Final = b"\x05\x64"
HEADER_OCTETS: Final = 10
PAYLOAD_MAX: Final = 250
FRAME_MAX: Final = 292
LENGTH_MIN: Final = 5
"""Control and both addresses: what the length octet counts of a frame without user data."""
_HEADER: Final = struct.Struct("<BHH")

DIR: Final = 0x80
"""Set in frames of the master."""
PRM: Final = 0x40
FCB: Final = 0x20
FCV: Final = 0x10
FUNCTION: Final = 0x0F

# Functions of the primary station, then of the secondary one (Tables 9-1 and 9-2).
RESET_LINK: Final = 0
TEST_LINK: Final = 2
CONFIRMED_USER_DATA: Final = 3
UNCONFIRMED_USER_DATA: Final = 4
REQUEST_LINK_STATUS: Final = 9
ACK: Final = 0
NACK: Final = 1
LINK_STATUS: Final = 11
NOT_SUPPORTED: Final = 15


class Frame(NamedTuple):
    """One valid frame. `octets` is the whole of it as it came."""

    control: int
    destination: int
    source: int
    payload: bytes
    octets: bytes

    @property
    def primary(self) -> bool:
        return bool(self.control & PRM)

    @property
    def from_master(self) -> bool:
        return bool(self.control & DIR)

    @property
    def function(self) -> int:
        return self.control & FUNCTION


def frame_octets(length: int) -> int:
    """Octets of a frame whose length octet is `length`."""
    body = length - LENGTH_MIN
    return HEADER_OCTETS + body + 2 * -(-body // BLOCK_OCTETS)


_OCTETS: Final = [frame_octets(length) for length in range(256)]
_FILLED: Final = [bytes(-length % BLOCK_OCTETS) for length in range(256)]
_HEADER_FILLED: Final = bytes(BLOCK_OCTETS - HEADER_OCTETS + 2)
_TOGETHER_OCTETS: Final = 10 * 18
"""From about so many octets on it pays to check all frames in one go."""


class FrameReader:
    """Cuts a stream into frames; at most one incomplete frame is kept.

    `crc_errors` counts headers and bodies that failed their check, `skipped` the octets that
    belonged to no frame. The cost is linear in the octets, whatever they are.
    """

    def __init__(self) -> None:
        self._rest = b""
        self.crc_errors = 0
        self.skipped = 0

    def feed(self, octets: bytes) -> list[Frame]:
        """The frames that `octets` completes, in order."""
        data = self._rest + octets if self._rest else octets
        frames: list[Frame] = []
        at = _together(data, frames) if len(data) > _TOGETHER_OCTETS else 0
        end = len(data)
        while True:
            start = data.find(START, at)
            if start < 0:
                # The last octet may be the first of a start.
                keep = 1 if end > at and data[end - 1] == START[0] else 0
                self.skipped += end - keep - at
                at = end - keep
                break
            self.skipped += start - at
            at = start
            if end - at < HEADER_OCTETS:
                break
            length = data[at + 2]
            if length < LENGTH_MIN or not header_sound(data, at):
                self.crc_errors += 1
                self.skipped += 1
                at += 1
                continue
            after = at + _OCTETS[length]
            if end < after:
                break
            if _body_sound(data, at + HEADER_OCTETS, length - LENGTH_MIN):
                frames.append(_frame(data, at, after))
            else:
                self.crc_errors += 1
            at = after
        self._rest = data[at:]
        return frames


def _together(data: bytes, frames: list[Frame]) -> int:
    """Add the row of whole frames that `data` begins with to `frames` when every CRC in it is
    right; returns where it ends, 0 when anything is wrong."""
    spans: list[tuple[int, int]] = []
    parts: list[bytes] = []
    at, end = 0, len(data)
    while end - at >= HEADER_OCTETS and data.startswith(START, at):
        length = data[at + 2]
        after = at + _OCTETS[length]
        if length < LENGTH_MIN or end < after:
            break
        spans.append((at, after))
        body, filled = length - LENGTH_MIN, _FILLED[length - LENGTH_MIN]
        parts += (_HEADER_FILLED, data[at : at + HEADER_OCTETS])
        if filled:
            tail = after - body % BLOCK_OCTETS - 2
            parts += (data[at + HEADER_OCTETS : tail], filled, data[tail:after])
        else:
            parts.append(data[at + HEADER_OCTETS : after])
        at = after
    if not spans or not all_sound(b"".join(parts)):
        return 0
    frames += [_frame(data, begin, after) for begin, after in spans]
    return at


def _frame(data: bytes, at: int, after: int) -> Frame:
    """The frame whose sound octets stand there."""
    control, destination, source = _HEADER.unpack_from(data, at + 3)
    payload = bytearray(data[at + HEADER_OCTETS : after - 2])
    # The CRC behind each block but the last, first its low octets, then its high ones.
    del payload[BLOCK_OCTETS :: BLOCK_OCTETS + 2]
    del payload[BLOCK_OCTETS :: BLOCK_OCTETS + 1]
    return Frame(control, destination, source, bytes(payload), data[at:after])


def _body_sound(data: bytes, at: int, octets: int) -> bool:
    while octets >= BLOCK_OCTETS:
        if not block_sound(data, at):
            return False
        at += BLOCK_OCTETS + 2
        octets -= BLOCK_OCTETS
    if not octets:
        return True
    return crc(data[at : at + octets]) == data[at + octets] | data[at + octets + 1] << 8


def build_frame(control: int, destination: int, source: int, payload: bytes = b"") -> bytes:
    """A frame's octets. Raises ValueError when `payload` has more than 250 octets."""
    if len(payload) > PAYLOAD_MAX:
        raise ValueError(f"{len(payload)} octets do not fit a link frame")
    header = struct.pack("<2sBBHH", START, len(payload) + 5, control, destination, source)
    parts = [header, crc(header).to_bytes(2, "little")]
    for at in range(0, len(payload), BLOCK_OCTETS):
        block = payload[at : at + BLOCK_OCTETS]
        parts += (block, crc(block).to_bytes(2, "little"))
    return b"".join(parts)
