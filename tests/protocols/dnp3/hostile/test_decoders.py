"""The pure readers of the line, fed with anything: they raise nothing, keep nothing that is not
there, and do no more work than there are octets."""

from __future__ import annotations

import math
import struct
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.dnp3.codec import PointTable
from protocols.dnp3.fragments import FRAGMENT_MAX, Reassembler, Segmenter, parse_fragment
from protocols.dnp3.frames import FRAME_MAX, FrameReader, build_frame
from protocols.dnp3.objects import Block, Broken, columns, layout, texts, walk
from protocols.dnp3.values import Decoder
from tests.contracts.driver_peer import bench_points
from tests.contracts.peer_dnp3 import WIRES
from tests.protocols.dnp3.hostile import wire
from tests.protocols.dnp3.hostile.device import HonestDevice
from tests.protocols.dnp3.hostile.modes import lying_sizes, mutated, of_no_length, rich
from tests.protocols.dnp3.hostile.stand import SEED
from tests.protocols.dnp3.hostile.wire import Request, response

NOW_S = 1_795_000_000.0
GROUPS = (0, 1, 2, 3, 4, 10, 11, 12, 13, 20, 21, 22, 23, 30, 31, 32, 33, 34, 40, 41, 42, 43, 50, 51,
          52, 60, 70, 80, 102, 110, 111, 112, 113, 120, 121, 122, 255)  # fmt: skip
QUALIFIERS = (0x00, 0x01, 0x02, 0x06, 0x07, 0x08, 0x09, 0x17, 0x28, 0x39, 0x5B)
POINTS = len(WIRES)
OBJECTS_PER_OCTET = 8
"""Packed bits: no object of DNP3 is smaller, so no fragment has more objects than this."""

_numbers = st.one_of(st.integers(0, 6), st.sampled_from((0xFF, 0xFFFF, 0xFFFFFFFF)))


@st.composite
def headers(draw: st.DrawFn) -> bytes:
    """One object header that may lie, and what may or may not be its objects."""
    group = draw(st.sampled_from(GROUPS) | st.integers(0, 255))
    variation = draw(st.integers(0, 9) | st.integers(0, 255))
    qualifier = draw(st.sampled_from(QUALIFIERS) | st.integers(0, 255))
    width = {0: 1, 1: 2, 2: 4, 7: 1, 8: 2, 9: 4}.get(qualifier & 0x0F, 0)
    fields = 2 if qualifier & 0x0F < 3 else 1
    told = b"".join(
        (draw(_numbers) & (1 << 8 * width) - 1).to_bytes(width, "little") for _ in range(fields)
    )
    return bytes([group, variation, qualifier]) + told + draw(st.binary(max_size=80))


fragments = st.lists(headers(), max_size=8).map(b"".join) | st.binary(max_size=400)


def decoder() -> Decoder:
    return Decoder(PointTable(bench_points("HOSTILE", WIRES)))


def check_walk(objects: bytes) -> None:
    """The blocks lie one behind the other inside the fragment, each with what it claims."""
    at = 0
    blocks = list(walk(objects))
    assert len(blocks) <= len(objects) // 3 + 1
    for block in blocks:
        if isinstance(block, Broken):
            assert block is blocks[-1]
            assert block.reason
            assert at <= block.at <= len(objects)
            continue
        assert block.header == at
        assert at < block.end <= len(objects)
        at = block.end
        check_block(block)


def check_block(block: Block) -> None:
    found = columns(block)
    if found is not None:
        assert len(found.indexes) == len(found.values) == block.number
        assert block.number <= OBJECTS_PER_OCTET * max(1, len(block.body))
        assert found.flags is None or len(found.flags) == block.number
        assert found.times is None or len(found.times) == block.number
    assert len(texts(block)) <= max(1, len(block.body))


def check_reading(objects: bytes, reader: Decoder) -> None:
    reading = reader.read(objects, first=True, iin=0, received_s=NOW_S)
    assert 0 <= reading.kept <= len(objects)
    assert bool(reading.undecoded) == (reading.kept < len(objects))
    assert len(reading.measurements) <= POINTS * (OBJECTS_PER_OCTET * len(objects) + 1)
    for measurement in reading.measurements:
        assert math.isfinite(measurement.value)
        assert math.isfinite(measurement.source_time_s)
        assert measurement.quality.native


@given(objects=fragments)
@settings(max_examples=600, deadline=None)
def test_objects_of_any_kind(objects: bytes) -> None:
    check_walk(objects)
    check_reading(objects, decoder())


@given(objects=fragments)
@settings(max_examples=200, deadline=None)
def test_headers_without_objects(objects: bytes) -> None:
    """The walk through a request's headers, which have none."""
    for block in walk(objects, data=False):
        assert isinstance(block, Broken) or block.end <= len(objects)


@pytest.mark.parametrize("seed", range(3))
def test_lies_about_sizes_and_objects_of_no_length(seed: int) -> None:
    rng = Random(SEED * 1_000 + seed)  # noqa: S311 - repeatable
    reader = decoder()
    for body in (*lying_sizes(rng), *of_no_length(rng)):
        objects = body[:2_044]
        check_walk(objects)
        check_reading(objects, reader)


