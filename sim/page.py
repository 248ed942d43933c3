"""A small page in front of the running mirror: one-line, clock, faults. Loopback only.

A few lines of HTTP/1.1 on asyncio: the mirror installs no web server. A request must name this
host (no DNS rebinding), and what changes something must come from this page (its token).
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import json
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from importlib.resources import files
from typing import Any, Final

from gridctl.model.errors import ConfigError
from sim.fault_kinds import KINDS
from sim.faults import FaultBoard
from sim.instructor import Instructor
from sim.one_line import one_line
from sim.scenario import local_text
from sim.world import World

HOST: Final = "127.0.0.1"
REQUEST_MAX: Final = 16_384
IDLE_S: Final = 15.0
CLIENTS_MAX: Final = 16
_HEADERS: Final = (
    "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nX-Frame-Options: DENY\r\n"
    "Content-Security-Policy: default-src 'self'; style-src 'self' 'unsafe-inline'; "
    "script-src 'nonce-{nonce}'; img-src data:; base-uri 'none'; form-action 'none'\r\n"
    "Connection: close\r\n"
)


class Page:
    """Answers `/`, `/state` and `/fault`."""

    def __init__(
        self, world: World, faults: FaultBoard, instructor: Instructor, served: Mapping[str, Any]
    ) -> None:
        self._world = world
        self._faults = faults
        self._instructor = instructor
        self._served = served
        self._token = secrets.token_urlsafe(24)
        self._clients = 0
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request, one answer."""
        self._clients += 1
        try:
            if self._clients <= CLIENTS_MAX:
                async with asyncio.timeout(IDLE_S):
                    await self._converse(reader, writer)
        except (TimeoutError, ConnectionError, asyncio.IncompleteReadError, ValueError):
            pass  # a client that is gone, asleep, or speaks no HTTP
        finally:
            self._clients -= 1
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.split("\r\n")
        method, path, _ = first.split(" ", 2)
        headers = {
            name.strip().lower(): value.strip()
            for name, _, value in (line.partition(":") for line in lines if line)
        }
        length = int(headers.get("content-length", "0"))
        if not 0 <= length <= REQUEST_MAX:
            raise ValueError("too long")
        body = await reader.readexactly(length)
        status, kind, content = await self._answer(method, path, headers, body)
        nonce = self._token
        writer.write(
            (
                f"HTTP/1.1 {status}\r\nContent-Type: {kind}; charset=utf-8\r\n"
                f"Content-Length: {len(content)}\r\n{_HEADERS.format(nonce=nonce)}\r\n"
            ).encode()
            + content
        )
        await writer.drain()

    async def _answer(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[str, str, bytes]:
        if headers.get("host") not in {f"{HOST}:{self.port}", f"localhost:{self.port}"}:
            return _json("421 Misdirected Request", {"reasons": ["this page is on loopback only"]})
        match method, path:
            case "GET", "/":
                return "200 OK", "text/html", self._document()
            case "GET", "/state":
                return _json("200 OK", self.state())
            case "POST", "/fault":
                if not hmac.compare_digest(headers.get("x-sim-token", ""), self._token):
                    return _json("403 Forbidden", {"reasons": ["not from this page"]})
                return await self._fault(body)
            case _:
                return _json("404 Not Found", {"reasons": ["there is /, /state and /fault"]})

    async def _fault(self, body: bytes) -> tuple[str, str, bytes]:
        try:
            asked = json.loads(body)
            name, on = asked["name"], asked["on"]
            target, amount = asked.get("target", ""), asked.get("amount")
        except (ValueError, KeyError, TypeError, AttributeError):
            return _json("400 Bad Request", {"reasons": ['{"name", "on", "target", "amount"}']})
        if not isinstance(name, str) or not isinstance(on, bool) or not isinstance(target, str):
            return _json("400 Bad Request", {"reasons": ["name and target are texts, on a bool"]})
        answer = await self._instructor.switch(name, on=on, target=target, amount=amount)
        return _json("200 OK" if answer["ok"] else "409 Conflict", answer)

    def state(self) -> Mapping[str, Any]:
        """What the page paints."""
        world = self._world
        return {
            **self._instructor.status(),
            "local": local_text(world.scenario, world.at_s),
            "limit_kw": world.scenario.head_limit_kw,
            "band_pu": [world.scenario.voltage_min_pu, world.scenario.voltage_max_pu],
            "voltages": {
                n.mrid: [round(world.voltage_pu(n.mrid, p), 4) for p in n.phases]
                for n in world.feeder.nodes
            },
            "open": sorted(world.outages.cut),
            "devices": {n: round(d.power_kw, 1) for n, d in world.devices.items()},
        }

    def _document(self) -> bytes:
        world = self._world
        where = {n: d.site.resource.terminals[0].node for n, d in world.devices.items()}
        told = {
            "token": self._token,
            "served": self._served,
            "faults": [
                {
                    "name": k.fault.value,
                    "does": k.does,
                    "unit": k.unit,
                    "amount": k.amount,
                    "momentary": k.momentary,
                    "targets": self._faults.targets(k.aim),
                }
                for k in KINDS.values()
            ],
        }
        text = files("sim").joinpath("page.html").read_text(encoding="utf-8")
        # "<" only ever stands in a string there, so the script cannot be ended by the data.
        data = json.dumps(told).replace("<", "\\u003c")
        return (
            text.replace("{{nonce}}", self._token)
            .replace("{{title}}", world.scenario.title)
            .replace("{{oneline}}", one_line(world.feeder, where))
            .replace("{{told}}", data)
            .encode()
        )


@asynccontextmanager
async def page_served(page: Page, port: int) -> AsyncIterator[str]:
    """The page on loopback until the block ends; its address. ConfigError for a taken port."""
    try:
        server = await asyncio.start_server(page.serve, HOST, port, limit=REQUEST_MAX)
    except OSError as error:
        raise ConfigError(
            f"the page cannot listen on port {port}: {error.strerror or error}",
            file="gridctl sim",
            key="--page",
            hint="another program has the port: name another one, or 0 for no page",
        ) from None
    page.port = int(server.sockets[0].getsockname()[1])
    try:
        yield f"http://{HOST}:{page.port}/"
    finally:
        server.close()
        await server.wait_closed()


def _json(status: str, value: Mapping[str, Any]) -> tuple[str, str, bytes]:
    return status, "application/json", json.dumps(value).encode()
