"""A loopback TCP proxy that can become a black hole: connections stay open, nothing gets through.

What no real server can be asked to do politely, tests ask of this.
"""

from __future__ import annotations

import asyncio


class LoopbackProxy:
    """Forwards `port` to `upstream_port`. While frozen it reads nothing more from either side, so
    what is sent meanwhile waits in the kernel's buffers and goes on after `thaw`."""

    def __init__(self, *, port: int, upstream_port: int) -> None:
        self._port = port
        self._upstream_port = upstream_port
        self._server: asyncio.Server | None = None
        self._flow = asyncio.Event()
        self._flow.set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._pumps: set[asyncio.Task[None]] = set()
        self.connections = 0
        self.slams = False
        """True: what connects is accepted and closed at once."""

    async def start(self) -> None:
        """Listen; harmless when it listens already."""
        if self._server is None:
            self._server = await asyncio.start_server(self._accept, "127.0.0.1", self._port)

    async def stop(self) -> None:
        """Close the port and break every connection."""
        server, self._server = self._server, None
        if server is not None:
            server.close()
        self.cut()
        pumps = list(self._pumps)
        for pump in pumps:
            pump.cancel()
        await asyncio.gather(*pumps, return_exceptions=True)
        self._flow.set()

    def freeze(self) -> None:
        self._flow.clear()

    def thaw(self) -> None:
        self._flow.set()

    def cut(self) -> None:
        """Reset every connection; the port stays open."""
        for writer in list(self._writers):
            writer.transport.abort()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        if self.slams:
            writer.transport.abort()
            return
        self._writers.add(writer)
        await self._flow.wait()
        try:
            up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self._upstream_port)
        except OSError:
            writer.transport.abort()
            self._writers.discard(writer)
            return
        self._writers.add(up_writer)
        for source, sink in ((reader, up_writer), (up_reader, writer)):
            pump = asyncio.create_task(self._pump(source, sink))
            self._pumps.add(pump)
            pump.add_done_callback(self._pumps.discard)

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        try:
            while data := await source.read(65_536):
                await self._flow.wait()
                sink.write(data)
                await sink.drain()
        except OSError:
            return
        finally:
            sink.transport.abort()
            self._writers.discard(sink)
