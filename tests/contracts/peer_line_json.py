"""The peer of the documentation's example driver: its imaginary device behind a proxy."""

from __future__ import annotations

from pathlib import Path

from docs.examples.line_json.device import LineJsonDevice
from docs.examples.line_json.driver import LineJsonDriver
from gridctl.model.clock import Clock
from protocols.driver import Driver, LinkSettings, PointAddress
from protocols.inbox import Inbox
from tests.contracts import driver_peer as bench
from tests.contracts.driver_peer import BenchPlant, Wire, bench_points, plant_points
from tests.contracts.loopback_proxy import LoopbackProxy
from tests.ports import free_port

WIRES = {
    bench.POWER: Wire(address="W"),
    bench.VOLTAGE: Wire(address="V", scale=0.5),
    bench.SWITCH: Wire(address="POS"),
    bench.HEARTBEAT: Wire(address="HB"),
    bench.FEEDBACK: Wire(address="WMAXFB"),
    bench.LOCKED_FEEDBACK: Wire(address="LOCKEDFB"),
    bench.SETPOINT: Wire(address="WMAXHELD", command="WMAX"),
    bench.LOCKED_SETPOINT: Wire(address="LOCKEDHELD", command="LOCKED"),
}


class LineJsonPeer:
    """Fulfils `DriverPeer`."""

    locked_status = "LOCAL"
    hands_on_lease = True

    def __init__(self, link: str, plant: BenchPlant, clock: Clock, folder: Path) -> None:
        self._link = link
        self._port = free_port()
        inner_port = free_port()
        self._points = bench_points(link, WIRES)
        self.proxy = LoopbackProxy(port=self._port, upstream_port=inner_port)
        self.device = LineJsonDevice(
            plant_points(self._points), plant, port=inner_port, clock=clock
        )
        self._running = False

    def settings(self) -> LinkSettings:
        return LinkSettings(
            id=self._link,
            protocol="line-json",
            file="bench.toml",
            options={"host": "127.0.0.1", "port": self._port, "timeout_s": 0.5},
        )

    def open_driver(self, inbox: Inbox, clock: Clock) -> Driver:
        return LineJsonDriver(self.settings(), self._points, inbox, clock)

    def points(self) -> tuple[PointAddress, ...]:
        return self._points

    async def start(self) -> None:
        if not self._running:
            await self.device.start()
            self._running = True
        await self.proxy.start()

    async def kill(self) -> None:
        await self.proxy.stop()
        await self.device.stop()
        self._running = False

    async def freeze(self) -> None:
        self.proxy.freeze()

    async def thaw(self) -> None:
        self.proxy.thaw()

    async def publish(self) -> None:
        """A poll finds it."""
