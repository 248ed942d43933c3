"""Every position of a feeder's taps and switched capacitors in one iteration.

A regulator multiplies what lies behind it, up to the next impedance. Node-phases of one root with
the same regulators in front are one *station*: its volts are the root's times the ratios of those
regulators. Told in stations, only that weight and the factors of the admittance depend on the
positions, so that intervals at many positions are columns of one problem, and only the triangular
solves go set by set. The result is that of `NetworkModel` at each interval's positions.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp
from scipy.sparse.linalg import SuperLU

from gridctl.model.network import Feeder
from optimizer.arrays import (
    ComplexArray,
    FloatArray,
    IntArray,
    complex_va,
    factorised,
    product,
    size_of,
)
from optimizer.balance import Balance
from optimizer.fixpoint import (
    PILOTS_FROM,
    TOLERANCE_PU,
    Meter,
    between,
    steps,
)
from optimizer.network import NetworkModel
from optimizer.points import Draw, Points, points_of
from optimizer.powerflow import FlowResult, RootSystem
from optimizer.regulation import Relay, closed_at
from optimizer.ybus import with_capacitors

FACTORS_KEPT = 8_000_000
"""Entries of factors that are kept: 128 MB (4,000 sets of positions of IEEE 123)."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Asked:
    """One case: `load_scale` as `NetworkModel.solve` takes it, `scale` (e or 1, T) the same by
    element, injections `va` (n, T), the import that is wanted (T,) or None."""

    load_scale: FloatArray
    scale: FloatArray
    kw: FloatArray
    kvar: FloatArray
    va: ComplexArray
    head_kw: FloatArray | None

    def columns(self, at: IntArray, factor: FloatArray | None = None) -> Asked:
        """The intervals `at`; where an import is wanted, looked for from the factors (T,) on."""
        scale = self.scale[:, at]
        if factor is not None and self.head_kw is not None:
            scale = factor[None, at]
        return Asked(
            load_scale=self.load_scale[..., at],
            scale=scale,
            kw=self.kw[:, at],
            kvar=self.kvar[:, at],
            va=self.va[:, at],
            head_kw=None if self.head_kw is None else self.head_kw[at],
        )


@dataclass(slots=True, kw_only=True, eq=False)
class Solved:
    """Station volts (T, S) at `positions` (K, T), and the consumers' factors (T,) that gave the
    import that was wanted."""

    volts: ComplexArray
    positions: IntArray
    factor: FloatArray
    converged: bool
    iterations: int

    def take(self, at: IntArray, other: Solved) -> None:
        """Replace the intervals `at` by those of `other`."""
        self.volts[at], self.positions[:, at] = other.volts, other.positions
        self.factor[at] = other.factor
        self.converged &= other.converged
        self.iterations = max(self.iterations, other.iterations)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Pattern:
    """Where each entry of the node admittance goes in the one of the roots (CSC), with the
    source's admittance in `fixed`."""

    row: IntArray
    column: IntArray
    value: ComplexArray
    slot: IntArray
    indices: IntArray
    indptr: IntArray
    fixed: ComplexArray


