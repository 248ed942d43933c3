"""The servers that `benchmarks.api` measures, each a process of its own with a CPU time of its own:
`bare`, aiohttp and nothing else, or the whole OpenADR side on a database.

    python -m benchmarks.api_server bare|vtn [DATABASE_URL] [--vens COUNT]

COUNT clients with a VEN each, granted `feeder-7`, whose tokens are `bench-0`, `bench-1` and so on.
The address is the first line on stdout; at the end of stdin one line tells the delays of the event
loop (seconds) and it ends.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import hashlib
import json
import sys
import tempfile
import time

from aiohttp import web
from sqlalchemy import Table, insert

from benchmarks.report import percentile
from gridctl.assembly_vtn import CLIENTS, PREFIX
from gridctl.openadr.auth import TOKEN_LIFE_S
from gridctl.openadr.callbacks import CallbackPolicy
from gridctl.openadr.desk import NoFeeder
from gridctl.openadr.routes import LINE_BYTES_MAX, openadr_routes
from gridctl.store import schema
from gridctl.store.engine import SqlStore, open_store
from gridctl.wallclock import system_clock

WATCH_S = 0.01


def bare_app() -> web.Application:
    """GET and POST of one event of about a kilobyte, with the standard library's JSON."""
    one = {
        "id": "1",
        "objectType": "EVENT",
        "eventName": "hot afternoon",
        "programID": "0",
        "intervals": [
            {"id": k, "payloads": [{"type": "DISPATCH_SETPOINT_RELATIVE", "values": [400.0]}]}
            for k in range(12)
        ],
    }

    async def read(request: web.Request) -> web.Response:
        return web.json_response(one)

    app = web.Application()
    app.add_routes([web.get("/events/1", read)])
    return app


async def _watch(delays: list[float]) -> None:
    while True:
        due_s = time.monotonic() + WATCH_S
        await asyncio.sleep(WATCH_S)
        delays.append(time.monotonic() - due_s)


async def _serve(app: web.Application) -> None:
    runner = web.AppRunner(app, access_log=None, max_line_size=LINE_BYTES_MAX)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    print(f"http://127.0.0.1:{port}", flush=True)
    delays: list[float] = []
    watch = asyncio.create_task(_watch(delays))
    await asyncio.to_thread(sys.stdin.read)
    watch.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await watch
    print(json.dumps({"p50_s": percentile(delays, 0.5), "p99_s": percentile(delays, 0.99)}))
    await runner.cleanup()


async def _add_vens(store: SqlStore, count: int) -> None:
    def hashed(word: str) -> str:
        return hashlib.sha256(word.encode()).hexdigest()

    names = [f"bench-{number}" for number in range(count)]
    now_s, expires_s = store.clock.now_s(), store.clock.monotonic_s() + 0.9 * TOKEN_LIFE_S
    client = {"role": "ven", "secret_hash": hashed("none"), "webhook_secret": None}
    token = {"scope": "read_targets read_ven_objects", "expires_real_s": expires_s}
    ven = {"created_s": now_s, "modified_s": now_s, "body": "{}"}
    target = {"kind": "ven", "target": "feeder-7", "place": 0}
    rows: dict[Table, list[dict[str, object]]] = {
        schema.openadr_client: [{"client_id": n, **client} for n in names],
        schema.openadr_token: [{"token_hash": hashed(n), "client_id": n, **token} for n in names],
        schema.openadr_ven: [{"id": n, "client_id": n, "name": n, **ven} for n in names],
        schema.openadr_target: [{"object_id": n, **target} for n in names],
    }
    async with store.transaction() as unit:
        for table, values in rows.items():
            await unit.connection.execute(insert(table), values)


async def _vtn(url: str, vens: int) -> None:
    clock = system_clock()
    store = await open_store(url, clock=clock)
    try:
        for client_id, role, secret in CLIENTS:
            await store.openadr.add_client(client_id, role, secret, short_secret=True)
        if vens:
            await _add_vens(store, vens)
        app = web.Application()
        policy = CallbackPolicy(allow_http=True, allow_private=True)
        part = openadr_routes(store=store, desk=NoFeeder(), clock=clock, callbacks=policy)
        app.add_subapp(PREFIX, part)
        await _serve(app)
    finally:
        await store.close()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("kind", choices=("bare", "vtn"))
    parser.add_argument("url", nargs="?")
    parser.add_argument("--vens", type=int, default=0)
    asked = parser.parse_args()
    if asked.kind == "bare":
        asyncio.run(_serve(bare_app()))
        return
    with tempfile.TemporaryDirectory(prefix="gridctl-bench-api-") as folder:
        asyncio.run(_vtn(asked.url or f"sqlite:///{folder}/control.db", asked.vens))


if __name__ == "__main__":
    main()
