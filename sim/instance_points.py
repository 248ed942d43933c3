"""The points of a pilot: what the substation, the DR concentrator and the DER gateway show.

Three links: SUB and DR speak DNP3, DER speaks OPC UA. Addresses are handed out here, in the order
of the rows; the file that comes out is the one that field agent and mirror both read.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Final

from gridctl.model.network import Feeder
from gridctl.model.resource import Battery, Generator, LoadGroup, PvInverter
from sim.fleet import Fleet
from sim.fleet_units import BreakerResource
from sim.monitored import monitored

_NAMESPACE: Final = "urn:gridctl:feeder:1"
_SCAN_S: Final = 2.0
_HEARTBEAT_SCAN_S: Final = 1.0
_TOLERANCE_KW: Final = 0.5
SEQUENCE_GROUP: Final = "switches"
"""Group of everything that switches: each change of it is kept in the sequence of events."""
_LEASES_FROM: Final = 500
_BINARY, _COUNTER, _ANALOG, _ANALOG_OUTPUT = 1, 20, 30, 41
_COLUMNS: Final = (
    "mrid", "name", "equipment", "kind", "unit", "phase", "link", "address", "command", "lease",
    "enable", "scale", "offset", "deadband", "scan_s", "expect", "tolerance", "min", "max",
    "group",
)  # fmt: skip

_PILOT: Final = "ieee123"
MONITORED: Final = (
    ("149", "ABC"), ("13", "ABC"), ("18", "ABC"), ("47", "ABC"), ("51", "ABC"), ("54", "ABC"),
    ("60", "ABC"), ("65", "ABC"), ("66", "ABC"), ("67", "ABC"), ("76", "ABC"), ("83", "ABC"),
    ("95", "ABC"), ("101", "ABC"), ("300", "ABC"), ("450", "ABC"), ("6", "C"), ("11", "A"),
    ("32", "C"), ("33", "A"), ("39", "B"), ("71", "A"), ("75", "C"), ("85", "C"), ("104", "C"),
    ("107", "B"), ("114", "A"),
)  # fmt: skip
"""Meters of the pilot: the trunk, both sides of the regulators, and the ends of the laterals."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PointRow:
    """One row of the points file, before it has an address."""

    mrid: str
    name: str
    equipment: str
    kind: str = "analog"
    unit: str = "kW"
    phase: str = ""
    link: str = "SUB"
    command: str = ""
    has_lease: bool = False
    deadband: float = 0.2
    scan_s: float = _SCAN_S
    expect: str = ""
    low: float | None = None
    high: float | None = None


@dataclass(slots=True)
class _Addresses:
    """The next free index per link and DNP3 group; node ids follow the mRID."""

    leases_from: int = _LEASES_FROM
    used: Counter[tuple[str, int]] = field(default_factory=Counter)

    def of(self, row: PointRow) -> tuple[str, str]:
        """Address and lease address of a row."""
        if row.link == "DER":
            lease = f"nsu={_NAMESPACE};s={row.mrid}RvrtTms" if row.has_lease else ""
            return f"nsu={_NAMESPACE};s={row.mrid}", lease
        group = {
            "discrete": _BINARY,
            "counter": _COUNTER,
            "analog": _ANALOG,
            "setpoint": _ANALOG_OUTPUT,
        }[row.kind]
        index = self.used[row.link, group]
        self.used[row.link, group] += 1
        lease = f"{_ANALOG_OUTPUT}:{self.leases_from + index}" if row.has_lease else ""
        return f"{group}:{index}", lease


