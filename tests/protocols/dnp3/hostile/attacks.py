"""Bad answers to a command: what a broken or bought device may say to SELECT or OPERATE.

Each attack gets the honest answer (a response that echoes one g41v3) and returns what goes on the
wire instead.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Awaitable, Callable, Mapping

from tests.protocols.dnp3.hostile.device import analog
from tests.protocols.dnp3.hostile.liar import Honest, Line
from tests.protocols.dnp3.hostile.wire import (
    CON,
    FIN,
    FIR,
    UNS,
    Request,
    frame,
    ranged,
    segmented,
    unsolicited,
)

HEADER = 4
"""Octets before the objects of a response: control, function, indications."""

Attack = Callable[[Line, Request, bytes], Awaitable[None]]


def _says(change: Callable[[bytes], bytes]) -> Attack:
    """An attack that changes the fragment and nothing else."""

    async def attack(line: Line, request: Request, honest: bytes) -> None:
        await line.fragment(change(honest))

    return attack


def _flip(honest: bytes, at: int, bit: int) -> bytes:
    octets = bytearray(honest)
    octets[at] ^= bit
    return bytes(octets)


def _index(honest: bytes) -> bytes:
    # The index stands behind group, variation, qualifier and count of 1 or 2 octets.
    return _flip(honest, HEADER + (4 if honest[6] == 0x17 else 5), 0x01)


def _value(honest: bytes, value: float) -> bytes:
    return honest[:-5] + struct.pack("<f", value) + honest[-1:]


def _iin(honest: bytes, iin2: int) -> bytes:
    return honest[:3] + bytes([honest[3] | iin2]) + honest[4:]


def _twice_in_one_header(honest: bytes) -> bytes:
    count_octets = 1 if honest[6] == 0x17 else 2
    body = honest[HEADER + 3 + count_octets :]
    count = (2).to_bytes(count_octets, "little")
    return honest[: HEADER + 3] + count + body + body


def _count(honest: bytes, count: int, *, keep: bool) -> bytes:
    octets = 1 if honest[6] == 0x17 else 2
    body = honest[HEADER + 3 + octets :] if keep else b""
    return honest[: HEADER + 3] + count.to_bytes(octets, "little") + body


def _as_integer(honest: bytes) -> bytes:
    value = struct.unpack("<f", honest[-5:-1])[0]
    return (
        honest[:HEADER]
        + bytes([41, 1])
        + honest[6:-5]
        + struct.pack("<i", round(value))
        + honest[-1:]
    )


async def _silent(line: Line, request: Request, honest: bytes) -> None:
    return


async def _late(line: Line, request: Request, honest: bytes) -> None:
    await asyncio.sleep(1.0)
    await line.fragment(honest)


async def _close(line: Line, request: Request, honest: bytes) -> None:
    line.close()


async def _bad_crc(line: Line, request: Request, honest: bytes) -> None:
    octets = b"".join(line.frames(honest))
    await line.send(octets[:-1] + bytes([octets[-1] ^ 0xFF]))


async def _half(line: Line, request: Request, honest: bytes) -> None:
    octets = b"".join(line.frames(honest))
    await line.send(octets[: len(octets) // 2])


async def _foreign_source(line: Line, request: Request, honest: bytes) -> None:
    await line.send(b"".join(segmented(honest, source=99)))


async def _other_master(line: Line, request: Request, honest: bytes) -> None:
    await line.send(b"".join(segmented(honest, destination=2)))


async def _as_a_master(line: Line, request: Request, honest: bytes) -> None:
    await line.send(b"".join(segmented(honest, control=0xC4)))


async def _unasked(line: Line, request: Request, honest: bytes) -> None:
    await line.fragment(unsolicited(request.sequence, honest[HEADER:]))


async def _refused_then_success(line: Line, request: Request, honest: bytes) -> None:
    await line.fragment(honest[:-1] + b"\x04")
    await line.fragment(honest)


async def _no_last_segment(line: Line, request: Request, honest: bytes) -> None:
    await line.send(frame(bytes([0x40]) + honest))


async def _split_in_two(line: Line, request: Request, honest: bytes) -> None:
    """The echo in two fragments: a command's answer is one."""
    await line.fragment(bytes([FIR | request.sequence]) + honest[1:HEADER])
    follow = bytes([FIN | (request.sequence + 1) & 0x0F])
    await line.fragment(follow + honest[1:])


