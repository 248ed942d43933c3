"""The feeder as the mind computes it: three-phase AC power flow and its exact sensitivities.

`NetworkModel` is built once per network state (taps, capacitors, switches) from
`gridctl.model.network.Feeder`; `solve` runs all intervals of a horizon as columns of one problem.
It shares no code with the simulator's engine, so that a plan is never verified by the engine that
will judge it.

Units: kW and kvar; injections are positive into the network (generation, load shed), the head's
import is positive into the feeder. `n` node-phases, `T` intervals, `B` branches, `C` consumers.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np

from gridctl.model.network import HIGH_LEG, NEUTRAL, Feeder
from optimizer.arrays import (
    BoolArray,
    ComplexArray,
    FloatArray,
    IntArray,
    complex_va,
    product,
    size_of,
)
from optimizer.branches import ALL, BranchCurrents
from optimizer.fixpoint import TOLERANCE_PU, Fixpoint, iterate
from optimizer.loads import Elements, load_elements
from optimizer.points import Points, points_of
from optimizer.powerflow import (
    FlowResult,
    RootSystem,
    head_amps,
    node_amps,
    root_system,
)
from optimizer.sensitivity import ControlColumn, Sensitivity, control_va, differential
from optimizer.ties import Tie
from optimizer.unbalance import Unbalance
from optimizer.ybus import Admittance, Stamps, build_admittance, stamp

__all__ = ["ControlColumn", "FlowResult", "NetworkModel", "Sensitivity"]


class NetworkModel:
    """A feeder in one network state.

    `taps` by regulator mrid (missing or None: the feeder's own); `closed_capacitors` and
    `open_switches` by mrid (None: the feeder's own states). Raises ValueError for an unknown mrid,
    a tap outside its range, equipment on phases that its node does not have, regulators in a loop
    without impedance, and a wye consumer behind an ungrounded delta winding.
    """

    def __init__(
        self,
        feeder: Feeder,
        *,
        taps: Mapping[str, tuple[int, ...]] | None = None,
        closed_capacitors: Collection[str] | None = None,
        open_switches: Collection[str] | None = None,
        like: NetworkModel | None = None,
    ) -> None:
        """`like`: a model of the same feeder with the same switches; what taps and capacitors do
        not change is taken from it."""
        self.stamps: Stamps = stamp(feeder) if like is None else like.stamps
        self.admittance: Admittance = build_admittance(
            self.stamps,
            taps=taps,
            closed_capacitors=closed_capacitors,
            open_switches=open_switches,
            like=None if like is None else like.admittance,
        )
        self._index = self.stamps.index
        self.system: RootSystem = root_system(self.admittance)
        self.elements: Elements = (
            load_elements(feeder.consumers, self.admittance, self._index)
            if like is None
            else like.elements
        )
        self._consumers = tuple(c.mrid for c in feeder.consumers)
        self._root_rows = self.admittance.root_rows
        self._points: tuple[bytes, Points] | None = None
        self.currents: BranchCurrents = BranchCurrents(
            self.admittance, like=None if like is None else like.currents
        )

    @property
    def node_phases(self) -> tuple[tuple[str, str], ...]:
        """(node, phase) of each of the n rows, in the feeder's order of nodes."""
        return self.admittance.node_phases

    @property
    def base_kv(self) -> FloatArray:
        """(n,) nominal voltage to earth, kV."""
        return self.admittance.base_v / 1e3

    @property
    def energised(self) -> BoolArray:
        """(n,) whether the node-phase is connected to the source."""
        return self.admittance.energised

    @property
    def judged(self) -> BoolArray:
        """(n,) whether the voltage has limits to keep: energised, neither neutral nor high leg."""
        bare = np.array([p in (NEUTRAL, HIGH_LEG) for _, p in self.node_phases], dtype=np.bool_)
        result: BoolArray = self.energised & ~bare
        return result

    @property
    def consumers(self) -> tuple[str, ...]:
        """Consumers by mrid: the C rows of a per-consumer `load_scale`."""
        return self._consumers

    @property
    def branch_names(self) -> tuple[str, ...]:
        """Rated branches by mrid: the B rows of every loading."""
        return self.currents.names

    @property
    def nominal_load_kw(self) -> float:
        """Sum of all energised consumers at nominal voltage and scale 1, kW."""
        return float(self.elements.va.real.sum()) / 1e3

    def index(self, node: str, phase: str) -> int:
        """Row of a node-phase; KeyError when the feeder has none."""
        return self._index.row(node, phase)

    @property
    def ties(self) -> tuple[Tie, ...]:
        """Closed switches and regulators, phase by phase: the rows of `tie_amps`."""
        return self.admittance.ties

    def tie_amps(self, flow: FlowResult) -> ComplexArray:
        """(ties, T) current into the near side of each tie, source to load, A."""
        root_v = self._roots_of(flow)
        node_a = node_amps(
            self.system,
            self.elements,
            root_v=root_v,
            scale=self.element_scale(flow.load_scale),
            injection_va=complex_va(flow.injection_kw, flow.injection_kvar),
        )
        head_a = head_amps(self.system, root_v, node_a)
        return self.currents.tie_amps(flow.v_complex, self._with_head(node_a, head_a))

    def solve(
        self,
        *,
        load_scale: FloatArray,
        injection_kw: FloatArray | None = None,
        injection_kvar: FloatArray | None = None,
        start: FlowResult | None = None,
        head_kw: FloatArray | None = None,
        tolerance_pu: float = TOLERANCE_PU,
    ) -> FlowResult:
        """AC power flow of T intervals.

        `load_scale` (T,) or (C, T) multiplies consumers' kW and kvar; `injection_*` (n, T) are
        constant-power injections, to earth or, where there is none, as stars of their own (as
        `RootSystem.centred`); `start`: an earlier flow of the same T to begin from;
        `head_kw` (T,): the import at which the load scale (T,) is wanted, looked for from
        `load_scale` on and found in the result (0 where the import is less than without load);
        `tolerance_pu`: the last step of any voltage.
        Divergence is a value (`converged` false); ValueError for shapes that do not fit, for an
        injection at a dead node-phase, and for one at a lone phase without a path to earth.
        """
        scale = np.atleast_1d(np.asarray(load_scale, dtype=np.float64))
        shape = (len(self.node_phases), scale.shape[-1])
        kw = _shaped("injection_kw", injection_kw, shape)
        kvar = _shaped("injection_kvar", injection_kvar, shape)
        if injection_kw is None and injection_kvar is None:
            injection_va = np.broadcast_to(np.complex128(0.0), shape)
            active = np.zeros(0, dtype=np.intp)
        else:
            injection_va = complex_va(kw, kvar)
            self.refuse_misplaced(injection_va)
            active = np.flatnonzero(np.any(injection_va != 0.0, axis=1))
        fix = iterate(
            self.system,
            self.elements,
            self._points_of(active),
            scale=self.element_scale(scale),
            injection_va=injection_va,
            base_v=self.admittance.base_v[self._root_rows],
            start_v=None if start is None or not start.converged else self._roots_of(start),
            head_kw=head_kw,
            tolerance_pu=tolerance_pu,
        )
        if head_kw is not None:
            scale = fix.scale
        with np.errstate(all="ignore"):
            return self._flow(fix, active, scale=scale, injection_kw=kw, injection_kvar=kvar)

    def sensitivity(
        self,
        flow: FlowResult,
        t: int,
        columns: Sequence[ControlColumn],
        *,
        unbalance: Unbalance | None = None,
    ) -> Sensitivity:
        """Exact first derivatives at interval `t` of `flow`; with rows of `unbalance` after those
        of the branches.

        Taps, capacitors and the other controls stay as they are. Raises ValueError when the flow
        did not converge or a column names a row that does not exist.
        """
        if not flow.converged:
            raise ValueError("a power flow that did not converge has no sensitivities")
        system, elements = self.system, self.elements
        one = slice(t, t + 1)
        root_v, node_v = self._roots_of(flow)[:, one], flow.v_complex[:, one]
        injection_va = complex_va(flow.injection_kw[:, one], flow.injection_kvar[:, one])
        scale = np.broadcast_to(self.element_scale(flow.load_scale)[:, one], (len(elements.va), 1))
        change = differential(
            system,
            elements,
            root_v=root_v[:, 0],
            scale=scale[:, 0],
            injection_va=injection_va[:, 0],
            per_kw_va=control_va(columns, len(self.node_phases)),
            rows=self._told,
        )
        given_a = node_amps(system, elements, root_v=root_v, scale=scale, injection_va=injection_va)
        head_a = head_amps(system, root_v, given_a)
        d_head_a = head_amps(system, change.root_v, change.node_a)
        d_head_va = change.root_v[system.source] * np.conj(head_a) + root_v[
            system.source
        ] * np.conj(d_head_a)
        size = np.where(self.energised[:, None], np.abs(node_v), 1.0)
        # Of the change of its volts what lies along them.
        along = np.conj(node_v) / size / self.admittance.base_v[:, None]
        change.node_a[self.admittance.source_rows] += d_head_a
        current_pct = self.currents.change(system.spread, change.root_v, change.node_a)
        loading = self.currents.slope_pct(node_v, self._with_head(given_a, head_a), current_pct)
        if unbalance is not None:
            d_node_v = product(system.spread, change.root_v)
            loading = np.vstack([loading, unbalance.slope(node_v, d_node_v)])
        return Sensitivity(
            dv_pu_per_kw=along.real * (system.spread @ change.root_v.real)
            - along.imag * (system.spread @ change.root_v.imag),
            dhead_kw_per_kw=d_head_va.real.sum(axis=0) / 1e3,
            dloading_pct_per_kw=loading,
            current_pct=current_pct,
        )

    def loading_slope(
        self, flow: FlowResult, t: int, current_pct: ComplexArray, branches: IntArray | slice = ALL
    ) -> FloatArray:
        """(B, nc): as `Sensitivity.dloading_pct_per_kw` at interval `t` of `flow`, with currents
        that change by `current_pct`, found at another state. Between hours of a day these differ
        little, other than the currents themselves: no linear system is solved. `branches`: only
        these rows of it."""
        one = slice(t, t + 1)
        root_v = self._roots_of(flow)[:, one]
        injection_va = complex_va(flow.injection_kw[:, one], flow.injection_kvar[:, one])
        scale = np.broadcast_to(
            self.element_scale(flow.load_scale)[:, one], (len(self.elements.va), 1)
        )
        given_a = node_amps(
            self.system, self.elements, root_v=root_v, scale=scale, injection_va=injection_va
        )
        node_a = self._with_head(given_a, head_amps(self.system, root_v, given_a))
        return self.currents.slope_pct(flow.v_complex[:, one], node_a, current_pct, branches)

    def _flow(
        self,
        fix: Fixpoint,
        active: IntArray,
        *,
        scale: FloatArray,
        injection_kw: FloatArray,
        injection_kvar: FloatArray,
    ) -> FlowResult:
        system = self.system
        node_v = product(system.spread, fix.root_v)
        element_v = product(self.elements.across, node_v)
        drawn = self.elements.drawn_va(element_v, self.element_scale(scale))
        # As `node_amps`, with what the elements draw at hand.
        node_a = product(self.elements.back, -np.conj(drawn / element_v))
        if active.size:
            node_a += system.injected_amps(complex_va(injection_kw, injection_kvar), node_v)
        head_a = head_amps(system, fix.root_v, node_a)
        head_kva = (fix.root_v[system.source] * np.conj(head_a)).sum(axis=0) / 1e3
        load_kw = drawn.real.sum(axis=0) / 1e3
        return FlowResult(
            v_pu=size_of(node_v) / self.admittance.base_v[:, None],
            v_complex=node_v,
            head_kw=head_kva.real,
            head_kvar=head_kva.imag,
            losses_kw=head_kva.real + injection_kw.sum(axis=0) - load_kw,
            load_kw=load_kw,
            branch_names=self.branch_names,
            branch_loading_pct=self.currents.loading_pct(node_v, self._with_head(node_a, head_a)),
            load_scale=scale,
            injection_kw=injection_kw,
            injection_kvar=injection_kvar,
            positions=np.zeros((0, len(head_kva)), dtype=np.intp),
            converged=fix.converged,
            iterations=fix.iterations,
        )

    def refuse_misplaced(self, injection_va: ComplexArray) -> None:
        """Raises ValueError for an injection (n, T) where there can be none; see `solve`."""
        active = np.any(injection_va != 0.0, axis=1)
        for place, why in (
            (~self.energised, "which is not energised"),
            (self._stranded, "a lone phase without a path to earth or to another phase"),
        ):
            wrong = np.flatnonzero(active & place)
            if wrong.size:
                node, phase = self.node_phases[wrong[0]]
                raise ValueError(f"injection at {node}.{phase}, {why}")

    @property
    def _stranded(self) -> BoolArray:
        """(n,) where a current has nowhere to return."""
        centred = self.system.centred
        if centred is None:
            return self.admittance.floating
        neutral = np.array([phase == NEUTRAL for _, phase in self.node_phases], dtype=np.bool_)
        result: BoolArray = self.admittance.floating & (neutral | (centred.diagonal() == 0.0))
        return result

    @property
    def _told(self) -> IntArray:
        """Rows whose currents make those of the head and of the ties."""
        rows: IntArray = np.union1d(self.currents.told, self.system.source_gather.indices)
        return rows

    def _points_of(self, active: IntArray) -> Points:
        """The points for these rows that inject; those of the last ones are kept."""
        key = active.tobytes()
        if self._points is None or self._points[0] != key:
            self._points = key, points_of(self.system, self.elements, active)
        return self._points[1]

    def element_scale(self, load_scale: FloatArray) -> FloatArray:
        """(1, T) for one factor per interval, else (e, T)."""
        if load_scale.ndim == 1:
            return load_scale[None, :]
        if load_scale.shape[0] != len(self._consumers):
            raise ValueError(
                f"load_scale has {load_scale.shape[0]} rows for {len(self._consumers)} consumers"
            )
        return load_scale[self.elements.consumer]

    def _roots_of(self, flow: FlowResult) -> ComplexArray:
        return flow.v_complex[self._root_rows]

    def _with_head(self, node_a: ComplexArray, head_a: ComplexArray) -> ComplexArray:
        """Node currents with what the source feeds in."""
        result = node_a.copy()
        result[self.admittance.source_rows] += head_a
        return result


def _shaped(name: str, values: FloatArray | None, shape: tuple[int, int]) -> FloatArray:
    if values is None:
        return np.zeros(shape)
    if values.shape != shape:
        raise ValueError(f"{name} has shape {values.shape}, not {shape}")
    return np.asarray(values, dtype=np.float64)
