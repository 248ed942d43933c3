"""The device of each kind of unit."""

from __future__ import annotations

from typing import TypeAlias

from sim.devices.ev import EvGroupDevice
from sim.devices.generator import GeneratorDevice
from sim.devices.industrial import IndustrialDevice
from sim.devices.thermal import ThermalGroupDevice
from sim.fleet_units import EvSite, GeneratorSite, IndustrialSite, ThermalSite, UnitSite

UnitDevice: TypeAlias = ThermalGroupDevice | EvGroupDevice | IndustrialDevice | GeneratorDevice


def unit_device(site: UnitSite) -> UnitDevice:
    """The device that stands at `site`."""
    match site:
        case ThermalSite():
            return ThermalGroupDevice(site)
        case EvSite():
            return EvGroupDevice(site)
        case IndustrialSite():
            return IndustrialDevice(site)
        case GeneratorSite():
            return GeneratorDevice(site)
