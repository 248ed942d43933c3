"""Solving the programme: relaxation, runs repaired to whole on/off, programme with them fixed.

On/off groups make it a mixed-integer programme. Its relaxation with the tight rows of
`resources.load_group` is nearly integral, so: solve the relaxation, give each group the best runs
that its rules allow near the relaxed shed (a dynamic programme that cannot break a rule), fix them,
solve again. Several thresholds are tried and the cheapest kept; its distance to the relaxation is
the proven gap. No clock is involved, so the same task gives the same plan.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from gridctl.model.planning import SolveStatus
from optimizer import tap_steps
from optimizer.arrays import BoolArray, FloatArray
from optimizer.assemble import Programme
from optimizer.fixed import Fixed
from optimizer.runs import RunRules, best_runs
from optimizer.session import Basis, LpSession, Outcome
from optimizer.stagger import staggered

LAZY_ROUNDS_MAX = 30
THRESHOLDS = (0.02, 0.4)
BOTH_WAYS_KW = 1e-3
STAGE_WITHIN_KW = 0.05
ON_ABOVE = 0.5
_TROUBLES = {
    Outcome.LATE: SolveStatus.TIMEOUT,
    Outcome.INFEASIBLE: SolveStatus.INFEASIBLE,
}
REBOUND_ROUNDS = 3
GAP_ENOUGH = 0.03
GAP_FAR = 0.1
GAIN_MIN = 1e-3
POLISH_ROUNDS = 16
POLISHED_AT_ONCE = 4


class SolverError(Exception):
    """The solver did not answer with a solution; `status` and the message say why not.

    All limits are soft, so INFEASIBLE means contradictory rules of a resource: a bug or bad data.
    """

    def __init__(self, status: SolveStatus, message: str) -> None:
        self.status = status
        super().__init__(message)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Solution:
    """A solution of the programme: columns `x`, `objective` with slack prices, `row_price` (m,) of
    each row (what one unit more of its bound would save, >= 0 on soft rows), `basis` to go on from,
    where there is one."""

    x: FloatArray
    objective: float
    row_price: FloatArray
    basis: Basis | None = None


@dataclass(slots=True, kw_only=True)
class Effort:
    """What may still be spent and what was: seconds left, linear programmes solved; and by which
    session. `reserve_s` of them are not for the search of better runs: what is at hand must still
    be checked and told. `cut_short`: such a search came to that end."""

    left_s: Callable[[], float]
    session: LpSession = field(default_factory=LpSession)
    programmes: int = 0
    reserve_s: float = 0.0
    searching: bool = False
    cut_short: bool = False


def solve_once(programme: Programme, effort: Effort) -> Solution:
    """The programme as it stands, by HiGHS. Raises SolverError."""
    found = solve_if_better(programme, effort, math.inf)
    if found is None:
        raise SolverError(SolveStatus.FAILED, f"HiGHS: {Outcome.BEYOND.value}")
    return found


def solve_if_better(programme: Programme, effort: Effort, than: float) -> Solution | None:
    """The programme as it stands, by HiGHS; None where it costs no less `than` that. Raises
    SolverError."""
    effort.programmes += 1
    left_s = effort.left_s()
    if effort.searching:
        left_s -= effort.reserve_s
        if left_s <= 0.0:
            raise SolverError(SolveStatus.TIMEOUT, "the search of better runs is over")
    answer = effort.session.solve(
        programme.matrices(), left_s=left_s, presolve=programme.fixed is not None, below=than
    )
    if answer.outcome is Outcome.BEYOND:
        return None
    if answer.outcome is not Outcome.OPTIMAL:
        status = _TROUBLES.get(answer.outcome, SolveStatus.FAILED)
        raise SolverError(status, f"HiGHS: {answer.outcome.value}")
    if answer.objective >= than:
        return None
    return Solution(
        x=answer.x,
        objective=answer.objective,
        row_price=answer.row_price,
        basis=effort.session.basis(),
    )


def solve_lazily(programme: Programme, effort: Effort, known: Solution | None = None) -> Solution:
    """Solve, add the voltage and loading rows that it breaks, until it breaks none. `known`: the
    solution with the runs that are held, when there is one; rows that have come since ask anew."""
    if known is not None and len(known.x) != programme.columns:
        known = None
    for _ in range(LAZY_ROUNDS_MAX):
        solution = solve_once(programme, effort) if known is None else known
        known = None
        if not programme.add_broken(programme.injection_kw(solution.x)):
            return solution
    raise SolverError(
        SolveStatus.FAILED, f"voltage rows still missing after {LAZY_ROUNDS_MAX} rounds"
    )


def repaired(programme: Programme, x: FloatArray, threshold: float) -> dict[int, BoolArray]:
    """The best runs for each group, wishing "on" where the relaxation sheds more than
    `threshold` of what the group can."""
    runs: dict[int, BoolArray] = {}
    hours = programme.problem.grid.hours
    for index, block in enumerate(programme.blocks):
        if block.runs is None:
            continue
        own = x[programme.columns_of(index)]
        share = (block.action @ own) / block.runs.full_kw
        runs[index] = best_runs(block.runs.kept(own), (share - threshold) * hours)
    return runs


def both_ways(programme: Programme, x: FloatArray) -> tuple[int, ...]:
    """Columns to hold at zero so that no battery charges and discharges at once."""
    zero: list[int] = []
    for index, block in enumerate(programme.blocks):
        if block.pair is None:
            continue
        first = programme.columns_of(index).start
        charge, discharge = (first + columns for columns in block.pair)
        both = np.minimum(x[charge], x[discharge]) > BOTH_WAYS_KW
        zero += np.where(x[charge] < x[discharge], charge, discharge)[both].tolist()
    return tuple(zero)


def staged(programme: Programme, x: FloatArray) -> dict[int, float]:
    """Columns that must stand at a stage, each at the next stage that is enough."""
    found: dict[int, float] = {}
    for index, block in enumerate(programme.blocks):
        if block.stages is None or block.runs is None:
            continue
        own = x[programme.columns_of(index)]
        levels = block.stages.levels_kw
        place = np.searchsorted(levels, own[block.stages.columns] - STAGE_WITHIN_KW)
        kw = levels[np.minimum(place, len(levels) - 1)] * (own[block.runs.on] > ON_ABOVE)
        first = programme.columns_of(index).start
        found.update(zip((first + block.stages.columns).tolist(), kw.tolist(), strict=True))
    return found


def first_plan(programme: Programme, effort: Effort) -> tuple[Solution, float]:
    """Relaxation, repair, best fixed solution; with the objective of the relaxation, which is a
    lower bound (it knows no rebound). The programme holds the runs of the solution afterwards.
    Raises SolverError.
    """
    programme.relax()
    programme.add_broken(programme.channels.nothing())
    relaxed = solve_lazily(programme, effort)
    best, runs = _improved(programme, relaxed, None, relaxed.objective, effort)
    programme.hold(runs)
    # The last programme that was solved is one with other runs.
    effort.session.start_from(best.basis)
    return settled(programme, effort, best), relaxed.objective


def better_plan(programme: Programme, solution: Solution, bound: float, effort: Effort) -> Solution:
    """Look for better runs than those that are held, whose solution is `solution`; `bound` is the
    lower bound. The programme holds the better ones afterwards. Raises SolverError."""
    held = programme.fixed if programme.fixed is not None else Fixed(runs={})
    programme.relax(programme.aftermath_kw(solution.x))
    relaxed = solve_lazily(programme, effort)
    best, runs = _improved(programme, relaxed, (solution, held), bound, effort)
    programme.hold(runs)
    effort.session.start_from(best.basis)
    return settled(programme, effort, best)


def better_in_time(
    programme: Programme, solution: Solution, bound: float, effort: Effort
) -> Solution:
    """As `better_plan`, or the solution with the runs that are held when its time is over. Raises
    SolverError."""
    held = programme.fixed
    effort.searching = True
    try:
        return better_plan(programme, solution, bound, effort)
    except SolverError as late:
        if late.status is not SolveStatus.TIMEOUT or held is None:
            raise
        effort.cut_short = True
    finally:
        effort.searching = False
    programme.hold(held)
    return settled(programme, effort)


def _improved(
    programme: Programme,
    relaxed: Solution,
    best: tuple[Solution, Fixed] | None,
    bound: float,
    effort: Effort,
) -> tuple[Solution, Fixed]:
    """The best of `best` and the runs near `relaxed`.

    The runs that answer a relaxation set off rebound that it did not know of; so it is asked again
    with the rebound that its own shed would set off in the best runs so far.
    """
    try:
        for better in _searched(programme, relaxed, best, bound, effort):
            best = better
            effort.searching = True
    except SolverError as late:
        if late.status is not SolveStatus.TIMEOUT or best is None:
            raise
        effort.cut_short = True
    finally:
        effort.searching = False
    return best if best is not None else (relaxed, Fixed(runs={}))


def _searched(
    programme: Programme,
    relaxed: Solution,
    best: tuple[Solution, Fixed] | None,
    bound: float,
    effort: Effort,
) -> Iterator[tuple[Solution, Fixed]]:
    """Better and better ones."""
    seen: set[bytes] = set() if best is None else {_key(best[1])}
    for _ in range(REBOUND_ROUNDS):
        known = len(seen)
        for threshold in THRESHOLDS:
            fixed = Fixed(runs=staggered(programme, repaired(programme, relaxed.x, threshold)))
            if _key(fixed) in seen:
                continue
            seen.add(_key(fixed))
            programme.hold(fixed)
            than = math.inf if best is None else best[0].objective
            if (solution := solve_if_better(programme, effort, than)) is not None:
                best = solution, fixed
                yield best
        if best is None or len(seen) == known:
            break
        if best[0].objective - bound <= GAP_ENOUGH * max(abs(bound), 1.0):
            break
        programme.hold(best[1])
        programme.relax(programme.aftermath_kw(relaxed.x))
        relaxed = solve_lazily(programme, effort)
    if best is not None:
        best = _without_the_dear(programme, best, bound, effort)
        yield best
        yield _polished(programme, best, bound, effort)


def _without_the_dear(
    programme: Programme, best: tuple[Solution, Fixed], bound: float, effort: Effort
) -> tuple[Solution, Fixed]:
    """Do without each resource whose starts and running cost much (a generator), where others can
    do its part cheaper: the relaxation counts a start only in part, and so always likes it."""
    for index, block in enumerate(programme.blocks):
        on = best[1].runs.get(index)
        if block.runs is None or on is None or not on.any() or block.runs.is_bound:
            continue
        own = best[0].x[programme.columns_of(index)]
        fixed_costs = sum(
            float(block.cost[columns] @ own[columns])
            for columns in (block.runs.on, block.runs.start)
        )
        if fixed_costs <= GAP_ENOUGH * max(abs(bound), 1.0):
            continue
        first = programme.columns_of(index).start
        programme.hold(Fixed(runs={}, zero=tuple((first + block.runs.on).tolist())))
        relaxed = solve_lazily(programme, effort)
        if relaxed.objective >= best[0].objective:
            continue
        for threshold in THRESHOLDS:
            fixed = Fixed(runs=repaired(programme, relaxed.x, threshold))
            programme.hold(fixed)
            solution = solve_if_better(programme, effort, best[0].objective)
            if solution is not None:
                best = solution, fixed
    return best


def _polished(
    programme: Programme, best: tuple[Solution, Fixed], bound: float, effort: Effort
) -> tuple[Solution, Fixed]:
    """Change the runs of the groups that the prices of `best` say gain most, while that helps.

    Only for plans that are far from the bound, which is where limits are broken.
    """
    at_once, tried = POLISHED_AT_ONCE, {_key(best[1])}
    for _ in range(POLISH_ROUNDS):
        if best[0].objective - bound <= GAP_FAR * max(abs(bound), 1.0):
            break
        programme.hold(best[1])
        better = _priced(programme, best[0], best[1])[:at_once]
        fixed = Fixed(runs={**best[1].runs, **dict(better)}, zero=best[1].zero)
        if better and _key(fixed) not in tried:
            tried.add(_key(fixed))
            programme.hold(fixed)
            solution = solve_if_better(programme, effort, best[0].objective)
            if solution is not None:
                best, at_once = (solution, fixed), POLISHED_AT_ONCE
                continue
        if at_once == 1 or not better:
            break
        at_once //= 2
    return best


def _priced(programme: Programme, solution: Solution, fixed: Fixed) -> list[tuple[int, BoolArray]]:
    """Runs that are worth more at the prices of `solution` than those held, greatest gain first."""
    matrices = programme.matrices()
    price = np.zeros(matrices.a.shape[0])
    price[: len(solution.row_price)] = solution.row_price
    price[: programme.soft_rows()[0].start] = 0.0
    worth = -(matrices.a.T @ price) - matrices.cost
    gains: list[tuple[float, int, BoolArray]] = []
    for index, on in fixed.runs.items():
        block = programme.blocks[index]
        if block.runs is None:
            continue
        own = worth[programme.columns_of(index)]
        wish = block.runs.full_kw * (block.action @ own) + own[block.runs.on]
        start_price = float(-own[block.runs.start].min())
        stop_price = -own[block.runs.stop]
        runs = best_runs(block.runs.rules, wish, start_price, stop_price)
        gain = _worth(block.runs.rules, runs, wish, start_price, stop_price) - _worth(
            block.runs.rules, on, wish, start_price, stop_price
        )
        if gain > GAIN_MIN:
            gains.append((gain, index, runs))
    gains.sort(key=lambda found: -found[0])
    return [(index, runs) for _, index, runs in gains]


def _worth(
    rules: RunRules, on: BoolArray, wish: FloatArray, start_price: float, stop_price: FloatArray
) -> float:
    """What `best_runs` maximises, of the runs `on`."""
    was_on = np.concatenate(([rules.active], on[:-1]))
    starts = int(np.count_nonzero(on & ~was_on))
    return float(wish[on].sum() - stop_price[was_on & ~on].sum()) - start_price * starts


def _key(fixed: Fixed) -> bytes:
    return b"".join(on.tobytes() for on in fixed.runs.values())


def settled(programme: Programme, effort: Effort, known: Solution | None = None) -> Solution:
    """The lazy solution with the runs that are held, and no battery used both ways; `known` as
    `solve_lazily`. Raises SolverError.
    """
    held = programme.fixed
    if held is not None and held.at:
        # Offsets have moved since: the stages are chosen anew.
        programme.hold(replace(held, at={}))
    solution = solve_lazily(programme, effort, known)
    zero, at = both_ways(programme, solution.x), staged(programme, solution.x)
    if (zero or at or programme.channels.movers) and programme.fixed is not None:
        zero = (*programme.fixed.zero, *zero)
        own = replace(programme.fixed, zero=zero, at=at)
        programme.hold(own)
        if not programme.channels.movers:
            return solve_lazily(programme, effort)
        solution = _in_whole_steps(programme, effort, own, solution.x)
    return solution


def _in_whole_steps(programme: Programme, effort: Effort, held: Fixed, x: FloatArray) -> Solution:
    """The cheaper one of the ways to round the steps of `x`; the programme holds it afterwards."""
    best: tuple[Solution, Fixed] | None = None
    for beyond in (tap_steps.NEAREST, tap_steps.FARTHER):
        at = dict(held.at)
        for first, steps in programme.whole_steps(x, beyond).items():
            at.update(zip(range(first, first + len(steps)), steps.tolist(), strict=True))
        fixed = replace(held, at=at)
        programme.hold(fixed)
        solution = solve_lazily(programme, effort)
        if best is None or solution.objective < best[0].objective:
            best = solution, fixed
    if best is None:
        raise SolverError(SolveStatus.FAILED, "no way to round the steps")
    programme.hold(best[1])
    return solve_lazily(programme, effort, best[0])
