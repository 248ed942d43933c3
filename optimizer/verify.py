"""The AC check of a plan: the same hours, once without and once with its setpoints.

What is judged (design paper optimizer.md §7 E, SG-14, SG-15): every node-phase's voltage, every
rated branch's loading and the head's import, in every interval. A plan passes when both cases
converge, nothing is violated that was not violated without it, nothing that was violated gets
worse (by more than the policy's figure), and the head's import stays under its limit, and above the
least that keeps the export that events allow, except for a shortfall that the plan itself declares.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gridctl.model.planning import (
    CaseResult,
    NetworkLimits,
    NodeVoltage,
    Position,
    Setpoint,
    Verification,
)
from gridctl.model.policy import Existing
from optimizer.arrays import BoolArray, FloatArray
from optimizer.limits import (
    Allowance,
    Limit,
    allowance,
    least_import_kw,
    loaded,
    loading_limits,
)
from optimizer.network import FlowResult
from optimizer.problem import Problem
from optimizer.regulated import RegulatedNetwork
from optimizer.unbalance import node_of

ENGINE = "gridctl Z-bus"
VOLTAGE_TOLERANCE_PU = 5e-4
LOADING_TOLERANCE_PCT = 0.1
HEAD_TOLERANCE = 1e-3
"""Share of the head's limit. A value beyond its limit by more than its tolerance is a violation."""
BASE_TOLERANCE_KW = 1.0
REASONS_PER_KIND = 3


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Excess:
    """By how much each limit is passed, 0 where it is kept: voltages (n, T) in pu, loadings (B, T)
    in percent points, the head's import and export (T,) in kW."""

    voltage_pu: FloatArray
    loading_pct: FloatArray
    head_kw: FloatArray
    export_kw: FloatArray


def excess_of(
    flow: FlowResult,
    limits: NetworkLimits,
    judged: BoolArray,
    loading_max_pct: FloatArray | None = None,
    least_kw: FloatArray | None = None,
) -> Excess:
    """What `flow` exceeds; only node-phases that are `judged` have a voltage to keep.
    `loading_max_pct` (B, T): where ratings follow the weather; `least_kw` (T,): where events limit
    the export."""
    rated = limits.loading_max_pct if loading_max_pct is None else loading_max_pct
    low = limits.voltage_min_pu - flow.v_pu
    high = flow.v_pu - limits.voltage_max_pu
    return Excess(
        voltage_pu=np.where(judged[:, None], np.clip(np.maximum(low, high), 0.0, None), 0.0),
        loading_pct=np.clip(flow.branch_loading_pct - rated, 0.0, None),
        head_kw=np.clip(flow.head_kw - limits.head_import_kw, 0.0, None),
        export_kw=np.zeros_like(flow.head_kw)
        if least_kw is None
        else np.clip(least_kw - flow.head_kw, 0.0, None),
    )


