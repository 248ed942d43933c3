"""The feeder as engineers know it (IEC 61970-301), three-phase and unbalanced.

Conventions: loads draw positive kW and kvar; voltages in kV line to line at the nominal of the
node; phases as the letters "A", "B", "C" in that order; impedances in ohm, lengths in km.
Delta and two-phase connections name the phases between which the equipment sits ("AB").
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from gridctl.model.canonical import digest

MODEL_VERSION = 1


class Connection(StrEnum):
    """How a winding, a load or a capacitor is connected."""

    WYE = "wye"
    DELTA = "delta"


class LoadModel(StrEnum):
    """How a load follows its voltage (OpenDSS load models 1, 2 and 5)."""

    CONSTANT_POWER = "P"
    CONSTANT_IMPEDANCE = "Z"
    CONSTANT_CURRENT = "I"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectivityNode:
    """A bus: its nominal voltage, its phases, and where it lies on the map (metres, or None)."""

    mrid: str
    nominal_kv: float
    phases: str
    x: float | None = None
    y: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ACLineSegment:
    """A line or cable. `r_ohm_per_km` and `x_ohm_per_km` are phase impedance matrices in the
    order of `phases`; `b_us_per_km` the shunt susceptance matrix in microsiemens (whole line)."""

    mrid: str
    from_node: str
    to_node: str
    phases: str
    length_km: float
    r_ohm_per_km: tuple[tuple[float, ...], ...]
    x_ohm_per_km: tuple[tuple[float, ...], ...]
    b_us_per_km: tuple[tuple[float, ...], ...]
    rating_a: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Switch:
    """A switch; an open one connects nothing."""

    mrid: str
    from_node: str
    to_node: str
    phases: str
    is_open: bool
    rating_a: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerTransformer:
    """A two-winding transformer; `r_pct` and `x_pct` on its own `rating_kva`."""

    mrid: str
    from_node: str
    to_node: str
    phases: str
    rating_kva: float
    from_kv: float
    to_kv: float
    from_connection: Connection
    to_connection: Connection
    r_pct: float
    x_pct: float


@dataclass(frozen=True, slots=True, kw_only=True)
class VoltageRegulator:
    """An ideal step regulator on one or more phases of a line (CIM RatioTapChanger with
    RegulatingControl). `taps` in the order of `phases`; ratio = 1 + tap * step_pu.
    `ganged`: all phases move together on the first phase's measurement.
    The control settings are volts on the relay's 120 V base, line-drop R and X in volts."""

    mrid: str
    from_node: str
    to_node: str
    phases: str
    taps: tuple[int, ...]
    step_pu: float
    tap_min: int
    tap_max: int
    ganged: bool
    vreg_v: tuple[float, ...]
    band_v: float
    pt_ratio: float
    ct_primary_a: float
    ldc_r_v: tuple[float, ...]
    ldc_x_v: tuple[float, ...]
    rating_kva: float
    delay_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ShuntCapacitor:
    """A capacitor bank: `kvar` per phase (order of `phases`) at nominal voltage, constant Z.

    `open_above_pu`, `close_below_pu`: its voltage control, on the mean of its phases (CIM
    RegulatingControl); None, None for a bank that stays as it is.
    """

    mrid: str
    node: str
    phases: str
    connection: Connection
    kvar: tuple[float, ...]
    nominal_kv: float
    is_closed: bool
    open_above_pu: float | None = None
    close_below_pu: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EnergyConsumer:
    """A spot load: `kw`, `kvar` at nominal voltage for each entry of `phases`.

    Wye: one entry a phase ("A", "ABC" …). Delta: `phases` names the pairs in order: a
    single-phase delta load between A and B has phases "AB" and one entry; a three-phase delta
    load has phases "ABC" and three entries AB, BC, CA.
    """

    mrid: str
    node: str
    phases: str
    connection: Connection
    model: LoadModel
    kw: tuple[float, ...]
    kvar: tuple[float, ...]
    nominal_kv: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """The substation: a stiff three-phase source behind the head of the feeder."""

    node: str
    nominal_kv: float
    voltage_pu: float
    r1_ohm: float
    x1_ohm: float
    r0_ohm: float
    x0_ohm: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Feeder:
    """A whole feeder, versioned: its digest is part of every plan."""

    mrid: str
    name: str
    version: int
    frequency_hz: float
    source: Source
    nodes: tuple[ConnectivityNode, ...]
    lines: tuple[ACLineSegment, ...]
    switches: tuple[Switch, ...]
    transformers: tuple[PowerTransformer, ...]
    regulators: tuple[VoltageRegulator, ...]
    capacitors: tuple[ShuntCapacitor, ...]
    consumers: tuple[EnergyConsumer, ...]

    def node_index(self) -> Mapping[str, ConnectivityNode]:
        """Nodes by mrid."""
        return {n.mrid: n for n in self.nodes}

    def digest(self) -> str:
        """Digest of the model."""
        return digest(self)
