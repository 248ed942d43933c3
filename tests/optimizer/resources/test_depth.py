"""Wear by the depth of a battery's cycles, worked out by hand and held against plain Python."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from gridctl.model.planning import FindingKind, PlanningResult, PlanningTask, SolveStatus
from gridctl.model.resource import Battery, DepthCost
from optimizer.plan import plan_task
from tests.optimizer.rules import broken, series_of, wear_by_depth
from tests.optimizer.small import BATTERY, at_rest, group, hourly_task

DEPTH = (
    DepthCost(to_pct=20.0, per_kwh=0.0),
    DepthCost(to_pct=50.0, per_kwh=0.1),
    DepthCost(to_pct=90.0, per_kwh=0.6),
)
STORE = replace(BATTERY, energy_kwh=200.0, efficiency=1.0, depth_costs=DEPTH)


def planned(task: PlanningTask) -> PlanningResult:
    result = plan_task(task, monotonic_s=time.monotonic)
    assert broken(task, result) == []
    assert result.verification is not None
    assert result.verification.ok, result.verification.reasons
    return result


def kwh(result: PlanningResult, mrid: str) -> float:
    return sum(series_of(result).get(mrid, [0.0]))


def test_a_shallow_cycle_is_taken_from_the_battery_and_the_deep_part_from_others() -> None:
    """A kWh of the group costs 0.4; of the battery 0.2 (out, and missing in the end), and down to
    half its depth 0.1 more, below 0.6 more."""
    own = group("G", cost_per_kwh=0.4, duration_max_s=6 * 3600.0, level_min=0.1)
    full = at_rest(STORE, soc_pct=90.0)
    task = hourly_task([900, 1050, 1050, 1050, 900], STORE, own, states=[full, at_rest(own)])
    result = planned(task)
    assert 85.0 <= kwh(result, "B") <= 100.5, "100 kWh are half of its energy"
    assert kwh(result, "B") + kwh(result, "G") == pytest.approx(150.0, abs=1.0)
    flat = replace(STORE, depth_costs=())
    task = replace(task, resources=(flat, own))
    assert kwh(planned(task), "B") == pytest.approx(150.0, abs=1.0)


def test_one_that_is_low_already_is_deep_already() -> None:
    """At 30 % of charge it is 60 % below full: each kWh is in the dearest slice, and no cycle that
    a plan begins anew makes it a shallow one."""
    own = group("G", level_min=0.1)
    low = at_rest(STORE, soc_pct=30.0)
    result = planned(hourly_task([900, 1030, 900], STORE, own, states=[low, at_rest(own)]))
    assert kwh(result, "B") == pytest.approx(0.0, abs=0.1)
    assert kwh(result, "G") == pytest.approx(30.0, abs=1.0)


def test_the_plan_counts_the_wear_that_plain_python_counts() -> None:
    full = at_rest(STORE, soc_pct=90.0)
    result = planned(hourly_task([900, 1050, 1050, 1050, 900], STORE, states=[full]))
    series = series_of(result)["B"]
    own = 0.1 * sum(kw for kw in series if kw > 0.0)
    told = [f for f in result.findings if f.kind is FindingKind.REASON and f.resources == ("B",)]
    wear = wear_by_depth(STORE, 90.0, [(kw, 1.0) for kw in series])
    assert told[0].cost == pytest.approx(wear, abs=0.05)
    assert result.cost >= own + wear - 0.1
    assert "% below full" in told[0].text


def test_wear_in_plain_python_by_hand() -> None:
    """40 kWh free, 60 at 0.1, 20 at 0.6; 30 back and out again are shallow."""
    steps = [(60.0, 2.0), (-30.0, 1.0), (30.0, 1.0)]
    assert wear_by_depth(STORE, 90.0, steps) == pytest.approx(60 * 0.1 + 20 * 0.6)


@pytest.mark.parametrize(
    "bad",
    [
        (DepthCost(to_pct=50.0, per_kwh=0.2), DepthCost(to_pct=20.0, per_kwh=0.3)),
        (DepthCost(to_pct=50.0, per_kwh=0.2), DepthCost(to_pct=80.0, per_kwh=0.1)),
        (DepthCost(to_pct=120.0, per_kwh=0.2),),
        (DepthCost(to_pct=50.0, per_kwh=-0.2),),
        (DepthCost(to_pct=50.0, per_kwh=float("nan")),),
    ],
)
def test_costs_that_do_not_ascend_are_refused(bad: tuple[DepthCost, ...]) -> None:
    battery: Battery = replace(STORE, depth_costs=bad)
    result = plan_task(hourly_task([900, 1050], battery), monotonic_s=time.monotonic)
    assert result.status is SolveStatus.FAILED
    assert "depth_costs do not ascend" in result.reason