def verify(
    problem: Problem,
    network: RegulatedNetwork,
    setpoints: Sequence[Setpoint],
    *,
    linear_v_pu: FloatArray,
    shortfall_kw: FloatArray | None = None,
    export_shortfall_kw: FloatArray | None = None,
    near: FlowResult | None = None,
    positions: Sequence[Position] = (),
) -> Verification:
    """Judge `setpoints` on the AC model.

    `linear_v_pu` (n, T): the voltages that the linear programme expected (their greatest error is
    reported); `shortfall_kw` (T,): by how much the plan itself says that it misses the head's
    limit (none when None), `export_shortfall_kw` the same of the export; `near`: a flow to begin
    from; `positions` of what the plan moves. Raises ValueError for a setpoint that does not belong
    to the task.
    """
    limits = problem.task.limits
    before = problem.base_flow
    after = problem.flow(problem.case_with(setpoints, positions), network, start=near)
    live = network.judged
    rated = loading_limits(problem.task, before.branch_names)
    least_kw = least_import_kw(problem.task, problem.grid, problem.head_kw)
    diverged = tuple(
        f"the AC power flow {word} the plan does not converge after {flow.iterations} iterations"
        for word, flow in (("without", before), ("with", after))
        if not flow.converged
    )
    if diverged:
        return Verification(
            engine=ENGINE,
            before=_case(before, network, limits, rated, least_kw),
            after=_case(after, network, limits, rated, least_kw),
            linear_error_pu=0.0,
            voltages=(),
            ok=False,
            reasons=diverged,
        )
    before_case, after_case = (
        _case(flow, network, limits, rated, least_kw) for flow in (before, after)
    )
    if problem.task.policy.existing_loading is Existing.MAY_WORSEN and rated.size:
        rated[before.branch_loading_pct[:, 0] > rated[:, 0]] = np.inf
    reasons = (
        *base_reasons(problem),
        *_worse_reasons(
            excess_of(before, limits, live, rated),
            excess_of(after, limits, _judged(problem, live), rated),
            allowance(problem),
            network,
        ),
        *_head_reasons(after, limits, shortfall_kw),
        *_export_reasons(after, limits, least_kw, export_shortfall_kw),
    )
    relief_kw = before.head_kw - after.head_kw
    deepest = int(np.argmax(relief_kw if relief_kw.max() > 0.0 else np.abs(relief_kw)))
    return Verification(
        engine=ENGINE,
        before=before_case,
        after=after_case,
        linear_error_pu=float(np.max(np.abs(after.v_pu - linear_v_pu)[live], initial=0.0)),
        voltages=tuple(
            NodeVoltage(
                node=node,
                phase=phase,
                before_pu=float(before.v_pu[i, deepest]),
                after_pu=float(after.v_pu[i, deepest]),
            )
            for i, (node, phase) in enumerate(network.node_phases)
            if live[i]
        ),
        ok=not reasons,
        reasons=reasons,
    )


def _judged(problem: Problem, live: BoolArray) -> BoolArray:
    """Without those that are broken now where the policy lets them get worse."""
    policy, limits = problem.task.policy, problem.task.limits
    if policy.existing_voltage is not Existing.MAY_WORSEN:
        return live
    now = problem.base_flow.v_pu[:, 0]
    return live & (now >= limits.voltage_min_pu) & (now <= limits.voltage_max_pu)


def _case(
    flow: FlowResult,
    network: RegulatedNetwork,
    limits: NetworkLimits,
    rated: FloatArray,
    least_kw: FloatArray,
) -> CaseResult:
    """The worst of a flow over all intervals; all zero when it did not converge."""
    if not flow.converged:
        return CaseResult(
            converged=False,
            worst_voltage_pu=0.0,
            worst_voltage_at="",
            highest_voltage_pu=0.0,
            highest_voltage_at="",
            worst_loading_pct=0.0,
            worst_loading_at="",
            violations=0,
            losses_kw=0.0,
            head_kw=(),
        )
    live = np.flatnonzero(network.judged)
    lowest = live[np.argmin(flow.v_pu[live].min(axis=1))]
    highest = live[np.argmax(flow.v_pu[live].max(axis=1))]
    branches = [k for k, name in enumerate(flow.branch_names) if node_of(name) is None]
    loading = flow.branch_loading_pct[branches].max(axis=1) if branches else np.zeros(0)
    fullest = int(np.argmax(loading)) if loading.size else -1
    over = excess_of(flow, limits, network.judged, rated, least_kw)
    head_kw = HEAD_TOLERANCE * abs(limits.head_import_kw)
    return CaseResult(
        converged=True,
        worst_voltage_pu=float(flow.v_pu[lowest].min()),
        worst_voltage_at=_place(network, int(lowest)),
        highest_voltage_pu=float(flow.v_pu[highest].max()),
        highest_voltage_at=_place(network, int(highest)),
        worst_loading_pct=float(loading[fullest]) if loading.size else 0.0,
        worst_loading_at=flow.branch_names[fullest] if loading.size else "",
        violations=int(
            np.count_nonzero(over.voltage_pu > VOLTAGE_TOLERANCE_PU)
            + np.count_nonzero(over.loading_pct > LOADING_TOLERANCE_PCT)
            + np.count_nonzero(over.head_kw > head_kw)
            + np.count_nonzero(over.export_kw > head_kw)
        ),
        losses_kw=float(flow.losses_kw.max()),
        head_kw=tuple(map(float, flow.head_kw)),
    )


