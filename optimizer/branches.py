"""Currents in rated branches, from node voltages and node injections.

A line or transformer has its current from its own admittances. A tie (closed switch, regulator)
has none: its current is what its node's balance leaves over, C' j = Y V - I, where the rows of C
are the ties' equations V_to - ratio V_from = 0.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from optimizer.arrays import ComplexArray, FloatArray, IntArray, product, squares_of
from optimizer.ybus import Admittance

ALL = slice(None)
"""All rows."""


class BranchCurrents:
    """Currents as shares of their rating: rows W_v V + W_i I, several rows a branch."""

    def __init__(self, admittance: Admittance, *, like: BranchCurrents | None = None) -> None:
        """`like`: the currents of the same feeder in another state, whose lines are the same."""
        self.lines: sp.csr_array = _line_weights(admittance) if like is None else like.lines
        self._ties = admittance.ties
        self._y = admittance.y
        self._through = _tie_balance(admittance)
        # A regulator carries the tie's current on its far side and ratio times that on the near.
        tied = [
            (tie.branch, tie.rating_a, k, side)
            for k, tie in enumerate(admittance.ties)
            if tie.rating_a is not None
            for side in (1.0, tie.ratio)
        ]
        branches = [row.branch for row in admittance.rows] + [name for name, *_ in tied]
        self.names: tuple[str, ...] = tuple(dict.fromkeys(branches))
        place = {name: b for b, name in enumerate(self.names)}
        number = np.array([place[name] for name in branches], dtype=np.intp)
        order = np.argsort(number, kind="stable")
        at_ties = (
            sp.csr_array(
                (
                    np.array([100.0 * side / rating for _, rating, _, side in tied]),
                    (np.arange(len(tied)), np.array([k for *_, k, _ in tied], dtype=np.intp)),
                ),
                shape=(len(tied), len(admittance.ties)),
            )
            @ self._through
        )
        nothing = sp.csr_array(self.lines.shape)
        self._volts = sp.csr_array(sp.vstack([self.lines, at_ties @ admittance.y], "csr")[order])
        self._amps = sp.csr_array(sp.vstack([nothing, -at_ties], "csr")[order])
        self._tied: IntArray = np.flatnonzero(np.diff(self._amps.indptr)).astype(np.intp)
        self._tied_amps = sp.csr_array(self._amps[self._tied])
        counts = np.bincount(number, minlength=len(self.names))
        self._first: IntArray = (np.cumsum(counts) - counts).astype(np.intp)
        self._counts = counts

    def tie_amps(self, node_v: ComplexArray, node_a: ComplexArray) -> ComplexArray:
        """(ties, T) current into each tie on its near side, source to load, A."""
        balance = product(self._y, node_v) - node_a
        ratio = np.array([tie.ratio for tie in self._ties])
        return ratio[:, None] * product(self._through, balance)

    def loading_pct(self, node_v: ComplexArray, node_a: ComplexArray) -> FloatArray:
        """(B, T) loading of the worst phase; `node_a` (n, T) with the head's current in it."""
        if not self.names:
            return np.zeros((0, node_v.shape[1]))
        amps = product(self._volts, node_v)
        # Only ties have a part that is no line's.
        amps[self._tied] += product(self._tied_amps, node_a)
        result: FloatArray = np.maximum.reduceat(squares_of(amps), self._first, axis=0)
        return np.sqrt(result)

    @property
    def told(self) -> IntArray:
        """Rows whose node currents have a part in the currents of ties."""
        return np.unique(self._tied_amps.indices).astype(np.intp)

    def change(
        self, spread: sp.csr_array, d_root_v: ComplexArray, d_node_a: ComplexArray
    ) -> ComplexArray:
        """(rows, nc) changes of each branch and phase's current, in per cent of its rating, where
        root volts, which `spread` takes to those of nodes, and node currents change so."""
        result = product(sp.csr_array(self._volts @ spread), d_root_v)
        result[self._tied] += product(self._tied_amps, d_node_a)
        return result

    def slope_pct(
        self,
        node_v: ComplexArray,
        node_a: ComplexArray,
        changes: ComplexArray,
        branches: IntArray | slice = ALL,
    ) -> FloatArray:
        """(B, nc) change of the loading of the phase that is worst at (n, 1) `node_v`, `node_a`;
        `changes` as `change` has them. `branches`: only these rows of it."""
        if not self.names:
            return np.zeros((0, changes.shape[1]))
        current = (product(self._volts, node_v) + product(self._amps, node_a))[:, 0]
        size = np.abs(current)
        most = np.repeat(np.maximum.reduceat(size, self._first), self._counts)
        greatest = np.flatnonzero(size == most)
        # Of equal phases the first one.
        worst = greatest[np.searchsorted(greatest, self._first)][branches]
        change, at = changes[worst], current[worst]
        safe = np.where(size[worst] > 0.0, size[worst], 1.0)
        result: FloatArray = np.real(np.conj(at)[:, None] * change) / safe[:, None]
        return result


def _line_weights(admittance: Admittance) -> sp.csr_array:
    """(rows, n) weights of the lines' and transformers' currents in per cent of their rating."""
    rows = admittance.rows
    entries = [
        (r, node, 100.0 / row.rating_a * siemens)
        for r, row in enumerate(rows)
        for node, siemens in zip(row.nodes, row.siemens, strict=True)
    ]
    return sp.csr_array(
        (
            np.array([weight for *_, weight in entries], dtype=np.complex128),
            (
                np.array([r for r, *_ in entries], dtype=np.intp),
                np.array([node for _, node, _ in entries], dtype=np.intp),
            ),
        ),
        shape=(len(rows), len(admittance.node_phases)),
    )


def _tie_balance(admittance: Admittance) -> sp.csr_array:
    """(ties, n) matrix (C C')^-1 C: from a node's surplus of current to the ties' currents.

    The ties are a forest, so that C has full row rank.
    """
    n, count = len(admittance.node_phases), len(admittance.ties)
    if not count:
        return sp.csr_array((0, n))
    at = np.arange(count)
    ends = [[tie.to_index for tie in admittance.ties], [tie.from_index for tie in admittance.ties]]
    ratio = np.array([tie.ratio for tie in admittance.ties])
    c = sp.csr_array(
        (np.concatenate([np.ones(count), -ratio]), (np.tile(at, 2), np.concatenate(ends))),
        shape=(count, n),
    )
    # Ties that touch no other in any number of steps have nothing in common: mostly zeros.
    inverse = np.linalg.inv((c @ c.T).toarray())
    inverse[np.abs(inverse) < 1e-12 * np.abs(inverse).max()] = 0.0
    balance = sp.csr_array(sp.csr_array(inverse) @ c)
    balance.data[np.abs(balance.data) < 1e-12 * np.abs(balance.data).max()] = 0.0
    balance.eliminate_zeros()
    return balance