class Stations:
    """The stations of a feeder in whatever positions; `model` is it in some."""

    def __init__(
        self,
        model: NetworkModel,
        feeder: Feeder,
        relays: Sequence[Relay],
        closed: Collection[str] | None,
    ) -> None:
        """`closed`: the capacitors without control that are closed, as `closed_at`."""
        self._model, self._feeder, self._closed = model, feeder, closed
        self._step = np.array([r.regulator.step_pu for r in relays])
        found = model.admittance
        live = np.flatnonzero(found.energised)
        roots, root_at = np.unique(found.root_of[live], return_inverse=True)
        self._m, n = len(roots), len(found.node_phases)
        power = _powers(model, relays)[live]
        key = np.column_stack([root_at, power])
        extra, place = np.unique(key[power.any(axis=1)], axis=0, return_inverse=True)
        station = root_at.copy()
        station[power.any(axis=1)] = self._m + place.ravel()
        self._root_of = np.concatenate([np.arange(self._m), extra[:, 0]]).astype(np.intp)
        self._power = extra[:, 1:]
        self._spread = sp.csr_array(
            (np.ones(len(live)), (live, station)), shape=(n, len(self._root_of))
        )
        self._station = np.zeros(n, dtype=np.intp)
        self._station[live] = station
        self._live, self._root_at = live, root_at
        self._base_v = np.ones(len(self._root_of))
        self._base_v[station] = found.base_v[live]
        self._system: RootSystem = replace(model.system, spread=self._spread)
        self._balance = Balance(model)
        back = sp.csr_array(model.elements.back[self._balance.rows])
        at_ties = np.unique(back.indices).astype(np.intp)
        # Elements at the rows of ties, and with `back` to these rows alone.
        self._at_ties = (
            at_ties,
            replace(model.elements.at(at_ties), back=sp.csr_array(back[:, at_ties])),
        )
        place_of = {(tie.branch, tie.to_index): k for k, tie in enumerate(found.ties)}
        self._relay_ties = [place_of[r.regulator.mrid, r.row] for r in relays]
        self._factors: OrderedDict[bytes, tuple[SuperLU, ComplexArray]] = OrderedDict()
        self._patterns: dict[frozenset[str], _Pattern] = {}
        self._points: tuple[bytes, Points] | None = None

    def asked(
        self,
        *,
        load_scale: FloatArray,
        kw: FloatArray,
        kvar: FloatArray,
        head_kw: FloatArray | None,
    ) -> Asked:
        """A case with arguments as `NetworkModel.solve`, and its refusals."""
        va = complex_va(kw, kvar)
        self._model.refuse_misplaced(va)
        return Asked(
            load_scale=load_scale,
            scale=self._model.element_scale(load_scale),
            kw=kw,
            kvar=kvar,
            va=va,
            head_kw=head_kw,
        )

    def weight(self, positions: IntArray) -> FloatArray:
        """(T, S): volts of each station over those of its root at `positions` (K, T)."""
        ratio = 1.0 + positions[: len(self._step)].T * self._step
        result = np.ones((positions.shape[1], len(self._root_of)))
        for s, power in enumerate(self._power):
            for k in np.flatnonzero(power):
                result[:, self._m + s] *= ratio[:, k] ** float(power[k])
        return result

    def near(self, node_v: ComplexArray, positions: IntArray) -> ComplexArray:
        """(T, S) station volts at `positions`, to begin from node volts (n, T) at others."""
        return self._of_roots(node_v[self._model.admittance.root_rows].T, positions)

    def again(self, solved: Solved, at: IntArray, positions: IntArray) -> ComplexArray:
        """(k, S) station volts at `positions` (K, k), to begin from the intervals `at`."""
        return self._of_roots(solved.volts[at][:, : self._m], positions)

    def _of_roots(self, root_v: ComplexArray, positions: IntArray) -> ComplexArray:
        return np.asarray(root_v[:, self._root_of] * self.weight(positions))

    def solve(
        self,
        asked: Asked,
        positions: IntArray,
        start: ComplexArray | None,
        tolerance_pu: float = TOLERANCE_PU,
    ) -> Solved:
        """All intervals, each at its column of `positions` (K, T), from station volts `start`
        (T, S). Where it does not converge the volts mean nothing."""
        elements = self._model.elements
        distinct, group = np.unique(positions, axis=1, return_inverse=True)
        order = np.argsort(group, kind="stable")
        mine, back = asked.columns(order), np.argsort(order, kind="stable")
        bounds = np.concatenate([[0], np.cumsum(np.bincount(group, minlength=distinct.shape[1]))])
        factors = [self._factor(distinct[:, g]) for g in range(distinct.shape[1])]
        points = self._points_of(asked.va)
        given = np.zeros((len(order), points.single), dtype=np.complex128)
        np.add.at(given.T, points.at, mine.va[points.injected])
        common = asked.scale.shape[0] == 1
        va = elements.va[None, :]
        if not common:
            va = (elements.va[:, None] * elements.reached(mine.scale)).T
        weight = self.weight(positions[:, order])
        law = _Law(
            factors,
            bounds,
            weight,
            self._root_of,
            Draw(points, elements, va, given, mine.va[points.afloat]),
        )
        factor = mine.scale[0].copy() if common else np.ones(len(order))
        near = None if start is None else start[order]
        idle = not points.injected.size and not points.afloat.size
        if near is None and common and idle and len(factors) == 1 and len(order) >= PILOTS_FROM:
            near = between(
                lambda pilots, count: _Law(
                    factors, np.array([0, count]), weight[:count], self._root_of, pilots
                ),
                elements,
                points,
                factor,
                self._base_v,
            )
        meter = None
        if mine.head_kw is not None:
            meter = Meter(self._system, elements, mine.head_kw, mine.va)
        found = steps(
            law, factor, base_v=self._base_v, start=near, meter=meter, tolerance_pu=tolerance_pu
        )
        return Solved(
            volts=found.root_v.T[back],
            positions=positions.copy(),
            factor=found.scale[back],
            converged=found.converged,
            iterations=found.iterations,
        )

    def relay_amps(self, solved: Solved, asked: Asked) -> ComplexArray:
        """(relays, T) currents into the near side of each relay's regulator."""
        node_v = product(self._spread, solved.volts.T)
        node_a = self._amps_at_ties(node_v, asked, self._scale(solved, asked))
        weight = self._node_weight(solved.positions)
        weighed = self._balance.weighed(node_v, node_a, weight, self._closed_at(solved.positions))
        return self._balance.tie_a(weighed, weight, self._relay_ties)[0]

    def volts_at(self, solved: Solved, rows: Sequence[int]) -> ComplexArray:
        """(rows, T) node volts."""
        live = self._model.energised[list(rows)]
        found = solved.volts[:, self._station[list(rows)]].T
        return np.asarray(found * live[:, None])

    def flow(self, solved: Solved, asked: Asked) -> FlowResult:
        """All that is to be known of it."""
        system, admittance = self._system, self._model.admittance
        node_v = product(self._spread, solved.volts.T)
        scale = asked.load_scale if asked.head_kw is None else solved.factor
        drawn, node_a = self._node_a(node_v, asked, self._scale(solved, asked))
        weight = self._node_weight(solved.positions)
        weighed = self._balance.weighed(node_v, node_a, weight, self._closed_at(solved.positions))
        head_a = self._balance.head_a(weighed)
        head_kva = (solved.volts[:, system.source].T * np.conj(head_a)).sum(axis=0) / 1e3
        load_kw = drawn.real.sum(axis=0) / 1e3
        return FlowResult(
            v_pu=size_of(node_v) / admittance.base_v[:, None],
            v_complex=node_v,
            head_kw=head_kva.real,
            head_kvar=head_kva.imag,
            losses_kw=head_kva.real + asked.kw.sum(axis=0) - load_kw,
            load_kw=load_kw,
            branch_names=self._model.branch_names,
            branch_loading_pct=self._balance.loading_pct(node_v, weighed, weight),
            load_scale=scale,
            injection_kw=asked.kw,
            injection_kvar=asked.kvar,
            positions=solved.positions,
            converged=solved.converged,
            iterations=solved.iterations,
        )

    def _scale(self, solved: Solved, asked: Asked) -> FloatArray:
        return asked.scale if asked.head_kw is None else solved.factor[None, :]

    def _node_a(
        self, node_v: ComplexArray, asked: Asked, scale: FloatArray
    ) -> tuple[ComplexArray, ComplexArray]:
        """(e, T) what the elements draw, VA, and (n, T) the current into each node-phase."""
        elements = self._model.elements
        element_v = product(elements.across, node_v)
        drawn = elements.drawn_va(element_v, scale)
        node_a = self._system.injected_amps(asked.va, node_v)
        node_a -= product(elements.back, np.conj(drawn / element_v))
        return drawn, node_a

    def _amps_at_ties(self, node_v: ComplexArray, asked: Asked, scale: FloatArray) -> ComplexArray:
        """(n, T) as `_node_a` has them, at the rows that make the currents of ties only."""
        if self._system.centred is not None:
            return self._node_a(node_v, asked, scale)[1]
        rows, (of_rows, near) = self._balance.rows, self._at_ties
        own = scale if scale.shape[0] == 1 else scale[of_rows]
        element_v = product(near.across, node_v)
        drawn = near.drawn_va(element_v, own)
        amps = np.zeros(node_v.shape, dtype=np.complex128)
        given = asked.va[rows]
        np.divide(given, node_v[rows], out=given, where=given != 0.0)
        amps[rows] = np.conj(given) - product(near.back, np.conj(drawn / element_v))
        return amps

    def _node_weight(self, positions: IntArray) -> FloatArray:
        """(n, T); what is dead counts nothing."""
        return np.asarray(self.weight(positions).T[self._station] * self._model.energised[:, None])

    def _closed_at(self, positions: IntArray) -> dict[frozenset[str], IntArray]:
        """The intervals of each set of closed capacitors."""
        banks, group = np.unique(positions[len(self._step) :], axis=1, return_inverse=True)
        return {
            self._closed_of(positions[:, np.flatnonzero(group == g)[0]]): np.flatnonzero(group == g)
            for g in range(banks.shape[1])
        }

    def _closed_of(self, positions: IntArray) -> frozenset[str]:
        return frozenset(closed_at(self._feeder, positions, self._closed))

    def _points_of(self, va: ComplexArray) -> Points:
        active = np.flatnonzero(np.any(va != 0.0, axis=1))
        key = active.tobytes()
        if self._points is None or self._points[0] != key:
            self._points = key, points_of(self._system, self._model.elements, active)
        return self._points[1]

    def _factor(self, positions: IntArray) -> tuple[SuperLU, ComplexArray]:
        """The factorised admittance at one set of positions, and the volts (m,) without load."""
        key = positions.tobytes()
        found = self._factors.get(key)
        if found is None:
            pattern = self._pattern(self._closed_of(positions))
            weight = self.weight(positions[:, None])[0, self._station]
            value = pattern.value * weight[pattern.row] * weight[pattern.column]
            count = len(pattern.indices)
            data = np.empty(count, dtype=np.complex128)
            data.real = np.bincount(pattern.slot, weights=value.real, minlength=count)
            data.imag = np.bincount(pattern.slot, weights=value.imag, minlength=count)
            y = sp.csc_array(
                (data + pattern.fixed, pattern.indices, pattern.indptr), shape=(self._m, self._m)
            )
            lu = factorised(y)
            found = lu, lu.solve(self._system.emf_a)
            self._factors[key] = found
            if len(self._factors) * lu.nnz > FACTORS_KEPT:
                self._factors.popitem(last=False)
        self._factors.move_to_end(key)
        return found

    def _pattern(self, closed: frozenset[str]) -> _Pattern:
        known = self._patterns.get(closed)
        if known is not None:
            return known
        admittance, system, m = self._model.admittance, self._system, self._m
        y = admittance.y
        if closed != admittance.closed:
            y = with_capacitors(self._model.stamps, closed)
        at = np.full(len(admittance.node_phases), -1, dtype=np.intp)
        at[self._live] = self._root_at
        entries = y.tocoo()
        keep = (at[entries.row] >= 0) & (at[entries.col] >= 0)
        row, column = entries.row[keep].astype(np.intp), entries.col[keep].astype(np.intp)
        source = system.source
        name = np.concatenate(
            [at[column] * m + at[row], np.repeat(source, 3) * m + np.tile(source, 3)]
        )
        slots, place = np.unique(name, return_inverse=True)
        fixed = np.zeros(len(slots), dtype=np.complex128)
        # Column by column: its transpose, row by row.
        np.add.at(fixed, place[len(row) :], system.y_source.T.ravel())
        found = _Pattern(
            row=row,
            column=column,
            value=np.asarray(entries.data[keep], dtype=np.complex128),
            slot=place[: len(row)].astype(np.intp),
            indices=(slots % m).astype(np.intp),
            indptr=np.searchsorted(slots // m, np.arange(m + 1)).astype(np.intp),
            fixed=fixed,
        )
        self._patterns[closed] = found
        return found


class _Law:
    """One step of V = w + Y^-1 i(V), the factors of each set of positions for its own columns."""

    def __init__(
        self,
        factors: Sequence[tuple[SuperLU, ComplexArray]],
        bounds: IntArray,
        weight: FloatArray,
        root_of: IntArray,
        draw: Draw,
    ) -> None:
        """Columns bounds[g] to bounds[g + 1] are those of `factors` g; `weight` (T, S)."""
        self._parts = [
            (slice(int(a), int(b)), lu)
            for a, b, (lu, _) in zip(bounds[:-1], bounds[1:], factors, strict=True)
        ]
        self._m = factors[0][1].shape[0]
        self._weight, self._root_of, self._draw = weight, root_of, draw
        self._extra = root_of[self._m :]
        self._root_no_load: ComplexArray = np.repeat(
            np.array([volts for _, volts in factors]), np.diff(bounds), axis=0
        )
        self.no_load: ComplexArray = np.asarray(self._root_no_load[:, root_of] * weight)

    def moved(self, volt: ComplexArray, factor: FloatArray) -> ComplexArray:
        """The next station volts (T, S)."""
        m, weight = self._m, self._weight
        drawn = self._draw.amps(volt, factor)
        into = np.ascontiguousarray(drawn[:, :m])
        for s, root in enumerate(self._extra.tolist(), start=m):
            into[:, root] += weight[:, s] * drawn[:, s]
        result = np.empty_like(volt)
        for part, lu in self._parts:
            result[part, :m] = lu.solve(into[part].T).T
        result[:, :m] += self._root_no_load
        result[:, m:] = result[:, self._extra] * weight[:, m:]
        return result


def _powers(model: NetworkModel, relays: Sequence[Relay]) -> IntArray:
    """(n, relays): with which power each relay's ratio is in the volts of a row over its root's."""
    number = {
        (r.regulator.mrid, row): k
        for k, r in enumerate(relays)
        for row in (model.stamps.index.rows(r.regulator.to_node, r.phases, r.regulator.mrid))
    }
    admittance = model.admittance
    power = np.zeros((len(admittance.node_phases), len(relays)), dtype=np.intp)
    beside: dict[int, list[tuple[int, int | None, int]]] = {}
    for tie in admittance.ties:
        k = number.get((tie.branch, tie.to_index))
        beside.setdefault(tie.from_index, []).append((tie.to_index, k, 1))
        beside.setdefault(tie.to_index, []).append((tie.from_index, k, -1))
    seen: set[int] = set()
    # Roots as `spanning_forest` takes them: the source's rows, then the first row of each tree.
    for start in (*admittance.source_rows.tolist(), *sorted(beside)):
        if start in seen:
            continue
        seen.add(start)
        reached = [start]
        while reached:
            here = reached.pop()
            for there, k, sign in beside.get(here, ()):
                if there not in seen:
                    seen.add(there)
                    power[there] = power[here]
                    if k is not None:
                        power[there, k] += sign
                    reached.append(there)
    return power
