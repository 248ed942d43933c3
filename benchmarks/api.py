"""`make bench-api`: the OpenADR side beside a bare aiohttp endpoint, as CPU time of the server.

CPU time and not wall time: it is what one more request costs, whoever else is on the machine. Every
case is a burst of requests over CONNECTIONS connections, the servers in turn, the least of ROUNDS.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from benchmarks.report import Figure, main, median
from gridctl.assembly_vtn import PREFIX
from tests.gridctl.store import postgres

CONNECTIONS = 16
ROUNDS = 3
BARE = 8
"""Times as many requests to the bare endpoint: the kernel counts CPU time in ticks of 10 ms."""
EVENTS = 60
SUBSCRIPTIONS = 1_000
VENS = 10_000
POLL_EVERY_S = 60.0
POST_EVERY_S = 2.0
TICK_S = os.sysconf("SC_CLK_TCK")

Ask = Callable[[aiohttp.ClientSession, int], Awaitable[None]]


@dataclass(slots=True)
class Server:
    """A running server, its CPU time, and what it told of its loop when it ended."""

    url: str
    pid: int
    loop: dict[str, float] = field(default_factory=dict)

    def cpu_s(self) -> float:
        words = (
            Path(f"/proc/{self.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        )
        return (int(words[11]) + int(words[12])) / TICK_S


@asynccontextmanager
async def serving(*words: str) -> AsyncIterator[Server]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-P", "-m", "benchmarks.api_server", *words,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    if process.stdout is None or process.stdin is None:
        raise RuntimeError("the server has no pipes")
    first = await asyncio.wait_for(process.stdout.readline(), 30.0)
    server = Server(url=first.decode().strip(), pid=process.pid)
    try:
        yield server
    finally:
        process.stdin.close()
        with contextlib.suppress(TimeoutError):
            told = await asyncio.wait_for(process.stdout.readline(), 30.0)
            server.loop = json.loads(told) if told else {}
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await process.wait()


async def cost_us(server: Server, session: aiohttp.ClientSession, ask: Ask, count: int) -> float:
    """CPU time of the server for one request, microseconds, the least of ROUNDS bursts."""
    best = float("inf")
    for number in range(ROUNDS + 1):
        waiting = iter(range(number * count, (number + 1) * count))

        async def worker(waiting: Any = waiting) -> None:
            for index in waiting:
                await ask(session, index)

        before_s = server.cpu_s()
        await asyncio.gather(*(worker() for _ in range(CONNECTIONS)))
        spent_s = server.cpu_s() - before_s
        if number:  # the first burst only warms up
            best = min(best, spent_s / count)
    return 1e6 * best


class Vtn:
    """The customer system's side: what a business-logic client and a VEN ask."""

    def __init__(self, server: Server, session: aiohttp.ClientSession) -> None:
        self.server = server
        self.session = session
        self.url = server.url + PREFIX
        self.tokens: dict[str, dict[str, str]] = {}
        self.program = ""
        self.events: list[str] = []

    async def sign_in(self, client: str, secret: str) -> None:
        form = {"grant_type": "client_credentials", "client_id": client, "client_secret": secret}
        async with self.session.post(f"{self.url}/auth/token", data=form) as answer:
            token = (await answer.json())["access_token"]
        self.tokens[client] = {"Authorization": f"Bearer {token}"}

    async def made(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        headers = self.tokens["bl_client"]
        async with self.session.post(self.url + path, json=body, headers=headers) as answer:
            told: dict[str, Any] = await answer.json()
            if answer.status != 201:
                raise RuntimeError(f"{path}: {answer.status} {told}")
            return told

    def event(self, name: str) -> dict[str, Any]:
        payload = {"type": "PRICE", "values": [0.31]}
        return {
            "programID": self.program,
            "eventName": name,
            "intervalPeriod": {"start": "2026-08-05T16:00:00Z", "duration": "PT5M"},
            "targets": ["feeder-7"],
            "intervals": [{"id": k, "payloads": [payload]} for k in range(12)],
        }

    async def fill(self) -> None:
        await self.sign_in("bl_client", "1001")
        await self.sign_in("ven_client", "999")
        self.program = str((await self.made("/programs", {"programName": "Bench"}))["id"])
        targets = ["feeder-7"]
        await self.made(
            "/vens",
            {
                "objectType": "BL_VEN_REQUEST",
                "clientID": "ven_client",
                "venName": "bench",
                "targets": targets,
            },
        )
        for number in range(EVENTS):
            self.events.append(str((await self.made("/events", self.event(f"E{number}")))["id"]))

    def get(self, path: str, client: str, *, headers: dict[str, str] | None = None) -> Ask:
        url, sent = self.url + path, self.tokens[client] | (headers or {})
        wanted = 304 if headers else 200

        async def ask(session: aiohttp.ClientSession, index: int) -> None:
            async with session.get(url, headers=sent) as answer:
                await answer.read()
                if answer.status != wanted:
                    raise RuntimeError(f"{url}: {answer.status}, not {wanted}")

        return ask

    async def post(self, session: aiohttp.ClientSession, index: int) -> None:
        await self.made("/events", self.event(f"P{index}-{time.monotonic_ns()}"))


async def bare_get(url: str, session: aiohttp.ClientSession, index: int) -> None:
    async with session.get(f"{url}/events/1") as answer:
        await answer.read()


async def ratios(vtn: Vtn, bare: Server, count: int) -> list[Figure]:
    """Server CPU a request beside the bare endpoint's."""
    one = f"/events/{vtn.events[0]}"
    async with vtn.session.get(vtn.url + one, headers=vtn.tokens["ven_client"]) as answer:
        tag = answer.headers["ETag"]
    listed = f"/events?programID={vtn.program}&limit=50"
    cases: tuple[tuple[str, Ask, int, int], ...] = (
        ("GET one event as a VEN", vtn.get(one, "ven_client"), count, 10),
        ("GET 50 events with privacy", vtn.get(listed, "ven_client"), count, 20),
        ("POST an event, validated, with outbox", vtn.post, count // 4, 35),
        ("GET not modified", vtn.get(one, "ven_client", headers={"If-None-Match": tag}), count, 6),
    )

    async def ask(session: aiohttp.ClientSession, index: int) -> None:
        await bare_get(bare.url, session, index)

    found = []
    for name, case, how_many, most in cases:
        peer = await cost_us(bare, vtn.session, ask, BARE * count)
        ours = await cost_us(vtn.server, vtn.session, case, how_many)
        figure = Figure(
            name=f"{name}: server CPU beside bare aiohttp's GET",
            ours=ours, peer=peer, unit="us", goal=f"<= {most} x", met=ours <= most * peer,
        )  # fmt: skip
        found.append(figure)
    return found


async def first_reads(vtn: Vtn, bare: Server, rounds: int) -> Figure:
    """As a VEN's GET of one event that nobody has asked for since the last write."""

    async def ask(session: aiohttp.ClientSession, index: int) -> None:
        await bare_get(bare.url, session, index)

    peer = await cost_us(bare, vtn.session, ask, 2_000)
    asks = [vtn.get(f"/events/{id_}", "ven_client") for id_ in vtn.events]
    spent_s = 0.0
    for number in range(rounds):
        await vtn.post(vtn.session, number)
        await asyncio.sleep(0.1)  # its notifications are out
        before_s = vtn.server.cpu_s()
        for case in asks:
            await case(vtn.session, 0)
        spent_s += vtn.server.cpu_s() - before_s
    return Figure(
        name="GET one event as a VEN, first since a write: server CPU beside bare aiohttp's GET",
        ours=1e6 * spent_s / (rounds * len(asks)), peer=peer, unit="us", goal="", met=None,
    )  # fmt: skip


@asynccontextmanager
async def callbacks() -> AsyncIterator[str]:
    """A receiver of webhooks that answers the challenge and takes what comes."""

    async def hear(request: web.Request) -> web.Response:
        return web.Response(text=request.query.get("echo", ""))

    app = web.Application()
    app.add_routes([web.route("*", "/{tail:.*}", hear)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def with_subscribers(vtn: Vtn, count: int, posts: int) -> Figure:
    """How long a POST takes that `count` subscriptions match."""
    async with callbacks() as url:
        for number in range(count):
            operation = {
                "objects": ["EVENT"],
                "operations": ["CREATE"],
                "callbackUrl": f"{url}/{number}",
            }
            body = {
                "clientName": f"S{number}",
                "programID": vtn.program,
                "objectOperations": [operation],
            }
            await vtn.made("/subscriptions", body)
        taken = []
        for number in range(posts):
            began_s = time.perf_counter()
            await vtn.post(vtn.session, number)
            taken.append(time.perf_counter() - began_s)
            await asyncio.sleep(0.2)
    p50_ms = 1e3 * median(taken)
    return Figure(
        name=f"POST an event that {count} subscriptions match, p50", ours=p50_ms, peer=None,
        unit="ms", goal="<= 100" if count == SUBSCRIPTIONS else "", met=p50_ms <= 100.0,
    )  # fmt: skip


async def polled(database: str, url: tuple[str, ...], seconds: float) -> list[Figure]:
    """The loop of a server that VENS poll, each with its own token every POLL_EVERY_S, spread
    evenly, while a customer system posts an event every POST_EVERY_S."""
    async with aiohttp.ClientSession() as session:
        async with serving("vtn", *url, "--vens", str(VENS)) as server:
            vtn = Vtn(server, session)
            await vtn.fill()
            path = f"/events?programID={vtn.program}&limit=10"
            pace_s = POLL_EVERY_S / VENS
            tasks: set[asyncio.Task[None]] = set()
            begin_s, before_s = time.monotonic(), server.cpu_s()
            for number in range(int(seconds / pace_s)):
                late_s = begin_s + number * pace_s - time.monotonic()
                await asyncio.sleep(max(late_s, 0.0))
                if number % round(POST_EVERY_S / pace_s) == 0:
                    await vtn.post(session, number)
                token = f"bench-{number % VENS}"
                vtn.tokens[token] = {"Authorization": f"Bearer {token}"}
                task = asyncio.ensure_future(vtn.get(path, token)(session, number))
                tasks.add(task)
                task.add_done_callback(tasks.discard)
            await asyncio.gather(*tasks)
            share = 100.0 * (server.cpu_s() - before_s) / (time.monotonic() - begin_s)
        p99_ms = 1e3 * server.loop["p99_s"]
    polls = f"{VENS:,} VENs polling every {POLL_EVERY_S:.0f} s, {database}"
    return [
        Figure(
            name=f"{polls}: delay of the event loop, p99", ours=p99_ms, peer=None, unit="ms",
            goal="< 100", met=p99_ms < 100.0,
        ),
        Figure(
            name=f"{polls}: CPU of the server", ours=share, peer=None, unit="% of a core",
            goal="", met=None,
        ),
    ]  # fmt: skip


async def measured(quick: bool) -> list[Figure]:
    found: list[Figure] = []
    async with (
        aiohttp.ClientSession() as session,
        serving("bare") as bare,
        serving("vtn") as server,
    ):
        vtn = Vtn(server, session)
        await vtn.fill()
        found += await ratios(vtn, bare, 600 if quick else 1_000)
        found.append(await first_reads(vtn, bare, 5 if quick else 20))
        found.append(await with_subscribers(vtn, SUBSCRIPTIONS, 7 if quick else 25))
    seconds = 5.0 if quick else 60.0
    found += await polled("SQLite", (), seconds)
    if (why := postgres.missing_reason()) is None:
        with postgres.server() as address:
            found += await polled("PostgreSQL", (address,), seconds)
    else:
        print(why, file=sys.stderr)
    return found


def figures(quick: bool) -> Sequence[Figure]:
    return asyncio.run(measured(quick))


if __name__ == "__main__":
    main(figures, about=__doc__ or "", packages=("aiohttp", "sqlalchemy", "aiosqlite", "asyncpg"))
