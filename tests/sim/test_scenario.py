"""Scenarios are read whole or refused."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

import sim.scenario
from gridctl.model.errors import ConfigError
from sim.demand import Demand, Wave
from sim.fault_kinds import Fault
from sim.fleet import load_fleet
from sim.scenario import Event, load_scenario, scenario_feeder, scenario_names
from sim.timeline import Timeline
from sim.weather import Weather


def test_hot_afternoon() -> None:
    scenario = load_scenario("hot-afternoon")
    assert "hot-afternoon" in scenario_names()
    # 15:40 at UTC-5.
    assert datetime.fromtimestamp(scenario.start_s, UTC) == datetime(
        2026, 7, 15, 20, 40, tzinfo=UTC
    )
    regulators = {r.mrid: r for r in scenario_feeder(scenario).regulators}
    assert regulators["REG4"].vreg_v == (121.5, 121.5, 121.5)
    assert regulators["REG1"].vreg_v == (120.0, 120.0, 120.0)
    banks = {c.mrid: c for c in scenario_feeder(scenario).capacitors}
    assert (banks["C83"].close_below_pu, banks["C83"].open_above_pu) == (0.985, 1.048)
    assert banks["C88"].open_above_pu is None


def test_unknown_is_refused() -> None:
    with pytest.raises(ConfigError, match="hot-afternoon"):
        load_scenario("cold-morning")
    scenario = replace(load_scenario("hot-afternoon"), regulator_vreg_v={"REG9": 120.0})
    with pytest.raises(ConfigError, match="REG9"):
        scenario_feeder(scenario)
    scenario = replace(load_scenario("hot-afternoon"), capacitor_band_pu={"C9": (0.98, 1.04)})
    with pytest.raises(ConfigError, match="no capacitor C9"):
        scenario_feeder(scenario)


@pytest.mark.parametrize("name", scenario_names())
def test_every_scenario_fits_its_feeder_and_can_be_judged(name: str) -> None:
    story = load_scenario(name)
    assert story.name == name
    feeder = scenario_feeder(story)
    fleet = load_fleet(feeder, story.fleet)
    assert story.exam is not None
    assert len(story.exam.good_operator) > 20
    devices = {r.mrid for r in fleet.resources()}
    regulators = {r.mrid for r in feeder.regulators}
    known = devices | regulators | {"SUB", "DR", "DER", ""}
    end_s = story.start_s + story.exam.hours * 3600.0
    for event in story.events:
        assert event.target in known
        assert story.start_s <= event.at_s < end_s, "the story is over before it happens"


GOOD = (Path(sim.scenario.__file__).parent / "scenarios" / "feed-freezes.toml").read_text("utf-8")


def mine(tmp_path: Path, text: str) -> str:
    path = tmp_path / "mine.toml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_a_scenario_of_the_users_own(tmp_path: Path) -> None:
    story = load_scenario(mine(tmp_path, GOOD.replace('name = "feed-freezes"', 'name = "mine"')))
    assert story.name == "mine"
    assert story.events == load_scenario("feed-freezes").events


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ("seed = 715", 'seed = 715\nseries = "absent.csv"', "absent.csv: cannot be read"),
        ("head_limit_kw =", "head_limt_kw =", r"head_limt_kw: is no key.*did you mean 'head_limit"),
        ("fault =", "fault_s =", r"event\[0\]\.fault_s.*did you mean 'fault'"),
        ('"frozen-feed"', '"frozen-fed"', "no fault 'frozen-fed'.*did you mean 'frozen-feed'"),
        ('"frozen-feed"', '"line-out"', "line-out needs a target"),
        ('"frozen-feed"', '"bad-quality"\ntarget = "X"\namount = 3', "takes no amount"),
        ('"frozen-feed"', '"frozen-feed"\ntarget = "DR"', "it takes no target"),
        ("seed = 715", 'seed = "x"', "seed: .*integer"),
        ("seed = 715\n", "", "seed: is missing"),
        ("[climate]", "[climate", "is not TOML"),
        ("lasts_min = 35", "lasts_min = -3", "greater than 0"),
        ("hours = 4.5", "hours = 500", "less than or equal to 48"),
    ],
)
def test_a_mistake_names_line_and_key(tmp_path: Path, before: str, after: str, words: str) -> None:
    assert before in GOOD
    with pytest.raises(ConfigError, match=words) as caught:
        load_scenario(mine(tmp_path, GOOD.replace(before, after)))
    if not any(part in words for part in ("TOML", "missing", "absent")):
        assert caught.value.line > 0


def test_a_cloud_front_a_cold_morning_and_a_holiday() -> None:
    front = load_scenario("cloud-front")
    weather = Weather(front.climate)
    noon_s = front.climate.day * 86_400.0 - front.utc_offset_s + 12.0 * 3600.0
    assert weather.clearness(noon_s + 2 * 3600.0) == pytest.approx(0.15)
    assert weather.clearness(noon_s) > 0.8
    assert weather.clearness(noon_s + 86_400.0 + 2 * 3600.0) > 0.3, "on its day only"
    cold = load_scenario("cold-snap")
    feeder = scenario_feeder(cold)
    at_s = cold.start_s + 2 * 3600.0
    with_heating = Demand(feeder, Weather(cold.climate), cold.seed, cold.turn).kw(at_s).sum()
    without = Demand(feeder, Weather(cold.climate), cold.seed).kw(at_s).sum()
    assert with_heating > 1.15 * without
    free = load_scenario("holiday")
    at_work = Demand(feeder, Weather(free.climate), free.seed).kw(free.start_s).sum()
    at_home = Demand(feeder, Weather(free.climate), free.seed, free.turn).kw(free.start_s).sum()
    assert at_home < 0.97 * at_work
    assert free.holidays == (date(2026, 7, 3),)
    assert cold.holidays == ()


def test_a_wave_has_soft_edges() -> None:
    wave = Wave(from_s=0.0, to_s=7_200.0, factor=1.4)
    values = [wave.at(t) for t in (-1_000.0, 0.0, 450.0, 3_600.0, 7_200.0, 9_000.0)]
    assert values == pytest.approx([1.0, 1.2, 1.4, 1.4, 1.2, 1.0])


def test_the_timeline_switches_each_turn_once() -> None:
    first = Event(at_s=10.0, until_s=20.0, fault=Fault.FROZEN_FEED, target="", amount=None)
    second = Event(at_s=20.0, until_s=None, fault=Fault.LOCAL, target="X", amount=None)
    timeline = Timeline([second, first])
    assert timeline.next_s == 10.0
    assert list(timeline.due(9.0)) == []
    assert list(timeline.due(15.0)) == [(first, True)]
    assert list(timeline.due(25.0)) == [(first, False), (second, True)]
    assert list(timeline.due(1e9)) == []
    assert timeline.next_s is None


def test_a_band_that_is_upside_down_is_refused_with_its_line(tmp_path: Path) -> None:
    text = (Path(sim.scenario.__file__).parent / "scenarios/hot-afternoon.toml").read_text()
    file = tmp_path / "own.toml"
    file.write_text(text.replace("voltage_min_pu = 0.95", "voltage_min_pu = 1.2"))
    with pytest.raises(ConfigError, match=r"1.05 is not above voltage_min_pu, 1.2") as caught:
        load_scenario(str(file))
    assert caught.value.key == "voltage_max_pu"
    assert caught.value.line > 0
