"""Voltage unbalance: the figure by hand, its slope by difference, and a plan that keeps it."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest

from gridctl.model.planning import PlanningResult, PlanningTask, SolveStatus
from gridctl.model.policy import Policy
from gridctl.model.resource import Terminal
from optimizer.arrays import ComplexArray
from optimizer.plan import network_of, plan_task
from optimizer.problem import build_problem
from optimizer.unbalance import Unbalance, unbalance_of
from tests.optimizer.rules import broken
from tests.optimizer.small import BATTERY, group, hourly_task, two_nodes
from tests.optimizer.tasks import ieee123_task

LEANING = replace(
    two_nodes(r_ohm=4.0, x_ohm=4.0),
    consumers=(
        replace(two_nodes().consumers[0], kw=(700.0, 250.0, 250.0), kvar=(100.0, 100.0, 100.0)),
    ),
)
ON_A = (Terminal(node="load", phase="A", share=1.0),)


def three(a: complex, b: complex, c: complex) -> ComplexArray:
    return np.array([[a], [b], [c]], dtype=np.complex128)


WATCH = Unbalance(names=("unbalance n",), at=np.array([[0, 1, 2]]), limit_pct=2.0)
TURN = complex(-0.5, np.sqrt(3.0) / 2.0)


def test_the_figure_is_negative_over_positive_sequence() -> None:
    even = three(1.0, TURN**2, TURN)
    assert WATCH.of_limit_pct(even)[0, 0] == pytest.approx(0.0, abs=1e-9)
    # One per cent of negative sequence, half of a limit of two per cent; zero sequence is none.
    leaning: ComplexArray = even + 0.01 * three(1.0, TURN, TURN**2) + 0.05
    assert WATCH.of_limit_pct(leaning)[0, 0] == pytest.approx(50.0)


def test_its_slope_is_that_of_the_ac_power_flow() -> None:
    task = hourly_task([900, 900], replace(BATTERY, terminals=ON_A), feeder=LEANING)
    plain = network_of(task)
    network = plain.seen(
        offset_pu=None, unbalance=unbalance_of(plain.node_phases, plain.judged, 2.0)
    )
    problem = build_problem(task, network)
    row = network.branch_names.index("unbalance load")
    slope = network.sensitivity(problem.base_flow, 0, problem.columns).dloading_pct_per_kw[row, 0]
    step = problem.flow(problem.case(np.full((1, 2), 1.0)), network)
    moved = (step.branch_loading_pct - problem.base_flow.branch_loading_pct)[row, 0]
    assert slope < 0.0
    assert moved == pytest.approx(slope, rel=0.02)


def planned(task: PlanningTask) -> PlanningResult:
    result = plan_task(task, monotonic_s=time.monotonic)
    assert broken(task, result) == []
    return result


def with_limit(task: PlanningTask, most_pct: float) -> PlanningTask:
    return replace(task, policy=Policy(unbalance_max_pct=most_pct))


def unbalance_after(task: PlanningTask, result: PlanningResult, most_pct: float) -> np.ndarray:
    plain = network_of(task)
    network = plain.seen(
        offset_pu=None, unbalance=unbalance_of(plain.node_phases, plain.judged, most_pct)
    )
    problem = build_problem(task, network)
    flow = problem.flow(problem.case_with(result.setpoints), network)
    row = network.branch_names.index("unbalance load")
    return np.vstack([problem.base_flow.branch_loading_pct[row], flow.branch_loading_pct[row]])


def test_a_plan_keeps_the_limit_and_nothing_is_asked_without_one() -> None:
    strong = replace(BATTERY, rating_kw=300.0, energy_kwh=3000.0, terminals=ON_A)
    task = hourly_task([1100, 1100, 1100], strong, feeder=LEANING, limit_kw=2000.0)
    task = replace(task, limits=replace(task.limits, voltage_min_pu=0.9))
    assert planned(task).status is SolveStatus.NOT_NEEDED
    limit = 0.8
    before = unbalance_after(task, planned(task), limit)[0]
    assert before.min() > 101.0, "the case asks for it"
    result = planned(with_limit(task, limit))
    assert result.verification is not None
    assert result.verification.ok, result.verification.reasons
    after = unbalance_after(task, result, limit)[1]
    assert after.max() <= 100.15
    assert after.max() == pytest.approx(100.0, abs=1.0), "no more than asked"
    said = [f.text for f in result.findings]
    assert any("voltage unbalance at load" in text for text in said), said


def test_a_limit_that_nobody_can_keep_is_a_shortfall_in_words() -> None:
    weak = group("G", terminals=ON_A, rating_kw=20.0)
    task = hourly_task([1100, 1100], weak, feeder=LEANING, limit_kw=2000.0)
    task = replace(task, limits=replace(task.limits, voltage_min_pu=0.9))
    result = planned(with_limit(task, 0.5))
    missed = [s for s in result.shortfalls if s.limit.startswith("voltage unbalance")]
    assert missed
    assert missed[0].where == "load"
    assert missed[0].unit == "% of the limit"


def test_on_ieee_123_the_head_and_the_unbalance_are_kept_together() -> None:
    task = ieee123_task(count=8)
    result = planned(replace(task, policy=Policy(unbalance_max_pct=3.0)))
    assert result.verification is not None
    assert result.verification.ok, result.verification.reasons
    assert max(result.head_after_kw) <= 3200.0 * 1.002


def test_a_limit_of_nothing_is_refused() -> None:
    result = plan_task(with_limit(hourly_task([900], group("G")), 0.0), monotonic_s=time.monotonic)
    assert result.status is SolveStatus.FAILED
    assert "unbalance_max_pct" in result.reason
