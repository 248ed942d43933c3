"""The readable points of the world: where each value is found."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from gridctl.model.network import Feeder
from sim.devices.battery import BatteryDevice
from sim.devices.breaker import BreakerDevice
from sim.devices.generator import GeneratorDevice
from sim.grid import Grid

if TYPE_CHECKING:
    from sim.world import Commandable

Getter: TypeAlias = Callable[[], float]


def grid_getters(
    grid: Grid, feeder: Feeder, voltage_pu: Callable[[str, str], float]
) -> dict[str, Getter]:
    """Head, voltages, taps and banks."""
    found: dict[str, Getter] = {
        "FDR.TotW": lambda: grid.solution.head_kw,
        "FDR.TotVAr": lambda: grid.solution.head_kvar,
    }
    for i, phase in enumerate("ABC"):
        found[f"FDR.A.{phase}"] = lambda i=i: grid.solution.head_a[i]  # type: ignore[misc]
    for node in feeder.nodes:
        for phase in node.phases:
            found[f"V.{node.mrid}.{phase}"] = (
                lambda n=node.mrid, p=phase: voltage_pu(n, p)  # type: ignore[misc]
            )
    for regulator in feeder.regulators:
        for i, phase in enumerate(regulator.phases):
            found[f"{regulator.mrid}.Tap.{phase}"] = (
                lambda r=regulator.mrid, i=i: float(grid.taps()[r][i])  # type: ignore[misc]
            )
    for bank in feeder.capacitors:
        found[f"{bank.mrid}.Closed"] = (
            lambda c=bank.mrid: float(grid.closed(c))  # type: ignore[misc]
        )
    return found


def device_getters(device: Commandable) -> dict[str, Getter]:
    """What one device shows."""
    points = device.site.resource.points
    hold = device.hold
    found: dict[str, Getter] = {points.setpoint: lambda: hold.value}
    if isinstance(device, BreakerDevice):
        found[points.feedback] = lambda: device.position
        found[points.power] = lambda: float(device.operations)
    else:
        found[points.feedback] = lambda: hold.value
        found[points.power] = lambda: device.power_kw
        if points.available is not None and not isinstance(device, BatteryDevice):
            found[points.available] = lambda: device.available_kw
        if points.soc is not None and isinstance(device, BatteryDevice):
            found[points.soc] = lambda: device.soc_pct
        if isinstance(device, GeneratorDevice):
            found[f"{device.site.resource.mrid}.Run"] = lambda: float(device.power_kw > 0)
    if points.remote is not None:
        found[points.remote] = lambda: float(hold.remote)
    if points.fault is not None:
        found[points.fault] = lambda: float(hold.fault)
    return found
