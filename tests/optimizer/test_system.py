"""What a policy asks of all resources together, each wish alone, worked out by hand."""

from __future__ import annotations

import time
from dataclasses import replace
from itertools import pairwise

import pytest

from gridctl.model.planning import PlanningResult, PlanningTask, SolveStatus
from gridctl.model.policy import ImportPrice, Policy, Scenario
from optimizer.plan import plan_task
from tests.optimizer.rules import broken, series_of
from tests.optimizer.small import BATTERY, GENERATOR, HOUR_S, at_rest, group, hourly_task


def planned(task: PlanningTask, **policy: object) -> PlanningResult:
    asked = replace(task, policy=Policy(**policy))  # type: ignore[arg-type]
    result = plan_task(asked, monotonic_s=time.monotonic)
    assert broken(asked, result) == []
    return result


def shed(result: PlanningResult, mrid: str) -> list[float]:
    return series_of(result).get(mrid, [0.0] * result.horizon.count)


def test_a_battery_buys_cheap_and_sells_dear_and_no_sooner_than_it_pays() -> None:
    task = hourly_task([500, 500, 500, 500], replace(BATTERY, cost_per_kwh=0.02))
    result = planned(task, price_per_kwh=(0.10, 0.10, 0.50, 0.10))
    series = shed(result, "B")
    assert series[2] == pytest.approx(60.0, abs=0.1)
    assert min(series[:2]) < -10.0
    flat = planned(task, price_per_kwh=(0.10, 0.10, 0.11, 0.10))
    assert max(shed(flat, "B")) == 0.0, "0.81 of it comes back: not for a tenth"


def test_a_generator_runs_when_the_price_passes_its_cost() -> None:
    task = hourly_task([500] * 6, GENERATOR)
    result = planned(task, price_per_kwh=(0.2, 0.2, 0.9, 0.9, 0.9, 0.2))
    series = shed(result, "D")
    assert series[2:5] == pytest.approx([120.0] * 3, abs=0.1)
    assert series[0] == series[1] == series[5] == 0.0


def test_a_demand_charge_shaves_the_peak_but_not_below_what_it_was_already() -> None:
    task = hourly_task([600, 800, 950, 800], group("G", cost_per_kwh=0.2))
    free = planned(task, demand_charge_per_kw=10.0)
    assert max(free.head_after_kw) == pytest.approx(850.0, abs=0.5)
    paid = planned(task, demand_charge_per_kw=10.0, peak_so_far_kw=920.0)
    assert max(paid.head_after_kw) == pytest.approx(920.0, abs=0.5)


def test_import_that_is_priced_by_level_is_cut_as_far_as_it_pays() -> None:
    """A transformer's life: the first kW above 800 cost less than the group, those above 850 more,
    and in the first hour nothing counts."""
    task = hourly_task([900, 900, 900], group("G", cost_per_kwh=0.3))
    above = ((0.0,) * 3, (800.0,) * 3, (850.0,) * 3)
    price = ImportPrice(
        what="ageing of T1", above_kw=above, per_kwh=((0.01,) * 3, (0.2,) * 3, (0.0, 0.5, 0.5))
    )
    bad = replace(task, policy=Policy(import_prices=(price,)))
    assert "does not ascend" in plan_task(bad, monotonic_s=time.monotonic).reason
    per_kwh = ((0.01,) * 3, (0.02, 0.2, 0.2), (0.02, 0.5, 0.5))
    result = planned(task, import_prices=(replace(price, per_kwh=per_kwh),))
    assert shed(result, "G") == pytest.approx([0.0, 50.0, 50.0], abs=0.2)
    cheap = replace(price, per_kwh=((0.01,) * 3, (0.02,) * 3, (0.1,) * 3))
    assert planned(task, import_prices=(cheap,)).status is SolveStatus.NOT_NEEDED


