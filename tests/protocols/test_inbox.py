"""The inbox: newest wins, bounded, never blocks a native thread."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from gridctl.model.errors import InvariantViolation
from gridctl.model.measurement import GOOD, Measurement, TimeQuality
from protocols.inbox import Inbox


def reading(point: str, value: float) -> Measurement:
    return Measurement(
        point=point,
        value=value,
        quality=GOOD,
        source_time_s=0.0,
        time_quality=TimeQuality.RECEIVED,
        received_time_s=0.0,
    )


async def test_newest_value_of_a_point_is_the_one_that_is_read() -> None:
    inbox = Inbox(10)
    inbox.put([reading("A", 1.0), reading("B", 2.0)])
    inbox.put([reading("A", 3.0)])
    taken = await inbox.get(timeout_s=1.0)
    assert [(m.point, m.value) for m in taken] == [("B", 2.0), ("A", 3.0)]
    assert inbox.dropped == 0
    assert await inbox.get(timeout_s=0.0) == []


async def test_a_full_inbox_pushes_the_oldest_point_out_and_counts_it() -> None:
    inbox = Inbox(2)
    inbox.put([reading(name, 0.0) for name in "ABCD"])
    assert [m.point for m in await inbox.get(timeout_s=1.0)] == ["C", "D"]
    assert inbox.dropped == 2


async def test_nothing_comes_ends_at_the_deadline() -> None:
    inbox = Inbox(1)
    before = time.monotonic()
    assert await inbox.get(timeout_s=0.05) == []
    assert 0.04 < time.monotonic() - before < 1.0


async def test_a_thread_wakes_the_reader_at_once() -> None:
    inbox = Inbox(10)
    timer = threading.Timer(0.05, inbox.put, [[reading("A", 1.0)]])
    timer.start()
    before = time.monotonic()
    assert [m.point for m in await inbox.get(timeout_s=5.0)] == ["A"]
    assert time.monotonic() - before < 1.0
    timer.join()


async def test_many_threads_lose_nothing_but_what_is_superseded() -> None:
    inbox = Inbox(100)
    latest: dict[str, float] = {}

    def write(point: str) -> None:
        for value in range(500):
            inbox.put([reading(point, float(value))])

    threads = [threading.Thread(target=write, args=(f"P{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads) or len(latest) < 4:
        for measurement in await inbox.get(timeout_s=0.02):
            assert measurement.value > latest.get(measurement.point, -1.0)
            latest[measurement.point] = measurement.value
    for measurement in await inbox.get(timeout_s=0.02):
        latest[measurement.point] = measurement.value
    assert latest == {f"P{n}": 499.0 for n in range(4)}
    assert inbox.dropped == 0


async def test_a_second_reader_is_a_bug() -> None:
    inbox = Inbox(1)
    first = asyncio.create_task(inbox.get(timeout_s=0.2))
    await asyncio.sleep(0.01)
    with pytest.raises(InvariantViolation):
        await inbox.get(timeout_s=0.1)
    assert await first == []


async def test_a_cancelled_reader_leaves_the_place_free() -> None:
    inbox = Inbox(1)
    reader = asyncio.create_task(inbox.get(timeout_s=5.0))
    await asyncio.sleep(0.01)
    reader.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reader
    inbox.put([reading("A", 1.0)])
    assert len(await inbox.get(timeout_s=1.0)) == 1


def test_put_after_the_loop_is_gone_does_not_raise() -> None:
    inbox = Inbox(1)
    loop = asyncio.new_event_loop()
    waiting = loop.create_task(inbox.get(timeout_s=60.0))
    loop.run_until_complete(asyncio.sleep(0.01))
    waiting.cancel()
    loop.run_until_complete(asyncio.gather(waiting, return_exceptions=True))
    loop.close()
    inbox.put([reading("A", 1.0)])
    assert inbox.dropped == 0


def test_an_inbox_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="capacity 0"):
        Inbox(0)
