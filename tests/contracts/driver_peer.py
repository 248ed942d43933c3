"""What the driver contract asks of a protocol's peer: one real device on a loopback port.

Each protocol gives one peer (`peer_dnp3.py`, `peer_opcua.py`) in front of the same `BenchPlant`;
`test_driver_contract.py` then runs on it by itself.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol, TypeAlias, runtime_checkable

from gridctl.model.clock import Clock
from gridctl.model.measurement import Point, PointKind
from gridctl.model.quantity import Phase, Unit
from protocols.driver import Driver, LinkSettings, PointAddress
from protocols.inbox import Inbox
from sim.plant import PlantPoint, Reading, Verdict

SCAN_S = 0.5
"""Scan period of every bench point: three of them are the time in which a loss must show."""

POWER = "BENCH.TotW"
VOLTAGE = "BENCH.PhV"
SWITCH = "BENCH.Pos"
HEARTBEAT = "BENCH.HB"
FEEDBACK = "BENCH.WMaxFb"
SETPOINT = "BENCH.WMax"
LOCKED_FEEDBACK = "BENCH.LockedFb"
LOCKED_SETPOINT = "BENCH.Locked"
"""A setpoint whose device stands on LOCAL: every command is refused and nothing moves."""


def _point(mrid: str, kind: PointKind, unit: Unit, expect: str | None = None) -> Point:
    return Point(
        mrid=mrid,
        name=mrid,
        equipment="BENCH",
        kind=kind,
        unit=unit,
        phase=Phase.NONE,
        scan_s=SCAN_S,
        expect=expect,
        tolerance=None if expect is None else 0.5,
    )


READABLE = (
    _point(POWER, PointKind.ANALOG, Unit.KW),
    _point(VOLTAGE, PointKind.ANALOG, Unit.VOLT_PU),
    _point(SWITCH, PointKind.DISCRETE, Unit.STATE),
    _point(HEARTBEAT, PointKind.COUNTER, Unit.COUNT),
    _point(FEEDBACK, PointKind.ANALOG, Unit.KW),
    _point(LOCKED_FEEDBACK, PointKind.ANALOG, Unit.KW),
)
COMMANDABLE = (
    _point(SETPOINT, PointKind.SETPOINT, Unit.KW, FEEDBACK),
    _point(LOCKED_SETPOINT, PointKind.SETPOINT, Unit.KW, LOCKED_FEEDBACK),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wire:
    """How one protocol reaches one bench point (columns of the points file)."""

    address: str
    command: str = ""
    lease: str = ""
    enable: str = ""
    scale: float = 1.0


def bench_points(link: str, wires: dict[str, Wire]) -> tuple[PointAddress, ...]:
    """The bench's points as rows of a points file, for the driver."""
    return tuple(
        PointAddress(
            point=point,
            link=link,
            address=wires[point.mrid].address,
            command=wires[point.mrid].command,
            lease=wires[point.mrid].lease,
            enable=wires[point.mrid].enable,
            scale=wires[point.mrid].scale,
            offset=0.0,
            deadband=0.0,
            min_value=-100.0 if point.kind.commandable else None,
            max_value=100.0 if point.kind.commandable else None,
            file="bench.csv",
            line=line,
        )
        for line, point in enumerate((*READABLE, *COMMANDABLE), start=2)
    )


def plant_points(rows: tuple[PointAddress, ...]) -> tuple[PlantPoint, ...]:
    """The same rows as the mirror reads them."""
    return tuple(
        PlantPoint(
            mrid=row.point.mrid,
            name=row.point.name,
            equipment=row.point.equipment,
            kind=row.point.kind.value,
            unit=row.point.unit.value,
            phase=row.point.phase.value,
            link=row.link,
            address=row.address,
            command=row.command,
            lease=row.lease,
            scale=row.scale,
            offset=row.offset,
            deadband=row.deadband,
            scan_s=row.point.scan_s,
            min_value=row.min_value,
            max_value=row.max_value,
            enable=row.enable,
        )
        for row in rows
    )


def _resting() -> dict[str, Reading]:
    values = {
        POWER: 812.5,
        VOLTAGE: 1.0125,
        SWITCH: 1.0,
        HEARTBEAT: 41.0,
        FEEDBACK: 0.0,
        LOCKED_FEEDBACK: 7.0,
    }
    return {mrid: Reading(value=value, good=True, at_s=0.0) for mrid, value in values.items()}


@dataclass(slots=True)
class BenchPlant:
    """A plant of a few points (fulfils `sim.plant.Plant`); a test turns its knobs by hand.

    `operated` is every accepted or refused OPERATE: (point, value, lease in grid seconds).
    """

    clock: Clock
    readings: dict[str, Reading] = field(default_factory=_resting)
    operated: list[tuple[str, float, float | None]] = field(default_factory=list)
    moves: int = 0

    def read(self, point: str) -> Reading:
        return self.readings[point]

    def check(self, point: str, value: float) -> Verdict:
        if point == LOCKED_SETPOINT:
            return Verdict.LOCAL
        if point != SETPOINT:
            return Verdict.NOT_SUPPORTED
        return Verdict.ACCEPTED if -100.0 <= value <= 100.0 else Verdict.OUT_OF_RANGE

    def command(self, point: str, value: float, *, lease_s: float | None) -> Verdict:
        self.operated.append((point, value, lease_s))
        verdict = self.check(point, value)
        if verdict is Verdict.ACCEPTED:
            self.set(FEEDBACK, value)
        return verdict

    def revision(self) -> int:
        return self.moves

    def set(self, point: str, value: float, *, good: bool = True) -> None:
        """Let a point show `value` from now on."""
        self.readings[point] = Reading(value=value, good=good, at_s=self.clock.now_s())
        self.moves += 1

    def touch(self) -> None:
        """All points measured afresh now."""
        now_s = self.clock.now_s()
        self.readings = {m: replace(r, at_s=now_s) for m, r in self.readings.items()}
        self.moves += 1


class DriverPeer(Protocol):
    """One device. Construction is a factory `(link id, plant, clock, folder) -> DriverPeer`; the
    port is chosen then and stays the same for the peer's whole life."""

    @property
    def locked_status(self) -> str:
        """The protocol's word for "the device stands on LOCAL"."""
        ...

    @property
    def hands_on_lease(self) -> bool:
        """Whether the plant gets to see the lease of SETPOINT."""
        ...

    def settings(self) -> LinkSettings:
        """What the driver under test is opened with; short timeouts."""
        ...

    def points(self) -> tuple[PointAddress, ...]:
        """`bench_points` with this protocol's addresses."""
        ...

    async def start(self) -> None:
        """Switch the device on, also after `kill`: it listens on its port when this returns."""
        ...

    async def kill(self) -> None:
        """As if its power was cut: connections break, the port is closed. Harmless when off."""
        ...

    async def freeze(self) -> None:
        """It hangs: the connection stays open, nothing is answered any more."""
        ...

    async def thaw(self) -> None:
        """It goes on where it was, with whatever it has received meanwhile."""
        ...

    async def publish(self) -> None:
        """Tell the device that the plant has moved."""
        ...


@runtime_checkable
class UnregisteredPeer(Protocol):
    """A peer whose driver does not stand in `protocols.registry`, besides what it is anyway."""

    def open_driver(self, inbox: Inbox, clock: Clock) -> Driver:
        """The driver under test, not started."""
        ...


PeerFactory: TypeAlias = Callable[[str, BenchPlant, Clock, Path], DriverPeer]
