"""From a `PlanningTask` to a `PlanningResult`: optimize, correct by AC, verify, explain.

    base case → linear programme → AC power flow of its setpoints → move the offsets by the
    difference → solve again, until the linear model and the AC model say the same.

Nothing here raises for a hard problem: the status and a reason in words say what happened.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import scipy

from gridctl.model.planning import (
    Exclusion,
    Finding,
    FindingKind,
    PlanningResult,
    PlanningTask,
    Setpoint,
    Shortfall,
    SolveStatus,
)
from optimizer import harm
from optimizer.arrays import FloatArray
from optimizer.assemble import Programme
from optimizer.conflict import conflict_of, words
from optimizer.explain import bindings, exclusions, shortfalls
from optimizer.findings import Words, findings
from optimizer.limits import Bounds, Limit, Tiers, limit_bounds
from optimizer.linear import LOADING_RESIDUAL_PCT, Offsets
from optimizer.network import FlowResult
from optimizer.precise import refined
from optimizer.priority import Order
from optimizer.problem import Problem, build_problem, default_kw
from optimizer.refusal import refusals, told
from optimizer.regulated import RegulatedNetwork
from optimizer.solve import Effort, Solution, SolverError, better_plan, first_plan, settled
from optimizer.verify import base_reasons, verify

AC_ROUNDS_MAX = 8
EVEN_ROUNDS = 3
"""After them a plan and a regulator may be found to answer each other for ever: with the plan the
tap goes down, with the head so relieved the plan does less, and the tap stays up. Then the import
is planned for the worse of the taps that were seen."""
HEAD_RESIDUAL = 5e-4
"""Share of the head's limit by which AC and linear import may differ when the rounds end."""
VOLTAGE_RESIDUAL_PU = 2e-4
GAP_OPTIMAL = 0.02
"""A plan within this of its lower bound counts as optimal."""
BUDGET_SHARE = 0.8
"""Share of the deadline that the linear programmes may use up."""
ACTION_MIN_KW = 0.05
SETPOINT_DIGITS = 3
EFFECT_MIN_KW = 5.0
EFFECT_FACTOR = (0.8, 1.25)
"""A fall at the head that differs more from the sum of effects is none that a ratio explains."""
RELEASE_MIN_KW = 0.5
RELEASE_SHARE = 0.01
PENALTY_MIN = 1e-3
PENALTY_GROWTH = 1.05
"""New runs are looked for when the AC truth makes broken limits dearer than by this factor."""


@dataclass(slots=True, kw_only=True, eq=False)
class _Attempt:
    """A plan in the making, with the AC flow of its setpoints."""

    solution: Solution
    gap: float
    setpoints: tuple[Setpoint, ...]
    linear: Offsets
    flow: FlowResult
    rounds: int
    agreed: bool


def network_of(
    task: PlanningTask, *, models_of: RegulatedNetwork | None = None
) -> RegulatedNetwork:
    """The network of a task, with its controls where they stand now; `models_of` as
    `RegulatedNetwork`. Raises ValueError for a state that does not fit the feeder."""
    state = task.network
    return RegulatedNetwork(
        task.feeder,
        taps=state.taps or None,
        closed_capacitors=state.closed_capacitors,
        open_switches=state.open_switches,
        models_of=models_of,
    )


def plan_task(
    task: PlanningTask,
    *,
    monotonic_s: Callable[[], float],
    network: RegulatedNetwork | None = None,
    tiers: Tiers | None = None,
) -> PlanningResult:
    """The plan for `task`; `network` saves building the model again. Never raises for bad data."""
    begun_s = monotonic_s()
    if reasons := refusals(task):
        return no_plan(task, SolveStatus.FAILED, f"the task does not fit together: {told(reasons)}")
    try:
        known = network if network is not None else network_of(task)
        result = _plan(
            task, known, tiers if tiers is not None else Tiers(), lambda: monotonic_s() - begun_s
        )
    except ValueError as problem:
        result = no_plan(task, SolveStatus.FAILED, f"the task does not fit together: {problem}")
    except SolverError as trouble:
        result = no_plan(task, trouble.status, str(trouble))
    return replace(result, solve_s=monotonic_s() - begun_s)


