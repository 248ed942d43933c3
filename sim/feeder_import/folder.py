"""What an import or a generator leaves behind: a folder that a pilot can be made of.

feeder.json   the model, versioned; its digest is in report.json
report.json   source, digest, what was kept, approximated or refused, the agreement
fleet/        load groups, batteries, PV: the tables of sim/fleets, to be edited
points.csv    points for two DNP3 outstations and an OPC UA server
shapes.csv    load shapes of the file, one column each, and profiles.csv who follows which
"""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any, Final

from gridctl.model.canonical import canonical_json
from gridctl.model.errors import ConfigError
from gridctl.model.network import Feeder
from sim.feeder_import.report import Report
from sim.feeder_import.resources import DerSite
from sim.fleet import load_fleet
from sim.fleet_made import write_fleet
from sim.instance_points import write_points
from sim.load_shapes import PROFILES, SHAPES, LoadShape, Profile

FEEDER, REPORT, POINTS, FLEET = "feeder.json", "report.json", "points.csv", "fleet"
_SEED: Final = 1


def write_folder(
    folder: Path,
    feeder: Feeder,
    *,
    about: Mapping[str, Any],
    report: Report | None = None,
    ders: Sequence[DerSite] = (),
    seed: int = _SEED,
) -> dict[str, Any]:
    """Write a feeder's folder and return what report.json says. ConfigError when there is one."""
    if (folder / FEEDER).exists():
        raise ConfigError(
            "a feeder is here already; it is not overwritten",
            file=str(folder),
            hint="name another folder with -o, or remove this one",
        )
    folder.mkdir(parents=True, exist_ok=True)
    devices = write_fleet(folder / FLEET, feeder, seed=seed, ders=ders)
    write_points(folder / POINTS, feeder, load_fleet(feeder, str((folder / FLEET).resolve())))
    with (folder / POINTS).open(encoding="utf-8") as file:
        points = sum(1 for _ in file) - 1
    said: dict[str, Any] = {
        **about,
        "feeder": feeder.mrid,
        "digest": feeder.digest(),
        "version": feeder.version,
        "size": size_of(feeder),
        "devices": devices,
        "points": points,
    }
    if report is not None:
        said["elements"] = report.counts()
        said["told"] = [
            {"element": e.element, "fate": e.fate.value, "why": e.why, "place": e.place}
            for e in report.told()
        ]
    (folder / REPORT).write_text(json.dumps(said, indent=1, ensure_ascii=False), encoding="utf-8")
    # Last, so that a folder with a model is a whole one.
    (folder / FEEDER).write_bytes(canonical_json(feeder))
    return said


def write_shapes(
    folder: Path, shapes: Mapping[str, LoadShape], profiles: Mapping[str, Profile]
) -> None:
    """Write load shapes as columns (first row: seconds between values) and who follows which."""
    if not shapes:
        return
    columns = {f"{name}.kw": shape.kw_pu for name, shape in shapes.items()}
    columns |= {f"{name}.kvar": shape.kvar_pu for name, shape in shapes.items() if shape.kvar_pu}
    with (folder / SHAPES).open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerow([shapes[name.rsplit(".", 1)[0]].step_s for name in columns])
        writer.writerows(zip_longest(*columns.values(), fillvalue=""))
    with (folder / PROFILES).open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["consumer", "shape", "base_kw", "base_kvar"])
        writer.writerows(
            (mrid, p.shape, p.base_kw or "", p.base_kvar or "") for mrid, p in profiles.items()
        )


def size_of(feeder: Feeder) -> dict[str, float]:
    """How large a feeder is, in numbers."""
    return {
        "nodes": len(feeder.nodes),
        "node_phases": sum(len(n.phases) for n in feeder.nodes),
        "lines": len(feeder.lines),
        "switches": len(feeder.switches),
        "transformers": len(feeder.transformers) + len(feeder.equivalents),
        "regulators": len(feeder.regulators),
        "capacitors": len(feeder.capacitors),
        "consumers": len(feeder.consumers),
        "load_kw": round(sum(sum(c.kw) for c in feeder.consumers), 3),
        "load_kvar": round(sum(sum(c.kvar) for c in feeder.consumers), 3),
    }
