"""Announced calls that may be cancelled at a cost: kept, or taken back, whichever costs less."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from gridctl.model.enrolment import Window
from gridctl.model.planning import FindingKind, PlanningResult, PlanningTask, SolveStatus
from gridctl.model.policy import Policy
from optimizer.plan import plan_task
from tests.optimizer.rules import broken, series_of
from tests.optimizer.small import HOUR_S, START_S, at_rest, group, hourly_task

TOLD = ((START_S + HOUR_S, START_S + 3 * HOUR_S),)
QUIET = [900, 900, 900, 900, 900]


def planned(task: PlanningTask) -> PlanningResult:
    result = plan_task(task, monotonic_s=time.monotonic)
    assert broken(task, result) == []
    return result


def series(result: PlanningResult) -> list[float]:
    return series_of(result).get("G", [0.0] * result.horizon.count)


def told_of(result: PlanningResult) -> list[str]:
    return [
        f.text
        for f in result.findings
        if f.kind is FindingKind.REASON and f.text.startswith("The call that was announced")
    ]


def test_a_call_that_nothing_asks_for_any_more_is_taken_back_where_that_is_cheaper() -> None:
    """Two hours at the least level of 20 kW cost 12, and 0.6 for the start."""
    own = group("G", cancel_cost=5.0)
    result = planned(hourly_task(QUIET, own, states=[at_rest(own, announced=TOLD)]))
    assert series(result) == [0.0] * 5
    assert any("is taken back: that costs 5" in text for text in told_of(result)), told_of(result)


def test_and_is_kept_where_it_costs_more_to_take_it_back() -> None:
    own = group("G", cancel_cost=50.0)
    kw = series(planned(hourly_task(QUIET, own, states=[at_rest(own, announced=TOLD)])))
    assert [v > 0.0 for v in kw] == [False, True, True, False, False]


def test_without_a_price_it_is_kept() -> None:
    own = group("G")
    kw = series(planned(hourly_task(QUIET, own, states=[at_rest(own, announced=TOLD)])))
    assert kw[1] > 0.0
    assert kw[2] > 0.0


def test_one_that_has_begun_is_not_cancelled() -> None:
    own = group("G", cancel_cost=0.1)
    begun = ((START_S - HOUR_S, START_S + 2 * HOUR_S),)
    state = at_rest(
        own,
        announced=begun,
        active_since_s=START_S - HOUR_S,
        setpoint_kw=50.0,
        starts_today=1,
    )
    kw = series(planned(hourly_task(QUIET, own, states=[state])))
    assert [v > 0.0 for v in kw] == [True, True, False, False, False]


def test_a_limit_that_asks_for_it_keeps_it() -> None:
    own, other = group("G", cancel_cost=0.1), group("H", cost_per_kwh=0.5)
    states = [at_rest(own, announced=TOLD), at_rest(other)]
    result = planned(hourly_task([900, 1080, 1080, 900, 900], own, other, states=states))
    assert series(result)[1:3] == pytest.approx([80.0, 80.0], abs=0.5)
    assert told_of(result) == []


def test_an_opt_out_takes_it_back_whatever_it_costs() -> None:
    own = group("G", cancel_cost=500.0)
    state = at_rest(own, announced=TOLD, blocked=(Window(start_s=TOLD[0][0], end_s=TOLD[0][1],
                                                         reason="opted out"),))  # fmt: skip
    result = planned(hourly_task(QUIET, own, states=[state]))
    assert series(result) == [0.0] * 5


def test_strict_order_does_not_take_back_what_was_announced() -> None:
    """A class that is shut while others are enough keeps the calls that its customers know of."""
    first, later = group("H"), group("G", priority=3, cancel_cost=50.0)
    task = hourly_task(QUIET, first, later, states=[at_rest(first), at_rest(later, announced=TOLD)])
    kw = series(planned(replace(task, policy=Policy(strict_priority=True))))
    assert kw[1] > 0.0


def test_a_cost_that_cannot_be_is_refused() -> None:
    task = hourly_task(QUIET, group("G", cancel_cost=-1.0))
    result = plan_task(task, monotonic_s=time.monotonic)
    assert result.status is SolveStatus.FAILED
    assert "G: cancel_cost is -1.0" in result.reason
