"""A model for each set of positions, shared between states of one feeder."""

from __future__ import annotations

import numpy as np
import pytest

from optimizer import positions
from optimizer.regulated import RegulatedNetwork
from sim.feeder import load_feeder


def test_models_are_shared_between_states_of_one_feeder() -> None:
    feeder = load_feeder("ieee123")
    first = RegulatedNetwork(feeder)
    first.solve(load_scale=np.array([0.3]))
    taps = {"REG1": (3, 3, 3)}
    second = RegulatedNetwork(feeder, taps=taps, models_of=first)
    assert second.models.kept is first.models.kept
    fresh = RegulatedNetwork(feeder, taps=taps)
    np.testing.assert_allclose(
        second.solve(load_scale=np.array([0.9])).v_pu,
        fresh.solve(load_scale=np.array([0.9])).v_pu,
        atol=1e-12,
    )


def test_only_so_many_models_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    network = RegulatedNetwork(load_feeder("ieee123"))
    monkeypatch.setattr(positions, "NODE_PHASES_KEPT", 2 * len(network.node_phases))
    first, second, third = (np.full_like(network.start, step) for step in (0, 1, 2))
    kept = [network.models.at(at) for at in (first, second)]
    assert network.models.at(first) is kept[0]
    network.models.at(third)
    assert len(network.models.kept) == 2
    assert network.models.at(first) is kept[0], "the one that was asked for least lately goes"
    assert network.models.at(second) is not kept[1]
