"""An event that limits the export: batteries charge, PV is curtailed, the AC check judges it."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from gridctl.model.planning import FindingKind, PlanningResult, PlanningTask, SolveStatus
from gridctl.model.program import DispatchRequest
from optimizer.limits import Limit
from optimizer.plan import network_of, plan_task
from optimizer.problem import build_problem
from optimizer.verify import verify
from tests.optimizer.rules import broken
from tests.optimizer.small import (
    BATTERY,
    HOUR_S,
    PV,
    START_S,
    at_rest,
    demand_event,
    group,
    hourly_task,
)

FULL_SUN = at_rest(PV)
HALF_FULL = at_rest(BATTERY)


def export_event(most_kw: float, first: int, last: int) -> DispatchRequest:
    event = demand_event(0.0, first, last, mrid="X")
    return replace(event, name="Sunny noon", export_max_kw=most_kw)


def sunny(head_kw: list[float], most_kw: float, **changes: object) -> PlanningTask:
    task = hourly_task(
        head_kw,
        PV,
        BATTERY,
        group("G"),
        states=(FULL_SUN, HALF_FULL, at_rest(group("G"))),
        requests=(export_event(most_kw, 0, 1),),
    )
    return replace(task, **changes)  # type: ignore[arg-type]


def planned(task: PlanningTask) -> PlanningResult:
    result = plan_task(task, monotonic_s=time.monotonic)
    assert broken(task, result) == []
    return result


def test_the_battery_charges_and_the_rest_is_taken_from_the_sun() -> None:
    task = sunny([-200.0, -180.0, -100.0], 100.0)
    result = planned(task)
    assert result.status is SolveStatus.OPTIMAL
    assert result.shortfalls == ()
    after = result.head_after_kw
    assert after[0] == pytest.approx(-100.0, abs=1.0)
    assert after[1] == pytest.approx(-100.0, abs=1.0)
    charged = [s for s in result.setpoints if s.resource == "B" and s.effect_kw < -1.0]
    assert charged, "the battery does not help"
    curtailed = [s for s in result.setpoints if s.resource == "P" and s.effect_kw < -1.0]
    assert curtailed, "40 kWh of room take 100 and 80 kWh only with the sun's help"
    assert not [s for s in result.setpoints if s.resource == "G" and s.kw > 0.0]
    check = result.verification
    assert check is not None
    assert check.ok
    assert (check.before.violations, check.after.violations) == (2, 0)


def test_it_is_said_what_the_event_allows_and_what_would_come() -> None:
    result = planned(sunny([-200.0, -180.0, -100.0], 100.0))
    said = [
        f.text
        for f in result.findings
        if f.kind is FindingKind.REASON and f.text.startswith("Sunny noon")
    ]
    assert "".join(said) == (
        "Sunny noon allows 100 kW of export from 12:00 to 14:00: without the plan it could reach"
        " 200 kW on the sunny side of the forecast."
    )
    held = [f.text for f in result.findings if f.kind is FindingKind.BINDING]
    assert any("The limit of the export (Sunny noon) holds the plan back" in text for text in held)


def test_the_limit_holds_on_the_sunny_side_of_the_forecast() -> None:
    task = sunny([-60.0, -60.0, 0.0], 100.0)
    low = tuple(kw - 80.0 for kw in task.forecast.at_quantile(0.9))
    values = (low, *task.forecast.values_kw[1:])
    result = planned(replace(task, forecast=replace(task.forecast, values_kw=values)))
    # -60 kW at the plan's quantile are -140 kW at its mirror: 40 kW have to go.
    assert result.head_after_kw[0] == pytest.approx(-20.0, abs=1.0)


def test_nothing_is_moved_where_the_export_stays_within() -> None:
    result = plan_task(sunny([-90.0, -80.0, -150.0], 100.0), monotonic_s=time.monotonic)
    assert result.status is SolveStatus.NOT_NEEDED
    assert "no demand event asks for more" in result.reason


def test_what_cannot_be_kept_is_a_shortfall_and_the_check_allows_no_more() -> None:
    broken_pv = replace(FULL_SUN, excluded="its link is down")
    task = sunny([-200.0, -180.0, -100.0], 100.0)
    task = replace(task, states=(broken_pv, *task.states[1:]))
    result = planned(task)
    short = {s.interval: s.amount for s in result.shortfalls if s.limit == Limit.EXPORT.value}
    # 40 kWh fit into the battery, 60 kW at most at a time, and 180 kWh would have to.
    assert sum(short.values()) == pytest.approx(180.0 - 40.0 / 0.95, abs=8.0)
    assert result.verification is not None
    assert result.verification.ok
    assert any("limit of the export (Sunny noon)" in f.text for f in result.findings)
    network = network_of(task)
    problem = build_problem(task, network)
    undeclared = verify(problem, network, result.setpoints, linear_v_pu=problem.base_flow.v_pu)
    assert not undeclared.ok
    assert "keep the export that is allowed" in undeclared.reasons[0]


def test_two_limits_the_stricter_one_counts() -> None:
    task = sunny([-200.0, -200.0, -100.0], 150.0)
    both = replace(task, requests=(*task.requests, replace(export_event(50.0, 1, 1), mrid="Y")))
    after = planned(both).head_after_kw
    assert after[0] == pytest.approx(-150.0, abs=1.0)
    assert after[1] == pytest.approx(-50.0, abs=1.0)


@pytest.mark.parametrize("most_kw", [-1.0, float("nan"), float("inf")])
def test_a_limit_that_cannot_be_is_refused(most_kw: float) -> None:
    result = plan_task(sunny([0.0, 0.0, 0.0], most_kw), monotonic_s=time.monotonic)
    assert result.status is SolveStatus.FAILED
    assert "of export at most" in result.reason


def test_the_sun_gives_what_the_forecast_expects_of_it() -> None:
    """At 18:30 the usual course of the sun gives nothing, in June there is some: seen in a pilot on
    a feeder full of PV, whose every plan was refused."""
    task = hourly_task([-60.0, -40.0, 20.0], PV, states=(at_rest(PV, available_kw=150.0),))
    evening_s = START_S + 6.0 * HOUR_S
    later = replace(task.horizon, start_s=evening_s)
    forecast = replace(task.forecast, horizon=later)
    limit = replace(export_event(30.0, 0, 1), start_s=evening_s, end_s=evening_s + 2 * HOUR_S)
    asked = replace(task, horizon=later, forecast=forecast, now_s=evening_s, requests=(limit,))
    result = planned(asked)
    assert result.status is SolveStatus.OPTIMAL, result.reason
    assert result.head_after_kw[:2] == pytest.approx((-30.0, -30.0), abs=1.0)


def test_an_export_that_nothing_here_can_give_is_refused() -> None:
    result = plan_task(hourly_task([-400.0, 0.0], PV), monotonic_s=time.monotonic)
    assert result.status is SolveStatus.FAILED
    assert "the loads draw" in result.reason
