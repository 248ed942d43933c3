"""The SQLite that we trust: one without the WAL-reset bug.

SQLite 3.7.0 to 3.51.2 can lose a commit when two connections write and checkpoint at the same
moment; 3.51.3 mended it. Distributions still ship affected builds, so `pysqlite3` (which carries
its own SQLite) stands in for the interpreter's `sqlite3` inside aiosqlite, and nowhere else.
"""

from __future__ import annotations

import sys
from functools import cache
from types import ModuleType

import pysqlite3
from sqlalchemy.dialects.sqlite.aiosqlite import AsyncAdapt_aiosqlite_dbapi

from gridctl.model.errors import ConfigError
from gridctl.store.onehop import OneHopDbapi

SQLITE_VERSION_MIN = (3, 51, 3)

_SWAPPED = {"sqlite3": pysqlite3, "sqlite3.dbapi2": pysqlite3.dbapi2}


@cache
def sqlite_dbapi() -> AsyncAdapt_aiosqlite_dbapi:
    """SQLAlchemy's view of aiosqlite on top of `pysqlite3`.

    Raises ConfigError when the SQLite inside is older than `SQLITE_VERSION_MIN`.
    """
    check_version(pysqlite3.sqlite_version)
    return OneHopDbapi(_aiosqlite(), pysqlite3)


def check_version(version: str) -> None:
    """Raises ConfigError with a hint when `version` ("3.40.1") has the WAL-reset bug."""
    numbers = tuple(int(part) for part in version.split("."))
    if numbers < SQLITE_VERSION_MIN:
        least = ".".join(map(str, SQLITE_VERSION_MIN))
        raise ConfigError(
            f"SQLite {version} can lose commits (WAL-reset bug, mended in {least})",
            file="pysqlite3",
            hint=f"install pysqlite3 0.6.1 or newer, which brings SQLite {least} or newer",
        )


def _aiosqlite() -> ModuleType:
    """aiosqlite, bound to `pysqlite3`; the interpreter's own `sqlite3` stays as it was."""
    before = {name: sys.modules.get(name) for name in _SWAPPED}
    sys.modules.update(_SWAPPED)
    try:
        import aiosqlite  # noqa: PLC0415 - has to happen while the names are swapped
        import aiosqlite.core  # noqa: PLC0415
    finally:
        for name, module in before.items():
            if module is None:
                del sys.modules[name]
            else:
                sys.modules[name] = module
    if vars(aiosqlite.core)["sqlite3"] is not pysqlite3:
        raise ConfigError(
            "aiosqlite was imported before the store could give it a safe SQLite",
            file="aiosqlite",
            hint="import gridctl.store before anything that imports aiosqlite",
        )
    return aiosqlite