def write_points(path: Path, feeder: Feeder, fleet: Fleet) -> None:
    """Write the points file of `feeder` with `fleet`. FileExistsError if it is there."""
    rows = list(chain(_substation(feeder), _groups(fleet), _ders(fleet)))
    # Leases stand behind the last setpoint, however many there are.
    addresses = _Addresses(leases_from=max(_LEASES_FROM, sum(r.kind == "setpoint" for r in rows)))
    with path.open("x", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(_COLUMNS)
        for row in rows:
            address, lease = addresses.of(row)
            writer.writerow(
                [
                    row.mrid, row.name, row.equipment, row.kind, row.unit, row.phase, row.link,
                    address, row.command, lease, "", 1.0, 0.0, row.deadband, row.scan_s, row.expect,
                    _TOLERANCE_KW if row.expect else "", _text(row.low), _text(row.high),
                    SEQUENCE_GROUP if row.kind == "discrete" else "",
                ]
            )  # fmt: skip


def _text(value: float | None) -> str:
    return "" if value is None else repr(value)


def _heartbeat(link: str) -> PointRow:
    return PointRow(
        mrid=f"{link}.HB", name=f"{link} heartbeat", equipment=link, kind="counter", unit="count",
        link=link, deadband=0.0, scan_s=_HEARTBEAT_SCAN_S,
    )  # fmt: skip


def _substation(feeder: Feeder) -> Iterator[PointRow]:
    yield PointRow(
        mrid="FDR.TotW", name="Feeder head active power", equipment="FDR", phase="ABC", deadband=1.0
    )
    yield PointRow(
        mrid="FDR.TotVAr", name="Feeder head reactive power", equipment="FDR", unit="kvar",
        phase="ABC", deadband=1.0,
    )  # fmt: skip
    for phase in "ABC":
        yield PointRow(
            mrid=f"FDR.A.{phase}", name=f"Feeder head current {phase}", equipment="FDR", unit="A",
            phase=phase, deadband=0.5,
        )  # fmt: skip
    for node, phases in MONITORED if feeder.mrid == _PILOT else monitored(feeder):
        for phase in phases:
            yield PointRow(
                mrid=f"V.{node}.{phase}", name=f"Voltage {node} {phase}", equipment=node, unit="pu",
                phase=phase, deadband=0.0002,
            )  # fmt: skip
    for regulator in feeder.regulators:
        for phase in regulator.phases:
            yield PointRow(
                mrid=f"{regulator.mrid}.Tap.{phase}", name=f"{regulator.mrid} tap {phase}",
                equipment=regulator.mrid, unit="count", phase=phase, deadband=0.0,
            )  # fmt: skip
    for bank in feeder.capacitors:
        yield PointRow(
            mrid=f"{bank.mrid}.Closed", name=f"{bank.mrid} closed", equipment=bank.mrid,
            kind="discrete", unit="state", deadband=0.0,
        )  # fmt: skip
    yield PointRow(
        mrid="WX.TmpC", name="Air temperature", equipment="WX", unit="degC", deadband=0.05
    )
    yield PointRow(
        mrid="WX.Irr", name="Global irradiance", equipment="WX", unit="W/m2", deadband=2.0
    )
    yield _heartbeat("SUB")


def _groups(fleet: Fleet) -> Iterator[PointRow]:
    yield _heartbeat("DR")
    for site in fleet.load_groups:
        yield from _group(site.resource)
    for unit in fleet.units:
        if isinstance(unit.resource, LoadGroup):
            yield from _group(unit.resource)
        else:
            yield from _generator(unit.resource)
    for breaker in fleet.breakers:
        yield from _breaker(breaker.resource)


def _least_kw(group: LoadGroup) -> float:
    """Below zero where it may be cooled ahead of a call."""
    return 0.0 if group.precool is None else -group.precool.rating_kw


def _group(group: LoadGroup) -> Iterator[PointRow]:
    points = group.points
    yield PointRow(
        mrid=points.setpoint, name=f"{group.name} shed setpoint", equipment=group.mrid,
        kind="setpoint", link="DR", command="ao-float", has_lease=True, deadband=0.0,
        expect=points.feedback, low=_least_kw(group), high=group.rating_kw,
    )  # fmt: skip
    yield PointRow(
        mrid=points.feedback, name=f"{group.name} shed setpoint in force", equipment=group.mrid,
        link="DR", deadband=0.0,
    )  # fmt: skip
    yield PointRow(mrid=points.power, name=f"{group.name} load", equipment=group.mrid, link="DR")
    yield PointRow(
        mrid=points.available or "", name=f"{group.name} sheddable", equipment=group.mrid, link="DR"
    )
    yield from _switches(group, "DR")


def _generator(generator: Generator) -> Iterator[PointRow]:
    points = generator.points
    yield PointRow(
        mrid=points.setpoint, name=f"{generator.name} power setpoint", equipment=generator.mrid,
        kind="setpoint", link="DR", command="ao-float", has_lease=True, deadband=0.0,
        expect=points.feedback, low=0.0, high=generator.rating_kw,
    )  # fmt: skip
    yield PointRow(
        mrid=points.feedback, name=f"{generator.name} setpoint in force", equipment=generator.mrid,
        link="DR", deadband=0.0,
    )  # fmt: skip
    yield PointRow(
        mrid=points.power, name=f"{generator.name} power", equipment=generator.mrid, link="DR"
    )
    yield PointRow(
        mrid=points.available or "", name=f"{generator.name} available", equipment=generator.mrid,
        link="DR",
    )  # fmt: skip
    yield from _switches(generator, "DR")


def _breaker(breaker: BreakerResource) -> Iterator[PointRow]:
    points = breaker.points
    yield PointRow(
        mrid=points.feedback, name=f"{breaker.name} position", equipment=breaker.mrid,
        kind="discrete", unit="state", link="DR", deadband=0.0,
    )  # fmt: skip
    yield from _switches(breaker, "DR")


def _switches(
    resource: LoadGroup | Battery | PvInverter | Generator | BreakerResource, link: str
) -> Iterator[PointRow]:
    named = ((resource.points.remote, "remote"), (resource.points.fault, "fault"))
    for mrid, what in named:
        if mrid is not None:
            yield PointRow(
                mrid=mrid, name=f"{resource.name} {what}", equipment=resource.mrid,
                kind="discrete", unit="state", link=link, deadband=0.0,
            )  # fmt: skip


def _ders(fleet: Fleet) -> Iterator[PointRow]:
    yield _heartbeat("DER")
    for battery in fleet.batteries:
        yield from _battery(battery.resource)
    for pv in fleet.pvs:
        yield from _pv(pv.resource)


def _battery(battery: Battery) -> Iterator[PointRow]:
    points = battery.points
    yield PointRow(
        mrid=points.setpoint, name=f"{battery.name} power setpoint", equipment=battery.mrid,
        kind="setpoint", link="DER", command="method:SetW", deadband=0.0, expect=points.feedback,
        low=-battery.rating_kw, high=battery.rating_kw,
    )  # fmt: skip
    yield PointRow(
        mrid=points.feedback, name=f"{battery.name} setpoint in force", equipment=battery.mrid,
        link="DER", deadband=0.0,
    )  # fmt: skip
    yield PointRow(
        mrid=points.power, name=f"{battery.name} power", equipment=battery.mrid, link="DER"
    )
    yield PointRow(
        mrid=points.soc or "", name=f"{battery.name} state of charge", equipment=battery.mrid,
        unit="%", link="DER", deadband=0.05,
    )  # fmt: skip
    yield from _switches(battery, "DER")


def _pv(pv: PvInverter) -> Iterator[PointRow]:
    points = pv.points
    yield PointRow(
        mrid=points.setpoint, name=f"{pv.name} power limit", equipment=pv.mrid, kind="setpoint",
        link="DER", command="write", has_lease=True, deadband=0.0, expect=points.feedback,
        low=0.0, high=pv.rating_kw,
    )  # fmt: skip
    yield PointRow(
        mrid=points.feedback, name=f"{pv.name} limit in force", equipment=pv.mrid, link="DER",
        deadband=0.0,
    )  # fmt: skip
    yield PointRow(mrid=points.power, name=f"{pv.name} power", equipment=pv.mrid, link="DER")
    yield PointRow(
        mrid=points.available or "", name=f"{pv.name} available", equipment=pv.mrid, link="DER"
    )
    yield from _switches(pv, "DER")
