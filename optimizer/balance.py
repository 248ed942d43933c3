"""Currents where there is no impedance: into the head, through closed switches and regulators.

They are what the balance of their nodes leaves over. In a tree of ties every row counts with its
volts over the root's, so that what flows through a tie is the weighted surplus of all rows that lie
behind it, and what the source feeds in that of its whole tree. Rows are weighed interval by
interval: this is for many positions of the taps at once (`optimizer.stations`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np
import scipy.sparse as sp

from optimizer.arrays import ComplexArray, FloatArray, IntArray, product, squares_of
from optimizer.network import NetworkModel
from optimizer.ties import Tie
from optimizer.ybus import with_capacitors


class Balance:
    """The rows that have a part in it: all of a tree of ties, and the source's."""

    def __init__(self, model: NetworkModel) -> None:
        found = model.admittance
        self._model = model
        self._ties = found.ties
        behind, self._sign = _behind(found.ties, found.source_rows)
        trees = [
            np.flatnonzero(found.root_of == found.root_of[row]).tolist()
            for row in found.source_rows.tolist()
        ]
        self.rows: IntArray = np.array(
            sorted({row for rows in [*behind, *trees] for row in rows}), dtype=np.intp
        )
        self._behind, self._head = self._members(behind), self._members(trees)
        self._from = np.array([tie.from_index for tie in found.ties], dtype=np.intp)
        self._to = np.array([tie.to_index for tie in found.ties], dtype=np.intp)
        self._y: dict[frozenset[str], sp.csr_array] = {}
        currents, tied = model.currents, [t for t in found.ties if t.rating_a is not None]
        place = {name: b for b, name in enumerate(currents.names)}
        number = [place[row.branch] for row in found.rows]
        self._rated = np.array(
            [k for k, t in enumerate(found.ties) if t.rating_a is not None], dtype=np.intp
        )
        self._per_amp = np.array([100.0 / t.rating_a for t in tied if t.rating_a is not None])
        number += 2 * [place[tie.branch] for tie in tied]
        self._order = np.argsort(np.array(number, dtype=np.intp), kind="stable")
        counts = np.bincount(number, minlength=len(place))
        self._first = np.cumsum(counts) - counts

    def _members(self, sets: list[list[int]]) -> sp.csr_array:
        at = [np.searchsorted(self.rows, rows) for rows in sets]
        row = np.repeat(np.arange(len(sets)), [len(a) for a in at])
        column = np.concatenate([*at, np.zeros(0, dtype=np.intp)]).astype(np.intp)
        return sp.csr_array((np.ones(len(row)), (row, column)), shape=(len(sets), len(self.rows)))

    def weighed(
        self,
        node_v: ComplexArray,
        node_a: ComplexArray,
        weight: FloatArray,
        closed: Mapping[frozenset[str], IntArray],
    ) -> ComplexArray:
        """(rows, T) surplus Y V - I of `rows` times their weight (n, T); `closed`: the intervals of
        each set of closed capacitors."""
        drawn = np.empty((len(self.rows), node_v.shape[1]), dtype=np.complex128)
        for capacitors, at in closed.items():
            if len(at) == node_v.shape[1]:
                drawn = product(self._admittance(capacitors), node_v)
            else:
                drawn[:, at] = product(self._admittance(capacitors), node_v[:, at])
        return (drawn - node_a[self.rows]) * weight[self.rows]

    def _admittance(self, closed: frozenset[str]) -> sp.csr_array:
        if closed not in self._y:
            found = self._model.admittance
            whole = (
                found.y if closed == found.closed else with_capacitors(self._model.stamps, closed)
            )
            self._y[closed] = sp.csr_array(whole[self.rows])
        return self._y[closed]

    def head_a(self, weighed: ComplexArray) -> ComplexArray:
        """(3, T) current that the source feeds in."""
        return product(self._head, weighed)

    def tie_a(
        self, weighed: ComplexArray, weight: FloatArray, only: Collection[int] | None = None
    ) -> tuple[ComplexArray, ComplexArray]:
        """(ties, T) current into the near side of each tie, source to load, and out of its far
        side; `only` some of the ties."""
        at = np.arange(len(self._ties)) if only is None else np.array(list(only), dtype=np.intp)
        through = product(sp.csr_array(self._behind[at]), weighed) * self._sign[at, None]
        return through / weight[self._from[at]], through / weight[self._to[at]]

    def loading_pct(
        self, node_v: ComplexArray, weighed: ComplexArray, weight: FloatArray
    ) -> FloatArray:
        """(B, T) as `BranchCurrents.loading_pct`."""
        if not len(self._first):
            return np.zeros((0, node_v.shape[1]))
        parts = [squares_of(product(self._model.currents.lines, node_v))]
        if self._rated.size:
            near, far = self.tie_a(weighed, weight, self._rated.tolist())
            parts += [squares_of(side * self._per_amp[:, None]) for side in (near, far)]
        result: FloatArray = np.maximum.reduceat(
            np.concatenate(parts)[self._order], self._first, axis=0
        )
        return np.sqrt(result)


def _behind(ties: tuple[Tie, ...], source_rows: IntArray) -> tuple[list[list[int]], FloatArray]:
    """The rows behind each tie, seen from the root of its tree, and 1 where that is its far side,
    -1 where it is the near one."""
    beside: dict[int, list[tuple[int, int]]] = {}
    for k, tie in enumerate(ties):
        beside.setdefault(tie.from_index, []).append((tie.to_index, k))
        beside.setdefault(tie.to_index, []).append((tie.from_index, k))
    behind: list[list[int]] = [[] for _ in ties]
    sign = np.ones(len(ties))
    seen: set[int] = set()
    # Roots as `spanning_forest` takes them: the source's rows, then the first row of each tree.
    for start in (*source_rows.tolist(), *sorted(beside)):
        if start in seen or start not in beside:
            continue
        seen.add(start)
        path: list[tuple[int, list[int]]] = [(start, [])]
        while path:
            here, through = path.pop()
            for k in through:
                behind[k].append(here)
            for there, k in beside[here]:
                if there not in seen:
                    seen.add(there)
                    sign[k] = 1.0 if ties[k].to_index == there else -1.0
                    path.append((there, [*through, k]))
    return behind, sign
