"""The line without its sockets, between a stack that asks and a device that answers rubbish.

Nothing is raised; only frames of ours leave, no more of them than came in; the stack is shown only
what is well-formed; every value that is taken is a number of a point that exists.
"""

from __future__ import annotations

import math
import random

import pytest

from protocols.dnp3.codec import PointTable
from protocols.dnp3.conversation import Conversation
from protocols.dnp3.fragments import Fragment
from protocols.dnp3.objects import Broken, walk
from protocols.dnp3.values import Decoder
from tests.contracts.driver_peer import bench_points
from tests.contracts.peer_dnp3 import WIRES
from tests.protocols.dnp3.hostile import wire
from tests.protocols.dnp3.hostile.device import HonestDevice
from tests.protocols.dnp3.hostile.modes import lying_sizes, mutated_frames, of_no_length, rich
from tests.protocols.dnp3.hostile.stand import SEED
from tests.protocols.dnp3.hostile.wire import Request, RequestReader

NOW_S = 1_795_000_000.0
STEP_S = 0.5
CLASSES = b"\x3c\x02\x06\x3c\x03\x06\x3c\x04\x06\x3c\x01\x06"


class Taking:
    """Fulfils `Receiver`: decodes as the driver does and checks each value."""

    def __init__(self) -> None:
        self.decoder = Decoder(PointTable(bench_points("HOSTILE", WIRES)))
        self.taken = 0

    def take(self, response: Fragment, *, first: bool) -> int:
        reading = self.decoder.read(
            response.objects, first=first, iin=response.iin, received_s=NOW_S
        )
        for measurement in reading.measurements:
            assert measurement.point in WIRES
            assert math.isfinite(measurement.value)
        self.taken += len(reading.measurements)
        return reading.kept

    def for_stack(self, objects: bytes) -> bytes:
        return objects

    def may_confirm(self) -> bool:
        return True

    def integrity_done(self) -> None:
        return

    def round_trip(self, seconds: float) -> None:
        assert seconds >= 0.0


class Campaign:
    """Conversations one after the other, as the supervisor would open them after each fault."""

    def __init__(self, seed: int, *, lean: bool) -> None:
        self.rng = random.Random(seed)  # noqa: S311 - repeatable
        self.receiver = Taking()
        self.lean = lean
        self.now_s = 0.0
        self.frames = 0
        self.faults: dict[str, int] = {}
        self.sequence = 0
        self.open()

    def open(self) -> None:
        self.conversation = Conversation(
            master=wire.MASTER,
            outstation=wire.OUTSTATION,
            receiver=self.receiver,
            monotonic_s=lambda: self.now_s,
            now_s=lambda: NOW_S,
            response_timeout_s=0.6,
            response_max_s=5.0,
            unsolicited_classes=frozenset({1, 2, 3}),
            plain_time=False,
        )
        self.conversation.lean = self.lean
        self.device = HonestDevice()
        self.reader = RequestReader()

    def ask(self) -> Request:
        """The stack polls; what reaches the device must be that poll."""
        self.sequence = (self.sequence + 1) & 0x0F
        fragment = bytes([0xC0 | self.sequence, wire.READ]) + CLASSES
        asked = wire.segmented(fragment, source=1, destination=1024, control=0xC4)
        out, _ = self.conversation.from_stack(b"".join(asked))
        (request,) = self.reader.feed(out)
        assert (request.function, request.objects) == (wire.READ, CLASSES)
        return request

    def tell(self, frames: list[bytes]) -> None:
        """The device sends `frames`, in one piece or in two."""
        octets = b"".join(frames)
        cut = self.rng.randrange(len(octets) + 1)
        for piece in (octets[:cut], octets[cut:]):
            if self.conversation.fault is None:
                to_stack, back = self.conversation.from_device(piece)
                self.check(to_stack, back, len(piece))
        self.frames += len(frames)
        self.now_s += 0.05
        fault = self.conversation.fault
        if fault is not None:
            assert fault
            self.faults[fault] = self.faults.get(fault, 0) + 1
            self.open()

    def check(self, to_stack: bytes, back: bytes, came: int) -> None:
        for request in self.reader.feed(back):
            assert request.function == wire.CONFIRM
        assert not self.reader.faults, self.reader.faults
        assert len(back) <= came + 300, "the line must not amplify"
        for fragment in whole(to_stack):
            assert fragment[1] in (wire.RESPONSE, wire.UNSOLICITED)
            if self.lean:
                assert len(fragment) == 4
            else:
                assert not any(isinstance(block, Broken) for block in walk(fragment[4:]))


def whole(octets: bytes) -> list[bytes]:
    """The fragments in frames of the line towards the stack, which are all right."""
    found, parts = [], b""
    at = 0
    while at < len(octets):
        assert octets[at : at + 2] == b"\x05\x64"
        body = octets[at + 2] - 5
        size = 10 + body + 2 * -(-body // 16)
        blocks = octets[at + 10 : at + size]
        payload = b"".join(blocks[i : i + 18][:-2] for i in range(0, len(blocks), 18))
        parts = payload[1:] if payload[0] & 0x40 else parts + payload[1:]
        if payload[0] & 0x80:
            found.append(parts)
        at += size
    return found


@pytest.mark.parametrize("lean", [False, True], ids=["boxed", "lean"])
@pytest.mark.parametrize("frames", [3_000, pytest.param(500_000, marks=pytest.mark.soak)])
def test_mutated_frames(frames: int, lean: bool) -> None:
    """A few thousand here, a million in `make soak` (both kinds together); GRIDCTL_SEED seeds."""
    campaign = Campaign(SEED, lean=lean)
    while campaign.frames < frames:
        request = campaign.ask()
        told = rich(campaign.device.answer(request), campaign.rng)
        assert told is not None
        campaign.tell(mutated_frames(told, campaign.rng))
        campaign.now_s += STEP_S
    assert campaign.receiver.taken > frames, "the mutations must reach the values"


@pytest.mark.parametrize("lean", [False, True], ids=["boxed", "lean"])
def test_lies_about_sizes(lean: bool) -> None:
    campaign = Campaign(SEED, lean=lean)
    for body in (*lying_sizes(campaign.rng), *of_no_length(campaign.rng)):
        request = campaign.ask()
        campaign.tell(wire.segmented(wire.response(request.sequence, body[:2_040])))
        campaign.tell(wire.segmented(wire.unsolicited(request.sequence, body[:2_040])))
        campaign.now_s += STEP_S
    assert not campaign.faults, "once a scan, even a liar is only counted"
    assert campaign.conversation.counters.undecoded > 100


def test_pure_noise_ends_the_connection_soon() -> None:
    campaign = Campaign(SEED, lean=True)
    for _ in range(200):
        campaign.tell([campaign.rng.randbytes(4_096)])
    assert sum(campaign.faults.values()) > 10
    assert all("protocol errors" in fault for fault in campaign.faults)
