"""What a contract says of a load group, one rule a test, worked out by hand."""

from __future__ import annotations

import time
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from gridctl.model.planning import PlanningResult, PlanningTask
from gridctl.model.resource import Comfort, LoadGroup, Pickup
from optimizer.plan import plan_task
from optimizer.problem import injection_kw
from optimizer.timegrid import time_grid
from tests.optimizer.rules import broken, series_of
from tests.optimizer.small import (
    HOUR_S,
    START_S,
    at_rest,
    demand_event,
    group,
    hourly_task,
    two_nodes,
)

PEAK = [900, 1080, 1080, 1080, 900]


def planned(task: PlanningTask) -> PlanningResult:
    result = plan_task(task, monotonic_s=time.monotonic)
    assert broken(task, result) == []
    return result


def shed(result: PlanningResult, mrid: str = "G") -> list[float]:
    return series_of(result).get(mrid, [0.0] * result.horizon.count)


def test_hours_of_the_day_that_are_used_up_are_not_there_for_a_plan() -> None:
    limited = group("G", hours_per_day_max=3.0)
    state = at_rest(limited, hours_today=1.0)
    series = shed(planned(hourly_task(PEAK, limited, states=[state])))
    assert sum(kw > 0 for kw in series) == 2
    used_up = at_rest(limited, hours_today=3.0)
    assert shed(planned(hourly_task(PEAK, limited, states=[used_up]))) == [0.0] * 5


def test_the_season_has_its_hours_too() -> None:
    limited = group("G", hours_per_season_max=60.0)
    state = at_rest(limited, hours_season=59.0)
    series = shed(planned(hourly_task(PEAK, limited, states=[state])))
    assert sum(kw > 0 for kw in series) == 1


def test_a_call_that_is_worth_more_later_is_kept() -> None:
    cheap, dear = group("G", call_value=500.0), group("H", cost_per_kwh=0.4)
    result = planned(hourly_task([900, 1050, 900], cheap, dear))
    assert "G" not in series_of(result), "0.3 a kWh, but the call is worth 500"
    assert shed(result, "H")[1] == pytest.approx(50.0, abs=0.5)


def test_a_call_that_was_announced_is_kept_even_where_no_limit_asks_for_it() -> None:
    state = at_rest(group("G"), announced=((START_S + HOUR_S, START_S + 3 * HOUR_S),))
    task = hourly_task([900, 900, 900, 1080, 900], group("G"), states=[state])
    series = shed(planned(task))
    assert series[1] > 0.0
    assert series[2] > 0.0
    assert series[4] == 0.0


def test_an_announced_call_does_not_break_what_protects_the_customer() -> None:
    short = group("G", duration_max_s=2 * HOUR_S)
    told = ((START_S, START_S + 5 * HOUR_S),)
    series = shed(planned(hourly_task(PEAK, short, states=[at_rest(short, announced=told)])))
    assert 0 < sum(kw > 0 for kw in series) <= 4


def test_a_group_that_knows_stages_stands_at_one_of_them() -> None:
    staged = group("G", stages=(0.25, 0.5, 1.0))
    series = shed(planned(hourly_task([900, 1040, 1010, 900], staged)))
    assert series == pytest.approx([0.0, 50.0, 25.0, 0.0], abs=0.01)


def test_a_ramp_lets_it_follow_slowly_and_a_plan_begin_early() -> None:
    slow = group("G", ramp_kw_per_min=0.5, level_min=0.1)
    series = shed(planned(hourly_task([990, 990, 1070, 990], slow)))
    # 30 kW an hour: 70 kW are there in the third.
    assert series[0] >= 10.0 - 0.1
    assert series[1] >= 40.0 - 0.1
    assert series[2] == pytest.approx(70.0, abs=0.5)
    assert all(abs(b - a) <= 30.1 for a, b in pairwise(series))


def test_one_that_is_high_is_not_let_go_faster_than_its_ramp() -> None:
    slow = group("G", ramp_kw_per_min=0.5, level_min=0.1)
    state = at_rest(slow, setpoint_kw=90.0, active_since_s=START_S - 2 * HOUR_S, starts_today=1)
    series = shed(planned(hourly_task([900] * 5, slow, states=[state])))
    assert series == pytest.approx([60.0, 30.0, 0.0, 0.0, 0.0], abs=0.5)


