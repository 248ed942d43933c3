"""A statement on SQLite costs one visit to the driver's thread, not four.

SQLAlchemy's adapter for aiosqlite opens a cursor, executes, fetches and closes, and each of the
four goes to the driver's thread and back through a turn of the event loop. Beside a plant that
streams, a turn is milliseconds, and an approval's way to the wire is some fifty statements long.
Here the thread does all four at once. Server-side cursors are the adapter's own.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

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
        return await self._visit(lambda cursor: cursor.execute(operation, values))

    async def _executemany_async(self, operation: Any, seq_of_parameters: Any) -> Any:
        return await self._visit(lambda cursor: cursor.executemany(operation, seq_of_parameters))

    async def _visit(self, execute: Callable[[Any], object]) -> Any:
        connection: Any = self._connection

        def whole() -> tuple[_Executed, list[Any]]:
            """In the driver's thread."""
            cursor = connection._conn.cursor()  # noqa: SLF001 - aiosqlite gives no other way
            try:
                execute(cursor)
                rows = cursor.fetchall() if cursor.description else []
                done = _Executed(cursor.description, cursor.rowcount, cursor.lastrowid)
            finally:
                cursor.close()
            return done, rows

        async with self._adapt_connection._execute_mutex:  # noqa: SLF001 - our base class
            self._cursor, rows = await connection._execute(whole)  # noqa: SLF001 - as above
            self._rows = deque(rows)
        return self


class OneHopConnection(AsyncAdapt_aiosqlite_connection):
    """A connection whose cursors are those above."""

    __slots__ = ()

    _cursor_cls: Any = OneHopCursor  # the base declares it narrower than it uses it

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
