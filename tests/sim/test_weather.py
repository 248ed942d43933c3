"""Weather and demand: the same seed, the same day; and a day looks like a day."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from sim.demand import COMMERCE, HOUSEHOLD, Demand, class_of
from sim.feeder import load_feeder
from sim.scenario import load_scenario
from sim.weather import DAY_S, Weather

_SCENARIO = load_scenario("hot-afternoon")
_MIDNIGHT_S = _SCENARIO.climate.day * DAY_S - _SCENARIO.utc_offset_s


def _hour(hour: float) -> float:
    return _MIDNIGHT_S + hour * 3600.0


def test_temperature_has_its_extremes_where_they_belong() -> None:
    weather = Weather(_SCENARIO.climate)
    hours = [weather.temperature_c(_hour(h / 4)) for h in range(96)]
    assert max(hours) == pytest.approx(36.0)
    assert hours.index(max(hours)) == 64
    assert 20 <= hours.index(min(hours)) <= 24
    steps = [abs(b - a) for a, b in itertools.pairwise(hours)]
    assert max(steps) < 1.0


def test_the_sun_rises_and_falls() -> None:
    weather = Weather(_SCENARIO.climate)
    assert weather.irradiance_w_m2(_hour(2.0)) == 0.0
    assert weather.pv_pu(_hour(2.0)) == {"S": 0.0, "SW": 0.0, "W": 0.0}
    assert weather.irradiance_w_m2(_hour(13.0)) > 850
    noon, late = weather.pv_pu(_hour(12.0)), weather.pv_pu(_hour(17.5))
    assert noon["S"] > noon["W"]
    assert late["W"] > late["S"]


def test_answers_do_not_depend_on_what_was_asked_before() -> None:
    one, other = Weather(_SCENARIO.climate), Weather(_SCENARIO.climate)
    other.prepare(_hour(-100.0), _hour(0.0))
    for hour in (30.0, 3.0, 17.3):
        assert one.temperature_c(_hour(hour)) == other.temperature_c(_hour(hour))
        assert one.pv_pu(_hour(hour)) == other.pv_pu(_hour(hour))
    changed = Weather(replace(_SCENARIO.climate, seed=1))
    assert changed.temperature_c(_hour(-100.0)) != one.temperature_c(_hour(-100.0))


def test_demand_follows_heat_and_weekday() -> None:
    feeder = load_feeder("ieee123")
    weather = Weather(_SCENARIO.climate)
    demand = Demand(feeder, weather, _SCENARIO.seed)
    cool = Demand(
        feeder,
        Weather(replace(_SCENARIO.climate, day_max_c=24.0, mean_max_c=24.0)),
        _SCENARIO.seed,
    )
    afternoon = _hour(17.0)
    assert demand.kw(afternoon).sum() > 1.4 * cool.kw(afternoon).sum()
    assert demand.kw(afternoon).sum() > 2.5 * demand.kw(_hour(4.0)).sum()
    # The scenario's day is a Wednesday; trade rests on the Sunday before, at the same heat.
    shop = next(c.mrid for c in feeder.consumers if class_of(c) is COMMERCE)
    house = next(c.mrid for c in feeder.consumers if class_of(c) is HOUSEHOLD)
    members = [i for i, c in enumerate(cool.consumers) if c == shop]
    assert cool.kw(_hour(10.0))[members].sum() > 1.2 * cool.kw(_hour(10.0 - 72))[members].sum()
    assert house in cool.consumers


def test_demand_is_the_same_again() -> None:
    feeder = load_feeder("ieee123")
    demands = [Demand(feeder, Weather(_SCENARIO.climate), 5) for _ in range(2)]
    first, second = (d.kw(_hour(15.0)) for d in demands)
    assert (first == second).all()
    assert (demands[0].kvar(first) > 0).all()
