"""Scenarios are read whole or refused."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from gridctl.model.errors import ConfigError
from sim.scenario import load_scenario, scenario_feeder, scenario_names


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
