"""Rows and columns that couple resources: what a policy asks of all of them together.

Reserve, staggered return, ramp of the import, fairness, demand charge, import priced by level,
scenarios with CVaR, what dispatches ask of the devices that they name. All of them are soft or
free: none can make a programme infeasible. Rows read `own x + head h + s <= upper` with the blocks'
columns x, the import h of each interval as the linear model sees it, and columns s of their own;
some read loadings of branches besides (`System.loads`).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import scipy.sparse as sp

from gridctl.model.policy import ImportPrice, Policy
from gridctl.model.program import DispatchRequest
from gridctl.model.resource import Battery, Generator, LoadGroup
from optimizer.arrays import FloatArray
from optimizer.block import Block
from optimizer.hot_spot import add_hot_spots
from optimizer.limits import wanted_kw
from optimizer.problem import Problem
from optimizer.system_rows import Builder, System

SLACK_SHARE = 5.0
"""A kW short of a policy's wish costs so many of the dearest resource's kWh: less than a target."""
WISH_MIN_KW = 0.5
ASKED_SHARE = 20.0
"""A kW that a dispatch asks of the devices that it names costs, short, as one of a target does."""
WISHES = {
    "asked": "share of those whom a dispatch names",
    "reserve": "reserve",
    "return": "staggered return",
    "ramp": "ramp of the import",
}
"""Own columns that are slacks in kW, by what a person calls the wish."""
SCENARIO_PRICE = 100.0
"""A kWh above the import limit in a scenario costs so many of the dearest resource's kWh, times the
scenario's probability: as one in the plan's own forecast."""


def system_of(
    problem: Problem,
    blocks: Sequence[Block],
    starts: Sequence[int],
    *,
    unit: float,
    least_kw: FloatArray,
    export_price: float,
    hot_price: float,
) -> System:
    """The rows that the task's policy asks for; `starts`: first column of each block and the number
    of all, `unit`: price of the dearest resource's kWh. `least_kw` (T,): import below which a kWh
    costs `export_price`; `hot_price`: of a kelvin too much for an hour."""
    policy = problem.task.policy
    build = Builder(count=problem.grid.count)
    for t in map(int, np.flatnonzero(np.isfinite(least_kw))):
        build.exports.append(t)
        missed = build.column(f"export {t}", export_price * float(problem.grid.hours[t]))
        build.row(head=[(t, -1.0)], columns=[(missed, -1.0)], upper=-float(least_kw[t]))
    placed = [(block, int(first)) for block, first in zip(blocks, starts, strict=False)]
    slack = SLACK_SHARE * unit
    if policy.reserve_kw > 0.0:
        _reserve(build, problem, placed, slack)
    if policy.return_kw_max is not None:
        _returns(build, problem, placed, policy.return_kw_max, slack)
    if policy.ramp_kw_per_h is not None:
        _import_ramp(build, problem, policy.ramp_kw_per_h, slack)
    if policy.fairness > 0.0:
        _fairness(build, problem, placed, policy.fairness)
    if policy.demand_charge_per_kw > 0.0:
        peak = build.column("peak", policy.demand_charge_per_kw, lower=policy.peak_so_far_kw)
        for t in range(problem.grid.count):
            build.row(head=[(t, 1.0)], columns=[(peak, -1.0)], upper=0.0)
    for price in policy.import_prices:
        _by_level(build, problem, price)
    add_hot_spots(build, problem, hot_price)
    if policy.scenarios:
        _scenarios(build, problem, policy, unit)
    _asked_of_some(build, problem, placed, ASKED_SHARE * unit)
    return build.built(int(starts[-1]))


def _asked_of_some(
    build: Builder, problem: Problem, placed: Sequence[tuple[Block, int]], price: float
) -> None:
    """Those that dispatches name bring what is asked of them, whatever the others do. Losses that
    go with it are not counted."""
    grid = problem.grid
    asked: dict[tuple[str, ...], list[DispatchRequest]] = {}
    for request in problem.task.requests:
        if request.devices is not None:
            asked.setdefault(request.devices, []).append(request)
    for devices, requests in asked.items():
        injections = [
            (sp.csr_array(block.injection), first)
            for block, first in placed
            if block.resource in devices
        ]
        for t in np.flatnonzero(wanted := wanted_kw(requests, grid)):
            own = [
                (first + int(column), -float(value))
                for injection, first in injections
                for column, value in zip(*_entries(injection, int(t)), strict=True)
            ]
            missing = build.column(f"asked {t}", price * float(grid.hours[t]))
            build.row(own=own, columns=[(missing, -1.0)], upper=-float(wanted[t]))


def _entries(matrix: sp.csr_array, row: int) -> tuple[Sequence[int], Sequence[float]]:
    """Columns and values of a row."""
    there = slice(int(matrix.indptr[row]), int(matrix.indptr[row + 1]))
    return matrix.indices[there].tolist(), matrix.data[there].tolist()


def _reserve(
    build: Builder, problem: Problem, placed: Sequence[tuple[Block, int]], price: float
) -> None:
    """What is on may go up to its full kW, what is off and rested may start, batteries may give
    what power and energy leave: all of it together is at least the reserve."""
    resources = {r.mrid: r for r in problem.task.resources}
    grid = problem.grid
    for t in range(grid.count):
        hours = float(grid.hours[t])
        own: list[tuple[int, float]] = []
        columns: list[tuple[int, float]] = []
        held = 0.0
        for block, first in placed:
            resource = resources[block.resource]
            if isinstance(resource, Battery) and block.pair is not None:
                charge, discharge = (first + int(c[t]) for c in block.pair)
                stored = first + 2 * grid.count + t
                power_kw = float(block.upper[block.pair[1][t]])
                room = build.column(f"headroom {block.resource} {t}", 0.0, upper=2 * power_kw)
                build.row(
                    columns=[(room, 1.0)], own=[(discharge, 1.0), (charge, -1.0)], upper=power_kw
                )
                least_kwh = float(block.lower[2 * grid.count + t])
                per_kwh = resource.efficiency / hours
                build.row(
                    columns=[(room, 1.0)], own=[(stored, -per_kwh)], upper=-least_kwh * per_kwh
                )
                columns.append((room, -1.0))
            elif block.runs is not None and isinstance(resource, LoadGroup | Generator):
                rest = range(max(t - block.runs.rules.recovery + 1, 0), t + 1)
                rules = block.runs.rules
                left = rules.starts_left.get(int(rules.day[t]), 0)
                if not rules.active and not (left and rules.may_start[t]):
                    continue
                held += block.runs.full_kw
                own.append((first + t, 1.0))
                own += [(first + int(block.runs.stop[k]), block.runs.full_kw) for k in rest]
        missing = build.column(f"reserve {t}", price * hours)
        build.row(
            own=own,
            columns=[*columns, (missing, -1.0)],
            upper=held - problem.task.policy.reserve_kw,
        )


def _returns(
    build: Builder,
    problem: Problem,
    placed: Sequence[tuple[Block, int]],
    most_kw: float,
    price: float,
) -> None:
    """Not everybody comes back in the same interval."""
    groups = {r.mrid for r in problem.task.resources if isinstance(r, LoadGroup)}
    for t in range(problem.grid.count):
        own = [
            (first + int(block.runs.stop[t]), block.runs.full_kw)
            for block, first in placed
            if block.runs is not None and block.resource in groups
        ]
        more = build.column(f"return {t}", price * float(problem.grid.hours[t]))
        build.row(own=own, columns=[(more, -1.0)], upper=most_kw)


def _import_ramp(build: Builder, problem: Problem, per_h: float, price: float) -> None:
    """The import changes no faster, up or down, than `per_h`."""
    hours = problem.grid.step_s / 3600.0
    for t in range(1, problem.grid.count):
        for sign in (1.0, -1.0):
            more = build.column(f"ramp {t}", price * hours)
            build.row(head=[(t, sign), (t - 1, -sign)], columns=[(more, -1.0)], upper=per_h * hours)


def _fairness(
    build: Builder, problem: Problem, placed: Sequence[tuple[Block, int]], weight: float
) -> None:
    """The group that is used most, as a share of its season's hours, is used no more than need."""
    resources = {r.mrid: r for r in problem.task.resources}
    most = build.column("most used", weight)
    for block, first in placed:
        resource = resources[block.resource]
        if block.runs is None or not isinstance(resource, LoadGroup):
            continue
        season_h = resource.hours_per_season_max
        share = 1.0 if season_h is None else 1.0 / max(season_h, 1e-9)
        used_h = problem.states[block.resource].hours_season
        own = [
            (first + int(column), share * float(h))
            for column, h in zip(block.runs.on, problem.grid.hours, strict=True)
        ]
        build.row(own=own, columns=[(most, -1.0)], upper=-share * used_h)


