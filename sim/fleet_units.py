"""Devices with a life of their own, from optional tables of a fleet.

`thermal.csv`, `ev.csv` and `industrial.csv` are load groups to gridctl, `generators.csv` are
generators; `breakers.csv` it can only reach by their points.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias
from zlib import crc32

from gridctl.model.resource import Generator, LoadGroup, Precool, ResourcePoints, Terminal


@dataclass(frozen=True, slots=True, kw_only=True)
class ThermalSite:
    """`units` thermostats of about `unit_kw` each; `application`: cooling, heating or water."""

    resource: LoadGroup
    application: str
    units: int
    unit_kw: float
    seed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EvSite:
    """`points` charging points of `point_kw`; cars arrive around `arrival_h` local time."""

    resource: LoadGroup
    points: int
    point_kw: float
    arrival_h: float
    seed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class IndustrialSite:
    """Blocks (kW each) that work from `from_h` to `to_h`, run at least `run_min_s`, pause at least
    `pause_min_s`, and start `stagger_s` apart."""

    resource: LoadGroup
    blocks_kw: tuple[float, ...]
    from_h: float
    to_h: float
    run_min_s: float
    pause_min_s: float
    stagger_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class GeneratorSite:
    """`start_s` from the command to the first kW, then `ramp_kw_per_s`; never below `least_share`
    of its rating while it runs; `cool_s` after the last kW."""

    resource: Generator
    start_s: float
    ramp_kw_per_s: float
    least_share: float
    cool_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerResource:
    """A switch of the feeder that has a motor; `mrid` is the switch's."""

    mrid: str
    name: str
    area: str
    points: ResourcePoints


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerSite:
    """`operating_s` from the command to the new position."""

    resource: BreakerResource
    operating_s: float


UnitSite: TypeAlias = ThermalSite | EvSite | IndustrialSite | GeneratorSite

Row: TypeAlias = Mapping[str, str]


def terminals_of(text: str) -> tuple[Terminal, ...]:
    """`49.A 49.B` as terminals with equal shares."""
    places = [place.rsplit(".", 1) for place in text.split()]
    return tuple(Terminal(node=n, phase=p, share=1 / len(places)) for n, p in places)


def unit_sites(tables: Mapping[str, list[dict[str, str]]]) -> tuple[UnitSite, ...]:
    """All sites of the tables that a fleet has, by table name."""
    return tuple(_sites(tables))


def breaker_sites(rows: list[dict[str, str]]) -> tuple[BreakerSite, ...]:
    """The switches with a motor."""
    return tuple(
        BreakerSite(
            resource=BreakerResource(
                mrid=row["switch"],
                name=row["name"],
                area=row["area"],
                points=ResourcePoints(
                    setpoint=f"{row['switch']}.PosSpt",
                    feedback=f"{row['switch']}.Pos",
                    power=f"{row['switch']}.Ops",
                    remote=f"{row['switch']}.Remote",
                    fault=f"{row['switch']}.Flt",
                ),
            ),
            operating_s=float(row["operating_s"]),
        )
        for row in rows
    )


def _sites(tables: Mapping[str, list[dict[str, str]]]) -> Iterator[UnitSite]:
    for row in tables.get("thermal", []):
        units, unit_kw = int(row["units"]), float(row["unit_kw"])
        yield ThermalSite(
            resource=load_group(row, units * unit_kw, terminals_of(row["terminals"])),
            application=row["application"],
            units=units,
            unit_kw=unit_kw,
            seed=_seed(row["mrid"]),
        )
    for row in tables.get("ev", []):
        points, point_kw = int(row["points"]), float(row["point_kw"])
        yield EvSite(
            resource=load_group(row, points * point_kw, terminals_of(row["terminals"])),
            points=points,
            point_kw=point_kw,
            arrival_h=float(row["arrival_h"]),
            seed=_seed(row["mrid"]),
        )
    for row in tables.get("industrial", []):
        blocks_kw = tuple(float(kw) for kw in row["blocks_kw"].split())
        yield IndustrialSite(
            resource=load_group(row, sum(blocks_kw), terminals_of(row["terminals"])),
            blocks_kw=blocks_kw,
            from_h=float(row["from_h"]),
            to_h=float(row["to_h"]),
            run_min_s=float(row["run_min_s"]),
            pause_min_s=float(row["pause_min_s"]),
            stagger_s=float(row["stagger_s"]),
        )
    for row in tables.get("generators", []):
        yield GeneratorSite(
            resource=_generator(row),
            start_s=float(row["start_s"]),
            ramp_kw_per_s=float(row["ramp_kw_per_s"]),
            least_share=float(row["least_share"]),
            cool_s=float(row["cool_s"]),
        )


def _generator(row: Row) -> Generator:
    """How gridctl sees a generator."""
    return Generator(
        mrid=row["mrid"],
        name=row["name"],
        area=row["area"],
        terminals=terminals_of(row["terminals"]),
        points=_points(row["mrid"], "WSpt", "WSptFb"),
        rating_kw=float(row["rating_kw"]),
        rating_kva=float(row["rating_kva"]),
        power_factor=float(row["power_factor"]),
        level_min=float(row["least_share"]),
        start_s=float(row["start_s"]),
        ramp_kw_per_min=60.0 * float(row["ramp_kw_per_s"]),
        run_min_s=float(row["run_min_s"]),
        run_max_s=float(row["run_max_s"]),
        rest_s=float(row["rest_s"]),
        starts_per_day_max=int(row["starts_per_day_max"]),
        start_cost=float(row["start_cost"]),
        idle_cost_per_h=float(row["idle_cost_per_h"]),
        cost_per_kwh=float(row["cost_per_kwh"]),
    )


def load_group(row: Row, rating_kw: float, terminals: tuple[Terminal, ...]) -> LoadGroup:
    """How gridctl sees a load group, whatever it consists of."""
    mrid = row["mrid"]
    return LoadGroup(
        mrid=mrid,
        name=row["name"],
        area=row["area"],
        terminals=terminals,
        points=_points(mrid, "ShedSpt", "ShedFb"),
        rating_kw=rating_kw,
        power_factor=float(row["power_factor"]),
        customers=int(row["customers"]),
        cost_per_kwh=float(row["cost_per_kwh"]),
        priority=int(row["priority"]),
        duration_min_s=float(row["duration_min_s"]),
        duration_max_s=float(row["duration_max_s"]),
        recovery_s=float(row["recovery_s"]),
        starts_per_day_max=int(row["starts_per_day_max"]),
        rebound=tuple(float(part) for part in row["rebound"].split()),
        precool=_precool(row),
    )


def _precool(row: Row) -> Precool | None:
    """Of a table with columns for it, where they are filled in."""
    if not row.get("precool_kw"):
        return None
    return Precool(
        rating_kw=float(row["precool_kw"]),
        energy_kwh=float(row["precool_kwh"]),
        ahead_s=float(row["precool_ahead_s"]),
        fade_h=float(row["precool_fade_h"]),
    )


def _points(mrid: str, setpoint: str, feedback: str) -> ResourcePoints:
    return ResourcePoints(
        setpoint=f"{mrid}.{setpoint}",
        feedback=f"{mrid}.{feedback}",
        power=f"{mrid}.TotW",
        available=f"{mrid}.Avail",
        remote=f"{mrid}.Remote",
        fault=f"{mrid}.Flt",
    )


def _seed(mrid: str) -> int:
    """A device's own chance, the same in every scenario."""
    return crc32(mrid.encode())
