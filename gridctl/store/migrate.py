"""Schema versions: `upgrade(url)` brings a database up to date, `current(url)` says where it is."""

from __future__ import annotations

import asyncio
from importlib.resources import as_file, files
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import URL, Connection, inspect

from gridctl.model.errors import ConfigError
from gridctl.store.connection import Engines, FileLock, connected, engines, parsed, translated
from gridctl.store.history_file import prepare_history

_SCRIPTS = files("gridctl.store") / "migrations"


def head() -> str:
    """The newest revision that this program knows."""
    with as_file(_SCRIPTS) as folder:
        found = ScriptDirectory(str(folder)).get_current_head()
    if found is None:
        raise ConfigError(
            "no migrations are installed", file=str(_SCRIPTS), hint="install gridctl again"
        )
    return found


async def upgrade(url: str) -> str:
    """Bring the database to `head()` and return that revision.

    Raises ConfigError when another process writes to a SQLite file, UnavailableError when the
    server does not answer.
    """
    found = parsed(url)
    lock = None
    if found.get_backend_name() == "sqlite" and found.database is not None:
        lock = FileLock(Path(found.database))
        lock.take()
    both = engines(found, read_only=False)
    try:
        with translated("upgrade"):
            if lock is not None:
                # Before the tables that it comes from are dropped.
                await asyncio.to_thread(prepare_history, Path(str(found.database)))
            await _upgrade(both)
    finally:
        await both.dispose()
        if lock is not None:
            lock.release()
    return head()


async def current(url: str) -> str | None:
    """The database's revision; None when it has no tables yet (or, SQLite, is not there)."""
    found = parsed(url)
    if is_missing(found):
        return None
    both = engines(found, read_only=True)
    try:
        with translated("current"):
            return await _current(both)
    finally:
        await both.dispose()


def is_missing(url: URL) -> bool:
    """Whether `url` names a SQLite file that is not there."""
    is_sqlite = url.get_backend_name() == "sqlite"
    return is_sqlite and url.database is not None and not Path(url.database).exists()


async def prepare(both: Engines, *, where: str) -> None:
    """An empty database gets its tables; one of another version is refused with a hint."""
    revision = await _current(both)
    if revision == head():
        return
    if revision is None and both.writer is not None:
        await _upgrade(both)
        return
    raise ConfigError(
        f"the database has schema {revision or 'none'}, this program needs {head()}",
        file=where,
        hint="gridctl db upgrade (after a backup), or install the matching gridctl",
    )


async def _upgrade(both: Engines) -> None:
    if both.writer is None:
        raise ConfigError("a store opened to read only cannot be upgraded", file="database.url")
    async with connected(both.writer, "upgrade") as connection, connection.begin():
        await connection.run_sync(_run_upgrade)


def _run_upgrade(connection: Connection) -> None:
    with as_file(_SCRIPTS) as folder:
        config = Config()
        config.set_main_option("script_location", str(folder).replace("%", "%%"))
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


async def _current(both: Engines) -> str | None:
    engine = both.writer or both.readers
    async with connected(engine, "current") as connection:
        return await connection.run_sync(_revision)


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    return MigrationContext.configure(connection).get_current_revision()
