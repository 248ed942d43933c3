"""A flow as a plan sees it: voltages moved by what meters say, unbalance after the branches.

Relays and currents stay those of the model.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from optimizer.arrays import FloatArray
from optimizer.network import FlowResult, NetworkModel
from optimizer.unbalance import Unbalance


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class View:
    """`offset_pu` (n, T) on the voltages of flows of T intervals, and rows of `unbalance`; None:
    as the model has them."""

    offset_pu: FloatArray | None = None
    unbalance: Unbalance | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The rows of unbalance that are watched."""
        return () if self.unbalance is None else self.unbalance.names

    def shown(self, flow: FlowResult) -> FlowResult:
        """`flow` of the model as it is seen."""
        branches = flow.branch_names + self.names
        if not flow.converged:
            return replace(flow, branch_names=branches) if self.unbalance else flow
        if self.offset_pu is not None:
            lit = np.where(flow.v_pu > 0.0, self.offset_pu, 0.0)
            flow = replace(flow, v_pu=flow.v_pu + lit)
        if self.unbalance is not None:
            rows = self.unbalance.of_limit_pct(flow.v_complex)
            flow = replace(
                flow,
                branch_names=branches,
                branch_loading_pct=np.vstack([flow.branch_loading_pct, rows]),
            )
        return flow

    def bare(self, flow: FlowResult, model: NetworkModel) -> FlowResult:
        """`flow` as `model` has it."""
        if self.offset_pu is None and self.unbalance is None:
            return flow
        branches = model.branch_names
        return replace(
            flow,
            v_pu=np.abs(flow.v_complex) / (1e3 * model.base_kv[:, None]),
            branch_names=branches,
            branch_loading_pct=flow.branch_loading_pct[: len(branches)],
        )
