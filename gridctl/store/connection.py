"""Where the database is, and the two ways in: one writer, many readers.

SQLite: one writer connection (WAL, synchronous=FULL), readers that cannot write, and a lock file so
that a second process refuses to start. PostgreSQL: one pool; the writer's order comes from the same
asyncio lock, and from row locks between processes.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from sqlalchemy import URL, Connection, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from gridctl.model.errors import ConfigError, InvariantViolation, UnavailableError
from gridctl.store.sqlite_build import sqlite_dbapi

WAIT_S = 10.0
READERS = 4
LOG_PAGES, LOG_PAGES_FOLDED = 4_000, 40_000
"""Pages of the write-ahead log after which a commit carries them over, where nobody else does it,
and where the office does it (`SqlStore.fold_log`): 160 MB, if ever it cannot."""


class _Cursor(Protocol):
    def execute(self, sql: str, /) -> object: ...

    def close(self) -> None: ...


class _DriverConnection(Protocol):
    in_loop: bool

    def cursor(self) -> _Cursor: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Engines:
    """The writer's and the readers' engine; `writer` is None in a store opened to read only."""

    writer: AsyncEngine | None
    readers: AsyncEngine

    async def dispose(self) -> None:
        """Close every connection."""
        await self.readers.dispose()
        if self.writer is not None and self.writer is not self.readers:
            await self.writer.dispose()


def parsed(url: str) -> URL:
    """`sqlite:///path` or `postgresql://…` with its asynchronous driver.

    Raises ConfigError for anything else.
    """
    try:
        found = make_url(url)
    except ArgumentError as error:
        raise ConfigError(str(error), file="database.url", hint="sqlite:///control.db") from error
    match found.get_backend_name():
        case "sqlite":
            if not found.database or found.database == ":memory:":
                raise ConfigError(
                    "SQLite needs a file: what is only in memory is no record",
                    file="database.url",
                    hint="sqlite:///control.db; tests: gridctl.store.engine.temporary_store",
                )
            return found.set(drivername="sqlite+aiosqlite")
        case "postgresql":
            return found.set(drivername="postgresql+asyncpg")
        case other:
            raise ConfigError(
                f"no store for {other}",
                file="database.url",
                hint="sqlite:///control.db or postgresql://user@host/database",
            )


def engines(url: URL, *, read_only: bool, in_loop: bool = False) -> Engines:
    """Engines for a parsed URL. Nothing is connected yet. `in_loop`: on SQLite the writer's short
    statements run where they are called (`gridctl.store.onehop`)."""
    if url.get_backend_name() == "sqlite":
        return Engines(
            writer=None if read_only else _sqlite_engine(url, writes=True, in_loop=in_loop),
            readers=_sqlite_engine(url, writes=False, in_loop=False),
        )
    engine = create_async_engine(
        url,
        pool_size=READERS + 1,
        max_overflow=0,
        pool_timeout=WAIT_S,
        connect_args={"timeout": WAIT_S, "command_timeout": 60.0},
    )
    return Engines(writer=None if read_only else engine, readers=engine)


def _sqlite_engine(url: URL, *, writes: bool, in_loop: bool) -> AsyncEngine:
    engine = create_async_engine(
        url,
        module=sqlite_dbapi(),
        pool_size=1 if writes else READERS,
        max_overflow=0,
        pool_timeout=WAIT_S,
        connect_args={
            "isolation_level": None,
            "timeout": WAIT_S,
            "check_same_thread": not in_loop,
        },
    )
    pragmas = (
        (
            "journal_mode=WAL",
            "synchronous=FULL",
            f"wal_autocheckpoint={LOG_PAGES_FOLDED if in_loop else LOG_PAGES}",
            "foreign_keys=ON",
        )
        if writes
        else ("query_only=ON", "wal_autocheckpoint=0")
    )

    @event.listens_for(engine.sync_engine, "connect")
    def _on_connect(connection: _DriverConnection, _record: object) -> None:
        if in_loop:
            connection.in_loop = True
        cursor = connection.cursor()
        for pragma in pragmas:
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    # The driver is in autocommit mode, so BEGIN is ours: a writer takes its lock at once, or a
    # read that turns into a write could fail half way.
    begin = "BEGIN IMMEDIATE" if writes else "BEGIN"

    @event.listens_for(engine.sync_engine, "begin")
    def _on_begin(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine


@contextmanager
def translated(doing: str) -> Iterator[None]:
    """No database error leaves the store as it is: away is UnavailableError, a broken constraint
    is InvariantViolation."""
    try:
        yield
    except IntegrityError as error:
        raise InvariantViolation(f"{doing}: {error.orig}") from error
    except DBAPIError as error:
        raise UnavailableError(f"{doing}: {error.orig}") from error


@asynccontextmanager
async def connected(engine: AsyncEngine, doing: str) -> AsyncIterator[AsyncConnection]:
    """A connection of `engine`; UnavailableError when the server or the pool has none in time."""
    with translated(doing):
        try:
            connection = await engine.connect().start()
        except (PoolTimeoutError, OSError) as error:
            raise UnavailableError(f"{doing}: the database does not answer: {error}") from error
        try:
            yield connection
        finally:
            await asyncio.shield(connection.close())


@asynccontextmanager
async def reading(readers: AsyncEngine, doing: str) -> AsyncIterator[AsyncConnection]:
    """A connection for a consistent read."""
    try:
        async with connected(readers, doing) as connection:
            yield connection
    except OSError as error:
        # a lost socket or the driver's own deadline (TimeoutError is an OSError)
        raise UnavailableError(f"{doing}: the database does not answer: {error}") from error


class FileLock:
    """`control.db.lock`: held as long as a process may write to the SQLite file beside it."""

    def __init__(self, database: Path) -> None:
        self._path = database.with_name(database.name + ".lock")
        self._descriptor: int | None = None

    def take(self) -> None:
        """Raises ConfigError when another process, or another store of this one, has it."""
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise ConfigError(
                f"the database's folder cannot be written: {error.strerror}",
                file=str(self._path),
                hint="create the folder and give gridctl the right to write there",
            ) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.read(descriptor, 32).decode(errors="replace").strip() or "unknown"
            os.close(descriptor)
            raise ConfigError(
                f"another gridctl writes to this database (process {holder})",
                file=str(self._path),
                hint="stop it first; one office per database",
            ) from error
        os.ftruncate(descriptor, 0)
        os.write(descriptor, str(os.getpid()).encode())
        self._descriptor = descriptor

    def release(self) -> None:
        """Give the file back; the lock file itself stays."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
