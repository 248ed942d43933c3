"""One linear programme after another, each from the basis of the one before.

A plan solves the same programme some ten times: rows are added, runs are held, offsets move. From
the last basis HiGHS needs tens of pivots instead of thousands. scipy's public functions take no
start, so the session has two backends: "core", scipy's private binding of HiGHS (`_highspy._core`,
tried out once at import; scipy is pinned to versions that were seen to have it), and "public",
`scipy.optimize.linprog`, each time from nothing. Both find the same optimum; which of several equal
ones may differ (docs/adr/0021-warm-linear-programmes.md).
"""

from __future__ import annotations

import importlib
import logging
import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np
import scipy.sparse as sp
from scipy.optimize import linprog

from optimizer.arrays import BoolArray, FloatArray

LEFT_MIN_S = 0.05
DEVEX = 1
"""HiGHS's number of a pricing: as many pivots as steepest edge, in a quarter less time."""
_LINPROG: Callable[..., Any] = linprog
"""The stubs do not know that it takes sparse matrices."""
_log = logging.getLogger(__name__)


class Outcome(Enum):
    """How a solve ended."""

    OPTIMAL = "optimal"
    LATE = "Time limit reached"
    BEYOND = "no better than what is known"
    INFEASIBLE = "The problem is infeasible"
    TROUBLE = "no answer"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Matrices:
    """What the solver takes: rows `a x` within bounds, columns within bounds, costs."""

    a: sp.csr_array
    row_lower: FloatArray
    row_upper: FloatArray
    lower: FloatArray
    upper: FloatArray
    cost: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Answer:
    """`x` and `row_price` (what one unit more of a row's upper bound would save) where OPTIMAL;
    `pivots`: simplex iterations that it took."""

    outcome: Outcome
    x: FloatArray
    objective: float
    row_price: FloatArray
    pivots: int = 0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Basis:
    """Which of so many rows and columns are basic or at which bound, as HiGHS holds them: to make
    Python's objects of ten thousand states takes longer than many a solve."""

    states: Any
    rows: int
    columns: int


def _probed() -> Any:
    """The private binding, or None where it is not what is needed."""
    try:
        core: Any = importlib.import_module("scipy.optimize._highspy._core")
        tried = _Core(core)
        first = _trial(1.0)
        tried.load(first)
        if abs(tried.solve(1.0).objective - 1.5) > 1e-9:  # noqa: PLR2004 - x = 1, y = 0.5
            return None
        tried.load(_trial(2.0))
        return core if abs(tried.solve(1.0).objective - 2.0) <= 1e-9 else None  # noqa: PLR2004
    except (ImportError, AttributeError, TypeError, ValueError, RuntimeError):
        return None


def _trial(least: float) -> Matrices:
    """min x + y, x + 2y >= 2, x >= least, with a row that is not in the way."""
    return Matrices(
        a=sp.csr_array(np.array([[1.0, 2.0], [1.0, 0.0], [1.0, 1.0]])),
        row_lower=np.array([2.0, least, -np.inf]),
        row_upper=np.array([np.inf, np.inf, 9.0]),
        lower=np.zeros(2),
        upper=np.full(2, np.inf),
        cost=np.ones(2),
    )


