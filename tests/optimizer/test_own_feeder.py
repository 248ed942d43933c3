"""A plan on somebody's own feeder: imported with split-phase secondaries, and a made-up one."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from gridctl.model.network import Feeder
from gridctl.model.planning import SolveStatus
from optimizer.plan import plan_task
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
