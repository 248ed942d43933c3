"""An outstation that costs as little as possible, so that the masters are what is measured.

Responses are laid out once for each sequence number. It speaks just what the benchmark asks:
reads, confirms, null answers, and SELECT / OPERATE / DIRECT OPERATE by echo. Each connection is a
device of its own; all have the same link addresses. With EVENTS > 0 a class 1 read brings that
many events and nothing else.

It is also the clock that is the same for every master: each fragment of a series asks to be
confirmed, so READ to last CONFIRM is the time in which a master took the whole series in. SIGTERM
ends it with one JSON object: {"series": [[READ, seconds to the last CONFIRM], ...]}, READ in the
monotonic clock that all processes of the machine share.

    python -m benchmarks.dnp3_outstation PORT POINTS EVENTS
"""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import struct
import sys
import time
from collections.abc import Sequence

MASTER, OUTSTATION = 1, 1024
FRAGMENT_MAX = 2_048
SEGMENT_MAX = 249
"""Octets of an application fragment in one link frame: 250 less the transport octet."""

_CONFIRM, _READ, _SELECT, _OPERATE, _DIRECT = 0, 1, 3, 4, 5


def _crc_table() -> list[int]:
    """IEEE 1815-2012 §9.2.4.2: polynomial 0x3D65, reflected 0xA6BC."""
    table = []
    for octet in range(256):
        rest = octet
        for _ in range(8):
            rest = (rest >> 1) ^ 0xA6BC if rest & 1 else rest >> 1
        table.append(rest)
    return table


_TABLE = _crc_table()


def crc(data: bytes) -> bytes:
    rest = 0
    for octet in data:
        rest = (rest >> 8) ^ _TABLE[(rest ^ octet) & 0xFF]
    return struct.pack("<H", rest ^ 0xFFFF)


def frame(user: bytes) -> bytes:
    """One link frame, outstation to master, unconfirmed user data."""
    head = struct.pack("<BBBBHH", 0x05, 0x64, 5 + len(user), 0x44, MASTER, OUTSTATION)
    parts = [head, crc(head)]
    for at in range(0, len(user), 16):
        block = user[at : at + 16]
        parts += (block, crc(block))
    return b"".join(parts)


def framed(fragment: bytes) -> bytes:
    """A whole fragment as link frames; the transport sequence starts at 0 with each."""
    out = []
    for number, at in enumerate(range(0, len(fragment), SEGMENT_MAX)):
        last = at + SEGMENT_MAX >= len(fragment)
        transport = (0x40 if at == 0 else 0) | (0x80 if last else 0) | (number & 0x3F)
        out.append(frame(bytes([transport]) + fragment[at : at + SEGMENT_MAX]))
    return b"".join(out)


def static_objects(points: int) -> list[bytes]:
    """`points` analog inputs g30v5 (flags, float32), as many to a fragment as fit."""
    per_fragment = (FRAGMENT_MAX - 4 - 7 - 10) // 5
    out = []
    for first in range(0, points, per_fragment):
        last = min(points, first + per_fragment) - 1
        rows = b"".join(struct.pack("<Bf", 1, 100.0 + i % 50) for i in range(first, last + 1))
        out.append(struct.pack("<BBBHH", 30, 5, 0x01, first, last) + rows)
    return out or [b""]


def event_objects(events: int, points: int) -> list[bytes]:
    """`events` analog changes g32v7 (flags, float32, absolute time), index prefixed."""
    per_fragment = (FRAGMENT_MAX - 4 - 5) // 13
    stamp = (1_784_145_600_000).to_bytes(6, "little")
    out = []
    for first in range(0, events, per_fragment):
        count = min(per_fragment, events - first)
        rows = b"".join(
            struct.pack("<HBf", (first + i) % points, 1, float(i)) + stamp for i in range(count)
        )
        out.append(struct.pack("<BBBH", 32, 7, 0x28, count) + rows)
    return out


