"""From a `PlanningTask` to a `PlanningResult`: optimize, correct by AC, verify, explain.

    base case → linear programme → AC power flow of its setpoints → move the offsets by the
    difference → solve again, until the linear model and the AC model say the same.

Nothing here raises for a hard problem: the status and a reason in words say what happened.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from gridctl.model.planning import (
    Exclusion,
    Finding,
    FindingKind,
    PlanningResult,
    PlanningTask,
    Shortfall,
    SolveStatus,
)
from optimizer import harm, tap_steps
from optimizer.arrays import FloatArray
from optimizer.assemble import Programme
from optimizer.attempt import (
    EVEN_ROUNDS,
    Attempt,
    corrected,
    refined_attempt,
    spared_attempt,
)
from optimizer.conflict import conflict_of, words
from optimizer.derated import derated
from optimizer.existing import told_further
from optimizer.explain import bindings, exclusions, shortfalls
from optimizer.findings import findings
from optimizer.hot_spot import hotter, too_hot
from optimizer.limits import Bounds, Limit, Tiers, limit_bounds
from optimizer.measured import correction_of
from optimizer.nearness import GAP_OPTIMAL, how_good, solver_line
from optimizer.network import FlowResult
from optimizer.priority import Order
from optimizer.problem import Problem, astray, build_problem
from optimizer.refusal import refusals, told
from optimizer.regulated import RegulatedNetwork
from optimizer.setpoints import setpoints_of
from optimizer.solve import Effort, SolverError
from optimizer.standing import standing, told_standing
from optimizer.unbalance import unbalance_of
from optimizer.unplanned import no_plan
from optimizer.verify import base_reasons, verify
from optimizer.volt_var import followers_of
from optimizer.why import why_each
from optimizer.wording import Words

RESERVE_SHARE = 0.4
"""Share of the deadline after whose beginning no better runs are looked for: what is at hand must
still meet the AC truth, do no harm, and be told."""
BUDGET_SHARE = 0.8
"""Share of the deadline that the linear programmes may use up."""


def network_of(
    task: PlanningTask, *, models_of: RegulatedNetwork | None = None
) -> RegulatedNetwork:
    """The network of a task, with its controls where they stand now; `models_of` as
    `RegulatedNetwork`. Raises ValueError for a state that does not fit the feeder."""
    state = task.network
    return RegulatedNetwork(
        standing(task.feeder, state.held_regulators),
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
        seen = known.seen(followers=followers_of(task, known.node_phases))
        correction = correction_of(task, seen)
        most_pct = task.policy.unbalance_max_pct
        seen = seen.seen(
            offset_pu=correction.offset_pu,
            unbalance=None
            if most_pct is None
            else unbalance_of(known.node_phases, known.judged, most_pct),
            followers=seen.followers,
        )
        result = _plan(
            task, seen, tiers if tiers is not None else Tiers(), lambda: monotonic_s() - begun_s
        )
        said = [
            f for f in (correction.finding, derated(task), told_standing(task)) if f is not None
        ]
        result = replace(result, findings=(*result.findings, *said))
    except (ValueError, ArithmeticError, LookupError) as problem:
        result = no_plan(task, SolveStatus.FAILED, f"the task does not fit together: {problem}")
    except SolverError as trouble:
        result = no_plan(task, trouble.status, str(trouble))
    return replace(result, solve_s=monotonic_s() - begun_s)


def _plan(
    task: PlanningTask,
    network: RegulatedNetwork,
    tiers: Tiers,
    elapsed_s: Callable[[], float],
) -> PlanningResult:
    problem = build_problem(task, network)
    if not problem.base_flow.converged:
        return _no_base(problem)
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
    if len(problem.excluded) == len(task.resources) and not problem.movers:
        what = broken[0].limit if broken else "a limit"
        reason = f"{what} cannot be kept: no resource may be used{_mostly(bare.excluded)}"
        return _explained(
            problem, network, replace(bare, status=SolveStatus.INFEASIBLE, reason=reason)
        )
    programme = Programme(problem, bounds=bounds, network=network, tiers=tiers)
    effort = Effort(
        left_s=lambda: BUDGET_SHARE * task.deadline_s - elapsed_s(),
        reserve_s=RESERVE_SHARE * task.deadline_s,
    )
    order = Order(programme)
    kept = _Kept(programme, network, effort, bare)
    attempt = corrected(programme, network, effort, order, kept.look)
    if attempt.flow.converged and (task.policy.precise or task.policy.loss_price_per_kwh > 0.0):
        attempt = refined_attempt(programme, network, effort, attempt)
    if not attempt.flow.converged and kept.best is None:
        return replace(
            bare,
            status=SolveStatus.DIVERGED,
            reason="the AC power flow of the plan's setpoints does not converge",
        )
    attempt, answer = _harmless(programme, network, effort, (attempt, order), kept)
    told_of = _explained(problem, network, answer, near=attempt.flow)
    further = told_further(problem, network, attempt.flow)
    told_of = replace(told_of, findings=(*told_of.findings, *further))
    return _with_conflict(programme, network, told_of, effort)


def _no_base(problem: Problem) -> PlanningResult:
    """Why the case without control has no AC power flow."""
    kw = np.array([sum(c.kw) for c in problem.task.feeder.consumers])
    drawn_kw, given_kw = float(kw[kw > 0.0].sum()), float(-kw[kw < 0.0].sum())
    if given_kw > drawn_kw:
        return no_plan(
            problem.task,
            SolveStatus.FAILED,
            f"the forecast does not fit the feeder model: its loads draw {drawn_kw:.0f} kW and"
            f" {given_kw:.0f} kW of generation stand among them as negative loads, so that no"
            f" common factor gives an import of up to {problem.head_kw.max():.0f} kW. Generation"
            " that follows the sun or the wind belongs into the resources, as PV",
        )
    return no_plan(
        problem.task,
        SolveStatus.DIVERGED,
        "the AC power flow of the case without control does not converge: "
        "the forecast load is more than the feeder model can carry",
    )


class _Kept:
    """The cheapest plan so far that passes its AC check though both models do not agree yet: better
    than none when the time is over. `out`: why to leave out which resources."""

    def __init__(
        self,
        programme: Programme,
        network: RegulatedNetwork,
        effort: Effort,
        bare: PlanningResult,
    ) -> None:
        self.bare = bare
        self.best: tuple[Attempt, PlanningResult] | None = None
        self.out = harm.hopeless(programme)
        self._programme, self._network, self._effort = programme, network, effort

    def look(self, attempt: Attempt) -> bool:
        """Keep `attempt` if it stands; whether groups were shut that do harm in it. Where rounds
        are few, and cheap, the last one is looked at."""
        if not self._programme.model.is_large and attempt.rounds <= EVEN_ROUNDS:
            return False
        self._keep(attempt)
        return self._programme.model.is_large and self.shut(attempt)

    def shut(self, attempt: Attempt) -> bool:
        """Shut the groups that do harm in `attempt`; whether there is one that was not."""
        programme, written = self._programme, attempt.written
        u = programme.channels.injected_by(
            written.kw, written.kvar, programme.pinned(attempt.solution.x)
        )
        reasons = harm.culprits(programme, u, attempt.flow)
        found = bool(reasons.keys() - self.out.keys())
        if found:
            harm.leave_out(programme, reasons)
        self.out |= reasons
        return found

    def _keep(self, attempt: Attempt) -> None:
        answer = _answer(self._programme, self._network, attempt, self._effort, self.bare)
        if answer.verification is None or not answer.verification.ok:
            return
        before = None if self.best is None else self.best[0].solution.objective
        if before is None or attempt.solution.objective <= before:
            self.best = attempt, answer

    def or_else(self, attempt: Attempt, answer: PlanningResult) -> tuple[Attempt, PlanningResult]:
        """The plan that is kept where `answer` does not pass its check."""
        passed = answer.verification is None or answer.verification.ok
        return (attempt, answer) if passed or self.best is None else self.best


def _harmless(
    programme: Programme,
    network: RegulatedNetwork,
    effort: Effort,
    attempt: tuple[Attempt, Order],
    kept: _Kept,
) -> tuple[Attempt, PlanningResult]:
    """The attempt and its answer, without whoever does harm; the best that is kept, or as it is,
    with what its check says, where that finds no end in time."""
    tried, order = attempt
    tiers = programme.tiers
    while True:
        kept.bare = replace(kept.bare, excluded=exclusions(programme.problem, kept.out))
        answer = _answer(programme, network, tried, effort, kept.bare)
        if answer.verification is None or answer.verification.ok or effort.left_s() <= 0.0:
            return kept.or_else(tried, answer)
        if not kept.shut(tried) and not harm.forbid(programme, tiers):
            return kept.or_else(tried, answer)
        try:
            tried = spared_attempt(programme, network, effort, order, tried, watch=kept.look)
        except SolverError:
            return kept.or_else(tried, answer)


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
        or np.any(problem.head_kw < bounds.least_kw)
        or np.any(flow.v_pu < bounds.v_low_pu)
        or np.any(flow.v_pu > bounds.v_high_pu)
        or np.any(flow.branch_loading_pct > bounds.loading_pct)
        or too_hot(problem, flow)
        or astray(problem)
    )


def _not_needed(problem: Problem, broken: Sequence[Shortfall]) -> str:
    room_kw = problem.task.limits.head_import_kw - problem.head_kw
    t = int(np.argmin(room_kw))
    return (
        f"no control needed: the import stays {room_kw[t]:.0f} kW or more below its limit of "
        f"{problem.task.limits.head_import_kw:.0f} kW (closest in interval {t}), "
        "no demand event asks for more, and "
        + (
            f"{len(broken)} voltages beyond their limits are as they are now"
            if broken
            else "no voltage or loading leaves its limits"
        )
    )


def _answer(
    programme: Programme,
    network: RegulatedNetwork,
    attempt: Attempt,
    effort: Effort,
    bare: PlanningResult,
) -> PlanningResult:
    problem, bounds = programme.problem, programme.bounds
    missed = shortfalls(problem, bounds, network, attempt.flow)
    missed += [
        Shortfall(limit=wish, where="", interval=t, amount=round(kw, 3), unit="kW")
        for wish, t, kw in programme.wishes_missed(attempt.solution.x)
    ]
    moved = tap_steps.positions(problem.movers, programme.pinned(attempt.solution.x))
    if not attempt.written.told and not moved:
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
    setpoints = tuple(
        setpoints_of(programme, attempt.written, problem.base_flow.head_kw - attempt.flow.head_kw)
    )
    check = verify(
        problem,
        network,
        setpoints,
        positions=moved,
        linear_v_pu=attempt.linear.v_pu,
        shortfall_kw=np.maximum(attempt.linear.head_kw - bounds.import_kw, 0.0),
        export_shortfall_kw=np.maximum(bounds.least_kw - attempt.linear.head_kw, 0.0),
        near=attempt.flow,
    )
    if warmer := hotter(problem, attempt.flow):
        check = replace(check, ok=False, reasons=(*check.reasons, *warmer))
    moved_kw = programme.injection_kw(attempt.solution.x)
    proven = attempt.agreed and attempt.gap <= GAP_OPTIMAL
    return replace(
        bare,
        status=SolveStatus.OPTIMAL if proven else SolveStatus.FEASIBLE,
        reason=how_good(attempt, len(missed), cut_short=effort.cut_short),
        setpoints=setpoints,
        positions=moved,
        head_after_kw=_series(attempt.flow.head_kw),
        cost=round(programme.own_cost(attempt.solution.x), 6),
        verification=check,
        bindings=tuple(bindings(programme, attempt.solution, network)),
        shortfalls=tuple(missed),
        solver=solver_line(effort.programmes, attempt.gap),
        rounds=attempt.rounds,
        why=why_each(programme, attempt.solution, network, setpoints, moved_kw),
    )


def _series(values: FloatArray) -> tuple[float, ...]:
    return tuple(float(v) for v in values)
