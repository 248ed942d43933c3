"""What can be asked to move: load groups, batteries, PV inverters, generators.

Sign of a setpoint, as the device takes it:

- load group: kW of load *shed*, 0 … available; negative: drawn ahead of a call (`Precool`);
- battery: kW *injected*, discharge positive, charge negative;
- PV inverter: kW *ceiling* on its output (a curtailment when below what the sun gives);
- generator: kW *injected*, 0 means stop.

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
    GENERATOR = "generator"


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
class Pickup:
    """Cold-load pickup of a class of outage length: after a run of at least `after_s`, `shares[k]`
    of the run's mean shed is drawn besides in the k-th interval after release."""

    after_s: float
    shares: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Comfort:
    """What customers put up with: energy put off, at most `energy_kwh` at any moment. It fades by
    itself within `fade_h` (a house warms up, a tank cools down); 0: it does not fade (a car waits).
    """

    energy_kwh: float
    fade_h: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Precool:
    """Cooling (or heating) ahead of a call, at most `ahead_s` before it begins: up to `rating_kw`
    drawn besides, of which at most `energy_kwh` are stored at any moment (comfort); it fades within
    `fade_h` (0: it does not). Asked for by a negative setpoint."""

    rating_kw: float
    energy_kwh: float
    ahead_s: float
    fade_h: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Hvac:
    """Air conditioners or heat pumps of a group together: thermal mass of the rooms, resistance of
    their walls, the band of temperature that is comfortable, electrical to thermal; the rooms are
    back within `recovery_h`. They may be cooled `ahead_k` below what is set, by `ahead_kw` more
    than usual within `ahead_h` before a call, where all three are given."""

    mass_kwh_per_k: float
    resistance_k_per_kw: float
    band_k: float
    cop: float
    recovery_h: float
    ahead_k: float | None = None
    ahead_kw: float | None = None
    ahead_h: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WaterHeater:
    """Water heaters of a group together: water, the band between set and least temperature, power
    of all heaters; a full tank is cold after some `standing_h`."""

    litres: float
    band_k: float
    efficiency: float
    heater_kw: float
    standing_h: float


@dataclass(frozen=True, slots=True, kw_only=True)
class EvCharging:
    """Charging points: for so long may the whole group wait, and every car still leaves full."""

    slack_h: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadGroup:
    """A group of curtailable customers behind one control.

    `rebound`: share of the shed energy that comes back in each interval after release
    (may sum to more than 1). `level_min` is the smallest useful share of `rating_kw`.
    `stages`: shares of what can be shed that the control knows; empty: any level.
    Hours of a day and of a season; `call_value`: what a call that is left is worth, a cost of each
    start. `ramp_kw_per_min`: how fast it may follow; None: at once. `appliance`: what it consists
    of; its `comfort`, `rebound` and `precool` follow from it where they are not given. `precool`:
    None where it cannot be cooled ahead of a call. `cancel_cost`: what it costs to take back a call
    that was announced and has not begun; None: it is not taken back.
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
    stages: tuple[float, ...] = ()
    hours_per_day_max: float | None = None
    hours_per_season_max: float | None = None
    call_value: float = 0.0
    ramp_kw_per_min: float | None = None
    pickup: tuple[Pickup, ...] = ()
    comfort: Comfort | None = None
    appliance: Hvac | WaterHeater | EvCharging | None = None
    precool: Precool | None = None
    cancel_cost: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reactive:
    """What an inverter gives besides kW: at most `kvar_max` kvar, given or drawn, inside
    `rating_kva`. `volt_var`: (voltage in pu, kvar given) of the curve that it follows by itself,
    ascending in voltage; empty: it takes a kvar setpoint.
    """

    rating_kva: float
    kvar_max: float
    volt_var: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DepthCost:
    """Wear by depth: a kWh that is discharged at a depth (per cent of the energy, below full) of at
    most `to_pct` costs `per_kwh` besides. A battery's ascend in both."""

    to_pct: float
    per_kwh: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Battery:
    """A battery energy storage system; efficiency is one-way, for each direction. `reactive`: None
    where it runs at unity. `depth_costs`: what deep cycles cost besides `cost_per_kwh`; empty: as
    much as shallow ones."""

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
    reactive: Reactive | None = None
    depth_costs: tuple[DepthCost, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PvInverter:
    """A PV inverter whose active power can be limited; `reactive`: None where it runs at unity."""

    mrid: str
    name: str
    area: str
    terminals: tuple[Terminal, ...]
    points: ResourcePoints
    rating_kw: float
    rating_kva: float
    cost_per_kwh: float
    reactive: Reactive | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Generator:
    """A dispatchable generator (diesel, gas, hydro) that can be started and stopped.

    `start_s` from the command to the first kW, then at most `ramp_kw_per_min`; while it runs it
    gives at least `level_min` of `rating_kw`. Runs last `run_min_s` to `run_max_s` (fuel in the
    tank), rest at least `rest_s` after a stop, `starts_per_day_max` at most. `power_factor` is what
    its voltage regulator holds (kvar given with the kW), inside `rating_kva`. `start_cost` of each
    start, `idle_cost_per_h` of each hour that it runs, `cost_per_kwh` of what it gives.
    """

    mrid: str
    name: str
    area: str
    terminals: tuple[Terminal, ...]
    points: ResourcePoints
    rating_kw: float
    rating_kva: float
    power_factor: float
    level_min: float
    start_s: float
    ramp_kw_per_min: float
    run_min_s: float
    run_max_s: float
    rest_s: float
    starts_per_day_max: int
    start_cost: float
    idle_cost_per_h: float
    cost_per_kwh: float


Resource: TypeAlias = LoadGroup | Battery | PvInverter | Generator


def kind_of(resource: Resource) -> ResourceKind:
    """The kind of `resource`."""
    match resource:
        case LoadGroup():
            return ResourceKind.LOAD_GROUP
        case Battery():
            return ResourceKind.BATTERY
        case PvInverter():
            return ResourceKind.PV
        case Generator():
            return ResourceKind.GENERATOR
