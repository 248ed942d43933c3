"""The reduced, lazy programme has the optimum of the same model with every voltage a variable."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.optimizer import pinned
from benchmarks.optimizer_cases import evening_task, fleet_of, grown
from benchmarks.optimizer_nlp import full_space, relaxed_plan, write_exact
from optimizer.network import NetworkModel
from tests.optimizer.pilot import pilot_task


@pytest.mark.parametrize("v_min_pu", [0.95, 0.988])
def test_same_optimum_as_in_full_space(v_min_pu: float) -> None:
    task = pinned(pilot_task(count=4, limit_kw=3050.0))
    task = replace(task, limits=replace(task.limits, voltage_min_pu=v_min_pu))
    ours = relaxed_plan(task, corrected=False)
    # With the tight limit voltage rows bind (and some cannot be kept: slacks are in both).
    assert bool(ours.programme.rows) == (v_min_pu > 0.95)
    objective, _, (rows, columns) = full_space(ours)
    assert objective == pytest.approx(ours.objective, rel=1e-6)
    assert objective > 0.0
    reduced = ours.programme.matrices().a.shape
    assert rows > 5 * reduced[0]
    assert columns > 5 * reduced[1]


def test_the_exact_problem_is_written_whole(tmp_path: Path) -> None:
    task = pinned(pilot_task(count=2, limit_kw=3050.0))
    ours = relaxed_plan(task, corrected=True)
    write_exact(ours, tmp_path / "exact.npz")
    found = np.load(tmp_path / "exact.npz")
    assert found["count"] == 2
    assert found["start_u"].shape == found["cost"].shape == found["lower"].shape
    assert np.isfinite(found["start_v"]).all()
    assert found["limit_kw"] == 3050.0


def test_a_grown_feeder_is_one_that_a_plan_can_be_made_for() -> None:
    feeder = grown(400)
    assert len(feeder.nodes) == 400
    assert grown(400) == feeder, "the same seed grows the same feeder"
    assert grown(400, seed=2) != feeder
    network = NetworkModel(feeder)
    assert network.energised.all()
    flow = network.solve(load_scale=np.array([1.0]))
    assert flow.converged
    task = evening_task(
        feeder,
        fleet_of(feeder, groups=4, batteries=4, pvs=4),
        count=4,
        peak_kw=9000.0,
        limit_kw=8000.0,
    )
    assert len(task.resources) == 12
    places = {(n.mrid, p) for n in feeder.nodes for p in n.phases}
    assert all((t.node, t.phase) in places for r in task.resources for t in r.terminals)
