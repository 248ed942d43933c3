"""Rows that couple resources, as they are collected: what `optimizer.system` puts together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import scipy.sparse as sp

from optimizer.arrays import FloatArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class System:
    """R rows on n columns of the blocks, T imports, the loadings of `loads` (branch, interval; in
    per cent) and S columns of its own; see `optimizer.system`. `hot`: (branch, interval, row,
    column) of what holds each hot spot.

    `names` of the own columns, for the explanation. Row and column i, for each of `exports`, hold
    the export in that interval.
    """

    own: sp.csr_array
    head: sp.csr_array
    load: sp.csr_array
    matrix: sp.csr_array
    upper: FloatArray
    column_lower: FloatArray
    column_upper: FloatArray
    cost: FloatArray
    names: tuple[str, ...]
    exports: tuple[int, ...]
    loads: tuple[tuple[int, int], ...]
    hot: tuple[tuple[str, int, int, int], ...]

    @property
    def rows(self) -> int:
        """R."""
        return len(self.upper)

    @property
    def columns(self) -> int:
        """S."""
        return len(self.cost)


@dataclass(slots=True, kw_only=True)
class Builder:
    """The rows and columns so far; `loads` of branches (row, interval), `exports` and `hot` as in
    `System`."""

    count: int
    own: list[tuple[int, int, float]] = field(default_factory=list)
    load: list[tuple[int, int, float]] = field(default_factory=list)
    loads: list[tuple[int, int]] = field(default_factory=list)
    head: list[tuple[int, int, float]] = field(default_factory=list)
    matrix: list[tuple[int, int, float]] = field(default_factory=list)
    upper: list[float] = field(default_factory=list)
    lower_of: list[float] = field(default_factory=list)
    upper_of: list[float] = field(default_factory=list)
    cost: list[float] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    exports: list[int] = field(default_factory=list)
    hot: list[tuple[str, int, int, int]] = field(default_factory=list)

    def column(self, name: str, cost: float, *, lower: float = 0.0, upper: float = np.inf) -> int:
        self.names.append(name)
        self.cost.append(cost)
        self.lower_of.append(lower)
        self.upper_of.append(upper)
        return len(self.names) - 1

    def row(
        self,
        *,
        upper: float,
        own: Sequence[tuple[int, float]] = (),
        head: Sequence[tuple[int, float]] = (),
        columns: Sequence[tuple[int, float]] = (),
        load: Sequence[tuple[int, int, float]] = (),
    ) -> None:
        at = len(self.upper)
        for where, t, value in load:
            self.load.append((at, len(self.loads), value))
            self.loads.append((where, t))
        self.own += [(at, column, value) for column, value in own]
        self.head += [(at, t, value) for t, value in head]
        self.matrix += [(at, column, value) for column, value in columns]
        self.upper.append(upper)

    def built(self, own_columns: int) -> System:
        def made(entries: list[tuple[int, int, float]], columns: int) -> sp.csr_array:
            rows, at, values = zip(*entries, strict=True) if entries else ((), (), ())
            return sp.csr_array(
                (np.array(values, dtype=np.float64), (rows, at)), shape=(len(self.upper), columns)
            )

        return System(
            own=made(self.own, own_columns),
            head=made(self.head, self.count),
            load=made(self.load, len(self.loads)),
            loads=tuple(self.loads),
            hot=tuple(self.hot),
            matrix=made(self.matrix, len(self.names)),
            upper=np.array(self.upper),
            column_lower=np.array(self.lower_of),
            column_upper=np.array(self.upper_of),
            cost=np.array(self.cost),
            names=tuple(self.names),
            exports=tuple(self.exports),
        )