ATTACKS: Mapping[str, Attack] = {
    "another value": _says(lambda h: _value(h, 99.5)),
    "one bit of the value": _says(lambda h: _flip(h, len(h) - 5, 0x01)),
    "the value's sign": _says(lambda h: _flip(h, len(h) - 2, 0x80)),
    "not a number": _says(lambda h: _value(h, float("nan"))),
    "infinite": _says(lambda h: _value(h, float("inf"))),
    "another index": _says(_index),
    "an integer for the float": _says(_as_integer),
    "a command event for the command": _says(lambda h: h[:4] + bytes([43]) + h[5:]),
    "the status of the output": _says(lambda h: h[:HEADER] + ranged(40, 3, 12, [analog(6.0)])),
    "a relay for the analog": _says(
        lambda h: h[:HEADER] + b"\x0c\x01\x17\x01\x0c\x03\x01" + bytes(9)
    ),
    "nothing": _says(lambda h: h[:HEADER]),
    "a header without objects": _says(lambda h: h[: HEADER + 3]),
    "a count of none": _says(lambda h: _count(h, 0, keep=False)),
    "a count without objects": _says(lambda h: _count(h, 1, keep=False)),
    "a count of two, one object": _says(lambda h: _count(h, 2, keep=True)),
    "one octet short": _says(lambda h: h[:-1]),
    "half of the object": _says(lambda h: h[:-4]),
    "the object twice": _says(_twice_in_one_header),
    "the header twice": _says(lambda h: h + h[HEADER:]),
    "another object behind": _says(lambda h: h + ranged(30, 5, 0, [analog(1.0)])),
    "an unknown object behind": _says(lambda h: h + b"\xc8\x01\x06"),
    "an octet behind": _says(lambda h: h + b"\x00"),
    "status with a reserved bit": _says(lambda h: h[:-1] + b"\x80"),
    "unknown status": _says(lambda h: h[:-1] + b"\x4d"),
    "function not supported": _says(lambda h: _iin(h, 0x01)),
    "object unknown": _says(lambda h: _iin(h, 0x02)),
    "parameter error": _says(lambda h: _iin(h, 0x04)),
    "all request errors": _says(lambda h: _iin(h, 0x07)),
    "function not supported, nothing": _says(lambda h: _iin(h, 0x01)[:HEADER]),
    "wrong sequence": _says(lambda h: bytes([h[0] & 0xF0 | (h[0] + 1) & 0x0F]) + h[1:]),
    "the sequence before": _says(lambda h: bytes([h[0] & 0xF0 | (h[0] - 1) & 0x0F]) + h[1:]),
    "not the first": _says(lambda h: bytes([h[0] & ~FIR]) + h[1:]),
    "not the last": _says(lambda h: bytes([h[0] & ~FIN]) + h[1:]),
    "called unsolicited": _says(lambda h: bytes([h[0] | UNS]) + h[1:]),
    "the request for an answer": _says(lambda h: bytes([h[0], 3]) + h[HEADER:]),
    "a function that is no answer": _says(lambda h: bytes([h[0], 136]) + h[2:]),
    "an answer of authentication": _says(lambda h: bytes([h[0], 131]) + h[2:]),
    "unsolicited": _unasked,
    "in two fragments": _split_in_two,
    "without its last segment": _no_last_segment,
    "refused, then accepted": _refused_then_success,
    "another source": _foreign_source,
    "for another master": _other_master,
    "as if from a master": _as_a_master,
    "a wrong checksum": _bad_crc,
    "half a frame": _half,
    "silence": _silent,
    "too late": _late,
    "a closed connection": _close,
}
REFUSALS = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 126)
"""Every status by which a device refuses; 127 is also what the stack says of a bad echo."""


def refusal(status: int) -> Attack:
    """The honest echo with a status that refuses."""
    return _says(lambda honest: honest[:-1] + bytes([status]))


async def _twice(line: Line, request: Request, honest: bytes) -> None:
    await line.fragment(honest)
    await line.fragment(honest)


async def _behind_noise(line: Line, request: Request, honest: bytes) -> None:
    await line.send(b"\x05\x64\x05" + line.rng.randbytes(40))
    await line.fragment(honest)


HARMLESS: Mapping[str, Attack] = {
    "the answer twice": _twice,
    "the answer behind noise": _behind_noise,
    "a confirmation wanted": _says(lambda h: bytes([h[0] | CON]) + h[1:]),
    "device trouble": _says(lambda h: h[:2] + bytes([h[2] | 0x40]) + h[3:]),
    "overflow": _says(lambda h: _iin(h, 0x08)),
}
"""Oddities that leave no doubt: the command counts as done."""


class Attacking(Honest):
    """Honest but for the answers to `function` (SELECT or OPERATE)."""

    def __init__(self, function: int, attack: Attack) -> None:
        self._function = function
        self._attack = attack

    async def answer(self, line: Line, request: Request) -> None:
        honest = line.device.answer(request)
        if honest is None:
            return
        if request.function == self._function:
            await self._attack(line, request, honest)
        else:
            await line.fragment(honest)
