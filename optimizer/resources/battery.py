"""Batteries: injection positive, an energy balance with losses, energy given back by the end."""

from __future__ import annotations

from gridctl.model.planning import ResourceState
from gridctl.model.resource import Battery
from optimizer.timegrid import FloatArray, TimeGrid


def default_kw(battery: Battery) -> float:
    """Idle."""
    del battery
    return 0.0


def injection_kw(
    battery: Battery, state: ResourceState, grid: TimeGrid, setpoint_kw: FloatArray
) -> FloatArray:
    """The setpoint itself, kW (T,)."""
    del battery, state, grid
    return setpoint_kw
