"""What a plan must keep to, row by row, and what breaking it costs.

Every limit is soft, so that there always is a solution; what a kW, a per cent or 0.01 pu too much
costs goes up from tier to tier: contract target, import limit, thermal limit, voltage, voltage
beyond the emergency band. An overloaded branch is mended as far as any resource can, also one that
is overloaded now: nothing but the customers and the devices can take current off it. To overload
one that would not be, or one that is any further (rebound does), is dearer than all that mending
is worth: the AC check refuses it. A voltage that
is broken in interval 0 already, without any control, may stay as it is there but must not get
worse.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np

from gridctl.model.planning import PlanningTask
from gridctl.model.policy import Existing
from gridctl.model.program import DispatchRequest, RequestState
from optimizer.arrays import BoolArray, FloatArray
from optimizer.problem import Problem
from optimizer.regulated import RegulatedNetwork
from optimizer.timegrid import TimeGrid
from optimizer.unbalance import node_of

OPEN_REQUESTS = (RequestState.RECEIVED, RequestState.PLANNED, RequestState.ACTIVE)
PRE_EXISTING_MARGIN_PU = 1e-4


class Limit(StrEnum):
    """Families of rows that a plan must respect."""

    IMPORT = "head import"
    TARGET = "contract target"
    EXPORT = "head export"
    VOLTAGE_LOW = "voltage low"
    VOLTAGE_HIGH = "voltage high"
    LOADING = "branch loading"
    UNBALANCE = "voltage unbalance"
    HOT_SPOT = "transformer temperature"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tiers:
    """Price of one unit too much for one hour, as multiples of the dearest resource's kWh."""

    target_kw: float = 20.0
    import_kw: float = 100.0
    loading_pct: float = 5e3
    loading_harm_pct: float = 1e5
    voltage_pct_pu: float = 1e5
    emergency_pct_pu: float = 1e6


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Allowance:
    """By how much each node-phase (n, 1), pu, and each branch (B, 1), points, may be further beyond
    its limit than without the plan; 0 where it keeps its limit in every interval without it.

    Where load is taken off, the voltage rises and regulators step down until it is back in their
    band: a place behind them of which nothing is taken off has a step less, and its constant power
    draws as much more current. So "not worse" is a figure of the policy."""

    voltage_pu: FloatArray
    loading_pct: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Bounds:
    """Limits of each node-phase, branch and interval; infinite where there is none.

    `target_kw` (T,): greatest import that keeps all contract targets, infinite outside of events;
    `least_kw` (T,): least import that keeps the export within what events allow, -infinite outside.
    `further`: what the AC check lets pass beyond a limit that is broken without the plan.
    """

    import_kw: float
    target_kw: FloatArray
    least_kw: FloatArray
    v_low_pu: FloatArray
    v_high_pu: FloatArray
    loading_pct: FloatArray
    further: Allowance


def wanted_kw(requests: Sequence[DispatchRequest], grid: TimeGrid) -> FloatArray:
    """Reduction of the import that the open requests ask for in each interval, kW (T,).

    Requests that overlap add up: each asker is owed its own kW against the import without control.
    A request counts in full in every interval that it touches.
    """
    total = np.zeros(grid.count)
    for request in requests:
        if request.state in OPEN_REQUESTS:
            touched = (request.start_s < grid.end_s) & (request.end_s > grid.begin_s)
            total += np.where(touched, request.target_kw, 0.0)
    return total


def emergency(requests: Sequence[DispatchRequest], grid: TimeGrid) -> BoolArray:
    """(T,): the intervals in which an open request of the emergency class asks for less import."""
    found = np.zeros(grid.count, dtype=np.bool_)
    for request in requests:
        if request.is_emergency and request.state in OPEN_REQUESTS and request.target_kw > 0.0:
            found |= (request.start_s < grid.end_s) & (request.end_s > grid.begin_s)
    return found


def export_max_kw(task: PlanningTask, grid: TimeGrid) -> FloatArray:
    """The most that open requests let the feeder export in each interval, kW (T,): the strictest of
    those that touch it; infinite where there is none."""
    most = np.full(grid.count, np.inf)
    for request in task.requests:
        if request.export_max_kw is not None and request.state in OPEN_REQUESTS:
            touched = (request.start_s < grid.end_s) & (request.end_s > grid.begin_s)
            most = np.where(touched, np.minimum(most, request.export_max_kw), most)
    return most


def least_expected_kw(task: PlanningTask) -> FloatArray:
    """The import against which a limit of export is held, kW (T,): the forecast's quantile as far
    below its middle as the plan's own is above it (more load than expected is the safe side)."""
    mirrored = 1.0 - task.quantile
    quantile = min(task.forecast.quantiles, key=lambda q: abs(q - mirrored))
    return np.array(task.forecast.at_quantile(quantile))


def least_import_kw(task: PlanningTask, grid: TimeGrid, head_kw: FloatArray) -> FloatArray:
    """Least import of a plan that is made for `head_kw` (T,), so that the export stays within what
    events allow, (T,); -infinite where there is none. It is higher than the limit by the distance
    between `head_kw` and the import that the limit is held against."""
    most = export_max_kw(task, grid)
    if np.isinf(most).all():
        return -most
    floor: FloatArray = np.maximum(head_kw - least_expected_kw(task), 0.0) - most
    return floor


