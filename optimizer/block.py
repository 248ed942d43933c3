"""A resource's part of the linear programme: columns, bounds, rules, and what it injects."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from optimizer.runs import RunRules
from optimizer.timegrid import FloatArray, IntArray

BoolArray = NDArray[np.bool_]

COST_MIN = 1e-3
"""Least cost of a kWh moved, so that nothing moves that no limit asks for."""


CANCELLED_FROM = 0.5


class Rows:
    """Rows `lower <= a x <= upper`, collected one by one or many at once."""

    def __init__(self) -> None:
        self._parts: list[tuple[IntArray, IntArray, FloatArray]] = []
        self._lower: list[FloatArray] = []
        self._upper: list[FloatArray] = []
        self.count = 0

    @property
    def lower(self) -> FloatArray:
        """Lower bounds of all rows."""
        return np.concatenate(self._lower) if self._lower else np.zeros(0)

    @property
    def upper(self) -> FloatArray:
        """Upper bounds of all rows."""
        return np.concatenate(self._upper) if self._upper else np.zeros(0)

    def add(
        self,
        terms: Sequence[tuple[int, float]],
        *,
        lower: float = -np.inf,
        upper: float = np.inf,
    ) -> None:
        """One row: the sum of value * x[column] over `terms` lies between `lower` and `upper`."""
        columns = np.array([column for column, _ in terms], dtype=np.int64)
        values = np.array([value for _, value in terms], dtype=np.float64)
        nothing = np.zeros(len(columns), dtype=np.int64)
        self.add_all([(nothing, columns, values)], lower=lower, upper=upper, count=1)

    def add_all(
        self,
        terms: Sequence[tuple[IntArray, IntArray, FloatArray | float]],
        *,
        lower: FloatArray | float = -np.inf,
        upper: FloatArray | float = np.inf,
        count: int,
    ) -> None:
        """`count` rows at once: `terms` are (row among these, column, value), each an array or
        (value) one number for all."""
        for row, column, value in terms:
            self._parts.append((self.count + row, column, _filled(value, len(row))))
        self._lower.append(_filled(lower, count))
        self._upper.append(_filled(upper, count))
        self.count += count

    def matrix(self, columns: int) -> sp.csr_array:
        """The rows as a sparse matrix."""
        if not self._parts:
            return sp.csr_array((self.count, columns))
        row, column, value = (np.concatenate(own) for own in zip(*self._parts, strict=True))
        return sp.csr_array((value, (row, column)), shape=(self.count, columns))


def _filled(value: FloatArray | float, count: int) -> FloatArray:
    if isinstance(value, np.ndarray):
        return value
    return np.full(count, value)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Call:
    """An announced call that may be cancelled: the column that is 1 then, and the intervals (T,)
    that are on otherwise."""

    column: int
    during: BoolArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RunColumns:
    """The on/off part of a resource: the columns on, start and stop of each interval, the rules of
    its runs, and the kW that "on" may reach. `back_kw` (L, K): what comes back at least in the k-th
    interval after the release of a run of l intervals (none where nothing does). `calls`: those
    that may be cancelled.

    `aftermath`: what the end of each of the given runs (T,) adds to the injection: a matrix (T, n)
    on the columns, and a constant (T,) for what was done before the horizon.
    """

    on: IntArray
    start: IntArray
    stop: IntArray
    rules: RunRules
    full_kw: float
    aftermath: Callable[[BoolArray], tuple[sp.csr_array, FloatArray]]
    back_kw: FloatArray = field(default_factory=lambda: np.zeros((0, 0)))
    calls: tuple[Call, ...] = ()

    @property
    def is_bound(self) -> bool:
        """Whether a run is on now, or announced for good: it cannot be done without."""
        return self.rules.active or bool(self.rules.must.any())

    def kept(self, own: FloatArray) -> RunRules:
        """The rules with the calls that the block's columns `own` do not cancel."""
        if not self.calls:
            return self.rules
        must = self.rules.must if len(self.rules.must) else np.zeros(self.rules.count, np.bool_)
        for call in self.calls:
            if own[call.column] < CANCELLED_FROM:
                must = must | call.during
        return replace(self.rules, must=must)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Stages:
    """The columns (T,) that stand at 0 or at one of `levels_kw` (ascending)."""

    columns: IntArray
    levels_kw: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Block:
    """One resource in the programme, n columns over T intervals.

    `cost` per unit of column; `action` (T, n): kW that differ from the default, in the sign of the
    setpoint; `injection` (T, n): kW by which its terminals' load falls; `setpoint_kw` = `offset_kw`
    + action where there is one, else `default_kw`. `kvar` (T, n): kvar injected, None at unity.
    `runs`: None for what moves freely. `pair`: two
    columns of an interval that must not both be used (charge and discharge), or None. `stages`: the
    levels that the control knows, where it does not take any level.
    """

    resource: str
    default_kw: float
    lower: FloatArray
    upper: FloatArray
    cost: FloatArray
    matrix: sp.csr_array
    row_lower: FloatArray
    row_upper: FloatArray
    action: sp.csr_array
    injection: sp.csr_array
    offset_kw: FloatArray
    runs: RunColumns | None = None
    pair: tuple[IntArray, IntArray] | None = None
    stages: Stages | None = None
    kvar: sp.csr_array | None = None

    @property
    def columns(self) -> int:
        """Number of columns."""
        return len(self.lower)


def block_of(
    *,
    resource: str,
    default_kw: float,
    lower: FloatArray,
    upper: FloatArray,
    cost: FloatArray,
    rows: Rows,
    action: sp.csr_array,
    injection: sp.csr_array,
    offset_kw: FloatArray,
    runs: RunColumns | None = None,
    pair: tuple[IntArray, IntArray] | None = None,
    stages: Stages | None = None,
    kvar: sp.csr_array | None = None,
) -> Block:
    """A block from its collected rows."""
    return Block(
        resource=resource,
        default_kw=default_kw,
        lower=lower,
        upper=upper,
        cost=cost,
        matrix=rows.matrix(len(lower)),
        row_lower=rows.lower,
        row_upper=rows.upper,
        action=action,
        injection=injection,
        offset_kw=offset_kw,
        runs=runs,
        pair=pair,
        stages=stages,
        kvar=kvar,
    )


def selection(rows: int, columns: int, at: IntArray, value: float) -> sp.csr_array:
    """(rows, columns) with `value` at (t, at[t])."""
    return sp.csr_array((np.full(rows, value), at, np.arange(rows + 1)), shape=(rows, columns))
