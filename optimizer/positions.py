"""A network model for each set of positions of taps and capacitors, built once and kept."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Sequence
from dataclasses import replace

import numpy as np

from gridctl.model.network import Feeder
from optimizer.arrays import ComplexArray, FloatArray, IntArray
from optimizer.network import FlowResult, NetworkModel, Sensitivity
from optimizer.powerflow import columns_of, stitched
from optimizer.regulation import Relay, closed_at, taps_at
from optimizer.unbalance import Unbalance

NODE_PHASES_KEPT = 200_000
"""How many models are kept: so many that their node-phases come to this (700 of IEEE 123)."""


class PositionModels:
    """The models of one feeder. `now`: that of the present positions; `kept`: what a network of the
    same feeder, switches and fixed capacitors has built already, and goes on to share."""

    def __init__(
        self,
        feeder: Feeder,
        *,
        now: NetworkModel,
        relays: Sequence[Relay],
        closed_capacitors: Collection[str] | None,
        open_switches: Collection[str] | None,
        kept: OrderedDict[bytes, NetworkModel] | None = None,
    ) -> None:
        self._feeder = feeder
        self._now = now
        self._relays = relays
        self._closed = closed_capacitors
        self._open = open_switches
        # Without compensation a relay reads no current.
        self.reads_amps = any(any((*r.ldc_r_v, *r.ldc_x_v)) for r in feeder.regulators)
        self.kept: OrderedDict[bytes, NetworkModel] = OrderedDict() if kept is None else kept

    def at(self, positions: IntArray) -> NetworkModel:
        """The model of `positions` (K,)."""
        key = positions.tobytes()
        found = self.kept.get(key)
        if found is None:
            found = NetworkModel(
                self._feeder,
                taps=taps_at(self._feeder, positions),
                closed_capacitors=closed_at(self._feeder, positions, self._closed),
                open_switches=self._open,
                like=self._now,
            )
            self.kept[key] = found
            if len(self.kept) * len(self._now.node_phases) > NODE_PHASES_KEPT:
                self.kept.popitem(last=False)
        self.kept.move_to_end(key)
        return found

    def solve(
        self,
        positions: IntArray,
        columns: IntArray,
        near: FlowResult | None,
        *,
        load_scale: FloatArray,
        kw: FloatArray,
        kvar: FloatArray,
        head_kw: FloatArray | None,
        tolerance_pu: float,
    ) -> tuple[FlowResult, ComplexArray]:
        """The flow of `columns` of the case, each at its column of `positions` (K, T), and the
        currents (relays, columns) that the relays see."""
        distinct, group = np.unique(positions[:, columns], axis=1, return_inverse=True)
        parts: list[tuple[IntArray, FlowResult]] = []
        for g in range(distinct.shape[1]):
            mine = np.flatnonzero(group == g)
            at = columns[mine]
            flow = self.at(distinct[:, g]).solve(
                load_scale=load_scale[..., at],
                injection_kw=kw[:, at],
                injection_kvar=kvar[:, at],
                start=None if near is None else columns_of(near, at),
                head_kw=None if head_kw is None else head_kw[at],
                tolerance_pu=tolerance_pu,
            )
            parts.append((mine, replace(flow, positions=positions[:, at])))
        flow = stitched(parts)
        return flow, self.relay_amps(flow)

    def relay_amps(self, flow: FlowResult) -> ComplexArray:
        """(relays, T) currents that the relays see."""
        amps = np.zeros((len(self._relays), flow.v_pu.shape[1]), dtype=np.complex128)
        if not flow.converged or not self.reads_amps:
            return amps
        distinct, group = np.unique(flow.positions, axis=1, return_inverse=True)
        for g in range(distinct.shape[1]):
            mine = np.flatnonzero(group == g)
            model = self.at(distinct[:, g])
            amps[:, mine] = model.tie_amps(columns_of(flow, mine))[self._relay_ties(model)]
        return amps

    def step_slopes(
        self, own: FlowResult, rows: Sequence[int], unbalance: Unbalance | None
    ) -> Sensitivity:
        """What one step more of each of `rows` changes in `own`, the flow of one interval, by an AC
        power flow with it (one step less, where there is none more); the rows of `unbalance` come
        after those of the branches."""
        highest = [relay.regulator.tap_max for relay in self._relays]
        highest += [1] * (len(own.positions) - len(highest))
        changes: list[tuple[FloatArray, FloatArray, FloatArray]] = []
        for row in rows:
            sign = -1 if own.positions[row, 0] >= highest[row] else 1
            moved = own.positions[:, 0].copy()
            moved[row] += sign
            other = self.at(moved).solve(
                load_scale=own.load_scale,
                injection_kw=own.injection_kw,
                injection_kvar=own.injection_kvar,
                start=own,
            )
            loading, was = other.branch_loading_pct, own.branch_loading_pct
            if unbalance is not None:
                loading = np.vstack([loading, unbalance.of_limit_pct(other.v_complex)])
                was = np.vstack([was, unbalance.of_limit_pct(own.v_complex)])
            changes.append(
                (
                    sign * (other.v_pu - own.v_pu)[:, 0],
                    sign * (other.head_kw - own.head_kw),
                    sign * (loading - was)[:, 0],
                )
            )
        return Sensitivity(
            dv_pu_per_kw=np.column_stack([dv for dv, _, _ in changes]),
            dhead_kw_per_kw=np.concatenate([dhead for _, dhead, _ in changes]),
            dloading_pct_per_kw=np.column_stack([dl for _, _, dl in changes]),
            current_pct=np.zeros((0, len(rows)), dtype=np.complex128),
        )

    def _relay_ties(self, model: NetworkModel) -> list[int]:
        place = {(tie.branch, tie.to_index): k for k, tie in enumerate(model.ties)}
        return [place[relay.regulator.mrid, relay.row] for relay in self._relays]
