"""What time a device is told, whatever time the stack had in mind and however long it waited."""

from __future__ import annotations

import struct

import pytest

from protocols.dnp3.clocksetting import ClockSetting
from protocols.dnp3.fragments import Fragment, Function

STACK_S, RECORDED_S, LEAVES_S = 1_795_000_000.0, 1_795_000_000.25, 1_795_000_001.5


def write(variation: int, time_s: float = STACK_S) -> Fragment:
    told = bytes((50, variation, 0x07, 1)) + round(time_s * 1_000).to_bytes(6, "little")
    return Fragment(0xC0, Function.WRITE, 0, told)


def told_s(request: Fragment) -> float:
    return int.from_bytes(request.objects[-6:], "little") / 1_000


class Clock:
    def __init__(self, now_s: float) -> None:
        self.now_s = now_s

    def __call__(self) -> float:
        return self.now_s


def ask(setting: ClockSetting, function: Function, mono_s: float) -> None:
    request = Fragment(0xC0, function, 0, b"")
    assert setting.leaves(request, mono_s) == request


def test_on_a_lan_it_is_the_time_at_which_record_current_time_left() -> None:
    clock = Clock(RECORDED_S)
    setting = ClockSetting(clock)
    ask(setting, Function.RECORD_CURRENT_TIME, 10.0)
    clock.now_s = LEAVES_S
    assert told_s(setting.leaves(write(3), 11.25)) == RECORDED_S


@pytest.mark.parametrize(
    ("delay", "way_s"),
    [
        (struct.pack("<BBBBH", 52, 2, 7, 1, 200), 0.15),
        (struct.pack("<BBBBH", 52, 1, 7, 1, 0), 0.25),
        (struct.pack("<BBBBH", 52, 2, 7, 1, 60_000), 0.0),  # longer than it can have had it
        (b"", 0.0),
        (b"\x34\x09\x07\x01\x00\x00", 0.0),
    ],
)
def test_elsewhere_it_is_now_and_the_way_to_the_device(delay: bytes, way_s: float) -> None:
    clock = Clock(RECORDED_S)
    setting = ClockSetting(clock)
    ask(setting, Function.DELAY_MEASURE, 10.0)
    setting.answered(Function.DELAY_MEASURE, delay, 10.5)
    clock.now_s = LEAVES_S
    assert told_s(setting.leaves(write(1), 11.0)) == pytest.approx(LEAVES_S + way_s, abs=0.001)


def test_a_plain_write_is_of_now() -> None:
    assert told_s(ClockSetting(Clock(LEAVES_S)).leaves(write(1), 1.0)) == LEAVES_S


def test_nothing_but_a_setting_of_the_clock_is_changed() -> None:
    setting = ClockSetting(Clock(LEAVES_S))
    for request in (
        write(3),  # nothing was recorded
        write(4),
        Fragment(0xC0, Function.WRITE, 0, bytes((80, 1, 0, 7, 7, 0))),
        Fragment(0xC0, Function.READ, 0, write(1).objects),
        write(1)._replace(objects=write(1).objects + b"\0"),
    ):
        assert setting.leaves(request, 1.0) == request
    # And not by a clock that has not been set itself.
    assert ClockSetting(Clock(12.0)).leaves(write(1), 1.0) == write(1)
