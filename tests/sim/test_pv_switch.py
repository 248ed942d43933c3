"""The local/remote switch and the fault flag of a PV inverter, as masters of both protocols see
them: shown, refused while it stands at local, and the ceiling let go."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from asyncua import ua
from asyncua.client.client import Client
from py1815.master import Outcome, Outstation

from sim.fleet import load_fleet
from sim.instance_points import write_points
from sim.outstation import SimOutstation
from sim.plant import PlantPoint, Verdict
from sim.plant_points import read_plant_points
from sim.server import SimOpcUaServer
from sim.world import World
from tests.contracts.peer_opcua import PASSWORD, USER, make_pki
from tests.ports import free_port
from tests.sim.lively import Lively
from tests.sim.opcua_stand import CLOCK, Stand, bare, connected, node, write

CEILING_KW = 3.0
RATING_KW = 120.0
DNP3 = {"WLim": "41:0", "WLimFb": "30:0", "TotW": "30:1", "Avail": "30:2"} | {
    "Remote": "1:0",
    "Flt": "1:1",
}


@pytest.fixture
def lively() -> Lively:
    made = Lively()
    made.run(1)
    return made


def pv_points(world: World, folder: Path) -> list[PlantPoint]:
    """The inverter's rows of the points file that a pilot is given."""
    feeder = world.feeder
    write_points(folder / "points.csv", feeder, load_fleet(feeder, "ieee123-lively"))
    return [p for p in read_plant_points(folder / "points.csv") if p.equipment == "PV01"]


def test_the_points_file_has_switch_and_flag(lively: Lively, tmp_path: Path) -> None:
    names = {p.mrid for p in pv_points(lively.world, tmp_path)}
    assert {"PV01.Remote", "PV01.Flt"} <= names


class PvStand(Stand):
    """The inverter alone behind an OPC UA server."""

    def __init__(self, folder: Path, lively: Lively) -> None:
        make_pki(folder)
        self.folder, self.port = folder, free_port()
        self.server = SimOpcUaServer(
            link="DER",
            url=f"opc.tcp://127.0.0.1:{self.port}/gridctl",
            certificate=folder / "server.der",
            key=folder / "server.pem",
            user=USER,
            password=PASSWORD,
            trusted_client=folder / "field.der",
            points=pv_points(lively.world, folder),
            plant=lively.world,
            clock=CLOCK,
        )


async def shown(client: Client, name: str) -> int:
    return int(await (await node(client, f"PV01.{name}")).read_value())


def ceiling() -> ua.DataValue:
    return bare(CEILING_KW, ua.VariantType.Double)


async def test_over_opc_ua(lively: Lively, tmp_path: Path) -> None:
    world, stand = lively.world, PvStand(tmp_path, lively)
    hold = world.commandable["PV01"].hold
    await stand.server.start()
    try:
        async with connected(stand) as client:
            assert (await shown(client, "Remote"), await shown(client, "Flt")) == (1, 0)
            assert await write(client, "PV01.WLim", ceiling()) == "Good"
            assert hold.value == CEILING_KW
            world.set_local("PV01", on=True)
            lively.run(1)
            await stand.server.publish()
            assert await shown(client, "Remote") == 0
            assert await write(client, "PV01.WLim", ceiling()) == "BadUserAccessDenied"
            assert hold.value == RATING_KW
            world.set_local("PV01", on=False)
            world.set_fault("PV01", on=True)
            lively.run(1)
            await stand.server.publish()
            assert (await shown(client, "Remote"), await shown(client, "Flt")) == (1, 1)
            assert await write(client, "PV01.WLim", ceiling()) == "BadInvalidState"
    finally:
        await stand.server.stop()


@pytest.fixture
async def outstation(lively: Lively, tmp_path: Path) -> AsyncIterator[tuple[SimOutstation, int]]:
    points = [
        replace(
            p,
            link="PV",
            address=DNP3[p.mrid.split(".")[1]],
            command="ao-float" if p.command else "",
            lease="",
        )
        for p in pv_points(lively.world, tmp_path)
    ]
    port = free_port()
    made = SimOutstation(
        link="PV", host="127.0.0.1", port=port, master_address=1, outstation_address=20,
        points=points, plant=lively.world, clock=CLOCK,
    )  # fmt: skip
    await made.start()
    yield made, port
    await made.stop()


async def test_over_dnp3(lively: Lively, outstation: tuple[SimOutstation, int]) -> None:
    world, (served, port) = lively.world, outstation
    hold = world.commandable["PV01"].hold
    master = Outstation("PV", host="127.0.0.1", port=port, outstation_address=20)

    async def sees() -> list[bool]:
        await served.publish()
        poll = await master.integrity_poll()
        assert poll.outcome is Outcome.COMPLETE
        seen = [master.store.binary_input(i) for i in (0, 1)]
        return [bool(one.value) for one in seen if one is not None]

    async def told() -> bool | None:
        result = await master.operate(analog_outputs={0: CEILING_KW}, mode="select", variation=3)
        return result.accepted

    await master.connect(wait=5.0)
    await master.idle()
    try:
        assert await sees() == [True, False]
        assert await told()
        assert hold.value == CEILING_KW
        world.set_local("PV01", on=True)
        lively.run(1)
        assert await sees() == [False, False]
        assert await told() is False
        assert hold.value == RATING_KW
        assert world.check("PV01.WLim", CEILING_KW) is Verdict.LOCAL
    finally:
        await master.close()
