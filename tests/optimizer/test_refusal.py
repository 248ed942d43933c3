"""Bad input never raises and never hangs: it is refused in words before anything is solved, or ends
as a plan that says what it could not keep."""

from __future__ import annotations

import itertools
import math
import time
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from gridctl.model.network import BranchKind, EquivalentBranch
from gridctl.model.planning import PlanningResult, PlanningTask, SolveStatus
from gridctl.model.policy import Policy
from gridctl.model.resource import Reactive, Terminal
from optimizer.plan import plan_task
from optimizer.refusal import ROWS_MAX, refusals, rows_of
from tests.optimizer.rules import broken
from tests.optimizer.small import BATTERY, GENERATOR, PV, at_rest, group, hourly_task, two_nodes

BAD = [math.nan, math.inf, -math.inf, 0.0, -1.0, 1e300, -1e-300, 1e-12]
RESOURCES = (group("G", rebound=(0.2,)), BATTERY, PV, GENERATOR)
TASK = hourly_task([900, 1150, 900], *RESOURCES)
CARRIES = (SolveStatus.OPTIMAL, SolveStatus.FEASIBLE)


def planned(task: PlanningTask) -> PlanningResult:
    ticks = itertools.count()
    result = plan_task(task, monotonic_s=lambda: 1e-3 * next(ticks))
    assert result.status in CARRIES or result.reason
    if result.status in CARRIES:
        assert all(math.isfinite(s.kw) for s in result.setpoints)
        assert broken(task, result) == []
    return result


def changed(task: PlanningTask, path: tuple[str | int, ...], value: object) -> PlanningTask:
    def put(owner: Any, rest: tuple[str | int, ...]) -> Any:
        if not rest:
            return value
        key = rest[0]
        if isinstance(key, int):
            return (*owner[:key], put(owner[key], rest[1:]), *owner[key + 1 :])
        return replace(owner, **{key: put(getattr(owner, key), rest[1:])})

    done = put(task, path)
    assert isinstance(done, PlanningTask)
    return done


NUMBERS: list[tuple[str | int, ...]] = [
    ("limits", "head_import_kw"),
    ("limits", "voltage_min_pu"),
    ("limits", "voltage_max_pu"),
    ("limits", "loading_max_pct"),
    ("forecast", "values_kw", 2, 1),
    ("horizon", "step_s"),
    ("now_s",),
    ("resources", 0, "rating_kw"),
    ("resources", 0, "cost_per_kwh"),
    ("resources", 0, "duration_min_s"),
    ("resources", 0, "duration_max_s"),
    ("resources", 0, "recovery_s"),
    ("resources", 0, "level_min"),
    ("resources", 0, "rebound", 0),
    ("resources", 0, "terminals", 0, "share"),
    ("resources", 1, "rating_kw"),
    ("resources", 1, "energy_kwh"),
    ("resources", 1, "efficiency"),
    ("resources", 1, "soc_min_pct"),
    ("resources", 1, "soc_max_pct"),
    ("resources", 2, "rating_kw"),
    ("resources", 3, "rating_kva"),
    ("resources", 3, "power_factor"),
    ("resources", 3, "ramp_kw_per_min"),
    ("resources", 3, "run_max_s"),
    ("resources", 3, "start_cost"),
    *(("states", k, "available_kw") for k in range(4)),
    *(("states", k, "setpoint_kw") for k in range(4)),
    *(("states", k, "power_kw") for k in range(4)),
    ("states", 0, "active_since_s"),
    ("states", 1, "soc_pct"),
]


CHANGES = st.lists(
    st.tuples(st.sampled_from(NUMBERS), st.one_of(st.sampled_from(BAD), st.floats())),
    min_size=1,
    max_size=3,
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(CHANGES)
@example([(("resources", 0, "duration_max_s"), 3.3e22)])
@example([(("horizon", "step_s"), 1e300)])
@example([(("states", 3, "setpoint_kw"), 7201.0)])
def test_any_number_may_be_anything(changes: list[tuple[tuple[str | int, ...], float]]) -> None:
    fuzzed(changes)


@pytest.mark.soak
@pytest.mark.timeout(3600)
@settings(max_examples=600, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(CHANGES)
def test_any_number_may_be_anything_at_length(
    changes: list[tuple[tuple[str | int, ...], float]],
) -> None:
    fuzzed(changes)


def fuzzed(changes: list[tuple[tuple[str | int, ...], float]]) -> None:
    task = TASK
    for path, value in changes:
        task = changed(task, path, value)
    planned(task)


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        (("forecast", "values_kw", 2, 1), math.nan, "the forecast is nan in interval 1"),
        (("resources", 0, "rating_kw"), 0.0, "G: rating_kw is 0.0"),
        (("resources", 1, "energy_kwh"), -5.0, "B: energy_kwh is -5.0"),
        (("limits", "voltage_min_pu"), 1.2, "contradict each other"),
        (("resources", 0, "duration_min_s"), 1e9, "contradict each other"),
        (
            ("resources", 0, "terminals"),
            (Terminal(node="no", phase="A", share=1.0),),
            "G sits at an unknown node-phase: no.A",
        ),
        (("quantile",), 0.42, "no quantile 0.42"),
        (("horizon", "count"), 0, "0 intervals"),
        (("resources", 1, "mrid"), "G", "G is there twice"),
    ],
)
def test_each_mistake_is_named(path: tuple[str | int, ...], value: object, words: str) -> None:
    result = planned(changed(TASK, path, value))
    assert result.status is SolveStatus.FAILED
    assert words in result.reason


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"announced": ((1e9, 0.0),)}, "a call that was announced from 1e+09 to 0 s"),
        ({"precooled": ((100.0, 50.0, 20.0),)}, "20 kW drawn ahead from 100 to 50 s"),
        ({"precooled": ((0.0, 50.0, float("nan")),)}, "nan kW drawn ahead"),
        ({"resource": "GHOST"}, "there is a state of GHOST, which is no resource"),
    ],
)
def test_a_history_that_cannot_be_is_named(change: dict[str, Any], words: str) -> None:
    own = group("G")
    task = hourly_task([900, 1150], own, states=[replace(at_rest(own), **change)])
    result = plan_task(task, monotonic_s=time.monotonic)
    assert result.status is SolveStatus.FAILED
    assert words in result.reason


