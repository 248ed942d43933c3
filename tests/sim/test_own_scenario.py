"""The hot afternoon on somebody's own feeder: a whole instance comes out of it."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from gridctl.config_assets import load_feeder, load_resources
from gridctl.model.errors import ConfigError
from sim.feeder import load_feeder as bundled
from sim.feeder_import.folder import write_folder
from sim.feeder_import.opendss import import_opendss
from sim.history import history
from sim.instance import Ports, _policy_tables, create_instance
from sim.own_scenario import write_own_scenario
from sim.scenario import load_scenario, scenario_feeder
from tests.sim.feeder_import.agreement import CIRCUITS


def test_an_imported_feeder_becomes_an_instance(tmp_path: Path) -> None:
    imported = import_opendss(CIRCUITS / "split_phase.dss", "split")
    write_folder(tmp_path / "f", imported.feeder, about={}, ders=imported.ders)
    scenario = write_own_scenario(tmp_path / "pilot", str(tmp_path / "f"))
    create_instance(
        tmp_path / "pilot",
        scenario=str(scenario),
        rate=1.0,
        now_real_s=1_800_000_000.0,
        ports=Ports(web=1, sub=2, dr=3, der=4),
        history_days=1,
    )
    settings = tomllib.loads((tmp_path / "pilot" / "gridctl.toml").read_text())
    assert settings["site"]["name"] == "split pilot"
    feeder = load_feeder(tmp_path / "pilot" / "feeder.json")
    assert feeder == imported.feeder
    resources = load_resources(tmp_path / "pilot" / "resources.toml", feeder)
    assert {r.mrid for r in resources} >= {"LG01", "BESS01", "PV01"}
    points = (tmp_path / "pilot" / "points.csv").read_text().splitlines()
    assert any(row.startswith("V.n3.A,") for row in points)


def test_the_limit_lies_below_the_peak_of_the_day(tmp_path: Path) -> None:
    story = load_scenario(str(write_own_scenario(tmp_path, "ieee13")))
    feeder = scenario_feeder(story)
    table = history(feeder, story, end_s=story.start_s + 6 * 3600.0, days=1, step_s=900.0)
    assert 0.9 < story.head_limit_kw / max(table.head_kw) < 0.95


def test_the_story_begins_shortly_before_the_limit_is_passed(tmp_path: Path) -> None:
    """Somebody who starts the pilot shall see a plan with something to do, not an hour's wait."""
    story = load_scenario(str(write_own_scenario(tmp_path, "ieee13")))
    feeder = scenario_feeder(story)
    table = history(feeder, story, end_s=story.start_s + 3600.0, days=1, step_s=900.0)
    first = next(i for i, kw in enumerate(table.head_kw[-12:]) if kw > story.head_limit_kw)
    passed_s = table.start_s + (len(table.head_kw) - 12 + first) * table.step_s
    assert 0.0 < passed_s - story.start_s <= 900.0


def test_the_voltage_band_is_that_of_the_frequency(tmp_path: Path) -> None:
    imported = import_opendss(CIRCUITS / "four_wire.dss", "four")
    write_folder(tmp_path / "f", imported.feeder, about={}, ders=imported.ders)
    european = load_scenario(str(write_own_scenario(tmp_path / "pilot", str(tmp_path / "f"))))
    assert (european.voltage_min_pu, european.voltage_max_pu) == (0.9, 1.1)
    american = load_scenario(str(write_own_scenario(tmp_path / "other", "ieee13")))
    assert (american.voltage_min_pu, american.voltage_max_pu) == (0.95, 1.05)


def test_a_step_of_its_regulators_is_written_into_the_settings_of_a_foreign_feeder(
    tmp_path: Path,
) -> None:
    foreign = load_scenario("hot-afternoon")
    regulated = bundled("ieee123")
    plain = replace(regulated, regulators=())
    own = replace(foreign, feeder=str(tmp_path / "feeder.json"))
    text = "\n".join(_policy_tables(own, regulated))
    assert tomllib.loads(text) == {
        "policy": {"existing_worse_pu": 0.007, "existing_worse_pct": 1.5}
    }
    assert not list(_policy_tables(own, plain)), "nothing steps"
    assert not list(_policy_tables(foreign, regulated)), "the pilot keeps its limits as they are"


def test_an_unknown_feeder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no feeder 'nowhere'"):
        write_own_scenario(tmp_path, "nowhere")
