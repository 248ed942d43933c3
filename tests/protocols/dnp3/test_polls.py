"""When the line reads what."""

from __future__ import annotations

import asyncio

from protocols.dnp3.polls import Poll, Polls, range_read, reads_of
from protocols.dnp3.settings import read_settings
from tests.protocols.dnp3.scripted import settings

EVERYTHING = bytes.fromhex("3c0206 3c0306 3c0406 3c0106")


def test_events_before_present_values_then_each_class_and_range_by_itself() -> None:
    found = reads_of(
        read_settings(settings(20_000, class_1_s=0.5, class_3_s=30.0, scans="30:4-300@5")),
        scan_s=2.0,
    )
    assert [(poll.period_s, poll.objects) for poll in found] == [
        (2.0, EVERYTHING),
        (0.5, bytes.fromhex("3c0206")),
        (30.0, bytes.fromhex("3c0406")),
        (5.0, bytes.fromhex("1e0001 0400 2c01")),
    ]
    assert reads_of(read_settings(settings(20_000, integrity_s=60.0)), scan_s=2.0)[0].period_s == 60


async def test_each_poll_by_its_period_and_none_after_the_end() -> None:
    asked: list[bytes] = []
    polls = Polls(asyncio.get_running_loop(), asked.append)
    often, seldom = range_read(1, 0, 1), range_read(30, 0, 1)
    polls.begin([Poll(0.05, often), Poll(60.0, seldom)])
    assert asked == [often, seldom]
    await asyncio.sleep(0.5)
    assert 3 <= asked.count(often) <= 12
    assert asked.count(seldom) == 1
    polls.end()
    asked.clear()
    await asyncio.sleep(0.15)
    assert asked == []


async def test_what_a_busy_loop_has_missed_is_not_made_up_for() -> None:
    asked: list[bytes] = []
    loop = asyncio.get_running_loop()
    polls = Polls(loop, asked.append)
    polls.begin([Poll(0.1, b"")])
    polls._due(Poll(0.1, b"late"), loop.time() - 10.0)
    await asyncio.sleep(0.0)
    assert asked == [b"", b"late"]
    polls.end()
