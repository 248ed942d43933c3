"""Why a plan is as it is: which limits bind and at what price, and what could not be kept.

Prices come from the duals of the last linear programme, with the runs of load groups held; where
several prices are valid the solver names one of them. What could not be kept is read from the AC
power flow of the plan, not from the linear model.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

import numpy as np

from gridctl.model.planning import Binding, Exclusion, PlanningTask, Shortfall
from gridctl.model.program import DispatchRequest
from optimizer.arrays import FloatArray
from optimizer.assemble import Programme
from optimizer.hot_spot import TOLERANCE_K, beyond_k, paths
from optimizer.limits import OPEN_REQUESTS, Bounds, Limit, loaded, loading_limits
from optimizer.network import FlowResult
from optimizer.problem import Problem
from optimizer.regulated import RegulatedNetwork
from optimizer.solve import Solution

PRICE_MIN = 1e-6
HEAD_TOLERANCE = 1e-3
VOLTAGE_TOLERANCE_PU = 5e-4
LOADING_TOLERANCE_PCT = 0.1
BINDINGS_MAX = 50
SHORTFALLS_PER_FAMILY_MAX = 24
LOADED_UNITS = {Limit.LOADING: "per %", Limit.UNBALANCE: "per % of the limit"}


def bindings(programme: Programme, solution: Solution, network: RegulatedNetwork) -> list[Binding]:
    """The limits that bind, dearest first: price per kW, 0.01 pu or % in that one interval."""
    head, target, lazy = programme.soft_rows()
    task = programme.problem.task
    found = [
        Binding(
            limit=limit.value, where=where, interval=int(t), price=float(price[t]), unit="per kW"
        )
        for limit, where, price in (
            (Limit.IMPORT, task.feeder.source.node, solution.row_price[head]),
            (Limit.TARGET, request_names(task), solution.row_price[target]),
        )
        for t in np.flatnonzero(price > PRICE_MIN)
    ]
    found += [
        Binding(
            limit=Limit.EXPORT.value,
            where=export_names(task),
            interval=t,
            price=float(price),
            unit="per kW",
        )
        for t, price in zip(
            programme.system.exports, solution.row_price[programme.export_rows()], strict=True
        )
        if price > PRICE_MIN
    ]
    for branch, t, hot_row, _ in programme.system.hot:
        hot_price = float(solution.row_price[target.stop + hot_row])
        if hot_price > PRICE_MIN:
            found.append(
                Binding(
                    limit=Limit.HOT_SPOT.value,
                    where=branch,
                    interval=t,
                    price=hot_price,
                    unit="per K",
                )
            )
    # Rows that came when it was too late to solve again have no price.
    for row, price in zip(programme.rows, solution.row_price[lazy], strict=False):
        if price > PRICE_MIN:
            loading = row.limit is Limit.LOADING
            limit, where = (
                loaded(network.branch_names[row.where])
                if loading
                else (row.limit, place(network, row.where))
            )
            found.append(
                Binding(
                    limit=limit.value,
                    where=where,
                    interval=row.interval,
                    price=float(price),
                    unit=LOADED_UNITS.get(limit, "per 0.01 pu"),
                )
            )
    return sorted(found, key=lambda b: (-b.price, b.interval))[:BINDINGS_MAX]


def shortfalls(
    problem: Problem, bounds: Bounds, network: RegulatedNetwork, flow: FlowResult
) -> list[Shortfall]:
    """What `flow` does not keep, beyond the tolerances of the AC check; worst first a family."""
    task, limits = problem.task, problem.task.limits
    kw = HEAD_TOLERANCE * abs(limits.head_import_kw)
    found = [
        *_head(Limit.IMPORT, task.feeder.source.node, flow.head_kw - limits.head_import_kw, kw),
        *_head(Limit.TARGET, request_names(task), flow.head_kw - bounds.target_kw, kw),
        *_head(Limit.EXPORT, export_names(task), bounds.least_kw - flow.head_kw, kw),
    ]
    live = network.judged[:, None]
    low, high = limits.voltage_min_pu - flow.v_pu, flow.v_pu - limits.voltage_max_pu
    base = problem.base_flow
    for limit, beyond, was_broken in (
        (Limit.VOLTAGE_LOW, low, base.v_pu < limits.voltage_min_pu),
        (Limit.VOLTAGE_HIGH, high, base.v_pu > limits.voltage_max_pu),
    ):
        excess = np.where(live, beyond, 0.0)
        for row, t in _worst(excess, VOLTAGE_TOLERANCE_PU):
            found.append(
                Shortfall(
                    limit=_said(limit, already=bool(was_broken[row, t])),
                    where=place(network, row),
                    interval=t,
                    amount=round(float(excess[row, t]), 5),
                    unit="pu",
                )
            )
    rated = loading_limits(task, flow.branch_names)
    over = flow.branch_loading_pct - rated
    for row, t in _worst(over, LOADING_TOLERANCE_PCT):
        already = bool(base.branch_loading_pct[row, t] > rated[row, t])
        limit, where = loaded(network.branch_names[row])
        found.append(
            Shortfall(
                limit=_said(limit, already=already),
                where=where,
                interval=t,
                amount=round(float(over[row, t]), 2),
                unit="%" if limit is Limit.LOADING else "% of the limit",
            )
        )
    for own, hot in paths(problem, flow):
        beyond = beyond_k(own, hot)
        found += [
            Shortfall(
                limit=Limit.HOT_SPOT.value,
                where=own.branch,
                interval=int(t),
                amount=round(float(beyond[t]), 1),
                unit="K",
            )
            for t in np.flatnonzero(beyond > TOLERANCE_K)
        ]
    return found


def exclusions(
    problem: Problem, left_out: Mapping[str, str] = MappingProxyType({})
) -> tuple[Exclusion, ...]:
    """Resources that the plan does not use, in the task's order; `left_out`: why some besides."""
    reasons = {**left_out, **problem.excluded}
    return tuple(
        Exclusion(resource=r.mrid, reason=reasons[r.mrid])
        for r in problem.task.resources
        if r.mrid in reasons
    )


