"""Commands on the wire: which objects leave, all together or one by one, and what never does."""

from __future__ import annotations

import struct
import time
from collections.abc import Sequence

import opendnp3 as o
import pytest

from gridctl.model.command import Command
from gridctl.model.permit import mint
from gridctl.wallclock import system_clock
from protocols.dnp3.fragments import Fragment, Function
from protocols.dnp3.objects import Block, walk
from protocols.driver import Execution, PointAddress, Result
from tests.protocols.dnp3.scripted import (
    Answer,
    Bench,
    Outstation,
    analogs,
    answer,
    bench_of,
    classes,
    relay,
    row,
    setpoint,
)

LEASE_S = 600.0
LEASE, ENABLE = 70, 17


def steady(request: Fragment) -> Answer:
    """Reads are answered, commands echoed."""
    if request.function in (Function.SELECT, Function.OPERATE):
        return answer(request, request.objects)
    return answer(request, analogs(1.5) if 0 in classes(request) else b"")


async def execute(bench: Bench, row: PointAddress, value: float) -> Execution:
    command = Command(
        mrid="C",
        plan="P",
        resource="R",
        point=row.point.mrid,
        value=value,
        expect_point="P30.0",
        tolerance=1.0,
        lease_until_s=time.time() + LEASE_S,
        default_value=0.0,
        effect_kw=0.0,
        batch=0,
    )
    permit = mint(command=command, order="O", expires_mono_s=system_clock().monotonic_s() + 10.0)
    return await bench.driver.execute(permit, aborted=lambda: False, stage=lambda _: None)


def commands(outstation: Outstation) -> list[tuple[str, bytes]]:
    """Function and objects of every request that is about outputs."""
    about = {Function.SELECT, Function.OPERATE}
    about |= {Function.DIRECT_OPERATE, Function.DIRECT_OPERATE_NR}
    return [(Function(r.function).name, r.objects) for r in outstation.asked if r.function in about]


@pytest.mark.parametrize(
    ("point", "value", "objects"),
    [
        (setpoint(4, command="ao-int32", scale=0.5), 50.0, (41, 1, "<i", 100)),
        (setpoint(4, command="ao-int16"), -100.0, (41, 2, "<h", -100)),
        (setpoint(4), 33.25, (41, 3, "<f", 33.25)),
        (setpoint(4, command="ao-double", scale=3.0), 1.0, (41, 4, "<d", 1.0 / 3.0)),
        (relay(4), 0.0, (12, 1, "<BBII", 0x04, 1, 100, 100)),
        (relay(4, "crob-pulse:500/200x2"), 1.0, (12, 1, "<BBII", 0x01, 2, 500, 200)),
        (relay(4, "crob-trip-close:250/0x1"), 1.0, (12, 1, "<BBII", 0x41, 1, 250, 0)),
        (relay(4, "crob-trip-close:250/0x1"), 0.0, (12, 1, "<BBII", 0x81, 1, 250, 0)),
    ],
)
async def test_the_points_file_chooses_the_object_that_leaves(
    point: PointAddress, value: float, objects: tuple[int, int, str, float]
) -> None:
    group, variation, code, *numbers = objects
    outstation = Outstation(script=steady)
    async with bench_of(outstation, [row(0), point]) as bench:
        await bench.up()
        done = await execute(bench, point, value)
    assert done.result is Result.ACCEPTED, done
    wire = bytes((group, variation, 0x28, 1, 0, 4, 0)) + struct.pack(code, *numbers) + b"\0"
    assert commands(outstation) == [("SELECT", wire), ("OPERATE", wire)]


@pytest.mark.parametrize(
    ("point", "value", "status"),
    [
        (setpoint(4, command="ao-int16", scale=4.0), 99.0, "NOT_REPRESENTABLE"),
        (setpoint(4, command="ao-int32"), 100.5, "OUT_OF_LIMITS"),
        (relay(4, "crob-pulse:500/200x1"), 0.0, "NOT_REPRESENTABLE"),
        (relay(4, "crob-trip-close:500/200x1"), 0.5, "NOT_REPRESENTABLE"),
    ],
)
async def test_what_cannot_be_said_is_refused_before_the_wire(
    point: PointAddress, value: float, status: str
) -> None:
    outstation = Outstation(script=steady)
    async with bench_of(outstation, [row(0), point]) as bench:
        await bench.up()
        done = await execute(bench, point, value)
    assert (done.result, done.status) == (Result.REJECTED, status)
    assert len(done.detail) > 20
    assert commands(outstation) == []


async def test_a_lease_too_long_for_sixteen_bits_is_refused_before_the_wire() -> None:
    """A day's lease in an int16 of seconds would be a lease of minus five hours."""
    point = setpoint(4, command="ao-int16", lease=f"41:{LEASE}")
    outstation = Outstation(script=steady)
    async with bench_of(outstation, [row(0), point]) as bench:
        await bench.up()
        command = Command(
            mrid="C", plan="P", resource="R", point="SP.4", value=5.0, expect_point="P30.0",
            tolerance=1.0, lease_until_s=time.time() + 86_400.0, default_value=0.0,
            effect_kw=0.0, batch=0,
        )  # fmt: skip
        soon_s = system_clock().monotonic_s() + 10.0
        permit = mint(command=command, order="O", expires_mono_s=soon_s)
        done = await bench.driver.execute(permit, aborted=lambda: False, stage=lambda _: None)
    assert (done.result, done.status) == (Result.REJECTED, "NOT_REPRESENTABLE")
    assert "ao-int16" in done.detail
    assert commands(outstation) == []


