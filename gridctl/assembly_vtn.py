"""`gridctl serve --profile openadr-test`: an empty VTN on loopback, for other people's clients and
test suites. No feeder, no console, nothing to move; its secrets are published, so it listens on
this machine only."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Callable, Mapping

from aiohttp import web

from gridctl.model.errors import ConfigError
from gridctl.observe import set_up_logging
from gridctl.openadr.callbacks import CallbackPolicy
from gridctl.openadr.desk import NoFeeder
from gridctl.openadr.routes import LINE_BYTES_MAX, openadr_routes
from gridctl.platform_api.routes import platform_routes
from gridctl.store.engine import SqlStore, temporary_store
from gridctl.supervise import stop_on_signals
from gridctl.wallclock import system_clock
from gridctl.web.idle import serving

PREFIX = "/openadr3/3.1.0"
PLATFORM_PREFIX = "/api/v1"
TEST_PER_S = 10_000.0
TEST_BURST = 100_000
"""A test suite is one caller that asks as fast as it can."""
HOST = "127.0.0.1"
CLIENTS = (
    ("bl_client", "business-logic", "1001"),
    ("ven_client", "ven", "999"),
    ("ven_client2", "ven", "9999"),
)


async def run_test_vtn(
    *,
    port: int,
    policy: CallbackPolicy,
    stop: asyncio.Event | None = None,
    on_ready: Callable[[str], None] | None = None,
) -> None:
    """Serve until `stop` (or a signal). Raises ConfigError when the port is taken."""
    set_up_logging(level="info", as_json=False)
    if stop is None:
        stop = asyncio.Event()
        stop_on_signals(stop)
    clock = system_clock()
    async with temporary_store(clock) as store:
        await _clients(store)
        app = web.Application()
        app.add_subapp(
            PREFIX, openadr_routes(store=store, desk=NoFeeder(), clock=clock, callbacks=policy)
        )
        app.add_subapp(
            PLATFORM_PREFIX,
            platform_routes(
                store=store,
                desk=NoFeeder(),
                clock=clock,
                gate=None,
                devices={},
                per_s=TEST_PER_S,
                burst=TEST_BURST,
            ),
        )
        async with serving(app, max_line_size=LINE_BYTES_MAX) as runner:
            await _listen(runner, port)
            url = f"http://{HOST}:{port}{PREFIX}"
            if on_ready is not None:
                on_ready(url)
            else:
                _announce(url, {c: await store.openadr.webhook_secret(c) for c, *_ in CLIENTS})
            await stop.wait()


async def _clients(store: SqlStore) -> None:
    for client_id, role, secret in CLIENTS:
        await store.openadr.add_client(client_id, role, secret, short_secret=True)


async def _listen(runner: web.AppRunner, port: int) -> None:
    try:
        await web.TCPSite(runner, HOST, port).start()
    except OSError as error:
        if error.errno not in (errno.EADDRINUSE, errno.EACCES):
            raise
        raise ConfigError(
            f"port {port}: {error.strerror}",
            file="--port",
            key=str(port),
            hint="another program has it: choose another one",
        ) from None


def _announce(url: str, signing: Mapping[str, str | None]) -> None:
    print(f"OpenADR 3.1.0 test VTN at {url}", flush=True)  # noqa: T201 - for whoever started it
    for client_id, role, secret in CLIENTS:
        signed = f"webhooks signed with {signing[client_id]}"
        print(f"  {client_id:<12} {role:<15} secret {secret:<5} {signed}", flush=True)  # noqa: T201
