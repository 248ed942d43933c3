"""The DNP3 peer of the driver contract: the simulated outstation (py1815) on a loopback port."""

from __future__ import annotations

from pathlib import Path

from gridctl.model.clock import Clock
from protocols.driver import LinkSettings, PointAddress
from sim.outstation import SimOutstation
from tests.contracts import driver_peer as bench
from tests.contracts.driver_peer import BenchPlant, Wire, bench_points, plant_points
from tests.ports import free_port

WIRES = {
    bench.POWER: Wire(address="30:0"),
    bench.VOLTAGE: Wire(address="30:7", scale=0.5),
    bench.SWITCH: Wire(address="1:3"),
    bench.HEARTBEAT: Wire(address="20:0"),
    bench.FEEDBACK: Wire(address="30:8"),
    bench.LOCKED_FEEDBACK: Wire(address="30:9"),
    bench.SETPOINT: Wire(address="41:12", command="ao-float", lease="41:70"),
    bench.LOCKED_SETPOINT: Wire(address="41:13", command="ao-float"),
}


class Dnp3Peer:
    """Fulfils `DriverPeer`."""

    locked_status = "LOCAL"
    hands_on_lease = True

    def __init__(self, link: str, plant: BenchPlant, clock: Clock, folder: Path) -> None:
        self._link = link
        self._port = free_port()
        self._points = bench_points(link, WIRES)
        self.outstation = SimOutstation(
            link=link,
            host="127.0.0.1",
            port=self._port,
            master_address=1,
            outstation_address=1024,
            points=plant_points(self._points),
            plant=plant,
            clock=clock,
        )

    def settings(self) -> LinkSettings:
        return LinkSettings(
            id=self._link,
            protocol="dnp3",
            file="bench.toml",
            options={
                "host": "127.0.0.1",
                "port": self._port,
                "master_address": 1,
                "outstation_address": 1024,
                "response_timeout_s": 0.6,
                "select_timeout_s": 5.0,
            },
        )

    def points(self) -> tuple[PointAddress, ...]:
        return self._points

    async def start(self) -> None:
        await self.outstation.start()

    async def kill(self) -> None:
        await self.outstation.stop()

    async def freeze(self) -> None:
        self.outstation.frozen = True

    async def thaw(self) -> None:
        self.outstation.frozen = False

    async def publish(self) -> None:
        await self.outstation.publish()
