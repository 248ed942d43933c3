"""A plan on somebody's own feeder: imported with split-phase secondaries, and a made-up one."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest

from gridctl.model.network import Feeder
from gridctl.model.planning import SolveStatus
from optimizer.plan import network_of, plan_task
from sim.feeder_import.folder import write_folder
from sim.feeder_import.opendss import import_opendss
from sim.own_scenario import write_own_scenario
from sim.synthetic import generate
from sim.synthetic_styles import Style
from tests.optimizer.pilot import pilot_task
from tests.sim.feeder_import.agreement import CIRCUITS


def split_phase() -> Feeder:
    return import_opendss(CIRCUITS / "split_phase.dss", "split").feeder


def all_delta() -> Feeder:
    return import_opendss(CIRCUITS / "all_delta.dss", "delta").feeder


def european() -> Feeder:
    return generate(nodes=120, style=Style.EUROPEAN_LV, seed=1)


def overloaded() -> Feeder:
    """Some dozen service transformers are beyond their rating on a hot afternoon."""
    return generate(nodes=600, style=Style.RURAL, seed=1)


@pytest.mark.parametrize(
    "make", [split_phase, all_delta, european, pytest.param(overloaded, marks=pytest.mark.soak)]
)
def test_a_plan_keeps_the_limit_and_passes_the_ac_check(tmp_path: Path, make: object) -> None:
    assert callable(make)
    write_folder(tmp_path / "f", make(), about={})
    story = str(write_own_scenario(tmp_path / "pilot", str(tmp_path / "f")))
    task = pilot_task(count=12, story=story)
    result = plan_task(task, monotonic_s=time.monotonic)
    assert result.status in (SolveStatus.OPTIMAL, SolveStatus.FEASIBLE), result.reason
    assert result.setpoints
    assert result.verification is not None
    assert result.verification.ok, result.verification.reasons


@pytest.mark.soak
def test_a_thousand_nodes_with_crowded_service_transformers_are_planned_in_time(
    tmp_path: Path,
) -> None:
    """Two dozen of them are beyond their rating at the peak, and what any group gives back goes
    through one of them: within the office's deadline, and within a third of it, too."""
    write_folder(tmp_path / "f", generate(nodes=1000, style=Style.RURAL, seed=7), about={})
    task = pilot_task(story=str(write_own_scenario(tmp_path / "pilot", str(tmp_path / "f"))))
    network = network_of(task)
    for deadline_s in (20.0, 7.0):
        asked = replace(task, deadline_s=deadline_s)
        result = plan_task(asked, monotonic_s=time.process_time, network=network)
        assert result.setpoints, result.reason
        assert result.verification is not None
        assert result.verification.ok, result.verification.reasons
        assert result.solve_s < deadline_s
