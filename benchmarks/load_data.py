"""The real load series that benchmarks read: from outside the project, never copied into it."""

from __future__ import annotations

import os
from pathlib import Path

FOLDER = (
    Path(os.environ.get("GRIDCTL_SHARED", Path(__file__).parents[2] / "shared")) / "data" / "load"
)
TETOUAN = "tetouan2017_3zones_10min.csv.gz"
GEFCOM = "gefcom2012_load_hourly.csv.gz"
CAMBRIDGE = "cambridge_buildings_hourly_2018_2019.csv.gz"


def load_file(name: str) -> Path:
    """Where `name` lies. Raises SystemExit with how to say where."""
    found = FOLDER / name
    if not found.is_file():
        raise SystemExit(f"{found} is not there (set GRIDCTL_SHARED to the folder above data/load)")
    return found
