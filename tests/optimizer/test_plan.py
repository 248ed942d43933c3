"""Small problems whose optimum is worked out by hand, and every way a plan can end."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import pytest

from gridctl.model.network import ConnectivityNode
from gridctl.model.planning import PlanningResult, PlanningTask, SolveStatus
from gridctl.model.program import RequestState
from gridctl.model.resource import LoadGroup
from optimizer import attempt
from optimizer import plan as module
from optimizer.attempt import AC_ROUNDS_MAX
from optimizer.plan import plan_task
from tests.optimizer.rules import broken, series_of
from tests.optimizer.small import (
    BATTERY,
    GENERATOR,
    HOUR_S,
    KV,
    PV,
    START_S,
    at_rest,
    demand_event,
    group,
    hourly_task,
    two_nodes,
)

MADE = (SolveStatus.OPTIMAL, SolveStatus.FEASIBLE)
BATTERY_FULL = replace(BATTERY, soc_max_pct=50.0)
"""Half full is all that this one takes, so that it cannot swallow a surplus."""


def planned(task: PlanningTask) -> PlanningResult:
    """The plan, which keeps every rule that a plain check knows."""
    result = plan_task(task, monotonic_s=time.monotonic)
    assert broken(task, result) == []
    return result


def test_in_a_ring_the_leg_that_is_full_is_relieved() -> None:
    """Two ways to the load; the short one carries two thirds and is rated for less. What is asked
    follows the currents of the ring, not a tree."""
    feeder = two_nodes(r_ohm=0.5, x_ohm=0.5, rating_a=38.0)
    leg = feeder.lines[0]
    wide = replace(leg, rating_a=400.0)
    ring = replace(
        feeder,
        nodes=(*feeder.nodes, ConnectivityNode(mrid="mid", nominal_kv=KV, phases="ABC")),
        lines=(
            leg,
            replace(wide, mrid="west", from_node="head", to_node="mid"),
            replace(wide, mrid="east", from_node="mid", to_node="load"),
        ),
    )
    task = hourly_task([900, 1400, 900], group("G", rating_kw=300.0), feeder=ring, limit_kw=5e3)
    result = plan_task(task, monotonic_s=time.monotonic)
    assert broken(task, result) == []
    check = result.verification
    assert check is not None
    assert check.ok, check.reasons
    assert check.before.worst_loading_at.startswith("line")
    assert check.before.worst_loading_pct > 110.0
    assert check.after.worst_loading_pct == pytest.approx(100.0, abs=0.5)
    assert [b.where for b in result.bindings if b.price > 0.1] == ["line"]


def test_the_cheaper_group_is_shed_first_and_the_dearer_one_only_as_far_as_needed() -> None:
    task = hourly_task([900, 1150, 900], group("cheap", cost_per_kwh=0.1), group("dear"))
    result = planned(task)
    assert result.status is SolveStatus.OPTIMAL
    series = series_of(result)
    assert series["cheap"] == pytest.approx([0, 100, 0], abs=0.1)
    assert series["dear"] == pytest.approx([0, 50, 0], abs=0.5)
    # 100 kWh at 0.1 and 50 kWh at 0.3, and two starts, each worth 0.02 h of everything.
    assert result.cost == pytest.approx(10 + 15 + 0.2 + 0.6, abs=0.2)
    assert result.head_before_kw == pytest.approx([900, 1150, 900], abs=0.1)
    assert result.head_after_kw == pytest.approx([900, 1000, 900], abs=0.6)
    assert result.verification is not None
    assert result.verification.ok
    assert result.verification.reasons == ()


def test_the_price_of_the_import_limit_is_the_dearer_groups_cost() -> None:
    task = hourly_task([900, 1150, 900], group("cheap", cost_per_kwh=0.1), group("dear"))
    result = planned(task)
    (binding,) = [b for b in result.bindings if b.limit == "head import"]
    assert binding.interval == 1
    assert binding.price == pytest.approx(0.3, rel=0.01)
    assert binding.where == "head"


def test_effects_add_up_to_what_the_head_shows() -> None:
    task = hourly_task([900, 1150, 900], group("cheap", cost_per_kwh=0.1), group("dear"))
    result = planned(task)
    for k in range(3):
        effect = sum(s.effect_kw for s in result.setpoints if s.interval == k)
        fall = result.head_before_kw[k] - result.head_after_kw[k]
        assert effect == pytest.approx(fall, abs=0.5)


def test_a_battery_delivers_what_it_has_and_the_rest_is_a_shortfall() -> None:
    # 40 kWh above its reserve, 0.9 of them arrive: 36 kW for an hour.
    result = planned(hourly_task([1050, 900], BATTERY))
    assert series_of(result)["B"][0] == pytest.approx(36.0, abs=0.1)
    (missed,) = [s for s in result.shortfalls if s.limit == "head import"]
    assert (missed.interval, missed.unit) == (0, "kW")
    assert missed.amount == pytest.approx(14.0, abs=0.5)
    assert "cannot be kept" in result.reason


def test_a_battery_that_needs_more_than_it_has_charges_in_time() -> None:
    result = planned(hourly_task([500, 500, 1050, 1050], BATTERY, at_rest_group()))
    series = series_of(result)["B"]
    assert min(series[:2]) < -1.0
    assert series[2] + series[3] > 40.0


def at_rest_group() -> LoadGroup:
    """A dear group, so that charging ahead is worth it."""
    return group("dear", cost_per_kwh=5.0)


def test_a_battery_fills_up_again_when_the_import_leaves_room() -> None:
    result = planned(hourly_task([1030, 500, 500, 500], BATTERY))
    series = series_of(result)["B"]
    assert series[0] == pytest.approx(30.0, abs=0.5)
    # 30 kWh out cost 33.3 kWh stored; 37 kWh in give them back.
    assert -sum(series[1:]) == pytest.approx(37.0, abs=1.0)


def test_a_battery_does_not_refill_into_a_high_import() -> None:
    result = planned(hourly_task([1030, 950, 950, 950], BATTERY))
    assert min(series_of(result)["B"]) == 0.0


def test_nothing_to_do_is_said_and_why() -> None:
    result = planned(hourly_task([900, 950, 900], group("g"), BATTERY, PV))
    assert result.status is SolveStatus.NOT_NEEDED
    assert result.setpoints == ()
    assert "50 kW" in result.reason


def test_an_event_is_met_against_the_import_without_control() -> None:
    task = hourly_task(
        [900, 900, 900, 900], group("a"), group("b"), requests=(demand_event(120, 1, 2),)
    )
    result = planned(task)
    assert result.status in MADE
    for k in (1, 2):
        assert result.head_after_kw[k] <= 900 - 120 + 1.0
    assert result.shortfalls == ()
    assert any(b.limit == "contract target" and b.where == "Event R" for b in result.bindings)


def test_events_that_overlap_add_up() -> None:
    events = (demand_event(60, 1, 2), demand_event(90, 2, 2, mrid="S"))
    result = planned(hourly_task([900] * 4, group("a"), group("b"), requests=events))
    fall = [b - a for b, a in zip(result.head_before_kw, result.head_after_kw, strict=True)]
    assert fall[1] == pytest.approx(60, abs=2)
    assert fall[2] == pytest.approx(150, abs=2)


def test_an_event_that_is_over_or_cancelled_asks_for_nothing() -> None:
    event = replace(demand_event(60, 1, 2), state=RequestState.CANCELLED)
    result = planned(hourly_task([900] * 4, group("a"), requests=(event,)))
    assert result.status is SolveStatus.NOT_NEEDED


def test_an_event_that_asks_for_too_much_is_served_as_far_as_possible() -> None:
    result = planned(hourly_task([900] * 3, group("a"), requests=(demand_event(150, 1, 1),)))
    assert series_of(result)["a"][1] == pytest.approx(100, abs=0.1)
    (missed,) = result.shortfalls
    assert missed.limit == "contract target"
    assert missed.where == "Event R"
    assert missed.amount == pytest.approx(50, abs=1)


def test_the_import_limit_comes_before_a_contract_target() -> None:
    # One run of an hour is all: the limit in hour 2 gets it, not the event in hour 1.
    one = group("a", duration_max_s=HOUR_S, starts_per_day_max=1)
    result = planned(hourly_task([900, 900, 1080], one, requests=(demand_event(80, 1, 1),)))
    series = series_of(result)["a"]
    assert series[2] == pytest.approx(80, abs=1)
    assert series[1] == 0.0
    assert [s.limit for s in result.shortfalls] == ["contract target"]


def test_an_excluded_resource_has_no_setpoint_and_its_reason_is_kept() -> None:
    a, b = group("a", cost_per_kwh=0.1), group("b")
    states = (at_rest(a, excluded="opted out"), at_rest(b))
    result = planned(hourly_task([900, 1050, 900], a, b, states=states))
    assert set(series_of(result)) == {"b"}
    assert [(e.resource, e.reason) for e in result.excluded] == [("a", "opted out")]


def test_with_every_resource_excluded_the_plan_is_infeasible_in_words() -> None:
    a = group("a")
    result = planned(
        hourly_task([900, 1050, 900], a, states=(at_rest(a, excluded="local control"),))
    )
    assert result.status is SolveStatus.INFEASIBLE
    assert result.setpoints == ()
    assert "no resource may be used" in result.reason
    assert [s.limit for s in result.shortfalls] == ["head import"]


def test_a_battery_of_unknown_charge_is_not_used() -> None:
    result = planned(hourly_task([1050, 900], BATTERY, states=(at_rest(BATTERY, soc_pct=None),)))
    assert result.setpoints == ()
    assert [e.reason for e in result.excluded] == ["state of charge not known"]


def test_rebound_is_part_of_the_import_after_a_release() -> None:
    a = group("a", rebound=(0.5, 0.25), duration_max_s=HOUR_S)
    result = planned(hourly_task([900, 1080, 900, 900, 900], a))
    series = series_of(result)["a"]
    assert series == pytest.approx([0, 80, 0, 0, 0], abs=0.5)
    # 80 kWh: half of it comes back in the first hour after the release, a quarter in the second.
    assert result.head_after_kw == pytest.approx([900, 1000, 940, 920, 900], abs=1.0)
    assert [s.effect_kw for s in result.setpoints] == pytest.approx([0, 80, -40, -20, 0], abs=1.0)


def test_a_rebound_that_would_break_the_limit_makes_the_run_longer() -> None:
    a = group("a", rebound=(1.0,))
    result = planned(hourly_task([900, 1080, 980, 890, 700], a))
    assert result.shortfalls == ()
    assert max(result.head_after_kw) <= 1001.0
    series = series_of(result)["a"]
    assert series[2] > 0.0


def test_a_group_that_is_on_goes_on_until_its_least_duration_is_over() -> None:
    a = group("a", duration_min_s=2 * HOUR_S)
    state = at_rest(a, setpoint_kw=100.0, active_since_s=START_S - 0.5 * HOUR_S, starts_today=1)
    result = planned(hourly_task([900] * 4, a, states=(state,)))
    series = series_of(result)["a"]
    assert [kw > 0 for kw in series] == [True, True, False, False]


def test_a_group_that_is_on_and_not_needed_is_told_to_go_back() -> None:
    a = group("a")
    state = at_rest(a, setpoint_kw=80.0, active_since_s=START_S - 2 * HOUR_S, starts_today=1)
    result = planned(hourly_task([900] * 3, a, states=(state,)))
    assert result.status in MADE
    assert series_of(result)["a"] == [0.0, 0.0, 0.0]


def test_a_group_that_is_on_is_released_at_its_greatest_duration() -> None:
    a = group("a", duration_max_s=3 * HOUR_S)
    state = at_rest(a, setpoint_kw=80.0, active_since_s=START_S - 2 * HOUR_S, starts_today=2)
    result = planned(hourly_task([1080] * 3, a, states=(state,)))
    assert series_of(result)["a"] == pytest.approx([80, 0, 0], abs=1)
    assert {s.interval for s in result.shortfalls} == {1, 2}


def test_a_group_recovers_before_it_is_asked_again() -> None:
    a = group("a", recovery_s=2 * HOUR_S)
    state = at_rest(a, released_at_s=START_S - HOUR_S, starts_today=1)
    result = planned(hourly_task([1080, 1080, 900], a, states=(state,)))
    series = series_of(result)["a"]
    assert series[0] == 0.0
    assert series[1] == pytest.approx(80, abs=1)


def test_starts_made_today_count() -> None:
    a = group("a", starts_per_day_max=2)
    state = at_rest(a, starts_today=2)
    result = planned(hourly_task([900, 1080, 900], a, states=(state,)))
    assert result.setpoints == ()
    assert result.status is SolveStatus.INFEASIBLE
    assert "no usable resource can help" in result.reason


def test_pv_is_curtailed_only_when_and_as_far_as_a_limit_needs_it() -> None:
    # The line carries 100 kVA; from the second hour on, 150 kW would flow back over it.
    feeder = two_nodes(rating_a=100 / (3**0.5 * 12.47))
    result = planned(hourly_task([-10, -150, -150], PV, feeder=feeder))
    series = series_of(result)["P"]
    assert series[0] == PV.rating_kw
    assert all(0.0 < kw < 250.0 for kw in series[1:])
    assert result.verification is not None
    assert result.verification.ok
    assert result.verification.before.worst_loading_pct > 150.0
    assert 99.0 < result.verification.after.worst_loading_pct <= 100.1


def test_pv_is_curtailed_for_a_branch_that_is_overloaded_now() -> None:
    """150 kW flow back over a line of 100 kVA already, and only the sun can be turned down."""
    feeder = two_nodes(rating_a=100 / (3**0.5 * 12.47))
    result = planned(hourly_task([-150, -150, -10], PV, BATTERY_FULL, feeder=feeder))
    assert result.status in MADE
    series = series_of(result)["P"]
    assert all(0.0 < kw < 250.0 for kw in series[:2])
    assert series[2] == PV.rating_kw
    check = result.verification
    assert check is not None
    assert check.ok, check.reasons
    # Both overloaded hours are mended, and nothing else is broken by it.
    assert (check.before.violations, check.after.violations) == (2, 0)
    assert check.before.worst_loading_pct > 150.0
    assert 99.0 < check.after.worst_loading_pct <= 100.1
    assert result.shortfalls == ()
    binding = {(b.limit, b.where, b.interval) for b in result.bindings}
    assert {("branch loading", "line", 0), ("branch loading", "line", 1)} <= binding
    # One per cent of the line is a kVA; turning the sun down costs 0.06 a kWh.
    assert all(0.05 < b.price < 0.1 for b in result.bindings if b.limit == "branch loading")


def test_an_overload_that_no_resource_can_mend_is_said_to_be_one() -> None:
    """A group can only add to what flows back: it is left alone and the overload is told."""
    feeder = two_nodes(rating_a=100 / (3**0.5 * 12.47))
    states = (at_rest(group("a")), at_rest(PV, excluded="local control"))
    result = planned(hourly_task([-150, -150], group("a"), PV, states=states, feeder=feeder))
    assert result.status is SolveStatus.INFEASIBLE
    assert "branch loading" in result.reason
    assert result.setpoints == ()
    assert [(s.where, s.unit) for s in result.shortfalls] == [("line", "%")]


def test_an_export_that_nothing_explains_is_not_planned_with() -> None:
    result = plan_task(hourly_task([900, -150], group("a")), monotonic_s=time.monotonic)
    assert result.status is SolveStatus.FAILED
    assert "interval 1: scaled to a forecast of -150 kW, the loads draw 0 kW" in result.reason


def test_pv_is_left_alone_without_such_a_limit() -> None:
    result = planned(hourly_task([-10, -150, -150], PV))
    assert result.status is SolveStatus.NOT_NEEDED


def test_a_plan_that_begins_within_its_first_interval_counts_only_what_is_left_of_it() -> None:
    # Three quarters of the hour are over: the battery's 36 kWh last for all of its 60 kW.
    result = planned(hourly_task([1060, 900], BATTERY, after_start_s=0.75 * HOUR_S))
    assert series_of(result)["B"][0] == pytest.approx(60.0, abs=0.5)
    assert result.shortfalls == ()


def test_the_same_task_gives_the_same_plan() -> None:
    task = hourly_task([900, 1150, 900], group("a"), group("b"), BATTERY)
    first, second = (plan_task(task, monotonic_s=time.monotonic) for _ in range(2))
    assert replace(first, solve_s=0.0) == replace(second, solve_s=0.0)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"quantile": 0.99}, "no quantile"),
        ({"now_s": START_S + 5 * HOUR_S}, "past its first interval"),
    ],
)
def test_a_task_that_does_not_fit_fails_in_words(change: dict[str, float], words: str) -> None:
    task = replace(hourly_task([900, 1150, 900], group("a")), **change)  # type: ignore[arg-type]
    result = plan_task(task, monotonic_s=time.monotonic)
    assert result.status is SolveStatus.FAILED
    assert words in result.reason


def test_more_load_than_the_feeder_can_carry_diverges_in_words() -> None:
    weak = two_nodes(r_ohm=30.0, x_ohm=30.0)
    result = plan_task(
        hourly_task([9000, 9000], group("a"), feeder=weak), monotonic_s=time.monotonic
    )
    assert result.status is SolveStatus.DIVERGED
    assert "does not converge" in result.reason


def test_generation_among_the_loads_that_is_more_than_they_draw_is_named() -> None:
    """A SimBench net has its wind farms as negative loads: no factor of all makes it import."""
    feeder = two_nodes()
    wind = replace(feeder.consumers[0], mrid="wind", kw=(-900.0,) * 3, kvar=(0.0,) * 3)
    feeder = replace(feeder, consumers=(*feeder.consumers, wind))
    result = plan_task(hourly_task([900, 900], feeder=feeder), monotonic_s=time.monotonic)
    assert result.status is SolveStatus.FAILED
    assert "its loads draw 1200 kW and 2700 kW of generation stand among them" in result.reason
    assert "an import of up to 900 kW" in result.reason


def test_no_time_is_a_timeout_not_a_plan() -> None:
    # The clock jumps 100 s with every look at it; HiGHS gets its least time and cannot finish.
    many = [group(f"g{i}", cost_per_kwh=0.1 + i / 100, rebound=(0.3, 0.2)) for i in range(40)]
    task = hourly_task([3000.0] * 96, *many, limit_kw=1000.0)
    ticks = iter(range(100_000))
    result = plan_task(task, monotonic_s=lambda: 100.0 * next(ticks))
    assert result.status is SolveStatus.TIMEOUT
    assert result.setpoints == ()
    assert "Time limit" in result.reason


def test_a_generator_starts_in_time_and_its_start_is_paid_for() -> None:
    # Cheaper than the group per kWh, but a start costs 12: not for 40 kWh, well for 4 x 100 kWh.
    dear = group("dear", cost_per_kwh=0.5, duration_max_s=6 * HOUR_S)
    short = planned(hourly_task([900, 1040, 900, 900], GENERATOR, dear))
    assert "D" not in series_of(short)
    long = planned(hourly_task([900, 1100, 1100, 1100, 1100, 900], GENERATOR, dear))
    series = series_of(long)["D"]
    assert series[0] == series[5] == 0.0
    assert min(series[1:5]) >= 99.0
    # A minute to start and half a minute to ramp up are missing in its first hour.
    first = next(s for s in long.setpoints if s.resource == "D" and s.interval == 1)
    assert first.effect_kw == pytest.approx(first.kw * (1 - 90 / 3600), rel=1e-3)


def test_a_generator_below_its_least_load_stands_still_or_gives_it() -> None:
    result = planned(hourly_task([900, 1010, 900], GENERATOR))
    assert series_of(result)["D"][1] == pytest.approx(36.0, abs=0.1), "0.3 of 120 kW at least"


def test_a_generator_at_a_power_factor_lifts_the_voltage_by_its_kvar() -> None:
    weak = two_nodes(r_ohm=0.5, x_ohm=1.5)
    task = hourly_task([900, 1100, 900], GENERATOR, feeder=weak)
    at_unity = planned(task).verification
    leaning = replace(GENERATOR, power_factor=0.8)
    with_kvar = planned(
        hourly_task([900, 1100, 900], replace(leaning, rating_kva=150.0), feeder=weak)
    ).verification
    assert at_unity is not None
    assert with_kvar is not None
    by_unity = {(v.node, v.phase): v.after_pu for v in at_unity.voltages}
    for v in with_kvar.voltages:
        if v.node == "load":
            assert v.after_pu > by_unity[v.node, v.phase] + 1e-4


def test_a_generator_that_runs_is_not_stopped_before_its_time() -> None:
    running = at_rest(
        GENERATOR, setpoint_kw=60.0, power_kw=60.0, active_since_s=START_S - 600.0, starts_today=1
    )
    long = replace(GENERATOR, run_min_s=2 * HOUR_S)
    result = planned(hourly_task([900, 900, 900, 900], long, states=[running]))
    series = series_of(result)["D"]
    assert series[0] > 0.0
    assert series[1] > 0.0
    assert series[3] == 0.0


def test_a_plan_that_stood_in_an_earlier_round_is_there_when_the_last_one_falls(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    task = hourly_task([900, 1150, 900], group("cheap", cost_per_kwh=0.1), group("dear"))
    real = module._answer

    def last_falls(*told: Any) -> PlanningResult:
        answer = real(*told)
        if told[2].rounds < AC_ROUNDS_MAX or answer.verification is None:
            return answer
        fallen = replace(answer.verification, ok=False, reasons=("it falls",))
        return replace(answer, verification=fallen)

    monkeypatch.setattr(module, "_answer", last_falls)
    monkeypatch.setattr(attempt, "agrees", lambda *_, **__: False)
    kept = planned(task)
    assert kept.verification is not None
    assert kept.verification.ok
    assert kept.rounds < AC_ROUNDS_MAX
    monkeypatch.setattr(module, "EVEN_ROUNDS", AC_ROUNDS_MAX)
    fallen = planned(task).verification
    assert fallen is not None
    assert fallen.reasons == ("it falls",)
