"""The stand of the hostile tests: our driver, a liar in a process of its own, an honest sibling."""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gridctl.model.clock import Clock
from protocols.driver import LinkSettings, PointAddress, Result
from tests.contracts import driver_peer as bench
from tests.contracts.driver_peer import BenchPlant, bench_points
from tests.contracts.peer_dnp3 import WIRES, Dnp3Peer
from tests.contracts.test_driver_contract import Rig, rig_of
from tests.ports import free_port

SEED = int(os.environ.get("GRIDCTL_SEED", "1"))
LAG_MEDIAN_MAX_S = 0.020
LAG_P99_MAX_S = 0.150
SBO_MEDIAN_MAX_S = 0.100
GROWTH_MAX_MB = 25.0


class LiarPeer:
    """Fulfils `DriverPeer` as far as a rig needs it: the liar as a child process."""

    locked_status = "LOCAL"
    hands_on_lease = False

    def __init__(self, link: str, plant: BenchPlant, clock: Clock, folder: Path) -> None:
        self._link = link
        self.port = free_port()
        self._child: asyncio.subprocess.Process | None = None

    def settings(self) -> LinkSettings:
        return settings_for(self._link, self.port)

    def points(self) -> tuple[PointAddress, ...]:
        return bench_points(self._link, WIRES)

    async def start(self) -> None:
        self._child = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.protocols.dnp3.hostile.liar",
            "--port", str(self.port), "--seed", str(SEED),
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
            cwd=Path(__file__).parents[4],
        )  # fmt: skip
        await self._line()

    async def kill(self) -> None:
        child, self._child = self._child, None
        if child is not None:
            child.kill()
            await child.wait()

    async def freeze(self) -> None:
        await self.behave("silent")

    async def thaw(self) -> None:
        await self.behave("honest")

    async def publish(self) -> None:
        return

    async def behave(self, mode: str) -> dict[str, Any]:
        """Set a mode ("report" keeps the present one); what the liar has counted until then."""
        assert self._child is not None
        assert self._child.stdin is not None
        self._child.stdin.write(mode.encode() + b"\n")
        return await self._line()

    async def _line(self) -> dict[str, Any]:
        assert self._child is not None
        assert self._child.stdout is not None
        async with asyncio.timeout(20.0):
            told = await self._child.stdout.readline()
        assert told, "the liar has died"
        return dict(json.loads(told))


def settings_for(link: str, port: int) -> LinkSettings:
    """The bench's settings for a liar on `port`."""
    return LinkSettings(
        id=link,
        protocol="dnp3",
        file="hostile.toml",
        options={
            "host": "127.0.0.1",
            "port": port,
            "master_address": 1,
            "outstation_address": 1024,
            "response_timeout_s": 0.6,
            "select_timeout_s": 5.0,
        },
    )


def rss_mb() -> float:
    """Resident memory of this process in MB."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


class Watch:
    """What a hostile spell did to the rest of the process: loop lag, memory, the sibling's SBO."""

    def __init__(self) -> None:
        self.lags_s: list[float] = []
        self.sbo_s: list[float] = []
        self.failed: list[str] = []
        self.grown_mb = 0.0

    async def over(self, seconds: float, rigs: Sequence[Rig], sibling: Rig) -> None:
        """Watch for `seconds`, while the sibling is commanded ten times a second."""
        before_mb = rss_mb()
        work = [
            asyncio.create_task(self._lag()),
            asyncio.create_task(self._command(sibling)),
            asyncio.create_task(sibling.pump(seconds + 60)),
        ]
        try:
            await asyncio.gather(*(rig.pump(seconds) for rig in rigs))
        finally:
            for task in work:
                task.cancel()
            await asyncio.gather(*work, return_exceptions=True)
        self.grown_mb = rss_mb() - before_mb

    async def _lag(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due_s = loop.time() + 0.005
            await asyncio.sleep(0.005)
            self.lags_s.append(loop.time() - due_s)

    async def _command(self, sibling: Rig) -> None:
        value = 0
        while True:
            value = (value + 1) % 50
            execution = await sibling.execute(sibling.permit(bench.SETPOINT, float(value)))
            if execution.result is Result.ACCEPTED:
                self.sbo_s.append(execution.round_trip_s)
            else:
                self.failed.append(f"{execution.status} {execution.detail}")
            await asyncio.sleep(0.1)

    def lag_s(self, share: float) -> float:
        """The loop's lag that `share` of the looks stayed below."""
        return sorted(self.lags_s)[int(len(self.lags_s) * share)]

    def summary(self) -> str:
        """One line of figures."""
        return (
            f"loop lag p50 {self.lag_s(0.5) * 1e3:.1f} p99 {self.lag_s(0.99) * 1e3:.1f} "
            f"max {max(self.lags_s) * 1e3:.1f} ms; sibling's SBO n {len(self.sbo_s)} "
            f"p50 {statistics.median(self.sbo_s) * 1e3:.1f} max {max(self.sbo_s) * 1e3:.1f} ms, "
            f"failed {len(self.failed)}; memory {self.grown_mb:+.1f} MB"
        )

    def check(self) -> None:
        """The office goes on: bounds with room for a busy test machine."""
        assert not self.failed, self.failed[:3]
        assert len(self.sbo_s) >= 5
        assert self.lag_s(0.5) < LAG_MEDIAN_MAX_S, self.summary()
        assert self.lag_s(0.99) < LAG_P99_MAX_S, self.summary()
        assert statistics.median(self.sbo_s) < SBO_MEDIAN_MAX_S, self.summary()
        assert self.grown_mb < GROWTH_MAX_MB, self.summary()


@dataclass(frozen=True, slots=True)
class Case:
    """A rig whose device lies."""

    mode: str
    rig: Rig

    @property
    def liar(self) -> LiarPeer:
        assert isinstance(self.rig.peer, LiarPeer)
        return self.rig.peer


@asynccontextmanager
async def stand(folder: Path, modes: Sequence[str]) -> AsyncIterator[tuple[Sequence[Case], Rig]]:
    """A rig for each mode, all still honest, and the sibling's; all connected."""
    async with AsyncExitStack() as stack:
        sibling = await stack.enter_async_context(rig_of(Dnp3Peer, folder / "sibling", "SIBLING"))
        rigs = await asyncio.gather(
            *(
                stack.enter_async_context(rig_of(LiarPeer, folder / mode, f"LIAR_{mode}"))
                for mode in modes
            )
        )
        await asyncio.gather(sibling.connected(), *(rig.connected() for rig in rigs))
        yield [Case(mode, rig) for mode, rig in zip(modes, rigs, strict=True)], sibling
