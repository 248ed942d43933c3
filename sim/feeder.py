"""Test feeders from our own tables (`sim.opendss_text` writes a feeder as OpenDSS commands).

The tables in `sim/feeders/NAME/*.csv` hold the published figures in the published units (feet,
ohm and microsiemens per mile); this file turns them into the model's units. Sources: README.md
beside the tables.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Final, TypeAlias

from pydantic import TypeAdapter, ValidationError

from gridctl.model.errors import ConfigError
from gridctl.model.network import (
    MODEL_VERSION,
    ACLineSegment,
    Connection,
    ConnectivityNode,
    EnergyConsumer,
    Feeder,
    LoadModel,
    PowerTransformer,
    ShuntCapacitor,
    Source,
    Switch,
    VoltageRegulator,
)

_FEEDERS: Final = Path(__file__).parent / "feeders"
OWN_FEEDERS: Final = Path(".gridctl/feeders")
"""Where imported and generated feeders go, seen from the working directory."""
_MODEL: Final = TypeAdapter(Feeder)
_KM_PER_MILE: Final = 1.609344
_KM_PER_FOOT: Final = 0.0003048
_M_PER_FOOT: Final = 0.3048
_PHASES: Final = "ABC"

_PAIRS: Final = ("AB", "BC", "CA")
Row: TypeAlias = Mapping[str, str]
Matrix: TypeAlias = tuple[tuple[float, ...], ...]


def feeder_names() -> tuple[str, ...]:
    """The feeders that come with the simulator."""
    return tuple(sorted(p.name for p in _FEEDERS.iterdir() if (p / "feeder.csv").is_file()))


def feeder_file(name: str) -> Path | None:
    """The model file of a feeder that somebody imported or generated: `name` is its folder, the
    file itself, or a folder's name in `.gridctl/feeders`; None for a feeder of the simulator."""
    if name in feeder_names():
        return None
    for place in (Path(name), Path(name) / "feeder.json", OWN_FEEDERS / name / "feeder.json"):
        if place.is_file():
            return place
    return None


def read_feeder(file: Path) -> Feeder:
    """A feeder's model file; ConfigError when it cannot be read or is of another version."""
    try:
        feeder = _MODEL.validate_json(file.read_bytes())
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", file=str(file)) from None
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise ConfigError(f"no feeder model: {first['msg']}", file=str(file), key=key) from None
    if feeder.version != MODEL_VERSION:
        raise ConfigError(
            f"feeder model version {feeder.version}, this gridctl reads {MODEL_VERSION}",
            file=str(file),
            hint="import it again with this version",
        )
    return feeder


def load_feeder(name: str) -> Feeder:
    """The feeder `name`, of the simulator or anybody's (see `feeder_file`); ConfigError when there
    is none. The simulator's have every regulator at its published tap, loads at their published
    (peak) kW and kvar, capacitors and switches in published state.
    """
    file = feeder_file(name)
    if file is not None:
        return read_feeder(file)
    folder = _FEEDERS / name
    if name not in feeder_names():
        raise ConfigError(
            f"no feeder {name!r}",
            file=str(folder),
            hint=f"known feeders: {', '.join(feeder_names())}; or name a folder with feeder.json",
        )
    keys = {row["key"]: row["value"] for row in _rows(folder, "feeder")}
    nodes = _nodes(folder)
    nominal_kv = {n.mrid: n.nominal_kv for n in nodes}
    return Feeder(
        mrid=keys["mrid"],
        name=keys["name"],
        version=1,
        frequency_hz=float(keys["frequency_hz"]),
        source=Source(
            node=keys["source_node"],
            nominal_kv=float(keys["source_kv"]),
            voltage_pu=float(keys["source_pu"]),
            r1_ohm=float(keys["source_r1_ohm"]),
            x1_ohm=float(keys["source_x1_ohm"]),
            r0_ohm=float(keys["source_r0_ohm"]),
            x0_ohm=float(keys["source_x0_ohm"]),
        ),
        nodes=nodes,
        lines=_lines(folder),
        switches=_switches(folder),
        transformers=_transformers(folder),
        regulators=_regulators(folder, keys),
        capacitors=_capacitors(folder, nominal_kv),
        consumers=_consumers(folder, nominal_kv),
    )


def _rows(folder: Path, table: str) -> Iterator[dict[str, str]]:
    path = folder / f"{table}.csv"
    if not path.is_file():
        return
    with path.open(newline="", encoding="utf-8") as file:
        yield from csv.DictReader(file)


def _nodes(folder: Path) -> tuple[ConnectivityNode, ...]:
    return tuple(
        ConnectivityNode(
            mrid=row["node"],
            nominal_kv=float(row["nominal_kv"]),
            phases=row["phases"],
            x=_metres(row["x_ft"]),
            y=_metres(row["y_ft"]),
        )
        for row in _rows(folder, "nodes")
    )


def _metres(feet: str) -> float | None:
    """A place on the drawing; empty where the document gives none."""
    return round(float(feet) * _M_PER_FOOT, 1) if feet else None


def _matrix(row: Row, phases: str) -> Matrix:
    """The full symmetric matrix, per km, in the order of `phases`."""

    def cell(first: str, second: str) -> float:
        a, b = sorted((first, second))
        return float(row[f"{a}{b}".lower()]) / _KM_PER_MILE

    return tuple(tuple(cell(first, second) for second in phases) for first in phases)


