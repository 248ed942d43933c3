"""A statement is one visit to SQLite's thread, whatever it brings back."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from gridctl.store.connection import engines, parsed
from gridctl.store.onehop import SHORT_CELL, SHORT_ROWS, is_short
from gridctl.store.sqlite_build import sqlite_dbapi


@pytest_asyncio.fixture
async def connection(tmp_path: Path) -> AsyncIterator[AsyncConnection]:
    engine = create_async_engine(f"sqlite+aiosqlite:///{tmp_path}/x.db", module=sqlite_dbapi())
    async with engine.connect() as opened:
        await opened.execute(text("CREATE TABLE t (id INTEGER PRIMARY KEY, word TEXT UNIQUE)"))
        yield opened
    await engine.dispose()


async def _visits(connection: AsyncConnection) -> list[object]:
    """Filled, from now on, with whatever the driver's thread is given to do."""
    raw = await connection.get_raw_connection()
    driver: Any = raw.driver_connection
    queue = _Counting(driver._tx)
    driver._tx = queue
    return queue.given


class _Counting:
    """In front of the driver's own queue."""

    def __init__(self, queue: Any) -> None:
        self._queue = queue
        self.given: list[object] = []

    def put_nowait(self, item: object) -> None:
        self.given.append(item)
        self._queue.put_nowait(item)


async def test_one_visit_for_one_statement(connection: AsyncConnection) -> None:
    many = [{"word": word} for word in ("a", "b", "c")]
    visits = await _visits(connection)
    insert = text("INSERT INTO t (word) VALUES (:word)")
    await connection.execute(insert, many)
    assert len(visits) == 1
    one = await connection.execute(insert, {"word": "d"})
    assert (one.lastrowid, one.rowcount, len(visits)) == (4, 1, 2)
    rows = await connection.execute(text("SELECT id, word FROM t ORDER BY id"))
    assert list(rows.keys()) == ["id", "word"]
    assert rows.fetchmany(2) == [(1, "a"), (2, "b")]
    assert rows.fetchone() == (3, "c")
    assert rows.fetchall() == [(4, "d")]
    assert len(visits) == 3
    changed = await connection.execute(text("UPDATE t SET word = word || 'x' WHERE id > 2"))
    assert (changed.rowcount, len(visits)) == (2, 4)


async def test_a_statement_that_fails_leaves_the_connection_usable(
    connection: AsyncConnection,
) -> None:
    insert = text("INSERT INTO t (word) VALUES ('a')")
    await connection.execute(insert)
    with pytest.raises(IntegrityError, match="UNIQUE"):
        await connection.execute(insert)
    with pytest.raises(DBAPIError, match="no such table"):
        await connection.execute(text("SELECT * FROM u"))
    assert (await connection.execute(text("SELECT count(*) FROM t"))).scalar() == 1


async def test_rows_that_are_streamed_come_one_after_the_other(
    connection: AsyncConnection,
) -> None:
    await connection.execute(text("INSERT INTO t (word) VALUES ('a'), ('b')"))
    async with connection.stream(text("SELECT word FROM t ORDER BY id")) as rows:
        assert [row.word async for row in rows] == ["a", "b"]


async def test_in_the_loop_a_transaction_visits_the_thread_to_begin_and_to_commit(
    tmp_path: Path,
) -> None:
    both = engines(parsed(f"sqlite:///{tmp_path}/x.db"), read_only=False, in_loop=True)
    assert both.writer is not None
    async with both.writer.connect() as connection:
        async with connection.begin():
            await connection.execute(text("CREATE TABLE t (id INTEGER PRIMARY KEY, word UNIQUE)"))
        visits = await _visits(connection)
        insert = text("INSERT INTO t (word) VALUES (:word)")
        async with connection.begin():
            await connection.execute(insert, {"word": "a"})
            await connection.execute(insert, [{"word": "b"}, {"word": "c"}])
            assert (await connection.execute(text("SELECT count(*) FROM t"))).scalar() == 3
        assert len(visits) == 2
        undone = await connection.begin()
        await connection.execute(text("DELETE FROM t WHERE word = 'a'"))
        with pytest.raises(IntegrityError, match="UNIQUE"):
            await connection.execute(insert, {"word": "b"})
        await undone.rollback()
        assert (await connection.execute(text("SELECT count(*) FROM t"))).scalar() == 3
        await connection.rollback()
    await both.dispose()


def test_what_may_take_long_is_not_short() -> None:
    assert is_short("INSERT INTO t VALUES (?)", [("a" * SHORT_CELL,)] * SHORT_ROWS)
    assert not is_short("INSERT INTO t VALUES (?)", [("a" * (SHORT_CELL + 1),)])
    assert not is_short("INSERT INTO t VALUES (?)", [(b"a" * (SHORT_CELL + 1),)])
    assert not is_short("INSERT INTO t VALUES (?)", [("a",)] * (SHORT_ROWS + 1))
    assert not is_short("  delete FROM t WHERE id < ?", [(5,)])
