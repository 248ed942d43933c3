"""The ways to misbehave, each by its name: the must-survive list of the DNP3 master.

They are what brought masters down in the field (advisories of 2013 to 2020): counts without data,
objects of no length, series that never end, floods, and answers that are not ours.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable, Iterator, Mapping
from random import Random

from tests.protocols.dnp3.hostile.device import OVERFLOW, RESTART, analog
from tests.protocols.dnp3.hostile.liar import Honest, Line, Mode
from tests.protocols.dnp3.hostile.wire import (
    FIR,
    LINK_STATUS,
    REQUEST_LINK_STATUS,
    RESPONSE,
    Request,
    frame,
    ranged,
    response,
    segmented,
    unsolicited,
)

BURST_OCTETS = 65_536
LATE_S = 1.0
"""More than the response timeout of the bench (0.6 s)."""


class Silent(Honest):
    """Accepts and says nothing."""

    async def answer(self, line: Line, request: Request) -> None:
        return


class NeverAccepting(Silent):
    """The SYN itself gets no answer."""

    accepts = False


class AcceptThenClose(Honest):
    """Closes each connection as soon as it stands."""

    async def opened(self, line: Line) -> None:
        line.close()


class RandomOctets(Honest):
    """Noise for an answer, often with the beginning of a frame."""

    async def answer(self, line: Line, request: Request) -> None:
        noise = line.rng.randbytes(line.rng.randint(1, 2_000))
        await line.send((b"\x05\x64" if line.rng.random() < 0.5 else b"") + noise)


def mutated(fragment: bytes, rng: Random) -> bytes:
    """`fragment` with a few octets changed, cut, doubled or inserted behind its sequence."""
    octets = bytearray(fragment)
    for _ in range(rng.randint(1, 6)):
        if len(octets) < 2:
            break
        at = rng.randrange(1, len(octets))
        match rng.randrange(5):
            case 0:
                octets[at] = rng.randrange(256)
            case 1:
                octets[at] ^= 1 << rng.randrange(8)
            case 2:
                octets[at:at] = rng.randbytes(rng.randint(1, 8))
            case 3:
                del octets[at : at + rng.randint(1, 8)]
            case _:
                octets += octets[at : at + 64]
    return bytes(octets[:2_100])


def mutated_frames(fragment: bytes, rng: Random, *, sequence: int = 0) -> list[bytes]:
    """`fragment` changed in the application, transport or link layer; every CRC holds."""
    match rng.randrange(8):
        case 0:  # the transport header
            frames = segmented(fragment, sequence=rng.randrange(64))
            rng.shuffle(frames)
            return frames
        case 1:  # the link header
            return [
                frame(
                    bytes([0xC0 | sequence & 0x3F]) + fragment[:200],
                    control=rng.randrange(256),
                    source=rng.choice((1024, 1024, rng.randrange(65_536))),
                    destination=rng.choice((1, 1, rng.randrange(65_536))),
                    length=rng.choice((None, rng.randrange(256))),
                )
            ]
        case _:
            return segmented(mutated(fragment, rng), sequence=sequence)


class Mutated(Honest):
    """Right answers with a few octets wrong; every CRC holds."""

    frames_each = 20

    async def answer(self, line: Line, request: Request) -> None:
        told = rich(line.device.answer(request), line.rng)
        if told is None:
            return
        for _ in range(self.frames_each):
            frames = mutated_frames(told, line.rng, sequence=line.transport_sequence)
            line.transport_sequence += len(frames)
            await line.send(b"".join(frames))


def rich(fragment: bytes | None, rng: Random) -> bytes | None:
    """The answer to a READ with one more object, so that every kind that is parsed gets a turn."""
    if fragment is None or len(fragment) < 12:
        return fragment
    time = struct.pack("<Q", 1_795_000_000_000)[:6]
    more = (
        b"\x01\x01\x00\x00\x0f\xaa\x55",
        ranged(3, 2, 0, [b"\x41"] * 5),
        ranged(10, 2, 0, [b"\x81"] * 5),
        ranged(21, 1, 0, [b"\x01\x00\x00\x00\x00"] * 3),
        ranged(30, 6, 0, [b"\x01" + bytes(8)] * 3),
        ranged(110, 5, 0, [b"hello"] * 3),
        b"\x02\x02\x28\x02\x00" + (b"\x03\x00\x81" + time) * 2,
        b"\x33\x01\x07\x01" + time + b"\x02\x03\x17\x01\x03\x81\x10\x00",
        b"\x20\x07\x28\x01\x00\x00\x00" + analog(3.0) + time,
        b"\x00\xf2\x00\x00\x00\x01\x05hello",
    )
    return fragment + more[rng.randrange(len(more))]


def lying_sizes(rng: Random) -> Iterator[bytes]:
    """Headers whose counts and ranges are not what follows."""
    for group, variation in ((1, 1), (1, 2), (2, 2), (10, 2), (20, 1), (30, 5), (32, 7), (40, 3)):
        head = bytes([group, variation])
        few = rng.randbytes(rng.randint(0, 40))
        yield head + b"\x00\x00\xff" + few
        yield head + b"\x00\xff\x00" + few
        yield head + b"\x01\x00\x00\xff\xff" + few
        yield head + b"\x01\xff\xff\x00\x00" + few
        yield head + b"\x02\x00\x00\x00\x00\xff\xff\xff\xff" + few
        yield head + b"\x07\xff" + few
        yield head + b"\x08\xff\xff" + few
        yield head + b"\x09\xff\xff\xff\xff" + few
        yield head + b"\x17\xff" + few
        yield head + b"\x28\xff\xff" + few
        yield head + b"\x39\xff\xff\xff\xff" + few
        yield head + b"\x5b\xff\xff\xff" + few
        yield head + bytes([rng.randrange(256)]) + few
        yield head + b"\x28"
        yield head


def of_no_length(rng: Random) -> Iterator[bytes]:
    """Objects that need no octets, or less than one each, in numbers that cost the reader."""
    for group in (30, 1, 2, 10, 20, 60, 80, 110, 111, 112, 113, 0, 70, 120):
        for variation in (0, 1, 2):
            head = bytes([group, variation])
            yield head + b"\x01\x00\x00\xff\xff"
            yield head + b"\x02\x00\x00\x00\x00\xff\xff\xff\xff"
            yield head + b"\x08\xff\xff"
            yield head + b"\x09\xff\xff\xff\xff"
            yield head + b"\x06"
            yield (head + b"\x06") * 500
    for group in (1, 3, 10, 80):
        # As many packed bits as a fragment holds: real ones, of points that nobody has.
        octets = rng.randbytes(1_990)
        count = len(octets) * (4 if group == 3 else 8)
        yield bytes([group, 1, 0x01]) + struct.pack("<HH", 0, count - 1) + octets
    yield (b"\x6e\x00\x00\x00\xff") * 400
    yield (b"\x3c\x02\x08\xff\xff") * 400


class _Series(Honest):
    """Answers each READ with the next of a list of false objects, unasked ones beside it."""

    def __init__(self, objects: Callable[[Random], Iterator[bytes]]) -> None:
        self._objects = objects
        self._left: list[bytes] = []

    async def answer(self, line: Line, request: Request) -> None:
        told = line.device.answer(request)
        if told is None:
            return
        if len(told) < 12:  # nothing but a header: honest, so that the start goes on
            await line.fragment(told)
            return
        for _ in range(16):
            if not self._left:
                self._left = list(self._objects(line.rng))
            body = self._left.pop()
            line.unsolicited_sequence += 1
            await line.fragment(unsolicited(line.unsolicited_sequence, body[:2_000], con=False))
        await line.fragment(response(request.sequence, self._left[-1:][0] if self._left else b""))


class EndlessFragments(Honest):
    """A response of many valid fragments whose last never comes."""

    prompt = False

    async def answer(self, line: Line, request: Request) -> None:
        if not request.asks_static:
            await super().answer(line, request)
            return
        sequence, first = request.sequence, FIR
        while True:
            burst = bytearray()
            while len(burst) < BURST_OCTETS:
                objects = ranged(30, 5, 0, [analog(1.0)] * 380)
                told = struct.pack("<BBH", first | sequence & 0x0F, RESPONSE, 0) + objects
                burst += b"".join(line.frames(told))
                sequence, first = sequence + 1, 0
            await line.send(bytes(burst))


class EndlessSegments(Honest):
    """A fragment of many valid transport segments whose last never comes."""

    prompt = False

    async def answer(self, line: Line, request: Request) -> None:
        if not request.asks_static:
            await super().answer(line, request)
            return
        told = response(request.sequence, ranged(30, 5, 0, [analog(1.0)] * 300))
        sequence, head = 0, 0x40
        while True:
            burst = bytearray()
            while len(burst) < BURST_OCTETS:
                burst += frame(bytes([head | sequence & 0x3F]) + told[:249])
                sequence, head = sequence + 1, 0
            await line.send(bytes(burst))


class _Flood(Honest):
    """Honest answers, and beside them as much of one thing as the line takes."""

    prompt = False

    def burst(self, line: Line) -> bytes:
        raise NotImplementedError

    async def opened(self, line: Line) -> None:
        while True:
            await line.send(self.burst(line))


class UnsolicitedFlood(_Flood):
    """Events of the bench's points for ever, each asking for a confirmation."""

    def burst(self, line: Line) -> bytes:
        made = bytearray()
        while len(made) < BURST_OCTETS:
            line.unsolicited_sequence += 1
            body = b"\x20\x07\x28\x64\x00" + b"".join(
                struct.pack("<H", index % 10) + analog(1.0) + bytes(6) for index in range(100)
            )
            made += b"".join(line.frames(unsolicited(line.unsolicited_sequence, body)))
        return bytes(made)


