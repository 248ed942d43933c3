"""A CSV file of load and weather as grids; what is wrong with it is refused or marked.

Refused (ConfigError with file, line and column): what cannot be understood, what would be scored
in a wrong unit, a series that is constant. Marked (`Mark`): gaps, double rows, days of 23 and 25
hours, rows out of order, weather that is missing. The format: docs/reference/forecast-csv.md.
"""

from __future__ import annotations

import csv
import gzip
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TextIO
from zoneinfo import ZoneInfo

import numpy as np

from gridctl.model.errors import ConfigError
from optimizer.arrays import FloatArray, IntArray
from optimizer.forecasting.believable import (
    Mark,
    Series,
    load_marks,
    refuse_unbelievable,
    weather_marks,
)
from optimizer.forecasting.grid import LoadGrid
from optimizer.forecasting.settings import KW_PER_UNIT, BacktestSettings
from optimizer.forecasting.weather import Vintage
from optimizer.similar_day import Calendar

EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - local civil time, on purpose
MINUTE = timedelta(minutes=1)
MINUTES_PER_DAY = 1440
MINUTES_PER_HOUR = 60
STEP_MIN_MIN, STEP_MIN_MAX = 5, 60
DELIMITERS = (",", ";", "\t", "|")
UNIX_FORMATS = {"unix": 1.0, "unix_ms": 1e3}
GAP_WORDS = frozenset({"", "nan", "na", "n/a", "null", "none", "-"})
OFF_GRID_SHARE_MAX = 0.01
DOUBLE_SHARE_MAX = 0.01
ROWS_MAX = 5_000_000
NIGHT_H_MAX = 4


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Readings:
    """One grid per load column (they share weather and calendar), and what was marked for each."""

    grids: dict[str, LoadGrid]
    vintages: tuple[Vintage, ...]
    marks: dict[str, tuple[Mark, ...]]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Table:
    """Rows in the order of time: `minute` since 1970 local, `line` in the file, `values` by column
    with NaN for gaps."""

    file: str
    minute: IntArray
    line: IntArray
    values: dict[str, FloatArray]
    marks: tuple[Mark, ...]

    def refuse(
        self, text: str, *, row: int | None = None, column: str = "", hint: str = ""
    ) -> None:
        line = 0 if row is None else int(self.line[row])
        raise ConfigError(text, file=self.file, line=line, key=column, hint=hint)


