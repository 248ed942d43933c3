"""Our decoder beside the native stack's, over every variation, and what it makes of odd octets."""

from __future__ import annotations

import struct
from dataclasses import replace

import pytest

from gridctl.model.measurement import Flag, PointKind, TimeQuality, Validity
from protocols.dnp3.codec import PointTable, decode_all
from protocols.dnp3.fragments import Fragment, Iin
from protocols.dnp3.objects import _FIELDS, is_event, layout, static_group
from protocols.dnp3.selftest import SelfTest, samples_of
from protocols.dnp3.values import Decoder
from tests.protocols.dnp3.scripted import Answer, Outstation, answer, bench_of, classes, row

NOT_VALUES = {12, 13, 34, 41, 43, 50, 51, 52, 80, 102, 121, 122}
STACK_LACKS = {31, 33}
OCTETS = bytes(range(1, 250, 7)) + b"\x81\x41\xc1\x01\x02\x80\xff\x00"
VARIATIONS = sorted(key for key in _FIELDS if key[0] not in NOT_VALUES)


def objects_of(group: int, variation: int, *, start: int) -> bytes:
    """Three objects with octets that differ; events carry their indexes, static ones a range."""
    found = layout(group, variation)
    assert found is not None
    if found.bits:
        body = bytes((0b01_10_11_01,))
        return bytes((group, variation, 1)) + struct.pack("<HH", start, start + 2) + body
    made = []
    for n in range(3):
        octets = bytearray((OCTETS * 2)[n * 5 : n * 5 + found.size])
        if "time" in found.fields:
            at = struct.calcsize("<" + found.code[: found.code.index("IH")])
            octets[at : at + 6] = (1_790_000_000_000 + n).to_bytes(6, "little")
        if "f32" in found.fields or "f64" in found.fields:
            size = 4 if "f32" in found.fields else 8
            octets[1 : 1 + size] = struct.pack("<f" if size == 4 else "<d", (-1.5) ** n)
        made.append(bytes(octets))
    if is_event(group):
        head = bytes((group, variation, 0x28)) + struct.pack("<H", 3)
        return head + b"".join(struct.pack("<H", start + n) + one for n, one in enumerate(made))
    head = bytes((group, variation, 1)) + struct.pack("<HH", start, start + 2)
    return head + b"".join(made)


def common_time(*, synchronized: bool) -> bytes:
    return bytes((51, 1 if synchronized else 2, 7, 1)) + (1_790_000_000_000).to_bytes(6, "little")


EVERYTHING = {key: objects_of(*key, start=100 + 10 * n) for n, key in enumerate(VARIATIONS)}


@pytest.mark.parametrize("half", [0, 1])
async def test_every_variation_is_read_as_the_native_stack_reads_it(half: int) -> None:
    """The self-test's verdict, on a device whose first poll brings every variation there is."""
    mine = [key for key in VARIATIONS if key[0] not in STACK_LACKS][half::2]
    objects = b"".join(
        (common_time(synchronized=True) if "relative" in _FIELDS[key] else b"") + EVERYTHING[key]
        for key in mine
    )
    assert len(objects) < 2_000

    def all_of_it(request: Fragment) -> Answer:
        return answer(request, objects if 0 in classes(request) else b"")

    async with bench_of(Outstation(script=all_of_it), [row(0)]) as bench:
        await bench.up()
        assert bench.driver.health().diagnostics["decoder"] == "own, equal to the stack's"
        assert not [k for k in bench.driver.health().diagnostics if k.startswith("unread")]


def test_the_self_test_finds_a_difference_in_value_flag_and_number() -> None:
    objects = EVERYTHING[30, 5]
    samples = list(samples_of(objects))
    for changed, word in (
        ([replace(samples[0], value=9.25), *samples[1:]], "9.25"),
        ([replace(samples[0], flags=0x7F), *samples[1:]], "0x7F"),
        (samples[:-1], "alone reads 1 objects"),
    ):
        test = SelfTest()
        test.ours(objects, first=True)
        test.theirs(changed)
        test.whole()
        assert word in (test.verdict or test.conclude())
    test = SelfTest()
    test.ours(objects, first=True)
    test.whole()
    assert test.verdict is None
    test.theirs(samples)
    assert test.verdict == ""


def test_the_self_test_wants_one_poll_of_everything_from_both_sides() -> None:
    objects, later = EVERYTHING[30, 5], EVERYTHING[30, 1]
    test = SelfTest()
    for given_up in range(3):
        assert test.given_up == given_up
        test.ours(objects, first=True)
        test.ours(objects, first=False)
        test.theirs(list(samples_of(objects)))
        test.whole()
        assert test.verdict is None
        test.ours(later, first=True)
    test.theirs(list(samples_of(later)))
    assert test.verdict is None
    assert test.conclude() == "the stack has taken no poll of everything"
    test.whole()
    assert [test.verdict, test.conclude()] == ["", ""]


@pytest.mark.parametrize("key", VARIATIONS)
def test_the_hot_path_says_what_the_plain_one_says(key: tuple[int, int]) -> None:
    group = static_group(key[0])
    if group not in (1, 3, 10, 20, 21, 30, 31, 40):
        return
    start = 100 + 10 * VARIATIONS.index(key)
    rows = [row(i, group=group, scale=2.0, offset=-1.0) for i in range(start, start + 3)]
    if group in KINDS:
        rows = [
            replace(one, point=replace(one.point, kind=KINDS[group]), command="crob-latch")
            for one in rows
        ]
    table = PointTable(rows)
    objects = common_time(synchronized=False) + EVERYTHING[key]
    received_s = 1_790_000_100.0
    read = Decoder(table).read(objects, first=True, iin=0, received_s=received_s)
    plain = decode_all(list(samples_of(objects)), table, received_s=received_s)
    assert read.kept == len(objects)
    assert len(read.measurements) == 3
    assert read.measurements == plain