def test_a_reserve_is_kept_for_what_may_come() -> None:
    first, second = group("a", cost_per_kwh=0.1), group("b", cost_per_kwh=0.2)
    task = hourly_task([900, 1100, 900], first, second)
    without = planned(task)
    assert shed(without, "a")[1] == pytest.approx(100.0, abs=0.1)
    # 100 of 200 kW are needed; a reserve of 150 cannot be kept then, one of 100 can.
    kept = planned(task, reserve_kw=100.0)
    assert kept.shortfalls == ()
    too_much = planned(task, reserve_kw=250.0)
    assert any("reserve" in f.text for f in too_much.findings)


def test_the_import_climbs_no_faster_than_its_ramp() -> None:
    task = hourly_task([500, 700, 900, 900], replace(BATTERY, energy_kwh=400.0, rating_kw=150.0))
    result = planned(task, ramp_kw_per_h=130.0)
    assert all(b - a <= 131.0 for a, b in pairwise(result.head_after_kw))


def test_not_all_groups_come_back_at_once() -> None:
    groups = [group(f"g{k}", duration_min_s=HOUR_S, duration_max_s=3 * HOUR_S) for k in range(3)]
    task = hourly_task([900, 1250, 900, 900, 900, 900], *groups, limit_kw=1000.0)
    together = planned(task)
    staggered = planned(task, return_kw_max=150.0)

    def most_back(result: PlanningResult) -> float:
        series = [shed(result, g.mrid) for g in groups]
        return max(
            sum(100.0 for s in series if s[t - 1] > 0.0 and s[t] == 0.0) for t in range(1, 6)
        )

    assert most_back(together) == 300.0
    assert most_back(staggered) == 100.0


def test_the_group_that_was_used_most_rests() -> None:
    used = group("used", hours_per_season_max=60.0, cost_per_kwh=0.29)
    fresh = group("fresh", hours_per_season_max=60.0, cost_per_kwh=0.30)
    task = hourly_task(
        [900, 1080, 900], used, fresh, states=[at_rest(used, hours_season=30.0), at_rest(fresh)]
    )
    assert shed(planned(task), "used")[1] > 0.0
    fair = planned(task, fairness=1000.0)
    assert shed(fair, "used")[1] == 0.0
    assert shed(fair, "fresh")[1] == pytest.approx(80.0, abs=0.5)


STORM = (
    Scenario(probability=0.8, head_kw=(900.0, 1000.0, 900.0)),
    Scenario(probability=0.2, head_kw=(900.0, 1060.0, 900.0)),
)


def test_scenarios_share_one_plan_and_each_counts_with_its_probability() -> None:
    dear = group("G", cost_per_kwh=10.0)
    task = hourly_task([900, 1000, 900], dear)
    assert planned(task).status is SolveStatus.NOT_NEEDED
    # 100 times the dearest kWh and a fifth of it: twenty times what shedding costs.
    result = planned(task, scenarios=STORM)
    assert shed(result, "G")[1] == pytest.approx(60.0, abs=0.5)


def test_cvar_looks_at_the_worst_where_the_mean_does_not() -> None:
    rare = (replace(STORM[0], probability=0.995), replace(STORM[1], probability=0.005))
    task = hourly_task([900, 1000, 900], group("G", cost_per_kwh=10.0))
    on_average = planned(task, scenarios=rare)
    assert "G" not in series_of(on_average), "a half of a hundredth of a hundred: not worth it"
    worst = planned(task, scenarios=rare, cvar_weight=1.0, cvar_level=0.99)
    assert shed(worst, "G")[1] == pytest.approx(60.0, abs=0.5)


def test_a_policy_that_does_not_fit_is_refused_in_words() -> None:
    task = replace(
        hourly_task([900, 1000, 900], group("G")), policy=Policy(price_per_kwh=(0.1, 0.2))
    )
    result = plan_task(task, monotonic_s=time.monotonic)
    assert result.status is SolveStatus.FAILED
    assert "price_per_kwh has 2 values, the horizon 3" in result.reason
