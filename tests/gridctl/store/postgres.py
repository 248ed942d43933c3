"""A PostgreSQL server of our own for the contract suite: a new cluster in a temporary folder,
on a unix socket, gone afterwards."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

WAIT_S = 60


def missing_reason() -> str | None:
    """Why no server can be started here, or None."""
    if _binaries() is None:
        return "PostgreSQL: no initdb and pg_ctl in /usr/lib/postgresql/*/bin or on the PATH"
    if os.geteuid() == 0 and not _has_user("postgres"):
        return "PostgreSQL: it refuses to run as root and there is no user postgres"
    return None


@contextmanager
def server() -> Iterator[str]:
    """A running server; yields the URL of its database `postgres`. One text per database is
    `url.replace("/postgres?", "/name?")`."""
    folder = Path(tempfile.mkdtemp(prefix="gridctl-pg-"))
    data = folder / "data"
    try:
        if os.geteuid() == 0:
            shutil.chown(folder, "postgres")
        _run("initdb", "-D", data, "-A", "trust", "-U", "gridctl", "-E", "UTF8", "--no-sync")
        options = f"-k {folder} -c listen_addresses='' -c fsync=off -c max_connections=60"
        log = folder / "log"
        _run("pg_ctl", "-D", data, "-w", "-t", WAIT_S, "-l", log, "-o", options, "start")
        try:
            yield f"postgresql://gridctl@/postgres?host={folder}"
        finally:
            _run("pg_ctl", "-D", data, "-w", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _run(program: str, *arguments: object) -> None:
    binaries = _binaries()
    assert binaries is not None
    command = [str(binaries / program), *map(str, arguments)]
    if os.geteuid() == 0:
        command = ["runuser", "-u", "postgres", "--", *command]
    subprocess.run(
        command,
        check=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        timeout=WAIT_S * 2,
        cwd="/",
    )


def _binaries() -> Path | None:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"))
    if found:
        return found[-1].parent
    on_path = shutil.which("pg_ctl")
    return Path(on_path).parent if on_path and shutil.which("initdb") else None


def _has_user(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True
