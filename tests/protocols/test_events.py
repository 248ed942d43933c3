"""The sequence of events: every change once, in order; losses are counted and marked."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from gridctl.model.measurement import GOOD, Flag, Measurement, TimeQuality
from protocols.events import EventQueue, is_event
from protocols.inbox import Inbox


def at(value: float, source_s: float, *, point: str = "A", timed: bool = True) -> Measurement:
    return Measurement(
        point=point,
        value=value,
        quality=GOOD,
        source_time_s=source_s,
        time_quality=TimeQuality.SYNCHRONIZED if timed else TimeQuality.RECEIVED,
        received_time_s=source_s,
    )


@pytest.mark.parametrize(
    ("before", "now", "told"),
    [
        (None, at(1, 5), True),
        (None, at(1, 5, timed=False), False),
        (at(0, 5), at(1, 5), True),
        (at(0, 5), at(1, 6, timed=False), True),
        (at(1, 5), at(1, 5), False),
        (at(1, 5), at(1, 6), True),
        (at(1, 5), at(1, 6, timed=False), False),
        (at(1, 5), replace(at(1, 5), quality=GOOD.degraded(Flag.COMM_LOST)), True),
    ],
)
def test_what_is_an_event(before: Measurement | None, now: Measurement, told: bool) -> None:
    assert is_event(before, now) is told


def test_every_change_comes_out_once_in_order_while_the_inbox_keeps_the_newest() -> None:
    events = EventQueue(["A"])
    inbox = Inbox(10, events=events)
    inbox.put([at(0, 1), at(1, 2), at(0, 3), at(7, 3, point="B")])
    inbox.put([at(0, 3), at(0, 9, timed=False)])
    taken = events.take()
    assert [(e.number, e.measurement.value, e.measurement.source_time_s) for e in taken] == [
        (1, 0, 1),
        (2, 1, 2),
        (3, 0, 3),
    ]
    assert events.take() == []


def test_a_full_queue_keeps_the_beginning_and_marks_the_hole() -> None:
    events = EventQueue(["A", "B"], capacity=3)
    inbox = Inbox(10, events=events)
    inbox.put([at(float(k), k) for k in range(5)])
    assert events.dropped == 2
    kept = events.take()
    assert [e.number for e in kept] == [1, 2, 3]
    assert all(e.measurement.quality.is_good for e in kept)
    inbox.put([at(9, 9), at(1, 9, point="B"), at(10, 10)])
    first, other, second = events.take()
    assert first.number == 6, "numbers 4 and 5 are missing"
    assert Flag.DATA_LOSS in first.measurement.quality.flags
    assert other.measurement.quality.is_good
    assert second.measurement.quality.is_good


async def test_the_present_value_of_a_point_that_lost_an_event_is_questionable() -> None:
    inbox = Inbox(10, events=EventQueue(["A"], capacity=1))
    inbox.put([at(0, 1)])
    inbox.put([at(1, 2)])
    (newest,) = await inbox.get(timeout_s=0)
    assert newest.value == 1
    assert Flag.DATA_LOSS in newest.quality.flags
    assert not newest.quality.is_good


def test_other_points_are_watched_after_a_reload() -> None:
    events = EventQueue(["A"])
    events.offer([at(1, 1)])
    events.watch(["B"])
    events.offer([at(2, 2), at(1, 2, point="B")])
    assert [e.measurement.point for e in events.take()] == ["A", "B"]


def test_numbers_have_no_holes_with_many_writers() -> None:
    points = [f"P{k}" for k in range(4)]
    events = EventQueue(points, capacity=100_000)

    def write(point: str) -> None:
        for k in range(2_000):
            events.offer([at(float(k), k, point=point)])

    threads = [threading.Thread(target=write, args=(point,)) for point in points]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    taken = events.take()
    assert [e.number for e in taken] == list(range(1, 8_001))
    for point in points:
        own = [e.measurement.value for e in taken if e.measurement.point == point]
        assert own == [float(k) for k in range(2_000)]


def test_a_queue_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="holds nothing"):
        EventQueue([], capacity=0)
