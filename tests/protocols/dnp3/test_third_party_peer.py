"""Our master against an outstation that nobody here wrote or configured to fit: dnp3py.

It shows integers (g30v1), pushes nothing unasked and keeps its own select rules.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from dnp3.database import (
    AnalogInputConfig,
    AnalogOutputConfig,
    BinaryInputConfig,
    CounterConfig,
    Database,
)
from dnp3.outstation import (
    CommandResult,
    DefaultCommandHandler,
    Outstation,
    OutstationConfig,
    OutstationTcpRunner,
)

from gridctl.model.clock import Clock
from gridctl.model.measurement import TimeQuality
from protocols.driver import LinkSettings, PointAddress, Result
from tests.contracts import driver_peer as bench
from tests.contracts.driver_peer import BenchPlant
from tests.contracts.peer_dnp3 import Dnp3Peer
from tests.contracts.test_driver_contract import CONNECT_S, Rig, rig_of


class Handler(DefaultCommandHandler):
    """Takes analog output 12, stands on LOCAL for 13."""

    def __init__(self) -> None:
        self.operated: list[tuple[int, float]] = []

    def select_analog_output(self, index: int, value: float) -> CommandResult:
        return CommandResult.success() if index == 12 else CommandResult.local()

    def operate_analog_output(
        self, index: int, value: float, select_sequence: int
    ) -> CommandResult:
        self.operated.append((index, value))
        return CommandResult.success()


class StrangerPeer(Dnp3Peer):
    """The bench's points on dnp3py's outstation; no lease point."""

    def __init__(self, link: str, plant: BenchPlant, clock: Clock, folder: Path) -> None:
        super().__init__(link, plant, clock, folder)
        self.handler = Handler()
        self.database = Database()
        for index in (0, 7, 8, 9):
            self.database.add_analog_input(index, AnalogInputConfig())
            self.database.update_analog_input(index, index)
        for index in (12, 13):
            self.database.add_analog_output(index, AnalogOutputConfig())
        self.database.add_binary_input(3, BinaryInputConfig())
        self.database.add_counter(0, CounterConfig())
        self.database.update_analog_input(0, 812)
        self.database.update_binary_input(3, value=True)
        self.database.update_counter(0, 41)
        self._runner: OutstationTcpRunner | None = None
        self._task: asyncio.Task[None] | None = None

    def points(self) -> tuple[PointAddress, ...]:
        return tuple(replace(row, lease="") for row in super().points())

    def settings(self) -> LinkSettings:
        return super().settings()

    async def start(self) -> None:
        outstation = Outstation(
            database=self.database,
            config=OutstationConfig(address=1024, master_address=1),
            handler=self.handler,
        )
        self._runner = OutstationTcpRunner(
            outstation=outstation, host="127.0.0.1", port=int(self.settings().options["port"])
        )
        self._task = asyncio.create_task(self._runner.run())
        async with asyncio.timeout(5.0):
            while not self._runner.is_running:  # noqa: ASYNC110 - the library has no event for it
                await asyncio.sleep(0.01)

    async def kill(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    async with rig_of(StrangerPeer, tmp_path / "bench") as rig:
        await rig.connected()
        yield rig


async def test_every_point_is_read(rig: Rig) -> None:
    assert await rig.until(lambda: len(rig.latest) == len(rig.peer.points()), 5.0)
    assert rig.latest[bench.POWER].value == 812.0
    assert rig.latest[bench.SWITCH].value == 1.0
    assert rig.latest[bench.HEARTBEAT].value == 41.0
    assert rig.latest[bench.POWER].quality.is_good
    assert rig.latest[bench.POWER].time_quality is TimeQuality.RECEIVED


async def test_select_before_operate_of_a_float(rig: Rig) -> None:
    execution = await rig.execute(rig.permit(bench.SETPOINT, 33.25))
    assert execution.result is Result.ACCEPTED, execution
    peer = rig.peer
    assert isinstance(peer, StrangerPeer)
    assert peer.handler.operated == [(12, 33.25)]
    refused = await rig.execute(rig.permit(bench.LOCKED_SETPOINT, 1.0))
    assert (refused.result, refused.status) == (Result.REJECTED, "LOCAL")
    assert len(peer.handler.operated) == 1


async def test_it_is_lost_and_found(rig: Rig) -> None:
    await rig.peer.kill()
    assert await rig.until(rig.all_lost, 3.0)
    await rig.peer.start()
    assert await rig.until(rig.all_good, CONNECT_S)
