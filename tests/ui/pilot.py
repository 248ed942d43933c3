"""A demo of its own, as a newcomer starts it; its passwords are read off its stdout."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.ports import free_port

READY_S = 240.0
_SECRET = re.compile(r"^\s+(operator-\w)\s+\w+\s+password (\S+)$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pilot:
    """A running demo. `users`: passwords by name."""

    url: str
    users: dict[str, str]
    process: subprocess.Popen[str]

    @classmethod
    @contextmanager
    def started(
        cls, instance: Path, *, rate: float, users: dict[str, str] | None = None
    ) -> Iterator[Pilot]:
        """Start one in `instance` and end it with the block. `users`: passwords of those who are
        there already; None: it prints them."""
        port = free_port()
        process = subprocess.Popen(
            [
                *(sys.executable, "-P", "-m", "gridctl.cli", "demo"),
                *("--instance", str(instance), "--port", str(port), "--rate", str(rate)),
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        late = threading.Timer(READY_S, process.kill)
        late.start()
        try:
            printed = _secrets(process)
            late.cancel()
            yield cls(url=f"http://127.0.0.1:{port}", users=users or printed, process=process)
        finally:
            late.cancel()
            process.send_signal(signal.SIGINT)
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            if process.stdout is not None:
                process.stdout.close()


def _secrets(process: subprocess.Popen[str]) -> dict[str, str]:
    users: dict[str, str] = {}
    for line in process.stdout or ():
        found = _SECRET.match(line.rstrip())
        if found is not None:
            users[found[1]] = found[2]
        if "Ctrl-C ends the pilot" in line:
            return users
    raise RuntimeError(f"the demo ended with {process.wait()} before it was ready")
