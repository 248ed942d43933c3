"""The state of a three-phase feeder: what each consumer draws, such that all measurements fit best.

The unknowns are factors on the consumers' kW and kvar, not voltages: given them the AC power flow
is exact, so that nodes without a load, delta loads and single-phase laterals need no measurement of
their own, and the forecast is what it is, a pseudo-measurement of each factor. Derivatives are the
power flow's own. Voltages in pu, power in kW and kvar, import at the head positive.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
import scipy.sparse as sp

from gridctl.model.network import EnergyConsumer, Feeder
from optimizer.arrays import ComplexArray, FloatArray, IntArray, complex_va, factorised, product
from optimizer.estimation.wls import Judged, judged
from optimizer.network import FlowResult, NetworkModel
from optimizer.powerflow import head_amps, node_amps
from optimizer.sensitivity import linearised

FACTOR_SIGMA = 0.5
"""How little a share of the feeder's forecast knows of a single consumer. With 0.3 the chi-square
test failed on a third of the draws of `make bench-estimation` although nothing was wrong."""


class Quantity(StrEnum):
    """What can be measured."""

    VOLTAGE_PU = "voltage_pu"
    HEAD_KW = "head_kw"
    HEAD_KVAR = "head_kvar"
    LOAD_KW = "load_kw"
    LOAD_KVAR = "load_kvar"


@dataclass(frozen=True, slots=True, kw_only=True)
class Meter:
    """One measurement. `place`: node and `phase` of a voltage; consumer of a load; empty at the
    head, whose `phase` "" is the sum of the three."""

    name: str
    quantity: Quantity
    value: float
    sigma: float
    place: str = ""
    phase: str = ""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FeederState:
    """`flow`: the power flow that fits best, one interval. `factor_kw`, `factor_kvar` by consumer.
    `removed`, `suspects`: names of meters. `fits`: chi-square at 0.99."""

    flow: FlowResult
    factor_kw: FloatArray
    factor_kvar: FloatArray
    removed: tuple[str, ...]
    suspects: tuple[str, ...]
    fits: bool
    objective: float
    freedom: int
    iterations: int
    residuals: tuple[tuple[str, float, float], ...]


class FeederEstimator:
    """Built once for a state of taps, capacitors and switches; see `NetworkModel`."""

    def __init__(
        self,
        feeder: Feeder,
        *,
        taps: dict[str, tuple[int, ...]] | None = None,
        closed_capacitors: Sequence[str] | None = None,
        open_switches: Sequence[str] | None = None,
    ) -> None:
        self._consumers = tuple(c.mrid for c in feeder.consumers)
        # kW and kvar of a consumer as two loads: each has its factor.
        halves = [half for c in feeder.consumers for half in _halves(c)]
        self.network = NetworkModel(
            replace(feeder, consumers=tuple(halves)),
            taps=taps,
            closed_capacitors=closed_capacitors,
            open_switches=open_switches,
        )
        elements = self.network.elements
        # A half without any power has no factor to be found.
        has = np.bincount(elements.consumer, weights=np.abs(elements.va), minlength=len(halves))
        self.free: IntArray = np.flatnonzero(has > 0.0)
        # (e, n): which element follows which factor.
        column = np.full(len(halves), -1, dtype=np.intp)
        column[self.free] = np.arange(len(self.free))
        at = np.flatnonzero(column[elements.consumer] >= 0)
        self.of_factor = sp.csr_array(
            sp.coo_array(
                (np.ones(len(at)), (at, column[elements.consumer[at]])),
                shape=(len(elements.consumer), len(self.free)),
            )
        )

    def estimate(
        self,
        meters: Sequence[Meter],
        *,
        prior: FloatArray,
        prior_sigma: FloatArray | float = FACTOR_SIGMA,
        injection_kw: FloatArray | None = None,
        injection_kvar: FloatArray | None = None,
    ) -> FeederState:
        """`prior` (C,): the forecast's factor of each consumer, `prior_sigma` how sure it is (as a
        share). `injection_*` (n,): what controlled devices are known to inject.

        Raises ValueError for a meter at a place that the feeder does not have, for no meter at all,
        and when the power flow does not converge.
        """
        if not meters:
            raise ValueError("no measurement, no estimate")
        n = len(self.network.node_phases)
        given = tuple(np.zeros((n, 1)) if v is None else v[:, None]
                      for v in (injection_kw, injection_kvar))  # fmt: skip
        x0 = np.repeat(np.asarray(prior, dtype=float), 2)[self.free]
        spread = np.repeat(np.broadcast_to(prior_sigma, prior.shape), 2)[self.free]
        spread = spread * np.maximum(np.abs(x0), 0.05)
        rows = _Rows(self, meters, given)
        z = np.concatenate([[m.value for m in meters], x0])
        sigma = np.concatenate([[m.sigma for m in meters], spread])
        measured = np.arange(len(z)) < len(meters)
        found: Judged = judged(rows.model, z, sigma, x0, removable=measured)
        flow = self.flow_at(found.estimate.x, given)
        factors = np.zeros(2 * len(self._consumers))
        factors[self.free] = found.estimate.x
        kept = [k for k in range(len(meters)) if k not in found.removed]
        return FeederState(
            flow=flow,
            factor_kw=factors[0::2],
            factor_kvar=factors[1::2],
            removed=tuple(meters[k].name for k in found.removed),
            suspects=tuple(meters[k].name for k in found.suspects),
            fits=found.estimate.fits and found.estimate.converged,
            objective=found.estimate.objective,
            freedom=found.estimate.freedom,
            iterations=found.estimate.iterations,
            residuals=tuple(
                (meters[k].name, float(found.estimate.residual[i]),
                 float(found.estimate.normalised[i]))
                for i, k in enumerate(kept)
            ),
        )  # fmt: skip

    def flow_at(
        self,
        x: FloatArray,
        given: tuple[FloatArray, ...],
        start: FlowResult | None = None,
    ) -> FlowResult:
        """The power flow at free factors `x`. Raises ValueError when it does not converge."""
        scale = np.zeros((2 * len(self._consumers), 1))
        scale[self.free, 0] = x
        flow = self.network.solve(
            load_scale=scale, injection_kw=given[0], injection_kvar=given[1], start=start
        )
        if not flow.converged:
            raise ValueError("the power flow does not converge at the estimate")
        return flow

    @property
    def consumers(self) -> tuple[str, ...]:
        """By mrid, the rows of `prior` and of the factors."""
        return self._consumers


def _halves(consumer: EnergyConsumer) -> tuple[EnergyConsumer, EnergyConsumer]:
    nothing = (0.0,) * len(consumer.kw)
    return (
        replace(consumer, kvar=nothing),
        replace(consumer, mrid=f"{consumer.mrid} kvar", kw=nothing),
    )


class _Rows:
    """h(x) and H(x) of all meters and pseudo-measurements."""

    def __init__(
        self, own: FeederEstimator, meters: Sequence[Meter], given: tuple[FloatArray, ...]
    ) -> None:
        self._own = own
        self._meters = meters
        self._given = given
        self._last: FlowResult | None = None
        number = {mrid: k for k, mrid in enumerate(own.consumers)}
        self._at: list[int] = []
        for meter in meters:
            match meter.quantity:
                case Quantity.VOLTAGE_PU:
                    self._at.append(_row(own.network, meter))
                case Quantity.LOAD_KW | Quantity.LOAD_KVAR:
                    if meter.place not in number:
                        raise ValueError(f"{meter.name}: there is no consumer {meter.place}")
                    self._at.append(number[meter.place])
                case _:
                    if meter.phase not in ("", "A", "B", "C"):
                        raise ValueError(f"{meter.name}: the head has no phase {meter.phase}")
                    self._at.append("ABC".index(meter.phase) if meter.phase else -1)

    def model(self, x: FloatArray) -> tuple[FloatArray, FloatArray]:
        """As `optimizer.estimation.wls.Model`."""
        own, network = self._own, self._own.network
        flow = self._last = own.flow_at(x, self._given, self._last)
        d_root, head_va, d_head = self._derivatives(flow)
        node_v = flow.v_complex[:, 0]
        base = network.admittance.base_v
        m, n = len(self._meters), len(x)
        h, jacobian = np.zeros(m + n), np.zeros((m + n, n))
        h[m:], jacobian[m:] = x, np.eye(n)
        drawn = network.elements.drawn_va(
            product(network.elements.across, node_v[:, None]), np.ones((1, 1))
        )[:, 0]
        for k, (meter, at) in enumerate(zip(self._meters, self._at, strict=True)):
            match meter.quantity:
                case Quantity.VOLTAGE_PU:
                    size = abs(node_v[at])
                    h[k] = size / base[at]
                    d_node = product(sp.csr_array(network.system.spread[[at]]), d_root)[0]
                    jacobian[k] = np.real(np.conj(node_v[at]) * d_node) / size / base[at]
                case Quantity.HEAD_KW | Quantity.HEAD_KVAR:
                    phases = slice(None) if at < 0 else slice(at, at + 1)
                    value, slope = head_va[phases].sum(), d_head[phases].sum(axis=0)
                    is_kw = meter.quantity is Quantity.HEAD_KW
                    h[k] = (value.real if is_kw else value.imag) / 1e3
                    jacobian[k] = (slope.real if is_kw else slope.imag) / 1e3
                case _:
                    half = 2 * at + (meter.quantity is Quantity.LOAD_KVAR)
                    mine = network.elements.consumer == half
                    full = complex(drawn[mine].sum()) / 1e3
                    value_of = full.imag if meter.quantity is Quantity.LOAD_KVAR else full.real
                    column = np.flatnonzero(own.free == half)
                    if column.size:
                        h[k] = value_of * x[column[0]]
                        jacobian[k, column[0]] = value_of
        return h, jacobian

    def _derivatives(self, flow: FlowResult) -> tuple[ComplexArray, ComplexArray, ComplexArray]:
        """Slopes of root volts (m, n), head VA by phase (3,) and its slopes (3, n)."""
        own, network = self._own, self._own.network
        system, elements = network.system, network.elements
        root_v = flow.v_complex[network.admittance.root_rows]
        injection = complex_va(*self._given)
        scale = flow.load_scale[elements.consumer]
        first = linearised(
            system, elements, root_v=root_v[:, 0], scale=scale[:, 0],
            injection_va=injection[:, 0],
        )  # fmt: skip
        volt = product(elements.across, flow.v_complex)
        per_factor = np.conj(elements.drawn_va(volt, np.ones((1, 1))) / volt)
        drawn: ComplexArray = (own.of_factor.toarray() * per_factor).astype(np.complex128)
        direct = -product(elements.back, drawn)
        push = product(system.gather, direct)
        solved = factorised(first.jacobian).solve(np.vstack([push.real, push.imag]))
        half = len(root_v)
        d_root: ComplexArray = solved[:half] + 1j * solved[half:]
        d_element = product(first.across, d_root)
        d_node = direct + product(
            elements.back, first.alpha[:, None] * d_element + first.beta[:, None] * d_element.conj()
        )
        d_node[first.at] += first.beta_injected[:, None] * np.conj(product(first.at_roots, d_root))
        given_a = node_amps(system, elements, root_v=root_v, scale=scale, injection_va=injection)
        head_a = head_amps(system, root_v, given_a)
        d_head_a = head_amps(system, d_root, d_node)
        at = system.source
        head_va = (root_v[at] * np.conj(head_a))[:, 0]
        d_head: ComplexArray = d_root[at] * np.conj(head_a) + root_v[at] * np.conj(d_head_a)
        return d_root, head_va, d_head


def _row(network: NetworkModel, meter: Meter) -> int:
    try:
        row = network.index(meter.place, meter.phase)
    except KeyError:
        raise ValueError(f"{meter.name}: there is no {meter.place}.{meter.phase}") from None
    if not network.energised[row]:
        raise ValueError(f"{meter.name}: {meter.place}.{meter.phase} is not energised")
    return row
