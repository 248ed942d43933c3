"""A plan in the making: solve, check by AC, move the linear model, solve again.

linear programme → AC power flow of its setpoints → move the offsets by the difference → solve
again, until the linear model and the AC model say the same.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from gridctl.model.planning import SolveStatus
from optimizer.assemble import Programme
from optimizer.fixed import Fixed
from optimizer.linear import LOADING_RESIDUAL_PCT, Offsets
from optimizer.network import FlowResult
from optimizer.precise import refined
from optimizer.priority import Order, is_shut
from optimizer.regulated import RegulatedNetwork
from optimizer.setpoints import Written, written_of
from optimizer.solve import Effort, Solution, SolverError, better_in_time, first_plan, settled

AC_ROUNDS_MAX = 8
EVEN_ROUNDS = 3
"""After them a plan and a regulator may be found to answer each other for ever: with the plan the
tap goes down, with the head so relieved the plan does less, and the tap stays up. Then the import
is planned for the worse of the taps that were seen."""
HEAD_RESIDUAL = 5e-4
"""Share of the head's limit by which AC and linear import may differ when the rounds end."""
VOLTAGE_RESIDUAL_PU = 2e-4
PENALTY_MIN = 1e-3
PENALTY_GROWTH = 1.05
"""New runs are looked for when the AC truth makes broken limits dearer than by this factor."""


@dataclass(slots=True, kw_only=True, eq=False)
class Attempt:
    """A plan in the making, with the AC flow of its setpoints; `bound`: no solution costs less."""

    solution: Solution
    bound: float
    gap: float
    written: Written
    linear: Offsets
    flow: FlowResult
    rounds: int
    agreed: bool


Watch = Callable[[Attempt], bool]
"""What looks at every attempt that is not the last one; whether it has shut blocks."""


def corrected(
    programme: Programme, network: RegulatedNetwork, effort: Effort, order: Order, watch: Watch
) -> Attempt:
    """Solve, check by AC, move the offsets, solve again. Raises SolverError when even the first
    programme has no answer; one that comes too late in a later round leaves the last attempt."""
    solution, bound = first_plan(programme, effort)
    penalty = programme.penalty(solution.x)
    while penalty > PENALTY_MIN and order.open_next():
        solution, bound = first_plan(programme, effort)
        penalty = programme.penalty(solution.x)
    return _agreeing(programme, network, effort, order, (solution, bound), watch=watch)


def spared_attempt(
    programme: Programme,
    network: RegulatedNetwork,
    effort: Effort,
    order: Order,
    attempt: Attempt,
    *,
    watch: Watch,
) -> Attempt:
    """The attempt without the blocks that were shut since: their runs are taken out of it, the
    others answer, and both models are made to agree again. Raises SolverError."""
    _take_out(programme)
    solution = settled(programme, effort)
    if programme.penalty(solution.x) > PENALTY_MIN:
        # What they did others may do, in runs of their own.
        solution = better_in_time(programme, solution, attempt.bound, effort)
    found = solution, attempt.bound
    return _agreeing(programme, network, effort, order, found, near=attempt.flow, watch=watch)


def _take_out(programme: Programme) -> None:
    """The runs of blocks that were shut leave those that are held."""
    fixed = programme.fixed if programme.fixed is not None else Fixed(runs={})
    off = np.zeros(programme.problem.grid.count, dtype=np.bool_)
    runs = {i: off if is_shut(programme.blocks[i]) else on for i, on in fixed.runs.items()}
    programme.hold(Fixed(runs=runs))