class _Core:
    """HiGHS by scipy's private binding, with the last programme still in it."""

    def __init__(self, core: Any) -> None:
        self._core = core
        self._highs = core._Highs()  # noqa: SLF001 - scipy has it nowhere else
        self._held: Matrices | None = None
        for option, value in (
            ("output_flag", False),
            ("presolve", "off"),
            ("solver", "simplex"),
            ("simplex_dual_edge_weight_strategy", DEVEX),
        ):
            self._done(self._highs.setOptionValue(option, value))

    def _done(self, status: Any) -> None:
        if status == self._core.HighsStatus.kError:
            raise RuntimeError("HiGHS refuses a change of the programme")

    def load(self, m: Matrices) -> None:
        """Make `m` the programme; the basis stays as far as rows and columns are the same."""
        old, self._held = self._held, None
        if old is None:
            self._pass(m)
        elif _extends(m, old):
            self._move(old, m)
        else:
            found = self.basis()
            self._pass(m)
            if found is not None:
                self.start_from(found)
        self._held = m

    def start_from(self, basis: Basis) -> None:
        """Begin the next solve from `basis`, filled up or cut for the programme as it stands."""
        rows, columns = self._highs.getNumRow(), self._highs.getNumCol()
        states = basis.states
        if (rows, columns) != (basis.rows, basis.columns):
            status = self._core.HighsBasisStatus
            states = self._core.HighsBasis()
            states.valid, states.alien = True, True
            more = [status.kLower] * (columns - basis.columns)
            states.col_status = [*list(basis.states.col_status)[:columns], *more]
            more = [status.kBasic] * (rows - basis.rows)
            states.row_status = [*list(basis.states.row_status)[:rows], *more]
        if self._highs.setBasis(states) == self._core.HighsStatus.kError:
            self._highs.clearSolver()

    def basis(self) -> Basis | None:
        """The basis of the last solve."""
        found = self._highs.getBasis()
        if not found.valid:
            return None
        return Basis(states=found, rows=self._highs.getNumRow(), columns=self._highs.getNumCol())

    def _pass(self, m: Matrices) -> None:
        rows, columns = m.a.shape
        core = self._core
        self._done(
            self._highs.passModel(
                columns, rows, m.a.nnz, int(core.MatrixFormat.kRowwise), 1, 0.0, m.cost, m.lower,
                m.upper, m.row_lower, m.row_upper, m.a.indptr.astype(np.int32),
                m.a.indices.astype(np.int32), m.a.data, np.zeros(columns, dtype=np.int32),
            )
        )  # fmt: skip

    def _move(self, old: Matrices, m: Matrices) -> None:
        """What differs from `old`, whose rows and columns are the first of `m`."""
        highs = self._highs
        rows, columns = old.a.shape
        new_rows, new_columns = m.a.shape[0] - rows, m.a.shape[1] - columns
        cost = np.flatnonzero(m.cost[:columns] != old.cost).astype(np.int32)
        if cost.size:
            self._done(highs.changeColsCost(len(cost), cost, m.cost[cost]))
        at = np.flatnonzero((m.lower[:columns] != old.lower) | (m.upper[:columns] != old.upper))
        if at.size:
            where = at.astype(np.int32)
            self._done(highs.changeColsBounds(len(at), where, m.lower[at], m.upper[at]))
        moved = (m.row_lower[:rows] != old.row_lower) | (m.row_upper[:rows] != old.row_upper)
        for row in np.flatnonzero(moved).tolist():
            self._done(highs.changeRowBounds(row, float(m.row_lower[row]), float(m.row_upper[row])))
        if new_columns:
            none = np.zeros(0, dtype=np.int32)
            self._done(
                highs.addCols(
                    new_columns, m.cost[columns:], m.lower[columns:], m.upper[columns:], 0,
                    np.zeros(new_columns, dtype=np.int32), none, np.zeros(0),
                )
            )  # fmt: skip
        if new_rows:
            part = sp.csr_array(m.a[rows:])
            self._done(
                highs.addRows(
                    new_rows, m.row_lower[rows:], m.row_upper[rows:], part.nnz,
                    part.indptr[:-1].astype(np.int32), part.indices.astype(np.int32), part.data,
                )
            )  # fmt: skip

    def solve(self, left_s: float, below: float = math.inf) -> Answer:
        """Solve what is loaded within `left_s`; from nothing when HiGHS loses its way. Given up as
        BEYOND, when HiGHS sees that early, where the optimum is not `below`."""
        highs, status = self._highs, self._core.HighsModelStatus
        until_s = highs.getRunTime() + left_s
        found = None
        for again in (False, True):
            if again:
                highs.clearSolver()
            # HiGHS counts the time of all runs of one instance.
            highs.setOptionValue("time_limit", until_s)
            highs.setOptionValue("objective_bound", below)
            highs.run()
            found = highs.getModelStatus()
            if found == status.kOptimal:
                solution = highs.getSolution()
                return Answer(
                    outcome=Outcome.OPTIMAL,
                    x=np.array(solution.col_value, dtype=np.float64),
                    objective=float(highs.getInfo().objective_function_value),
                    row_price=-np.array(solution.row_dual, dtype=np.float64),
                    pivots=int(highs.getInfo().simplex_iteration_count),
                )
            if found == status.kTimeLimit:
                return _none(Outcome.LATE)
            if found == status.kObjectiveBound:
                return _none(Outcome.BEYOND)
        infeasible = (status.kInfeasible, status.kUnboundedOrInfeasible)
        return _none(Outcome.INFEASIBLE if found in infeasible else Outcome.TROUBLE)


