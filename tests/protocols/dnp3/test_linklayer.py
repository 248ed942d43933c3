"""The link layer ends here: confirmed data, link requests, frames that are for somebody else."""

from __future__ import annotations

import pytest

from protocols.dnp3 import frames as f
from protocols.dnp3.fragments import CON, FIN, FIR, UNS, Fragment, Function
from protocols.dnp3.frames import FrameReader, build_frame
from protocols.dnp3.linklayer import LinkLayer
from tests.protocols.dnp3.scripted import (
    MASTER,
    OUTSTATION,
    Outstation,
    analogs,
    answer,
    bench_of,
    classes,
    row,
)

SEGMENT = b"\xc0" + Fragment(FIR | FIN, Function.RESPONSE, 0, b"").octets()
BROADCASTS = (0xFFFD, 0xFFFE, 0xFFFF)


def layer() -> LinkLayer:
    return LinkLayer(master=MASTER, outstation=OUTSTATION, monotonic_s=lambda: 0.0)


def heard(
    link: LinkLayer, control: int, payload: bytes = b"", *, to: int = MASTER, by: int = OUTSTATION
) -> tuple[int, list[int]]:
    """How many fragments one frame brought, and the functions of what was answered."""
    link.back = []
    fragments = link.feed(build_frame(control, to, by, payload))
    answers = FrameReader().feed(b"".join(link.back))
    assert all((one.destination, one.source) == (OUTSTATION, MASTER) for one in answers)
    return len(fragments), [one.function for one in answers]


def test_confirmed_data_is_acknowledged_each_time_and_taken_once() -> None:
    link = layer()
    assert heard(link, f.PRM | f.RESET_LINK) == (0, [f.ACK])
    told = f.PRM | f.CONFIRMED_USER_DATA | f.FCB
    assert heard(link, told, SEGMENT) == (1, [f.ACK])
    assert heard(link, told, SEGMENT) == (0, [f.ACK])  # our ACK was lost: same count bit
    assert heard(link, told & ~f.FCB, SEGMENT) == (1, [f.ACK])
    assert link.counters.repeated == 1


def test_what_the_device_asks_of_the_link_is_answered() -> None:
    link = layer()
    assert heard(link, f.PRM | f.REQUEST_LINK_STATUS) == (0, [f.LINK_STATUS])
    assert heard(link, f.PRM | f.TEST_LINK) == (0, [f.ACK])
    assert heard(link, f.PRM | 0x0F) == (0, [f.NOT_SUPPORTED])
    assert link.fault is None


@pytest.mark.parametrize("to", [*BROADCASTS, MASTER + 1, 0xFFFC])
def test_what_is_for_everybody_or_somebody_else_is_not_taken_and_not_answered(to: int) -> None:
    link = layer()
    for control in (f.PRM | f.UNCONFIRMED_USER_DATA, f.PRM | f.CONFIRMED_USER_DATA):
        assert heard(link, control, SEGMENT, to=to) == (0, [])
        assert heard(link, control, SEGMENT, by=to) == (0, [])
    assert link.counters.foreign == 4


async def test_a_device_that_wants_its_frames_acknowledged_gets_that() -> None:
    outstation = Outstation(script=lambda r: answer(r, analogs(1.5) if 0 in classes(r) else b""))
    async with bench_of(outstation, [row(0)], integrity_s=600.0) as bench:
        await bench.up()
        event = Fragment(FIR | FIN | CON | UNS, Function.UNSOLICITED_RESPONSE, 0, analogs(9.5))
        control = f.PRM | f.CONFIRMED_USER_DATA
        for count in (f.FCB, f.FCB, 0):
            frame = build_frame(control | count, MASTER, OUTSTATION, b"\xc0" + event.octets())
            outstation.send_octets(frame)
        assert await bench.until(lambda: any(m.value == 9.5 for m in bench.seen))
        assert await bench.until(lambda: len(outstation.confirms) == 2)
        assert bench.driver.health().protocol_errors == 0
