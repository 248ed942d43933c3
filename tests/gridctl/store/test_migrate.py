"""Tables and migrations say the same."""

from __future__ import annotations

from importlib.resources import files

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, Table

from gridctl.model.clock import ManualClock
from gridctl.store.engine import temporary_store
from gridctl.store.migrate import head
from gridctl.store.schema import metadata


async def test_the_migrations_make_the_tables() -> None:
    def differences(connection: Connection) -> object:
        options = {"include_object": belongs_here}
        return compare_metadata(MigrationContext.configure(connection, opts=options), metadata)

    def belongs_here(found: object, *_: object) -> bool:
        """The history's tables are another file's on SQLite."""
        return not (isinstance(found, Table) and found.info.get("elsewhere") == "sqlite")

    async with temporary_store(ManualClock()) as store, store._reading("compare") as connection:
        assert await connection.run_sync(differences) == []


def test_the_scripts_are_packaged() -> None:
    names = {entry.name for entry in (files("gridctl.store") / "migrations").iterdir()}
    assert {"env.py", "script.py.mako", "versions"} <= names
    assert head() == "0016"
