"""A statement on SQLite costs one visit to the driver's thread, not four.

SQLAlchemy's adapter for aiosqlite opens a cursor, executes, fetches and closes, and each of the
four goes to the driver's thread and back through a turn of the event loop. Beside a plant that
streams, a turn is milliseconds, and an approval's way to the wire is some thirty statements long.
Here the thread does all four at once. Server-side cursors are the adapter's own.

A connection that is `in_loop` goes further: inside a transaction, whose lock it holds, a short
statement waits for nothing but memory and takes some fifty microseconds. It runs where it is
called, and only BEGIN, which may wait for a lock, and COMMIT, which waits for the disk, visit the
thread (docs/adr/0045-short-statements-in-the-loop.md).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

from sqlalchemy.dialects.sqlite.aiosqlite import (
    AsyncAdapt_aiosqlite_connection,
    AsyncAdapt_aiosqlite_cursor,
    AsyncAdapt_aiosqlite_dbapi,
)
from sqlalchemy.util import EMPTY_DICT
from sqlalchemy.util.concurrency import await_


@dataclass(frozen=True, slots=True)
class _Executed:
    """What a closed cursor still knows."""

    description: Any = None
    rowcount: int = -1
    lastrowid: Any = None
    arraysize: int = 1


_NOTHING: Final[Any] = _Executed()

SHORT_ROWS = 200
SHORT_CELL = 65_536
"""Rows of a statement, and octets or characters of a value, up to which it is short."""


def is_short(operation: str, rows: Sequence[Any]) -> bool:
    """Whether `operation` with the parameters `rows` is over in a moment. A DELETE may not be: what
    it takes away is counted by nobody."""
    return (
        len(rows) <= SHORT_ROWS
        and operation.lstrip()[:6].upper() != "DELETE"
        and all(
            len(cell) <= SHORT_CELL
            for row in rows
            for cell in (row.values() if isinstance(row, Mapping) else row)
            if isinstance(cell, str | bytes)
        )
    )


class OneHopCursor(AsyncAdapt_aiosqlite_cursor):
    """Executes and fetches in one visit; holds nothing open in between."""

    __slots__ = ()

    _awaitable_cursor_close = False

    def __init__(self, adapt_connection: AsyncAdapt_aiosqlite_connection) -> None:
        self._adapt_connection = adapt_connection
        self._connection = adapt_connection._connection  # noqa: SLF001 - our base class
        self._cursor = _NOTHING
        self._soft_closed_memoized = EMPTY_DICT
        self._rows = deque()

    def close(self) -> None:
        self._rows.clear()

    async def _execute_async(self, operation: Any, parameters: Any) -> Any:
        values = () if parameters is None else parameters
        return await self._visit(
            lambda cursor: cursor.execute(operation, values), is_short(operation, (values,))
        )

    async def _executemany_async(self, operation: Any, seq_of_parameters: Any) -> Any:
        return await self._visit(
            lambda cursor: cursor.executemany(operation, seq_of_parameters),
            is_short(operation, seq_of_parameters),
        )

    async def _visit(self, execute: Callable[[Any], object], short: bool) -> Any:
        connection: Any = self._connection
        adapter: Any = self._adapt_connection

        def whole() -> tuple[_Executed, list[Any]]:
            """In the driver's thread, or in the loop."""
            cursor = connection._conn.cursor()  # noqa: SLF001 - aiosqlite gives no other way
            try:
                execute(cursor)
                rows = cursor.fetchall() if cursor.description else []
                done = _Executed(cursor.description, cursor.rowcount, cursor.lastrowid)
            finally:
                cursor.close()
            return done, rows

        async with self._adapt_connection._execute_mutex:  # noqa: SLF001 - our base class
            if short and adapter.in_loop and connection._conn.in_transaction:  # noqa: SLF001
                done, rows = whole()
            else:
                done, rows = await connection._execute(whole)  # noqa: SLF001 - as above
            self._cursor = cast("Any", done)
            self._rows = deque(rows)
        return self


class OneHopConnection(AsyncAdapt_aiosqlite_connection):
    """A connection whose cursors are those above. `in_loop`: set by whoever opened it with
    `check_same_thread=False`."""

    __slots__ = ("in_loop",)

    _cursor_cls: Any = OneHopCursor  # the base declares it narrower than it uses it

    def __init__(self, dbapi: Any, connection: Any) -> None:
        super().__init__(dbapi, connection)
        self.in_loop = False

    def rollback(self) -> None:
        """The pool's, each time a connection comes back: a visit only where there is something."""
        driver: Any = self._connection._conn  # noqa: SLF001 - as above
        if driver.in_transaction:
            super().rollback()


class OneHopDbapi(AsyncAdapt_aiosqlite_dbapi):
    """SQLAlchemy's view of aiosqlite with such connections."""

    def connect(self, *arg: Any, **kw: Any) -> AsyncAdapt_aiosqlite_connection:
        connection = self.aiosqlite.connect(*arg, **kw)
        connection._thread.daemon = True  # noqa: SLF001 - as SQLAlchemy does it
        return OneHopConnection(self, await_(connection))
