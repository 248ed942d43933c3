"""Connections that never ask: closed, so that whoever opens thousands holds nothing of ours.

aiohttp ends a connection that is idle after its first request, and waits for the first one for
ever. A connection has FIRST_S for all of its first request's head; afterwards KEPT_S between one
request and the next.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler

FIRST_S: Final = 30.0
KEPT_S: Final = 75.0
LOOK_S: Final = 1.0


@asynccontextmanager
async def serving(
    app: web.Application, *, max_line_size: int, first_s: float = FIRST_S
) -> AsyncIterator[web.AppRunner]:
    """`app`, set up to be given sites. Times in real seconds."""
    asked: set[object] = set()

    @web.middleware
    async def note(request: web.Request, handler: Handler) -> web.StreamResponse:
        asked.add(request.protocol)
        return await handler(request)

    app.middlewares.insert(0, note)
    runner = web.AppRunner(
        app,
        access_log=None,
        shutdown_timeout=2.0,
        max_line_size=max_line_size,
        keepalive_timeout=KEPT_S,
    )
    await runner.setup()
    watch = asyncio.create_task(_watch(runner, asked, first_s), name="connections that never ask")
    try:
        yield runner
    finally:
        watch.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watch
        await runner.cleanup()


async def _watch(runner: web.AppRunner, asked: set[object], first_s: float) -> None:
    loop = asyncio.get_running_loop()
    since_s: dict[object, float] = {}
    while True:
        await asyncio.sleep(min(LOOK_S, first_s))
        server = runner.server
        open_now = [] if server is None else server.connections
        asked &= set(open_now)
        waiting = [one for one in open_now if one not in asked]
        now_s = loop.time()
        since_s = {one: since_s.get(one, now_s) for one in waiting}
        for one in waiting:
            if now_s - since_s[one] >= first_s:
                one.force_close()
