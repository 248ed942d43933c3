"""Voltage unbalance of three-phase nodes, as rows beside the loadings of branches.

The unbalance is that of IEC 61000-4-30, 5.7: negative over positive sequence (of voltages to earth
or between phases: it is the same). NEMA MG 1-14.36 (greatest difference of a line voltage from
their mean) lies within a seventh of it for small values. A row is in per cent *of its limit*, so
that it is 100 where the limit is reached, as a branch is at its rating. Like a current it is the
size of something affine, so the same tangents bound it from below.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from optimizer.arrays import BoolArray, ComplexArray, FloatArray, IntArray

PREFIX = "unbalance "
"""Rows are called by it and their node."""
_A = complex(-0.5, np.sqrt(3.0) / 2.0)
_POSITIVE = np.array([1.0, _A, _A**2]) / 3.0
_NEGATIVE = np.array([1.0, _A**2, _A]) / 3.0


def node_of(name: str) -> str | None:
    """The node that the row `name` watches, None for a branch."""
    return name.removeprefix(PREFIX) if name.startswith(PREFIX) else None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Unbalance:
    """The nodes that are watched: `names` of the rows (k,), their phases' rows `at` (k, 3) in the
    order A, B, C; `limit_pct` of the positive sequence."""

    names: tuple[str, ...]
    at: IntArray
    limit_pct: float

    def of_limit_pct(self, v_complex: ComplexArray) -> FloatArray:
        """(k, T): per cent of the limit, of voltages (n, T)."""
        positive, negative = self._sequences(v_complex)
        found: FloatArray = self._scale * np.abs(negative) / np.abs(positive)
        return found

    def slope(self, v_complex: ComplexArray, change: ComplexArray) -> FloatArray:
        """(k, nc): change of `of_limit_pct` at voltages (n, 1) when they change by (n, nc)."""
        positive, negative = self._sequences(v_complex)
        d_positive, d_negative = self._sequences(change)
        size, other = np.abs(positive), np.maximum(np.abs(negative), 1e-9 * np.abs(positive))
        rise = np.real(np.conj(negative) * d_negative) / other / size
        fall = other / size**2 * np.real(np.conj(positive) * d_positive) / size
        found: FloatArray = self._scale * (rise - fall)
        return found

    @property
    def _scale(self) -> float:
        return 100.0 * 100.0 / self.limit_pct

    def _sequences(self, volts: ComplexArray) -> tuple[ComplexArray, ComplexArray]:
        of_phases = volts[self.at]
        return (
            np.einsum("p,kpc->kc", _POSITIVE, of_phases),
            np.einsum("p,kpc->kc", _NEGATIVE, of_phases),
        )


def unbalance_of(
    node_phases: tuple[tuple[str, str], ...], judged: BoolArray, limit_pct: float
) -> Unbalance:
    """All nodes with three judged phases, held to `limit_pct`."""
    by_node: dict[str, dict[str, int]] = {}
    for row, (node, phase) in enumerate(node_phases):
        if judged[row] and phase in "ABC":
            by_node.setdefault(node, {})[phase] = row
    whole = {node: rows for node, rows in by_node.items() if len(rows) == 3}  # noqa: PLR2004
    return Unbalance(
        names=tuple(PREFIX + node for node in whole),
        at=np.array([[rows[p] for p in "ABC"] for rows in whole.values()], dtype=np.intp).reshape(
            -1, 3
        ),
        limit_pct=limit_pct,
    )
