"""A CSV file of interval readings → arrays on UTC. One reader for VEE, baselines and asset health.

First row: names. One column holds the time (`timestamp`, or the first column); every other column
that is asked for holds numbers, an empty cell is a reading that is not there. A time is ISO 8601;
one without an offset is local time of the zone that the caller names. In the hour that a clock is
set back the second reading of the same local time is the later one.
"""

from __future__ import annotations

import csv
import gzip
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TextIO
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
from numpy.typing import NDArray

from gridctl.model.errors import ConfigError

ROWS_MAX = 20_000_000
TIME_COLUMNS = ("timestamp", "time", "ts", "date")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class IntervalFile:
    """`time_s` (n,) UTC seconds as read, in the file's order; `values` (c, n), NaN where empty."""

    file: str
    names: tuple[str, ...]
    time_s: NDArray[np.float64]
    values: NDArray[np.float64]

    def column(self, name: str) -> NDArray[np.float64]:
        """One column (n,). Raises ConfigError naming what the file has instead."""
        if name not in self.names:
            raise ConfigError(
                "no such column", file=self.file, key=name, hint=f"there are {_some(self.names)}"
            )
        found: NDArray[np.float64] = self.values[self.names.index(name)]
        return found


def zone(name: str) -> ZoneInfo:
    """A time zone by its IANA name. Raises ConfigError."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ConfigError(
            "no such time zone", file="--timezone", key=name, hint="such as UTC or Europe/Madrid"
        ) from None


def read_intervals(
    path: Path, *, timezone: str = "UTC", columns: Sequence[str] | None = None
) -> IntervalFile:
    """Read `path` (.csv or .csv.gz). `columns`: which to take; None: all that hold only numbers.

    Raises ConfigError naming file, line and column.
    """
    local = zone(timezone)
    with _opened(path) as text:
        rows = csv.reader(text)
        header = next(rows, None)
        if not header or len(header) < 2:  # noqa: PLR2004 - a time and a value
            raise ConfigError(
                "no header", file=str(path), hint="the first row names the columns: timestamp, …"
            )
        header = [name.strip() for name in header]
        at = _time_column(header)
        wanted = _wanted(header, at, columns, path)
        times, cells = _cells(rows, path=path, header=header, at=at, wanted=wanted, zone_=local)
    if not times:
        raise ConfigError("no readings", file=str(path), hint="only the header is there")
    kept, values = _numbers(cells, header, wanted, path, strict=columns is not None)
    if not kept:
        raise ConfigError("no column holds numbers", file=str(path))
    return IntervalFile(
        file=str(path), names=kept, time_s=np.array(times, dtype=float), values=np.vstack(values)
    )


@contextmanager
def _opened(path: Path) -> Iterator[TextIO]:
    try:
        if path.suffix == ".gz":
            with gzip.open(path, "rt", encoding="utf-8-sig", newline="") as text:
                yield text
        else:
            with path.open(encoding="utf-8-sig", newline="") as text:
                yield text
    except (OSError, EOFError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise ConfigError(why, file=str(path), hint="a CSV file, plain or gzip") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(f"not a CSV file: {error}", file=str(path)) from None


def _time_column(header: Sequence[str]) -> int:
    lowered = [name.lower() for name in header]
    return next((lowered.index(name) for name in TIME_COLUMNS if name in lowered), 0)


def _wanted(header: list[str], at: int, columns: Sequence[str] | None, path: Path) -> list[int]:
    if columns is None:
        return [k for k in range(len(header)) if k != at]
    missing = [name for name in columns if name not in header]
    if missing:
        raise ConfigError(
            "no such column", file=str(path), key=missing[0], hint=f"there are {_some(header)}"
        )
    return [header.index(name) for name in columns]


def _cells(
    rows: Iterator[list[str]],
    *,
    path: Path,
    header: Sequence[str],
    at: int,
    wanted: Sequence[int],
    zone_: ZoneInfo,
) -> tuple[list[float], list[list[str]]]:
    times: list[float] = []
    cells: list[list[str]] = [[] for _ in wanted]
    seen: set[datetime] = set()
    for number, row in enumerate(rows, start=2):
        if not row:
            continue
        if len(row) != len(header):
            raise ConfigError(
                f"{len(row)} cells, the header has {len(header)}", file=str(path), line=number
            )
        if len(times) >= ROWS_MAX:
            raise ConfigError(f"more than {ROWS_MAX} rows", file=str(path), line=number)
        try:
            stamp = datetime.fromisoformat(row[at].strip())
        except ValueError:
            raise ConfigError(
                f"{row[at]!r} is no time",
                file=str(path),
                line=number,
                key=header[at],
                hint="ISO 8601, such as 2026-07-01T14:00+02:00",
            ) from None
        times.append(_utc_s(stamp, zone_, seen))
        for column, k in zip(cells, wanted, strict=True):
            column.append(row[k])
    return times, cells


def _utc_s(stamp: datetime, local: ZoneInfo, seen: set[datetime]) -> float:
    if stamp.tzinfo is not None:
        return stamp.timestamp()
    early = stamp.replace(tzinfo=local, fold=0)
    late = stamp.replace(tzinfo=local, fold=1)
    # Only the hour that comes twice has two instants; outside of it a second one is a duplicate.
    if late.timestamp() > early.timestamp():
        if stamp in seen:
            return late.timestamp()
        seen.add(stamp)
    return early.timestamp()


def _numbers(
    cells: Sequence[list[str]], header: Sequence[str], wanted: Sequence[int], path: Path, *,
    strict: bool,
) -> tuple[tuple[str, ...], list[NDArray[np.float64]]]:  # fmt: skip
    kept: list[str] = []
    values: list[NDArray[np.float64]] = []
    for column, k in zip(cells, wanted, strict=True):
        try:
            found = np.array([float(cell) if cell.strip() else math.nan for cell in column])
        except ValueError:
            if not strict:
                continue
            line = next(i for i, cell in enumerate(column, start=2) if not _is_number(cell))
            raise ConfigError(
                f"{column[line - 2]!r} is no number", file=str(path), line=line, key=header[k]
            ) from None
        found[np.isinf(found)] = math.nan
        kept.append(header[k])
        values.append(found)
    return tuple(kept), values


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return not cell.strip()
    return True


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:12]) + (", …" if len(names) > 12 else "")  # noqa: PLR2004 - a line's worth
