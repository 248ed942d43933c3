"""The feeder as the mind computes it: three-phase AC power flow and its exact sensitivities.

`NetworkModel` is built once per network state (taps, capacitors, switches) from
`gridctl.model.network.Feeder`; `solve` runs all intervals of a horizon as columns of one problem.
It shares no code with the simulator's engine, so that a plan is never verified by the engine that
will judge it.

Units: kW and kvar; injections are positive into the network (generation, load shed), the head's
import is positive into the feeder. Angles in radians. `n` node-phases, `T` intervals, `B` branches.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gridctl.model.network import Feeder

FloatArray = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]
BoolArray = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FlowResult:
    """One AC power flow of `T` intervals. Where `converged` is false the numbers mean nothing.

    `v_pu` (n, T) on the node's own base, 0 where a node-phase is not energised;
    `v_complex` (n, T) volts to ground; `head_kw`, `head_kvar` (T,) at the source's terminals;
    `losses_kw` (T,) of lines and transformers; `branch_loading_pct` (B, T): the worst phase's
    current over its rating, rows as `branch_names` (only equipment that has a rating);
    `load_kw` (T,): what all consumers draw at their actual voltage.
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
    converged: bool
    iterations: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sensitivity:
    """First derivatives at one solved interval, per kW of each column's control.

    `dv_pu_per_kw` (n, nc): change of voltage magnitudes; `dhead_kw_per_kw` (nc,): change of the
    head's import (about -1 for an injection, losses included); `dloading_pct_per_kw` (B, nc):
    change of each branch's loading (of the phase that is worst at this point).
    """

    dv_pu_per_kw: FloatArray
    dhead_kw_per_kw: FloatArray
    dloading_pct_per_kw: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlColumn:
    """One control: where its kW go. `shares` are (node-phase index, kW share, kvar per kW).

    A three-phase battery at unity power factor: ((i, 1/3, 0), (j, 1/3, 0), (k, 1/3, 0)); a shed
    at power factor 0.9 on one phase: ((i, 1, tan(acos(0.9))),).
    """

    shares: tuple[tuple[int, float, float], ...]


class NetworkModel:
    """A feeder in one network state.

    `taps` by regulator mrid (missing or None: the feeder's own); `closed_capacitors` and
    `open_switches` by mrid (None: the feeder's own states). Raises ValueError for an unknown mrid,
    a tap outside its range, or equipment on phases that its node does not have.
    """

    def __init__(
        self,
        feeder: Feeder,
        *,
        taps: Mapping[str, tuple[int, ...]] | None = None,
        closed_capacitors: Collection[str] | None = None,
        open_switches: Collection[str] | None = None,
    ) -> None:
        raise ValueError("the power flow is being built")

    @property
    def node_phases(self) -> tuple[tuple[str, str], ...]:
        """(node, phase) of each of the n rows, in the feeder's order of nodes."""
        raise ValueError("the power flow is being built")

    @property
    def base_kv(self) -> FloatArray:
        """(n,) nominal voltage to ground, kV."""
        raise ValueError("the power flow is being built")

    @property
    def energised(self) -> BoolArray:
        """(n,) whether the node-phase is connected to the source."""
        raise ValueError("the power flow is being built")

    @property
    def consumers(self) -> tuple[str, ...]:
        """Consumers by mrid: the C rows of a per-consumer `load_scale`."""
        raise ValueError("the power flow is being built")

    @property
    def nominal_load_kw(self) -> float:
        """Sum of all energised consumers at nominal voltage and scale 1, kW."""
        raise ValueError("the power flow is being built")

    def index(self, node: str, phase: str) -> int:
        """Row of a node-phase; KeyError when the feeder has none."""
        raise ValueError("the power flow is being built")

    def solve(
        self,
        *,
        load_scale: FloatArray,
        injection_kw: FloatArray | None = None,
        injection_kvar: FloatArray | None = None,
    ) -> FlowResult:
        """AC power flow of T intervals.

        `load_scale` (T,) or (C, T) multiplies consumers' kW and kvar; `injection_*` (n, T) are
        constant-power injections to ground. Divergence is a value (`converged` false); ValueError
        for shapes that do not fit.
        """
        raise ValueError("the power flow is being built")

    def sensitivity(
        self, flow: FlowResult, t: int, columns: Sequence[ControlColumn]
    ) -> Sensitivity:
        """Exact first derivatives at interval `t` of `flow`; ValueError when it did not converge."""
        raise ValueError("the power flow is being built")
