"""A unit of work that is written once, and runs where it is cheapest.

Its statements are prepared: SQLAlchemy compiles them once for each database. On SQLite the whole
unit, from BEGIN to COMMIT, is one visit to the driver's thread and no turn of the event loop in
between; on PostgreSQL every statement goes the usual way. The work itself cannot tell: it is a
plain function that is given something to run statements with.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeVar

import pysqlite3
from sqlalchemy import Connection
from sqlalchemy.dialects.sqlite.aiosqlite import SQLiteDialect_aiosqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from gridctl.model.errors import InvariantViolation, UnavailableError

T = TypeVar("T")
Values = Mapping[str, Any]
NOTHING: Final[Values] = {}


class Prepared:
    """A statement and its text for SQLite. `keys`: the columns that an INSERT or the SET of an
    UPDATE takes from its values."""

    def __init__(self, statement: Any, *, keys: Sequence[str] | None = None) -> None:
        self.statement: Any = statement
        self._keys = keys
        self._sqlite: tuple[str, tuple[str, ...], Mapping[str, Any]] | None = None

    def sqlite(self, values: Values) -> tuple[str, list[Any]]:
        """Text and values by position."""
        if self._sqlite is None:
            # compiled on first use: at import nobody waits for it
            compiled = self.statement.compile(
                dialect=SQLiteDialect_aiosqlite(), column_keys=self._keys
            )
            fixed: Values = {k: v for k, v in compiled.params.items() if v is not None}
            self._sqlite = (compiled.string, tuple(compiled.positiontup or ()), fixed)
        text, names, fixed = self._sqlite
        return text, [values[name] if name in values else fixed[name] for name in names]


@dataclass(frozen=True, slots=True)
class Ran:
    """Rows that came back, and how many were written (-1: nobody counted)."""

    rows: Sequence[Any]
    count: int


class Run(Protocol):
    """Runs a statement of a unit of work."""

    def __call__(self, prepared: Prepared, values: Values = NOTHING) -> Ran: ...

    def many(self, prepared: Prepared, rows: Sequence[Values]) -> None:
        """The same statement for each of `rows`."""
        ...


class InOneVisit(Protocol):
    """The store's way to carry out a unit of work as a transaction of its own."""

    async def __call__(self, work: Callable[[Run], T], /) -> T: ...


class Look(Protocol):
    """The store's way to read in one visit; `doing` is for the error that names it."""

    async def __call__(self, doing: str, work: Callable[[Run], T], /) -> T: ...


class _OnSqlite:
    """In the driver's thread."""

    def __init__(self, cursor: Any) -> None:
        self._cursor = cursor

    def __call__(self, prepared: Prepared, values: Values = NOTHING) -> Ran:
        self._cursor.execute(*prepared.sqlite(values))
        rows = self._cursor.fetchall() if self._cursor.description else ()
        return Ran(rows, self._cursor.rowcount)

    def many(self, prepared: Prepared, rows: Sequence[Values]) -> None:
        for values in rows:
            self._cursor.execute(*prepared.sqlite(values))


class _OnSqlalchemy:
    """In the greenlet of an asynchronous connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def __call__(self, prepared: Prepared, values: Values = NOTHING) -> Ran:
        found = self._connection.execute(prepared.statement, values)
        return Ran(found.all() if found.returns_rows else (), found.rowcount)

    def many(self, prepared: Prepared, rows: Sequence[Values]) -> None:
        self._connection.execute(prepared.statement, list(rows))


async def carried_out(connection: AsyncConnection, work: Callable[[Run], T]) -> T:
    """`work` as one transaction on a connection of the writer that is in none.

    Committed when it returns, rolled back when it raises. Raises UnavailableError and
    InvariantViolation as the store does.
    """
    if connection.dialect.name != "sqlite":
        async with connection.begin():
            return await connection.run_sync(lambda sync: work(_OnSqlalchemy(sync)))
    return await _visited(connection, _whole, work, "write")


async def looked_up(connection: AsyncConnection, work: Callable[[Run], T]) -> T:
    """`work`, which only reads, on a connection of the readers: of one moment, as a transaction.

    Raises UnavailableError as the store does.
    """
    if connection.dialect.name != "sqlite":
        return await connection.run_sync(lambda sync: work(_OnSqlalchemy(sync)))
    return await _visited(connection, _read, work, "read")


async def log_folded(connection: AsyncConnection) -> None:
    """Carry SQLite's write-ahead log over into its file, as far as nobody reads or writes there.

    Raises UnavailableError as the store does. Nothing on PostgreSQL.
    """
    if connection.dialect.name != "sqlite":
        return
    driver: Any = (await connection.get_raw_connection()).driver_connection
    try:
        await driver._execute(_folded, driver._conn)  # noqa: SLF001 - as above
    except pysqlite3.Error as error:
        raise UnavailableError(f"fold the log: {error}") from error


def _folded(connection: Any) -> None:
    cursor = connection.cursor()
    try:
        cursor.execute("PRAGMA wal_checkpoint(PASSIVE)")
        cursor.fetchall()
    finally:
        cursor.close()


async def _visited(
    connection: AsyncConnection,
    how: Callable[[Any, Callable[[Run], T]], T],
    work: Callable[[Run], T],
    doing: str,
) -> T:
    driver: Any = (await connection.get_raw_connection()).driver_connection
    visit: asyncio.Future[T] = asyncio.ensure_future(driver._execute(how, driver._conn, work))  # noqa: SLF001
    try:
        return await asyncio.shield(visit)
    except asyncio.CancelledError:
        # the thread goes on all the same: nobody else has its turn before it has ended
        await asyncio.wait([visit])
        raise
    except pysqlite3.IntegrityError as error:
        raise InvariantViolation(f"{doing}: {error}") from error
    except pysqlite3.Error as error:
        raise UnavailableError(f"{doing}: {error}") from error


def _whole(connection: Any, work: Callable[[Run], T]) -> T:
    cursor = connection.cursor()
    try:
        cursor.execute("BEGIN IMMEDIATE")
        try:
            found = work(_OnSqlite(cursor))
            cursor.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:  # a full disk may have ended it already
                cursor.execute("ROLLBACK")
            raise
    finally:
        cursor.close()
    return found


def _read(connection: Any, work: Callable[[Run], T]) -> T:
    cursor = connection.cursor()
    try:
        cursor.execute("BEGIN")
        try:
            return work(_OnSqlite(cursor))
        finally:
            if connection.in_transaction:
                cursor.execute("ROLLBACK")
    finally:
        cursor.close()
