"""Link frames (IEEE 1815-2012 clause 9): octets in, frames out, and back. No socket, no clock.

Every block carries its own CRC; a block of 16 octets is checked as eight 16-bit words, one table
look-up each, which costs a third of the octet-wise way and needs no library.
"""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

START: Final = b"\x05\x64"
HEADER_OCTETS: Final = 10
BLOCK_OCTETS: Final = 16
PAYLOAD_MAX: Final = 250
FRAME_MAX: Final = 292

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

_POLYNOMIAL: Final = 0xA6BC
"""x^16 + x^13 + x^12 + x^11 + x^10 + x^8 + x^6 + x^5 + x^2 + 1, bits reversed."""


def _octet_table() -> list[int]:
    table = []
    for octet in range(256):
        register = octet
        for _ in range(8):
            register = (register >> 1) ^ (_POLYNOMIAL if register & 1 else 0)
        table.append(register)
    return table


_OCTET: Final = _octet_table()


def _word_table() -> list[int]:
    octet = _OCTET
    half = [(word >> 8) ^ octet[word & 0xFF] for word in range(0x10000)]
    return [(register >> 8) ^ octet[register & 0xFF] for register in half]


_WORD: Final = _word_table()
_NINE_WORDS: Final = struct.Struct("<9H")
_FIVE_WORDS: Final = struct.Struct("<5H")


def crc(octets: bytes | memoryview) -> int:
    """The DNP3 CRC of `octets`."""
    table = _OCTET
    register = 0
    for octet in octets:
        register = (register >> 8) ^ table[(register ^ octet) & 0xFF]
    return register ^ 0xFFFF


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
        at, end = 0, len(data)
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
            first, second, third, fourth, told = _FIVE_WORDS.unpack_from(data, at)
            table = _WORD
            register = table[table[table[table[first] ^ second] ^ third] ^ fourth]
            if register ^ 0xFFFF != told or length < 5:  # noqa: PLR2004 - control and addresses
                self.crc_errors += 1
                self.skipped += 1
                at += 1
                continue
            octets_in_frame = frame_octets(length)
            if end - at < octets_in_frame:
                break
            payload = _payload(data, at + HEADER_OCTETS, length - 5)
            if payload is None:
                self.crc_errors += 1
            else:
                frames.append(
                    Frame(second >> 8, third, fourth, payload, data[at : at + octets_in_frame])
                )
            at += octets_in_frame
        self._rest = data[at:]
        return frames


def frame_octets(length: int) -> int:
    """Octets of a frame whose length octet is `length`."""
    body = length - 5
    return HEADER_OCTETS + body + 2 * -(-body // BLOCK_OCTETS)


def _payload(data: bytes, at: int, octets: int) -> bytes | None:
    """The body's octets without their CRCs, or None when a block is broken."""
    table = _WORD
    unpack = _NINE_WORDS.unpack_from
    parts: list[bytes] = []
    while octets >= BLOCK_OCTETS:
        a, b, c, d, e, f, g, h, told = unpack(data, at)
        register = table[a] ^ b
        register = table[table[table[table[register] ^ c] ^ d] ^ e] ^ f
        if table[table[table[register] ^ g] ^ h] ^ 0xFFFF != told:
            return None
        parts.append(data[at : at + BLOCK_OCTETS])
        at += BLOCK_OCTETS + 2
        octets -= BLOCK_OCTETS
    if octets:
        block = data[at : at + octets]
        if crc(block) != data[at + octets] | data[at + octets + 1] << 8:
            return None
        parts.append(block)
    return b"".join(parts)


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
