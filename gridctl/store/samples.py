"""The history: what was measured, with its quality, as it came.

The key is (point, source time): a replay of the same reading is ignored. SQLite keeps the rows by
(bucket of time, point, source time): what comes at one time is written in one place, however many
points there are, or each of ten thousands of values would touch a page of its own. Rows go in by
the hundreds in one statement, which the interpreter's lock sees once.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

from sqlalchemy import Double, Table, Text, bindparam, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from gridctl.model.measurement import Measurement
from gridctl.model.planning import Series
from gridctl.store import schema
from gridctl.store.history_file import BUCKET_S
from gridctl.store.quality import packed, unpacked

TRANSACTION_ROWS = 10_000
STATEMENT_ROWS = 1_000
"""Seven values a row: far below the 32,766 that a statement of SQLite may have."""
_NATIVE_MAX = 20_000
_NAMES_PER_QUERY = 500

_POSTGRESQL = (
    "INSERT INTO sample (point_id, source_s, value, quality, native_id, received_s)"
    " VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING"
)

# The buckets that are there, one seek each: a device whose clock says 1970 costs one step, not
# millions of empty ones.
_BUCKETS = (
    "WITH RECURSIVE b(k) AS (SELECT min(bucket) FROM sample WHERE bucket >= :first UNION ALL"
    " SELECT (SELECT min(bucket) FROM sample WHERE bucket > b.k) FROM b WHERE b.k < :last) "
)
_SOURCE = {
    "sqlite": "b CROSS JOIN sample s ON s.bucket = b.k",
    "postgresql": "sample s",
}
_OF_POINT = (
    "s.point_id = (SELECT id FROM point WHERE mrid = :mrid)"
    " AND s.source_s >= :start_s AND s.source_s < :end_s"
)
_TYPES = (
    bindparam("mrid", type_=Text),
    bindparam("start_s", type_=Double),
    bindparam("end_s", type_=Double),
)
_WINDOW = {
    name: text(
        f"{_BUCKETS if name == 'sqlite' else ''}"  # noqa: S608 - constants
        f"SELECT s.source_s, s.value, s.quality, n.text, s.received_s FROM {source}"
        f" JOIN native n ON n.id = s.native_id WHERE {_OF_POINT}"
        " ORDER BY s.source_s LIMIT :count"
    ).bindparams(*_TYPES)
    for name, source in _SOURCE.items()
}
_MEANS = {
    name: text(
        f"{_BUCKETS if name == 'sqlite' else ''}"  # noqa: S608 - constants
        "SELECT CAST(floor((s.source_s - :start_s) / :step_s) AS INTEGER) AS i, avg(s.value)"
        f" FROM {source} WHERE {_OF_POINT}"
        " AND (s.quality & 3) = 0 AND s.value IS NOT NULL GROUP BY i ORDER BY i"
    ).bindparams(*_TYPES, bindparam("step_s", type_=Double))
    for name, source in _SOURCE.items()
}


class Words:
    """A small dictionary table (mrid → id), known by heart after the first look.

    Filled inside the writer's transaction and only believed after its commit: `learned` waits for
    `commit`, so that an id that was rolled back is never used.
    """

    def __init__(self, table: Table, name: str, *, count_max: int) -> None:
        self._table = table
        self._name = name
        self._count_max = count_max
        into = f"INTO {table.name} ({name}) VALUES"
        self._insert = {
            "sqlite": f"INSERT OR IGNORE {into} (?)",
            "postgresql": f"INSERT {into} ($1) ON CONFLICT DO NOTHING",
        }
        self._known: dict[str, int] = {}
        self._learned: dict[str, int] = {}

    async def learn(self, connection: AsyncConnection, words: set[str]) -> None:
        """Make sure every one of `words` has an id."""
        self._learned = {}
        if words <= self._known.keys():
            return
        missing = sorted(words - self._known.keys())
        # All at once: a big plant's first minute is ten thousands of new names.
        await connection.exec_driver_sql(
            self._insert[connection.dialect.name], [(word,) for word in missing]
        )
        found: dict[str, int] = {}
        id_, name = self._table.c.id, self._table.c[self._name]
        for start in range(0, len(missing), _NAMES_PER_QUERY):
            some = missing[start : start + _NAMES_PER_QUERY]
            rows = await connection.execute(select(name, id_).where(name.in_(some)))
            found.update((word, number) for word, number in rows)
        self._learned = found

    def id(self, word: str) -> int:
        """The id of a learned word."""
        known = self._known.get(word)
        return known if known is not None else self._learned[word]

    def commit(self) -> None:
        """What was learned is in the database now."""
        if len(self._known) + len(self._learned) <= self._count_max:
            self._known.update(self._learned)
        self._learned = {}


class Samples:
    """The history's writer and reader."""

    def __init__(self) -> None:
        self._points = Words(schema.point, "mrid", count_max=1_000_000)
        self._natives = Words(schema.native, "text", count_max=_NATIVE_MAX)

    async def add(self, connection: AsyncConnection, measurements: Sequence[Measurement]) -> None:
        """Insert one batch; (point, source time) that is there already is ignored."""
        await self._points.learn(connection, {m.point for m in measurements})
        await self._natives.learn(connection, {m.quality.native for m in measurements})
        is_sqlite = connection.dialect.name == "sqlite"
        for start in range(0, len(measurements), STATEMENT_ROWS):
            # Rows are made just before they go: ten thousand at once would hold up the loop.
            rows = [self._row(m) for m in measurements[start : start + STATEMENT_ROWS]]
            if is_sqlite:
                flat = tuple(cell for row in rows for cell in (bucket(row[1]), *row))
                await connection.exec_driver_sql(_into_sqlite(len(rows)), flat)
            else:
                await connection.exec_driver_sql(_POSTGRESQL, rows)

    def _row(self, m: Measurement) -> tuple[Any, ...]:
        return (
            self._points.id(m.point),
            m.source_time_s,
            # a NaN is no number: it is kept as "no value" and comes back as NaN
            None if math.isnan(m.value) else m.value,
            packed(m.quality, m.time_quality),
            self._natives.id(m.quality.native),
            m.received_time_s,
        )

    def committed(self) -> None:
        """The batch is durable: its ids may be remembered."""
        self._points.commit()
        self._natives.commit()


