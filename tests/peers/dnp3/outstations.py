"""Outstations of other people, one of each stack, behind one small port.

All show the same picture: analogs 0 = 812, 7 = 2, 8 = 0, 9 = 7, binary 3 = 1, counter 0 = 41; all
take analog output 12 and relay 4, and refuse output 13 with LOCAL. What a stack cannot do its
class says.
"""

from __future__ import annotations

import asyncio
import json
import struct
import sys
from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from dnp3.database import (
    AnalogInputConfig,
    AnalogOutputConfig,
    BinaryInputConfig,
    BinaryOutputConfig,
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
from py1815 import OutstationServer, Session, object_header
from py1815.application import ObjectHeader
from py1815.control import AnalogOutput, CommandStatus
from py1815.events import EventBuffers, EventClass
from py1815.objects import (
    AnalogPoint,
    BinaryPoint,
    CounterPoint,
    analog_range,
    binary_range,
    counter_range,
)
from py1815.session import Control

from gridctl.model.clock import Clock
from protocols.driver import LinkSettings, PointAddress
from tests.contracts import driver_peer as bench
from tests.contracts.driver_peer import BenchPlant
from tests.peers.dnp3.rows import LINK_ADDRESS, MASTER_ADDRESS, RELAY, rows_of, settings_of
from tests.ports import free_port

ANALOGS = {0: 812.0, 7: 2.0, 8: 0.0, 9: 7.0}
VALUES = {bench.POWER: 812.0, bench.VOLTAGE: 1.0, bench.SWITCH: 1.0, bench.HEARTBEAT: 41.0}
SETPOINT, LOCKED, RELAY_INDEX = 12, 13, 4
FURTHER = (14, 15, 16)
"""Analog outputs that nothing shows."""


class Foreign(ABC):
    """Fulfils `DriverPeer`, so that a rig can be built on it. `operated`: (kind, index, value)."""

    locked_status = "LOCAL"
    hands_on_lease = False
    commands = True
    """Whether it takes SELECT and OPERATE at all."""
    pushes = True
    """Whether it tells changes unasked."""
    without: Sequence[str] = ()

    def __init__(self, link: str, plant: BenchPlant, clock: Clock, folder: Path) -> None:
        self._link = link
        self.port = free_port()
        self.operated: list[tuple[str, int, float]] = []

    def settings(self) -> LinkSettings:
        return settings_of(self._link, self.port)

    def points(self) -> tuple[PointAddress, ...]:
        return rows_of(self._link, without=self.without)

    @abstractmethod
    async def start(self) -> None: ...

    @abstractmethod
    async def kill(self) -> None: ...

    @abstractmethod
    async def move(self, value: float) -> None:
        """Analog 0 is `value` from now on."""

    async def learn(self) -> None:
        """Bring `operated` up to date, where the outstation is another process."""
        return

    async def freeze(self) -> None:
        return

    async def thaw(self) -> None:
        return

    async def publish(self) -> None:
        return


class Py1815(Foreign):
    """py1815's outstation as its documentation sets one up: events, unsolicited, time wanted."""

    def __init__(self, link: str, plant: BenchPlant, clock: Clock, folder: Path) -> None:
        super().__init__(link, plant, clock, folder)
        self._values = dict(ANALOGS)
        self._clock = clock
        self._events = EventBuffers()
        self._server: OutstationServer | None = None
        self.time_ms: int | None = None

    def read(self, headers: Sequence[ObjectHeader]) -> bytes:
        shown = b"".join(analog_range(i, [AnalogPoint(v, 1)]) for i, v in self._values.items())
        shown += binary_range(3, [BinaryPoint(True, 1)])
        shown += counter_range(0, [CounterPoint(41, 1)])
        shown += object_header(40, 3, start=12, stop=13) + struct.pack("<BfBf", 1, 0.0, 1, 0.0)
        shown += object_header(10, 2, start=4, stop=4) + b"\x01"
        return shown if any(h.event_class == 0 for h in headers) else b""

    def select(self, controls: Sequence[Control]) -> Sequence[CommandStatus]:
        return [
            CommandStatus.LOCAL if control.index == LOCKED else CommandStatus.SUCCESS
            for control in controls
        ]

    def operate(self, controls: Sequence[Control]) -> Sequence[CommandStatus]:
        for control in controls:
            command = control.command
            if isinstance(command, AnalogOutput):
                self.operated.append(("analog", control.index, float(command.value)))
            else:
                code = int(command.operation) | int(command.trip_close) << 6
                self.operated.append(("relay", control.index, float(code)))
        return self.select(controls)

    def _set_time(self, ms: int) -> None:
        self.time_ms = ms

    async def start(self) -> None:
        session = Session(
            self,
            control_provider=self,
            events=self._events,
            outstation_address=LINK_ADDRESS,
            master_address=MASTER_ADDRESS,
            time_sink=self._set_time,
            need_time=True,
            unsolicited=True,
        )
        self._server = OutstationServer(session, bind=f"127.0.0.1:{self.port}")
        await self._server.start()
        self._events.prime_analog(0, AnalogPoint(ANALOGS[0], 1))

    async def kill(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            await server.stop()

    async def move(self, value: float) -> None:
        self._values[0] = value
        self._events.record_analog(
            0,
            AnalogPoint(value, 1),
            event_class=EventClass.CLASS_2,
            deadband=0.0,
            timestamp_ms=round(self._clock.now_s() * 1000),
        )
        assert self._server is not None
        self._server.notify()


class _Handler(DefaultCommandHandler):
    def __init__(self, operated: list[tuple[str, int, float]]) -> None:
        super().__init__()
        self._operated = operated

    def select_analog_output(self, index: int, value: float) -> CommandResult:
        return CommandResult.local() if index == LOCKED else CommandResult.success()

    def operate_analog_output(
        self, index: int, value: float, select_sequence: int
    ) -> CommandResult:
        self._operated.append(("analog", index, value))
        return CommandResult.success()

    def select_binary_output(
        self, index: int, code: Any, count: int, on_time: int, off_time: int
    ) -> CommandResult:
        return CommandResult.success()

    def operate_binary_output(  # noqa: PLR0917 - dnp3py's signature
        self,
        index: int,
        code: Any,
        count: int,
        on_time: int,
        off_time: int,
        select_sequence: int,
    ) -> CommandResult:
        self._operated.append(("relay", index, float(int(code))))
        return CommandResult.success()


class Dnp3py(Foreign):
    """dnp3py's outstation and TCP runner: integers, nothing pushed."""

    pushes = False

    def __init__(self, link: str, plant: BenchPlant, clock: Clock, folder: Path) -> None:
        super().__init__(link, plant, clock, folder)
        self._database = Database()
        for index, value in ANALOGS.items():
            self._database.add_analog_input(index, AnalogInputConfig())
            self._database.update_analog_input(index, value)
        for index in (SETPOINT, LOCKED, *FURTHER):
            self._database.add_analog_output(index, AnalogOutputConfig())
        self._database.add_binary_output(RELAY_INDEX, BinaryOutputConfig())
        self._database.add_binary_input(3, BinaryInputConfig())
        self._database.update_binary_input(3, value=True)
        self._database.add_counter(0, CounterConfig())
        self._database.update_counter(0, 41)
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        outstation = Outstation(
            database=self._database,
            config=OutstationConfig(address=LINK_ADDRESS, master_address=MASTER_ADDRESS),
            handler=_Handler(self.operated),
        )
        runner = OutstationTcpRunner(outstation=outstation, host="127.0.0.1", port=self.port)
        self._task = asyncio.create_task(runner.run())
        async with asyncio.timeout(5.0):
            while not runner.is_running:  # noqa: ASYNC110 - the library has no event for it
                await asyncio.sleep(0.01)

    async def kill(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def move(self, value: float) -> None:
        self._database.update_analog_input(0, value)


class _Process(Foreign):
    """An outstation as a child process: one JSON line on stdin, one back (`operated`)."""

    module = ""

    def __init__(self, link: str, plant: BenchPlant, clock: Clock, folder: Path) -> None:
        super().__init__(link, plant, clock, folder)
        self._child: asyncio.subprocess.Process | None = None

    def where(self) -> str:
        """What it is told to listen on."""
        return str(self.port)

    async def start(self) -> None:
        self._child = await asyncio.create_subprocess_exec(
            sys.executable, "-m", f"tests.peers.dnp3.{self.module}", self.where(),
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
            cwd=Path(__file__).parents[3],
        )  # fmt: skip
        await self._told()

    async def kill(self) -> None:
        child, self._child = self._child, None
        if child is not None:
            child.kill()
            await child.wait()

    async def move(self, value: float) -> None:
        await self._say({"analog": value})

    async def learn(self) -> None:
        await self._say({})

    async def _say(self, what: dict[str, float]) -> None:
        assert self._child is not None
        assert self._child.stdin is not None
        self._child.stdin.write(json.dumps(what).encode() + b"\n")
        await self._told()

    async def _told(self) -> None:
        assert self._child is not None
        assert self._child.stdout is not None
        async with asyncio.timeout(10.0):
            told = json.loads(await self._child.stdout.readline())
        self.operated = [(kind, index, value) for kind, index, value in told]


class Minimal(_Process):
    """dnp3-outstation 0.2: READ and WRITE and nothing else; DISABLE_UNSOLICITED is not answered."""

    module = "minimal_outstation"
    commands = False
    pushes = False
    without: Sequence[str] = (
        bench.SWITCH,
        bench.HEARTBEAT,
        bench.SETPOINT,
        bench.LOCKED_SETPOINT,
        RELAY,
    )


class Yadnp3(_Process):
    """opendnp3's outstation by its Python binding: integers only."""

    module = "yadnp3_outstation"


OUTSTATIONS: dict[str, type[Foreign]] = {
    "py1815": Py1815,
    "dnp3py": Dnp3py,
    "yadnp3": Yadnp3,
    "dnp3-outstation": Minimal,
}
