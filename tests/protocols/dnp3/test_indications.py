"""Which event classes are read because the device says that it holds some, and how often."""

from __future__ import annotations

import itertools

from protocols.dnp3.fragments import Iin
from protocols.dnp3.indications import EVENT_SCAN_MAX_S, EVENT_SCAN_MIN_S, EventsAvailable

NONE: frozenset[int] = frozenset()
ALL = frozenset({1, 2, 3})
EVERY_CLASS = Iin.CLASS_1_EVENTS | Iin.CLASS_2_EVENTS | Iin.CLASS_3_EVENTS


def available(
    *, classes: frozenset[int] = ALL, unsolicited: frozenset[int] = NONE
) -> EventsAvailable:
    return EventsAvailable(classes=classes, unsolicited=unsolicited, patience_s=2.0)


def asked(
    one: EventsAvailable, iin: int, seconds: float, *, events_per_ask: int = 0
) -> list[float]:
    """When it asks in `seconds` of a device that answers each time at once, with `iin`."""
    times: list[float] = []
    for tick in range(round(seconds * 20)):
        now_s = tick / 20
        told = len(times) * events_per_ask
        if one.due(iin, now_s, answered_s=now_s, events=told):
            times.append(now_s)
    return times


def test_the_classes_whose_bits_are_set_and_that_are_wanted() -> None:
    found = available(classes=frozenset({1, 3})).due(
        Iin.CLASS_1_EVENTS | Iin.CLASS_2_EVENTS, 0.0, answered_s=0.0, events=0
    )
    assert found == {1}
    assert available().due(EVERY_CLASS, 0.0, answered_s=0.0, events=0) == ALL
    assert available().due(Iin.NEED_TIME, 0.0, answered_s=0.0, events=0) == NONE


def test_a_class_that_is_reported_unasked_has_its_patience_and_others_have_none() -> None:
    one = available(unsolicited=frozenset({2}))
    both = Iin.CLASS_1_EVENTS | Iin.CLASS_2_EVENTS
    assert one.due(both, 0.0, answered_s=0.0, events=0) == {1}
    assert one.due(both, 1.9, answered_s=1.9, events=1) == {1}
    assert one.due(both, 2.2, answered_s=2.2, events=2) == {1, 2}
    # The bit fell in between: its time begins anew.
    assert one.due(0, 2.5, answered_s=2.5, events=2) == NONE
    assert one.due(Iin.CLASS_2_EVENTS, 4.0, answered_s=4.0, events=2) == NONE


def test_while_an_answer_is_awaited_nothing_is_asked_again() -> None:
    one = available()
    assert one.due(EVERY_CLASS, 1.0, answered_s=0.9, events=0) == ALL
    assert one.due(EVERY_CLASS, 5.0, answered_s=0.9, events=0) == NONE
    assert one.due(EVERY_CLASS, 5.1, answered_s=5.05, events=0) == ALL


def test_as_long_as_events_come_the_pause_is_short_else_it_grows() -> None:
    busy = asked(available(), EVERY_CLASS, 10.0, events_per_ask=5)
    assert len(busy) >= 10.0 / (2.5 * EVENT_SCAN_MIN_S)
    stuck = asked(available(), EVERY_CLASS, 600.0)
    pauses = [round(later - sooner, 1) for sooner, later in itertools.pairwise(stuck)]
    assert pauses == sorted(pauses)
    assert EVENT_SCAN_MAX_S <= pauses[-1] <= EVENT_SCAN_MAX_S + 0.1
    assert len(stuck) < 20