def bucket(at_s: float) -> int:
    """The bucket of time that `at_s` lies in."""
    return math.floor(at_s / BUCKET_S)


@cache
def _into_sqlite(count: int) -> str:
    values = ",".join(["(?,?,?,?,?,?,?)"] * count)
    columns = "bucket, point_id, source_s, value, quality, native_id, received_s"
    return f"INSERT OR IGNORE INTO sample ({columns}) VALUES {values}"  # noqa: S608 - only ?


def batches(measurements: Sequence[Measurement]) -> Iterable[Sequence[Measurement]]:
    """`measurements` in transactions' worth, so that nobody waits for a long history."""
    for start in range(0, len(measurements), TRANSACTION_ROWS):
        yield measurements[start : start + TRANSACTION_ROWS]


async def window(
    connection: AsyncConnection, point: str, *, start_s: float, end_s: float, count_max: int
) -> Sequence[Measurement]:
    """The oldest `count_max` readings of `point` in [start_s, end_s), in source time."""
    asked = {"mrid": point, "start_s": start_s, "end_s": end_s, "count": count_max}
    name = connection.dialect.name
    rows = await connection.execute(_WINDOW[name], asked | _bounds(name, start_s, end_s))
    return [_measurement(point, row) for row in rows]


def _bounds(dialect: str, start_s: float, end_s: float) -> dict[str, int]:
    return {"first": bucket(start_s), "last": bucket(end_s)} if dialect == "sqlite" else {}


def _measurement(point: str, row: Sequence[Any]) -> Measurement:
    source_s, value, bits, native, received_s = row
    quality, time_quality = unpacked(bits, native)
    return Measurement(
        point=point,
        value=math.nan if value is None else value,
        quality=quality,
        source_time_s=source_s,
        time_quality=time_quality,
        received_time_s=received_s,
    )


async def series(
    connection: AsyncConnection, point: str, *, start_s: float, end_s: float, step_s: float
) -> Series:
    """Mean of the good readings of each interval [start_s + k*step_s, …); None for a gap."""
    count = interval_count(start_s, end_s, step_s)
    values: list[float | None] = [None] * count
    asked = {"mrid": point, "start_s": start_s, "end_s": end_s, "step_s": step_s}
    name = connection.dialect.name
    rows = await connection.execute(_MEANS[name], asked | _bounds(name, start_s, end_s))
    for index, mean in rows:
        if 0 <= index < count:
            values[index] = mean
    return Series(start_s=start_s, step_s=step_s, values=tuple(values))


def interval_count(start_s: float, end_s: float, step_s: float) -> int:
    """How many intervals of `step_s` there are from `start_s` to `end_s`."""
    return max(0, math.ceil((end_s - start_s) / step_s))
