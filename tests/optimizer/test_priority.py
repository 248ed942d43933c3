"""Strict order: a class is called only when those before it cannot keep the limits."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from gridctl.model.planning import PlanningResult, PlanningTask
from gridctl.model.policy import Policy
from optimizer.plan import plan_task
from tests.optimizer.rules import broken, series_of
from tests.optimizer.small import group, hourly_task

FIRST = group("first", priority=1, cost_per_kwh=3.0)
SECOND = group("second", priority=2, cost_per_kwh=0.1)


def planned(task: PlanningTask, *, strict: bool) -> PlanningResult:
    asked = replace(task, policy=Policy(strict_priority=strict))
    result = plan_task(asked, monotonic_s=time.monotonic)
    assert broken(asked, result) == []
    return result


def test_the_cheap_one_of_a_later_class_waits_while_the_first_is_enough() -> None:
    task = hourly_task([900, 1080, 900], FIRST, SECOND)
    assert "first" not in series_of(planned(task, strict=False))
    strict = series_of(planned(task, strict=True))
    assert strict["first"][1] == pytest.approx(80.0, abs=0.5)
    assert "second" not in strict


def test_it_is_called_when_the_first_is_not_enough_and_for_the_rest_only() -> None:
    task = hourly_task([900, 1150, 900], replace(FIRST, cost_per_kwh=0.5), SECOND)
    strict = series_of(planned(task, strict=True))
    assert strict["first"][1] == pytest.approx(100.0, abs=0.5)
    assert strict["second"][1] == pytest.approx(50.0, abs=0.5)


def test_who_is_no_resource_is_never_asked_however_short_it_gets() -> None:
    """Critical loads have no variable at all: there is nothing of them that a price could buy."""
    result = planned(hourly_task([900, 1500, 900], FIRST, limit_kw=500.0), strict=False)
    assert {s.resource for s in result.setpoints} == {"first"}
    fell_kw = [b - a for b, a in zip(result.head_before_kw, result.head_after_kw, strict=True)]
    assert max(fell_kw) <= FIRST.rating_kw + 1.0
    missed = {s.interval: s.amount for s in result.shortfalls if s.limit == "head import"}
    assert missed[1] == pytest.approx(900.0, abs=2.0)
