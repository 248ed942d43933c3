"""A run written down tick by tick, and read again: to be judged, looked at, or played back.

A CSV (or Parquet, where pyarrow is installed) with one row a tick: the truth that the judge needs
(`sim.judge.Moment`), then every readable point as the field showed it; a column `NAME!` of a point
holds 1 where its quality was good.
"""

from __future__ import annotations

import csv
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import astuple, replace
from pathlib import Path
from typing import Any, Final

from gridctl.model.clock import Clock
from gridctl.model.errors import ConfigError
from sim.judge import MOMENT_FIELDS, Moment, Witness
from sim.plant import Reading, Verdict
from sim.world import World

GOOD: Final = "!"
ENDINGS: Final = (".csv", ".parquet")
_BATCH_ROWS: Final = 256


class Recorder:
    """Writes a row each time it is asked to."""

    def __init__(self, world: World, sink: _CsvSink | _ParquetSink) -> None:
        self._witness = Witness(world)
        self._sink = sink
        self._points = tuple(world.points())

    def take(self, world: World) -> None:
        """The tick that has just passed."""
        readings = [world.read(p) for p in self._points]
        self._sink.row(
            [
                *(float(v) for v in astuple(self._witness.moment())),
                *(r.value for r in readings),
                *(float(r.good) for r in readings),
            ]
        )


class _CsvSink:
    def __init__(self, path: Path, columns: Sequence[str]) -> None:
        self._file = path.open("w", newline="", encoding="utf-8")
        self._writer = csv.writer(self._file, lineterminator="\n")
        self._writer.writerow(columns)

    def row(self, values: list[float]) -> None:
        # repr keeps every bit: the same run gives the same file.
        self._writer.writerow([repr(v) for v in values])

    def close(self) -> None:
        self._file.close()


class _ParquetSink:
    def __init__(self, path: Path, columns: Sequence[str], arrow: Any, parquet: Any) -> None:
        self._arrow = arrow
        self._schema = arrow.schema([(name, arrow.float64()) for name in columns])
        self._writer = parquet.ParquetWriter(str(path), self._schema)
        self._rows: list[list[float]] = []

    def row(self, values: list[float]) -> None:
        self._rows.append(values)
        if len(self._rows) >= _BATCH_ROWS:
            self._flush()

    def close(self) -> None:
        self._flush()
        self._writer.close()

    def _flush(self) -> None:
        if self._rows:
            columns = [self._arrow.array(c) for c in zip(*self._rows, strict=True)]
            self._writer.write_table(self._arrow.Table.from_arrays(columns, schema=self._schema))
            self._rows = []


def check_recordable(path: Path) -> None:
    """Before anything is begun: whether a run can be written down there. Raises ConfigError."""
    _check_ending(path)
    if not path.parent.is_dir():
        raise ConfigError(
            "cannot be written: its folder is not there",
            file=str(path),
            hint=f"make {path.parent}, or name another folder",
        )
    if path.is_dir():
        raise ConfigError("cannot be written: it is a folder", file=str(path))
    if path.suffix == ENDINGS[1]:
        _pyarrow(path)


def _check_ending(path: Path) -> None:
    if path.suffix not in ENDINGS:
        raise ConfigError(
            f"a recording ends in {' or '.join(ENDINGS)}, this name in {path.suffix or 'neither'}",
            file=str(path),
            hint=f"{path.stem}.csv can be read everywhere, {path.stem}.parquet is smaller and "
            "needs pyarrow",
        )


@contextmanager
def recording(path: Path, world: World) -> Iterator[Recorder]:
    """A recorder into `path` (`.csv`, `.parquet`) until the block ends. Raises ConfigError when it
    cannot be written, or when Parquet is asked for and pyarrow is not installed."""
    check_recordable(path)
    points = tuple(world.points())
    columns = [*MOMENT_FIELDS, *points, *(p + GOOD for p in points)]
    try:
        sink = _sink(path, columns)
    except OSError as error:
        raise ConfigError(f"cannot be written: {error.strerror}", file=str(path)) from None
    try:
        yield Recorder(world, sink)
    finally:
        sink.close()


def _sink(path: Path, columns: Sequence[str]) -> _CsvSink | _ParquetSink:
    if path.suffix == ".parquet":
        arrow, parquet = _pyarrow(path)
        return _ParquetSink(path, columns, arrow, parquet)
    return _CsvSink(path, columns)


