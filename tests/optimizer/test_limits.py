"""Limits that are broken already, bands inside the limits, ratings by temperature, margins."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest

from gridctl.model.planning import PlanningResult, PlanningTask
from gridctl.model.policy import DynamicRating, Existing, Policy
from optimizer.limits import Tiers, limit_bounds
from optimizer.plan import network_of, plan_task
from optimizer.problem import build_problem
from tests.optimizer.rules import broken
from tests.optimizer.small import BATTERY, PV, demand_event, group, hourly_task, two_nodes

WEAK = two_nodes(r_ohm=6.0, x_ohm=6.0)
"""1200 kW pull the far end below 0.95 pu."""


def planned(task: PlanningTask, **policy: object) -> PlanningResult:
    asked = replace(task, policy=Policy(**policy))  # type: ignore[arg-type]
    result = plan_task(asked, monotonic_s=time.monotonic)
    assert broken(asked, result) == []
    return result


def bounds(task: PlanningTask, **policy: object):  # type: ignore[no-untyped-def]
    asked = replace(task, policy=Policy(**policy))  # type: ignore[arg-type]
    network = network_of(asked)
    problem = build_problem(asked, network)
    return problem, limit_bounds(problem, network)


@pytest.mark.parametrize(
    ("policy", "allowed"),
    [(Existing.HARD, "limit"), (Existing.NOT_WORSE, "as it is"), (Existing.MAY_WORSEN, "any")],
)
def test_a_voltage_that_is_broken_now(policy: Existing, allowed: str) -> None:
    task = hourly_task([1200, 1200], BATTERY, feeder=WEAK, limit_kw=5000.0)
    problem, found = bounds(task, existing_voltage=policy)
    row = int(np.argmin(problem.base_flow.v_pu[:, 0]))
    assert problem.base_flow.v_pu[row, 0] < 0.95
    expected = {"limit": 0.95, "as it is": problem.base_flow.v_pu[row, 1], "any": -np.inf}[allowed]
    assert found.v_low_pu[row, 1] == pytest.approx(expected, abs=2e-4)


def test_a_step_of_a_tap_is_let_pass_where_a_limit_is_broken() -> None:
    task = hourly_task([1200, 600], BATTERY, feeder=WEAK, limit_kw=5000.0)
    problem, strict = bounds(task)
    _, found = bounds(task, existing_worse_pu=0.007)
    row = int(np.argmin(problem.base_flow.v_pu[:, 0]))
    assert strict.v_low_pu[row, 0] - found.v_low_pu[row, 0] == pytest.approx(0.007)
    assert found.further.voltage_pu[row, 0] == 0.007
    head = problem.base_flow.v_pu[:, 0].argmax()
    assert found.further.voltage_pu[head, 0] == 0.0, "it keeps its limits all the time"
    assert not strict.further.voltage_pu.any()


def test_a_loading_that_is_broken_now_may_be_let_be() -> None:
    task = hourly_task([1200, 1200], BATTERY, feeder=two_nodes(rating_a=50.0), limit_kw=5000.0)
    problem, hard = bounds(task)
    assert problem.base_flow.branch_loading_pct[0, 0] > 100.0
    assert hard.loading_pct[0, 1] == 100.0
    _, as_it_is = bounds(task, existing_loading=Existing.NOT_WORSE)
    assert as_it_is.loading_pct[0, 1] == pytest.approx(
        problem.base_flow.branch_loading_pct[0, 1], abs=0.01
    )


def test_voltage_support_keeps_a_band_inside_the_limits() -> None:
    task = hourly_task([600, 900, 600], group("G", rating_kw=400.0), feeder=WEAK, limit_kw=5000.0)
    assert planned(task).setpoints == ()
    supported = planned(task, voltage_band_pu=(0.97, 1.03))
    assert supported.verification is not None
    assert supported.verification.before.worst_voltage_pu < 0.968
    assert supported.verification.after.worst_voltage_pu >= 0.97 - 5e-4


def test_a_rating_that_follows_the_weather_relieves_the_branch_on_the_hot_hour_only() -> None:
    line = two_nodes(rating_a=48.0)
    task = hourly_task([1000, 1000, 1000], group("G"), feeder=line, limit_kw=5000.0)
    assert planned(task).setpoints == ()
    rating = DynamicRating(
        branch="line", reference_c=30.0, above_pct_per_k=1.5, below_pct_per_k=1.0
    )
    hot = planned(task, ratings=(rating,), temperature_c=(25.0, 34.0, 25.0))
    kw = [s.kw for s in hot.setpoints]
    assert kw[0] == kw[2] == 0.0
    assert kw[1] > 10.0
    assert hot.verification is not None
    assert hot.verification.ok


def test_voltage_rows_shrink_by_what_a_wrong_load_would_do() -> None:
    task = hourly_task([600, 900], PV, feeder=WEAK, limit_kw=5000.0)
    _, plain = bounds(task)
    _, careful = bounds(task, voltage_margin_sigma=2.0, load_sigma=0.05)
    live = np.isfinite(plain.v_low_pu)
    margin = careful.v_low_pu[live] - plain.v_low_pu[live]
    assert margin.min() >= 0.0
    assert 1e-3 < margin.max() < 0.02


def test_a_plan_with_margins_holds_when_the_load_is_more_than_forecast() -> None:
    task = hourly_task([600, 1000, 600], group("G", rating_kw=600.0), feeder=WEAK, limit_kw=5000.0)
    bare, careful = planned(task), planned(task, voltage_margin_sigma=2.0, load_sigma=0.05)
    assert careful.verification is not None
    lowest = careful.verification.after.worst_voltage_pu
    assert bare.verification is None or lowest > bare.verification.after.worst_voltage_pu + 1e-3


def test_an_emergency_that_is_missed_counts_as_much_as_the_limit_of_the_import() -> None:
    """The same event, of 200 kW where 100 are there: its price is that of the import's limit, and
    the plan says that it is one."""
    prices = {}
    for priority in (0, 1):
        event = replace(demand_event(200.0, 1, 2), priority=priority)
        task = hourly_task([900] * 4, group("G"), requests=(event,))
        result = plan_task(task, monotonic_s=time.monotonic)
        prices[priority] = next(b.price for b in result.bindings if b.limit == "contract target")
        told = any("Event R is an emergency" in f.text for f in result.findings)
        assert told == (priority == 0)
    tiers = Tiers()
    assert prices[0] / prices[1] == pytest.approx(tiers.import_kw / tiers.target_kw, rel=0.02)
