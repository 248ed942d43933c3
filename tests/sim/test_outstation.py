"""The simulated outstation, seen by masters that are not ours in kind: yadnp3 and raw reads."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import opendnp3 as o
import pytest

from gridctl.model.clock import ManualClock
from gridctl.model.measurement import Flag, PointKind
from gridctl.wallclock import system_clock
from protocols.dnp3.driver import Dnp3Driver
from protocols.driver import LinkSettings, PointAddress, Result
from protocols.inbox import Inbox
from sim.outstation import SimOutstation
from sim.outstation_forms import ANALOG, encode_static
from sim.outstation_image import OutstationImage, parse_address
from sim.plant import Reading, Verdict
from tests.contracts import driver_peer as bench
from tests.contracts.driver_peer import BenchPlant, Wire, bench_points, plant_points
from tests.contracts.peer_dnp3 import Dnp3Peer
from tests.contracts.test_driver_contract import CONNECT_S, Rig, rig_of
from tests.ports import free_port


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    async with rig_of(Dnp3Peer, tmp_path / "bench") as rig:
        await rig.connected()
        yield rig


def outstation_of(rig: Rig) -> SimOutstation:
    assert isinstance(rig.peer, Dnp3Peer)
    return rig.peer.outstation


async def test_rejected_select_is_local_and_counted_at_the_device(rig: Rig) -> None:
    outstation_of(rig).reject_select = True
    execution = await rig.execute(rig.permit(bench.SETPOINT, 5.0))
    assert (execution.result, execution.status) == (Result.REJECTED, "LOCAL")
    assert (outstation_of(rig).operates, rig.plant.operated) == (0, [])
    outstation_of(rig).reject_select = False
    assert (await rig.execute(rig.permit(bench.SETPOINT, 5.0))).result is Result.ACCEPTED
    assert (outstation_of(rig).operates, len(rig.plant.operated)) == (1, 1)


@pytest.mark.parametrize("verdict", list(Verdict))
async def test_every_verdict_is_a_status(
    rig: Rig, verdict: Verdict, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(BenchPlant, "check", lambda plant, point, value: verdict)
    execution = await rig.execute(rig.permit(bench.SETPOINT, 5.0))
    expected = "SUCCESS" if verdict is Verdict.ACCEPTED else verdict.name
    assert execution.status == expected
    assert len(rig.plant.operated) == (1 if verdict is Verdict.ACCEPTED else 0)


async def test_direct_operate_does_not_exist_here(rig: Rig) -> None:
    session = rig.driver._session  # type: ignore[attr-defined]
    done: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    loop = asyncio.get_running_loop()
    session._master.DirectOperate(
        o.AnalogOutputFloat32(9.0),
        12,
        lambda result: loop.call_soon_threadsafe(done.set_result, int(result.to_list()[0].state)),
    )
    assert await asyncio.wait_for(done, 5.0) != int(o.CommandPointState.SUCCESS)
    assert rig.plant.operated == []


async def test_a_power_cut_is_a_restart_and_events_do_not_survive(rig: Rig) -> None:
    outstation = outstation_of(rig)
    states = [outstation.running]
    await outstation.stop()
    states.append(outstation.running)
    assert states == [True, False]
    rig.plant.set(bench.POWER, 555.5)
    await outstation.publish()
    await outstation.start()
    await outstation.start()
    assert await rig.until(
        lambda: rig.latest[bench.POWER].value == 555.5 and rig.all_good(), CONNECT_S
    )


async def test_deadband_holds_events_back_but_not_polls(tmp_path: Path) -> None:
    class Coarse(Dnp3Peer):
        def __init__(self, link: str, plant: BenchPlant, clock: object, folder: Path) -> None:
            super().__init__(link, plant, system_clock(), folder)
            self.outstation._image.points = {
                key: replace(point, deadband=10.0)
                for key, point in self.outstation._image.points.items()
            }

    async with rig_of(Coarse, tmp_path / "bench") as rig:
        await rig.connected()
        rig.seen.clear()
        rig.plant.set(bench.POWER, 815.0)
        await rig.peer.publish()
        assert await rig.until(lambda: rig.latest[bench.POWER].value == 815.0, 2.0)
        assert all(m.time_quality == "received" for m in rig.seen if m.point == bench.POWER)


class CountingPlant(BenchPlant):
    """A plant of many analogs: point `A17` shows 17.25."""

    def read(self, point: str) -> Reading:
        return Reading(value=int(point[1:]) + 0.25, good=point != "A3", at_s=self.clock.now_s())

    def command(self, point: str, value: float, *, lease_s: float | None) -> Verdict:
        self.operated.append((point, value, lease_s))
        return Verdict.ACCEPTED


def many(count: int) -> tuple[PointAddress, ...]:
    """`count` analogs at every third index, so that ranges have gaps."""
    base = bench_points("MANY", {m: Wire(address="30:0") for m in _all()})[0]
    return tuple(
        replace(
            base,
            point=replace(base.point, mrid=f"A{n}", name=f"A{n}", scan_s=1.0),
            address=f"30:{n * 3 if n % 2 else n * 3 + 1}",
            line=n + 2,
        )
        for n in range(count)
    )


def _all() -> list[str]:
    return [p.mrid for p in (*bench.READABLE, *bench.COMMANDABLE)]


async def test_hundreds_of_scattered_points_arrive_in_many_fragments() -> None:
    clock = system_clock()
    rows = many(600)
    port = free_port()
    outstation = SimOutstation(
        link="MANY",
        host="127.0.0.1",
        port=port,
        master_address=1,
        outstation_address=10,
        points=plant_points(rows),
        plant=CountingPlant(clock=clock),
        clock=clock,
    )
    await outstation.start()
    inbox = Inbox(1_000)
    driver = Dnp3Driver(
        LinkSettings(
            id="MANY",
            protocol="dnp3",
            file="x",
            options={
                "host": "127.0.0.1",
                "port": port,
                "master_address": 1,
                "outstation_address": 10,
                "response_timeout_s": 2.0,
                "select_timeout_s": 5.0,
            },
        ),
        rows,
        inbox,
        clock,
    )
    await driver.start()
    try:
        values: dict[str, float] = {}
        bad: set[str] = set()
        for _ in range(50):
            for m in await inbox.get(timeout_s=0.2):
                values[m.point] = m.value
                if not m.quality.is_good:
                    bad.add(m.point)
                    assert Flag.COMM_LOST in m.quality.flags
            if len(values) == len(rows):
                break
        assert values == {f"A{n}": n + 0.25 for n in range(600)}
        assert bad == {"A3"}
    finally:
        await driver.stop()
        await outstation.stop()


async def test_a_taken_port_is_an_error() -> None:
    clock = system_clock()
    port = free_port()
    server = await asyncio.start_server(lambda r, w: w.close(), "127.0.0.1", port)
    rows = bench_points("X", {m: Wire(address=f"30:{n}") for n, m in enumerate(_all())})
    outstation = SimOutstation(
        link="X",
        host="127.0.0.1",
        port=port,
        master_address=1,
        outstation_address=10,
        points=plant_points(rows),
        plant=BenchPlant(clock=clock),
        clock=clock,
    )
    with pytest.raises(OSError, match="address already in use"):
        await outstation.start()
    assert not outstation.running
    server.close()
    await server.wait_closed()


def test_outputs_show_what_was_operated_and_feedback_may_share_them() -> None:
    plant = BenchPlant(clock=ManualClock())
    wires = {m: Wire(address=f"30:{n}") for n, m in enumerate(_all())}
    wires[bench.SETPOINT] = Wire(address="41:5", command="ao-float", lease="41:70")
    image = OutstationImage(plant_points(bench_points("X", wires)), plant)
    key = next(iter(image.outputs))
    assert (key.group, key.index) == (40, 5)
    assert image.reading(key) == (0.0, 0x01, None)
    image.operated(key, 12.5)
    assert image.reading(key)[0] == 12.5
    assert list(image.leases) == [70]


@pytest.mark.parametrize("address", ["", "30", "30:", "x:1", "30:70000", "99:1", "-1:2"])
def test_an_address_that_dnp3_does_not_have_is_refused(address: str) -> None:
    with pytest.raises(ValueError, match="is"):
        parse_address(address)


def test_floats_saturate_and_say_so() -> None:
    assert encode_static(ANALOG, 5, 1e300, 0x01)[0] == 0x21
    assert encode_static(ANALOG, 5, float("nan"), 0x01)[0] == 0x00
    assert encode_static(ANALOG, 5, 1.5, 0x01) == b"\x01\x00\x00\xc0\x3f"


async def test_a_latch_goes_to_the_plant_as_one_and_zero(tmp_path: Path) -> None:
    class Latch(Dnp3Peer):
        def __init__(self, link: str, plant: BenchPlant, clock: object, folder: Path) -> None:
            super().__init__(link, plant, system_clock(), folder)
            self._points = tuple(
                replace(
                    row,
                    point=replace(row.point, kind=PointKind.CONTROL),
                    address="12:3",
                    command="crob-latch",
                    lease="",
                )
                if row.point.mrid == bench.SETPOINT
                else row
                for row in self._points
            )
            self.outstation._image.__init__(plant_points(self._points), plant)  # type: ignore[misc]

    async with rig_of(Latch, tmp_path / "bench") as rig:
        await rig.connected()
        for value in (1.0, 0.0):
            execution = await rig.execute(rig.permit(bench.SETPOINT, value))
            assert execution.result is Result.ACCEPTED, execution
            read = await rig.driver.read_back(bench.SETPOINT, timeout_s=2.0)
            assert read is not None
            assert read.value == value
        half = await rig.execute(rig.permit(bench.SETPOINT, 0.5))
        assert half.result is Result.REJECTED
        assert rig.plant.operated == [
            (bench.SETPOINT, 1.0, None),
            (bench.SETPOINT, 0.0, None),
        ]
