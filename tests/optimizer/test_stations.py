"""All positions in one iteration give what each position's own network gives."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from gridctl.model.network import Feeder
from optimizer.arrays import FloatArray
from optimizer.network import FlowResult, NetworkModel
from optimizer.regulated import RegulatedNetwork
from optimizer.regulation import closed_at, taps_at
from sim.feeder import load_feeder
from tests.optimizer.feeders import one_of_everything
from tests.optimizer.pilot import pilot_task

COUNT = 24


def switched_ieee123() -> Feeder:
    """With a capacitor that switches by itself, and a part without earth."""
    return pilot_task(count=4).feeder


def upside_down() -> Feeder:
    """The regulators named from their far side: the root of their trees lies behind them."""
    feeder = one_of_everything()
    nodes = tuple(reversed(feeder.nodes))
    return replace(feeder, nodes=nodes)


FEEDERS = {
    "ieee13": lambda: load_feeder("ieee13"),
    "switched_ieee123": switched_ieee123,
    "one_of_everything": one_of_everything,
    "upside_down": upside_down,
}


def injected(network: RegulatedNetwork, random: np.random.Generator) -> FloatArray:
    """Some kW at places that have earth."""
    kw = np.zeros((len(network.node_phases), COUNT))
    earthed = network.energised & ~network.now.admittance.floating
    rows = random.choice(np.flatnonzero(earthed), 8, replace=False)
    kw[rows] = random.uniform(0.0, 8.0, (8, COUNT))
    return kw


@pytest.mark.parametrize("name", FEEDERS)
def test_each_interval_is_that_of_its_own_positions(name: str) -> None:
    feeder, random = FEEDERS[name](), np.random.default_rng(3)
    network = RegulatedNetwork(feeder)
    assert network.stations is not None
    relays = sum(1 if r.ganged else len(r.phases) for r in feeder.regulators)
    positions = np.tile(network.start[:, None], (1, COUNT))
    positions[:relays] += random.integers(-3, 4, (relays, COUNT))
    banks = len(positions) - relays
    positions[relays:] = random.integers(0, 2, (banks, COUNT))
    scale, kw = np.linspace(0.3, 0.9, COUNT), injected(network, random)
    found = network.solve(
        load_scale=scale, injection_kw=kw, injection_kvar=0.3 * kw, hold=positions
    )
    assert found.converged
    assert np.array_equal(found.positions, positions)
    for t in range(COUNT):
        alone = NetworkModel(
            feeder,
            taps=taps_at(feeder, positions[:, t]),
            closed_capacitors=closed_at(feeder, positions[:, t], None),
        ).solve(load_scale=scale[[t]], injection_kw=kw[:, [t]], injection_kvar=0.3 * kw[:, [t]])
        _same(found, t, alone)


def _same(found: FlowResult, t: int, alone: FlowResult) -> None:
    assert np.allclose(found.v_complex[:, t], alone.v_complex[:, 0], rtol=1e-8, atol=1e-5)
    for name in ("head_kw", "head_kvar", "losses_kw", "load_kw"):
        assert getattr(found, name)[t] == pytest.approx(getattr(alone, name)[0], abs=1e-3)
    assert np.allclose(
        found.branch_loading_pct[:, t], alone.branch_loading_pct[:, 0], rtol=1e-6, atol=1e-5
    )


def test_an_import_is_met_with_all_controls_at_rest() -> None:
    network = RegulatedNetwork(switched_ieee123())
    head_kw = 1800.0 + 900.0 * np.sin(np.linspace(0.0, 6.0, COUNT))
    flow = network.solve(load_scale=np.full(COUNT, 0.6), head_kw=head_kw)
    assert flow.converged
    assert np.abs(flow.head_kw - head_kw).max() < 2e-3
    assert len(np.unique(flow.positions, axis=1).T) > 1, "the taps have moved"
    # Told the scales that were found and held there, the same network says the same.
    again = network.solve(load_scale=flow.load_scale, hold=flow.positions)
    assert np.abs(again.v_pu - flow.v_pu).max() < 1e-8