def _pyarrow(path: Path) -> tuple[Any, Any]:
    try:
        from importlib import import_module  # noqa: PLC0415 - only who asks for Parquet pays

        return import_module("pyarrow"), import_module("pyarrow.parquet")
    except ImportError:
        raise ConfigError(
            "Parquet needs pyarrow, which is not installed",
            file=str(path),
            hint="pip install pyarrow, or record into a .csv file",
        ) from None


class Recording:
    """A recorded run. ConfigError for a file that is none."""

    def __init__(self, path: Path) -> None:
        _check_ending(path)
        try:
            columns, self._rows = _read(path)
        except OSError as error:
            raise ConfigError(f"cannot be read: {error.strerror}", file=str(path)) from None
        except ValueError as error:
            raise ConfigError(f"is no recording: {error}", file=str(path)) from None
        if tuple(columns[: len(MOMENT_FIELDS)]) != MOMENT_FIELDS or not self._rows:
            raise ConfigError(
                "is no recording: it does not begin with " + ", ".join(MOMENT_FIELDS),
                file=str(path),
                hint="gridctl sim --record FILE makes one",
            )
        self.points = tuple(c for c in columns[len(MOMENT_FIELDS) :] if not c.endswith(GOOD))
        self._column = {name: i for i, name in enumerate(columns)}
        self.times_s = [row[0] for row in self._rows]

    def moments(self) -> Iterator[Moment]:
        """What a judge needs, tick by tick."""
        for row in self._rows:
            at_s, head, low, high, unserved, shed, commands, wasted, diverged = row[
                : len(MOMENT_FIELDS)
            ]
            yield Moment(
                at_s=at_s, head_kw=head, low_pu=low, high_pu=high, unserved_kw=unserved,
                shed_customers=shed, commands=int(commands), wasted=int(wasted),
                diverged=bool(diverged),
            )  # fmt: skip

    def reading(self, point: str, at_s: float) -> Reading:
        """A point at the last tick up to `at_s` (the first one before that); KeyError."""
        row = self._rows[max(0, bisect_right(self.times_s, at_s) - 1)]
        return Reading(
            value=row[self._column[point]],
            good=bool(row[self._column[point + GOOD]]),
            at_s=row[0],
        )


class Playback:
    """A recording as a plant (`sim.plant.Plant`): it shows what was, and obeys nobody.

    Its first tick is shown when it is made, with the times of now; after the last one it stands
    still. KeyError for a point that was not recorded.
    """

    def __init__(self, recording: Recording, clock: Clock, *, name: str = "") -> None:
        self._recording = recording
        self._name = name
        self._clock = clock
        self._later_s = clock.now_s() - recording.times_s[0]

    def told(self) -> str:
        """In words: which recording, and how far it has been shown."""
        times_s = self._recording.times_s
        length_min = (times_s[-1] - times_s[0]) / 60.0
        shown_min = (self._clock.now_s() - self._later_s - times_s[0]) / 60.0
        if shown_min >= length_min:
            return f"{self._name} has been shown, all {length_min:.1f} min of grid time"
        return f"{self._name} is shown again, {shown_min:.1f} of {length_min:.1f} min of grid time"

    def read(self, point: str) -> Reading:
        found = self._recording.reading(point, self._clock.now_s() - self._later_s)
        return replace(found, at_s=found.at_s + self._later_s)

    def check(self, point: str, value: float) -> Verdict:  # noqa: ARG002 - what is past is past
        return Verdict.NOT_SUPPORTED

    def command(self, point: str, value: float, *, lease_s: float | None) -> Verdict:  # noqa: ARG002
        return Verdict.NOT_SUPPORTED

    def revision(self) -> int:
        return bisect_right(self._recording.times_s, self._clock.now_s() - self._later_s)


def _read(path: Path) -> tuple[list[str], list[list[float]]]:
    if path.suffix == ".parquet":
        _, parquet = _pyarrow(path)
        table = parquet.read_table(str(path))
        columns = [table.column(name).to_pylist() for name in table.column_names]
        return list(table.column_names), [list(row) for row in zip(*columns, strict=True)]
    with path.open(newline="", encoding="utf-8") as file:
        rows = csv.reader(file)
        header = next(rows, [])
        return header, [_numbers(row, rows.line_num, len(header)) for row in rows]


def _numbers(row: list[str], line: int, columns: int) -> list[float]:
    if len(row) != columns:
        raise ValueError(f"line {line} has {len(row)} columns of {columns}")
    try:
        return [float(v) for v in row]
    except ValueError as error:
        raise ValueError(f"line {line}: {error}") from None