def _none(outcome: Outcome) -> Answer:
    return Answer(outcome=outcome, x=np.zeros(0), objective=np.nan, row_price=np.zeros(0))


def _extends(m: Matrices, old: Matrices) -> bool:
    """Whether the rows of `old` are the first rows of `m`, and use none of its new columns."""
    rows, columns = old.a.shape
    if m.a.shape[0] < rows or m.a.shape[1] < columns:
        return False
    end = int(old.a.indptr[-1])
    return (
        np.array_equal(m.a.indptr[: rows + 1], old.a.indptr)
        and np.array_equal(m.a.indices[:end], old.a.indices)
        and np.array_equal(m.a.data[:end], old.a.data)
    )


_CORE: Any = _probed()
BACKENDS: tuple[str, ...] = ("public",) if _CORE is None else ("core", "public")
"""What is there, best first."""
if _CORE is None:
    _log.warning("scipy's private HiGHS is not what is known: plans start from nothing (slower)")


class LpSession:
    """Solves programmes that follow one another. Not for two threads at once."""

    def __init__(self, *, backend: str = BACKENDS[0]) -> None:
        """ValueError for a backend that is not there."""
        if backend not in BACKENDS:
            raise ValueError(f"no backend {backend!r}: there are {', '.join(BACKENDS)}")
        self.backend = backend
        self._core = _Core(_CORE) if backend == "core" else None
        self._start: Basis | None = None

    def start_from(self, basis: Basis | None) -> None:
        """Begin the next solve from `basis`; the public backend cannot and does not."""
        self._start = basis

    def basis(self) -> Basis | None:
        """The basis of the last solve, None where there is none."""
        return None if self._core is None else self._core.basis()

    def solve(
        self, m: Matrices, *, left_s: float, presolve: bool = False, below: float = math.inf
    ) -> Answer:
        """The optimum of `m`, given up after `left_s` (at least LEFT_MIN_S). `presolve` is for the
        public backend: it pays where much is held, and only without a start. An optimum that is not
        `below` may be answered by BEYOND; the public backend finds it all the same.

        The time limit only turns a late answer into an honest "too late"; it never makes another
        one. What the core cannot solve is asked of the public backend.
        """
        left_s = max(left_s, LEFT_MIN_S)
        if self._core is not None:
            try:
                self._core.load(m)
                if self._start is not None:
                    self._core.start_from(self._start)
                answer = self._core.solve(left_s, below)
            except RuntimeError as refused:
                _log.warning("%s: the programme is solved from nothing", refused)
                self._core, answer = _Core(_CORE), _none(Outcome.TROUBLE)
            self._start = None
            if answer.outcome is not Outcome.TROUBLE:
                return answer
        return _public(m, left_s, presolve=presolve)


def _public(m: Matrices, left_s: float, *, presolve: bool) -> Answer:
    """By `scipy.optimize.linprog`: dual simplex, and the interior point method where it fails."""
    equal: BoolArray = m.row_lower == m.row_upper
    above: BoolArray = np.isfinite(m.row_upper) & ~equal
    below: BoolArray = np.isfinite(m.row_lower) & ~equal
    outcomes = {0: Outcome.OPTIMAL, 1: Outcome.LATE, 2: Outcome.INFEASIBLE}
    outcome = Outcome.TROUBLE
    for method in ("highs-ds", "highs-ipm"):
        result = _LINPROG(
            m.cost,
            A_ub=sp.vstack([m.a[above], -m.a[below]], format="csr"),
            b_ub=np.concatenate([m.row_upper[above], -m.row_lower[below]]),
            A_eq=m.a[equal],
            b_eq=m.row_upper[equal],
            bounds=np.column_stack([m.lower, m.upper]),
            method=method,
            options={"presolve": presolve, "time_limit": left_s},
        )
        outcome = outcomes.get(int(result.status), Outcome.TROUBLE)
        if outcome is Outcome.OPTIMAL and result.x is not None:
            price = np.zeros(len(m.row_upper))
            price[above] = -np.asarray(result.ineqlin.marginals)[: int(above.sum())]
            price[equal] = -np.asarray(result.eqlin.marginals)
            return Answer(
                outcome=outcome,
                x=np.asarray(result.x, dtype=np.float64),
                objective=float(result.fun),
                row_price=price,
                pivots=int(result.nit),
            )
        if outcome is not Outcome.TROUBLE:
            return _none(outcome)
    return _none(outcome)
