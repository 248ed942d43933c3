"""A connection that never asks is closed; one that asked is not, however long it then waits."""

from __future__ import annotations

import asyncio

from aiohttp import web

from gridctl.web.idle import serving


async def hello(request: web.Request) -> web.Response:
    return web.Response(text="hello")


async def test_who_never_asks_is_closed() -> None:
    app = web.Application()
    app.add_routes([web.get("/", hello)])
    async with serving(app, max_line_size=8_190, first_s=0.3) as runner:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0]
        silent, silent_writer = await asyncio.open_connection(host, port)
        half, half_writer = await asyncio.open_connection(host, port)
        asked, asked_writer = await asyncio.open_connection(host, port)
        half_writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n")
        asked_writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"200 OK" in await asked.readline()
        async with asyncio.timeout(10.0):
            assert await silent.read() == b""
            await half.read()
        # nothing but our own patience has closed those two: the third is still there
        await asked.readuntil(b"hello")
        asked_writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        async with asyncio.timeout(10.0):
            assert b"200 OK" in await asked.readline()
        for writer in (silent_writer, half_writer, asked_writer):
            writer.close()
