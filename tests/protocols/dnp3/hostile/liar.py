"""An outstation that can be told to lie: honest until a mode is set, honest again afterwards.

In a test's own event loop, or as a process of its own (`python -m …hostile.liar`, commands on
stdin, one JSON line back each), so that a flood does not run on the loop whose lag is measured.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import socket
import ssl
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import Protocol

from tests.protocols.dnp3.hostile.device import HonestDevice
from tests.protocols.dnp3.hostile.wire import CONFIRM, Request, RequestReader, segmented


class Line:
    """One connection, as a mode sees it."""

    def __init__(self, writer: asyncio.StreamWriter, device: HonestDevice, seed: int) -> None:
        self._writer = writer
        self.device = device
        self.rng = random.Random(seed)  # noqa: S311 - repeatable, no secret
        self.transport_sequence = 0
        self.unsolicited_sequence = 0
        self.sent_octets = 0

    async def send(self, octets: bytes) -> None:
        """Octets as they are; waits until the master has room for them."""
        self._writer.write(octets)
        self.sent_octets += len(octets)
        await self._writer.drain()
        # A drain that has nothing to wait for does not yield: a flood would starve the liar itself.
        await asyncio.sleep(0)

    async def fragment(self, fragment: bytes | None) -> None:
        """A fragment in honest frames; nothing for None."""
        if fragment is not None:
            await self.send(b"".join(self.frames(fragment)))

    def frames(self, fragment: bytes) -> list[bytes]:
        frames = segmented(fragment, sequence=self.transport_sequence)
        self.transport_sequence += len(frames)
        return frames

    def close(self) -> None:
        self._writer.close()


class Mode(Protocol):
    """One way to misbehave."""

    accepts: bool
    """False: no connection gets through at all."""
    prompt: bool
    """Its answers end by themselves and at once; others are cut off when the mode changes."""

    async def opened(self, line: Line) -> None:
        """Runs beside the answers for as long as connection and mode last."""
        ...

    async def answer(self, line: Line, request: Request) -> None:
        """What comes back for a request, if anything."""
        ...


class Honest:
    """No lie at all; the base of those that lie in one thing only."""

    accepts = True
    prompt = True

    async def opened(self, line: Line) -> None:
        return

    async def answer(self, line: Line, request: Request) -> None:
        await line.fragment(line.device.answer(request))


class Liar:
    """The listener. `set_mode` may be called at any time; running lies end at once."""

    def __init__(self, *, port: int, seed: int, tls: ssl.SSLContext | None = None) -> None:
        self._port = port
        self._seed = seed
        self._tls = tls
        self._mode: Mode = Honest()
        self._server: asyncio.Server | None = None
        self._deaf: list[socket.socket] = []
        self._lines: dict[Line, set[asyncio.Task[None]]] = {}
        self._handlers: set[asyncio.Task[None]] = set()
        self.device = HonestDevice()
        self.connects = 0
        self.requests = 0
        self.confirms = 0
        self.faults: list[str] = []
        self._closed_octets = 0

    @property
    def sent_octets(self) -> int:
        return self._closed_octets + sum(line.sent_octets for line in self._lines)

    async def start(self) -> None:
        for _ in range(40):
            with suppress(OSError):
                self._server = await asyncio.start_server(
                    self._serve, "127.0.0.1", self._port, ssl=self._tls
                )
                return
            await asyncio.sleep(0.05)
        raise OSError(f"port {self._port} stays taken")

    async def stop(self) -> None:
        for line in list(self._lines):
            line.close()
        await self._shut()
        for handler in list(self._handlers):
            handler.cancel()
        await asyncio.gather(*self._handlers, return_exceptions=True)

    async def _shut(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            server.close()
        for one in self._deaf:
            one.close()
        self._deaf.clear()

    async def set_mode(self, mode: Mode) -> None:
        """From now on `mode`, on the connections that stand as well."""
        was, self._mode = self._mode, mode
        for tasks in self._lines.values():
            for task in () if was.prompt else tasks:
                task.cancel()
        if not mode.accepts:
            for line in list(self._lines):
                line.close()
            await self._shut()
            await asyncio.sleep(0.1)
            self._fill_backlog()
            return
        if not was.accepts:
            await self._shut()
            await self.start()
        for line in self._lines:
            self._run(line, partial(mode.opened, line))

    def _fill_backlog(self) -> None:
        """Listen without ever accepting, with the queue full: a further SYN gets no answer."""
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self._port))
        listener.listen(0)
        self._deaf.append(listener)
        for _ in range(4):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", self._port))
            self._deaf.append(filler)

    def _run(self, line: Line, work: Callable[[], Awaitable[None]]) -> asyncio.Task[None]:
        async def guarded() -> None:
            with suppress(ConnectionError):
                await work()

        task = asyncio.create_task(guarded())
        tasks = self._lines.setdefault(line, set())
        tasks.add(task)
        task.add_done_callback(tasks.discard)
        return task

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connects += 1
        handler = asyncio.current_task()
        assert handler is not None
        self._handlers.add(handler)
        line = Line(writer, self.device, self._seed * 1_000_003 + self.connects)
        self._lines[line] = set()
        self._run(line, partial(self._mode.opened, line))
        requests = RequestReader()
        try:
            while octets := await reader.read(4_096):
                for request in requests.feed(octets):
                    if request.function == CONFIRM:
                        self.confirms += 1
                    else:
                        self.requests += 1
                    answering = self._run(line, partial(self._mode.answer, line, request))
                    await asyncio.wait({answering})
                self.faults += requests.faults[: 10 - len(self.faults)]
                requests.faults.clear()
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            for task in self._lines.pop(line):
                task.cancel()
            self._closed_octets += line.sent_octets
            self._handlers.discard(handler)
            writer.close()


def report(liar: Liar) -> dict[str, object]:
    """What a test wants to know of a liar in another process."""
    return {
        "connects": liar.connects,
        "requests": liar.requests,
        "confirms": liar.confirms,
        "octets": liar.sent_octets,
        "operated": liar.device.operated,
        "direct": liar.device.direct,
        "faults": liar.faults,
    }


async def _main(port: int, seed: int) -> None:
    from tests.protocols.dnp3.hostile.modes import MODES

    liar = Liar(port=port, seed=seed)
    await liar.start()
    commands = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(commands), sys.stdin
    )
    sys.stdout.write("{}\n")
    sys.stdout.flush()
    while line := (await commands.readline()).decode().strip():
        if line != "report":
            await liar.set_mode(MODES[line]())
        sys.stdout.write(json.dumps(report(liar)) + "\n")
        sys.stdout.flush()
    await liar.stop()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--seed", type=int, required=True)
    given = parser.parse_args()
    asyncio.run(_main(given.port, given.seed))
