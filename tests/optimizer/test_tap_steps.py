"""Taps and capacitors that a plan moves: whole steps, few of them, true on the AC model."""

from __future__ import annotations

import time
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from gridctl.model.network import Connection, ShuntCapacitor
from gridctl.model.planning import PlanningResult, PlanningTask, SolveStatus
from gridctl.model.policy import Existing, Movable, Policy
from optimizer.plan import network_of, plan_task
from optimizer.tap_steps import FARTHER, movers_of, whole
from optimizer.timegrid import TimeGrid, time_grid
from tests.optimizer.rules import broken
from tests.optimizer.small import KV, group, hourly_task, two_nodes
from tests.optimizer.tasks import ieee123, ieee123_task

BANK = ShuntCapacitor(
    mrid="cap",
    node="load",
    phases="ABC",
    connection=Connection.WYE,
    nominal_kv=KV,
    kvar=(150.0, 150.0, 150.0),
    is_closed=False,
    open_above_pu=1.2,
    close_below_pu=0.5,
)


def planned(task: PlanningTask) -> PlanningResult:
    result = plan_task(task, monotonic_s=time.monotonic)
    assert broken(task, result) == []
    return result


def series(result: PlanningResult, equipment: str) -> list[int]:
    found = [p.value for p in result.positions if p.equipment == equipment]
    assert all(isinstance(value, int) for value in found)
    return found


def low(*movable: Movable) -> PlanningTask:
    """A long line that sags below 0.95 pu in the second and third hour; its bank would not close by
    itself."""
    feeder = replace(two_nodes(r_ohm=4.0, x_ohm=4.0), capacitors=(BANK,))
    task = hourly_task([1000, 1700, 1700, 1000], group("G"), feeder=feeder, limit_kw=9000.0)
    return replace(task, policy=Policy(existing_voltage=Existing.HARD, movable=movable))


def test_a_bank_closes_when_the_voltage_asks_for_it_and_only_when_declared() -> None:
    alone = planned(low())
    assert alone.positions == ()
    assert any(s.limit.startswith("voltage low") for s in alone.shortfalls)
    result = planned(low(Movable(equipment="cap", moves_per_day_max=4, cost_per_move=0.1)))
    check = result.verification
    assert check is not None
    assert check.ok, check.reasons
    assert check.after.worst_voltage_pu >= 0.95 - 5e-4
    states = series(result, "cap")
    assert states[1:3] == [1, 1]
    assert states[0] == 0
    assert result.shortfalls == ()


def test_no_move_beyond_those_of_a_day() -> None:
    result = planned(low(Movable(equipment="cap", moves_per_day_max=0, cost_per_move=0.1)))
    assert set(series(result, "cap")) <= {0}
    assert any(s.limit.startswith("voltage low") for s in result.shortfalls)


def grid_of(task: PlanningTask, count: int) -> TimeGrid:
    horizon = replace(task.horizon, count=count)
    return time_grid(horizon, now_s=task.now_s, utc_offset_s=task.utc_offset_s)


def test_rounding_takes_whole_steps_makes_no_more_moves_than_there_are_and_stays() -> None:
    task = low(Movable(equipment="cap", moves_per_day_max=3, cost_per_move=0.1))
    (mover,) = movers_of(task.feeder, task.policy.movable)
    tap = replace(mover, low=-16, high=16, most=3)
    grid = grid_of(task, 6)
    base = np.zeros(6, dtype=np.intp)
    fractional = np.array([0.4, 0.5, 1.7, 1.4, 5.0, 5.0])
    assert whole(tap, base, 0, fractional, grid).tolist() == [0, 0, 2, 1, 1, 1], (
        "three moves, then none"
    )
    farther = whole(tap, base[:4], 0, fractional[:4], grid_of(task, 4), beyond=FARTHER)
    assert farther.tolist() == [1, 1, 2, 2]


@pytest.mark.parametrize(("step_s", "found"), [(60.0, [1, 0, 0, 0, 0, 0, 1]), (300.0, [1, 0, 1])])
def test_a_capacitor_rests_five_minutes_before_it_is_closed_again(
    step_s: float, found: list[int]
) -> None:
    task = low(Movable(equipment="cap", moves_per_day_max=9, cost_per_move=0.1))
    (mover,) = movers_of(task.feeder, task.policy.movable)
    count = len(found)
    grid = grid_of(replace(task, horizon=replace(task.horizon, step_s=step_s)), count)
    wanted = np.array([1.0, 0.0, *[1.0] * (count - 2)])
    assert whole(mover, np.zeros(count, dtype=np.intp), 1, wanted, grid).tolist() == found


def test_on_ieee_123_a_regulator_holds_a_band_by_plan() -> None:
    """The band lies where the relay's setting does not keep it."""
    feeder = ieee123()
    movable = tuple(
        Movable(equipment=r.mrid, moves_per_day_max=6, cost_per_move=0.01)
        for r in feeder.regulators
    )
    task = ieee123_task(count=6, limit_kw=9000.0)
    band = Policy(voltage_band_pu=(0.955, 1.035), existing_voltage=Existing.HARD)
    task = replace(task, policy=band)
    without = planned(task)
    result = planned(replace(task, policy=replace(band, movable=movable)))
    check = result.verification
    assert check is not None
    assert check.ok, check.reasons
    assert result.positions
    for r in feeder.regulators:
        values = series(result, r.mrid)
        assert all(r.tap_min <= v <= r.tap_max for v in values)
    moved = sum(
        abs(a - b)
        for r in feeder.regulators
        for phases in {p.phases for p in result.positions if p.equipment == r.mrid}
        for a, b in pairwise(
            p.value for p in result.positions if (p.equipment, p.phases) == (r.mrid, phases)
        )
    )
    assert moved <= 6 * len({(p.equipment, p.phases) for p in result.positions})

    def beyond(one: PlanningResult) -> float:
        return sum(s.amount for s in one.shortfalls)

    assert beyond(result) <= beyond(without) + 1e-6
    assert check.after.highest_voltage_pu < 1.04


def test_a_name_that_is_no_device_is_refused() -> None:
    result = plan_task(
        low(Movable(equipment="line", moves_per_day_max=1, cost_per_move=0.1)),
        monotonic_s=time.monotonic,
    )
    assert result.status is SolveStatus.FAILED
    assert "no regulator or switched capacitor line" in result.reason


def test_one_step_more_is_what_an_ac_power_flow_of_it_says() -> None:
    task = low(Movable(equipment="cap", moves_per_day_max=1, cost_per_move=0.1))
    network = network_of(task)
    flow = network.solve(load_scale=np.ones(2), guess=np.zeros((1, 2), dtype=np.intp))
    lift = network.step_slopes(flow, 0, [0]).dv_pu_per_kw[network.index("load", "A"), 0]
    closed = network.pinned({0: np.ones(2, dtype=np.intp)}).solve(load_scale=np.ones(2))
    rise = closed.v_pu[network.index("load", "A"), 0] - flow.v_pu[network.index("load", "A"), 0]
    assert lift == pytest.approx(rise, rel=1e-4)
    assert rise > 0.005