def _by_level(build: Builder, problem: Problem, price: ImportPrice) -> None:
    """Import above each level costs what that level costs more than the one below it."""
    for t in range(problem.grid.count):
        paid = 0.0
        for above, cost in zip(price.above_kw, price.per_kwh, strict=True):
            more = cost[t] - paid
            paid = cost[t]
            if more <= 0.0:
                continue
            over = build.column(f"{price.what} {t}", more * float(problem.grid.hours[t]))
            build.row(head=[(t, 1.0)], columns=[(over, -1.0)], upper=above[t])


def _scenarios(build: Builder, problem: Problem, policy: Policy, unit: float) -> None:
    """The same plan against every scenario: what each misses of the import limit costs its share,
    and the worst ones once more (CVaR)."""
    limit_kw = problem.task.limits.head_import_kw
    price = SCENARIO_PRICE * unit
    expected, tail = 1.0 - policy.cvar_weight, policy.cvar_weight
    at_risk = build.column("value at risk", tail, lower=0.0) if tail > 0.0 else None
    for k, scenario in enumerate(policy.scenarios):
        over: list[tuple[int, float]] = []
        for t in range(problem.grid.count):
            cost = price * float(problem.grid.hours[t])
            more = build.column(f"scenario {k} {t}", expected * scenario.probability * cost)
            shift_kw = scenario.head_kw[t] - float(problem.head_kw[t])
            build.row(head=[(t, 1.0)], columns=[(more, -1.0)], upper=limit_kw - shift_kw)
            over.append((more, cost))
        if at_risk is not None:
            share = tail * scenario.probability / (1.0 - policy.cvar_level)
            worse = build.column(f"tail {k}", share)
            build.row(columns=[*over, (at_risk, -1.0), (worse, -1.0)], upper=0.0)
