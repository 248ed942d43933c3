"""Child processes: started by exec, watched, restarted with backoff, never left behind.

A child's stdin is a pipe that nobody writes to: when the parent is gone, however it died, the child
reads end-of-file, or finds another parent than it had, and winds down by itself. A child runs in
its own session, so that Ctrl-C at the terminal reaches the parent alone, which then stops its
children in order.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys
from collections.abc import Sequence

from gridctl.model.errors import ConfigError

log = logging.getLogger(__name__)

RESTART_FIRST_S = 0.5
RESTART_MAX_S = 10.0
STOP_DEADLINE_S = 10.0
PARENT_LOOK_S = 0.5
EXIT_CONFIG = 3
"""A child that refuses its configuration: starting it again would not help."""


async def spawn(
    arguments: Sequence[str], *, pipe_stdout: bool = False
) -> asyncio.subprocess.Process:
    """Start `python -P -m gridctl.cli ARGUMENTS` with a life line on stdin."""
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-P",
        "-m",
        "gridctl.cli",
        *arguments,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE if pipe_stdout else asyncio.subprocess.DEVNULL,
        start_new_session=True,
        env={**os.environ, "PYTHONSAFEPATH": "1"},
    )


async def end(process: asyncio.subprocess.Process) -> None:
    """Ask a child to stop, then make it."""
    if process.returncode is not None:
        return
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(signal.SIGTERM)
    try:
        await asyncio.wait_for(process.wait(), STOP_DEADLINE_S)
    except TimeoutError:
        log.warning("child %d does not stop; killed", process.pid)
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def keep_alive(
    name: str,
    arguments: Sequence[str],
    *,
    stop: asyncio.Event,
    hangup: asyncio.Event | None = None,
) -> None:
    """Keep one child running until `stop`; restart it when it dies (backoff up to 10 s). Each time
    that `hangup` is set the child gets SIGHUP: it is the one who has something to read anew.

    Raises ConfigError when the child itself says that a human must mend its configuration.
    """
    delay_s = RESTART_FIRST_S
    while not stop.is_set():
        started_s = asyncio.get_running_loop().time()
        process = await spawn(arguments)
        log.info("%s runs as process %d", name, process.pid)
        waiting = asyncio.create_task(process.wait())
        stopping = asyncio.create_task(stop.wait())
        passing = asyncio.create_task(_pass_on(hangup, process))
        try:
            await asyncio.wait({waiting, stopping}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopping.cancel()
            passing.cancel()
            await end(process)
            waiting.cancel()
        if stop.is_set():
            return
        if process.returncode == EXIT_CONFIG:
            raise ConfigError(
                "refuses to start", file=name, hint="its own message stands above this one"
            )
        lived_s = asyncio.get_running_loop().time() - started_s
        delay_s = RESTART_FIRST_S if lived_s > RESTART_MAX_S else min(delay_s * 2, RESTART_MAX_S)
        log.error("%s ended with code %s; restart in %.1f s", name, process.returncode, delay_s)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), delay_s)


async def _pass_on(hangup: asyncio.Event | None, process: asyncio.subprocess.Process) -> None:
    while hangup is not None:
        await hangup.wait()
        hangup.clear()
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGHUP)


def hangup_on_signal(hangup: asyncio.Event) -> None:
    """SIGHUP sets `hangup`: a request to read files anew, never an end."""
    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, hangup.set)


def stop_on_signals(stop: asyncio.Event) -> None:
    """SIGINT and SIGTERM set `stop`."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)


async def parent_gone() -> None:
    """Returns when the process that started us is no more: stdin is at its end, or somebody else is
    our parent now. Either alone is not enough: a process that the parent has forked may hold the
    other end of stdin open long after it."""
    parent = os.getppid()
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    ended = asyncio.ensure_future(_to_its_end(reader))
    try:
        while not ended.done() and os.getppid() == parent:
            await asyncio.wait({ended}, timeout=PARENT_LOOK_S)
    finally:
        ended.cancel()


async def _to_its_end(reader: asyncio.StreamReader) -> None:
    while await reader.read(1024):
        pass