DISPATCHED = setpoint(4, lease=f"41:{LEASE}", enable=f"12:{ENABLE}")


def indexes(objects: bytes) -> Sequence[tuple[int, int]]:
    """Group and index of each object of a request."""
    return [
        (b.group, int.from_bytes(b.body[:2], "little"))
        for b in walk(objects)
        if isinstance(b, Block)
    ]


ALL_THREE = [(41, LEASE), (41, 4), (12, ENABLE)]


async def test_a_dispatch_in_one_request_is_one_select_and_one_operate() -> None:
    outstation = Outstation(script=steady)
    async with bench_of(outstation, [row(0), DISPATCHED], commands_together=True) as bench:
        await bench.up()
        done = await execute(bench, DISPATCHED, 25.0)
        assert done.result is Result.ACCEPTED, done
        (select, first), (operate, second) = commands(outstation)
        assert (select, operate) == ("SELECT", "OPERATE")
        assert first == second
        assert indexes(first) == ALL_THREE
        seconds = struct.unpack("<f", first[7:11])[0]
        assert seconds == pytest.approx(LEASE_S, abs=2.0)
        # What a person reads afterwards is what left, all of it.
        assert all(f"g41v3 {LEASE}=" in line and "g12v1" in line for line in done.evidence[::2])


@pytest.mark.parametrize(
    ("refused_at", "which", "result", "status"),
    [
        (Function.SELECT, 0, Result.REJECTED, "LOCAL"),
        (Function.SELECT, 1, Result.REJECTED, "LOCAL"),
        (Function.SELECT, 2, Result.REJECTED, "LOCAL"),
        (Function.OPERATE, 0, Result.UNKNOWN, "LOCAL"),
        (Function.OPERATE, 1, Result.UNKNOWN, "LOCAL"),
        (Function.OPERATE, 2, Result.UNKNOWN, "LOCAL"),
    ],
)
async def test_one_refusal_among_several_voids_the_select(
    refused_at: Function, which: int, result: Result, status: str
) -> None:
    def refusing(request: Fragment) -> Answer:
        if request.function != refused_at:
            return steady(request)
        echo = bytearray(request.objects)
        block = [b for b in walk(request.objects) if isinstance(b, Block)][which]
        echo[block.end - 1] = 7
        return answer(request, bytes(echo))

    outstation = Outstation(script=refusing)
    async with bench_of(outstation, [row(0), DISPATCHED], commands_together=True) as bench:
        await bench.up()
        done = await execute(bench, DISPATCHED, 25.0)
    assert (done.result, done.status) == (result, status), done
    assert f"the {('lease', 'setpoint', 'enabling output')[which]}: " in done.detail
    sent = [name for name, _ in commands(outstation)]
    assert sent == ["SELECT"] if refused_at is Function.SELECT else ["SELECT", "OPERATE"]


async def test_one_by_one_is_lease_setpoint_enable() -> None:
    outstation = Outstation(script=steady)
    async with bench_of(outstation, [row(0), DISPATCHED]) as bench:
        await bench.up()
        assert (await execute(bench, DISPATCHED, 25.0)).result is Result.ACCEPTED
    sent = [(name, *indexes(objects)) for name, objects in commands(outstation)]
    assert sent == [(name, one) for one in ALL_THREE for name in ("SELECT", "OPERATE")]


async def test_what_the_stack_could_do_by_itself_never_leaves() -> None:
    """DIRECT OPERATE and restarts: the stack is made to ask, the device hears none."""
    outstation = Outstation(script=steady)
    async with bench_of(outstation, [row(0), setpoint(4)], integrity_s=600.0) as bench:
        await bench.up()
        await bench.pump(0.3)
        outstation.asked.clear()
        session = bench.driver._session
        assert session is not None
        assert session._master is not None
        heard: list[object] = []
        session._master.DirectOperate(o.AnalogOutputFloat32(5.0), 4, heard.append)
        session._master.SelectAndOperate(o.AnalogOutputFloat32(5.0), 4, heard.append)
        session._master.Restart(o.RestartType.COLD, heard.append)
        session._master.Restart(o.RestartType.WARM, heard.append)
        for code in ("DIRECT_OPERATE_NR", "STOP_APPLICATION", "INITIALIZE_DATA"):
            function = getattr(o.FunctionCode, code)
            session._master.PerformFunction(code, function, [o.Header.AllObjects(12, 1)])
        assert await bench.until(lambda: len(heard) >= 4)
        await bench.pump(0.5)
        assert commands(outstation) == []
        assert not {r.function for r in outstation.asked} - {Function.READ}
        assert int(bench.driver.health().diagnostics["withheld requests"]) >= 4
        # A command with a permit goes out on the same link all the same.
        assert (await execute(bench, setpoint(4), 5.0)).result is Result.ACCEPTED


async def test_two_setpoints_of_one_device_go_one_after_the_other() -> None:
    points = [row(0), setpoint(4), setpoint(5)]
    outstation = Outstation(script=steady)
    async with bench_of(outstation, points) as bench:
        await bench.up()
        for point in points[1:]:
            assert (await execute(bench, point, 5.0)).result is Result.ACCEPTED
    sent = [(name, *indexes(objects)) for name, objects in commands(outstation)]
    assert sent == [(name, (41, index)) for index in (4, 5) for name in ("SELECT", "OPERATE")]
