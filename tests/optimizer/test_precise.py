"""The precise mode: on the AC model never worse than the usual plan, and at an optimum that can be
worked out by hand."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest

from gridctl.model.planning import PlanningResult, PlanningTask, SolveStatus
from gridctl.model.policy import Policy
from optimizer.assemble import Programme
from optimizer.limits import Tiers, limit_bounds
from optimizer.linear import Offsets
from optimizer.network import FlowResult
from optimizer.plan import network_of, plan_task
from optimizer.precise import objective_at, refined
from optimizer.problem import build_problem
from optimizer.solve import Effort, first_plan
from tests.optimizer.pilot import pilot_task
from tests.optimizer.rules import broken, series_of
from tests.optimizer.small import BATTERY, hourly_task, two_nodes

LOSSY = two_nodes(r_ohm=4.0, x_ohm=1.0)
BIG = replace(
    BATTERY, rating_kw=400.0, energy_kwh=2000.0, efficiency=1.0, cost_per_kwh=0.001,
)  # fmt: skip


def planned(task: PlanningTask, **policy: object) -> PlanningResult:
    asked = replace(task, policy=Policy(**policy))  # type: ignore[arg-type]
    result = plan_task(asked, monotonic_s=time.monotonic)
    assert broken(asked, result) == []
    return result


def test_least_losses_level_the_load() -> None:
    """Losses go with the square of the load, so a battery without losses of its own levels it: an
    optimum inside, which no linear model with one slope finds."""
    task = hourly_task([500, 900, 500, 900], BIG, feeder=LOSSY, limit_kw=5000.0)
    result = planned(task, loss_price_per_kwh=1000.0)
    assert result.status in (SolveStatus.OPTIMAL, SolveStatus.FEASIBLE)
    series = np.array(series_of(result)["B"])
    after = np.array(result.head_after_kw)
    assert series.sum() == pytest.approx(0.0, abs=1.0)
    assert after.max() - after.min() < 12.0
    assert result.verification is not None
    assert result.verification.after.losses_kw < result.verification.before.losses_kw


def test_every_step_is_judged_by_the_ac_model() -> None:
    task = pilot_task(count=12, limit_kw=3150.0)
    network = network_of(task)
    problem = build_problem(task, network)
    programme = Programme(
        problem, bounds=limit_bounds(problem, network), network=network, tiers=Tiers()
    )
    effort = Effort(left_s=lambda: 600.0)
    solution, _ = first_plan(programme, effort)
    injection = np.zeros((len(task.resources), problem.grid.count))
    injection[programme.channels.members] = programme.injection_kw(solution.x)
    flow = problem.flow(problem.case(injection), network)
    before = objective_at(programme, solution.x, seen(flow), flow.losses_kw)
    best = refined(programme, network, effort, solution, flow)
    assert best.objective <= before
    assert best.objective == pytest.approx(
        objective_at(programme, best.solution.x, seen(best.flow), best.flow.losses_kw)
    )
    # What it says of the import is what the AC model says: no offset is left.
    over_kw = np.maximum(best.flow.head_kw - programme.bounds.import_kw, 0.0)
    assert over_kw.max() < 0.05


def seen(flow: FlowResult) -> Offsets:
    return Offsets(v_pu=flow.v_pu, head_kw=flow.head_kw, loading_pct=flow.branch_loading_pct)


def test_a_precise_plan_costs_no_more_and_is_verified() -> None:
    task = pilot_task(count=12, limit_kw=3150.0)
    usual, precise = planned(task), planned(task, precise=True)
    assert precise.verification is not None
    assert precise.verification.ok
    assert precise.cost <= usual.cost * 1.001
    assert precise.rounds > usual.rounds
    assert max(precise.head_after_kw) <= 3150.0 + 0.1
