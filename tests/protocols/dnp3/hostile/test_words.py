"""What is said of a device's octets, to a person or to the self-test: anything can be described."""

from __future__ import annotations

from hypothesis import example, given, settings
from hypothesis import strategies as st

from protocols.dnp3.capture import Piece, pcap
from protocols.dnp3.discovery import Inventory
from protocols.dnp3.exchange import Exchange
from protocols.dnp3.fragments import FIN, FIR, Fragment, Function, parse_fragment
from protocols.dnp3.outputs import AO_FLOAT, LATCH, Output
from protocols.dnp3.selftest import readable_by_stack, samples_of
from protocols.dnp3.trace import describe, evidence, lines
from tests.protocols.dnp3.hostile import wire
from tests.protocols.dnp3.hostile.test_decoders import fragments

LINE_MAX = 60_000

controls = st.sampled_from((0x00, 0xC0, 0xE3, 0xF5, 0xFF))
functions = st.sampled_from((1, 2, 3, 4, 129, 130)) | st.integers(0, 255)


@given(objects=fragments, control=controls, function=functions, iin=st.integers(0, 0xFFFF))
@settings(max_examples=500, deadline=None)
@example(objects=b"\x0c\x01\x17\x00", control=0xC0, function=129, iin=0)
@example(objects=b"\x0c\x01\x5b\x01\x01\x00\x00", control=0xC0, function=129, iin=0)
@example(objects=b"\x0c\x01\x28\x01\x00", control=0xC0, function=1, iin=0)
@example(objects=b"\x6e\x01\x07\x01", control=0xC0, function=1, iin=0)
@example(objects=b"\x1e\x01\x28\x01\x00\x05\x00", control=0xC0, function=1, iin=0)
def test_any_fragment_is_described(objects: bytes, control: int, function: int, iin: int) -> None:
    told = describe(Fragment(control, function, iin, objects))
    assert told
    assert "\n" not in told
    assert told.isprintable()
    assert len(told) < LINE_MAX


@given(objects=fragments)
@settings(max_examples=300, deadline=None)
@example(objects=b"\x0c\x01\x17\x00")
def test_any_answer_is_evidence(objects: bytes) -> None:
    """It is written in the path of a command: nothing may go wrong there."""
    for output in (
        LATCH.output(4, 1.0),
        AO_FLOAT.output(12, 6.0, within=(0.0, 10.0), slack=0.0),
    ):
        assert isinstance(output, Output)
        exchange = Exchange(
            output=output,
            aborted=lambda: False,
            stage_told=lambda stage: None,
            expires_mono_s=10.0,
            select_window_s=5.0,
        )
        exchange.next(1, 1.0)
        exchange.answered(Fragment(FIR | FIN | 1, Function.RESPONSE, 0, objects), 1.1)
        assert exchange.select_answer is not None
        operates = exchange.next(2, 1.2) is not None
        assert operates is exchange.select_answer.clean
        assert len(evidence(exchange, grid_minus_mono_s=0.0)) == 3  # OPERATE, or why not


@given(objects=fragments)
@settings(max_examples=400, deadline=None)
def test_what_the_stack_is_shown_is_whole(objects: bytes) -> None:
    shown = readable_by_stack(objects)
    assert len(shown) <= len(objects)
    assert readable_by_stack(shown) == shown
    assert len(list(samples_of(objects))) <= 8 * len(objects)


@given(octets=st.lists(st.binary(max_size=300), max_size=8), objects=fragments)
@settings(max_examples=200, deadline=None)
def test_a_capture_of_anything_reads_and_is_a_pcap(octets: list[bytes], objects: bytes) -> None:
    told = b"".join(wire.segmented(wire.response(1, objects[:1_500])))
    pieces = tuple(
        Piece(1_795_000_000.0 + at, at % 2 == 0, piece) for at, piece in enumerate([*octets, told])
    )
    for line in lines(pieces):
        assert line.isprintable()
    assert pcap(pieces)[:4] in (b"\xd4\xc3\xb2\xa1", b"\xa1\xb2\xc3\xd4", b"\x4d\x3c\xb2\xa1")


@given(octets=st.binary(max_size=40))
@settings(max_examples=200, deadline=None)
def test_a_fragment_is_what_its_octets_say(octets: bytes) -> None:
    parsed = parse_fragment(octets)
    assert parsed is None or parsed.octets() == octets


@given(answers=st.lists(fragments, max_size=4))
@settings(max_examples=300, deadline=None)
def test_a_probe_takes_in_anything(answers: list[bytes]) -> None:
    """Commissioning reads a device that nobody has judged yet."""
    inventory = Inventory(points_max=50)
    for objects in answers:
        assert 0 <= inventory.read(objects) <= len(objects)
    assert len(inventory.points) <= 50
    assert len(inventory.attributes) <= 256