def test_comfort_bounds_what_may_be_put_off() -> None:
    cool = group("G", comfort=Comfort(energy_kwh=120.0, fade_h=0.0), level_min=0.1)
    series = shed(planned(hourly_task(PEAK, cool)))
    assert sum(series) <= 120.5
    assert sum(series) > 100.0


def test_comfort_comes_back_with_time() -> None:
    """What was put off fades: three hours take more than one store."""
    lasting = group("G", comfort=Comfort(energy_kwh=80.0, fade_h=1.0), level_min=0.1)
    series = shed(planned(hourly_task(PEAK, lasting)))
    assert sum(series) > 120.0
    put_off = 0.0
    for kw in series:
        put_off = put_off * 0.36788 + kw
        assert put_off <= 80.5


def test_cold_load_pickup_goes_by_the_length_of_the_outage() -> None:
    cold = group(
        "G",
        pickup=(Pickup(after_s=3600.0, shares=(0.2,)), Pickup(after_s=7200.0, shares=(0.5, 0.1))),
    )
    task = hourly_task(PEAK, cold)
    grid = time_grid(task.horizon, now_s=task.now_s, utc_offset_s=0.0)
    one = injection_kw(cold, at_rest(cold), grid, _series(80, 1))
    assert one == pytest.approx([80.0, -16.0, 0.0, 0.0, 0.0])
    two = injection_kw(cold, at_rest(cold), grid, _series(80, 2))
    assert two == pytest.approx([80.0, 80.0, -40.0, -8.0, 0.0])


def test_pickup_after_the_peak_is_in_the_plan_that_is_checked() -> None:
    cold: LoadGroup = group("G", pickup=(Pickup(after_s=3600.0, shares=(0.5,)),))
    result = planned(hourly_task([900, 1080, 900, 900], cold))
    series = shed(result)
    released = next(t for t in range(2, 4) if series[t] == 0.0)
    mean = sum(series[1:released]) / (released - 1)
    assert result.head_after_kw[released] == pytest.approx(900 + 0.5 * mean, abs=1.0)


def _series(kw: float, hours: int) -> np.ndarray:
    return np.array([kw] * hours + [0.0] * (5 - hours))


def test_a_plan_on_history_resets_no_clock() -> None:
    """The same day planned again each hour never sheds more hours than the day has."""
    limited = group("G", hours_per_day_max=3.0, starts_per_day_max=1)
    state, on_hours = at_rest(limited), 0.0
    for k in range(6):
        ahead = [1080] * (6 - k) + [900] * k
        task = hourly_task(ahead, limited, states=[state])
        task = replace(
            task,
            now_s=START_S + k * HOUR_S,
            horizon=replace(task.horizon, start_s=START_S + k * HOUR_S),
            forecast=replace(
                task.forecast, horizon=replace(task.horizon, start_s=START_S + k * HOUR_S)
            ),
        )
        kw = shed(planned(task))[0]
        if kw > 0.0:
            on_hours += 1.0
            since = state.active_since_s if state.active_since_s is not None else task.now_s
            state = replace(
                state,
                active_since_s=since,
                setpoint_kw=kw,
                hours_today=on_hours,
                starts_today=1,
            )
        elif state.active_since_s is not None:
            state = replace(state, active_since_s=None, setpoint_kw=0.0, released_at_s=task.now_s)
    assert on_hours == 3.0


def test_what_comes_back_is_in_the_voltage_rows() -> None:
    """All of it comes back when the far end of a weak line has little to spare: less is shed, and
    the event is missed rather than the voltage."""
    strong, weak = (
        planned(
            hourly_task(
                [900, 1000, 1230, 900, 700],
                group("G", rebound=(1.0,)),
                feeder=two_nodes(r_ohm=r_ohm),
                limit_kw=5000.0,
                requests=(demand_event(95.0, 1, 1),),
            )
        )
        for r_ohm in (1e-4, 6.2)
    )
    assert shed(strong) == pytest.approx([0, 95, 0, 0, 0], abs=0.5)
    assert 0.0 < shed(weak)[1] < 40.0
    check = weak.verification
    assert check is not None
    assert check.ok, check.reasons
    assert check.after.worst_voltage_pu >= 0.95 - 5e-4
    assert [(s.limit, s.interval) for s in weak.shortfalls] == [("contract target", 1)]
