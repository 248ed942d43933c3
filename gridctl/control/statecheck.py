"""Rule 17: what is measured now, held against the network (chi-square, normalised residuals).

The head's power and every voltage against the state that fits them best, with the forecast as the
pseudo-measurement of what each consumer draws. A single meter that contradicts is named for
rejection; where few meters are, a group of suspects is (docs/adr/0025-own-state-estimation.md).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

import numpy as np

from gridctl.control.resources import Known, network_state
from gridctl.model.network import Feeder
from gridctl.model.planning import NetworkState
from gridctl.model.quantity import Phase, Unit
from gridctl.model.resource import LoadGroup, Resource
from optimizer.arrays import FloatArray
from optimizer.estimation.feeder import FeederEstimator, FeederState, Meter, Quantity
from optimizer.network import FlowResult, NetworkModel
from optimizer.validation.marks import Mark

HEAD_SIGMA_SHARE = 0.01
VOLT_SIGMA_PU = 0.004
CONSUMERS_MAX = 300
METERS_MIN = 4
"""The head and three voltages: fewer contradict nobody."""


class StateCheck:
    """For threads, one at a time; it keeps the estimator while taps and switches stand still."""

    def __init__(
        self,
        feeder: Feeder,
        resources: Sequence[Resource],
        *,
        head_point: str,
        known: Callable[[], Known],
    ) -> None:
        self._feeder = feeder
        self._resources = resources
        self._head = head_point
        self._known = known
        self._kept: tuple[object, FeederEstimator] | None = None
        self._one_at_a_time = threading.Lock()

    def look(self) -> dict[str, dict[Mark, int]]:
        """Points that contradict the network now. Nothing where the feeder is too big to ask in
        time, too little is good, or the power flow does not converge."""
        with self._one_at_a_time:
            found = self._now()
        if found is None or (found.fits and not found.removed):
            return {}
        return {point: {Mark.STATE: 1} for point in (*found.removed, *found.suspects)}

    def present(self) -> tuple[NetworkModel, FlowResult] | None:
        """The network and the power flow that fits best what is measured now; None where there is
        none, or where it does not fit. For a thread."""
        with self._one_at_a_time:
            found = self._now()
            if found is None or not found.fits or self._kept is None:
                return None
            return self._kept[1].network, found.flow

    def _now(self) -> FeederState | None:
        known = self._known()
        state = network_state(self._feeder, known, head_point=self._head)
        if state is None or len(self._feeder.consumers) > CONSUMERS_MAX:
            return None
        try:
            return self._estimated(known, state)
        except (ValueError, KeyError):
            # A feeder that has no state, or a device at a place that it does not have.
            return None

    def _estimated(self, known: Known, state: NetworkState) -> FeederState | None:
        """None with too few meters. Raises ValueError and KeyError as the estimator does."""
        key = (tuple(state.taps.items()), state.closed_capacitors, state.open_switches)
        if self._kept is None or self._kept[0] != key:
            estimator = FeederEstimator(
                self._feeder,
                taps=state.taps,
                closed_capacitors=state.closed_capacitors,
                open_switches=state.open_switches,
            )
            self._kept = (key, estimator)
        own = self._kept[1]
        meters = self._meters(own, known, state.head_kw)
        if len(meters) < METERS_MIN:
            return None
        injection_kw = self._injected_kw(own, known)
        nominal_kw = sum(sum(c.kw) for c in self._feeder.consumers)
        factor = max((state.head_kw + injection_kw.sum()) / max(nominal_kw, 1e-9), 0.05)
        return own.estimate(
            meters, prior=np.full(len(own.consumers), factor), injection_kw=injection_kw
        )

    def _meters(self, own: FeederEstimator, known: Known, head_kw: float) -> list[Meter]:
        sigma_kw = max(HEAD_SIGMA_SHARE * abs(head_kw), 1.0)
        meters = [Meter(name=self._head, quantity=Quantity.HEAD_KW, value=head_kw, sigma=sigma_kw)]
        nodes = {node.mrid for node in self._feeder.nodes}
        for point in known.points.values():
            if point.unit is not Unit.VOLT_PU or point.phase not in (Phase.A, Phase.B, Phase.C):
                continue
            measured = known.snapshot.good(point.mrid)
            if point.equipment not in nodes or measured is None:
                continue
            try:
                row = own.network.index(point.equipment, str(point.phase))
            except KeyError:
                continue
            if own.network.energised[row]:
                meters.append(
                    Meter(
                        name=point.mrid,
                        quantity=Quantity.VOLTAGE_PU,
                        value=measured.value,
                        sigma=VOLT_SIGMA_PU,
                        place=point.equipment,
                        phase=str(point.phase),
                    )
                )
        return meters

    def _injected_kw(self, own: FeederEstimator, known: Known) -> FloatArray:
        """(n,) by node-phase: what batteries, inverters and generators give."""
        kw = np.zeros(len(own.network.node_phases))
        for resource in self._resources:
            if isinstance(resource, LoadGroup):
                continue
            power = known.snapshot.good(resource.points.power)
            if power is None:
                continue
            for terminal in resource.terminals:
                kw[own.network.index(terminal.node, terminal.phase)] += power.value * terminal.share
        return kw
