"""The types that the OPC UA server ships: what a client finds of them."""

from __future__ import annotations

import asyncio
from pathlib import Path

from asyncua import ua
from asyncua.client.client import Client

from gridctl.pki import make_application_certificate
from gridctl.wallclock import system_clock
from sim.fleet import load_fleet
from sim.instance_points import write_points
from sim.plant import Plant, Reading, Verdict
from sim.plant_points import read_plant_points
from sim.scenario import load_scenario, scenario_feeder
from sim.server import SimOpcUaServer
from sim.server_types import NAMESPACE, TYPES, type_of
from tests.ports import free_port

CLOCK = system_clock()


class Level(Plant):
    """Shows 1.0 everywhere."""

    def read(self, point: str) -> Reading:
        return Reading(value=1.0, good=True, at_s=CLOCK.now_s())

    def check(self, point: str, value: float) -> Verdict:
        return Verdict.ACCEPTED

    def command(self, point: str, value: float, *, lease_s: float | None) -> Verdict:
        return Verdict.ACCEPTED

    def revision(self) -> int:
        return 1


def test_who_is_what() -> None:
    names = [
        type_of(parts).name if type_of(parts) else ""  # type: ignore[union-attr]
        for parts in ({"TotW", "TotVAr"}, {"ShedSpt", "TotW"}, {"WLim"}, {"Pos"}, {"TmpC"})
    ]
    assert names == ["FeederType", "LoadGroupType", "DerType", "BreakerType", ""]


async def test_devices_are_of_their_type_and_show_its_components(tmp_path: Path) -> None:
    for name in ("server", "field"):
        make_application_certificate(
            certificate=tmp_path / f"{name}.der", key=tmp_path / f"{name}.pem", common_name=name,
            application_uri=f"urn:gridctl:{name}", hosts=["127.0.0.1"], now_s=CLOCK.now_s(),
            days=2,
        )  # fmt: skip
    feeder = scenario_feeder(load_scenario("hot-afternoon"))
    write_points(tmp_path / "points.csv", feeder, load_fleet(feeder))
    points = [p for p in read_plant_points(tmp_path / "points.csv") if p.link == "DER"]
    port = free_port()
    server = SimOpcUaServer(
        link="DER", url=f"opc.tcp://127.0.0.1:{port}/gridctl",
        certificate=tmp_path / "server.der", key=tmp_path / "server.pem", user="u", password="p",
        trusted_client=tmp_path / "field.der", points=points, plant=Level(), clock=CLOCK,
    )  # fmt: skip
    await server.start()
    try:
        async with asyncio.timeout(20):
            await look(tmp_path, port)
    finally:
        await server.stop()


async def look(folder: Path, port: int) -> None:
    from asyncua.crypto.security_policies import SecurityPolicyBasic256Sha256

    client = Client(f"opc.tcp://127.0.0.1:{port}/gridctl", timeout=5)
    client.application_uri = "urn:gridctl:field"
    client.set_user("u")
    client.set_password("p")
    await client.set_security(
        SecurityPolicyBasic256Sha256, str(folder / "field.der"), str(folder / "field.pem"),
        server_certificate=str(folder / "server.der"),
        mode=ua.MessageSecurityMode.SignAndEncrypt,
    )  # fmt: skip
    async with client:
        index = await client.get_namespace_index(NAMESPACE)
        base = client.get_node(ua.NodeId(ua.Int32(58)))
        known = {(await n.read_browse_name()).Name for n in await base.get_children()}
        assert {t.name for t in TYPES} <= known
        battery = client.get_node(ua.NodeId(ua.String("DER/BESS01"), ua.Int16(index)))
        der = next(t for t in TYPES if t.name == "DerType")
        assert await battery.read_type_definition() == ua.NodeId(
            ua.Int32(der.node), ua.Int16(index)
        )
        declared = {c.name: c.data_type for c in der.components}
        shown = {}
        for child in await battery.get_children(nodeclassmask=ua.NodeClass.Variable):
            name = (await child.read_browse_name()).Name
            shown[name] = (await child.read_data_type()).Identifier
        assert {"WSpt", "WSptFb", "TotW", "SoC", "Remote", "Flt"} == set(shown)
        assert {name: declared[name] for name in shown} == shown
        methods = await battery.get_children(nodeclassmask=ua.NodeClass.Method)
        assert [(await m.read_browse_name()).Name for m in methods] == ["SetW"]