def request_names(task: PlanningTask) -> str:
    """The open requests for less import, by name."""
    return _names(r for r in task.requests if r.export_max_kw is None)


def export_names(task: PlanningTask) -> str:
    """The open requests that limit the export, by name."""
    return _names(r for r in task.requests if r.export_max_kw is not None)


def _names(requests: Iterable[DispatchRequest]) -> str:
    return ", ".join(r.name for r in requests if r.state in OPEN_REQUESTS)


def place(network: RegulatedNetwork, row: int) -> str:
    """A node-phase as "node.phase"."""
    node, phase = network.node_phases[row]
    return f"{node}.{phase}"


def _said(limit: Limit, *, already: bool) -> str:
    return f"{limit.value} (already so without the plan)" if already else limit.value


def _head(limit: Limit, where: str, excess_kw: FloatArray, tolerance_kw: float) -> list[Shortfall]:
    return [
        Shortfall(
            limit=limit.value,
            where=where,
            interval=int(t),
            amount=round(float(excess_kw[t]), 3),
            unit="kW",
        )
        for t in np.flatnonzero(excess_kw > tolerance_kw)
    ]


def _worst(excess: FloatArray, tolerance: float) -> list[tuple[int, int]]:
    """(row, interval) beyond tolerance, each row at its worst interval, worst first."""
    if not excess.size:
        return []
    interval = np.argmax(excess, axis=1)
    size = excess[np.arange(len(excess)), interval]
    order = np.argsort(-size, kind="stable")[:SHORTFALLS_PER_FAMILY_MAX]
    return [(int(i), int(interval[i])) for i in order if size[i] > tolerance]
