"""Made series for the tests of the forecaster, and the real ones where they are."""

from __future__ import annotations

import csv
import gzip
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from optimizer.arrays import FloatArray
from optimizer.forecasting.grid import LoadGrid
from optimizer.similar_day import Calendar

FIRST_DAY = 20_640
"""Monday 2026-07-06, days since 1970."""


def hourly(days: int, *, seed: int = 1, per_day: int = 24) -> tuple[FloatArray, FloatArray]:
    """(load in kW, temperature in °C): two peaks, quieter weekends, cooling, a slow level."""
    random = np.random.default_rng(seed)
    slot = np.arange(days * per_day)
    hour = slot % per_day * 24.0 / per_day
    weekend = (slot // per_day) % 7 >= 5
    of_day = np.repeat(random.normal(22.0, 4.0, days), per_day)
    temperature = of_day + 5.0 * np.sin((hour - 9.0) / 24.0 * 2.0 * np.pi)
    shape = 2000.0 + 500.0 * np.exp(-(((hour - 19.0) / 3.0) ** 2)) - 200.0 * np.cos(hour / 3.82)
    level = np.repeat(np.cumsum(random.normal(0.0, 15.0, days)), per_day)
    load = shape * np.where(weekend, 0.85, 1.0) + level
    load = load + 40.0 * np.clip(temperature - 18.0, 0.0, None)
    return load + random.normal(0.0, 20.0, len(slot)), temperature


def grid_of(
    load_kw: FloatArray,
    temperature_c: FloatArray | None = None,
    *,
    per_day: int = 24,
    holidays: Sequence[int] = (),
) -> LoadGrid:
    """From midnight of FIRST_DAY on."""
    none = np.zeros((0, len(load_kw)))
    return LoadGrid(
        load_kw=load_kw,
        temperature_c=none if temperature_c is None else temperature_c[None],
        sun_w_m2=none,
        wind_ms=none,
        calendar=Calendar(first=FIRST_DAY * per_day, per_day=per_day),
        holidays=frozenset(holidays),
    )


def shared(name: str) -> Path:
    """A file of the shared load data; skips loudly where it is not."""
    root = os.environ.get("GRIDCTL_SHARED")
    folder = Path(root) if root else Path(__file__).parents[4] / "shared"
    file = folder / "data" / "load" / name
    if not file.is_file():
        pytest.skip(f"{file} is not there (set GRIDCTL_SHARED): real load series")
    return file


def gefcom(zone: str) -> tuple[FloatArray, FloatArray]:
    """(load, temperatures in °C) of a GEFCom2012 zone from 2004-01-01 on, hourly."""
    with gzip.open(shared("gefcom2012_load_hourly.csv.gz"), "rt") as text:
        rows = list(csv.reader(text))
    at = rows[0].index(zone)
    cells = np.array([[c or "nan" for c in (r[at], *r[-11:])] for r in rows[1:]], dtype=np.float64)
    return cells[:, 0], (cells[:, 1:].T - 32.0) / 1.8
