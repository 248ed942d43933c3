"""Devices for a feeder that has no tables of its own: who could be asked there, made from a seed.

Load groups are neighbouring loads of any connection. Batteries and PV stand behind equipment that
carries them (`sim.device_places`): at large loads, or along the feeder where all loads are behind
small transformers. PV and storage that the feeder's file had come first. The tables that come out
are those of `sim/fleets` and can be edited like them.
"""

from __future__ import annotations

import csv
import random
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, TypeAlias

from gridctl.model.network import EnergyConsumer, Feeder
from sim.device_places import Place, device_places
from sim.feeder_import.resources import DerKind, DerSite

Row: TypeAlias = Mapping[str, object]

_AREAS: Final = ("NORTH", "EAST", "SOUTH", "WEST")
_GROUPS_MAX: Final = 24
_PER_GROUP_MIN: Final = 3
_GROUP_KW_MIN: Final = 2.0
_FLEX_SHARE: Final = 0.26
_PLACES: Final = 4
_PV_SHARE: Final = 0.12
_BATTERY_SHARE: Final = 0.10
_KW_PER_CUSTOMER: Final = 4.0
_SITE_KW_MIN: Final = 1.0
_FACING: Final = ("S", "SW", "W")


def write_fleet(
    folder: Path, feeder: Feeder, *, seed: int, ders: Sequence[DerSite] = ()
) -> dict[str, int]:
    """Write the tables of a fleet for `feeder` into `folder`, which is made; how many devices of
    each kind. Load groups are neighbouring loads; PV and batteries are `ders` where there are any,
    else a few at the largest loads, in all about a tenth of the feeder's load each."""
    rng = random.Random(seed)  # noqa: S311 - a plan of a town, no secret
    loads = [c for c in feeder.consumers if may_be_asked(c)]
    total_kw = sum(sum(c.kw) for c in loads)
    pvs = [d for d in ders if d.kind is DerKind.PV and d.rating_kw >= _SITE_KW_MIN]
    stores = [
        d
        for d in ders
        if d.kind is DerKind.STORAGE and d.rating_kw >= _SITE_KW_MIN and d.energy_kwh > 0.0
    ]
    places = _places(feeder, loads, total_kw)
    tables = {
        "load_groups": list(_groups(loads, rng)),
        "batteries": list(_of_file(stores) if stores else _batteries(places, total_kw)),
        "pv": list(_pv_of_file(pvs) if pvs else _pvs(places, total_kw)),
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in tables.items():
        _write(folder / f"{name}.csv", rows)
    return {name: len(rows) for name, rows in tables.items()}


def _write(path: Path, rows: Sequence[Row]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]) if rows else ["mrid"], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def may_be_asked(consumer: EnergyConsumer) -> bool:
    """Whether a device may stand at a consumer: it draws, from phases or legs."""
    return set(consumer.phases) <= set("ABC12") and sum(consumer.kw) > 0.0 and min(consumer.kw) >= 0


def _groups(loads: Sequence[EnergyConsumer], rng: random.Random) -> Iterator[Row]:
    count = min(_GROUPS_MAX, len(loads) // _PER_GROUP_MIN)
    for i in range(count):
        members = loads[i * len(loads) // count : (i + 1) * len(loads) // count]
        total_kw = sum(sum(c.kw) for c in members)
        if total_kw < _GROUP_KW_MIN:
            continue
        yield {
            "mrid": f"LG{i + 1:02d}",
            "name": f"Customers at {members[0].node}",
            "area": _AREAS[i * len(_AREAS) // count],
            "consumers": " ".join(c.mrid for c in members),
            "flex_share": _FLEX_SHARE,
            "customers": max(1, round(total_kw / _KW_PER_CUSTOMER)),
            "cost_per_kwh": round(rng.uniform(0.2, 0.4), 2),
            "priority": rng.choice((1, 2, 2, 3)),
            "power_factor": 0.9,
            "delay_s": rng.randrange(10, 35, 5),
            "ramp_s": rng.randrange(60, 105, 15),
            "duration_min_s": 1800,
            "duration_max_s": 14_400,
            "recovery_s": 3600,
            "starts_per_day_max": 3,
            "rebound": "0.10 0.07 0.05",
        }


def _places(feeder: Feeder, loads: Sequence[EnergyConsumer], total_kw: float) -> list[Place]:
    """For batteries and PV in turn."""
    return device_places(feeder, loads, _PV_SHARE * total_kw / _PLACES, 2 * _PLACES)


def _at(place: Place) -> str:
    return _text([(place.node, p) for p in place.phases])


def _text(places: Sequence[tuple[str, str]]) -> str:
    return " ".join(f"{node}.{phase}" for node, phase in places)


def _size_kw(place: Place, share: float, total_kw: float, places: int) -> float:
    return round(min(share * total_kw / places, place.room_kw), 1)


def _batteries(places: Sequence[Place], total_kw: float) -> Iterator[Row]:
    chosen = places[::2]
    for i, place in enumerate(chosen):
        kw = _size_kw(place, _BATTERY_SHARE, total_kw, len(chosen))
        if kw >= _SITE_KW_MIN:
            yield _battery(i, _at(place), kw, round(3.0 * kw, 1), reserve_pct=10.0, stored_pct=80.0)


def _of_file(sites: Sequence[DerSite]) -> Iterator[Row]:
    for i, site in enumerate(sites):
        yield _battery(
            i,
            _text(site.terminals),
            site.rating_kw,
            site.energy_kwh,
            reserve_pct=min(site.reserve_pct, 90.0),
            stored_pct=site.stored_pct,
        )


def _battery(
    i: int, terminals: str, kw: float, energy_kwh: float, *, reserve_pct: float, stored_pct: float
) -> Row:
    high_pct = 95.0
    return {
        "mrid": f"BESS{i + 1:02d}",
        "name": f"Battery at {_node(terminals)}",
        "area": _AREAS[i % len(_AREAS)],
        "terminals": terminals,
        "rating_kw": kw,
        "energy_kwh": energy_kwh,
        "soc_min_pct": reserve_pct,
        "soc_max_pct": high_pct,
        "efficiency": 0.95,
        "cost_per_kwh": 0.11,
        "initial_soc_pct": min(max(stored_pct, reserve_pct), high_pct),
        "ramp_s": 10,
    }


def _node(terminals: str) -> str:
    return terminals.split(maxsplit=1)[0].rsplit(".", 1)[0]


def _pvs(places: Sequence[Place], total_kw: float) -> Iterator[Row]:
    chosen = places[1::2]
    for i, place in enumerate(chosen):
        kw = _size_kw(place, _PV_SHARE, total_kw, len(chosen))
        if kw >= _SITE_KW_MIN:
            yield _pv(i, _at(place), kw, round(1.1 * kw, 1))


def _pv_of_file(sites: Sequence[DerSite]) -> Iterator[Row]:
    for i, site in enumerate(sites):
        yield _pv(i, _text(site.terminals), site.rating_kw, max(site.rating_kva, site.rating_kw))


def _pv(i: int, terminals: str, kw: float, kva: float) -> Row:
    return {
        "mrid": f"PV{i + 1:02d}",
        "name": f"PV at {_node(terminals)}",
        "area": _AREAS[i % len(_AREAS)],
        "terminals": terminals,
        "rating_kw": kw,
        "rating_kva": kva,
        "orientation": _FACING[i % len(_FACING)],
        "cost_per_kwh": 0.06,
        "ramp_s": 5,
    }
