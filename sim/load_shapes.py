"""Load shapes of an imported circuit: who follows which, and what it says at a grid time.

A shape runs from the first of January, 0:00 local time, and over again when it is at its end: one
of a day is that of every day, one of 8760 hours the year's. As in OpenDSS the i-th value belongs to
i steps after the start, and the last one to the start; between two values it goes in a line.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from gridctl.model.errors import ConfigError
from sim.feeder import feeder_file

SHAPES, PROFILES = "shapes.csv", "profiles.csv"
PLAIN: Final = 0.0
"""What a consumer of a shape in shares has as its base: none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """A consumer's shape: its values are in shares of the consumer's own power, or in kW and kvar
    when `base_kw` and `base_kvar` say what of them is a share of 1."""

    shape: str
    base_kw: float = PLAIN
    base_kvar: float = PLAIN


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadShape:
    """A series of multipliers of kW (and of kvar, where it has its own), `step_s` apart."""

    step_s: float
    kw_pu: tuple[float, ...]
    kvar_pu: tuple[float, ...]


class LoadShapes:
    """Shapes by name, and the profile of each consumer that has one."""

    def __init__(self, shapes: Mapping[str, LoadShape], profiles: Mapping[str, Profile]) -> None:
        self.profiles = {c: p for c, p in profiles.items() if p.shape in shapes}
        names = sorted({p.shape for p in self.profiles.values()})
        self._row = {name: i for i, name in enumerate(names)}
        self._step_s = [shapes[name].step_s for name in names]
        self._kw = [np.asarray(shapes[name].kw_pu, dtype=np.float32) for name in names]
        self._kvar = [
            np.asarray(shapes[name].kvar_pu or shapes[name].kw_pu, dtype=np.float32)
            for name in names
        ]

    def follow(self, consumers: Sequence[str]) -> Followers:
        """The shapes as the named consumers (a name may come several times) follow them."""
        found = [(i, self.profiles[c]) for i, c in enumerate(consumers) if c in self.profiles]
        return Followers(
            shapes=self,
            at=np.array([i for i, _ in found], dtype=np.intp),
            rows=np.array([self._row[p.shape] for _, p in found], dtype=np.intp),
            base_kw=np.array([p.base_kw or 1.0 for _, p in found]),
            base_kvar=np.array([p.base_kvar or 1.0 for _, p in found]),
        )

    def values(self, local_s: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """kW and kvar of every shape at a local time."""
        year = datetime.fromtimestamp(local_s, UTC).year
        since_s = local_s - datetime(year, 1, 1, tzinfo=UTC).timestamp()
        kw = [_at(v, since_s / s) for v, s in zip(self._kw, self._step_s, strict=True)]
        kvar = [_at(v, since_s / s) for v, s in zip(self._kvar, self._step_s, strict=True)]
        return np.array(kw), np.array(kvar)


@dataclass(frozen=True, slots=True, kw_only=True)
class Followers:
    """Who among a list of consumers follows a shape: places in the list, and the shape of each."""

    shapes: LoadShapes
    at: NDArray[np.intp]
    rows: NDArray[np.intp]
    base_kw: NDArray[np.float64]
    base_kvar: NDArray[np.float64]

    def factors(self, local_s: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """By what the kW and the kvar of each of them are multiplied at a local time."""
        kw, kvar = self.shapes.values(local_s)
        return kw[self.rows] / self.base_kw, kvar[self.rows] / self.base_kvar


def _at(values: NDArray[np.float32], place: float) -> float:
    low = int(np.floor(place))
    before, after = values[(low - 1) % len(values)], values[low % len(values)]
    return float(before + (place - low) * (after - before))


def shapes_beside(feeder: str) -> LoadShapes | None:
    """The shapes in the folder of an imported feeder; None for one that has none. ConfigError
    names file and line of what cannot be read."""
    file = feeder_file(feeder)
    if file is None or not (file.parent / SHAPES).is_file():
        return None
    return LoadShapes(_read_shapes(file.parent / SHAPES), _read_profiles(file.parent / PROFILES))


def _read_shapes(file: Path) -> dict[str, LoadShape]:
    with file.open(newline="", encoding="utf-8") as text:
        rows = csv.reader(text)
        names, steps = next(rows, []), next(rows, [])
        columns: list[list[float]] = [[] for _ in names]
        for line, row in enumerate(rows, start=3):
            try:
                for column, value in zip(columns, row, strict=True):
                    if value:
                        column.append(float(value))
            except ValueError as error:
                raise ConfigError(f"cannot be read: {error}", file=str(file), line=line) from None
    try:
        step_s = {name: float(step) for name, step in zip(names, steps, strict=True)}
    except ValueError as error:
        raise ConfigError(f"cannot be read: {error}", file=str(file), line=2) from None
    series = dict(zip(names, columns, strict=True))
    return {
        name.removesuffix(".kw"): LoadShape(
            step_s=step_s[name],
            kw_pu=tuple(values),
            kvar_pu=tuple(series.get(f"{name.removesuffix('.kw')}.kvar", ())),
        )
        for name, values in series.items()
        if name.endswith(".kw") and values and step_s[name] > 0.0
    }


def _read_profiles(file: Path) -> dict[str, Profile]:
    found = {}
    with file.open(newline="", encoding="utf-8") as text:
        for line, row in enumerate(csv.DictReader(text), start=2):
            try:
                found[row["consumer"]] = Profile(
                    shape=row["shape"],
                    base_kw=float(row.get("base_kw") or PLAIN),
                    base_kvar=float(row.get("base_kvar") or PLAIN),
                )
            except (KeyError, ValueError) as error:
                raise ConfigError(f"cannot be read: {error}", file=str(file), line=line) from None
    return found