@pytest.mark.parametrize("frames", [4_000, pytest.param(1_000_000, marks=pytest.mark.soak)])
def test_mutated_fragments(frames: int) -> None:
    """A seeded subset here, a million in `make soak`: mutated answers through the whole reader."""
    rng = Random(SEED)  # noqa: S311 - repeatable
    device, reader, segments = HonestDevice(), FrameReader(), Reassembler()
    values = decoder()
    whole = 0
    for number in range(frames):
        honest = device.answer(Request(0xC0 | number & 0x0F, wire.READ, b"\x3c\x01\x06", 0xC4))
        told = rich(honest, rng)
        assert told is not None
        for octets in wire.segmented(mutated(told, rng), sequence=number):
            for frame in reader.feed(octets):
                fragment = segments.feed(frame.payload)
                parsed = None if fragment is None else parse_fragment(fragment)
                if parsed is not None:
                    whole += 1
                    check_walk(parsed.objects)
                    check_reading(parsed.objects, values)
    assert whole > frames * 0.8, "the mutations must reach the objects"
    assert reader.crc_errors == 0


@given(octets=st.binary(max_size=2_000), cuts=st.lists(st.integers(0, 2_000), max_size=8))
@settings(max_examples=300, deadline=None)
def test_any_octets_in_any_pieces(octets: bytes, cuts: list[int]) -> None:
    """The cuts of TCP make no difference, and no more than one frame is ever held back."""
    frames = FrameReader().feed(octets)
    reader = FrameReader()
    edges = sorted({0, len(octets), *(cut for cut in cuts if cut < len(octets))})
    pieced = [frame for start, stop in pairwise(edges) for frame in reader.feed(octets[start:stop])]
    assert [f.octets for f in pieced] == [f.octets for f in frames]
    assert len(reader._rest) <= FRAME_MAX


@given(payload=st.binary(min_size=1, max_size=250), noise=st.binary(max_size=60))
@settings(max_examples=300, deadline=None)
def test_a_good_frame_is_found_behind_noise(payload: bytes, noise: bytes) -> None:
    """And it is the same frame that the standard's reader of these tests would make."""
    mine = build_frame(wire.USER_DATA, 1, 1024, payload)
    assert mine == wire.frame(payload)
    # Noise that promises a frame hides what follows until that many octets have come.
    found = FrameReader().feed(noise + mine + bytes(FRAME_MAX) + mine)
    assert payload in [frame.payload for frame in found]


@given(payload=st.binary(min_size=1, max_size=250), at=st.integers(0, 291), bit=st.integers(0, 7))
@settings(max_examples=300, deadline=None)
def test_no_flipped_bit_passes(payload: bytes, at: int, bit: int) -> None:
    octets = bytearray(wire.frame(payload))
    octets[at % len(octets)] ^= 1 << bit
    assert payload not in [frame.payload for frame in FrameReader().feed(bytes(octets))]


@given(segments=st.lists(st.binary(max_size=250), max_size=40))
@settings(max_examples=300, deadline=None)
def test_segments_in_any_order(segments: list[bytes]) -> None:
    reassembler = Reassembler()
    for segment in segments:
        whole = reassembler.feed(segment)
        assert whole is None or len(whole) <= FRAGMENT_MAX
        assert sum(len(part) for part in reassembler._parts) <= FRAGMENT_MAX


@given(fragment=st.binary(min_size=4, max_size=FRAGMENT_MAX))
@settings(max_examples=100, deadline=None)
def test_a_fragment_comes_out_as_it_went_in(fragment: bytes) -> None:
    octets = Segmenter(control=0x40, destination=1, source=1024).frames(fragment)
    assert octets == b"".join(wire.segmented(fragment))
    reassembler = Reassembler()
    came = [reassembler.feed(frame.payload) for frame in FrameReader().feed(octets)]
    assert came[-1] == fragment
    assert not any(came[:-1])


def test_endless_segments_are_not_kept() -> None:
    reassembler = Reassembler()
    for number in range(10_000):
        head = (0x40 if number == 0 else 0) | number & 0x3F
        assert reassembler.feed(bytes([head]) + bytes(249)) is None
    assert sum(len(part) for part in reassembler._parts) <= FRAGMENT_MAX
    assert reassembler.errors > 0


def test_layouts_have_the_sizes_of_the_standard() -> None:
    """A few by hand, from IEEE 1815-2012 Annex A."""
    sizes = {(30, 1): 5, (30, 5): 5, (30, 6): 9, (32, 7): 11, (2, 2): 7, (2, 3): 3, (21, 5): 11,
             (41, 3): 5, (12, 1): 11, (50, 1): 6, (110, 12): 12}  # fmt: skip
    for (group, variation), size in sizes.items():
        found = layout(group, variation)
        assert found is not None
        assert found.size == size, (group, variation)


def test_a_number_that_is_none_is_never_a_value() -> None:
    for value in (math.nan, math.inf, -math.inf):
        objects = wire.ranged(30, 5, 0, [struct.pack("<Bf", 1, value)])
        (measured,) = decoder().read(objects, first=True, iin=0, received_s=NOW_S).measurements
        assert measured.value == 0.0
        assert not measured.quality.is_good


def test_a_response_of_every_kind_is_read_at_all() -> None:
    """What the mutations start from is well-formed: else they would test little."""
    rng = Random(1)  # noqa: S311 - repeatable
    for number in range(60):
        honest = response(number, HonestDevice().static())
        told = rich(honest, rng)
        assert told is not None
        reading = decoder().read(told[4:], first=True, iin=0, received_s=NOW_S)
        assert not reading.undecoded, (told[4:].hex(), reading.undecoded)


def test_strings_of_no_length_hide_nothing() -> None:
    """opendnp3's outstation shows them in class 0; a liar in any number: neither costs anything."""
    for head in (b"\x6e\x00\x01\x00\x00\x13\x00", b"\x6f\x00\x02\x00\x00\x00\x00\xff\xff\xff\xff"):
        objects = head + wire.ranged(30, 5, 0, [struct.pack("<Bf", 1, 5.0)])
        reading = decoder().read(objects, first=True, iin=0, received_s=NOW_S)
        assert not reading.undecoded
        assert [m.value for m in reading.measurements] == [5.0]
