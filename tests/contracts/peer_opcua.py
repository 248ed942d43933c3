"""The OPC UA peer of the driver contract: the simulated server behind a proxy that can freeze."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from gridctl.model.clock import Clock
from gridctl.pki import make_application_certificate
from gridctl.wallclock import system_clock
from protocols.driver import LinkSettings, PointAddress
from sim.server import SimOpcUaServer
from tests.contracts import driver_peer as bench
from tests.contracts.driver_peer import BenchPlant, Wire, bench_points, plant_points
from tests.contracts.loopback_proxy import LoopbackProxy
from tests.ports import free_port

USER = "gridctl-field"
PASSWORD = "bench-password"  # for a loopback server that lives as long as one test
PUBLISHING_MS = 50.0
NAMESPACE = "urn:gridctl:feeder:1"


def _at(mrid: str) -> str:
    return f"nsu={NAMESPACE};s={mrid}"


METHOD_WIRES = {
    bench.POWER: Wire(address=_at(bench.POWER)),
    bench.VOLTAGE: Wire(address=_at(bench.VOLTAGE), scale=0.5),
    bench.SWITCH: Wire(address=_at(bench.SWITCH)),
    bench.HEARTBEAT: Wire(address=_at(bench.HEARTBEAT)),
    bench.FEEDBACK: Wire(address=_at(bench.FEEDBACK)),
    bench.LOCKED_FEEDBACK: Wire(address=_at(bench.LOCKED_FEEDBACK)),
    bench.SETPOINT: Wire(address=_at(bench.SETPOINT), command="method:SetWMax"),
    bench.LOCKED_SETPOINT: Wire(address=_at(bench.LOCKED_SETPOINT), command="method:SetLocked"),
}
WRITE_WIRES = METHOD_WIRES | {
    bench.SETPOINT: Wire(
        address=_at(bench.SETPOINT), command="write", lease=_at(f"{bench.SETPOINT}.Lease")
    ),
    bench.LOCKED_SETPOINT: Wire(address=_at(bench.LOCKED_SETPOINT), command="write"),
}


@cache
def _key_pairs() -> tuple[tuple[str, bytes], ...]:
    """Key pairs of both ends, made once per test run: RSA keys take their time."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        for end, uri in (("server", "urn:gridctl:sim"), ("field", "urn:gridctl:field")):
            make_application_certificate(
                certificate=folder / f"{end}.der",
                key=folder / f"{end}.pem",
                common_name=end,
                application_uri=uri,
                hosts=("localhost", "127.0.0.1"),
                now_s=system_clock().now_s(),
                days=1,
            )
        return tuple((path.name, path.read_bytes()) for path in folder.iterdir())


def make_pki(folder: Path) -> None:
    """server.der, server.pem, field.der, field.pem and opcua.password in `folder`."""
    folder.mkdir(exist_ok=True)
    for name, data in (*_key_pairs(), ("opcua.password", f"{PASSWORD}\n".encode())):
        path = folder / name
        path.write_bytes(data)
        path.chmod(0o600)


class OpcUaPeer:
    """Fulfils `DriverPeer`, commanding by method."""

    locked_status = "BadUserAccessDenied"
    hands_on_lease = True
    wires = METHOD_WIRES

    def __init__(self, link: str, plant: BenchPlant, clock: Clock, folder: Path) -> None:
        make_pki(folder)
        self.folder = folder
        self._link = link
        self._port = free_port()
        inner_port = free_port()
        self._points = bench_points(link, dict(self.wires))
        self.proxy = LoopbackProxy(port=self._port, upstream_port=inner_port)
        self.server = SimOpcUaServer(
            link=link,
            url=f"opc.tcp://127.0.0.1:{inner_port}/gridctl",
            certificate=folder / "server.der",
            key=folder / "server.pem",
            user=USER,
            password=PASSWORD,
            trusted_client=folder / "field.der",
            points=plant_points(self._points),
            plant=plant,
            clock=clock,
        )
        self._running = False

    def settings(self) -> LinkSettings:
        return LinkSettings(
            id=self._link,
            protocol="opcua",
            file="bench.toml",
            options={
                "url": f"opc.tcp://127.0.0.1:{self._port}/gridctl",
                "security_policy": "Basic256Sha256",
                "certificate": str(self.folder / "field.der"),
                "key": str(self.folder / "field.pem"),
                "server_certificate": str(self.folder / "server.der"),
                "application_uri": "urn:gridctl:field",
                "user": USER,
                "password_file": str(self.folder / "opcua.password"),
                "publishing_ms": PUBLISHING_MS,
                "timeout_s": 0.6,
            },
        )

    def points(self) -> tuple[PointAddress, ...]:
        return self._points

    async def start(self) -> None:
        if not self._running:
            await self.server.start()
            self._running = True
        await self.proxy.start()

    async def kill(self) -> None:
        await self.proxy.stop()
        await self.server.stop()
        self._running = False

    async def freeze(self) -> None:
        self.proxy.freeze()

    async def thaw(self) -> None:
        self.proxy.thaw()

    async def publish(self) -> None:
        await self.server.publish()


class OpcUaWritePeer(OpcUaPeer):
    """The same device, commanded by guarded writes with a lease node."""

    wires = WRITE_WIRES
