"""Recorded weather and load instead of a story."""

from __future__ import annotations

from pathlib import Path

import pytest

import sim.scenario
from gridctl.model.errors import ConfigError
from sim.demand import Demand
from sim.scenario import load_scenario, scenario_feeder
from sim.series import read_series
from sim.weather import Weather

ROWS = """\
time,temperature_c,irradiance_w_m2,load_factor
2026-07-15T15:00:00,30.0,500,1.0
2026-07-15T16:00:00,20.0,100,1.5
2026-07-15T17:00:00,20.0,0,1.5
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "day.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_linear_between_rows_and_nothing_outside(tmp_path: Path) -> None:
    series = read_series(written(tmp_path, ROWS), utc_offset_s=-5 * 3600.0)
    three_s = series.times_s[0]
    assert series.at("temperature_c", three_s) == 30.0
    assert series.at("temperature_c", three_s + 1_800.0) == pytest.approx(25.0)
    assert series.at("load_factor", three_s + 7_200.0) == 1.5
    assert series.at("load_factor", three_s - 1.0) is None
    assert series.at("load_factor", three_s + 7_201.0) is None
    assert series.at("wind", three_s) is None


def test_a_scenario_follows_it(tmp_path: Path) -> None:
    written(tmp_path, ROWS)
    usual = load_scenario("feed-freezes")
    text = (Path(sim.scenario.__file__).parent / "scenarios" / "feed-freezes.toml").read_text()
    mine = tmp_path / "mine.toml"
    mine.write_text(text.replace("seed = 715", 'seed = 715\nseries = "day.csv"'))
    story = load_scenario(str(mine))
    at_s = story.start_s + 20 * 60.0  # four o'clock
    weather, other = Weather(story.climate, story.turn.series), Weather(usual.climate)
    assert weather.temperature_c(at_s) == pytest.approx(20.0)
    assert weather.irradiance_w_m2(at_s) == pytest.approx(100.0)
    assert weather.pv_pu(at_s)["S"] < 0.3 * other.pv_pu(at_s)["S"]
    assert story.turn.factor(at_s) == pytest.approx(1.5)
    assert story.turn.factor(at_s + 86_400.0) == 1.0
    assert weather.temperature_c(at_s + 86_400.0) == other.temperature_c(at_s + 86_400.0)
    feeder = scenario_feeder(story)
    cooler = Demand(feeder, weather, story.seed, story.turn).kw(at_s).sum()
    assert cooler < 0.95 * Demand(feeder, other, usual.seed, usual.turn).kw(at_s).sum()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (ROWS.replace("load_factor", "load_fact"), "load_fact is not known"),
        (ROWS.replace("time,", "when,"), "has no series"),
        (ROWS.replace("20.0,100", "warm,100"), r"day\.csv:3.*could not convert"),
        (ROWS.replace("20.0,100", "nan,100"), r"day\.csv:3.*not a number"),
        (ROWS.replace("T17", "T14"), r"day\.csv:4.*time does not go on"),
        (ROWS.replace("T16:00:00", "T16:00:00+02:00"), "local time has no zone"),
        ("time,load_factor\n2026-07-15T15:00:00,1\n", "fewer than two rows"),
    ],
)
def test_mistakes_name_their_line(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        read_series(written(tmp_path, text), utc_offset_s=0.0)