def no_plan(task: PlanningTask, status: SolveStatus, reason: str) -> PlanningResult:
    """An answer without setpoints."""
    try:
        head = task.forecast.at_quantile(task.quantile)
    except KeyError:
        head = ()
    return PlanningResult(
        status=status,
        reason=reason,
        horizon=task.horizon,
        setpoints=(),
        head_before_kw=head,
        head_after_kw=head,
        cost=0.0,
        verification=None,
        excluded=(),
        bindings=(),
        shortfalls=(),
        solver="",
        rounds=0,
        solve_s=0.0,
    )


def _plan(
    task: PlanningTask,
    network: RegulatedNetwork,
    tiers: Tiers,
    elapsed_s: Callable[[], float],
    harmless_rounds: int = harm.ROUNDS_MAX,
) -> PlanningResult:
    problem = build_problem(task, network)
    if not problem.base_flow.converged:
        return no_plan(
            task,
            SolveStatus.DIVERGED,
            "the AC power flow of the case without control does not converge: "
            "the forecast load is more than the feeder model can carry",
        )
    if unlike := base_reasons(problem):
        return no_plan(
            task, SolveStatus.FAILED, f"the forecast does not fit the feeder model: {unlike[0]}"
        )
    bounds = limit_bounds(problem, network)
    broken = shortfalls(problem, bounds, network, problem.base_flow)
    bare = replace(
        no_plan(task, SolveStatus.NOT_NEEDED, ""),
        head_before_kw=_series(problem.head_kw),
        head_after_kw=_series(problem.head_kw),
        excluded=exclusions(problem),
        shortfalls=tuple(broken),
    )
    if not _needed(problem, bounds):
        return _explained(problem, network, replace(bare, reason=_not_needed(problem, broken)))
    if len(problem.excluded) == len(task.resources):
        what = broken[0].limit if broken else "a limit"
        reason = f"{what} cannot be kept: no resource may be used{_mostly(bare.excluded)}"
        return _explained(
            problem, network, replace(bare, status=SolveStatus.INFEASIBLE, reason=reason)
        )
    programme = Programme(problem, bounds=bounds, network=network, tiers=tiers)
    effort = Effort(left_s=lambda: BUDGET_SHARE * task.deadline_s - elapsed_s())
    attempt = _corrected(programme, network, effort)
    if attempt.flow.converged and (task.policy.precise or task.policy.loss_price_per_kwh > 0.0):
        attempt = _refined(programme, network, effort, attempt)
    if not attempt.flow.converged:
        return replace(
            bare,
            status=SolveStatus.DIVERGED,
            reason="the AC power flow of the plan's setpoints does not converge",
        )
    answer = _answer(programme, network, attempt, effort, bare)
    check = answer.verification
    if check is not None and not check.ok and harmless_rounds > 0 and effort.left_s() > 0.0:
        injection_kw = problem.injection_kw(attempt.setpoints)[programme.members]
        if reasons := harm.culprits(programme, injection_kw, attempt.flow):
            without = harm.left_out(task, reasons)
            # Too late for another plan: then this one is shown, with what its check says.
            with contextlib.suppress(SolverError):
                return _plan(without, network, tiers, elapsed_s, harmless_rounds - 1)
    told_of = _explained(problem, network, answer, near=attempt.flow)
    return _with_conflict(programme, network, told_of, effort)


