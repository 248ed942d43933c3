"""OPC UA: notifications, reads and the way back after a restart, ours beside bare asyncua.

One server of another make (o6, open62541 in C) in a process of its own serves both in the same run,
with the same policy, one after the other; medians of the rounds. CPU is that of this process alone,
from the socket to the frozen Snapshot on our side, to the user's own loop on asyncua's.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from asyncua import ua
from asyncua.client.client import Client
from asyncua.common.node import Node
from asyncua.common.subscription import DataChangeEvent
from asyncua.crypto.security_policies import SecurityPolicyBasic256Sha256

from benchmarks.report import Figure, median
from gridctl.control.telemetry import ProcessImage
from gridctl.model.link import MEASUREMENTS_PER_FRAME_MAX, Hello, Telemetry
from protocols.driver import LinkSettings, PointAddress
from protocols.inbox import Inbox
from protocols.opcua.driver import OpcUaDriver
from tests.peers.opcua import PASSWORD, USER, PeerServer
from tests.peers.opcua_link import CLOCK, counters, link_options, server_of

CPU_US_MAX = 16.0
READ_SHARE_MIN = 0.70
RECONNECT_S_MAX = 2.0
POINTS = 10_000
RECONNECT_POINTS = 3_000
FRAME_S = 0.25
SETTLE_S = 3.0
"""After the initial values: what is measured is the steady state."""


def figures(quick: bool) -> list[Figure]:
    """All figures; `quick` for a look, with a fifth of the points and one round."""
    logging.getLogger("asyncua").setLevel(logging.CRITICAL)
    return [
        *asyncio.run(
            _notifications(points=POINTS // (5 if quick else 1), rounds=1 if quick else 3)
        ),
        asyncio.run(_reading(points=POINTS, rounds=3 if quick else 9)),
        asyncio.run(_reconnecting(rounds=1 if quick else 3)),
    ]


async def _notifications(*, points: int, rounds: int) -> list[Figure]:
    """CPU per notification at one change a second of every point."""
    seconds = 5.0 if rounds == 1 else 10.0
    ours: list[float] = []
    peer: list[float] = []
    with TemporaryDirectory() as name:
        folder = Path(name)
        async with server_of("o6", folder, variables=points, hz=1.0) as server:
            for _ in range(rounds):
                ours.append(await _ours(server, folder, seconds))
                peer.append(await _asyncua(server, folder, seconds))
    name = f"CPU per notification, wire to Snapshot, {points} changes/s"
    goal = f"<= {CPU_US_MAX:g} µs at {POINTS} changes/s"
    met = median(ours) <= CPU_US_MAX if points == POINTS else None
    return [Figure(name=name, ours=median(ours), peer=median(peer), unit="µs", goal=goal, met=met)]


async def _ours(server: PeerServer, folder: Path, seconds: float) -> float:
    rows = counters(server)
    async with _driver(server, folder, rows, publishing_ms=500.0) as (driver, inbox):
        image = ProcessImage(clock=CLOCK)
        image.greet(_hello(rows))
        sequence = 0

        async def drain(until_s: float) -> None:
            nonlocal sequence
            while time.monotonic() < until_s:
                await asyncio.sleep(FRAME_S)
                taken = await inbox.get(timeout_s=0.0)
                for start in range(0, len(taken), MEASUREMENTS_PER_FRAME_MAX):
                    sequence += 1
                    frame = tuple(taken[start : start + MEASUREMENTS_PER_FRAME_MAX])
                    image.take(Telemetry(sequence=sequence, measurements=frame))
                image.snapshot()

        await _until(lambda: driver.health().state == "up")
        await drain(time.monotonic() + SETTLE_S)
        before, cpu_s = driver.health().reads, time.process_time()
        await drain(time.monotonic() + seconds)
        cpu_s, read = time.process_time() - cpu_s, driver.health().reads - before
        if sum(one.quality.is_good for one in image.snapshot().values.values()) != len(rows):
            raise RuntimeError("not every point is good: the figure would be wrong")
        return 1e6 * cpu_s / read


async def _asyncua(server: PeerServer, folder: Path, seconds: float) -> float:
    """asyncua's iterator, its cheapest public way, with a queue that loses nothing."""
    async with _bare(server, folder) as client:
        index = await client.get_namespace_index(server.namespace)
        count = server.options.variables
        nodes = [client.get_node(f"ns={index};s=V{number}") for number in range(count)]
        parameters = ua.CreateSubscriptionParameters(500.0, 300, 10, 0, True, 0)
        subscription = await client.create_subscription(parameters, queue_maxsize=8 * count)
        for start in range(0, count, 1000):
            await subscription.subscribe_data_change(nodes[start : start + 1000])
        values: dict[object, object] = {}
        received = 0

        async def consume() -> None:
            nonlocal received
            async for event in subscription:
                if isinstance(event, DataChangeEvent):
                    values[event.node.nodeid.Identifier] = event.value
                    received += 1

        task = asyncio.create_task(consume())
        await asyncio.sleep(SETTLE_S)
        before, cpu_s = received, time.process_time()
        await asyncio.sleep(seconds)
        cpu_s, got = time.process_time() - cpu_s, received - before
        task.cancel()
        await asyncio.wait({task})
        if not task.cancelled() and task.exception() is not None:
            raise RuntimeError("asyncua's iterator broke") from task.exception()
        return 1e6 * cpu_s / got


