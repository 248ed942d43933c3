"""The history's own file: read far, moved from where it was, refused when it is a stranger's."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pysqlite3
import pytest

from gridctl.model.clock import ManualClock
from gridctl.model.errors import ConfigError, UnavailableError
from gridctl.store.engine import open_store, temporary_store
from gridctl.store.history_file import BUCKET_S, history_path, prepare_history
from gridctl.store.migrate import upgrade
from gridctl.store.samples import TRANSACTION_ROWS
from tests.gridctl.store.examples import T0, measurement

CLOCK = ManualClock(grid_s=T0)
OLD = f"""
CREATE TABLE point (id INTEGER PRIMARY KEY, mrid TEXT NOT NULL UNIQUE);
CREATE TABLE native (id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE);
CREATE TABLE sample (point_id INTEGER, source_s DOUBLE, value DOUBLE, quality INTEGER,
    native_id INTEGER, received_s DOUBLE, PRIMARY KEY (point_id, source_s)) WITHOUT ROWID;
INSERT INTO point VALUES (7, 'A'), (8, 'B');
INSERT INTO native VALUES (3, 'flags=01');
INSERT INTO sample VALUES (7, {T0}, 1.5, 0, 3, {T0}), (8, {T0}, 2.5, 0, 3, {T0}),
    (7, {T0 + BUCKET_S}, 3.5, 0, 3, {T0});
"""  # noqa: S608 - constants


async def _values(path: Path, point: str) -> list[float]:
    store = await open_store(f"sqlite:///{path}", clock=CLOCK)
    try:
        found = await store.samples(point, start_s=0, end_s=2 * T0, count_max=99)
        return [m.value for m in found]
    finally:
        await store.close()


async def test_a_clock_of_1970_or_of_2100_costs_no_million_steps() -> None:
    """Only the buckets that are there are looked at."""
    times = (0.0, 86_400.0, T0, T0 + 3 * BUCKET_S, 4.1e9)
    async with temporary_store(CLOCK) as store:
        await store.add_samples([measurement("P", at_s=at, value=at) for at in reversed(times)])
        found = await store.samples("P", start_s=-1e9, end_s=9e9, count_max=99)
        assert [m.value for m in found] == list(times)
        found = await store.samples("P", start_s=86_400.0, end_s=T0 + 1, count_max=99)
        assert [m.value for m in found] == [86_400.0, T0]
        series = await store.series("P", start_s=T0, end_s=T0 + 4 * BUCKET_S, step_s=BUCKET_S)
        assert series.values == (T0, None, None, T0 + 3 * BUCKET_S)


async def test_more_than_a_transaction_holds() -> None:
    count = TRANSACTION_ROWS + 17
    async with temporary_store(CLOCK) as store:
        await store.add_samples([measurement("P", at_s=T0 + i) for i in range(count)])
        found = await store.samples("P", start_s=0, end_s=2 * T0, count_max=2 * count)
        assert len(found) == count


async def test_an_older_history_is_moved_once_and_whole(tmp_path: Path) -> None:
    control = tmp_path / "control.db"
    with closing(pysqlite3.connect(control, isolation_level=None)) as connection:
        connection.executescript(OLD)
    prepare_history(control)
    with closing(pysqlite3.connect(history_path(control))) as connection:
        connection.execute("DELETE FROM sample WHERE value = 3.5")
        connection.execute("INSERT INTO point VALUES (99, 'C')")
        connection.commit()
    prepare_history(control)  # as after a crash before the old tables were dropped
    with closing(pysqlite3.connect(control, isolation_level=None)) as connection:
        for table in ("sample", "point", "native"):
            connection.execute(f"DROP TABLE {table}")
    await upgrade(f"sqlite:///{control}")
    assert await _values(control, "A") == [1.5, 3.5]
    assert await _values(control, "B") == [2.5]


async def test_a_newer_history_is_refused(tmp_path: Path) -> None:
    control = tmp_path / "control.db"
    await upgrade(f"sqlite:///{control}")
    with closing(pysqlite3.connect(history_path(control))) as connection:
        connection.execute("PRAGMA user_version = 9")
    with pytest.raises(ConfigError, match=r"control-history\.db: the history has version 9"):
        await open_store(f"sqlite:///{control}", clock=CLOCK)


async def test_what_is_no_database_is_refused(tmp_path: Path) -> None:
    control = tmp_path / "control.db"
    await upgrade(f"sqlite:///{control}")
    history_path(control).write_text(
        "this is no database, and long enough to be seen as none\n" * 9
    )
    with pytest.raises(UnavailableError, match=r"control-history\.db: file is not a database"):
        await open_store(f"sqlite:///{control}", clock=CLOCK)


async def test_a_reader_without_a_history_sees_none(tmp_path: Path) -> None:
    control = tmp_path / "control.db"
    await upgrade(f"sqlite:///{control}")
    history_path(control).unlink()
    store = await open_store(f"sqlite:///{control}", clock=CLOCK, read_only=True)
    try:
        assert await store.samples("P", start_s=0, end_s=2 * T0, count_max=9) == []
        assert (await store.series("P", start_s=0, end_s=20, step_s=10)).values == (None, None)
        with pytest.raises(UnavailableError, match="read only"):
            await store.add_samples([measurement()])
    finally:
        await store.close()
    assert not history_path(control).exists()