def _with_conflict(
    programme: Programme, network: RegulatedNetwork, result: PlanningResult, effort: Effort
) -> PlanningResult:
    """With the irreducible conflict set of the worst shortfall, said after who stands where."""
    own = [s for s in result.shortfalls if not s.limit.endswith("without the plan)")]
    if not own:
        return result
    of_import = [s for s in own if s.limit in (Limit.IMPORT.value, Limit.TARGET.value)]
    worst = max(of_import or own[:1], key=lambda s: s.amount)
    conflict = conflict_of(programme, network, worst, effort)
    if conflict is None:
        return result
    found = Finding(
        kind=FindingKind.CONFLICT,
        text=words(conflict, at=Words(programme.problem).clock(worst.interval)),
        first=worst.interval,
        last=worst.interval,
        amount=round(conflict.least, 3),
        unit=worst.unit,
    )
    place = [k for k, f in enumerate(result.findings) if f.kind is FindingKind.CONFLICT]
    at = place[-1] + 1 if place else len(result.findings)
    return replace(result, findings=(*result.findings[:at], found, *result.findings[at:]))


def _explained(
    problem: Problem,
    network: RegulatedNetwork,
    result: PlanningResult,
    *,
    near: FlowResult | None = None,
) -> PlanningResult:
    return replace(result, findings=findings(problem, network, result, near=near))


def _mostly(excluded: Sequence[Exclusion]) -> str:
    """How many are excluded and the reason that most of them have, in brackets."""
    if not excluded:
        return " (there is none)"
    (reason, count), *others = Counter(one.reason for one in excluded).most_common()
    more = f", {len(others)} other reasons" if others else ""
    return f" ({len(excluded)} excluded; {count}: {reason}{more})"


def _needed(problem: Problem, bounds: Bounds) -> bool:
    """Whether anything asks for control: a limit, a target, or a device that is not at rest."""
    flow = problem.base_flow
    return bool(
        problem.task.policy.asks
        or any(s.announced for s in problem.task.states)
        or np.any(problem.head_kw > np.minimum(bounds.import_kw, bounds.target_kw))
        or np.any(flow.v_pu < bounds.v_low_pu)
        or np.any(flow.v_pu > bounds.v_high_pu)
        or np.any(flow.branch_loading_pct > bounds.loading_pct)
        or _astray(problem)
    )


def _astray(problem: Problem) -> set[str]:
    """Resources that may be commanded and whose confirmed setpoint is not their default."""
    found = set()
    for resource in problem.task.resources:
        state = problem.states.get(resource.mrid)
        if state is None or state.excluded is not None:
            continue
        off_kw = state.setpoint_kw - default_kw(resource)
        if abs(off_kw) > max(RELEASE_MIN_KW, RELEASE_SHARE * resource.rating_kw):
            found.add(resource.mrid)
    return found


def _not_needed(problem: Problem, broken: Sequence[Shortfall]) -> str:
    room_kw = problem.task.limits.head_import_kw - problem.head_kw
    t = int(np.argmin(room_kw))
    return (
        f"no control needed: the import stays {room_kw[t]:.0f} kW or more below its limit of "
        f"{problem.task.limits.head_import_kw:.0f} kW (closest in interval {t}), "
        "no demand event is open, and "
        + (
            f"{len(broken)} voltages beyond their limits are as they are now"
            if broken
            else "no voltage or loading leaves its limits"
        )
    )


def _corrected(programme: Programme, network: RegulatedNetwork, effort: Effort) -> _Attempt:
    """Solve, check by AC, move the offsets, solve again. Raises SolverError when even the first
    programme has no answer; one that comes too late in a later round leaves the last attempt."""
    order = Order(programme)
    solution, bound = first_plan(programme, effort)
    penalty = programme.penalty(solution.x)
    while penalty > PENALTY_MIN and order.open_next():
        solution, bound = first_plan(programme, effort)
        penalty = programme.penalty(solution.x)
    flow, rounds = programme.problem.base_flow, 0
    while True:
        rounds += 1
        cautious = rounds > EVEN_ROUNDS
        setpoints = setpoints_of(programme, solution)
        injection_kw = programme.problem.injection_kw(setpoints)
        u = injection_kw[programme.members]
        linear = programme.model.say(u)
        case = programme.problem.case(injection_kw)
        flow = programme.problem.flow(case, network, start=flow)
        attempt = _Attempt(
            solution=solution,
            gap=_gap(solution, bound),
            setpoints=setpoints,
            linear=linear,
            flow=flow,
            rounds=rounds,
            agreed=flow.converged and agrees(programme, linear, flow, cautious=cautious),
        )
        if attempt.agreed or not flow.converged or rounds >= AC_ROUNDS_MAX:
            return attempt
        programme.shift(u, flow, cautious=rounds >= EVEN_ROUNDS)
        programme.add_broken(u)
        try:
            solution = settled(programme, effort)
            if programme.penalty(solution.x) > PENALTY_GROWTH * penalty + PENALTY_MIN:
                if order.open_next():
                    solution, bound = first_plan(programme, effort)
                else:
                    solution = better_plan(programme, solution, bound, effort)
                penalty = programme.penalty(solution.x)
        except SolverError as late:
            if late.status is not SolveStatus.TIMEOUT:
                raise
            return attempt


