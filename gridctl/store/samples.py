"""The history: what was measured, with its quality, as it came.

The key is (point, source time): one point's weeks lie together, and a replay of the same reading
is ignored. Rows go in by `exec_driver_sql` with many parameters, which is twice as fast as Core.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Double, Table, bindparam, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from gridctl.model.measurement import Measurement
from gridctl.model.planning import Series
from gridctl.store import schema
from gridctl.store.quality import packed, unpacked

BATCH_ROWS = 1_000
_NATIVE_MAX = 20_000
_NAMES_PER_QUERY = 500

_INSERT = {
    "sqlite": (
        "INSERT OR IGNORE INTO sample"
        " (point_id, source_s, value, quality, native_id, received_s) VALUES (?, ?, ?, ?, ?, ?)"
    ),
    "postgresql": (
        "INSERT INTO sample (point_id, source_s, value, quality, native_id, received_s)"
        " VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING"
    ),
}

_MEANS = text(
    "SELECT CAST(floor((s.source_s - :start_s) / :step_s) AS INTEGER) AS k, avg(s.value)"
    " FROM sample s JOIN point p ON p.id = s.point_id"
    " WHERE p.mrid = :mrid AND s.source_s >= :start_s AND s.source_s < :end_s"
    " AND (s.quality & 3) = 0 AND s.value IS NOT NULL GROUP BY k ORDER BY k"
).bindparams(
    bindparam("start_s", type_=Double),
    bindparam("end_s", type_=Double),
    bindparam("step_s", type_=Double),
)


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
        rows = [
            (
                self._points.id(m.point),
                m.source_time_s,
                # a NaN is no number: it is kept as "no value" and comes back as NaN
                None if math.isnan(m.value) else m.value,
                packed(m.quality, m.time_quality),
                self._natives.id(m.quality.native),
                m.received_time_s,
            )
            for m in measurements
        ]
        await connection.exec_driver_sql(_INSERT[connection.dialect.name], rows)

    def committed(self) -> None:
        """The batch is durable: its ids may be remembered."""
        self._points.commit()
        self._natives.commit()


def batches(measurements: Sequence[Measurement]) -> Iterable[Sequence[Measurement]]:
    """`measurements` in transactions' worth, so that a command never waits for a long history."""
    for start in range(0, len(measurements), BATCH_ROWS):
        yield measurements[start : start + BATCH_ROWS]


async def window(
    connection: AsyncConnection, point: str, *, start_s: float, end_s: float, count_max: int
) -> Sequence[Measurement]:
    """The oldest `count_max` readings of `point` in [start_s, end_s), in source time."""
    s, p, n = schema.sample.c, schema.point.c, schema.native.c
    rows = await connection.execute(
        select(s.source_s, s.value, s.quality, n.text, s.received_s)
        .select_from(schema.sample)
        .join(schema.point, p.id == s.point_id)
        .join(schema.native, n.id == s.native_id)
        .where(p.mrid == point, s.source_s >= start_s, s.source_s < end_s)
        .order_by(s.source_s)
        .limit(count_max)
    )
    return [_measurement(point, row) for row in rows]


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
    count = max(0, math.ceil((end_s - start_s) / step_s))
    values: list[float | None] = [None] * count
    rows = await connection.execute(
        _MEANS, {"mrid": point, "start_s": start_s, "end_s": end_s, "step_s": step_s}
    )
    for index, mean in rows:
        if 0 <= index < count:
            values[index] = mean
    return Series(start_s=start_s, step_s=step_s, values=tuple(values))
