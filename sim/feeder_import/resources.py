"""PV and storage of an OpenDSS circuit: what a fleet on the imported feeder is made of."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from sim.feeder_import.circuit import Circuit
from sim.feeder_import.places import Places
from sim.feeder_import.report import Fate, Report


class DerKind(StrEnum):
    """What the file has."""

    PV = "pv"
    STORAGE = "storage"


@dataclass(frozen=True, slots=True, kw_only=True)
class DerSite:
    """A PV system or a storage: `rating_kw` of the array or the converter, `rating_kva` of the
    inverter, `energy_kwh` and `reserve_pct` of a storage."""

    mrid: str
    kind: DerKind
    terminals: tuple[tuple[str, str], ...]
    rating_kw: float
    rating_kva: float
    energy_kwh: float = 0.0
    reserve_pct: float = 0.0
    stored_pct: float = 0.0


def ders_of(
    circuit: Circuit, places: Places, report: Report, live: set[str]
) -> tuple[DerSite, ...]:
    """PV and storage at buses that are fed; their phases share the power evenly."""
    found = []
    for name in circuit.of("pvsystem", "storage"):
        circuit.dss.text(f"{name}.enabled=yes")
        element = circuit.element(name)
        circuit.dss.text(f"{name}.enabled=no")
        legs = [p for p in element.terminals[0] if p[1] > 0] if element.terminals else []
        if not legs or legs[0][0] not in live:
            report.add(name, Fate.REFUSED, "not at a bus that is connected to the source")
            continue
        known = places.used.get(legs[0][0], set())
        letters = [(bus, places.letter_at(bus, n)) for bus, n in legs]
        terminals = tuple(place for place in letters if place[1] in known and place[1] != "N")
        if not terminals:
            report.add(name, Fate.REFUSED, f"nothing else is at its conductors of bus {legs[0][0]}")
            continue
        is_pv = element.kind == "pvsystem"
        kva = circuit.number(name, "kva")
        rating_kw = circuit.number(name, "pmpp" if is_pv else "kwrated")
        if not rating_kw > 0.0 or not (is_pv or circuit.number(name, "kwhrated") > 0.0):
            why = f"rated {rating_kw:g} kW" + ("" if is_pv else ", or no kWh")
            report.add(name, Fate.REFUSED, f"{why}: no device")
            continue
        found.append(
            DerSite(
                mrid=element.own.replace(".", "_"),
                kind=DerKind.PV if is_pv else DerKind.STORAGE,
                terminals=terminals,
                rating_kw=rating_kw,
                rating_kva=kva or circuit.number(name, "kwrated"),
                energy_kwh=0.0 if is_pv else circuit.number(name, "kwhrated"),
                reserve_pct=0.0 if is_pv else circuit.number(name, "%reserve"),
                stored_pct=0.0 if is_pv else circuit.number(name, "%stored"),
            )
        )
        why = "a device of the fleet; its inverter functions and losses are the mirror's own"
        report.add(name, Fate.APPROXIMATED, why)
    return tuple(found)
