"""Currents in rated branches, from node voltages and node injections.

A line or transformer has its current from its own admittances. A tie (closed switch, regulator)
has none: its current is what its node's balance leaves over, C' j = Y V - I, where the rows of C
are the ties' equations V_to - ratio V_from = 0.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from optimizer.arrays import ComplexArray, FloatArray, IntArray, product
from optimizer.ybus import Admittance


class BranchCurrents:
    """Currents as shares of their rating: rows W_v V + W_i I, several rows a branch."""

    def __init__(self, admittance: Admittance) -> None:
        n = len(admittance.node_phases)
        own = [(row.branch, row.rating_a) for row in admittance.rows]
        # A regulator carries the tie's current on its far side and ratio times that on the near.
        tied = [
            (tie.branch, tie.rating_a, k, side)
            for k, tie in enumerate(admittance.ties)
            if tie.rating_a is not None
            for side in (1.0, tie.ratio)
        ]
        branches = [name for name, _ in own] + [name for name, *_ in tied]
        self.names: tuple[str, ...] = tuple(dict.fromkeys(branches))
        place = {name: b for b, name in enumerate(self.names)}
        order = np.argsort([place[name] for name in branches], kind="stable")
        rating: FloatArray = np.array(
            [r for _, r in own] + [r for _, r, _, _ in tied], dtype=np.float64
        )
        entries = [
            (r, node, siemens)
            for r, row in enumerate(admittance.rows)
            for node, siemens in zip(row.nodes, row.siemens, strict=True)
        ]
        through = _tie_balance(admittance)
        pick = sp.csr_array(
            sp.coo_array(
                (
                    np.array([side for *_, side in tied]),
                    (
                        np.arange(len(tied)),
                        np.array([k for *_, k, _ in tied], dtype=np.intp),
                    ),
                ),
                shape=(len(tied), len(admittance.ties)),
            )
        )
        at_ties = pick @ through
        of_lines = sp.coo_array(
            (
                np.array([s for *_, s in entries], dtype=np.complex128),
                (
                    np.array([r for r, *_ in entries], dtype=np.intp),
                    np.array([k for _, k, _ in entries], dtype=np.intp),
                ),
            ),
            shape=(len(own), n),
        )
        shares = sp.diags_array(100.0 / rating) if rating.size else sp.csr_array((0, 0))
        self._volts = sp.csr_array(shares @ sp.vstack([of_lines, at_ties @ admittance.y]))[order]
        self._amps = sp.csr_array(shares @ sp.vstack([sp.csr_array((len(own), n)), -at_ties]))[
            order
        ]
        counts = np.bincount([place[name] for name in branches], minlength=len(self.names))
        self._first: IntArray = (np.cumsum(counts) - counts).astype(np.intp)
        self._counts = counts

    def loading_pct(self, node_v: ComplexArray, node_a: ComplexArray) -> FloatArray:
        """(B, T) loading of the worst phase; `node_a` (n, T) with the head's current in it."""
        if not self.names:
            return np.zeros((0, node_v.shape[1]))
        rows = np.abs(product(self._volts, node_v) + product(self._amps, node_a))
        result: FloatArray = np.maximum.reduceat(rows, self._first, axis=0)
        return result

    def slope_pct(
        self,
        node_v: ComplexArray,
        node_a: ComplexArray,
        d_node_v: ComplexArray,
        d_node_a: ComplexArray,
    ) -> FloatArray:
        """(B, nc) change of the loading of the phase that is worst at (n, 1) `node_v`, `node_a`."""
        if not self.names:
            return np.zeros((0, d_node_v.shape[1]))
        current = (product(self._volts, node_v) + product(self._amps, node_a))[:, 0]
        size = np.abs(current)
        worst = np.array(
            [
                first + int(np.argmax(size[first : first + count]))
                for first, count in zip(self._first, self._counts, strict=True)
            ]
        )
        change = (product(self._volts, d_node_v) + product(self._amps, d_node_a))[worst]
        at = current[worst]
        safe = np.where(size[worst] > 0.0, size[worst], 1.0)
        result: FloatArray = np.real(np.conj(at)[:, None] * change) / safe[:, None]
        return result


def _tie_balance(admittance: Admittance) -> sp.csr_array:
    """(ties, n) matrix (C C')^-1 C: from a node's surplus of current to the ties' currents.

    The ties are a forest, so that C has full row rank.
    """
    n, count = len(admittance.node_phases), len(admittance.ties)
    if not count:
        return sp.csr_array((0, n))
    c = np.zeros((count, n))
    for k, tie in enumerate(admittance.ties):
        c[k, tie.to_index] = 1.0
        c[k, tie.from_index] = -tie.ratio
    balance = np.linalg.solve(c @ c.T, c)
    balance[np.abs(balance) < 1e-12 * np.abs(balance).max()] = 0.0
    return sp.csr_array(balance)