class Answers:
    """What one device says, framed once for each application sequence number."""

    def __init__(self, points: int, events: int) -> None:
        self.static = self._series(static_objects(points), counting=True)
        self.events = self._series(event_objects(events, points)) if events else None
        self.null = self._series([b""])
        self.series: list[tuple[float, float]] = []

    def _series(self, objects: Sequence[bytes], *, counting: bool = False) -> list[list[bytes]]:
        """[sequence of the first fragment][fragment] → octets on the wire. `counting`: with a
        counter g20v1 index 0 that moves from poll to poll, as a heartbeat does."""
        last = len(objects) - 1
        table = []
        for start in range(16):
            row = []
            for number, values in enumerate(objects):
                body = values
                if counting and number == last:
                    body += struct.pack("<BBBBBBI", 20, 1, 0x00, 0, 0, 1, start)
                control = (
                    (0x80 if number == 0 else 0)
                    | (0x40 if number == last else 0)
                    | (0x20 if body else 0)
                    | ((start + number) & 0x0F)
                )
                row.append(framed(bytes([control, 0x81, 0x00, 0x00]) + body))
            table.append(row)
        return table


class Device(asyncio.Protocol):
    """One connection, one device."""

    def __init__(self, answers: Answers) -> None:
        self._answers = answers
        self._buffer = bytearray()
        self._fragment = bytearray()
        self._series: list[bytes] = []
        self._asked_s: float | None = None
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if not isinstance(transport, asyncio.Transport):
            raise TypeError(f"a TCP transport was expected, this is {transport!r}")
        self._transport = transport
        line = transport.get_extra_info("socket")
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while len(self._buffer) >= 10:
            length = self._buffer[2] - 5
            total = 10 + length + 2 * ((length + 15) // 16)
            if len(self._buffer) < total:
                return
            raw = bytes(self._buffer[:total])
            del self._buffer[:total]
            self._frame(raw, length)

    def _frame(self, raw: bytes, length: int) -> None:
        if length < 2:
            if raw[3] & 0x0F == 0x09:  # REQUEST_LINK_STATUS
                head = struct.pack("<BBBBHH", 0x05, 0x64, 5, 0x0B, MASTER, OUTSTATION)
                self._write(head + crc(head))
            return
        user = self._blocks(raw, length)
        if user[0] & 0x40:
            self._fragment = bytearray()
        self._fragment += user[1:]
        if user[0] & 0x80:
            self._request(bytes(self._fragment))

    @staticmethod
    def _blocks(raw: bytes, length: int) -> bytes:
        """User data without the checksums, also when the last block is short."""
        out, at = b"", 10
        while len(out) < length:
            size = min(16, length - len(out))
            out += raw[at : at + size]
            at += size + 2
        return out

    def _request(self, fragment: bytes) -> None:
        sequence, function = fragment[0] & 0x0F, fragment[1]
        if function == _CONFIRM:
            self._confirmed()
            return
        if function == _READ:
            self._read(fragment, sequence)
        elif function in (_SELECT, _OPERATE, _DIRECT):
            self._series, self._asked_s = [], None
            self._write(framed(bytes([0xC0 | sequence, 0x81, 0, 0]) + fragment[2:]))
        else:
            self._write(self._answers.null[sequence][0])

    def _confirmed(self) -> None:
        if self._series:
            self._write(self._series.pop(0))
        elif self._asked_s is not None:
            seconds = time.perf_counter() - self._asked_s
            self._answers.series.append((self._asked_s, seconds))
            self._asked_s = None

    def _read(self, fragment: bytes, sequence: int) -> None:
        objects = fragment[2:]
        if b"\x3c\x02\x06" in objects and self._answers.events is not None:
            table = self._answers.events
        elif b"\x3c\x01\x06" in objects or objects[:1] == b"\x1e":
            table = self._answers.static
        else:
            table = self._answers.null
        row = table[sequence]
        self._series = list(row[1:])
        self._asked_s = None if table is self._answers.null else time.perf_counter()
        self._write(row[0])

    def _write(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)


async def serve(port: int, points: int, events: int) -> None:
    """Serve on loopback until SIGTERM; "ready" on stdout when the port is open."""
    answers = Answers(points, events)
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    server = await loop.create_server(lambda: Device(answers), "127.0.0.1", port, backlog=1_024)
    print("ready", flush=True)
    async with server:
        await stop.wait()
    print(json.dumps({"series": answers.series}), flush=True)


if __name__ == "__main__":
    asyncio.run(serve(*(int(word) for word in sys.argv[1:4])))
