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


WATCHFUL = """
import asyncio, pathlib
from gridctl.supervise import parent_gone
async def main():
    watching = asyncio.create_task(parent_gone())
    await asyncio.sleep(0.2)
    pathlib.Path("began").touch()
    await watching
asyncio.run(main())
pathlib.Path("ended").touch()
"""
PARENT = """
import os, pathlib, subprocess, sys, time
read, write = os.pipe()
quiet = {"stdout": subprocess.DEVNULL}
subprocess.Popen([sys.executable, "-c", sys.argv[1]], stdin=read, **quiet)
subprocess.Popen(["sleep", "20"], pass_fds=(write,), **quiet)
while not pathlib.Path("began").exists():
    time.sleep(0.02)
print(os.getpid(), flush=True)
time.sleep(60)
"""


async def test_a_child_sees_that_its_parent_is_gone_though_its_stdin_is_held_open(
    tmp_path: Path,
) -> None:
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PARENT, WATCHFUL, cwd=tmp_path, stdout=asyncio.subprocess.PIPE
    )
    assert parent.stdout is not None
    async with asyncio.timeout(60):
        await parent.stdout.readline()
        assert not (tmp_path / "ended").exists()
        parent.kill()
        await parent.wait()
        while not (tmp_path / "ended").exists():  # noqa: ASYNC110
            await asyncio.sleep(0.05)
