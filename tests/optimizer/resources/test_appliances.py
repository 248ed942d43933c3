"""Air conditioning, water heaters, charging points: payback and comfort, worked out by hand."""

from __future__ import annotations

import math
import time
from dataclasses import replace

import numpy as np
import pytest

from gridctl.model.planning import SolveStatus
from gridctl.model.resource import EvCharging, Hvac, LoadGroup, WaterHeater
from optimizer.plan import plan_task
from optimizer.problem import with_appliance
from tests.optimizer.rules import broken, series_of
from tests.optimizer.small import HOUR_S, group, hourly_task

HVAC = Hvac(mass_kwh_per_k=150.0, resistance_k_per_kw=0.04, band_k=2.0, cop=3.0, recovery_h=2.0)
TANKS = WaterHeater(litres=8600.0, band_k=10.0, efficiency=1.0, heater_kw=200.0, standing_h=60.0)
CARS = EvCharging(slack_h=2.0)


def ruled(appliance: Hvac | WaterHeater | EvCharging, **changes: object) -> LoadGroup:
    made = with_appliance(group("G", appliance=appliance, **changes), HOUR_S)
    assert isinstance(made, LoadGroup)
    return made


def test_rooms_of_two_kelvin_and_their_walls() -> None:
    """150 kWh/K, 2 K, COP 3: 100 kWh; 150 x 0.04 = 6 h; a run of 4 h keeps (1 - e^(-4/6)) 6/4."""
    made = ruled(HVAC)
    assert made.comfort is not None
    assert (made.comfort.energy_kwh, made.comfort.fade_h) == (100.0, 6.0)
    assert len(made.rebound) == 2
    assert made.rebound[0] > made.rebound[1]
    assert sum(made.rebound) == pytest.approx((1.0 - math.exp(-4 / 6)) * 6 / 4)


def test_tanks_come_back_whole_and_faster_than_they_were_shed() -> None:
    """8,600 l by 10 K are 100 kWh. 4 h at 100 kW come back at 200 kW: within two hours."""
    made = ruled(TANKS)
    assert made.comfort is not None
    assert made.comfort.energy_kwh == pytest.approx(100.0, rel=1e-3)
    assert len(made.rebound) == 2
    assert sum(made.rebound) == pytest.approx(math.exp(-4 / 60))


def test_cars_wait_for_two_hours_and_get_all_of_it() -> None:
    made = ruled(CARS)
    assert made.comfort is not None
    assert (made.comfort.energy_kwh, made.comfort.fade_h) == (200.0, 0.0)
    assert made.rebound == (0.5, 0.5)


def test_what_is_written_by_hand_stands() -> None:
    made = ruled(CARS, rebound=(0.9,))
    assert made.rebound == (0.9,)


@pytest.mark.parametrize("appliance", [HVAC, TANKS, CARS], ids=["hvac", "tanks", "cars"])
def test_no_plan_puts_off_more_than_is_comfortable(
    appliance: Hvac | WaterHeater | EvCharging,
) -> None:
    """Five hours above the limit: the group sheds, and never beyond its comfort."""
    own = group("G", appliance=appliance)
    task = hourly_task([900, *[1090] * 5, 900, 900, 900, 900], own)
    result = plan_task(task, monotonic_s=time.monotonic)
    assert broken(task, result) == []
    assert result.status in (SolveStatus.OPTIMAL, SolveStatus.FEASIBLE)
    shed = np.array(series_of(result)["G"])
    assert shed.max() > 20.0
    made = ruled(appliance)
    assert made.comfort is not None
    keeps = math.exp(-1.0 / made.comfort.fade_h) if made.comfort.fade_h else 1.0
    put_off = 0.0
    for kw in shed:
        put_off = keeps * put_off + kw
        assert put_off <= made.comfort.energy_kwh + 0.5
    after = np.array(result.head_after_kw)[6:]
    assert after.max() > 905.0, "and it comes back"


def test_an_appliance_that_cannot_be_is_refused() -> None:
    task = hourly_task([900, 1150], group("G", appliance=replace(HVAC, cop=0.0)))
    result = plan_task(task, monotonic_s=time.monotonic)
    assert result.status is SolveStatus.FAILED
    assert "G: appliance.cop is 0.0" in result.reason