def _refined(
    programme: Programme, network: RegulatedNetwork, effort: Effort, attempt: _Attempt
) -> _Attempt:
    """The attempt taken to the optimum of the AC model, with its setpoints as they are written."""
    problem = programme.problem
    u = programme.injection_kw(attempt.solution.x)
    whole = np.zeros((len(problem.task.resources), problem.grid.count))
    whole[programme.members] = u
    start = problem.flow(problem.case(whole), network, start=attempt.flow)
    if not start.converged:
        return attempt
    best = refined(programme, network, effort, attempt.solution, start)
    setpoints = setpoints_of(programme, best.solution)
    injection_kw = problem.injection_kw(setpoints)
    linear = programme.model.say(injection_kw[programme.members])
    flow = problem.flow(problem.case(injection_kw), network, start=best.flow)
    if not flow.converged:
        return attempt
    return replace(
        attempt,
        solution=best.solution,
        setpoints=setpoints,
        linear=linear,
        flow=flow,
        rounds=attempt.rounds + best.steps,
        agreed=agrees(programme, linear, flow),
    )


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
    pairs = (
        (bounds.v_low_pu - flow.v_pu, bounds.v_low_pu - linear.v_pu, VOLTAGE_RESIDUAL_PU),
        (flow.v_pu - bounds.v_high_pu, linear.v_pu - bounds.v_high_pu, VOLTAGE_RESIDUAL_PU),
        (
            flow.branch_loading_pct - bounds.loading_pct,
            linear.loading_pct - bounds.loading_pct,
            LOADING_RESIDUAL_PCT,
        ),
    )
    return all(
        bool(np.all(found <= np.maximum(said, 0.0) + tolerance)) for found, said, tolerance in pairs
    )


def setpoints_of(programme: Programme, solution: Solution) -> tuple[Setpoint, ...]:
    """Setpoints of every resource that changes, for all intervals, with their effect at the head.

    A resource changes when it is asked for something in any interval, or stands elsewhere than at
    its default now and has to be told to go back; also one that has nothing to give any more.
    """
    problem, found = programme.problem, []
    astray = _astray(problem)
    for index, block in enumerate(programme.blocks):
        action = np.asarray(block.action @ solution.x[programme.columns_of(index)])
        moved = np.abs(action) > ACTION_MIN_KW
        if not moved.any() and block.resource not in astray:
            continue
        kw = np.where(moved, np.round(block.offset_kw + action, SETPOINT_DIGITS), block.default_kw)
        found += [
            Setpoint(resource=block.resource, interval=t, kw=float(kw[t]), effect_kw=0.0)
            for t in range(problem.grid.count)
        ]
    found += [
        Setpoint(resource=r.mrid, interval=t, kw=default_kw(r), effect_kw=0.0)
        for r in problem.task.resources
        if r.mrid in astray and r.mrid in problem.excluded
        for t in range(problem.grid.count)
    ]
    return _with_effects(programme, found)


