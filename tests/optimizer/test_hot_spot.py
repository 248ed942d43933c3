"""Temperatures of a transformer as rows: a short overload is possible, a long one is not, and what
was before now counts. Held against the standards' equations in plain Python and in the AC flow."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest

from gridctl.model.planning import FindingKind, PlanningResult, PlanningTask, SolveStatus
from gridctl.model.policy import HotSpot, Policy
from optimizer.health.thermal import Ieee, ieee
from optimizer.hot_spot import path
from optimizer.plan import network_of, plan_task
from optimizer.problem import build_problem
from optimizer.timegrid import time_grid
from tests.optimizer.rules import broken, hot_spots_c, series_of
from tests.optimizer.small import group, hourly_task, two_nodes

AIR_C = 30.0
IEEE = HotSpot(
    branch="line",
    top_oil_rise_k=55.0,
    hot_spot_rise_k=25.0,
    tau_oil_min=180.0,
    tau_winding_min=5.0,
    loss_ratio=5.0,
    oil_exponent=0.8,
    winding_exponent=1.6,
    oil_rise_now_k=35.0,
    winding_now_k=15.0,
    hot_spot_max_c=120.0,
    top_oil_max_c=105.0,
    load_max=1.5,
)
IEC = replace(IEEE, k11=0.5, k21=2.0, k22=2.0, winding_now_k=30.0, counter_now_k=15.0)
SHORT = [700, 700, 1090, 700, 700, 700]
LONG = [700, 1090, 1090, 1090, 1090, 1090]


def task_of(head_kw: list[int], own: HotSpot | None, *, kw: float = 400.0) -> PlanningTask:
    """A line for a transformer, of about 1,000 kVA; 1,090 kW with their kvar are 1.13 of it."""
    shed = group("G", rating_kw=kw, duration_max_s=8 * 3600.0, level_min=0.1)
    feeder = two_nodes(rating_a=46.3)
    task = hourly_task(head_kw, shed, feeder=feeder, limit_kw=3000.0)
    if own is None:
        return task
    air = tuple([AIR_C] * len(head_kw))
    return replace(task, policy=Policy(hot_spots=(own,), temperature_c=air))


def planned(task: PlanningTask) -> PlanningResult:
    result = plan_task(task, monotonic_s=time.monotonic)
    assert broken(task, result) == []
    return result


def shed_kwh(result: PlanningResult) -> float:
    return sum(series_of(result).get("G", []))


def hottest_c(task: PlanningTask, result: PlanningResult) -> float:
    """By the AC flow of the plan's setpoints, and plain Python."""
    network = network_of(task)
    problem = build_problem(task, network)
    flow = problem.flow(problem.case_with(result.setpoints), network)
    load = flow.branch_loading_pct[list(flow.branch_names).index("line")] / 100
    steps = [(float(k), AIR_C, 1.0) for k in load]
    (own,) = task.policy.hot_spots
    return max(hot for _, hot in hot_spots_c(own, steps))


def test_an_hour_of_overload_is_carried_without_anybody() -> None:
    """Against its rating as a fixed limit somebody would have to shed."""
    assert shed_kwh(planned(task_of(SHORT, None))) > 100.0
    result = planned(task_of(SHORT, IEEE))
    assert result.status is SolveStatus.NOT_NEEDED
    assert any("get 1" in f.text and "120 are allowed" in f.text for f in result.findings)


@pytest.mark.parametrize("own", [IEEE, IEC], ids=["ieee", "iec"])
def test_a_long_overload_is_relieved_as_far_as_heat_asks_for(own: HotSpot) -> None:
    own = replace(own, hot_spot_max_c=112.0)
    task = task_of(LONG, own)
    assert hottest_c(task, replace(planned(task), setpoints=())) > 114.0
    result = planned(task)
    assert result.verification is not None
    assert result.verification.ok, result.verification.reasons
    assert result.shortfalls == ()
    assert 108.0 < hottest_c(task, result) <= 112.5
    assert 0.0 < shed_kwh(result) < shed_kwh(planned(task_of(LONG, None)))
    assert [b.limit for b in result.bindings][:1] == ["transformer temperature"]
    told = [f.text for f in result.findings if f.kind is FindingKind.REASON]
    assert any("112 are allowed" in text and "without the plan" in text for text in told), told


def test_one_that_is_hot_already_is_relieved_sooner() -> None:
    cool = planned(task_of(LONG, replace(IEEE, hot_spot_max_c=112.0)))
    hot = replace(IEEE, hot_spot_max_c=112.0, oil_rise_now_k=60.0, winding_now_k=28.0)
    task = task_of(LONG, hot)
    result = planned(task)
    assert shed_kwh(result) > shed_kwh(cool) + 20.0
    assert hottest_c(task, result) <= 112.5


def test_what_cannot_be_held_is_told_in_kelvin() -> None:
    result = planned(task_of(LONG, replace(IEEE, hot_spot_max_c=112.0), kw=5.0))
    assert result.shortfalls
    assert {s.limit for s in result.shortfalls} == {"transformer temperature"}
    assert result.shortfalls[0].unit == "K"
    assert any("K beyond it at most" in f.text for f in result.findings)


def test_the_path_is_the_standards() -> None:
    """C57.91 with its own steady beginning, by the code that watches transformers."""
    load = np.array([0.7, 1.1, 1.3, 0.9, 0.8])
    shared = Ieee(top_oil_rise=55, hot_spot_rise=25, tau_oil_h=3.0, tau_winding_min=5.0,
                  loss_ratio=5.0, n=0.8, m=0.8)  # fmt: skip
    watched = ieee(np.r_[0.6, load], np.full(6, AIR_C), shared, step_min=60.0)
    now = replace(
        IEEE,
        oil_rise_now_k=55 * ((0.36 * 5 + 1) / 6) ** 0.8,
        winding_now_k=25 * 0.6**1.6,
    )
    task = task_of([900] * 5, now)
    grid = time_grid(task.horizon, now_s=task.now_s, utc_offset_s=0.0)
    found = path(now, load, np.full(5, AIR_C), grid)
    assert found.hot_spot_c == pytest.approx(watched.hot_spot_c[1:])
    assert found.top_oil_c == pytest.approx(watched.top_oil_c[1:])
    plain = hot_spots_c(now, [(float(k), AIR_C, 1.0) for k in load])
    assert [hot for _, hot in plain] == pytest.approx(list(found.hot_spot_c))


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (replace(IEEE, tau_oil_min=0.0), "tau_oil_min of line is 0.0"),
        (replace(IEEE, branch="T9"), "there is no branch T9"),
        (replace(IEEE, oil_rise_now_k=float("nan")), "a temperature of line is not known"),
        (replace(IEEE, winding_exponent=0.2), "exponents of line"),
        (replace(IEEE, k21=0.5), "k21 of line"),
    ],
)
def test_figures_that_cannot_be_are_refused(bad: HotSpot, words: str) -> None:
    result = plan_task(task_of(SHORT, bad), monotonic_s=time.monotonic)
    assert result.status is SolveStatus.FAILED
    assert words in result.reason


def test_without_the_air_there_is_no_temperature() -> None:
    task = replace(task_of(SHORT, IEEE), policy=Policy(hot_spots=(IEEE,)))
    result = plan_task(task, monotonic_s=time.monotonic)
    assert "policy.hot_spots need policy.temperature_c" in result.reason
