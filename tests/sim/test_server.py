"""The simulated OPC UA server: what it shows and how it obeys."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC
from pathlib import Path

import pytest
import pytest_asyncio
from asyncua import ua
from asyncua.client.client import Client

from sim.server import SimOpcUaServer
from sim.server_space import CHILDREN_MAX
from tests.contracts import driver_peer as bench
from tests.contracts.driver_peer import BenchPlant, bench_points, plant_points
from tests.contracts.peer_opcua import (
    METHOD_WIRES,
    NAMESPACE,
    PASSWORD,
    USER,
    make_pki,
)
from tests.ports import free_port
from tests.sim.opcua_stand import CLOCK, Stand, bare, connected, make_server, node, write

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stand(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stand]:
    stand = Stand(tmp_path_factory.mktemp("sim-opcua"))
    await stand.server.start()
    yield stand
    await stand.server.stop()


async def call(client: Client, value: float, command_id: str, until_s: float) -> str:
    method = await node(client, f"{bench.LOCKED_SETPOINT}.SetLocked")
    (parent,) = [
        one.NodeId
        for one in await method.get_references(direction=ua.BrowseDirection.Inverse)
        if one.NodeClass is ua.NodeClass.Object
    ]
    (result,) = await client.uaclient.call(
        [
            ua.CallMethodRequest(
                ObjectId=parent,
                MethodId=method.nodeid,
                InputArguments=[
                    ua.Variant(value, ua.VariantType.Double),
                    ua.Variant(command_id, ua.VariantType.String),
                    ua.Variant(ua.DateTime.fromtimestamp(until_s, tz=UTC), ua.VariantType.DateTime),
                ],
            )
        ]
    )
    return str(result.StatusCode.name)


async def test_values_carry_the_plants_quality_and_time(stand: Stand) -> None:
    stand.plant.set(bench.POWER, 777.5)
    stand.plant.set(bench.VOLTAGE, 1.0, good=False)
    await stand.server.publish()
    async with connected(stand) as client:
        power = await (await node(client, bench.POWER)).read_data_value()
        assert power.Value is not None
        assert power.Value.Value == 777.5
        assert power.SourceTimestamp is not None
        stamped_s = stand.plant.read(bench.POWER).at_s
        assert power.SourceTimestamp.timestamp() == pytest.approx(stamped_s, abs=1e-3)
        voltage = await (await node(client, bench.VOLTAGE)).read_data_value(
            raise_on_bad_status=False
        )
        assert voltage.StatusCode is not None
        assert voltage.StatusCode.name == "BadDeviceFailure"
        now = await client.nodes.server.get_child(["0:ServerStatus", "0:CurrentTime"])
        assert (await now.read_value()).timestamp() == pytest.approx(CLOCK.now_s(), abs=5.0)


async def test_units_and_ranges_are_described(stand: Stand) -> None:
    async with connected(stand) as client:
        setpoint = await node(client, bench.SETPOINT)
        limits = await (await node(client, f"{bench.SETPOINT}.EURange")).read_value()
        assert (limits.Low, limits.High) == (-100.0, 100.0)
        unit = await (await node(client, f"{bench.SETPOINT}.EngineeringUnits")).read_value()
        assert (unit.UnitId, unit.DisplayName.Text) == (4_937_556, "kW")
        kind = await setpoint.read_type_definition()
        assert kind == ua.NodeId(ua.Int32(ua.ObjectIds.AnalogUnitRangeType))  # type: ignore[attr-defined]


async def test_frozen_server_shows_nothing_new(stand: Stand) -> None:
    stand.plant.set(bench.FEEDBACK, 1.0)
    await stand.server.publish()
    stand.server.frozen = True
    try:
        stand.plant.set(bench.FEEDBACK, 2.0)
        await stand.server.publish()
        async with connected(stand) as client:
            feedback = await node(client, bench.FEEDBACK)
            assert await feedback.read_value() == 1.0
            stand.server.frozen = False
            await stand.server.publish()
            assert await feedback.read_value() == 2.0
    finally:
        stand.server.frozen = False


async def test_write_reaches_the_plant_with_the_lease_beside_it(stand: Stand) -> None:
    stand.plant.operated.clear()
    async with connected(stand) as client:
        double = ua.VariantType.Double
        assert await write(client, f"{bench.SETPOINT}.Lease", bare(120.0, double)) == "Good"
        assert await write(client, bench.SETPOINT, bare(30.0, double)) == "Good"
        assert await (await node(client, bench.SETPOINT)).read_value() == 30.0
        assert await write(client, bench.SETPOINT, bare(300.0, double)) == "BadOutOfRange"
        assert await (await node(client, bench.SETPOINT)).read_value() == 30.0
    assert stand.plant.operated == [
        (bench.SETPOINT, 30.0, 120.0),
        (bench.SETPOINT, 300.0, 120.0),
    ]


@pytest.mark.parametrize(
    ("identifier", "value", "status"),
    [
        (bench.POWER, bare(1.0, ua.VariantType.Double), "BadNotWritable"),
        (bench.LOCKED_SETPOINT, bare(1.0, ua.VariantType.Double), "BadNotWritable"),
        (bench.SETPOINT, bare(1, ua.VariantType.Int32), "BadTypeMismatch"),
        (bench.SETPOINT, bare("1", ua.VariantType.String), "BadTypeMismatch"),
        (bench.SETPOINT, bare(float("nan"), ua.VariantType.Double), "BadOutOfRange"),
        (f"{bench.SETPOINT}.Lease", bare(0.0, ua.VariantType.Double), "BadOutOfRange"),
        (f"{bench.SETPOINT}.Lease", bare(1e9, ua.VariantType.Double), "BadOutOfRange"),
        (
            bench.SETPOINT,
            ua.DataValue(
                ua.Variant(1.0, ua.VariantType.Double),
                SourceTimestamp=ua.DateTime.fromtimestamp(0, tz=UTC),
            ),
            "BadWriteNotSupported",
        ),
    ],
)
async def test_wrong_write_is_refused_and_reaches_nothing(
    stand: Stand, identifier: str, value: ua.DataValue, status: str
) -> None:
    stand.plant.operated.clear()
    async with connected(stand) as client:
        assert await write(client, identifier, value) == status
    assert stand.plant.operated == []


async def test_attributes_other_than_the_value_cannot_be_written(stand: Stand) -> None:
    async with connected(stand) as client:
        target = await node(client, bench.SETPOINT)
        (status,) = await client.uaclient.write_attributes(
            [target.nodeid],
            [bare(255, ua.VariantType.Byte)],
            ua.AttributeIds.UserAccessLevel,  # type: ignore[attr-defined]
        )
        assert status.name == "BadNotWritable"


async def test_method_is_judged_by_the_device(stand: Stand) -> None:
    stand.plant.operated.clear()
    async with connected(stand) as client:
        until_s = CLOCK.now_s() + 90.0
        assert await call(client, 5.0, "m-1", until_s) == "BadUserAccessDenied"  # on LOCAL
        ((point, value, lease_s),) = stand.plant.operated
        assert (point, value) == (bench.LOCKED_SETPOINT, 5.0)
        assert lease_s == pytest.approx(90.0, abs=2.0)


async def test_late_and_duplicate_calls_are_refused(stand: Stand) -> None:
    stand.plant.operated.clear()
    async with connected(stand) as client:
        assert await call(client, 5.0, "late", CLOCK.now_s() - 1.0) == "BadInvalidTimestamp"
        assert await call(client, 5.0, "", CLOCK.now_s() + 9.0) == "BadInvalidArgument"
        assert await call(client, float("nan"), "n", CLOCK.now_s() + 9.0) == "BadInvalidArgument"
        assert stand.plant.operated == []
        await call(client, 5.0, "twice", CLOCK.now_s() + 9.0)
        assert await call(client, 5.0, "twice", CLOCK.now_s() + 9.0) == "BadEntryExists"
        assert len(stand.plant.operated) == 1


async def test_rejecting_server_refuses_before_the_plant(stand: Stand) -> None:
    stand.plant.operated.clear()
    stand.server.reject_commands = True
    try:
        async with connected(stand) as client:
            refused = await write(client, bench.SETPOINT, bare(1.0, ua.VariantType.Double))
            assert refused == "BadInvalidState"
            assert await call(client, 1.0, "rejected", CLOCK.now_s() + 9.0) == "BadInvalidState"
    finally:
        stand.server.reject_commands = False
    assert stand.plant.operated == []


async def test_sixty_devices_start_quickly_in_small_folders(stand: Stand, tmp_path: Path) -> None:
    template = plant_points(bench_points("DER", METHOD_WIRES))[0]
    devices = [f"DEV{n:03}" for n in range(130)]
    points = tuple(
        replace(
            template,
            mrid=f"{device}.{name}",
            name=name,
            equipment=device,
            address=f"nsu={NAMESPACE};s={device}.{name}",
        )
        for device in devices
        for name in ("TotW", "WMax", "SoC", "Loc", "Flt", "Hb")
    )
    plant = BenchPlant(clock=CLOCK)
    for point in points:
        plant.set(point.mrid, 1.0)
    make_pki(tmp_path)
    server = make_server(tmp_path, free_port(), points, plant)
    before_s = CLOCK.monotonic_s()
    await server.start()
    # Measured 1.1 s for 780 points on an idle machine; tests run on busy ones.
    assert CLOCK.monotonic_s() - before_s < 10.0
    try:
        assert server._server is not None
        root = await server._server.get_objects_node().get_child("2:DER")
        groups = await root.get_children()
        assert len(groups) == 2
        for group in groups:
            assert 0 < len(await group.get_children()) <= CHILDREN_MAX
    finally:
        await server.stop()


async def test_stop_and_start_again_on_the_same_port(stand: Stand) -> None:
    await stand.server.stop()
    await stand.server.stop()
    stand.plant.set(bench.POWER, 5.0)
    await stand.server.publish()  # switched off: nothing to show, nothing to break
    await stand.server.start()
    async with connected(stand) as client:
        assert await (await node(client, bench.POWER)).read_value() == 5.0


async def test_port_in_use_is_an_os_error(stand: Stand) -> None:
    points = plant_points(bench_points("DER", METHOD_WIRES))
    other = make_server(stand.folder, stand.port, points, stand.plant)
    with pytest.raises(OSError, match="in use"):
        await other.start()


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "example.test"])  # noqa: S104
async def test_only_loopback_is_served(stand: Stand, host: str) -> None:
    with pytest.raises(ValueError, match="loopback"):
        SimOpcUaServer(
            link="DER",
            url=f"opc.tcp://{host}:4841/gridctl",
            certificate=stand.folder / "server.der",
            key=stand.folder / "server.pem",
            user=USER,
            password=PASSWORD,
            trusted_client=None,
            points=(),
            plant=stand.plant,
            clock=CLOCK,
        )