def _with_effects(programme: Programme, setpoints: list[Setpoint]) -> tuple[Setpoint, ...]:
    injection_kw = programme.problem.injection_kw(setpoints)[programme.members]
    row = {block.resource: i for i, block in enumerate(programme.blocks)}
    effect = -programme.model.head_slope * injection_kw
    return tuple(
        replace(s, effect_kw=round(float(effect[row[s.resource], s.interval]), SETPOINT_DIGITS))
        if s.resource in row
        else s
        for s in setpoints
    )


def _as_checked(setpoints: tuple[Setpoint, ...], fall_kw: FloatArray) -> tuple[Setpoint, ...]:
    """Effects that add up to what the AC flow shows at the head in each interval.

    The linear model lets loads keep their voltage; regulators that step down behind a plan take
    some more off (or give some back), which is shared in proportion.
    """
    said_kw = np.zeros(len(fall_kw))
    for s in setpoints:
        said_kw[s.interval] += s.effect_kw
    sure = np.abs(said_kw) > EFFECT_MIN_KW
    ratio = np.divide(fall_kw, said_kw, out=np.ones_like(fall_kw), where=sure)
    factor = np.clip(ratio, *EFFECT_FACTOR)
    return tuple(
        replace(s, effect_kw=round(float(factor[s.interval]) * s.effect_kw, SETPOINT_DIGITS))
        for s in setpoints
    )


def _answer(
    programme: Programme,
    network: RegulatedNetwork,
    attempt: _Attempt,
    effort: Effort,
    bare: PlanningResult,
) -> PlanningResult:
    problem, bounds = programme.problem, programme.bounds
    missed = shortfalls(problem, bounds, network, attempt.flow)
    missed += [
        Shortfall(limit=wish, where="", interval=t, amount=round(kw, 3), unit="kW")
        for wish, t, kw in programme.wishes_missed(attempt.solution.x)
    ]
    if not attempt.setpoints:
        what = missed[0] if missed else None
        if what is None:
            return replace(bare, reason=_not_needed(problem, ()), shortfalls=())
        return replace(
            bare,
            status=SolveStatus.INFEASIBLE,
            reason=f"{what.limit} at {what.where} cannot be kept (interval {what.interval}: "
            f"{what.amount:g} {what.unit}): no usable resource can help",
            shortfalls=tuple(missed),
        )
    check = verify(
        problem,
        network,
        attempt.setpoints,
        linear_v_pu=attempt.linear.v_pu,
        shortfall_kw=np.maximum(attempt.linear.head_kw - bounds.import_kw, 0.0),
        near=attempt.flow,
    )
    proven = attempt.agreed and attempt.gap <= GAP_OPTIMAL
    return replace(
        bare,
        status=SolveStatus.OPTIMAL if proven else SolveStatus.FEASIBLE,
        reason=_told(attempt, len(missed)),
        setpoints=_as_checked(attempt.setpoints, problem.base_flow.head_kw - attempt.flow.head_kw),
        head_after_kw=_series(attempt.flow.head_kw),
        cost=round(programme.own_cost(attempt.solution.x), 6),
        verification=check,
        bindings=tuple(bindings(programme, attempt.solution, network)),
        shortfalls=tuple(missed),
        solver=f"HiGHS in scipy {scipy.__version__}: {effort.programmes} programmes, "
        f"gap {100 * attempt.gap:.2f} %",
        rounds=attempt.rounds,
    )


def _told(attempt: _Attempt, missed: int) -> str:
    parts = []
    if not attempt.agreed:
        parts.append(
            f"linear and AC model still differ after {attempt.rounds} rounds: judge by the AC check"
        )
    if missed:
        parts.append(f"{missed} limits or targets cannot be kept in full: see the shortfalls")
    if attempt.gap > GAP_OPTIMAL:
        parts.append(
            f"the runs of the load groups are not proven best: {100 * attempt.gap:.1f} % above a "
            "bound that knows no rebound and lets runs be fractional"
        )
    return "; ".join(parts)


def _series(values: FloatArray) -> tuple[float, ...]:
    return tuple(float(v) for v in values)
