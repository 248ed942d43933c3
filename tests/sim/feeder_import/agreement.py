"""How far our own power flow is from the foreign engine's solution of the file itself."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from optimizer.network import NetworkModel
from sim.feeder_import.opendss import Imported

CIRCUITS = Path(__file__).parent / "circuits"


def worst_pu(imported: Imported) -> float:
    """Largest distance of any node's complex voltage, taps pinned; fails where there is none."""
    network = NetworkModel(imported.feeder)
    flow = network.solve(load_scale=np.ones(1))
    assert flow.converged
    assert imported.reference_v
    apart = [
        abs(flow.v_complex[i, 0] - volt) / (network.base_kv[i] * 1e3)
        for (node, phase), volt in imported.reference_v.items()
        for i in (network.index(node, phase),)
    ]
    return float(max(apart))
