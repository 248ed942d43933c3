"""The SQLite file that holds the history, beside the file that holds everything else.

SQLite has one writer a file. What is measured comes by the ten thousands, what people decide and
what is commanded comes one by one and must not wait: each has a file, a writer and a log of its own
(ADR 0043). PostgreSQL has many writers, and the history is a table there as any other.
"""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pysqlite3

from gridctl.model.errors import ConfigError, UnavailableError
from gridctl.store.connection import WAIT_S

VERSION = 1
BUCKET_S = 300.0
"""One point's values of five minutes lie side by side, and then the next point's: what comes at one
time touches few pages, and so does the history of one point."""

_TABLES = (
    "CREATE TABLE point (id INTEGER PRIMARY KEY, mrid TEXT NOT NULL UNIQUE)",
    "CREATE TABLE native (id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE)",
    """CREATE TABLE sample (
        bucket INTEGER NOT NULL, point_id INTEGER NOT NULL, source_s DOUBLE NOT NULL,
        value DOUBLE, quality INTEGER NOT NULL, native_id INTEGER NOT NULL,
        received_s DOUBLE NOT NULL, PRIMARY KEY (bucket, point_id, source_s)
    ) WITHOUT ROWID""",
    f"PRAGMA user_version = {VERSION}",
)
_MOVE = (
    "INSERT OR IGNORE INTO point (mrid) SELECT mrid FROM control.point",
    "INSERT OR IGNORE INTO native (text) SELECT text FROM control.native",
    f"""INSERT OR IGNORE INTO sample
        SELECT CAST(floor(s.source_s / {BUCKET_S}) AS INTEGER), p.id, s.source_s, s.value,
            s.quality, n.id, s.received_s
        FROM control.sample s
        JOIN control.point cp ON cp.id = s.point_id JOIN point p ON p.mrid = cp.mrid
        JOIN control.native cn ON cn.id = s.native_id JOIN native n ON n.text = cn.text""",  # noqa: S608
)


def history_path(control: Path) -> Path:
    """`control.db` → `control-history.db`, in the same folder."""
    return control.with_name(f"{control.stem}-history{control.suffix}")


def prepare_history(control: Path) -> None:
    """Make the history's file with its tables, and move into it what an older gridctl kept in
    `control` itself. Whole or not at all; a second call finds nothing to do.

    Raises ConfigError for a file of a newer gridctl, UnavailableError when it cannot be written.
    """
    path = history_path(control)
    try:
        with closing(pysqlite3.connect(path, isolation_level=None, timeout=WAIT_S)) as connection:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("ATTACH ? AS control", (f"{control}",))
            connection.execute("BEGIN IMMEDIATE")
            (version,) = connection.execute("PRAGMA main.user_version").fetchone()
            if version > VERSION:
                raise ConfigError(
                    f"the history has version {version}, this program knows {VERSION}",
                    file=str(path),
                    hint="install the gridctl that wrote it",
                )
            for statement in _TABLES if version == 0 else ():
                connection.execute(statement)
            held = "SELECT 1 FROM control.sqlite_master WHERE type = 'table' AND name = 'sample'"
            if connection.execute(held).fetchone():
                for statement in _MOVE:
                    connection.execute(statement)
            connection.execute("COMMIT")
    except pysqlite3.Error as error:
        raise UnavailableError(f"history {path}: {error}") from error
