"""What nobody can mend is only watched; PV that mends nothing is no column on a large feeder; the
slopes of one hour serve another."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest

from gridctl.model.planning import PlanningTask
from optimizer import linear, sunlight
from optimizer.assemble import Programme
from optimizer.limits import Limit, Tiers, limit_bounds
from optimizer.plan import network_of, plan_task
from optimizer.problem import build_problem
from tests.optimizer.small import PV, group, hourly_task, two_nodes


def programme_of(task: PlanningTask) -> Programme:
    network = network_of(task)
    problem = build_problem(task, network)
    bounds = limit_bounds(problem, network)
    return Programme(problem, bounds=bounds, network=network, tiers=Tiers())


@pytest.mark.parametrize(("rating_kw", "rows"), [(400.0, 3), (5.0, 0)])
def test_a_voltage_that_nobody_can_mend_is_only_watched(rating_kw: float, rows: int) -> None:
    """At 13:00 all three phases are 0.03 pu too low; 5 kW are not five per cent of that."""
    own = replace(group("G"), rating_kw=rating_kw)
    weak = two_nodes(r_ohm=10.0, x_ohm=2.0)
    task = hourly_task([300, 1050, 300], own, feeder=weak, limit_kw=5000.0)
    programme = programme_of(task)
    worst = programme.problem.base_flow.v_pu.min()
    assert 0.90 < worst < 0.94
    programme.add_broken(programme.channels.nothing())
    low = [r for r in programme.rows if r.limit is Limit.VOLTAGE_LOW]
    assert len(low) == rows
    more = programme.channels.nothing()
    more[0, 1] = -100.0
    programme.add_broken(more)
    assert len([r for r in programme.rows if r.limit is Limit.VOLTAGE_LOW]) == 3


def test_voltages_that_answer_alike_share_a_row_on_a_large_feeder(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """All three phases sag by the same and rise by the same."""
    weak = two_nodes(r_ohm=10.0, x_ohm=2.0)
    task = hourly_task([300, 1050, 300], group("G"), feeder=weak, limit_kw=5000.0)
    monkeypatch.setattr(linear, "LARGE_FROM", 1)
    programme = programme_of(task)
    programme.add_broken(programme.channels.nothing())
    assert [r.limit for r in programme.rows] == [Limit.VOLTAGE_LOW]
    shed = programme.channels.nothing()
    programme.add_broken(shed)
    assert len(programme.rows) == 1


@pytest.mark.parametrize(("rating_a", "members"), [(400.0, ["G"]), (6.0, ["P", "G"])])
def test_pv_is_planned_with_on_a_large_feeder_where_it_can_mend_something(
    monkeypatch: pytest.MonkeyPatch, rating_a: float, members: list[str]
) -> None:
    """300 kW of sun and 100 kW of load: the line carries 200 kW back."""
    task = hourly_task(
        [1000, -200, 1000], PV, group("G"), feeder=two_nodes(rating_a=rating_a), limit_kw=900.0
    )
    assert len(programme_of(task).channels.members) == 2
    monkeypatch.setattr(sunlight, "LARGE_FROM", 1)
    found = programme_of(task)
    assert [task.resources[i].mrid for i in found.channels.members] == members


def test_currents_of_one_hour_tell_the_slopes_of_another() -> None:
    task = hourly_task([500, 1100, 700], group("G"), PV, feeder=two_nodes(rating_a=60.0))
    network = network_of(task)
    problem = build_problem(task, network)
    exact = [network.sensitivity(problem.base_flow, t, problem.columns) for t in range(3)]
    for t in range(3):
        found = network.loading_slope(problem.base_flow, t, exact[1].current_pct)
        assert found is not None
        assert found == pytest.approx(exact[t].dloading_pct_per_kw, rel=0.02, abs=1e-6)
    assert np.abs(exact[1].dloading_pct_per_kw).max() > 0.01


def test_a_plan_without_the_sun_is_the_plan_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    task = hourly_task([900, 1050, 900], PV, group("G"))
    usual = plan_task(task, monotonic_s=time.monotonic)
    monkeypatch.setattr(sunlight, "LARGE_FROM", 1)
    found = plan_task(task, monotonic_s=time.monotonic)
    assert found.setpoints == usual.setpoints
    assert found.verification is not None
    assert found.verification.ok
