"""What can be asked to move: load groups, batteries, PV inverters.

Sign of a setpoint, as the device takes it:

- load group: kW of load *shed*, 0 … available;
- battery: kW *injected*, discharge positive, charge negative;
- PV inverter: kW *ceiling* on its output (a curtailment when below what the sun gives).

The head's import falls by shed + injection - curtailment (plus losses).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias


class ResourceKind(StrEnum):
    """The kinds of resource (rows of `optimizer/resources` and `sim/devices`)."""

    LOAD_GROUP = "load_group"
    BATTERY = "battery"
    PV = "pv"


@dataclass(frozen=True, slots=True, kw_only=True)
class Terminal:
    """Where a share of a resource sits: `share` of its kW at one phase of one node.

    The shares of a resource sum to 1.
    """

    node: str
    phase: str
    share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourcePoints:
    """The points that belong to a resource, by mrid; None where the plant has none."""

    setpoint: str
    feedback: str
    power: str
    available: str | None = None
    soc: str | None = None
    remote: str | None = None
    fault: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadGroup:
    """A group of curtailable customers behind one control.

    `rebound`: share of the shed energy that comes back in each interval after release
    (may sum to more than 1). `level_min` is the smallest useful share of `rating_kw`.
    """

    mrid: str
    name: str
    area: str
    terminals: tuple[Terminal, ...]
    points: ResourcePoints
    rating_kw: float
    power_factor: float
    customers: int
    cost_per_kwh: float
    priority: int
    duration_min_s: float
    duration_max_s: float
    recovery_s: float
    starts_per_day_max: int
    rebound: tuple[float, ...]
    level_min: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Battery:
    """A battery energy storage system; efficiency is one-way, for each direction."""

    mrid: str
    name: str
    area: str
    terminals: tuple[Terminal, ...]
    points: ResourcePoints
    rating_kw: float
    energy_kwh: float
    soc_min_pct: float
    soc_max_pct: float
    efficiency: float
    cost_per_kwh: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PvInverter:
    """A PV inverter whose active power can be limited."""

    mrid: str
    name: str
    area: str
    terminals: tuple[Terminal, ...]
    points: ResourcePoints
    rating_kw: float
    rating_kva: float
    cost_per_kwh: float


Resource: TypeAlias = LoadGroup | Battery | PvInverter


def kind_of(resource: Resource) -> ResourceKind:
    """The kind of `resource`."""
    match resource:
        case LoadGroup():
            return ResourceKind.LOAD_GROUP
        case Battery():
            return ResourceKind.BATTERY
        case PvInverter():
            return ResourceKind.PV
