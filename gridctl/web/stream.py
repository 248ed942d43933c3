"""Live frames over WebSocket: one frame a second is made once and given to every client.

A slow client has a queue of four frames; the oldest is dropped, and nothing else ever waits for it.
The socket is read-only: what comes up is not listened to.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections import deque
from typing import Any

from aiohttp import WSMsgType, web

from gridctl.control.ports import Desk, Store
from gridctl.model.clock import Clock
from gridctl.model.errors import UnavailableError
from gridctl.model.program import RequestState
from gridctl.web.auth import Gate, same_origin
from gridctl.web.problem import problem
from gridctl.web.views import FrameView

log = logging.getLogger(__name__)

FIRST_SHARED_S = 0.25
QUEUE_FRAMES_MAX = 4
PERIOD_S = 1.0
SESSION_CHECK_S = 30.0
SEND_DEADLINE_S = 10.0
CLIENTS_MAX = 200
TREND_BACK_S = 2 * 3600.0
TREND_STEP_S = 60.0
_OPEN_REQUESTS = (RequestState.RECEIVED, RequestState.PLANNED, RequestState.ACTIVE)


class _Client:
    """A queue that forgets the oldest frame rather than wait."""

    def __init__(self) -> None:
        self.frames: deque[str] = deque(maxlen=QUEUE_FRAMES_MAX)
        self.ready = asyncio.Event()

    def put(self, text: str) -> None:
        self.frames.append(text)
        self.ready.set()


class Stream:
    """The broadcaster and its clients."""

    def __init__(
        self, *, desk: Desk, store: Store, gate: Gate, view: FrameView, clock: Clock
    ) -> None:
        self._desk = desk
        self._store = store
        self._gate = gate
        self._view = view
        self._clock = clock
        self._clients: set[_Client] = set()
        self._seq = 0
        self._first = ""
        self._first_mono_s = float("-inf")
        self._making_first = asyncio.Lock()

    async def frame(self, *, full: bool) -> dict[str, Any]:
        """The frame of now; the full one carries the recent trend."""
        picture = self._desk.picture()
        trend = None
        if full:
            trend = await self._store.series(
                picture.head_point,
                start_s=picture.at_s - TREND_BACK_S,
                end_s=picture.at_s,
                step_s=TREND_STEP_S,
            )
        self._seq += 1
        return self._view.frame(
            picture,
            seq=self._seq,
            plans=[p for p in await self._desk.plans(limit=20) if not p.stored.state.is_final],
            requests=await self._store.requests(states=_OPEN_REQUESTS),
            trend=trend,
        )

    async def run(self) -> None:
        """Make and hand out frames until cancelled, at absolute times: skip, never burst."""
        due_s = self._clock.monotonic_s()
        while True:
            if self._clients:
                try:
                    text = json.dumps(await self.frame(full=False), separators=(",", ":"))
                except UnavailableError:
                    log.warning("no frame: the store does not answer")
                else:
                    for client in tuple(self._clients):
                        client.put(text)
            now_s = self._clock.monotonic_s()
            due_s = max(due_s + PERIOD_S, now_s)
            await asyncio.sleep(due_s - now_s)

    async def overview(self, _: web.Request) -> web.StreamResponse:
        """The full frame once, for programs that poll."""
        return web.json_response(await self.frame(full=True))

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """The WebSocket route; the gate has proved the session."""
        if not same_origin(request):
            return problem(403, "foreign_origin", "Socket asked for by another site")
        if len(self._clients) >= CLIENTS_MAX:
            return problem(503, "too_many_clients", "Too many consoles are open")
        socket = web.WebSocketResponse(heartbeat=20.0, max_msg_size=1024)
        await socket.prepare(request)
        client = _Client()
        client.put(await self._first_frame())
        self._clients.add(client)
        reader = asyncio.create_task(self._drain(socket))
        try:
            await self._pump(request, socket, client)
        except (TimeoutError, ConnectionError):
            log.info("console went away: %s", request.remote)
        finally:
            self._clients.discard(client)
            reader.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await reader
            await socket.close()
        return socket

    async def _first_frame(self) -> str:
        """The full frame for a new client. Those who come together share one: after a restart
        every console of the room is back in the same second."""
        async with self._making_first:
            if self._clock.monotonic_s() - self._first_mono_s > FIRST_SHARED_S:
                self._first = json.dumps(await self.frame(full=True), separators=(",", ":"))
                self._first_mono_s = self._clock.monotonic_s()
            return self._first

    async def _pump(
        self, request: web.Request, socket: web.WebSocketResponse, client: _Client
    ) -> None:
        checked_s = self._clock.monotonic_s()
        while not socket.closed:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(client.ready.wait(), PERIOD_S * 2)
            client.ready.clear()
            if self._clock.monotonic_s() - checked_s > SESSION_CHECK_S:
                checked_s = self._clock.monotonic_s()
                if await self._gate.signed(request, active=False) is None:
                    await socket.close(code=4401, message=b"session ended")
                    return
            while client.frames:
                await asyncio.wait_for(socket.send_str(client.frames.popleft()), SEND_DEADLINE_S)

    async def _drain(self, socket: web.WebSocketResponse) -> None:
        async for message in socket:
            if message.type in (WSMsgType.ERROR, WSMsgType.CLOSE):
                return
