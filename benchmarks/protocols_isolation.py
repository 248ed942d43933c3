"""One dead device must not delay another: polls of good outstations, alone and among black holes.

Half of the black holes take the connection and never say a word; the other half do not even finish
the handshake. Rounds alternate, so that the machine's mood meets both alike; on a busy one
`chrt -f 20 python -m benchmarks.protocols_isolation` measures this and not the rest.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

from benchmarks.dnp3_masters import _ours, _up
from benchmarks.protocols_dnp3 import outstation
from benchmarks.report import Figure, main, median, percentile
from protocols.backoff import start_delays_s
from protocols.driver import Driver
from protocols.inbox import Inbox

GOOD = 10
HOLES = 50
POINTS = 90
SCAN_S = 1.0
PAUSE_S = 0.02
READ_TIMEOUT_S = 2.0
GROWTH_MAX = 1.10


def figures(quick: bool) -> Sequence[Figure]:
    """p50 and p99 of a fresh reading of one point, pooled over the good outstations."""
    rounds, seconds = (3, 2.0) if quick else (7, 8.0)
    with outstation(POINTS) as device:
        alone, among = asyncio.run(_measure(device.port, rounds, seconds))
    ratios = [percentile(b, 0.99) / percentile(a, 0.99) for a, b in zip(alone, among, strict=True)]
    growth = median(ratios)
    return [
        _figure("p50", alone, among, 0.50, goal="none set", met=None),
        _figure("p99", alone, among, 0.99, goal="none set: see its growth", met=None),
        Figure(
            name=f"dnp3 {GOOD} outstations among {HOLES} black holes: growth of read p99",
            ours=growth,
            peer=None,
            unit="x alone, median of rounds",
            goal=f"<= {GROWTH_MAX:g}",
            met=growth <= GROWTH_MAX,
        ),
    ]


def _figure(
    name: str,
    alone: Sequence[Sequence[float]],
    among: Sequence[Sequence[float]],
    share: float,
    *,
    goal: str,
    met: bool | None,
) -> Figure:
    """`peer` is ourselves without black holes."""
    return Figure(
        name=f"dnp3 {GOOD} outstations among {HOLES} black holes: read {name}; peer = alone",
        ours=1e3 * percentile([s for one in among for s in one], share),
        peer=1e3 * percentile([s for one in alone for s in one], share),
        unit="ms",
        goal=goal,
        met=met,
    )


async def _measure(
    port: int, rounds: int, seconds: float
) -> tuple[list[list[float]], list[list[float]]]:
    inbox = Inbox(GOOD * (POINTS + 1) + HOLES * 2)
    good = [_ours(f"G{k}", port, POINTS, SCAN_S, inbox) for k in range(GOOD)]
    alone: list[list[float]] = []
    among: list[list[float]] = []
    async with AsyncExitStack() as stack:
        for driver in good:
            await driver.start()
            stack.push_async_callback(driver.stop)
        drain = asyncio.create_task(_drain(inbox))
        stack.callback(drain.cancel)
        await _up(good)
        for _ in range(rounds):
            alone.append(await _read_all(good, seconds))
            async with _black_holes(inbox):
                among.append(await _read_all(good, seconds))
    return alone, among


async def _read_all(drivers: Sequence[Driver], seconds: float) -> list[float]:
    """Round trips of fresh readings, all drivers side by side, for `seconds`."""
    found: list[float] = []

    async def read(driver: Driver) -> None:
        point = f"{driver.link}.30:0"
        end_s = time.perf_counter() + seconds
        while (start_s := time.perf_counter()) < end_s:
            measured = await driver.read_back(point, timeout_s=READ_TIMEOUT_S)
            spent_s = time.perf_counter() - start_s
            found.append(READ_TIMEOUT_S if measured is None else spent_s)
            await asyncio.sleep(PAUSE_S)

    await asyncio.gather(*(read(driver) for driver in drivers))
    return found


@asynccontextmanager
async def _black_holes(inbox: Inbox) -> AsyncIterator[None]:
    """Drivers that try to reach devices which are not there, for as long as the block lasts."""
    async with AsyncExitStack() as stack:
        mute, deaf = stack.enter_context(_mute()), stack.enter_context(_deaf())
        drivers = [
            _ours(f"H{k}", (mute if k % 2 else deaf).getsockname()[1], 1, SCAN_S, inbox)
            for k in range(HOLES)
        ]
        # Spread as the field agent spreads them: all at once is what it never does.
        delays_s = start_delays_s(HOLES, randomness=random.Random(1))  # noqa: S311
        for driver, delay_s, before_s in zip(drivers, delays_s, [0.0, *delays_s], strict=False):
            await asyncio.sleep(delay_s - before_s)
            await driver.start()
        try:
            yield
        finally:
            await asyncio.gather(*(driver.stop() for driver in drivers))


@contextlib.contextmanager
def _mute() -> Iterator[socket.socket]:
    """Takes every connection (the kernel does) and never reads or answers."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(4 * HOLES)
        yield listening


@contextlib.contextmanager
def _deaf() -> Iterator[socket.socket]:
    """A full queue of connections: further handshakes are not answered at all."""
    with contextlib.ExitStack() as stack:
        listening = stack.enter_context(socket.socket())
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        for _ in range(2):
            filling = stack.enter_context(socket.socket())
            filling.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                filling.connect(listening.getsockname())
        yield listening


async def _drain(inbox: Inbox) -> None:
    while True:
        await inbox.get(timeout_s=1.0)


if __name__ == "__main__":
    main(figures, about=__doc__ or "", packages=("yadnp3",))