def _agreeing(
    programme: Programme,
    network: RegulatedNetwork,
    effort: Effort,
    order: Order,
    found: tuple[Solution, float],
    *,
    near: FlowResult | None = None,
    watch: Watch,
) -> Attempt:
    """From the solution and the lower bound `found` to one on which both models agree."""
    solution, bound = found
    penalty = programme.penalty(solution.x)
    flow, rounds = near if near is not None else programme.problem.base_flow, 0
    while True:
        rounds += 1
        cautious = rounds > EVEN_ROUNDS
        written = written_of(programme, solution)
        u = programme.channels.injected_by(written.kw, written.kvar, programme.pinned(solution.x))
        linear = programme.model.say(u)
        flow = programme.problem.flow(programme.channels.case(u), network, start=flow)
        attempt = Attempt(
            solution=solution,
            bound=bound,
            gap=_gap(solution, bound),
            written=written,
            linear=linear,
            flow=flow,
            rounds=rounds,
            agreed=flow.converged and agrees(programme, linear, flow, cautious=cautious),
        )
        if attempt.agreed or not flow.converged or rounds >= AC_ROUNDS_MAX:
            return attempt
        if watch(attempt):
            _take_out(programme)
        programme.shift(u, flow, cautious=rounds >= EVEN_ROUNDS)
        programme.add_broken(u)
        try:
            solution = settled(programme, effort)
            if _dearer(programme.penalty(solution.x), penalty):
                if order.open_next():
                    solution, bound = first_plan(programme, effort)
                else:
                    solution = better_in_time(programme, solution, bound, effort)
                penalty = programme.penalty(solution.x)
        except SolverError as late:
            if late.status is not SolveStatus.TIMEOUT:
                raise
            return attempt


def refined_attempt(
    programme: Programme, network: RegulatedNetwork, effort: Effort, attempt: Attempt
) -> Attempt:
    """The attempt taken to the optimum of the AC model, with its setpoints as they are written."""
    problem = programme.problem
    u = programme.injection_kw(attempt.solution.x)
    start = problem.flow(programme.channels.case(u), network, start=attempt.flow)
    if not start.converged:
        return attempt
    best = refined(programme, network, effort, attempt.solution, start)
    written = written_of(programme, best.solution)
    u = programme.channels.injected_by(written.kw, written.kvar, programme.pinned(best.solution.x))
    linear = programme.model.say(u)
    flow = problem.flow(programme.channels.case(u), network, start=best.flow)
    if not flow.converged:
        return attempt
    return replace(
        attempt,
        solution=best.solution,
        written=written,
        linear=linear,
        flow=flow,
        rounds=attempt.rounds + best.steps,
        agreed=agrees(programme, linear, flow),
    )


def _dearer(penalty: float, before: float) -> bool:
    return penalty > PENALTY_GROWTH * before + PENALTY_MIN


def _gap(solution: Solution, relaxed: float) -> float:
    return max(solution.objective - relaxed, 0.0) / max(abs(relaxed), 1.0)


def agrees(
    programme: Programme, linear: Offsets, flow: FlowResult, *, cautious: bool = False
) -> bool:
    """Whether AC and linear model say the same of the head, and AC breaks no more than linear.

    `cautious`: the linear model may say more import than there is.
    """
    bounds = programme.bounds
    head_kw = HEAD_RESIDUAL * abs(bounds.import_kw)
    over_kw = flow.head_kw - linear.head_kw
    if np.any((over_kw if cautious else np.abs(over_kw)) > head_kw):
        return False
    # Where a step of a tap is let pass, it is no difference either.
    pu = np.maximum(VOLTAGE_RESIDUAL_PU, bounds.further.voltage_pu)
    pct = np.maximum(LOADING_RESIDUAL_PCT, bounds.further.loading_pct)
    pairs = (
        (bounds.v_low_pu - flow.v_pu, bounds.v_low_pu - linear.v_pu, pu),
        (flow.v_pu - bounds.v_high_pu, linear.v_pu - bounds.v_high_pu, pu),
        (
            flow.branch_loading_pct - bounds.loading_pct,
            linear.loading_pct - bounds.loading_pct,
            pct,
        ),
    )
    return all(
        bool(np.all(found <= np.maximum(said, 0.0) + tolerance)) for found, said, tolerance in pairs
    )
