"""Recorded weather and load, replayed in a scenario: a CSV instead of a story.

Columns: `time` (local wall clock, ISO 8601), and any of `temperature_c`, `irradiance_w_m2` (global
horizontal) and `load_factor` (all demand times this). Linear between rows; outside of the recorded
time the scenario's own climate and demand hold.
"""

from __future__ import annotations

import csv
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from math import isfinite
from pathlib import Path
from typing import Final

from gridctl.model.errors import ConfigError

COLUMNS: Final = ("temperature_c", "irradiance_w_m2", "load_factor")
_ROWS_MAX: Final = 600_000
"""A year by the minute."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedSeries:
    """`columns[name][i]` at grid time `times_s[i]`, ascending."""

    times_s: tuple[float, ...]
    columns: Mapping[str, tuple[float, ...]]

    def at(self, name: str, at_s: float) -> float | None:
        """The value of a column at a grid time, None where nothing was recorded."""
        values = self.columns.get(name)
        if values is None or not self.times_s[0] <= at_s <= self.times_s[-1]:
            return None
        right = min(bisect_right(self.times_s, at_s), len(self.times_s) - 1)
        before_s, after_s = self.times_s[right - 1], self.times_s[right]
        share = (at_s - before_s) / (after_s - before_s)
        return values[right - 1] + (values[right] - values[right - 1]) * share


def read_series(path: Path, *, utc_offset_s: float) -> RecordedSeries:
    """The series in `path`. ConfigError names the line of the first mistake."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return _read(csv.DictReader(file), path, utc_offset_s)
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", file=str(path)) from None


def _read(rows: csv.DictReader[str], path: Path, utc_offset_s: float) -> RecordedSeries:
    names = tuple(n for n in rows.fieldnames or () if n != "time")
    unknown = [n for n in names if n not in COLUMNS]
    if "time" not in (rows.fieldnames or ()) or not names or unknown:
        raise ConfigError(
            f"has no series: {', '.join(unknown) or 'a column'} is not known",
            file=str(path),
            line=1,
            hint=f"time, and any of {', '.join(COLUMNS)}",
        )
    times_s: list[float] = []
    columns: dict[str, list[float]] = {name: [] for name in names}
    for line, row in enumerate(rows, start=2):
        try:
            at = datetime.fromisoformat(row["time"])
            if at.tzinfo is not None:
                raise ValueError("local time has no zone")
            at_s = at.replace(tzinfo=UTC).timestamp() - utc_offset_s
            values = [float(row[name]) for name in names]
            if not all(map(isfinite, values)):
                raise ValueError("not a number")
            if times_s and at_s <= times_s[-1]:
                raise ValueError("time does not go on")
        except (TypeError, ValueError) as error:
            raise ConfigError(
                f"cannot be read: {error}", file=str(path), key="row", line=line
            ) from None
        times_s.append(at_s)
        for name, value in zip(names, values, strict=True):
            columns[name].append(value)
        if len(times_s) > _ROWS_MAX:
            raise ConfigError(f"has more than {_ROWS_MAX} rows", file=str(path), line=line)
    if len(times_s) < 2:  # noqa: PLR2004 - two ends of a line
        raise ConfigError("has fewer than two rows", file=str(path))
    return RecordedSeries(
        times_s=tuple(times_s), columns={name: tuple(found) for name, found in columns.items()}
    )
