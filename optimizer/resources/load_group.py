"""Load groups: shed in runs with a least and a greatest length, and what comes back afterwards."""

from __future__ import annotations

import numpy as np

from gridctl.model.planning import ResourceState
from gridctl.model.resource import LoadGroup
from optimizer.timegrid import SECONDS_PER_HOUR, FloatArray, TimeGrid

SHED_MIN_KW = 1e-6


def default_kw(group: LoadGroup) -> float:
    """Nothing shed."""
    del group
    return 0.0


def shed_so_far_kwh(state: ResourceState, now_s: float) -> float:
    """Energy of the shed that is running now, at the level that is confirmed now."""
    if state.active_since_s is None:
        return 0.0
    return max(state.setpoint_kw, 0.0) * max(now_s - state.active_since_s, 0.0) / SECONDS_PER_HOUR


def injection_kw(
    group: LoadGroup, state: ResourceState, grid: TimeGrid, setpoint_kw: FloatArray
) -> FloatArray:
    """Shed minus rebound, kW (T,).

    When a run of shedding ends, `rebound[k]` of its whole energy comes back in the k-th interval
    after its release (the first of them is the interval in which it is released).
    """
    net = np.array(setpoint_kw, dtype=np.float64)
    energy_kwh = shed_so_far_kwh(state, grid.now_s)
    for t in range(grid.count):
        if setpoint_kw[t] > SHED_MIN_KW:
            energy_kwh += float(setpoint_kw[t]) * float(grid.hours[t])
            continue
        for k, share in enumerate(group.rebound[: grid.count - t]):
            net[t + k] -= share * energy_kwh / float(grid.hours[t + k])
        energy_kwh = 0.0
    return net
