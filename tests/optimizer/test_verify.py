"""The AC check passes good plans, and fails bad ones in words."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from gridctl.model.canonical import digest
from gridctl.model.planning import NetworkLimits, PlanningTask, Setpoint, Verification
from gridctl.model.resource import Battery, LoadGroup
from optimizer.existing import told_further
from optimizer.problem import Problem, build_problem
from optimizer.regulated import RegulatedNetwork
from optimizer.verify import ENGINE, verify
from sim.engine import Engine
from sim.feeder import consumer_branches
from tests.optimizer.tasks import fleet, ieee123, ieee123_task

COUNT = 4
PEAK = 2


@cache
def network() -> RegulatedNetwork:
    return RegulatedNetwork(ieee123())


def flat_task(*, head_kw: tuple[float, ...], limits: NetworkLimits | None = None) -> PlanningTask:
    task = ieee123_task(count=COUNT, limit_kw=3250.0)
    forecast = replace(task.forecast, values_kw=(head_kw, head_kw, head_kw))
    return replace(task, forecast=forecast, limits=limits if limits is not None else task.limits)


def peak_problem(limits: NetworkLimits | None = None) -> Problem:
    return build_problem(
        flat_task(head_kw=(2900.0, 3100.0, 3400.0, 3000.0), limits=limits), network()
    )


def shed_all(problem: Problem, interval: int, share: float = 1.0) -> tuple[Setpoint, ...]:
    """Every load group sheds `share` of what it has."""
    return tuple(
        Setpoint(
            resource=r.mrid,
            interval=interval,
            kw=share * problem.states[r.mrid].available_kw,
            effect_kw=0.0,
        )
        for r in problem.task.resources
        if isinstance(r, LoadGroup)
    )


def judged(
    problem: Problem, setpoints: tuple[Setpoint, ...], shortfall_kw: float = 0.0
) -> Verification:
    flow = problem.case_with(setpoints).flow(network())
    return verify(
        problem,
        network(),
        setpoints,
        linear_v_pu=flow.v_pu + 0.001,
        shortfall_kw=np.full(COUNT, shortfall_kw),
    )


def test_the_case_without_the_plan_is_the_forecast() -> None:
    problem = peak_problem()
    check = judged(problem, shed_all(problem, PEAK))
    assert check.engine == ENGINE
    assert check.before.head_kw == pytest.approx((2900.0, 3100.0, 3400.0, 3000.0), abs=0.05)


def test_a_plan_that_keeps_the_limit_passes_and_shows_its_deepest_interval() -> None:
    problem = peak_problem()
    check = judged(problem, shed_all(problem, PEAK, share=0.3))
    assert check.ok, check.reasons
    assert check.before.violations >= 1
    assert check.after.violations < check.before.violations
    assert check.after.head_kw[PEAK] < 3250.0 < check.before.head_kw[PEAK]
    assert check.after.head_kw[0] == pytest.approx(check.before.head_kw[0], abs=0.01)
    assert check.after.losses_kw < check.before.losses_kw
    assert check.linear_error_pu == pytest.approx(0.001, abs=1e-9)
    at = {(v.node, v.phase): v for v in check.voltages}
    assert len(at) == int(network().energised.sum())
    flow = problem.base_flow
    row = network().index("114", "A")
    assert at["114", "A"].before_pu == pytest.approx(flow.v_pu[row, PEAK])
    assert at["114", "A"].after_pu > at["114", "A"].before_pu
    assert len(digest(check)) == 64


def test_the_worst_is_named_with_its_place() -> None:
    problem = peak_problem()
    case = judged(problem, ()).before
    flow = problem.base_flow
    node, phase = case.worst_voltage_at.split(".")
    assert case.worst_voltage_pu == pytest.approx(flow.v_pu[network().index(node, phase)].min())
    assert case.worst_voltage_pu == pytest.approx(flow.v_pu[network().energised].min())
    assert case.highest_voltage_pu == pytest.approx(flow.v_pu.max())
    assert case.worst_loading_pct == pytest.approx(flow.branch_loading_pct.max())
    assert case.worst_loading_at in flow.branch_names


def test_a_plan_that_misses_the_limit_fails_unless_it_says_so() -> None:
    problem = peak_problem()
    little = shed_all(problem, PEAK, share=0.1)
    check = judged(problem, little)
    assert not check.ok
    assert any("interval 2: the head imports" in r for r in check.reasons)
    assert judged(problem, little, shortfall_kw=150.0).ok


def test_sg16_a_plan_that_breaks_a_voltage_fails_and_names_the_place() -> None:
    """A fleet of batteries that charges at full power in the evening peak drags a phase down."""
    limits = NetworkLimits(
        head_import_kw=9000.0, voltage_min_pu=0.987, voltage_max_pu=1.06, loading_max_pct=300.0
    )
    problem = peak_problem(limits)
    charge = tuple(
        Setpoint(resource=r.mrid, interval=PEAK, kw=-r.rating_kw, effect_kw=0.0)
        for r in fleet()
        if isinstance(r, Battery)
    )
    check = judged(problem, charge)
    assert not check.ok
    assert "takes the voltage" in check.reasons[0]
    assert "interval 2" in check.reasons[0]
    assert check.after.violations > check.before.violations


def test_sg16_what_is_broken_already_gets_worse_by_no_more_than_the_figure_and_it_is_told() -> None:
    """The trunk is a little beyond its rating without the plan, and further with its charging."""
    loading = float(peak_problem().base_flow.branch_loading_pct.max())
    limits = NetworkLimits(
        head_import_kw=9000.0,
        voltage_min_pu=0.8,
        voltage_max_pu=1.2,
        loading_max_pct=loading - 0.5,
    )
    charge = tuple(
        Setpoint(resource=r.mrid, interval=PEAK, kw=-0.1 * r.rating_kw, effect_kw=0.0)
        for r in fleet()
        if isinstance(r, Battery)
    )
    for pct, passes in ((0.0, False), (1.0, False), (4.0, True)):
        task = flat_task(head_kw=(2900.0, 3100.0, 3400.0, 3000.0), limits=limits)
        policy = replace(task.policy, existing_worse_pct=pct)
        problem = build_problem(replace(task, policy=policy), network())
        check = judged(problem, charge)
        rise = check.after.worst_loading_pct - check.before.worst_loading_pct
        assert 1.1 < rise < 4.0
        assert check.ok is passes, (pct, rise)
        flow = problem.case_with(charge).flow(network())
        told = told_further(problem, network(), flow)
        assert len(told) == (pct > 0.0)
        assert all("1 branches by up to" in f.text and f"{pct:g} %" in f.text for f in told)
    fresh = replace(limits, loading_max_pct=loading + 0.5)
    task = flat_task(head_kw=(2900.0, 3100.0, 3400.0, 3000.0), limits=fresh)
    task = replace(task, policy=replace(task.policy, existing_worse_pct=4.0))
    assert not judged(build_problem(task, network()), charge).ok, "it keeps its limit without it"


def test_an_overloaded_branch_fails_by_name() -> None:
    loading = float(peak_problem().base_flow.branch_loading_pct.max())
    limits = NetworkLimits(
        head_import_kw=9000.0,
        voltage_min_pu=0.8,
        voltage_max_pu=1.2,
        loading_max_pct=loading + 0.5,
    )
    problem = peak_problem(limits)
    charge = tuple(
        Setpoint(resource=r.mrid, interval=PEAK, kw=-r.rating_kw, effect_kw=0.0)
        for r in fleet()
        if isinstance(r, Battery)
    )
    check = judged(problem, charge)
    assert check.before.violations == 0
    assert any(
        r.startswith("REG1 in interval 2: the plan takes the loading") for r in check.reasons
    )


def test_divergence_is_a_no_with_a_reason_and_a_canonical_form() -> None:
    problem = peak_problem()
    hopeless = replace(
        problem,
        base=replace(problem.base, load_scale=np.full(COUNT, 40.0)),
    )
    check = verify(hopeless, network(), (), linear_v_pu=problem.base_flow.v_pu)
    assert not check.ok
    assert "with the plan does not converge" in check.reasons[0]
    assert not check.after.converged
    assert len(digest(check)) == 64


def test_loads_that_cannot_be_scaled_to_the_forecast_are_told() -> None:
    """An export larger than what the sun gives has no consumers to explain it."""
    task = flat_task(head_kw=(2900.0, -4000.0, 3000.0, 3000.0))
    check = judged(build_problem(task, network()), ())
    assert not check.ok
    assert "interval 1: scaled to a forecast of -4000 kW" in check.reasons[0]


def test_opendss_sees_the_same_plan() -> None:
    """The effect that the check promises is the effect in the other engine, on the taps that the
    check says the regulators will be on."""
    problem = peak_problem()
    setpoints = shed_all(problem, PEAK)
    check = judged(problem, setpoints)
    model = network()
    case = problem.case_with(setpoints)
    taps = model.taps(problem.flow(case, model), PEAK)
    moved = [model.node_phases[i] for i in np.flatnonzero(case.injection_kw[:, PEAK])]
    engine = Engine(ieee123(), moved)
    for consumer in ieee123().consumers:
        for branch, kw, kvar in zip(
            consumer_branches(consumer), consumer.kw, consumer.kvar, strict=True
        ):
            factor = float(case.load_scale[PEAK])
            engine.set_load(consumer.mrid, branch, kw=kw * factor, kvar=kvar * factor)
    for node, phase in moved:
        row = model.index(node, phase)
        engine.set_injection(
            node,
            phase,
            kw=float(case.injection_kw[row, PEAK]),
            kvar=float(case.injection_kvar[row, PEAK]),
        )
    for regulator in ieee123().regulators:
        for phase, tap in zip(regulator.phases, taps[regulator.mrid], strict=True):
            engine.set_tap(regulator.mrid, phase, tap)
    seen = engine.solve()
    assert check.after.head_kw[PEAK] == pytest.approx(seen.head_kw, abs=0.05)
    voltages = {(v.node, v.phase): v.after_pu for v in check.voltages}
    for name, volt in zip(engine.node_phases, np.abs(seen.voltages_pu), strict=True):
        node, phase = name.rsplit(".", 1)
        assert voltages[node, phase] == pytest.approx(float(volt), abs=1e-5)
