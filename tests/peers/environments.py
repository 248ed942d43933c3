"""Python environments of other people's tools and clients, each from a hashed lock of its own.

`requirements.txt` in a peer's folder is the lock; its `.venv` beside it is made on first use, and
again when the lock has changed. Git ignores it; nothing that the product imports comes from there.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

INSTALL_S = 240


@cache
def python_of(peer: Path, interpreter: str = sys.executable) -> Path:
    """The interpreter of the environment in the folder `peer`; made when it is not there yet."""
    lock = peer / "requirements.txt"
    folder = peer / ".venv"
    python = folder / "bin" / "python"
    wanted = hashlib.sha256(lock.read_bytes() + interpreter.encode()).hexdigest()
    stamp = folder / ".lock.sha256"
    with lock.open(encoding="utf-8") as gate:
        fcntl.flock(gate, fcntl.LOCK_EX)
        if stamp.is_file() and stamp.read_text() == wanted:
            return python
        if folder.is_dir():
            shutil.rmtree(folder)
        pip = [str(python), "-m", "pip", "--disable-pip-version-check", "--quiet"]
        install = ["install", "--require-hashes", "--no-deps", "-r", str(lock)]
        for command in ([interpreter, "-m", "venv", str(folder)], [*pip, *install]):
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=INSTALL_S, check=False
            )
            if done.returncode != 0:
                pytest.fail(f"{peer.name} could not be installed: {done.stderr[-800:]}")
        stamp.write_text(wanted)
    return python


@cache
def python_from(minor: int) -> str | None:
    """A CPython 3.`minor` or later on this machine, the running one first; None without one."""
    # a shim of pyenv's is on the path, and runs only what somebody chose
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    names = (
        sys.executable,
        *(f"python3.{number}" for number in range(minor, 15)),
        "python3",
        *(str(found) for found in sorted(pyenv.glob("3.*/bin/python3"))),
    )
    code = f"import sys, ensurepip; sys.exit(sys.version_info < (3, {minor}))"
    for name in names:
        found = shutil.which(name)
        if found is None:
            continue
        done = subprocess.run([found, "-c", code], capture_output=True, timeout=30, check=False)
        if done.returncode == 0:
            return found
    return None
