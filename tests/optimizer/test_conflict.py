"""The irreducible conflict set behind a shortfall: against the rules alone, or against limits."""

from __future__ import annotations

import math
import time
from dataclasses import replace

from gridctl.model.planning import FindingKind, PlanningResult, PlanningTask, Shortfall
from gridctl.model.policy import Policy
from gridctl.model.resource import LoadGroup
from optimizer.assemble import Programme
from optimizer.conflict import conflict_of
from optimizer.limits import Limit, Tiers, limit_bounds
from optimizer.plan import network_of, plan_task
from optimizer.problem import build_problem
from optimizer.session import Answer, LpSession, Matrices
from optimizer.solve import Effort
from tests.optimizer.small import BATTERY, demand_event, group, hourly_task, two_nodes


def texts(task: PlanningTask) -> list[str]:
    result: PlanningResult = plan_task(task, monotonic_s=time.monotonic)
    assert result.shortfalls
    return [f.text for f in result.findings if f.kind is FindingKind.CONFLICT]


def test_too_little_is_a_conflict_with_the_rules_alone() -> None:
    (found,) = [
        t for t in texts(hourly_task([900, 1300, 900], group("G"))) if "cannot be kept" in t
    ]
    assert found == (
        "At 13:00: the limit of the import (head) cannot be kept whatever the resources do within"
        " their rules, also if every other limit were given up."
    )


def test_a_target_and_a_voltage_that_cannot_both_be_kept_are_both_named() -> None:
    """The event wants the battery out, and its kW lift a voltage that is at its limit."""
    weak = two_nodes(r_ohm=8.0, x_ohm=2.0)
    weak = replace(weak, source=replace(weak.source, voltage_pu=1.049))
    big = replace(BATTERY, rating_kw=900.0, energy_kwh=4000.0)
    task = hourly_task(
        [60, 60, 60], big, feeder=weak, limit_kw=5000.0, requests=(demand_event(500, 1, 1),)
    )
    (found,) = [t for t in texts(task) if "together" in t]
    assert "the target of Event R" in found
    assert "the upper voltage limit at load." in found
    assert "without any one of them the rest can" in found


def test_whole_runs_and_what_comes_back_are_said_when_no_limit_is_in_the_way() -> None:
    back: LoadGroup = group("G", rebound=(1.0,), duration_max_s=3600.0)
    found = texts(hourly_task([900, 1050, 995, 900], back))
    assert any("something comes back" in t for t in found)


def test_what_cannot_be_kept_anyway_is_no_part_of_the_conflict() -> None:
    """A band that the source itself breaks: the import's limit is in conflict with the rules alone,
    and its figure is a number."""
    high = replace(two_nodes(), source=replace(two_nodes().source, voltage_pu=1.04))
    task = replace(
        hourly_task([900, 1300, 900], group("G"), feeder=high),
        policy=Policy(voltage_band_pu=(0.97, 1.0)),
    )
    result = plan_task(task, monotonic_s=time.monotonic)
    told = [f for f in result.findings if f.kind is FindingKind.CONFLICT]
    assert all(f.amount is not None and math.isfinite(f.amount) for f in told)
    assert not any("together" in f.text for f in told), [f.text for f in told]
    assert any("cannot be kept whatever" in f.text for f in told)


def test_its_questions_leave_the_plans_session_alone() -> None:
    """From a plan's last basis they take a hundred times as long as from nothing, or no end."""
    task = hourly_task([900, 1300, 900], group("G"))
    network = network_of(task)
    problem = build_problem(task, network)
    programme = Programme(
        problem, bounds=limit_bounds(problem, network), network=network, tiers=Tiers()
    )
    effort = Effort(left_s=lambda: 60.0, session=_Untouchable())
    missed = Shortfall(limit=Limit.IMPORT.value, where="head", interval=1, amount=200.0, unit="kW")
    found = conflict_of(programme, network, missed, effort)
    assert found is not None
    assert found.others == ()


class _Untouchable(LpSession):
    def solve(
        self, m: Matrices, *, left_s: float, presolve: bool = False, below: float = math.inf
    ) -> Answer:
        raise AssertionError("the plan's session is asked")
