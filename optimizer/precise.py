"""The precise mode: sequential linear programmes in a trust region, to the optimum of the AC model.

The usual plan moves the offsets of one linear model until it tells the AC truth; its slopes stay
those of the case without control, which leaves some tenths of a per cent. Here every step takes the
exact slopes of each interval at the last AC flow (one factorised Jacobian an interval), looks for a
better plan within a trust region, and keeps it only when the AC model says that it is better. Runs,
stages and the way of each battery stay as they are.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from optimizer.arrays import FloatArray
from optimizer.assemble import Programme
from optimizer.lazyrows import EMERGENCY_BAND_PU, PCT_PU
from optimizer.linear import Offsets
from optimizer.network import FlowResult
from optimizer.problem import kvar_max
from optimizer.regulated import RegulatedNetwork
from optimizer.solve import Effort, Solution, SolverError, solve_lazily

STEPS_MAX: Final = 24
RADIUS_FIRST: Final = 0.25
"""Share of a resource's rating by which its injection may move in the first step."""
RADIUS_MIN: Final = 1e-5
ENOUGH: Final = 1e-5
"""A step that promises less than this share of the objective is the last."""
ACCEPT, GOOD, BAD = 0.05, 0.75, 0.25
GROW, SHRINK = 2.0, 0.25


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Refined:
    """The best plan found, with the AC flow of its injections, and how many steps it took."""

    solution: Solution
    flow: FlowResult
    steps: int
    objective: float


def objective_at(
    programme: Programme, x: FloatArray, seen: Offsets, losses_kw: FloatArray
) -> float:
    """What a solution costs when the network shows `seen`: its own costs, what import and losses
    cost, and every limit that is broken at its price."""
    problem, tiers, bounds = programme.problem, programme.tiers, programme.bounds
    hours, unit, count = problem.grid.hours, programme.dearest, problem.grid.count
    own = programme.own_columns
    tail = programme.matrices().cost[own + 2 * count : own + 3 * count + programme.system.columns]
    rest = x[own + 2 * count : own + 3 * count + programme.system.columns]
    low = np.maximum(bounds.v_low_pu - seen.v_pu, 0.0)
    high = np.maximum(seen.v_pu - bounds.v_high_pu, 0.0)
    beyond = PCT_PU * np.maximum(low, high)
    inside = np.minimum(beyond, PCT_PU * EMERGENCY_BAND_PU)
    voltage = tiers.voltage_pct_pu * inside + tiers.emergency_pct_pu * (beyond - inside)
    loading = np.maximum(seen.loading_pct - bounds.loading_pct, 0.0)
    over = np.maximum(seen.head_kw - bounds.import_kw, 0.0)
    missed = np.maximum(seen.head_kw - bounds.target_kw, 0.0)
    broken = unit * float(
        hours @ (tiers.import_kw * over + programme.target_price() * missed)
        + (voltage @ hours).sum()
        + tiers.loading_pct * (loading @ hours).sum()
    )
    bought = programme.head_price @ seen.head_kw + programme.loss_price @ losses_kw
    return programme.own_cost(x) + float(tail @ rest) + broken + float(bought)


def refined(
    programme: Programme,
    network: RegulatedNetwork,
    effort: Effort,
    solution: Solution,
    flow: FlowResult,
) -> Refined:
    """`solution` improved on the AC model; `flow`: the AC flow of its injections. A solver that
    runs out of time leaves the best so far."""
    problem = programme.problem
    u = programme.injection_kw(solution.x)
    members = [problem.task.resources[i] for i in programme.channels.members]
    span = np.array(
        [
            *(r.rating_kw for r in members),
            *(1.0 for _ in programme.channels.movers),
            *(kvar_max(members[k]) for k in programme.channels.givers),
        ]
    )[:, None]
    value = objective_at(programme, solution.x, _shown(flow), flow.losses_kw)
    radius, steps = RADIUS_FIRST, 0
    programme.relinearise(u, flow)
    while steps < STEPS_MAX and radius >= RADIUS_MIN:
        steps += 1
        programme.trust = (u - radius * span, u + radius * span)
        programme.add_broken(u)
        try:
            trial = solve_lazily(programme, effort)
        except SolverError:
            break
        moved = programme.injection_kw(trial.x)
        said = programme.model.say(moved)
        losses_kw = flow.losses_kw + (programme.losses_slope() * (moved - u)).sum(axis=0)
        promised = value - objective_at(programme, trial.x, said, losses_kw)
        if promised <= ENOUGH * max(abs(value), 1.0):
            break
        tried = problem.flow(programme.channels.case(moved), network, start=flow)
        if not tried.converged:
            radius *= SHRINK
            continue
        found = objective_at(programme, trial.x, _shown(tried), tried.losses_kw)
        kept = (value - found) / promised
        if kept > ACCEPT:
            trial = replace(trial, row_price=programme.without_trust(trial.row_price))
            solution, flow, value, u = trial, tried, found, moved
            programme.relinearise(u, flow)
        if kept > GOOD:
            radius *= GROW
        elif kept < BAD:
            radius *= SHRINK
    programme.trust = None
    return Refined(solution=solution, flow=flow, steps=steps, objective=value)


def _shown(flow: FlowResult) -> Offsets:
    return Offsets(v_pu=flow.v_pu, head_kw=flow.head_kw, loading_pct=flow.branch_loading_pct)
