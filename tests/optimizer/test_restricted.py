"""Windows of enrolments and opt-outs are hard: nothing moves in them, whatever it costs."""

from __future__ import annotations

import time

import pytest

from gridctl.model.enrolment import Window
from gridctl.model.resource import Resource
from optimizer.plan import plan_task
from tests.optimizer.rules import broken
from tests.optimizer.small import (
    BATTERY,
    HOUR_S,
    PV,
    START_S,
    at_rest,
    demand_event,
    group,
    hourly_task,
)


def series(resource: Resource, first: float, last: float, head_kw: list[float]) -> list[float]:
    window = Window(start_s=START_S + first * HOUR_S, end_s=START_S + last * HOUR_S, reason="out")
    task = hourly_task(
        head_kw,
        resource,
        states=(at_rest(resource, blocked=(window,)),),
        requests=(demand_event(50.0, 0, len(head_kw) - 1),),
    )
    result = plan_task(task, monotonic_s=time.monotonic)
    assert broken(task, result) == []
    kw = [0.0] * len(head_kw)
    for s in result.setpoints:
        kw[s.interval] = s.effect_kw
    return kw


@pytest.mark.parametrize("resource", [group("a", recovery_s=0.0), BATTERY])
def test_nothing_moves_in_a_window(resource: Resource) -> None:
    kw = series(resource, 1, 2, [900, 900, 900, 900])
    assert kw[1] == pytest.approx(0.0, abs=1e-6)
    assert any(value > 1.0 for value in kw)


def test_a_window_that_touches_an_interval_takes_all_of_it() -> None:
    kw = series(group("a", recovery_s=0.0), 1.5, 2.1, [900, 900, 900, 900])
    assert kw[1] == kw[2] == pytest.approx(0.0, abs=1e-6)
    assert kw[0] > 1.0


def test_a_group_whose_runs_do_not_fit_before_the_window_waits_for_its_end() -> None:
    kw = series(group("a", duration_min_s=2 * HOUR_S, recovery_s=0.0), 1, 2, [900] * 5)
    assert kw[:2] == pytest.approx([0.0, 0.0], abs=1e-6)
    assert all(value > 1.0 for value in kw[2:4])


def test_a_run_that_is_on_ends_before_the_window() -> None:
    one = group("a")
    window = Window(start_s=START_S + HOUR_S, end_s=START_S + 2 * HOUR_S, reason="out")
    state = at_rest(
        one, setpoint_kw=50.0, active_since_s=START_S - HOUR_S, starts_today=1, blocked=(window,)
    )
    task = hourly_task([900] * 3, one, states=(state,), requests=(demand_event(50.0, 0, 1),))
    result = plan_task(task, monotonic_s=time.monotonic)
    kw = {s.interval: s.kw for s in result.setpoints}
    assert kw[0] == pytest.approx(50.0, abs=1.0)
    assert kw[1] == 0.0


def test_pv_is_not_curtailed_in_a_window() -> None:
    window = Window(start_s=START_S, end_s=START_S + HOUR_S, reason="out")
    task = hourly_task([-500.0, -500.0], PV, states=(at_rest(PV, blocked=(window,)),))
    result = plan_task(task, monotonic_s=time.monotonic)
    assert all(s.kw == PV.rating_kw for s in result.setpoints if s.interval == 0)
