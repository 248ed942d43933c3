"""The points file as the mirror reads it: the same CSV as the field agent's, into `PlantPoint`."""

from __future__ import annotations

import csv
from pathlib import Path

from gridctl.model.errors import ConfigError
from sim.plant import PlantPoint


def read_plant_points(path: Path) -> tuple[PlantPoint, ...]:
    """All rows of the points file; ConfigError with file and line for one that cannot be read.

    Thin on purpose: the field agent's own reader judges the file; the mirror only follows it.
    """
    found = []
    try:
        with path.open(newline="", encoding="utf-8") as file:
            for line, row in enumerate(csv.DictReader(file), start=2):
                try:
                    found.append(_point(row))
                except (KeyError, ValueError, AttributeError) as error:
                    raise ConfigError(
                        f"the row cannot be read: {error}", file=str(path), key=f"line {line}"
                    ) from None
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", file=str(path)) from None
    return tuple(found)


def _point(row: dict[str, str]) -> PlantPoint:
    return PlantPoint(
        mrid=row["mrid"],
        name=row["name"],
        equipment=row["equipment"],
        kind=row["kind"],
        unit=row["unit"],
        phase=row["phase"],
        link=row["link"],
        address=row["address"],
        command=row["command"],
        lease=row["lease"],
        scale=float(row["scale"]),
        offset=float(row["offset"]),
        deadband=float(row["deadband"]),
        scan_s=float(row["scan_s"]),
        min_value=_optional(row["min"]),
        max_value=_optional(row["max"]),
        enable=row.get("enable") or "",
    )


def _optional(text: str) -> float | None:
    return float(text) if text.strip() else None
