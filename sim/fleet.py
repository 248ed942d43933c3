"""The devices on a feeder: which customers can be curtailed, where batteries and PV stand.

Our own choice, in the tables of `sim/fleets/NAME`; the published feeders have no such devices. A
device here is the resource that gridctl is told of (`resource`) plus what only the mirror needs.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gridctl.model.errors import ConfigError
from gridctl.model.network import Connection, EnergyConsumer, Feeder
from gridctl.model.resource import (
    Battery,
    Generator,
    LoadGroup,
    PvInverter,
    Resource,
    ResourcePoints,
    Terminal,
)
from sim.fleet_units import (
    BreakerSite,
    UnitSite,
    breaker_sites,
    load_group,
    terminals_of,
    unit_sites,
)

_UNIT_TABLES: Final = ("thermal", "ev", "industrial", "generators")
_FLEETS: Final = Path(__file__).parent / "fleets"


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadGroupSite:
    """A load group; `flex_share` of its consumers' present demand can be shed, after `delay_s`,
    within `ramp_s`."""

    resource: LoadGroup
    consumers: tuple[str, ...]
    flex_share: float
    delay_s: float
    ramp_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class BatterySite:
    """A battery with its state of charge when the scenario starts; `ramp_s` from 0 to rating.

    `cell_max_c`: above it the battery halves its power, until it is 5 K cooler; None: it stays
    cool enough at any power.
    """

    resource: Battery
    initial_soc_pct: float
    ramp_s: float
    cell_max_c: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PvSite:
    """A PV inverter and where its array faces; `ramp_s` from rating to 0.

    `functions`: which of IEEE 1547-2018's it has switched on (`volt-var`, `volt-watt`,
    `ride-through`, see `sim/devices/inverter_functions.py`).
    """

    resource: PvInverter
    orientation: str
    ramp_s: float
    functions: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """All devices of a feeder."""

    load_groups: tuple[LoadGroupSite, ...]
    batteries: tuple[BatterySite, ...]
    pvs: tuple[PvSite, ...]
    units: tuple[UnitSite, ...] = ()
    breakers: tuple[BreakerSite, ...] = ()

    def resources(self) -> tuple[Resource, ...]:
        """What gridctl is told of."""
        return (
            *(s.resource for s in self.load_groups),
            *(s.resource for s in self.batteries),
            *(s.resource for s in self.pvs),
            *(s.resource for s in self.units if isinstance(s.resource, LoadGroup)),
            *(s.resource for s in self.units if isinstance(s.resource, Generator)),
        )


def load_fleet(feeder: Feeder, name: str = "") -> Fleet:
    """The devices of `feeder`, or the fleet `name` on it (one of the simulator's, or a folder of
    tables); ConfigError when there is none."""
    folder = _FLEETS / (name or feeder.mrid)
    if not folder.is_dir():
        known = ", ".join(sorted(p.name for p in _FLEETS.iterdir() if p.is_dir()))
        raise ConfigError(
            f"no devices for feeder {feeder.mrid!r}"
            if not name
            else f"no fleet {name!r} for feeder {feeder.mrid!r}",
            file=str(folder),
            hint=f"known fleets: {known}",
        )
    consumers = {c.mrid: c for c in feeder.consumers}
    return Fleet(
        load_groups=tuple(_load_group(row, consumers) for row in _rows(folder, "load_groups")),
        batteries=tuple(_battery(row) for row in _rows(folder, "batteries")),
        pvs=tuple(_pv(row) for row in _rows(folder, "pv")),
        units=unit_sites({table: list(_rows(folder, table)) for table in _UNIT_TABLES}),
        breakers=breaker_sites(list(_rows(folder, "breakers"))),
    )


def _rows(folder: Path, table: str) -> Iterator[dict[str, str]]:
    if not (folder / f"{table}.csv").is_file():
        return
    with (folder / f"{table}.csv").open(newline="", encoding="utf-8") as file:
        yield from csv.DictReader(file)


def _load_group(row: dict[str, str], consumers: dict[str, EnergyConsumer]) -> LoadGroupSite:
    members = [consumers[name] for name in row["consumers"].split()]
    total_kw = sum(sum(c.kw) for c in members)
    flex_share = float(row["flex_share"])
    # Hot days draw a little more than the published load; the rating leaves room for that.
    rating_kw = round(flex_share * total_kw * 1.15, 1)
    return LoadGroupSite(
        resource=load_group(row, rating_kw, _shares(members, total_kw)),
        consumers=tuple(c.mrid for c in members),
        flex_share=flex_share,
        delay_s=float(row["delay_s"]),
        ramp_s=float(row["ramp_s"]),
    )


def _shares(members: list[EnergyConsumer], total_kw: float) -> tuple[Terminal, ...]:
    """Where a group's load sits; a load between two phases or legs has half at each."""
    found: dict[tuple[str, str], float] = {}
    for consumer in members:
        kws = consumer.kw
        if consumer.connection is not Connection.WYE:
            kws = _halves(kws)
        for phase, kw in zip(consumer.phases, kws, strict=True):
            key = (consumer.node, phase)
            found[key] = found.get(key, 0.0) + kw / total_kw
    return tuple(Terminal(node=n, phase=p, share=share) for (n, p), share in found.items())


def _halves(kws: tuple[float, ...]) -> tuple[float, ...]:
    """What each phase has of loads between phases: half of each that it takes part in."""
    if len(kws) == 1:
        return (kws[0] / 2.0,) * 2
    return tuple((kw + before) / 2.0 for kw, before in zip(kws, kws[-1:] + kws[:-1], strict=True))


def _battery(row: dict[str, str]) -> BatterySite:
    mrid = row["mrid"]
    return BatterySite(
        resource=Battery(
            mrid=mrid,
            name=row["name"],
            area=row["area"],
            terminals=terminals_of(row["terminals"]),
            points=ResourcePoints(
                setpoint=f"{mrid}.WSpt",
                feedback=f"{mrid}.WSptFb",
                power=f"{mrid}.TotW",
                soc=f"{mrid}.SoC",
                remote=f"{mrid}.Remote",
                fault=f"{mrid}.Flt",
            ),
            rating_kw=float(row["rating_kw"]),
            energy_kwh=float(row["energy_kwh"]),
            soc_min_pct=float(row["soc_min_pct"]),
            soc_max_pct=float(row["soc_max_pct"]),
            efficiency=float(row["efficiency"]),
            cost_per_kwh=float(row["cost_per_kwh"]),
        ),
        initial_soc_pct=float(row["initial_soc_pct"]),
        ramp_s=float(row["ramp_s"]),
        cell_max_c=float(row["cell_max_c"]) if row.get("cell_max_c") else None,
    )


def _pv(row: dict[str, str]) -> PvSite:
    mrid = row["mrid"]
    return PvSite(
        resource=PvInverter(
            mrid=mrid,
            name=row["name"],
            area=row["area"],
            terminals=terminals_of(row["terminals"]),
            points=ResourcePoints(
                setpoint=f"{mrid}.WLim",
                feedback=f"{mrid}.WLimFb",
                power=f"{mrid}.TotW",
                available=f"{mrid}.Avail",
                remote=f"{mrid}.Remote",
                fault=f"{mrid}.Flt",
            ),
            rating_kw=float(row["rating_kw"]),
            rating_kva=float(row["rating_kva"]),
            cost_per_kwh=float(row["cost_per_kwh"]),
        ),
        orientation=row["orientation"],
        ramp_s=float(row["ramp_s"]),
        functions=frozenset((row.get("functions") or "").split()),
    )
