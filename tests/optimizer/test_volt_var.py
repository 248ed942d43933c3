"""Kvar in plans: setpoints that hold a voltage, and curves that inverters follow by themselves."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest

from gridctl.model.planning import PlanningResult, PlanningTask, SolveStatus
from gridctl.model.policy import Existing, Policy
from gridctl.model.resource import PvInverter, Reactive
from optimizer.plan import network_of, plan_task
from optimizer.problem import build_problem
from optimizer.resources.reactive import volt_var_kvar
from optimizer.volt_var import followers_of
from tests.optimizer.rules import broken
from tests.optimizer.small import BATTERY, PV, at_rest, hourly_task, two_nodes

LONG = two_nodes(r_ohm=4.0, x_ohm=4.0)
CURVE = ((0.92, 200.0), (0.98, 0.0), (1.02, 0.0), (1.08, -200.0))


def planned(task: PlanningTask) -> PlanningResult:
    result = plan_task(task, monotonic_s=time.monotonic)
    assert broken(task, result) == []
    return result


def a_low_voltage(pv: PvInverter, *, kw: float = 1750.0) -> PlanningTask:
    """Low at the far end, no limit of import in reach; the sun gives 100 kW."""
    weak = at_rest(pv, available_kw=100.0, power_kw=100.0)
    task = hourly_task([kw] * 3, pv, states=[weak], feeder=LONG, limit_kw=9000.0)
    return replace(task, policy=Policy(existing_voltage=Existing.HARD))


def lowest(result: PlanningResult) -> tuple[float, float]:
    check = result.verification
    assert check is not None
    assert check.ok, check.reasons
    return check.before.worst_voltage_pu, check.after.worst_voltage_pu


def test_kvar_hold_a_voltage_that_kw_cannot() -> None:
    helping = replace(PV, reactive=Reactive(rating_kva=600.0, kvar_max=500.0))
    alone = planned(a_low_voltage(PV))
    assert alone.status is SolveStatus.INFEASIBLE
    result = planned(a_low_voltage(helping))
    before, after = lowest(result)
    assert before < 0.948
    assert after == pytest.approx(0.95, abs=6e-4)
    assert all(s.kvar > 50.0 for s in result.setpoints), "given, where the voltage is low"
    assert all(s.kw == PV.rating_kw for s in result.setpoints), "no sun is thrown away"


def test_a_battery_gives_kvar_beside_its_kw() -> None:
    battery = replace(BATTERY, rating_kw=100.0, reactive=Reactive(rating_kva=120.0, kvar_max=110.0))
    task = hourly_task([2000.0] * 3, battery, feeder=LONG, limit_kw=9000.0)
    task = replace(task, policy=Policy(existing_voltage=Existing.HARD))
    result = planned(task)
    before, after = lowest(result)
    assert after > before
    assert any(s.kvar > 10.0 for s in result.setpoints)


def test_in_the_precise_mode_losses_fall_by_kvar() -> None:
    """The town draws kvar over the long line: given where they are drawn, it carries less."""
    helping = replace(PV, reactive=Reactive(rating_kva=600.0, kvar_max=500.0))
    task = a_low_voltage(helping, kw=1000.0)
    task = replace(task, policy=Policy(loss_price_per_kwh=1.0))
    result = planned(task)
    check = result.verification
    assert check is not None
    assert check.after.losses_kw < 0.95 * check.before.losses_kw


def test_a_curve_gives_what_it_says_and_what_the_kva_leave() -> None:
    reactive = Reactive(rating_kva=250.0, kvar_max=200.0, volt_var=CURVE)
    volts = np.array([0.90, 0.95, 1.0, 1.05, 1.05])
    kw = np.array([0.0, 0.0, 0.0, 0.0, 240.0])
    found = volt_var_kvar(reactive, volts, kw)
    assert found == pytest.approx([200.0, 100.0, 0.0, -100.0, -70.0])


def test_an_inverter_with_a_curve_acts_in_every_power_flow_and_takes_no_setpoint() -> None:
    following = replace(PV, reactive=Reactive(rating_kva=400.0, kvar_max=200.0, volt_var=CURVE))
    task = a_low_voltage(following)
    plain = network_of(task)
    network = plain.seen(followers=followers_of(task, plain.node_phases))
    with_curve, without = build_problem(task, network), build_problem(task, plain)
    row = plain.index("load", "A")
    v_pu, bare = with_curve.base_flow.v_pu[row], without.base_flow.v_pu[row]
    assert np.all(v_pu > bare + 0.001)
    told = with_curve.base_flow.injection_kvar[row]
    wanted = np.interp(v_pu, [v for v, _ in CURVE], [q for _, q in CURVE]) / 3.0
    assert told == pytest.approx(wanted, abs=0.2), "what its curve says of what it sees"
    result = planned(task)
    assert all(s.kvar == 0.0 for s in result.setpoints)


def test_a_plan_counts_on_the_curve() -> None:
    """Without it the battery has more to do."""
    battery = replace(BATTERY, rating_kw=600.0, energy_kwh=6000.0)
    following = replace(PV, reactive=Reactive(rating_kva=400.0, kvar_max=200.0, volt_var=CURVE))

    def given(pv: PvInverter) -> float:
        weak = at_rest(pv, available_kw=100.0, power_kw=100.0)
        states = [weak, at_rest(battery)]
        task = hourly_task([2000] * 3, pv, battery, states=states, feeder=LONG, limit_kw=9000.0)
        result = planned(replace(task, policy=Policy(existing_voltage=Existing.HARD)))
        assert lowest(result)[1] >= 0.95 - 6e-4
        return sum(s.kw for s in result.setpoints if s.resource == "B")

    assert given(following) < given(PV) - 100.0
