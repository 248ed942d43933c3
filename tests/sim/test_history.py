"""History is the same world, only faster."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from gridctl.model.clock import ManualClock
from sim.fleet import load_fleet
from sim.history import history, write_history
from sim.scenario import load_scenario, scenario_feeder
from sim.world import World

_SCENARIO = load_scenario("hot-afternoon")


def test_agrees_with_the_world() -> None:
    feeder = scenario_feeder(_SCENARIO)
    end_s = _SCENARIO.start_s
    table = history(feeder, _SCENARIO, end_s=end_s, days=1, step_s=900.0)
    assert len(table.head_kw) == len(table.temperature_c) == 96
    assert table.start_s + 96 * table.step_s == end_s // 900 * 900
    assert table == history(feeder, _SCENARIO, end_s=end_s, days=1, step_s=900.0)
    for interval in (10, 60, 90):
        middle_s = table.start_s + (interval + 0.5) * table.step_s
        world = World(
            feeder=feeder,
            fleet=load_fleet(feeder),
            scenario=_SCENARIO,
            clock=ManualClock(grid_s=middle_s),
            links={},
        )
        assert world.read("FDR.TotW").value == pytest.approx(table.head_kw[interval], rel=0.005)
        assert world.read("WX.TmpC").value == pytest.approx(table.temperature_c[interval])


def test_is_written_as_it_is(tmp_path: Path) -> None:
    feeder = scenario_feeder(_SCENARIO)
    table = history(feeder, _SCENARIO, end_s=_SCENARIO.start_s, days=1, step_s=3600.0)
    write_history(table, tmp_path / "history.csv")
    with (tmp_path / "history.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [float(r["t_s"]) for r in rows] == [table.start_s + i * 3600.0 for i in range(24)]
    assert float(rows[7]["head_kw"]) == pytest.approx(table.head_kw[7], abs=1e-3)
    with pytest.raises(FileExistsError):
        write_history(table, tmp_path / "history.csv")


def test_what_is_not_solved_on_a_large_feeder_is_as_good_as_solved() -> None:
    feeder, story = scenario_feeder(_SCENARIO), _SCENARIO
    end_s = story.start_s
    whole, quick = (
        history(feeder, story, end_s=end_s, days=1, step_s=900.0, solved_each=each)
        for each in (1, 4)
    )
    off = [abs(a - b) / a for a, b in zip(whole.head_kw, quick.head_kw, strict=True)]
    assert 0.0 < max(off) < 0.01
    assert quick.temperature_c == whole.temperature_c