def limit_bounds(problem: Problem, network: RegulatedNetwork) -> Bounds:
    """The task's limits on every row, with what is broken already let be as the policy says."""
    limits, flow, policy = problem.task.limits, problem.base_flow, problem.task.policy
    least_pu, most_pu = limits.voltage_min_pu, limits.voltage_max_pu
    if policy.voltage_band_pu is not None:
        least_pu = max(least_pu, policy.voltage_band_pu[0])
        most_pu = min(most_pu, policy.voltage_band_pu[1])
    v_now, margin = flow.v_pu[:, [0]], _voltage_margin_pu(problem, network)
    further = allowance(problem)
    low = _let_be(
        least_pu + margin,
        flow.v_pu - further.voltage_pu,
        v_now < limits.voltage_min_pu,
        policy.existing_voltage,
    )
    high = -_let_be(
        -(most_pu - margin),
        -flow.v_pu - further.voltage_pu,
        v_now > limits.voltage_max_pu,
        policy.existing_voltage,
    )
    low[~network.judged], high[~network.judged] = -np.inf, np.inf
    wanted = wanted_kw(problem.task.requests, problem.grid)
    rated = loading_limits(problem.task, flow.branch_names)
    loading_now = flow.branch_loading_pct[:, [0]] > rated[:, [0]] if rated.size else rated > 0.0
    return Bounds(
        import_kw=limits.head_import_kw,
        target_kw=np.where(wanted > 0.0, problem.head_kw - wanted, np.inf),
        least_kw=least_import_kw(problem.task, problem.grid, problem.head_kw),
        v_low_pu=low,
        v_high_pu=high,
        loading_pct=-_let_be(
            -rated,
            -flow.branch_loading_pct - further.loading_pct,
            loading_now,
            policy.existing_loading,
        ),
        further=further,
    )


def allowance(problem: Problem) -> Allowance:
    """What the task's policy says of "not worse"."""
    policy, limits, base = problem.task.policy, problem.task.limits, problem.base_flow
    beyond = (base.v_pu < limits.voltage_min_pu) | (base.v_pu > limits.voltage_max_pu)
    over = base.branch_loading_pct > loading_limits(problem.task, base.branch_names)
    return Allowance(
        voltage_pu=np.where(beyond.any(axis=1, keepdims=True), policy.existing_worse_pu, 0.0),
        loading_pct=np.where(over.any(axis=1, keepdims=True), policy.existing_worse_pct, 0.0),
    )


def loading_limits(task: PlanningTask, branches: Sequence[str]) -> FloatArray:
    """(B, T): what each branch may carry in each interval, per cent of its rating; by temperature
    where the policy says how; where temperatures are kept, what the loading guide allows besides.
    Unbalance is in per cent of its own limit."""
    found = np.full((len(branches), task.horizon.count), task.limits.loading_max_pct)
    temperature_c = np.array(task.policy.temperature_c)
    for rating in task.policy.ratings:
        above = temperature_c - rating.reference_c
        per_k = np.where(above > 0.0, rating.above_pct_per_k, rating.below_pct_per_k)
        share = rating.at_reference_pct / 100.0 * np.maximum(1.0 - above * per_k / 100.0, 0.0)
        found[list(branches).index(rating.branch)] *= share
    for own in task.policy.hot_spots:
        found[list(branches).index(own.branch)] = 100.0 * own.load_max
    found[[k for k, name in enumerate(branches) if node_of(name) is not None]] = 100.0
    return found


def loaded(name: str) -> tuple[Limit, str]:
    """What is loaded in a row of loadings, and where: a branch, or the unbalance at a node."""
    node = node_of(name)
    return (Limit.LOADING, name) if node is None else (Limit.UNBALANCE, node)


def _let_be(
    least: FloatArray | float, value: FloatArray, broken_now: BoolArray, policy: Existing
) -> FloatArray:
    """Least allowed values where some are broken in interval 0 already."""
    bound = np.broadcast_to(np.asarray(least, dtype=np.float64), value.shape).copy()
    if policy is Existing.HARD:
        return bound
    margin = PRE_EXISTING_MARGIN_PU
    as_it_is = np.minimum(value - margin, bound) if policy is Existing.NOT_WORSE else -np.inf
    return np.asarray(np.where(broken_now, as_it_is, bound))


def _voltage_margin_pu(problem: Problem, network: RegulatedNetwork) -> FloatArray | float:
    """(n, T): by how much voltage rows shrink, so that they hold when all load is off by the
    policy's deviations."""
    policy = problem.task.policy
    if policy.voltage_margin_sigma <= 0.0 or policy.load_sigma <= 0.0:
        return 0.0
    more = replace(problem.base, load_scale=problem.base.load_scale * (1.0 + policy.load_sigma))
    flow = more.flow(network, start=problem.base_flow, guess=problem.base_flow.positions)
    if not flow.converged:
        return 0.0
    margin: FloatArray = policy.voltage_margin_sigma * np.abs(flow.v_pu - problem.base_flow.v_pu)
    return margin
