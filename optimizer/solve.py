"""Solving the programme: relaxation, runs repaired to whole on/off, programme with them fixed.

On/off groups make it a mixed-integer programme. Its relaxation with the tight rows of
`resources.load_group` is nearly integral, so: solve the relaxation, give each group the best runs
that its rules allow near the relaxed shed (a dynamic programme that cannot break a rule), fix them,
solve again. Several thresholds are tried and the cheapest kept; its distance to the relaxation is
the proven gap. No clock is involved, so the same task gives the same plan.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from scipy.optimize import linprog

from optimizer.arrays import BoolArray, FloatArray
from optimizer.assemble import Matrices, Programme
from optimizer.runs import best_runs

LAZY_ROUNDS_MAX = 30
THRESHOLDS = (0.02, 0.25, 0.5, 0.75)
BOTH_WAYS_KW = 1e-3
OPTIMAL, INFEASIBLE, TROUBLE = 0, 2, 4
_LINPROG: Callable[..., Any] = linprog
"""The stubs do not know that it takes sparse matrices."""


class SolverError(Exception):
    """The solver did not answer with a solution; `infeasible` tells a contradiction from trouble.

    All limits are soft, so "infeasible" means contradictory rules of a resource: a bug or bad data.
    """

    def __init__(self, message: str, *, infeasible: bool) -> None:
        self.infeasible = infeasible
        super().__init__(message)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Solution:
    """A solution of the programme: columns `x`, `objective` with slack prices, `row_price` (m,) of
    each row (what one unit more of its bound would save, >= 0 on soft rows)."""

    x: FloatArray
    objective: float
    row_price: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Fixed:
    """What the second stage holds: runs by block, and columns of pairs held at zero."""

    runs: dict[int, BoolArray]
    zero: tuple[int, ...] = ()


@dataclass(slots=True)
class Counter:
    """How many linear programmes were solved."""

    programmes: int = 0


def solve_once(matrices: Matrices, counter: Counter, *, presolve: bool) -> Solution:
    """One linear programme by HiGHS. Raises SolverError.

    Presolve pays where many columns are held, and costs (measured: 3 times) where none is.
    """
    lower, upper = matrices.row_lower, matrices.row_upper
    equal = lower == upper
    above, below = np.isfinite(upper) & ~equal, np.isfinite(lower) & ~equal
    a_above, a_below, a_equal = matrices.a[above], matrices.a[below], matrices.a[equal]
    result = None
    for method in ("highs", "highs-ipm"):
        counter.programmes += 1
        result = _LINPROG(
            matrices.cost,
            A_ub=sp.vstack([a_above, -a_below], format="csr"),
            b_ub=np.concatenate([upper[above], -lower[below]]),
            A_eq=a_equal,
            b_eq=upper[equal],
            bounds=np.column_stack([matrices.lower, matrices.upper]),
            method=method,
            options={"presolve": presolve},
        )
        if result.status == OPTIMAL:
            break
    if result is None or result.status != OPTIMAL or result.x is None:
        status = TROUBLE if result is None else int(result.status)
        message = "no answer" if result is None else str(result.message)
        raise SolverError(f"HiGHS: {message}", infeasible=status == INFEASIBLE)
    price = np.zeros(len(lower))
    split = int(above.sum())
    price[above] = -np.asarray(result.ineqlin.marginals)[:split]
    return Solution(
        x=np.asarray(result.x, dtype=np.float64), objective=float(result.fun), row_price=price
    )


def solve_lazily(programme: Programme, fixed: Fixed | None, counter: Counter) -> Solution:
    """Solve, add the voltage and loading rows that it breaks, until it breaks none."""
    for _ in range(LAZY_ROUNDS_MAX):
        solution = solve_once(
            held(programme, programme.matrices(), fixed), counter, presolve=fixed is not None
        )
        if not programme.add_broken(programme.injection_kw(solution.x)):
            return solution
    raise SolverError(
        f"voltage rows still missing after {LAZY_ROUNDS_MAX} rounds", infeasible=False
    )


def held(programme: Programme, matrices: Matrices, fixed: Fixed | None) -> Matrices:
    """`matrices` with the runs of `fixed` as bounds."""
    if fixed is None:
        return matrices
    lower, upper = matrices.lower.copy(), matrices.upper.copy()
    for index, on in fixed.runs.items():
        runs = programme.blocks[index].runs
        if runs is None:
            continue
        first = programme.columns_of(index).start
        was_on = np.concatenate(([runs.rules.active], on[:-1]))
        for columns, values in (
            (runs.on, on),
            (runs.start, on & ~was_on),
            (runs.stop, was_on & ~on),
        ):
            lower[first + columns] = upper[first + columns] = values.astype(np.float64)
    upper[list(fixed.zero)] = 0.0
    return Matrices(
        a=matrices.a,
        row_lower=matrices.row_lower,
        row_upper=matrices.row_upper,
        lower=lower,
        upper=upper,
        cost=matrices.cost,
    )


def repaired(programme: Programme, x: FloatArray, threshold: float) -> dict[int, BoolArray]:
    """The best runs for each group, wishing "on" where the relaxation sheds more than
    `threshold` of what the group can."""
    runs: dict[int, BoolArray] = {}
    hours = programme.problem.grid.hours
    for index, block in enumerate(programme.blocks):
        if block.runs is None:
            continue
        share = (block.action @ x[programme.columns_of(index)]) / block.runs.full_kw
        runs[index] = best_runs(block.runs.rules, (share - threshold) * hours)
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


def first_plan(programme: Programme, counter: Counter) -> tuple[Solution, Fixed, float]:
    """Relaxation, repair, best fixed solution; with the objective of the relaxation.

    Raises SolverError.
    """
    programme.add_broken(np.zeros((len(programme.members), programme.problem.grid.count)))
    relaxed = solve_lazily(programme, None, counter)
    candidates = _distinct([repaired(programme, relaxed.x, level) for level in THRESHOLDS])
    best: tuple[Solution, Fixed] | None = None
    for runs in candidates:
        fixed = Fixed(runs=runs)
        solution = solve_once(held(programme, programme.matrices(), fixed), counter, presolve=True)
        if best is None or solution.objective < best[0].objective:
            best = solution, fixed
    if best is None:
        return relaxed, Fixed(runs={}), relaxed.objective
    solution, fixed = settled(programme, best[1], counter)
    return solution, fixed, relaxed.objective


def settled(programme: Programme, fixed: Fixed, counter: Counter) -> tuple[Solution, Fixed]:
    """The lazy solution with `fixed` held, and no battery used both ways. Raises SolverError."""
    solution = solve_lazily(programme, fixed, counter)
    zero = both_ways(programme, solution.x)
    if zero:
        fixed = Fixed(runs=fixed.runs, zero=(*fixed.zero, *zero))
        solution = solve_lazily(programme, fixed, counter)
    return solution, fixed


def _distinct(candidates: Sequence[dict[int, BoolArray]]) -> list[dict[int, BoolArray]]:
    seen: set[bytes] = set()
    result = []
    for runs in candidates:
        key = b"".join(on.tobytes() for on in runs.values())
        if key not in seen:
            seen.add(key)
            result.append(runs)
    return result