async def _reading(*, points: int, rounds: int) -> Figure:
    """Values a second when all of them are read, in requests of a thousand."""
    ours: list[float] = []
    peer: list[float] = []
    with TemporaryDirectory() as name:
        folder = Path(name)
        async with server_of("o6", folder, variables=points, hz=0.0) as server:
            rows = counters(server)
            async with (
                _driver(server, folder, rows, publishing_ms=1000.0) as (driver, _inbox),
                _bare(server, folder) as client,
            ):
                await _until(lambda: driver.health().reads >= points)
                session = driver._session
                if session is None:
                    raise RuntimeError("the link was lost")
                index = await client.get_namespace_index(server.namespace)
                nodes = [client.get_node(f"ns={index};s=V{n}") for n in range(points)]
                for _ in range(rounds):
                    ours.append(points / await _timed(session.read_all))
                    peer.append(points / await _timed(lambda: _read_all(client, nodes)))
    share = median(ours) / median(peer)
    return Figure(
        name=f"read of {points} values, to measurements in the inbox",
        ours=median(ours),
        peer=median(peer),
        unit="values/s",
        goal=f">= {READ_SHARE_MIN:.0%} of bare asyncua",
        met=share >= READ_SHARE_MIN,
    )


async def _read_all(client: Client, nodes: list[Node]) -> None:
    for start in range(0, len(nodes), 1000):
        await client.read_attributes(nodes[start : start + 1000])


async def _reconnecting(*, rounds: int) -> Figure:
    """From the moment when the restarted server listens to a fresh good value of every item."""
    took: list[float] = []
    with TemporaryDirectory() as name:
        folder = Path(name)
        async with server_of("o6", folder, variables=RECONNECT_POINTS, hz=5.0) as server:
            rows = counters(server)
            async with _driver(server, folder, rows, publishing_ms=100.0) as (driver, inbox):
                await _until(lambda: driver.health().state == "up")
                for _ in range(rounds):
                    await asyncio.sleep(1.0)
                    server.kill()
                    await asyncio.sleep(4.0)
                    await inbox.get(timeout_s=0.0)
                    await asyncio.to_thread(server.start)
                    back_s = time.monotonic()
                    good: set[str] = set()
                    while len(good) < len(rows):
                        if time.monotonic() - back_s > 60.0:
                            raise RuntimeError(f"{len(good)} of {len(rows)} came back")
                        for one in await inbox.get(timeout_s=0.05):
                            if one.quality.is_good:
                                good.add(one.point)
                    took.append(time.monotonic() - back_s)
    return Figure(
        name=f"reconnect with {RECONNECT_POINTS} items after the server listens",
        ours=median(took),
        peer=None,
        unit="s",
        goal=f"<= {RECONNECT_S_MAX:g} s",
        met=median(took) <= RECONNECT_S_MAX,
    )


@asynccontextmanager
async def _driver(
    server: PeerServer, folder: Path, rows: tuple[PointAddress, ...], *, publishing_ms: float
) -> AsyncIterator[tuple[OpcUaDriver, Inbox]]:
    options = link_options(folder, server.options.port, publishing_ms=publishing_ms)
    settings = LinkSettings(id="PEER", protocol="opcua", file="bench.toml", options=options)
    inbox = Inbox(2 * len(rows))
    driver = OpcUaDriver(settings, rows, inbox, CLOCK)
    await driver.start()
    try:
        yield driver, inbox
    finally:
        await driver.stop()


@asynccontextmanager
async def _bare(server: PeerServer, folder: Path) -> AsyncIterator[Client]:
    client = Client(server.url, timeout=10)
    client.application_uri = "urn:gridctl:field"
    await client.set_security(
        SecurityPolicyBasic256Sha256,
        str(folder / "field.der"),
        str(folder / "field.pem"),
        server_certificate=str(folder / "server.der"),
    )
    client.set_user(USER)
    client.set_password(PASSWORD)
    async with client:
        yield client


def _hello(rows: tuple[PointAddress, ...]) -> Hello:
    return Hello(
        agent="bench",
        boot_id="bench",
        points=tuple(row.point for row in rows),
        limits_digest="",
        epoch_seen=0,
        sequence_seen=0,
        stopped=False,
    )


async def _timed(work: Callable[[], Coroutine[None, None, None]]) -> float:
    start_s = time.perf_counter()
    await work()
    return time.perf_counter() - start_s


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60.0):
        while not condition():
            await asyncio.sleep(0.05)
