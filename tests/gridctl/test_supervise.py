"""A child is kept running, and told what its parent was told."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from gridctl import supervise

CHILD = """
import signal, sys, time
count = 0
def hang_up(number, frame):
    global count
    count += 1
    open(sys.argv[1], "a").write(f"hangup {count}\\n")
signal.signal(signal.SIGHUP, hang_up)
open(sys.argv[1], "a").write("ready\\n")
while True:
    time.sleep(0.05)
"""


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What the child writes; in the place of `gridctl field` stands a small script."""
    file = tmp_path / "told"

    async def spawn(
        arguments: Sequence[str], *, pipe_stdout: bool = False
    ) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            sys.executable, "-c", CHILD, str(file), stdin=asyncio.subprocess.PIPE
        )

    monkeypatch.setattr(supervise, "spawn", spawn)
    return file


def written(file: Path) -> list[str]:
    return file.read_text().splitlines() if file.exists() else []


async def lines(file: Path, count: int) -> list[str]:
    found: list[str] = []
    for _ in range(200):
        found = written(file)
        if len(found) >= count:
            return found
        await asyncio.sleep(0.05)
    raise AssertionError(found)


async def test_sighup_to_the_parent_reaches_the_child_and_ends_nobody(told: Path) -> None:
    stop, hangup = asyncio.Event(), asyncio.Event()
    supervise.hangup_on_signal(hangup)
    try:
        keeping = asyncio.create_task(supervise.keep_alive("c", [], stop=stop, hangup=hangup))
        await lines(told, 1)
        os.kill(os.getpid(), signal.SIGHUP)
        assert await lines(told, 2) == ["ready", "hangup 1"]
        os.kill(os.getpid(), signal.SIGHUP)
        assert await lines(told, 3) == ["ready", "hangup 1", "hangup 2"], "never started again"
        assert not keeping.done()
    finally:
        stop.set()
        await asyncio.wait_for(keeping, 5.0)
        asyncio.get_running_loop().remove_signal_handler(signal.SIGHUP)