class LinkStatusFlood(_Flood):
    """Requests of the link layer for ever."""

    def burst(self, line: Line) -> bytes:
        return frame(control=REQUEST_LINK_STATUS) * (BURST_OCTETS // 10)


class LinkAnswerFlood(_Flood):
    """Answers of the link layer to nothing, for ever."""

    def burst(self, line: Line) -> bytes:
        return frame(control=LINK_STATUS) * (BURST_OCTETS // 10)


class GarbageFlood(_Flood):
    """Noise for ever."""

    def burst(self, line: Line) -> bytes:
        return line.rng.randbytes(BURST_OCTETS)


class StartFlood(_Flood):
    """Beginnings of frames for ever: the worst food for a reader that looks back."""

    def burst(self, line: Line) -> bytes:
        return b"\x05\x64" * (BURST_OCTETS // 2)


class Slowloris(Honest):
    """Right answers, an octet at a time."""

    prompt = False

    async def answer(self, line: Line, request: Request) -> None:
        told = line.device.answer(request)
        if told is None:
            return
        for octet in b"".join(line.frames(told)):
            await line.send(bytes([octet]))
            await asyncio.sleep(0.1)


class ForeignSource(Honest):
    """Right answers of another device, or for another master."""

    async def answer(self, line: Line, request: Request) -> None:
        told = line.device.answer(request)
        if told is not None:
            foreign = line.rng.choice(
                ({"source": 99}, {"destination": 2}, {"control": 0xC4}, {"source": 0xFFFF})
            )
            await line.send(b"".join(segmented(told, **foreign)))


class Late(Honest):
    """Right answers after the master has stopped to wait for them."""

    prompt = False

    async def answer(self, line: Line, request: Request) -> None:
        await asyncio.sleep(LATE_S)
        await super().answer(line, request)


class Duplicates(Honest):
    """Every answer four times."""

    async def answer(self, line: Line, request: Request) -> None:
        told = line.device.answer(request)
        for _ in range(4):
            await line.fragment(told)


class WrongSequence(Honest):
    """Right answers to another question."""

    async def answer(self, line: Line, request: Request) -> None:
        told = line.device.answer(request)
        if told is not None:
            await line.fragment(bytes([told[0] & 0xF0 | (told[0] + 1) & 0x0F]) + told[1:])


class ErrorBits(Honest):
    """Every internal indication that there is, in every answer, for ever."""

    iin = 0x3FFF

    async def answer(self, line: Line, request: Request) -> None:
        told = line.device.answer(request)
        if told is not None:
            await line.fragment(told[:2] + struct.pack("<H", self.iin) + told[4:])


class RestartForEver(ErrorBits):
    """Says in every answer that it has restarted and lost events; clearing does not help."""

    iin = RESTART | OVERFLOW


class HalfFrame(Honest):
    """Stops in the middle of each answer."""

    async def answer(self, line: Line, request: Request) -> None:
        told = line.device.answer(request)
        if told is not None:
            octets = b"".join(line.frames(told))
            await line.send(octets[: line.rng.randrange(1, len(octets))])


class OnlyUnsolicited(Honest):
    """Answers nothing, but goes on to send null unsolicited responses as if all was well."""

    prompt = False

    async def opened(self, line: Line) -> None:
        while True:
            line.unsolicited_sequence += 1
            await line.fragment(unsolicited(line.unsolicited_sequence))
            await asyncio.sleep(0.05)

    async def answer(self, line: Line, request: Request) -> None:
        return


MODES: Mapping[str, Callable[[], Mode]] = {
    "honest": Honest,
    "silent": Silent,
    "never_accepting": NeverAccepting,
    "accept_then_close": AcceptThenClose,
    "random": RandomOctets,
    "mutated": Mutated,
    "lying_sizes": lambda: _Series(lying_sizes),
    "no_length": lambda: _Series(of_no_length),
    "endless_fragments": EndlessFragments,
    "endless_segments": EndlessSegments,
    "unsolicited_flood": UnsolicitedFlood,
    "link_status_flood": LinkStatusFlood,
    "link_answer_flood": LinkAnswerFlood,
    "garbage_flood": GarbageFlood,
    "start_flood": StartFlood,
    "slowloris": Slowloris,
    "foreign_source": ForeignSource,
    "late": Late,
    "duplicates": Duplicates,
    "wrong_sequence": WrongSequence,
    "error_bits": ErrorBits,
    "restart_for_ever": RestartForEver,
    "half_frame": HalfFrame,
    "only_unsolicited": OnlyUnsolicited,
}
