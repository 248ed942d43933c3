"""A simulated OPC UA server on the bench, and clients of many kinds that knock at it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from asyncua import ua
from asyncua.client.client import Client
from asyncua.common.node import Node
from asyncua.crypto.security_policies import SecurityPolicyBasic256Sha256

from gridctl.wallclock import system_clock
from sim.plant import PlantPoint
from sim.server import SimOpcUaServer
from tests.contracts import driver_peer as bench
from tests.contracts.driver_peer import BenchPlant, bench_points, plant_points
from tests.contracts.peer_opcua import (
    METHOD_WIRES,
    NAMESPACE,
    PASSWORD,
    USER,
    WRITE_WIRES,
    make_pki,
)
from tests.ports import free_port

CLOCK = system_clock()


class Stand:
    """A running server with both kinds of command, and its plant."""

    def __init__(self, folder: Path) -> None:
        make_pki(folder)
        self.folder = folder
        self.port = free_port()
        self.plant = BenchPlant(clock=CLOCK)
        self.plant.touch()
        # SETPOINT is written, LOCKED_SETPOINT is commanded by a method.
        wires = WRITE_WIRES | {bench.LOCKED_SETPOINT: METHOD_WIRES[bench.LOCKED_SETPOINT]}
        self.server = make_server(
            folder, self.port, plant_points(bench_points("DER", wires)), self.plant
        )

    def client(
        self,
        *,
        user: str | None = USER,
        password: str = PASSWORD,
        end: str = "field",
        policy: object = SecurityPolicyBasic256Sha256,
        mode: ua.MessageSecurityMode = ua.MessageSecurityMode.SignAndEncrypt,
    ) -> Client:
        client = Client(f"opc.tcp://127.0.0.1:{self.port}/gridctl", timeout=2)
        client.application_uri = "urn:gridctl:field"
        client.session_timeout = 30_000
        if user is not None:
            client.set_user(user)
            client.set_password(password)
        self.policy = (policy, mode, end)
        return client

    async def secured(self, client: Client) -> Client:
        policy, mode, end = self.policy
        await client.set_security(
            policy,  # type: ignore[arg-type]
            str(self.folder / f"{end}.der"),
            str(self.folder / f"{end}.pem"),
            server_certificate=str(self.folder / "server.der"),
            mode=mode,
        )
        return client


def make_server(
    folder: Path, port: int, points: tuple[PlantPoint, ...], plant: BenchPlant
) -> SimOpcUaServer:
    return SimOpcUaServer(
        link="DER",
        url=f"opc.tcp://127.0.0.1:{port}/gridctl",
        certificate=folder / "server.der",
        key=folder / "server.pem",
        user=USER,
        password=PASSWORD,
        trusted_client=folder / "field.der",
        points=points,
        plant=plant,
        clock=CLOCK,
    )


@asynccontextmanager
async def connected(stand: Stand) -> AsyncIterator[Client]:
    client = await stand.secured(stand.client())
    async with client:
        yield client


async def node(client: Client, identifier: str) -> Node:
    index = await client.get_namespace_index(NAMESPACE)
    return client.get_node(ua.NodeId(ua.String(identifier), ua.Int16(index)))


def bare(value: object, kind: ua.VariantType) -> ua.DataValue:
    return ua.DataValue(ua.Variant(value, kind), StatusCode=None)


async def write(client: Client, identifier: str, value: ua.DataValue) -> str:
    target = await node(client, identifier)
    (status,) = await client.uaclient.write_attributes([target.nodeid], [value])
    return status.name
