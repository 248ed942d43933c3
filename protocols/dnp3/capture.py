"""What went over one link, kept on request in a bounded ring, as a file that tshark opens.

The octets are kept as they passed the line: inside TLS that is the clear text, which no capture
on the network has. Addresses in the file are documentation ones, the port is DNP3's.
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Callable
from typing import Final, NamedTuple

RING_OCTETS_MAX: Final = 4 * 1024 * 1024
DNP3_PORT: Final = 20_000
_MASTER_PORT: Final = 49_152
_MASTER_IP: Final = bytes((192, 0, 2, 1))
_DEVICE_IP: Final = bytes((192, 0, 2, 2))
_RAW_IP: Final = 101
_TCP, _PUSH_ACK = 6, 0x18


class Piece(NamedTuple):
    """Octets that passed together, at grid time `at_s`."""

    at_s: float
    from_master: bool
    octets: bytes


class Capture:
    """The last `RING_OCTETS_MAX` octets of one link while `running`."""

    def __init__(self, now_s: Callable[[], float], octets_max: int = RING_OCTETS_MAX) -> None:
        self._now_s = now_s
        self._octets_max = octets_max
        self._ring: deque[Piece] = deque()
        self._octets = 0
        self.running = False
        self.pushed_out = 0

    def start(self) -> None:
        """Begin with an empty ring."""
        self._ring.clear()
        self._octets, self.pushed_out, self.running = 0, 0, True

    def stop(self) -> None:
        """Keep nothing more; what is there can still be read."""
        self.running = False

    def keep(self, octets: bytes, *, from_master: bool) -> None:
        self._ring.append(Piece(self._now_s(), from_master, octets))
        self._octets += len(octets)
        while self._octets > self._octets_max and len(self._ring) > 1:
            self._octets -= len(self._ring.popleft().octets)
            self.pushed_out += 1

    def pieces(self) -> tuple[Piece, ...]:
        """What is in the ring, oldest first."""
        return tuple(self._ring)

    def pcap(self) -> bytes:
        """The ring as a pcap file."""
        return pcap(self.pieces())


def pcap(pieces: tuple[Piece, ...]) -> bytes:
    """`pieces` as the segments of one TCP connection (pcap, raw IPv4)."""
    parts = [struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65_535, _RAW_IP)]
    sequence = {True: 1, False: 1}
    for piece in pieces:
        for at in range(0, len(piece.octets), 60_000):
            octets = piece.octets[at : at + 60_000]
            packet = _packet(octets, piece.from_master, sequence)
            sequence[piece.from_master] = (sequence[piece.from_master] + len(octets)) & 0xFFFFFFFF
            whole_s = int(piece.at_s)
            micros = min(999_999, int((piece.at_s - whole_s) * 1e6))
            size = len(packet)
            parts.append(struct.pack("<IIII", whole_s & 0xFFFFFFFF, micros, size, size) + packet)
    return b"".join(parts)


def _packet(octets: bytes, from_master: bool, sequence: dict[bool, int]) -> bytes:
    source, target = (_MASTER_IP, _DEVICE_IP) if from_master else (_DEVICE_IP, _MASTER_IP)
    ports = (_MASTER_PORT, DNP3_PORT) if from_master else (DNP3_PORT, _MASTER_PORT)
    tcp = struct.pack(
        "!HHIIBBHHH",
        *ports,
        sequence[from_master],
        sequence[not from_master],
        5 << 4,
        _PUSH_ACK,
        65_535,
        0,
        0,
    )
    pseudo = source + target + struct.pack("!BBH", 0, _TCP, len(tcp) + len(octets))
    tcp = tcp[:16] + struct.pack("!H", _checksum(pseudo + tcp + octets)) + tcp[18:]
    total = 20 + len(tcp) + len(octets)
    ip = struct.pack("!BBHHHBBH", 0x45, 0, total, 0, 0x4000, 64, _TCP, 0) + source + target
    ip = ip[:10] + struct.pack("!H", _checksum(ip)) + ip[12:]
    return ip + tcp + octets


def _checksum(octets: bytes) -> int:
    """The Internet checksum (RFC 1071)."""
    if len(octets) % 2:
        octets += b"\0"
    total: int = sum(struct.unpack(f"!{len(octets) // 2}H", octets))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