def read_csv(file: Path, settings: BacktestSettings) -> Readings:
    """Read and check. Raises ConfigError for what cannot be scored honestly."""
    table = _read(file, settings)
    step_min = _step(table, settings)
    table = _on_grid(table, step_min)
    if settings.stamp == "end":
        table = replace(table, minute=table.minute - step_min)
    first, count = int(table.minute[0]), int((table.minute[-1] - table.minute[0]) // step_min) + 1
    at = (table.minute - first) // step_min
    rows = {name: np.full(count, np.nan) for name in table.values}
    for name, values in table.values.items():
        rows[name][at] = values
    weather = _weather(rows, settings)
    about_weather = weather_marks(table.file, weather, settings.weather)
    calendar = Calendar(first=first // step_min, per_day=MINUTES_PER_DAY // step_min)
    grids, marks = {}, {}
    line = np.zeros(count, dtype=np.intp)
    line[at] = table.line
    for name in settings.load:
        load = rows[name] * KW_PER_UNIT[settings.unit]
        series = Series(file=table.file, column=name, load_kw=load, line=line, step_min=step_min)
        refuse_unbelievable(series, rated_kw=settings.rated_kw)
        grids[name] = LoadGrid(
            load_kw=load,
            temperature_c=weather["temperature"],
            sun_w_m2=weather["sun"],
            wind_ms=weather["wind"],
            calendar=calendar,
            holidays=frozenset((d - date(1970, 1, 1)).days for d in settings.holidays),
        )
        marks[name] = (*table.marks, *load_marks(series, first_minute=first), *about_weather)
    return Readings(grids=grids, vintages=_vintages(table, rows, settings, step_min), marks=marks)


def _open(file: Path) -> TextIO:
    if file.suffix == ".gz":
        return gzip.open(file, "rt", encoding="utf-8-sig", newline="")
    return file.open(encoding="utf-8-sig", newline="")


def _read(file: Path, settings: BacktestSettings) -> _Table:
    name = str(file)
    try:
        with _open(file) as text:
            delimiter = settings.delimiter or _delimiter(text)
            reader = csv.reader(text, delimiter=delimiter)
            header = [cell.strip() for cell in next(reader, [])]
            columns = _columns(name, header, settings)
            minutes, lines, cells = _cells(name, reader, columns, settings)
    except (OSError, UnicodeDecodeError, csv.Error) as wrong:
        raise ConfigError(str(wrong), file=name) from None
    if not minutes:
        raise ConfigError("there is no row under the header", file=name)
    minute = np.array(minutes, dtype=np.intp)
    line = np.array(lines, dtype=np.intp)
    values = np.array(cells, dtype=np.float64).reshape(len(minute), -1)
    marks = []
    if np.any(np.diff(minute) < 0):
        late = int(np.flatnonzero(np.diff(minute) < 0)[0]) + 1
        count = int(np.sum(np.diff(minute) < 0))
        marks.append(
            Mark(code="order", text="rows out of order: sorted", count=count, line=int(line[late]))
        )
        order = np.argsort(minute, kind="stable")
        minute, line, values = minute[order], line[order], values[order]
    names = [c for c in columns if c != settings.timestamp]
    table = _Table(
        file=name,
        minute=minute,
        line=line,
        values={c: values[:, k] for k, c in enumerate(names)},
        marks=tuple(marks),
    )
    return _once(table, settings)


def _delimiter(text: TextIO) -> str:
    """The one of the header that stands there most often; a comma where there is none."""
    header = text.readline()
    text.seek(0)
    return max(DELIMITERS, key=header.count)


def _columns(file: str, header: Sequence[str], settings: BacktestSettings) -> dict[str, int]:
    """Column numbers of what is read: the timestamp first. Raises ConfigError for one missing."""
    weather = settings.weather
    wanted = [settings.timestamp, *settings.load]
    wanted += [*weather.temperature, *weather.sun, *weather.wind]
    for column in wanted:
        if column not in header:
            raise ConfigError(
                "there is no such column",
                file=file,
                line=1,
                key=column,
                hint=f"the header has {', '.join(header) or 'nothing'}",
            )
        if header.count(column) > 1:
            raise ConfigError("the header names it twice", file=file, line=1, key=column)
    names = (*weather.temperature, *weather.sun, *weather.wind)
    archived = [c for c in header if "@" in c and c.partition("@")[0] in names]
    for column in archived:
        _lead_h(file, column)
    return {column: header.index(column) for column in dict.fromkeys([*wanted, *archived])}


def _lead_h(file: str, column: str) -> float:
    """Hours of `NAME@24h`."""
    text = column.partition("@")[2]
    try:
        hours = float(text.removesuffix("h"))
    except ValueError:
        hours = 0.0
    if not text.endswith("h") or not 0.0 < hours < math.inf:
        raise ConfigError(
            "an archived forecast is named like temperature@24h", file=file, line=1, key=column
        )
    return hours


def _cells(
    file: str,
    reader: Iterator[list[str]],
    columns: dict[str, int],
    settings: BacktestSettings,
) -> tuple[list[int], list[int], list[list[float]]]:
    minutes: list[int] = []
    lines: list[int] = []
    cells: list[list[float]] = []
    stamp_at = columns[settings.timestamp]
    others = [(c, k) for c, k in columns.items() if c != settings.timestamp]
    width = max(columns.values())
    zone = None if settings.timezone is None else ZoneInfo(settings.timezone)
    aware: bool | None = None
    for number, row in enumerate(reader, start=2):
        if not any(row):
            continue
        if len(row) <= width:
            raise ConfigError(
                f"the row has {len(row)} cells, the header more", file=file, line=number
            )
        if len(minutes) >= ROWS_MAX:
            raise ConfigError(f"more than {ROWS_MAX} rows", file=file, line=number)
        stamp = _stamp(file, row[stamp_at].strip(), number, settings)
        if aware is not None and aware != (stamp.tzinfo is not None):
            raise ConfigError(
                "some timestamps have an offset from UTC, others have none",
                file=file,
                line=number,
                key=settings.timestamp,
            )
        aware = stamp.tzinfo is not None
        local = stamp.astimezone(zone) if aware and zone is not None else stamp
        minute, rest = divmod(local.replace(tzinfo=None) - EPOCH, MINUTE)
        if rest:
            raise ConfigError(
                f"{row[stamp_at]!r} is not a whole minute",
                file=file,
                line=number,
                key=settings.timestamp,
            )
        minutes.append(minute)
        lines.append(number)
        cells.append(
            [_number(file, row[k].strip(), number, c, settings.decimal) for c, k in others]
        )
    return minutes, lines, cells


def _stamp(file: str, text: str, line: int, settings: BacktestSettings) -> datetime:
    try:
        if settings.timestamp_format is None:
            return datetime.fromisoformat(text)
        if settings.timestamp_format in UNIX_FORMATS:
            second = float(text) / UNIX_FORMATS[settings.timestamp_format]
            return datetime.fromtimestamp(second, UTC)
        return datetime.strptime(text, settings.timestamp_format)  # noqa: DTZ007 - local time
    except (ValueError, OverflowError):
        wanted = settings.timestamp_format or (
            "2017-03-26T01:30, with or without an offset; for others timestamp_format"
        )
        raise ConfigError(
            f"{text!r} is no timestamp", file=file, line=line, key=settings.timestamp, hint=wanted
        ) from None


def _number(file: str, text: str, line: int, column: str, decimal: str) -> float:
    """NaN for a gap."""
    try:
        value = float(text if decimal == "." else text.replace(".", "").replace(",", "."))
    except ValueError:
        if text.lower() in GAP_WORDS:
            return math.nan
        hint = 'decimal = ","?' if decimal == "." and "," in text else ""
        raise ConfigError(
            f"{text!r} is no number", file=file, line=line, key=column, hint=hint
        ) from None
    if math.isinf(value):
        raise ConfigError(f"{text!r} is not finite", file=file, line=line, key=column)
    return value


def _once(table: _Table, settings: BacktestSettings) -> _Table:
    """The first row of each time. A few double rows or the hour of a 25-hour day are marked."""
    double = np.concatenate([[False], np.diff(table.minute) == 0])
    if not double.any():
        return table
    differs = np.zeros(len(double), dtype=bool)
    for values in table.values.values():
        before = np.concatenate([values[:1], values[:-1]])
        same = (values == before) | (np.isnan(values) & np.isnan(before))
        differs |= double & ~same
    hours = _double_hours(table.minute[differs])
    strange = int(differs.sum()) - sum(hours.values())
    if strange > DOUBLE_SHARE_MAX * len(double):
        table.refuse(
            f"{int(differs.sum())} times stand twice with different values",
            row=int(np.flatnonzero(differs)[0]),
            column=settings.timestamp,
            hint="one row for each interval; the local hour of a 25-hour day may stand twice",
        )
    first = int(table.line[np.flatnonzero(double)[0]])
    marks = [*table.marks]
    if hours:
        text = "days of 25 hours: of the hour that stands twice the first is used"
        marks.append(Mark(code="day_25h", text=text, count=len(hours), line=first))
    others = int(double.sum()) - sum(hours.values())
    if others:
        text = "times that stand twice: the first row is used"
        marks.append(Mark(code="double", text=text, count=others, line=first))
    keep = ~double
    return _Table(
        file=table.file,
        minute=table.minute[keep],
        line=table.line[keep],
        values={name: values[keep] for name, values in table.values.items()},
        marks=tuple(marks),
    )


def _double_hours(minutes: IntArray) -> dict[int, int]:
    """Days on which one night hour stands twice, differently → how many rows that is."""
    found: dict[int, int] = {}
    for day in np.unique(minutes // MINUTES_PER_DAY):
        of_day = minutes[minutes // MINUTES_PER_DAY == day] % MINUTES_PER_DAY
        hours = np.unique(of_day // MINUTES_PER_HOUR)
        if len(hours) == 1 and hours[0] < NIGHT_H_MAX:
            found[int(day)] = len(of_day)
    return found


def _step(table: _Table, settings: BacktestSettings) -> int:
    """Minutes between rows: as configured, else what is usual."""
    if settings.step_min is not None:
        step = settings.step_min
    elif len(table.minute) > 1:
        lengths, counts = np.unique(np.diff(table.minute), return_counts=True)
        step = int(lengths[np.argmax(counts)])
    else:
        step = 0
    if not STEP_MIN_MIN <= step <= STEP_MIN_MAX or MINUTES_PER_HOUR % step:
        table.refuse(
            f"rows are {step} min apart",
            column=settings.timestamp,
            hint="5 to 60 min that divide the hour; average finer data first",
        )
    return step


def _on_grid(table: _Table, step_min: int) -> _Table:
    offset = np.bincount(table.minute % step_min).argmax()
    off = table.minute % step_min != offset
    marks = [*table.marks]
    if off.any():
        row = int(np.flatnonzero(off)[0])
        if off.mean() > OFF_GRID_SHARE_MAX:
            table.refuse(
                f"{int(off.sum())} rows do not stand on the grid of {step_min} min", row=row
            )
        text = f"rows that do not stand on the grid of {step_min} min: left out"
        marks.append(
            Mark(code="off_grid", text=text, count=int(off.sum()), line=int(table.line[row]))
        )
    keep = ~off
    return _Table(
        file=table.file,
        # A grid that begins five past is one of slots that begin at the hour, five minutes late.
        minute=table.minute[keep] - offset,
        line=table.line[keep],
        values={name: values[keep] for name, values in table.values.items()},
        marks=tuple(marks),
    )


def _weather(
    rows: dict[str, FloatArray], settings: BacktestSettings, at_lead: str = ""
) -> dict[str, FloatArray]:
    """(columns, n) of each quantity, °C, W/m2, m/s; `at_lead`: of archived forecasts."""
    table = settings.weather
    count = len(next(iter(rows.values())))

    def block(names: tuple[str, ...]) -> FloatArray:
        gap = np.full(count, np.nan)
        return np.array([rows.get(n + at_lead, gap) for n in names]).reshape(len(names), count)

    temperature = block(table.temperature)
    if table.temperature_unit == "F":
        temperature = (temperature - 32.0) / 1.8
    return {"temperature": temperature, "sun": block(table.sun), "wind": block(table.wind)}


def _vintages(
    table: _Table, rows: dict[str, FloatArray], settings: BacktestSettings, step_min: int
) -> tuple[Vintage, ...]:
    suffixes = {"@" + c.partition("@")[2] for c in rows if "@" in c}
    found = []
    for suffix in sorted(suffixes, key=lambda s: _lead_h(table.file, s)):
        said = _weather(rows, settings, suffix)
        found.append(
            Vintage(
                lead_slots=int(_lead_h(table.file, suffix) * MINUTES_PER_HOUR / step_min),
                temperature_c=said["temperature"],
                sun_w_m2=said["sun"],
                wind_ms=said["wind"],
            )
        )
    return tuple(found)
