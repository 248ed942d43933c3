"""The figures of an alarm system, by hand-made journals (SG-29)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gridctl.control.alarmfigures import WINDOW_S, figures
from gridctl.model.alarm import AlarmState
from gridctl.model.clock import ManualClock
from gridctl.model.duty import AlarmEvent
from gridctl.store.engine import temporary_store
from tests.gridctl.store.examples import T0, alarm

DAY_S = 86_400.0


def event(at_s: float, key: str = "A", what: str = "raised", priority: int = 2) -> AlarmEvent:
    return AlarmEvent(key=key, priority=priority, what=what, at_s=at_s, by="")


def spread(count: int, over_s: float, start_s: float = 0.0) -> list[AlarmEvent]:
    """`count` raised alarms of different keys, evenly."""
    return [event(start_s + i * over_s / count, key=f"K{i}") for i in range(count)]


def test_sg29_a_quiet_day_is_fine() -> None:
    found = figures(spread(100, DAY_S), [], start_s=0.0, end_s=DAY_S)
    assert (found.raised, found.per_day, found.floods, found.judged) == (100, 100.0, 0, ())
    assert found.per_10_min == pytest.approx(100 / 144)


def test_sg29_the_loudest_are_told_where_there_are_many() -> None:
    loud = [event(60.0 * i, key=f"K{i % 30}") for i in range(500)]
    found = figures(loud, [], start_s=0.0, end_s=10 * DAY_S)
    assert [text for text in found.judged if "loudest" in text] == [
        "the 10 loudest make 34 %: up to 5 % is fine"
    ]


@pytest.mark.parametrize(("count", "says"), [(151, "up to 150"), (300, "300 are too many")])
def test_sg29_too_many_a_day_is_said(count: int, says: str) -> None:
    found = figures(spread(count, DAY_S), [], start_s=0.0, end_s=DAY_S)
    assert any(says in text for text in found.judged)


def test_sg29_a_flood_begins_above_ten_and_ends_below_five() -> None:
    """11 at once, and nothing after: over when the window has forgotten them."""
    burst = [event(1_000.0 + i, key=f"K{i}") for i in range(11)]
    found = figures(burst[:10], [], start_s=0.0, end_s=DAY_S)
    assert (found.floods, found.most_in_10_min) == (0, 10)
    found = figures(burst, [], start_s=0.0, end_s=DAY_S)
    assert (found.floods, found.most_in_10_min) == (1, 11)
    # Begun with the 11th at 1010; four are left once the 7th (1006) is ten minutes old.
    assert found.flood_s == pytest.approx(1_006.0 + WINDOW_S - 1_010.0)
    going_on = [*burst, *spread(60, 3_600.0, start_s=1_060.0)]
    longer = figures(going_on, [], start_s=0.0, end_s=DAY_S)
    assert longer.floods == 1, "one every minute: never below five in ten minutes"
    assert longer.flood_s > 3_600.0
    assert any("in flood" in text for text in longer.judged)
    assert figures(burst, [], start_s=0.0, end_s=1_100.0).flood_s == pytest.approx(90.0)


def test_sg29_chattering_stale_and_the_loudest() -> None:
    chatter = [event(10.0), event(30.0, what="cleared"), event(60.0)]
    calm = [event(10.0, "B"), event(50.0, "B", "cleared"), event(80.0, "B")]
    old = replace(alarm("old"), raised_s=0.0, cleared_s=None)
    gone = replace(alarm("gone"), raised_s=0.0, cleared_s=5.0)
    found = figures([*chatter, *calm], [old, gone], start_s=0.0, end_s=DAY_S + 1)
    assert found.chattering == ("A",)
    assert found.stale == ("old",)
    assert dict(found.top) == {"A": 2, "B": 2}
    assert found.priorities == ((2, 4),)
    assert [text.split()[0] for text in found.judged] == ["A", "old"]


def test_sg29_time_to_acknowledge() -> None:
    found = figures(
        [event(10.0), event(40.0, what="acked"), event(50.0, "B"), event(60.0, "C", "acked")],
        [],
        start_s=0.0,
        end_s=DAY_S,
    )
    assert found.acknowledged_after_s == 30.0


async def test_sg29_what_happens_to_an_alarm_is_in_its_journal() -> None:
    raised = replace(alarm("A"), raised_s=T0, cleared_s=None, acked_by=None)
    seen = replace(raised, acked_by="op1", state=AlarmState.ACKED)
    over = replace(seen, cleared_s=T0 + 9, state=AlarmState.NORMAL)
    again = replace(raised, raised_s=T0 + 20)
    async with temporary_store(ManualClock(grid_s=T0)) as store:
        for one, at_s in (
            (raised, T0),
            (replace(raised, text="worse"), T0 + 1),
            (seen, T0 + 5),
            (over, T0 + 9),
            (again, T0 + 20),
        ):
            async with store.transaction() as unit:
                await unit.put_alarm(one, at_s=at_s)
        found = await store.duties.alarm_events(start_s=T0, end_s=T0 + 60)
    assert [(e.what, e.at_s - T0, e.by) for e in found] == [
        ("raised", 0.0, ""),
        ("acked", 5.0, "op1"),
        ("cleared", 9.0, ""),
        ("raised", 20.0, ""),
    ]