def _lines(folder: Path) -> tuple[ACLineSegment, ...]:
    phases: dict[str, str] = {}
    matrices: dict[tuple[str, str], Matrix] = {}
    for row in _rows(folder, "configurations"):
        phases[row["configuration"]] = row["phases"]
        matrices[row["configuration"], row["quantity"]] = _matrix(row, row["phases"])
    ratings = {row["configuration"]: float(row["rating_a"]) for row in _rows(folder, "conductors")}
    return tuple(
        ACLineSegment(
            mrid=row["segment"],
            from_node=row["from_node"],
            to_node=row["to_node"],
            phases=phases[code],
            length_km=float(row["length_ft"]) * _KM_PER_FOOT,
            r_ohm_per_km=matrices[code, "R"],
            x_ohm_per_km=matrices[code, "X"],
            b_us_per_km=matrices[code, "B"],
            rating_a=ratings[code] * float(row["circuits"]),
        )
        for row in _rows(folder, "segments")
        for code in (row["configuration"],)
    )


def _switches(folder: Path) -> tuple[Switch, ...]:
    return tuple(
        Switch(
            mrid=row["switch"],
            from_node=row["from_node"],
            to_node=row["to_node"],
            phases=row["phases"],
            is_open=row["state"] == "open",
            rating_a=float(row["rating_a"]),
        )
        for row in _rows(folder, "switches")
    )


def _transformers(folder: Path) -> tuple[PowerTransformer, ...]:
    return tuple(
        PowerTransformer(
            mrid=row["transformer"],
            from_node=row["from_node"],
            to_node=row["to_node"],
            phases=row["phases"],
            rating_kva=float(row["rating_kva"]),
            from_kv=float(row["from_kv"]),
            to_kv=float(row["to_kv"]),
            from_connection=Connection(row["from_connection"]),
            to_connection=Connection(row["to_connection"]),
            r_pct=float(row["r_pct"]),
            x_pct=float(row["x_pct"]),
        )
        for row in _rows(folder, "transformers")
    )


def _regulators(folder: Path, keys: Mapping[str, str]) -> tuple[VoltageRegulator, ...]:
    def per_phase(rows: Sequence[Row], column: str) -> tuple[float, ...]:
        return tuple(float(row[column]) for row in rows)

    found = []
    for mrid, group in groupby(_rows(folder, "regulators"), itemgetter("regulator")):
        rows = list(group)
        first = rows[0]
        found.append(
            VoltageRegulator(
                mrid=mrid,
                from_node=first["from_node"],
                to_node=first["to_node"],
                phases="".join(row["phase"] for row in rows),
                taps=tuple(int(row["tap"]) for row in rows),
                step_pu=float(keys["tap_step_pu"]),
                tap_min=int(keys["tap_min"]),
                tap_max=int(keys["tap_max"]),
                ganged=first["ganged"] == "yes",
                vreg_v=per_phase(rows, "vreg_v"),
                band_v=float(first["band_v"]),
                pt_ratio=float(first["pt_ratio"]),
                ct_primary_a=float(first["ct_primary_a"]),
                ldc_r_v=per_phase(rows, "ldc_r_v"),
                ldc_x_v=per_phase(rows, "ldc_x_v"),
                rating_kva=float(first["rating_kva"]),
                delay_s=float(first["delay_s"]),
            )
        )
    return tuple(found)


def _capacitors(folder: Path, nominal_kv: Mapping[str, float]) -> tuple[ShuntCapacitor, ...]:
    found = []
    for row in _rows(folder, "capacitors"):
        phases = "".join(p for p in _PHASES if row[f"kvar_{p.lower()}"])
        found.append(
            ShuntCapacitor(
                mrid=row["capacitor"],
                node=row["node"],
                phases=phases,
                connection=Connection(row["connection"]),
                kvar=tuple(float(row[f"kvar_{p.lower()}"]) for p in phases),
                nominal_kv=nominal_kv[row["node"]],
                is_closed=row["state"] == "closed",
            )
        )
    return tuple(found)


def _consumers(folder: Path, nominal_kv: Mapping[str, float]) -> tuple[EnergyConsumer, ...]:
    """Columns 1, 2, 3 are A, B, C for wye and AB, BC, CA for delta, as published. A second load at
    a node has a name of its own in `load`."""
    found = []
    for row in _rows(folder, "loads"):
        connection = Connection(row["connection"])
        columns = [i for i in (1, 2, 3) if row[f"kw_{i}"]]
        if connection is Connection.WYE:
            phases = "".join(_PHASES[i - 1] for i in columns)
        else:
            phases = _PHASES if len(columns) == len(_PHASES) else _PAIRS[columns[0] - 1]
        found.append(
            EnergyConsumer(
                mrid=row.get("load") or f"S{row['node']}",
                node=row["node"],
                phases=phases,
                connection=connection,
                model=LoadModel(row["model"]),
                kw=tuple(float(row[f"kw_{i}"]) for i in columns),
                kvar=tuple(float(row[f"kvar_{i}"]) for i in columns),
                nominal_kv=nominal_kv[row["node"]],
            )
        )
    return tuple(found)


def consumer_branches(consumer: EnergyConsumer) -> tuple[str, ...]:
    """What each entry of `kw` sits between: a phase ("A") for wye, a pair ("CA") for delta."""
    if consumer.connection is Connection.WYE:
        return tuple(consumer.phases)
    return _PAIRS if len(consumer.kw) == len(_PAIRS) else (consumer.phases,)


def load_element(consumer: str, branch: str) -> str:
    """OpenDSS name of one entry of a consumer."""
    return f"{consumer}_{branch}".lower()


def regulator_element(regulator: str, phase: str) -> str:
    """OpenDSS name of one phase of a regulator."""
    return f"{regulator}_{phase}".lower()
