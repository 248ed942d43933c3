"""Memory stays flat over an hour of links that come and go: both protocols in one process.

`GRIDCTL_SOAK_S` sets the seconds (default 3600). Devices stay, their lines are cut, closed and
frozen in turn; the process holds drivers and devices, so what either loses would show.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import random
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import pytest

from gridctl.model.clock import Clock
from protocols.driver import LinkSettings
from tests.contracts.driver_peer import BenchPlant
from tests.contracts.loopback_proxy import LoopbackProxy
from tests.contracts.peer_dnp3 import Dnp3Peer
from tests.contracts.peer_opcua import OpcUaPeer
from tests.contracts.test_driver_contract import Rig, rig_of
from tests.ports import free_port

log = logging.getLogger(__name__)

SOAK_S = float(os.environ.get("GRIDCTL_SOAK_S", "3600"))
GROWTH_MAX_MB = 6.0
"""Between the second quarter and the last: an allocator's noise, not a session's weight each time.
A link reconnects some 20 times a minute: 10 kB lost with each would be 9 MB in the hour."""
DESCRIPTORS_MAX = 10
"""More open files in the last quarter than in the second: as many as two links and their proxies
have open in one state and not in another. One lost with each reconnect would be hundreds."""
BACK_S = 30.0


class ProxiedDnp3Peer(Dnp3Peer):
    """The DNP3 bench behind a proxy, as the OPC UA one is anyway."""

    def __init__(self, link: str, plant: BenchPlant, clock: Clock, folder: Path) -> None:
        super().__init__(link, plant, clock, folder)
        self._front = free_port()
        self.proxy = LoopbackProxy(port=self._front, upstream_port=self._port)

    def settings(self) -> LinkSettings:
        inner = super().settings()
        return LinkSettings(
            id=inner.id,
            protocol=inner.protocol,
            file=inner.file,
            options={**inner.options, "port": self._front},
        )

    async def start(self) -> None:
        await super().start()
        await self.proxy.start()

    async def kill(self) -> None:
        await self.proxy.stop()
        await super().kill()


@dataclass
class Footprint:
    """Resident memory and descriptors of this process over time."""

    rss_mb: list[float] = field(default_factory=list)
    descriptors: list[int] = field(default_factory=list)

    def look(self) -> None:
        gc.collect()
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
        self.rss_mb.append(pages * os.sysconf("SC_PAGESIZE") / 1e6)
        self.descriptors.append(len(os.listdir("/proc/self/fd")))  # noqa: PTH208 - no Path each

    def quarters(self, of: list[float] | list[int]) -> Iterator[float]:
        """Medians of the four quarters."""
        size = len(of) // 4
        for k in range(4):
            yield median(of[k * size : (k + 1) * size])


async def come_and_go(rig: Rig, proxy: LoopbackProxy, *, until_s: float, seed: int) -> int:
    """Break the line in one of three ways, wait until all is told anew, again and again."""
    dice = random.Random(seed)  # noqa: S311
    times = 0
    while rig.clock.monotonic_s() < until_s:
        match times % 3:
            case 0:
                proxy.cut()
            case 1:
                await proxy.stop()
            case _:
                proxy.freeze()
        assert await rig.until(rig.all_lost, BACK_S), f"{times}: not lost: {rig.driver.health()}"
        await rig.pump(dice.uniform(0.0, 0.5))
        proxy.thaw()
        await proxy.start()
        back = await rig.until(lambda: rig.driver.health().state == "up" and rig.all_good(), BACK_S)
        assert back, f"{times}: not back: {rig.driver.health()}"
        rig.seen.clear()
        times += 1
    return times


async def watch(footprint: Footprint, *, rig: Rig, until_s: float) -> None:
    while rig.clock.monotonic_s() < until_s:
        footprint.look()
        await asyncio.sleep(min(5.0, SOAK_S / 100))


@pytest.fixture
def silence() -> Iterator[None]:
    """pytest keeps every record, twice, with the frames of its exception: 60 MB in an hour that
    are nobody's but its own."""
    logging.disable(logging.ERROR)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.soak
@pytest.mark.usefixtures("silence")
@pytest.mark.timeout(int(SOAK_S + 300))
async def test_memory_is_flat_over_an_hour_of_reconnects(tmp_path: Path) -> None:
    footprint = Footprint()
    async with AsyncExitStack() as stack:
        rigs: list[tuple[Rig, LoopbackProxy]] = []
        for factory in (ProxiedDnp3Peer, OpcUaPeer):
            rig = await stack.enter_async_context(
                rig_of(factory, tmp_path / factory.__name__, factory.__name__)
            )
            await rig.connected()
            assert isinstance(rig.peer, ProxiedDnp3Peer | OpcUaPeer)
            rigs.append((rig, rig.peer.proxy))
        until_s = rigs[0][0].clock.monotonic_s() + SOAK_S
        watching = asyncio.create_task(watch(footprint, rig=rigs[0][0], until_s=until_s))
        times = await asyncio.gather(
            *(come_and_go(*one, until_s=until_s, seed=k) for k, one in enumerate(rigs))
        )
        await watching
        rss_mb = list(footprint.quarters(footprint.rss_mb))
        descriptors = list(footprint.quarters(footprint.descriptors))
    told = (
        f"{times[0]} DNP3 and {times[1]} OPC UA reconnects in {SOAK_S:g} s, "
        f"RSS by quarters {', '.join(f'{mb:.1f}' for mb in rss_mb)} MB, "
        f"descriptors {', '.join(f'{n:g}' for n in descriptors)}"
    )
    log.critical("%s", told)
    assert min(times) >= SOAK_S / 60, told
    assert rss_mb[3] - rss_mb[1] <= GROWTH_MAX_MB, told
    assert descriptors[3] <= descriptors[1] + DESCRIPTORS_MAX, told