def _place(network: RegulatedNetwork, row: int) -> str:
    node, phase = network.node_phases[row]
    return f"{node}.{phase}"


def base_reasons(problem: Problem) -> tuple[str, ...]:
    """The case without a plan must be the forecast, or the check is of some other day."""
    miss = np.abs(problem.base_flow.head_kw - problem.head_kw)
    k = int(np.argmax(miss))
    if miss[k] <= max(BASE_TOLERANCE_KW, HEAD_TOLERANCE * abs(float(problem.head_kw[k]))):
        return ()
    found, asked = round(float(problem.base_flow.head_kw[k])), round(float(problem.head_kw[k]))
    return (f"interval {k}: scaled to a forecast of {asked} kW, the loads draw {found} kW",)


def _worse_reasons(
    before: Excess, after: Excess, further: Allowance, network: RegulatedNetwork
) -> tuple[str, ...]:
    """Voltages and loadings that the plan pushes beyond a limit, or further beyond it."""
    voltage = [
        f"{_place(network, i)} in interval {k}: the plan takes the voltage {size:.4f} pu beyond"
        f" its limit ({before.voltage_pu[i, k]:.4f} without it)"
        for i, k, size in _worse(
            before.voltage_pu, after.voltage_pu, VOLTAGE_TOLERANCE_PU + further.voltage_pu
        )
    ]
    loading = [
        f"{_at(network.branch_names[b], k)}: the plan takes the {_what(network.branch_names[b])}"
        f" {size:.1f} % beyond"
        f" its limit ({before.loading_pct[b, k]:.1f} without it)"
        for b, k, size in _worse(
            before.loading_pct, after.loading_pct, LOADING_TOLERANCE_PCT + further.loading_pct
        )
    ]
    return (*voltage, *loading)


def _at(name: str, interval: int) -> str:
    return f"{loaded(name)[1]} in interval {interval}"


def _what(name: str) -> str:
    return "loading" if loaded(name)[0] is Limit.LOADING else "voltage unbalance"


def _worse(
    before: FloatArray, after: FloatArray, tolerance: FloatArray
) -> list[tuple[int, int, float]]:
    """(row, interval, excess) of the worst rows whose excess the plan raises by more than
    `tolerance` (rows, 1)."""
    rise = np.where(after - before > tolerance, after, 0.0)
    if not rise.size:
        return []
    interval = np.argmax(rise, axis=1)
    size = rise[np.arange(len(rise)), interval]
    worst = np.argsort(-size, kind="stable")[:REASONS_PER_KIND]
    return [(int(i), int(interval[i]), float(size[i])) for i in worst if size[i] > 0.0]


def _head_reasons(
    after: FlowResult, limits: NetworkLimits, shortfall_kw: FloatArray | None
) -> tuple[str, ...]:
    """Intervals in which the head passes its limit by more than the plan declares."""
    declared = np.zeros_like(after.head_kw) if shortfall_kw is None else shortfall_kw
    allowed = limits.head_import_kw + declared + HEAD_TOLERANCE * abs(limits.head_import_kw)
    return tuple(
        f"interval {k}: the head imports {after.head_kw[k]:.0f} kW with the plan, limit"
        f" {limits.head_import_kw:.0f} kW, declared shortfall {declared[k]:.0f} kW"
        for k in np.flatnonzero(after.head_kw > allowed)[:REASONS_PER_KIND]
    )


def _export_reasons(
    after: FlowResult,
    limits: NetworkLimits,
    least_kw: FloatArray,
    shortfall_kw: FloatArray | None,
) -> tuple[str, ...]:
    """Intervals in which the head exports more than events allow and the plan declares."""
    declared = np.zeros_like(after.head_kw) if shortfall_kw is None else shortfall_kw
    allowed = least_kw - declared - HEAD_TOLERANCE * abs(limits.head_import_kw)
    return tuple(
        f"interval {k}: the head imports {after.head_kw[k]:.0f} kW with the plan, at least"
        f" {least_kw[k]:.0f} kW keep the export that is allowed, declared shortfall"
        f" {declared[k]:.0f} kW"
        for k in np.flatnonzero(after.head_kw < allowed)[:REASONS_PER_KIND]
    )
