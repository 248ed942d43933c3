"""The check of many blocks at once says what the check of each says."""

from __future__ import annotations

import random

import pytest

from protocols.dnp3.crc import all_sound, block_sound, crc, header_sound
from protocols.dnp3.frames import PAYLOAD_MAX, FrameReader, build_frame

RANDOM = random.Random(1815)  # noqa: S311 - octets, not secrets


def blocks(count: int) -> bytes:
    made = [RANDOM.randbytes(16) for _ in range(count)]
    return b"".join(one + crc(one).to_bytes(2, "little") for one in made)


def test_the_crc_of_a_frame_that_is_known() -> None:
    """Reset of link states from 10 to 1, as it stands in many published traces."""
    header = bytes.fromhex("0564 05c0 0100 0a00")
    assert crc(header).to_bytes(2, "little") == bytes.fromhex("e08c")
    assert header_sound(b"\0" + header + bytes.fromhex("e08c"), 1)


@pytest.mark.parametrize("count", [1, 2, 17, 128])
def test_any_bit_that_is_wrong_in_any_block_is_seen(count: int) -> None:
    sound = blocks(count)
    assert all_sound(sound)
    assert all(block_sound(sound, at) for at in range(0, len(sound), 18))
    bits = range(8 * len(sound))
    for bit in bits if count < 3 else RANDOM.sample(bits, 300):
        wrong = bytearray(sound)
        wrong[bit // 8] ^= 1 << bit % 8
        assert not all_sound(bytes(wrong))
        assert not block_sound(bytes(wrong), bit // 8 // 18 * 18)


def test_errors_in_two_blocks_do_not_hide_each_other() -> None:
    for bit in range(8):
        wrong = bytearray(blocks(4))
        wrong[18] ^= 1 << bit
        wrong[36] ^= 1 << bit
        assert not all_sound(bytes(wrong))


def test_frames_of_every_length_come_through_alone_and_in_a_row() -> None:
    made = [build_frame(0x44, 1, 1024, bytes(range(n))) for n in range(PAYLOAD_MAX + 1)]
    together, alone = FrameReader(), FrameReader()
    assert [frame.octets for frame in together.feed(b"".join(made))] == made
    singly = [frame for one in made for frame in alone.feed(one)]
    assert [frame.payload for frame in singly] == [bytes(range(n)) for n in range(251)]
    assert together.crc_errors == alone.crc_errors == together.skipped == alone.skipped == 0


def test_one_broken_frame_in_a_row_costs_only_itself() -> None:
    made = [build_frame(0x44, 1, 1024, bytes(range(100 + n))) for n in range(9)]
    for at in range(9):
        octets = bytearray(b"".join(made))
        octets[sum(map(len, made[:at])) + 40] ^= 0x10
        reader = FrameReader()
        found = [frame.octets for frame in reader.feed(bytes(octets))]
        assert found == made[:at] + made[at + 1 :]
        assert reader.crc_errors == 1
