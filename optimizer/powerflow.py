"""What a three-phase AC power flow is made of: its result and the factorised network
(`optimizer.loads` has the consumers, `optimizer.fixpoint` solves it)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import scipy.sparse as sp
from scipy.sparse.linalg import SuperLU

from gridctl.model.network import NEUTRAL
from optimizer.arrays import ComplexArray, FloatArray, IntArray, factorised, product
from optimizer.loads import Elements
from optimizer.ybus import Admittance


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FlowResult:
    """One AC power flow of `T` intervals. Where `converged` is false the numbers mean nothing.

    `v_pu` (n, T) on the node's own base, 0 where a node-phase is not energised;
    `v_complex` (n, T) volts to ground; `head_kw`, `head_kvar` (T,) at the source's terminals;
    `losses_kw` (T,) of lines and transformers; `load_kw` (T,) what all consumers draw at their
    actual voltage; `branch_loading_pct` (B, T): the worst phase's current over its rating, rows
    as `branch_names` (only equipment that has a rating). The inputs are kept with the result.
    `guess` (K, T): the positions that the controls' law tried first, None where they were held.
    `positions` (K, T): taps and switched capacitors as `optimizer.regulation` counts them; K = 0
    where they are pinned.
    """

    v_pu: FloatArray
    v_complex: ComplexArray
    head_kw: FloatArray
    head_kvar: FloatArray
    losses_kw: FloatArray
    load_kw: FloatArray
    branch_names: tuple[str, ...]
    branch_loading_pct: FloatArray
    load_scale: FloatArray
    injection_kw: FloatArray
    injection_kvar: FloatArray
    positions: IntArray
    converged: bool
    iterations: int
    guess: IntArray | None = None


_BY_INTERVAL = (
    "v_pu", "v_complex", "head_kw", "head_kvar", "losses_kw", "load_kw", "branch_loading_pct",
    "load_scale", "injection_kw", "injection_kvar", "positions",
)  # fmt: skip


def columns_of(flow: FlowResult, at: IntArray) -> FlowResult:
    """The intervals `at` of a flow, in that order."""
    cut: dict[str, Any] = {name: getattr(flow, name)[..., at] for name in _BY_INTERVAL}
    return replace(flow, **cut)


def stitched(parts: Sequence[tuple[IntArray, FlowResult]]) -> FlowResult:
    """One flow from flows of some intervals each; together they name every interval once."""
    if len(parts) == 1:
        return parts[0][1]
    order = np.argsort(np.concatenate([at for at, _ in parts]))
    flows = [flow for _, flow in parts]
    whole: dict[str, Any] = {
        name: np.concatenate([getattr(flow, name) for flow in flows], axis=-1)[..., order]
        for name in _BY_INTERVAL
    }
    return replace(
        flows[0],
        converged=all(flow.converged for flow in flows),
        iterations=max(flow.iterations for flow in flows),
        **whole,
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RootSystem:
    """The linear part on the energised roots: Y V = I, factorised once.

    `spread` (n, m) takes root volts to all node-phases (zero rows where dead), `gather` (m, n) node
    currents to roots; `emf_a` (m,) is the source's Norton current, `y_source` (3, 3) its
    admittance; `y_passive` is without it; `source` are the positions of its three phases, whose
    rows of `y_passive` and `gather` are `source_passive` and `source_gather`.
    `centred` (n, n), None where nothing floats: takes node volts to those that an injection sees.
    Where a delta winding leaves no path to earth a device is a star of its own, from the middle of
    the phases of its node; its currents sum to nothing, and its power is what was asked for.
    """

    spread: sp.csr_array
    gather: sp.csr_array
    y: sp.csc_array
    y_passive: sp.csr_array
    lu: SuperLU
    emf_a: ComplexArray
    y_source: ComplexArray
    source: IntArray
    source_passive: sp.csr_array
    source_gather: sp.csr_array
    centred: sp.csr_array | None = None

    @property
    def seen(self) -> sp.csr_array:
        """(n, m): root volts to the volts that an injection at each node-phase sees."""
        return self.spread if self.centred is None else sp.csr_array(self.centred @ self.spread)

    def injected_amps(self, injection_va: ComplexArray, node_v: ComplexArray) -> ComplexArray:
        """(n, T) current into each node-phase of constant-power injections."""
        seen_v = node_v if self.centred is None else product(self.centred, node_v)
        given = np.zeros(injection_va.shape, dtype=np.complex128)
        np.divide(injection_va, seen_v, out=given, where=injection_va != 0.0)
        amps: ComplexArray = np.conj(given)
        return amps if self.centred is None else product(self.centred, amps)


def root_system(admittance: Admittance) -> RootSystem:
    """Reduce to roots, add the source, factorise."""
    full = admittance.roots
    live_roots = np.unique(admittance.root_of[admittance.energised | admittance.adrift])
    spread = sp.csr_array(full[:, live_roots])
    y_passive = sp.csr_array(spread.T @ admittance.y @ spread)
    source = np.searchsorted(live_roots, admittance.source_roots).astype(np.intp)
    m = len(live_roots)
    where = (np.repeat(source, 3), np.tile(source, 3))
    y = sp.csc_array(y_passive + sp.coo_array((admittance.y_source.ravel(), where), shape=(m, m)))
    emf_a = np.zeros(m, dtype=np.complex128)
    emf_a[source] = admittance.y_source @ admittance.emf_v
    gather = sp.csr_array(spread.T)
    return RootSystem(
        spread=spread,
        gather=gather,
        y=y,
        y_passive=y_passive,
        lu=factorised(y),
        emf_a=emf_a,
        y_source=admittance.y_source,
        source=source,
        source_passive=sp.csr_array(y_passive[source]),
        source_gather=sp.csr_array(gather[source]),
        centred=_centred(admittance),
    )


def _centred(admittance: Admittance) -> sp.csr_array | None:
    """Off the rows of each floating node their mean; the other rows as they are."""
    if not admittance.floating.any():
        return None
    by_node: dict[str, list[int]] = {}
    for row in np.flatnonzero(admittance.floating).tolist():
        node, phase = admittance.node_phases[row]
        if phase != NEUTRAL:
            by_node.setdefault(node, []).append(row)
    entries = [(a, b, -1.0 / len(rows)) for rows in by_node.values() for a in rows for b in rows]
    n = len(admittance.node_phases)
    at, to, value = (np.array(column) for column in zip(*entries, strict=True))
    return sp.csr_array(sp.eye_array(n) + sp.coo_array((value, (at, to)), shape=(n, n)))


def head_amps(system: RootSystem, root_v: ComplexArray, node_a: ComplexArray) -> ComplexArray:
    """(3, T) current that the source feeds into the network, by its nodes' balance."""
    result: ComplexArray = product(system.source_passive, root_v) - product(
        system.source_gather, node_a
    )
    return result


def node_amps(
    system: RootSystem,
    elements: Elements,
    *,
    root_v: ComplexArray,
    scale: FloatArray,
    injection_va: ComplexArray,
) -> ComplexArray:
    """(n, T) current injected at each node-phase by controls and consumers at `root_v` (m, T)."""
    node_v = product(system.spread, root_v)
    given_a = system.injected_amps(injection_va, node_v)
    drawn_a = elements.drawn_a(product(elements.across, node_v), scale)
    return given_a - product(elements.back, drawn_a)
