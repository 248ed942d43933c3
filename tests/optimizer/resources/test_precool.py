"""Cooling ahead of a call: when it pays, what it may do, and that energy is paid back both ways."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest

from gridctl.model.planning import FindingKind, PlanningResult, PlanningTask, SolveStatus
from gridctl.model.resource import Comfort, Hvac, Precool
from optimizer.plan import plan_task
from optimizer.problem import injection_kw, with_appliance
from optimizer.timegrid import time_grid
from tests.optimizer.rules import broken, series_of
from tests.optimizer.small import HOUR_S, START_S, at_rest, group, hourly_task

AHEAD = Precool(rating_kw=40.0, energy_kwh=60.0, ahead_s=2 * HOUR_S, fade_h=0.0)
COMFORT = Comfort(energy_kwh=100.0, fade_h=0.0)


def planned(task: PlanningTask) -> PlanningResult:
    result = plan_task(task, monotonic_s=time.monotonic)
    assert broken(task, result) == []
    assert result.verification is not None
    assert result.verification.ok, result.verification.reasons
    return result


def series(result: PlanningResult) -> list[float]:
    return series_of(result).get("G", [0.0] * result.horizon.count)


def test_rooms_that_were_cooled_ahead_do_without_for_longer() -> None:
    """Two hours of 80 kW are 160 kWh, comfort is 100: 60 are drawn ahead, in two hours of 30."""
    own = group("G", comfort=COMFORT, level_min=0.1)
    task = hourly_task([900, 900, 900, 1080, 1080, 900], own)
    without = series(planned(task))
    assert sum(without) == pytest.approx(100.0, abs=0.5)
    result = planned(replace(task, resources=(replace(own, precool=AHEAD),)))
    kw = series(result)
    assert kw[0] == 0.0, "three hours before the call is too early"
    assert sum(kw[1:3]) == pytest.approx(-60.0, abs=0.5)
    assert kw[3:5] == pytest.approx([80.0, 80.0], abs=0.5)
    assert result.head_after_kw[1] + result.head_after_kw[2] == pytest.approx(1860.0, abs=1.0)
    assert result.shortfalls == ()


def test_nothing_is_drawn_ahead_where_comfort_is_enough() -> None:
    own = group("G", comfort=COMFORT, precool=AHEAD, level_min=0.1)
    kw = series(planned(hourly_task([900, 900, 900, 1080, 900, 900], own)))
    assert min(kw) == 0.0


def test_it_does_not_take_the_import_over_its_limit_itself() -> None:
    """20 kW of room an hour ahead of the call: 40 kWh are drawn, not 60."""
    own = group("G", comfort=COMFORT, precool=AHEAD, level_min=0.1)
    result = planned(hourly_task([900, 980, 980, 1080, 1080, 900], own))
    assert max(result.head_after_kw[:3]) <= 1000.5
    assert sum(series(result)[1:3]) == pytest.approx(-40.0, abs=1.0)


def test_what_was_drawn_ahead_does_not_come_back_afterwards() -> None:
    """30 kWh ahead of 80 that are shed: half of what is left comes back in the hour after."""
    own = group("G", rebound=(0.5,), precool=AHEAD)
    task = hourly_task([900] * 5, own)
    grid = time_grid(task.horizon, now_s=task.now_s, utc_offset_s=0.0)
    found = injection_kw(own, at_rest(own), grid, np.array([0.0, -30.0, 80.0, 0.0, 0.0]))
    assert found == pytest.approx([0.0, -30.0, 80.0, -25.0, 0.0])
    fading = replace(own, precool=replace(AHEAD, fade_h=1.0))
    found = injection_kw(fading, at_rest(own), grid, np.array([-30.0, 0.0, 80.0, 0.0, 0.0]))
    assert found[3] == pytest.approx(-0.5 * (80.0 - 30.0 * np.exp(-1.0)))


def test_it_is_also_drawn_ahead_to_keep_what_comes_back_small() -> None:
    """After the call there is room for 30 kW; 80 would come back without."""
    own = group("G", rebound=(1.0,), precool=AHEAD, duration_max_s=HOUR_S)
    result = planned(hourly_task([900, 900, 1080, 970, 900], own))
    kw = series(result)
    assert sum(kw[:2]) == pytest.approx(-50.0, abs=1.0)
    assert result.head_after_kw[3] <= 1000.5


def test_a_plan_made_again_while_it_is_cooled_forgets_nothing() -> None:
    """60 kWh stand drawn already: no more are, and the call is as long as planned."""
    own = group("G", comfort=COMFORT, precool=AHEAD, level_min=0.1)
    state = at_rest(own, setpoint_kw=-30.0, precooled=((START_S - 2 * HOUR_S, START_S, 30.0),))
    kw = series(planned(hourly_task([1080, 1080, 900, 900], own, states=[state])))
    assert kw == pytest.approx([80.0, 80.0, 0.0, 0.0], abs=0.5)
    on = replace(state, setpoint_kw=80.0, active_since_s=START_S - HOUR_S, starts_today=1)
    on = replace(on, precooled=((START_S - 3 * HOUR_S, START_S - HOUR_S, 30.0),))
    kw = series(planned(hourly_task([1080, 900, 900, 900], own, states=[on])))
    assert kw == pytest.approx([80.0, 0.0, 0.0, 0.0], abs=0.5)


def test_where_the_field_does_not_allow_it_it_is_not_planned() -> None:
    own = group("G", comfort=COMFORT, precool=AHEAD, level_min=0.1)
    state = at_rest(own, precool_kw=0.0)
    kw = series(planned(hourly_task([900, 900, 1080, 1080, 900], own, states=[state])))
    assert min(kw) == 0.0


def test_the_plan_says_so() -> None:
    own = group("G", comfort=COMFORT, precool=AHEAD, level_min=0.1)
    result = planned(hourly_task([900, 900, 900, 1080, 1080, 900], own))
    told = [f.text for f in result.findings if f.kind is FindingKind.REASON]
    assert any("G: cooled ahead" in text and "60 kWh" in text for text in told), told


def test_an_air_conditioner_says_how_far_ahead() -> None:
    """150 kWh/K x 1 K / COP 3 = 50 kWh; walls of 6 h."""
    own = Hvac(mass_kwh_per_k=150.0, resistance_k_per_kw=0.04, band_k=2.0, cop=3.0, recovery_h=2.0)
    made = with_appliance(group("G", appliance=own), HOUR_S)
    assert getattr(made, "precool", None) is None, "nothing moves power by default"
    ahead = replace(own, ahead_k=1.0, ahead_kw=25.0, ahead_h=2.0)
    made = with_appliance(group("G", appliance=ahead), HOUR_S)
    expected = Precool(rating_kw=25.0, energy_kwh=50.0, ahead_s=7200.0, fade_h=6.0)
    assert getattr(made, "precool", None) == expected


def test_figures_that_cannot_be_are_refused() -> None:
    task = hourly_task([900, 1150], group("G", precool=replace(AHEAD, energy_kwh=float("nan"))))
    result = plan_task(task, monotonic_s=time.monotonic)
    assert result.status is SolveStatus.FAILED
    assert "G: precool.energy_kwh is nan" in result.reason
