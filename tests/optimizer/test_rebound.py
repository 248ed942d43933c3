"""Runs end where what comes back has room behind the branches that carry it."""

from __future__ import annotations

import itertools
import time

from gridctl.model.planning import PlanningResult, PlanningTask
from optimizer.plan import plan_task
from tests.optimizer.small import group, hourly_task, two_nodes

FULL_KW = 1000.0
FULL_A = FULL_KW / (3**0.5 * 12.47)
"""The line's current at 1000 kW and the load's quarter of kvar is a little more."""
LINE_A = FULL_A * (1 + 0.25**2) ** 0.5


def planned(task: PlanningTask) -> tuple[PlanningResult, list[float]]:
    result = plan_task(task, monotonic_s=time.monotonic)
    assert result.verification is not None, result.reason
    assert result.verification.ok, result.verification.reasons
    shed = {s.interval: s.kw for s in result.setpoints if s.resource == "G"}
    return result, [shed.get(t, 0.0) for t in range(task.horizon.count)]


def test_a_run_goes_on_until_there_is_room_for_what_comes_back() -> None:
    """All of the shed comes back in the next hour, behind a line that is full until 14:00."""
    back = group("G", rebound=(1.0,), power_factor=0.97)
    task = hourly_task(
        [900, 1060, 995, 990, 500, 400], back, feeder=two_nodes(rating_a=LINE_A), limit_kw=5000.0
    )
    result, shed = planned(task)
    assert [kw > 0.0 for kw in shed] == [False, True, True, True, False, False]
    assert not result.excluded


def test_a_run_is_no_longer_than_what_comes_back_of_it_has_room() -> None:
    """Three quarters come back. Of an hour at its least level there is room for it afterwards."""
    back = group("G", rebound=(0.75,), power_factor=0.97)
    story = [*[1060] * 4, *[980] * 8]
    task = hourly_task(story, back, feeder=two_nodes(rating_a=LINE_A), limit_kw=5000.0)
    _, shed = planned(task)
    assert [t for t, kw in enumerate(shed) if kw > 0.0] == [3]


def test_a_group_that_can_end_nowhere_is_left_out_with_the_branch_that_says_so() -> None:
    """Twelve hours on end the line is full; another group, of which nothing comes back, helps."""
    back = group("G", rebound=(1.0,), power_factor=0.97, duration_max_s=3600.0)
    other = group("H", cost_per_kwh=2.0)
    task = hourly_task(
        [900, 1060, *[999] * 12], back, other, feeder=two_nodes(rating_a=LINE_A), limit_kw=5000.0
    )
    result, shed = planned(task)
    assert {e.resource: e.reason for e in result.excluded} == {
        "G": "its rebound would overload line"
    }
    assert not any(shed[:12])
    assert 1 in {s.interval for s in result.setpoints if s.resource == "H" and s.kw > 0.0}


def crowded() -> PlanningTask:
    """One of both could use the room that the other one leaves."""
    back = group("G", rebound=(0.3,), power_factor=0.97, duration_max_s=3600.0)
    line = two_nodes(rating_a=LINE_A)
    return hourly_task([900, 1060, 995, 500, 400], back, group("H"), feeder=line, limit_kw=5000.0)


def test_who_does_harm_together_with_others_is_replaced_by_others() -> None:
    result, shed = planned(crowded())
    assert not any(shed)
    assert {e.resource for e in result.excluded} == {"G"}
    assert {s.interval for s in result.setpoints if s.resource == "H" and s.kw > 0.0} == {1}
    assert not result.shortfalls


def test_a_search_that_takes_too_long_ends_with_the_best_that_was_found() -> None:
    """A clock that goes on by a share of the deadline each time that it is read."""
    ticks = itertools.count()
    result = plan_task(crowded(), monotonic_s=lambda: 0.8 * next(ticks))
    assert "the search of better runs ended at its time" in result.reason
    assert result.verification is not None
    assert result.verification.ok
    assert result.setpoints