def test_two_states_of_one_resource_no_time_and_absurd_prices_are_refused() -> None:
    own = group("G")
    task = hourly_task([900, 1150], own, states=[at_rest(own), at_rest(own)])
    assert "G has two states" in plan_task(task, monotonic_s=time.monotonic).reason
    task = hourly_task([900, 1150], own)
    late = plan_task(replace(task, deadline_s=0.0), monotonic_s=time.monotonic)
    assert "there is no time to plan" in late.reason
    dear = replace(task, policy=Policy(price_per_kwh=(0.1, 1e30)))
    assert "1e+30 a kWh" in plan_task(dear, monotonic_s=time.monotonic).reason
    odd = replace(task, resources=(replace(own, starts_per_day_max=-1),))
    assert "starts_per_day_max -1" in plan_task(odd, monotonic_s=time.monotonic).reason


def test_a_charge_that_cannot_be_leaves_the_battery_out_and_the_rest_plan() -> None:
    own = group("G")
    states = [at_rest(own), at_rest(BATTERY, soc_pct=180.0)]
    result = plan_task(
        hourly_task([900, 1050], own, BATTERY, states=states), monotonic_s=time.monotonic
    )
    assert [e.reason for e in result.excluded] == ["a state of charge of 180 % cannot be"]
    assert result.setpoints


def test_a_million_rows_are_refused_before_they_are_made() -> None:
    many = tuple(group(f"g{k}") for k in range(1200))
    task = hourly_task([900] * 96, *many)
    assert rows_of(task) > ROWS_MAX
    (reason,) = refusals(task)
    assert "plan fewer intervals" in reason
    assert planned(task).status is SolveStatus.FAILED


def test_no_controllable_resource_is_said() -> None:
    result = planned(hourly_task([900, 1150, 900]))
    assert result.status is SolveStatus.INFEASIBLE
    assert "no resource may be used" in result.reason


def test_a_resource_on_a_phase_that_nothing_feeds_is_left_out_with_the_reason() -> None:
    feeder = two_nodes()
    feeder = replace(
        feeder,
        lines=tuple(
            replace(
                line,
                phases="AB",
                r_ohm_per_km=tuple(row[:2] for row in line.r_ohm_per_km[:2]),
                x_ohm_per_km=tuple(row[:2] for row in line.x_ohm_per_km[:2]),
                b_us_per_km=tuple(row[:2] for row in line.b_us_per_km[:2]),
            )
            for line in feeder.lines
        ),
    )
    result = planned(hourly_task([600, 1150, 600], group("G"), feeder=feeder))
    if result.status is not SolveStatus.FAILED:
        assert [e.reason for e in result.excluded] == ["its node is not energised"]


def test_unknown_values_leave_a_resource_out_and_the_rest_plan() -> None:
    unknown = at_rest(RESOURCES[0], available_kw=math.nan)
    task = replace(TASK, states=(unknown, *TASK.states[1:]))
    result = planned(task)
    assert result.status in CARRIES
    assert [e.resource for e in result.excluded] == ["G"]


@pytest.mark.parametrize(
    ("reactive", "word"),
    [
        (Reactive(rating_kva=0.0, kvar_max=10.0), "rating_kva"),
        (Reactive(rating_kva=10.0, kvar_max=math.nan), "kvar_max"),
        (Reactive(rating_kva=10.0, kvar_max=1.0, volt_var=((1.0, 1.0), (1.0, 2.0))), "volt_var"),
    ],
)
def test_an_inverter_that_cannot_be_is_refused(reactive: Reactive, word: str) -> None:
    result = planned(hourly_task([900, 1150], replace(PV, reactive=reactive)))
    assert result.status is SolveStatus.FAILED
    assert f"P: reactive.{word}" in result.reason


def test_a_rating_of_nothing_is_refused_by_name() -> None:
    line = replace(two_nodes().lines[0], rating_a=0.0)
    feeder = replace(two_nodes(), lines=(line,))
    result = planned(hourly_task([900, 1150], group("G"), feeder=feeder))
    assert result.status is SolveStatus.FAILED
    assert "line: rating_a is 0.0" in result.reason


def test_a_terminal_of_an_equivalent_branch_may_be_unrated() -> None:
    """The second leg of many a foreign split-phase transformer: 0 A, and no plan is refused."""
    far = two_nodes().lines[0].to_node
    reactor = EquivalentBranch(
        mrid="reactor",
        kind=BranchKind.REACTOR,
        terminals=((far, "A"), (far, "B")),
        g_s=((1e-3, 0.0), (0.0, 1e-3)),
        b_s=((0.0, 0.0), (0.0, 0.0)),
        rating_a=(100.0, 0.0),
    )
    feeder = replace(two_nodes(), equivalents=(reactor,))
    result = planned(hourly_task([900, 1150], group("G"), feeder=feeder))
    assert result.status in CARRIES, result.reason


def test_a_forecast_without_its_series_is_refused() -> None:
    task = hourly_task([900, 1150], group("G"))
    result = planned(replace(task, forecast=replace(task.forecast, values_kw=())))
    assert result.status is SolveStatus.FAILED
    assert "0 series for 3 quantiles" in result.reason
