"""Everything around a call at once, by chance: cooling ahead, comfort, payback, announced calls
that may be cancelled, ramps, batteries that wear by depth, temperatures, prices, order. No rule is
broken, every plan passes its check, every setpoint has a reason."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest

from gridctl.model.planning import PlanningTask, ResourceState, SolveStatus
from gridctl.model.policy import Policy
from gridctl.model.resource import Comfort, DepthCost, LoadGroup, Precool
from optimizer.plan import plan_task
from tests.optimizer.rules import broken
from tests.optimizer.small import (
    BATTERY,
    HOUR_S,
    START_S,
    at_rest,
    demand_event,
    group,
    hourly_task,
    two_nodes,
)
from tests.optimizer.test_hot_spot import IEEE
from tests.optimizer.test_why import without_reason

WORN = replace(
    BATTERY,
    energy_kwh=200.0,
    depth_costs=(
        DepthCost(to_pct=20.0, per_kwh=0.0),
        DepthCost(to_pct=60.0, per_kwh=0.1),
        DepthCost(to_pct=90.0, per_kwh=0.5),
    ),
)


def a_group(chance: np.random.Generator) -> LoadGroup:
    ahead = Precool(
        rating_kw=chance.uniform(20, 60),
        energy_kwh=chance.uniform(20, 80),
        ahead_s=float(chance.choice([HOUR_S, 2 * HOUR_S])),
        fade_h=float(chance.choice([0.0, 4.0])),
    )
    return group(
        "G",
        rebound=tuple(chance.uniform(0, 0.5, 2).tolist()),
        comfort=Comfort(
            energy_kwh=chance.uniform(60, 140), fade_h=float(chance.choice([0.0, 3.0]))
        ),
        precool=ahead,
        cancel_cost=float(chance.choice([1.0, 30.0])),
        level_min=0.1,
        starts_per_day_max=int(chance.integers(1, 4)),
    )


def a_history(chance: np.random.Generator, own: LoadGroup) -> ResourceState:
    """At rest, being cooled, in a call after cooling, or announced."""
    cooled = ((START_S - 5400.0, START_S - 1800.0, 20.0),)
    states = (
        at_rest(own),
        at_rest(own, setpoint_kw=-20.0, precooled=((START_S - 1800.0, START_S, 20.0),)),
        at_rest(
            own,
            setpoint_kw=40.0,
            active_since_s=START_S - 1800.0,
            starts_today=1,
            precooled=cooled,
        ),
        at_rest(own, announced=((START_S + HOUR_S, START_S + 2 * HOUR_S),)),
    )
    return states[int(chance.integers(len(states)))]


def a_task(seed: int) -> PlanningTask:
    chance = np.random.default_rng(seed)
    count = int(chance.integers(4, 9))
    own = a_group(chance)
    other = group("H", cost_per_kwh=0.5, cancel_cost=5.0, level_min=0.1,
                  ramp_kw_per_min=float(chance.choice([0.8, 5.0])))  # fmt: skip
    told = ((START_S + 2 * HOUR_S, START_S + 3 * HOUR_S),) if chance.random() < 0.4 else ()
    task = hourly_task(
        chance.uniform(850, 1200, count).tolist(),
        own,
        other,
        WORN,
        states=[
            a_history(chance, own),
            at_rest(other, announced=told),
            at_rest(WORN, soc_pct=chance.uniform(15, 85)),
        ],
        feeder=two_nodes(rating_a=50.0),
        limit_kw=float(chance.choice([980.0, 1050.0, 1100.0])),
        requests=(demand_event(60, 1, 2),) if chance.random() < 0.4 else (),
    )
    hot = replace(IEEE, hot_spot_max_c=float(chance.choice([100.0, 115.0])))
    return replace(
        task,
        policy=Policy(
            hot_spots=(hot,) if chance.random() < 0.6 else (),
            temperature_c=(30.0,) * count,
            reserve_kw=float(chance.choice([0.0, 40.0])),
            price_per_kwh=tuple(chance.uniform(0, 0.3, count)) if chance.random() < 0.4 else (),
            strict_priority=bool(chance.random() < 0.3),
            fairness=float(chance.choice([0.0, 2.0])),
        ),
    )


def kept(seed: int) -> None:
    task = a_task(seed)
    result = plan_task(task, monotonic_s=time.monotonic)
    assert result.status not in (SolveStatus.FAILED, SolveStatus.INFEASIBLE), result.reason
    assert broken(task, result) == []
    assert without_reason(task, result) == []
    assert result.verification is None or result.verification.ok, result.verification


@pytest.mark.parametrize("seed", range(8))
def test_all_of_it_together(seed: int) -> None:
    kept(seed)


@pytest.mark.soak
@pytest.mark.timeout(1200)
def test_all_of_it_together_at_length() -> None:
    for seed in range(400):
        kept(seed)
