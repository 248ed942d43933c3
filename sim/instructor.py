"""The instructor's socket: what truly happens in the mirror, and a hand on its faults.

A Unix socket (0600) in the instance folder that speaks JSON lines, one answer a line:

    {"do": "status"}                                    time, truth at the head, commands received
    {"do": "fault", "name": "local", "on": true, "target": "BESS01"}
    {"do": "fault", "name": "wrong-time", "on": true, "target": "DR", "amount": 600}
    {"do": "faults"}                                    every fault, what it takes, its targets
    {"do": "log", "limit": 100}                         commands as they arrived at the devices

It is a test instrument: nothing in gridctl may look here for a measurement.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from collections.abc import Callable, Mapping
from itertools import islice
from pathlib import Path
from typing import Any, Final

from gridctl.model.errors import Refusal
from sim.fault_kinds import KINDS, Fault
from sim.faults import FaultBoard
from sim.scenario import local_text
from sim.world import World

LINE_BYTES_MAX: Final = 4_096
IDLE_S: Final = 60.0
LOG_MAX: Final = 1_000
CLIENTS_MAX: Final = 8
_KNOWN: Final = (
    'known: {"do": "status"}, {"do": "faults"}, {"do": "fault", "name", "on", "target", "amount"}, '
    '{"do": "log", "limit"}'
)
STOP_S: Final = 2.0


class Instructor:
    """Listens on `socket` from `start` to `stop`. `pace` tells whether time is held; `replay`: the
    recording that is shown instead of the world and how far, in words; "" for none."""

    def __init__(
        self,
        *,
        socket: Path,
        world: World,
        faults: FaultBoard,
        pace: Callable[[], Mapping[str, Any]] = dict,
        replay: Callable[[], str] = str,
    ) -> None:
        self._replay = replay
        self._socket = socket
        self._pace = pace
        self._world = world
        self._faults = faults
        self._server: asyncio.Server | None = None
        self._clients: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    async def start(self) -> None:
        """Listen. A socket left behind by a dead process is taken over; OSError otherwise."""
        self._socket.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._socket.unlink(missing_ok=True)
        # The socket must never be open to others, not even between bind and chmod.
        before = os.umask(0o177)
        try:
            self._server = await asyncio.start_unix_server(
                self._serve, path=str(self._socket), limit=LINE_BYTES_MAX
            )
        finally:
            os.umask(before)

    async def stop(self) -> None:
        """Close, with whoever is connected. Harmless when not started."""
        server, self._server = self._server, None
        if server is None:
            return
        server.close()
        for writer in self._clients.values():
            writer.close()
        if self._clients:
            await asyncio.wait(self._clients, timeout=STOP_S)
        await server.wait_closed()
        self._socket.unlink(missing_ok=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is None or len(self._clients) >= CLIENTS_MAX:
            writer.close()
            return
        self._clients[task] = writer
        try:
            await self._converse(reader, writer)
        except (TimeoutError, ConnectionError):
            pass  # The client is gone or asleep; it may come back.
        finally:
            self._clients.pop(task, None)
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            async with asyncio.timeout(IDLE_S):
                try:
                    line = await reader.readline()
                except ValueError:  # longer than LINE_BYTES_MAX
                    line = b""
                if not line:
                    return
                answer = await self._answer(line)
                writer.write(json.dumps(answer).encode() + b"\n")
                await writer.drain()

    async def _answer(self, line: bytes) -> Mapping[str, Any]:
        try:
            asked = json.loads(line)
        except (json.JSONDecodeError, UnicodeDecodeError):
            return _no("the line is not JSON")
        if not isinstance(asked, dict):
            return _no("the line is not an object")
        match asked:
            case {"do": "status", **rest} if not rest:
                return self.status()
            case {"do": "log", **rest} if set(rest) <= {"limit"}:
                return self._log(rest.get("limit", LOG_MAX))
            case {"do": "faults", **rest} if not rest:
                return self._list()
            case {"do": "fault", "name": str(name), "on": bool(on), **rest} if set(rest) <= {
                "target",
                "amount",
            }:
                return await self.switch(
                    name, on=on, target=str(rest.get("target", "")), amount=rest.get("amount")
                )
            case _:
                return _no(_KNOWN)

    async def switch(
        self, name: str, *, on: bool, target: str = "", amount: object = None
    ) -> Mapping[str, Any]:
        """Switch a fault; the status after it, or the refusal."""
        if amount is not None and (isinstance(amount, bool) or not isinstance(amount, int | float)):
            return _no("amount is a number")
        chosen = None if amount is None else float(amount)
        refusal = await self._faults.switch(name, on=on, target=target, amount=chosen)
        return _refusal(refusal) if refusal is not None else self.status()

    def _list(self) -> Mapping[str, Any]:
        return {
            "ok": True,
            "faults": [
                {
                    "name": kind.fault.value,
                    "does": kind.does,
                    "aim": kind.aim.value,
                    "unit": kind.unit,
                    "amount": kind.amount,
                    "momentary": kind.momentary,
                    "targets": self._faults.targets(kind.aim),
                }
                for kind in KINDS.values()
            ],
        }

    def status(self) -> Mapping[str, Any]:
        """The truth now."""
        world = self._world
        return {
            "ok": True,
            "tick": world.ticks,
            "grid_s": world.at_s,
            "local": local_text(world.scenario, world.at_s),
            "replay": self._replay(),
            "head_kw": world.grid.solution.head_kw,
            "losses_kw": world.grid.solution.losses_kw,
            "unserved_kw": world.unserved_kw,
            "diverged": world.diverged,
            "pace": self._pace(),
            "commands": {
                "total": sum(world.received.values()),
                "by_link": dict(world.commands_by_link),
                "by_point": dict(world.received),
            },
            "faults": [
                {
                    **one,
                    "unit": KINDS[Fault(one["name"])].unit,
                    "since": local_text(world.scenario, one["since_s"]),
                }
                for one in self._faults.kept()
            ],
        }

    def _log(self, limit: object) -> Mapping[str, Any]:
        if not isinstance(limit, int) or isinstance(limit, bool) or not 0 < limit <= LOG_MAX:
            return _no(f"limit is 1 to {LOG_MAX}")
        log = self._world.log
        newest = islice(log, max(0, len(log) - limit), None)
        return {
            "ok": True,
            "commands": [
                {
                    "at_s": c.at_s,
                    "link": c.link,
                    "point": c.point,
                    "value": c.value,
                    "lease_s": c.lease_s,
                    "verdict": c.verdict.value,
                }
                for c in newest
            ],
        }


def _no(reason: str) -> Mapping[str, Any]:
    return {"ok": False, "code": "bad_request", "reasons": [reason]}


def _refusal(refusal: Refusal) -> Mapping[str, Any]:
    return {"ok": False, "code": refusal.code, "reasons": list(refusal.reasons)}


async def ask(socket: Path, question: Mapping[str, Any], *, timeout_s: float) -> dict[str, Any]:
    """One question to a running simulator. Raises OSError or TimeoutError when it is not there."""
    async with asyncio.timeout(timeout_s):
        reader, writer = await asyncio.open_unix_connection(str(socket), limit=4 * 1024 * 1024)
        try:
            writer.write(json.dumps(question).encode() + b"\n")
            await writer.drain()
            answer: dict[str, Any] = json.loads(await reader.readline())
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()
    return answer
