"""The feeder as engineers know it (IEC 61970-301), three-phase and unbalanced.

Conventions: loads draw positive kW and kvar; voltages in kV line to line at the nominal of the
node; phases as the letters "A", "B", "C" in that order; impedances in ohm, lengths in km.
Delta and two-phase connections name the phases between which the equipment sits ("AB").
Every letter is one conductor: "N" is a neutral that is carried along, "1" and "2" are the legs of a
split-phase secondary (CIM s1, s2), whose `nominal_kv` is sqrt(3) times the leg's to earth.
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


PHASES = "ABC"
NEUTRAL = "N"
HIGH_LEG = "3"
"""The third phase beside the legs of a centre tap (a four-wire delta): sqrt(3) times their voltage
to earth, so that it has no limits of its own."""


class LoadModel(StrEnum):
    """How a load follows its voltage: OpenDSS load models 1, 2, 5, then 3, 4, 6, 7, 8.

    MOTOR: constant kW, kvar with the square. CVR: each with its own power of the voltage.
    FIXED_Q, FIXED_Q_IMPEDANCE: constant kW; kvar that no load scale reaches, constant or with the
    square. ZIP: shares of impedance, current and power.
    """

    CONSTANT_POWER = "P"
    CONSTANT_IMPEDANCE = "Z"
    CONSTANT_CURRENT = "I"
    MOTOR = "PZ"
    CVR = "CVR"
    FIXED_Q = "FQ"
    FIXED_Q_IMPEDANCE = "FZ"
    ZIP = "ZIP"


@dataclass(frozen=True, slots=True, kw_only=True)
class VoltageResponse:
    """How a load answers to its voltage beyond its `LoadModel`, in pu of its nominal voltage.

    Below `v_min_pu` and above `v_max_pu` a load turns into an impedance (OpenDSS Vminpu, Vmaxpu),
    down to `v_low_pu` with a current that falls in a straight line to that of its nominal
    impedance. `exponents`: of kW and kvar for CVR. `zip_shares`: of Z, I, P of the kW, then of the
    kvar, for ZIP; below `dropout_pu` a ZIP load falls off (0: never).
    """

    v_min_pu: float
    v_max_pu: float
    v_low_pu: float = 0.5
    exponents: tuple[float, float] = (1.0, 2.0)
    zip_shares: tuple[float, float, float, float, float, float] | None = None
    dropout_pu: float = 0.0


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
class ReverseControl:
    """What a regulator's control holds at its `from_node` while its `to_node` is where it is fed
    from: set voltage and band, volts on the relay's 120 V base, without compensation."""

    vreg_v: float
    band_v: float


@dataclass(frozen=True, slots=True, kw_only=True)
class VoltageRegulator:
    """An ideal step regulator on one or more phases of a line (CIM RatioTapChanger with
    RegulatingControl). `taps` in the order of `phases`; ratio = 1 + tap * step_pu.
    `ganged`: all phases move together on the first phase's measurement.
    The control settings are volts on the relay's 120 V base, line-drop R and X in volts.
    `reverse`: what it holds when it is fed from behind (`gridctl.model.feeding`); None: it holds
    the voltage of `to_node` whatever feeds it."""

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
    reverse: ReverseControl | None = None


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
    `neutral`: the conductor that a wye load returns through, "" for earth. `response`: None for a
    load that keeps its model at every voltage.
    """

    mrid: str
    node: str
    phases: str
    connection: Connection
    model: LoadModel
    kw: tuple[float, ...]
    kvar: tuple[float, ...]
    nominal_kv: float
    neutral: str = ""
    response: VoltageResponse | None = None


class BranchKind(StrEnum):
    """What an `EquivalentBranch` stands for."""

    TRANSFORMER = "transformer"
    LINE = "line"
    REACTOR = "reactor"
    CAPACITOR = "capacitor"


@dataclass(frozen=True, slots=True, kw_only=True)
class Winding:
    """A winding as its name plate has it: kV across it, kVA, where, and its tap in pu."""

    node: str
    connection: Connection
    kv: float
    kva: float
    tap_pu: float


@dataclass(frozen=True, slots=True, kw_only=True)
class EquivalentBranch:
    """Linear equipment that the other words have no place for (CIM EquivalentBranch): transformers
    with three windings or a centre tap, open and closed deltas, neutral impedances; reactors;
    series capacitors; lines that swap phases.

    `terminals` are (node, phase); the current into terminal i is the sum of
    (`g_s`[i][k] + j `b_s`[i][k]) V[k], siemens and volts to earth. `rating_a` per terminal, or
    empty; `windings` of a transformer, empty else.
    """

    mrid: str
    kind: BranchKind
    terminals: tuple[tuple[str, str], ...]
    g_s: tuple[tuple[float, ...], ...]
    b_s: tuple[tuple[float, ...], ...]
    rating_a: tuple[float, ...] = ()
    windings: tuple[Winding, ...] = ()

    def nodes(self) -> tuple[str, ...]:
        """The nodes it touches, each once, the first one first."""
        return tuple(dict.fromkeys(node for node, _ in self.terminals))


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
    equivalents: tuple[EquivalentBranch, ...] = ()

    def node_index(self) -> Mapping[str, ConnectivityNode]:
        """Nodes by mrid."""
        return {n.mrid: n for n in self.nodes}

    def moving(self) -> frozenset[str]:
        """What moves in it: regulators, switches, capacitors."""
        return frozenset(
            one.mrid for kind in (self.regulators, self.switches, self.capacitors) for one in kind
        )

    def digest(self) -> str:
        """Digest of the model."""
        return digest(self)