KINDS = {10: PointKind.CONTROL, 21: PointKind.COUNTER, 31: PointKind.ANALOG}


ANALOG = Decoder(PointTable([row(0), row(1)]))


def read(objects: bytes, *, iin: int = 0, received_s: float = 1_790_000_000.0) -> list[object]:
    found = ANALOG.read(objects, first=True, iin=iin, received_s=received_s)
    return [(m.value, m.quality.validity, m.time_quality) for m in found.measurements]


def event(value: float, at_ms: int) -> bytes:
    stamp = struct.pack("<HBfIH", 0, 1, value, at_ms & 0xFFFFFFFF, at_ms >> 32)
    return bytes((32, 7, 0x28, 1, 0)) + stamp


GOOD, BAD = Validity.GOOD, Validity.INVALID
NOW_MS = 1_790_000_000_000


@pytest.mark.parametrize(
    ("objects", "iin", "expected"),
    [
        (event(5.0, NOW_MS), 0, (5.0, GOOD, TimeQuality.SYNCHRONIZED)),
        (event(5.0, NOW_MS), Iin.NEED_TIME, (5.0, GOOD, TimeQuality.UNSYNCHRONIZED)),
        (event(5.0, NOW_MS + 60_000), 0, (5.0, GOOD, TimeQuality.UNSYNCHRONIZED)),
        (event(5.0, 0), 0, (5.0, GOOD, TimeQuality.RECEIVED)),
        (event(float("nan"), NOW_MS), 0, (0.0, BAD, TimeQuality.SYNCHRONIZED)),
        (event(float("-inf"), NOW_MS), 0, (0.0, BAD, TimeQuality.SYNCHRONIZED)),
    ],
)
def test_times_and_numbers_that_are_none(
    objects: bytes, iin: int, expected: tuple[float, Validity, TimeQuality]
) -> None:
    assert read(objects, iin=iin) == [expected]


def test_relative_time_needs_a_common_one_and_takes_its_quality() -> None:
    decoder = Decoder(PointTable([row(0, group=1)]))
    relative = bytes((2, 3, 0x17, 1, 0, 0x81)) + struct.pack("<H", 250)

    def told(objects: bytes) -> tuple[float, TimeQuality]:
        (m,) = decoder.read(objects, first=True, iin=0, received_s=1_790_000_001.0).measurements
        return m.source_time_s, m.time_quality

    assert told(relative) == (1_790_000_001.0, TimeQuality.RECEIVED)
    assert told(common_time(synchronized=True) + relative) == (
        1_790_000_000.25,
        TimeQuality.SYNCHRONIZED,
    )
    assert told(common_time(synchronized=False) + relative)[1] is TimeQuality.UNSYNCHRONIZED


def test_a_static_object_that_repeats_its_event_is_left_out_over_the_whole_response() -> None:
    static = bytes((30, 5, 0, 0, 0)) + struct.pack("<Bf", 1, 5.0)
    first = ANALOG.read(event(5.0, NOW_MS), first=True, iin=0, received_s=2e9)
    assert len(first.measurements) == 1
    assert first.events == 1
    assert ANALOG.read(static, first=False, iin=0, received_s=2e9).measurements == []
    assert len(ANALOG.read(static, first=True, iin=0, received_s=2e9).measurements) == 1


@pytest.mark.parametrize(
    ("state", "value", "validity"), [(0, 0.0, BAD), (1, 0.0, GOOD), (2, 1.0, GOOD), (3, 0.0, BAD)]
)
def test_a_double_bit_in_between_is_no_position(
    state: int, value: float, validity: Validity
) -> None:
    decoder = Decoder(PointTable([row(0, group=3)]))
    for objects in (bytes((3, 2, 0, 0, 0, state << 6 | 1)), bytes((3, 1, 0, 0, 0, state))):
        (m,) = decoder.read(objects, first=True, iin=0, received_s=1.0).measurements
        assert (m.value, m.quality.validity) == (value, validity)
        assert (Flag.INCONSISTENT in m.quality.flags) is (validity is BAD)


def test_an_octet_string_is_worth_the_number_that_it_spells() -> None:
    decoder = Decoder(PointTable([row(0, address="110:0")]))
    for text, value, validity in ((b"12.5\0", 12.5, GOOD), (b"v1.2b", 0.0, BAD)):
        objects = bytes((110, len(text), 0, 0, 0)) + text
        (m,) = decoder.read(objects, first=True, iin=0, received_s=1.0).measurements
        assert (m.value, m.quality.validity) == (value, validity)
        assert text.rstrip(b"\0").decode() in m.quality.native


def test_what_others_commanded_is_noted_and_moves_nothing() -> None:
    commanded = bytes((43, 5, 0x28, 1, 0)) + struct.pack("<HBf", 0, 0, 99.0)
    found = ANALOG.read(commanded, first=True, iin=0, received_s=1.0)
    assert found.measurements == []
    assert found.commanded == ["g43v5 ×1"]
