"""The feature table, point by point: what the stack cannot do by itself is done around it."""

from __future__ import annotations

import asyncio
import struct
from contextlib import AsyncExitStack
from dataclasses import replace

import pytest

from gridctl.model.measurement import PointKind
from protocols.dnp3.fragments import Fragment, Function, Iin
from protocols.dnp3.selftest import SelfTest
from tests.protocols.dnp3.scripted import (
    Answer,
    Outstation,
    analogs,
    answer,
    bench_of,
    classes,
    row,
)

ROWS = [row(0), row(1)]
ALL = analogs(1.5, 2.5)


def steady(request: Fragment) -> Answer:
    return answer(request, ALL if 0 in classes(request) else b"")


def of(outstation: Outstation, function: Function) -> list[Fragment]:
    return [request for request in outstation.asked if request.function == function]


@pytest.mark.parametrize(("wanted", "enabled"), [("1,2,3", {1, 2, 3}), ("2", {2}), ("none", None)])
async def test_unsolicited_is_enabled_by_class(wanted: str, enabled: set[int] | None) -> None:
    outstation = Outstation(script=steady)
    async with bench_of(outstation, ROWS, unsolicited=wanted) as bench:
        await bench.up()
        await bench.pump(0.5)
        told = of(outstation, Function.ENABLE_UNSOLICITED)
        assert [classes(request) for request in told] == ([] if enabled is None else [enabled])


async def test_an_rtu_that_ignores_disable_unsolicited_is_started_all_the_same() -> None:
    def minimal(request: Fragment) -> Answer:
        known = request.function in (Function.READ, Function.WRITE)
        return steady(request) if known else None

    outstation = Outstation(script=minimal)
    async with bench_of(outstation, ROWS, unsolicited="none") as bench:
        await bench.up()
        assert await bench.until(lambda: len(bench.latest) == 2)
        assert bench.driver.health().diagnostics["disable unsolicited"] == "ignored by the device"
        outstation.cut()
        assert await bench.until(lambda: outstation.links == 2)
        await bench.up()
        # What was learned is remembered: the second start does not ask it again.
        assert len(of(outstation, Function.DISABLE_UNSOLICITED)) == 1


async def test_each_class_has_its_own_period_and_ranges_are_scanned() -> None:
    outstation = Outstation(script=steady)
    async with bench_of(
        outstation, ROWS, integrity_s=60.0, class_1_s=0.2, class_3_s=60.0, scans="30:4-7@0.2"
    ) as bench:
        await bench.up()
        await bench.pump(1.5)
    reads = of(outstation, Function.READ)
    assert sum(classes(r) == {1} for r in reads) >= 4
    assert 1 <= sum(classes(r) == {3} for r in reads) <= 2
    assert not any(classes(r) == {2} for r in reads)
    ranged = [r.objects for r in reads if r.objects[0] == 30]
    assert len(ranged) >= 4
    assert set(ranged) == {bytes((30, 0, 1)) + struct.pack("<HH", 4, 7)}


HOLDS = {1: Iin.CLASS_1_EVENTS, 2: Iin.CLASS_2_EVENTS, 3: Iin.CLASS_3_EVENTS}


def event(index: int, value: float) -> bytes:
    """g32v5 by index."""
    return bytes((32, 5, 0x28, 1, 0)) + struct.pack("<HBf", index, 1, value)


class Holding:
    """A script: an outstation that holds events of some classes until they are read."""

    def __init__(self, *, lets_go: bool = True) -> None:
        self.held: dict[int, bytes] = {}
        self.lets_go = lets_go

    def __call__(self, request: Fragment) -> Answer:
        wanted = classes(request) if request.function == Function.READ else set()
        told = b"".join(self.held.pop(one) for one in sorted(wanted & set(self.held)))
        iin = sum(bit for one, bit in HOLDS.items() if one in self.held or not self.lets_go)
        return answer(request, told + (ALL if 0 in wanted else b""), iin=iin)


def event_reads(outstation: Outstation) -> list[set[int]]:
    return [c for r in of(outstation, Function.READ) if (c := classes(r)) and 0 not in c]


async def test_events_that_the_device_says_it_holds_are_read_at_once() -> None:
    """IIN1.1 to 1.3 in any answer; here in that to the range scan."""
    script = Holding()
    outstation = Outstation(script=script)
    async with bench_of(
        outstation, ROWS, unsolicited="none", integrity_s=600.0, scans="30:7@0.2"
    ) as bench:
        await bench.up()
        await bench.pump(0.5)
        assert event_reads(outstation) == []
        script.held = {2: event(0, 7.5), 3: event(1, 8.5)}
        assert await bench.until(lambda: bench.latest["P30.1"].value == 8.5, 3.0)
        assert bench.latest["P30.0"].value == 7.5
        await bench.pump(0.6)
        assert event_reads(outstation) == [{2, 3}]  # those two, once


async def test_only_the_classes_that_are_wanted_are_read_on_occasion() -> None:
    script = Holding()
    outstation = Outstation(script=script)
    async with bench_of(
        outstation, ROWS, unsolicited="none", event_scan="1", integrity_s=600.0, scans="30:7@0.2"
    ) as bench:
        await bench.up()
        await bench.pump(0.3)
        script.held = {1: event(0, 7.5), 2: event(1, 8.5)}
        assert await bench.until(lambda: bench.latest["P30.0"].value == 7.5, 3.0)
        await bench.pump(0.6)
        assert event_reads(outstation) == [{1}]


async def test_a_device_that_reports_unasked_is_left_to_it_first() -> None:
    script = Holding()
    outstation = Outstation(script=script)
    async with bench_of(
        outstation, ROWS, integrity_s=600.0, scans="30:7@0.2", response_timeout_s=0.8
    ) as bench:
        await bench.up()
        await bench.pump(0.3)
        script.held = {1: event(0, 7.5)}
        await bench.pump(1.0)
        assert event_reads(outstation) == []
        # It reports by itself: the bit falls, nothing is read.
        outstation.send(outstation.unsolicited(1, script.held.pop(1)))
        assert await bench.until(lambda: bench.latest["P30.0"].value == 7.5, 3.0)
        await bench.pump(1.2)
        assert event_reads(outstation) == []
        # Another time it does not: read after two answer times.
        script.held = {2: event(1, 8.5)}
        assert await bench.until(lambda: bench.latest["P30.1"].value == 8.5, 5.0)
        assert event_reads(outstation) == [{2}]


async def test_a_bit_that_never_falls_is_asked_after_less_and_less() -> None:
    script = Holding(lets_go=False)
    outstation = Outstation(script=script)
    async with bench_of(
        outstation, ROWS, unsolicited="none", integrity_s=600.0, scans="30:7@0.1"
    ) as bench:
        await bench.up()
        await bench.pump(2.0)
        assert 2 <= len(event_reads(outstation)) <= 5


async def test_an_event_overflow_brings_exactly_one_integrity_poll() -> None:
    overflowing = True

    def full(request: Fragment) -> Answer:
        return answer(
            request,
            ALL if 0 in classes(request) else b"",
            iin=Iin.EVENT_BUFFER_OVERFLOW if overflowing else 0,
        )

    outstation = Outstation(script=steady)
    async with bench_of(outstation, ROWS, integrity_s=600.0, class_1_s=0.1) as bench:
        await bench.up()
        await bench.pump(0.4)
        outstation.asked.clear()
        outstation.script = full  # and the bit never goes away again
        await bench.pump(2.0)
        polls = sum(0 in classes(r) for r in of(outstation, Function.READ))
        assert polls == 1
        assert "event buffer overflow" in bench.driver.health().detail
        assert bench.driver.health().diagnostics["event overflows"] == "1"


async def test_a_restart_is_cleared_and_read_again_and_not_for_ever() -> None:
    clearable, restarted = True, False

    def restarts(request: Fragment) -> Answer:
        nonlocal restarted
        if request.function == Function.WRITE and request.objects[0] == 80 and clearable:
            restarted = False
        iin = Iin.DEVICE_RESTART if restarted else 0
        return answer(request, ALL if 0 in classes(request) else b"", iin=iin)

    outstation = Outstation(script=restarts)
    async with bench_of(outstation, ROWS, integrity_s=600.0, class_1_s=0.1) as bench:
        await bench.up()
        await bench.pump(0.3)
        outstation.asked.clear()
        restarted = True
        assert await bench.until(lambda: len(of(outstation, Function.WRITE)) == 1)
        await bench.pump(0.5)
        assert sum(0 in classes(r) for r in of(outstation, Function.READ)) == 1
        assert bench.driver.health().diagnostics["restarts"] == "1"
        # A device that cannot let go of the bit is not cleared and polled without end.
        clearable, restarted = False, True
        outstation.asked.clear()
        await bench.pump(2.5)
        assert 1 <= len(of(outstation, Function.WRITE)) <= 3
        assert sum(0 in classes(r) for r in of(outstation, Function.READ)) <= 3
        assert "device restart" in bench.driver.health().detail


@pytest.mark.parametrize(
    ("mode", "functions", "written"),
    [
        ("lan", ["RECORD_CURRENT_TIME", "WRITE"], (50, 3)),
        ("non_lan", ["DELAY_MEASURE", "WRITE"], (50, 1)),
        ("write", ["WRITE"], (50, 1)),
        ("none", [], None),
    ],
)
async def test_the_clock_is_set_as_the_device_needs_it(
    mode: str, functions: list[str], written: tuple[int, int] | None
) -> None:
    def timeless(request: Fragment) -> Answer:
        delay = bytes((52, 2, 7, 1, 0, 0)) if request.function == Function.DELAY_MEASURE else b""
        return answer(request, ALL if 0 in classes(request) else delay, iin=Iin.NEED_TIME)

    outstation = Outstation(script=timeless)
    async with bench_of(outstation, ROWS, time_sync=mode, integrity_s=600.0) as bench:
        await bench.up()
        await bench.pump(1.0)
        clock_s = bench.driver._clock.now_s()
    about_time = ("RECORD_CURRENT_TIME", "DELAY_MEASURE", "WRITE")
    told = [name for name in outstation.functions() if name in about_time]
    assert told == functions  # once, although the device goes on asking for it
    if written is not None:
        objects = of(outstation, Function.WRITE)[0].objects
        assert (objects[0], objects[1]) == written
        assert int.from_bytes(objects[-6:], "little") / 1000 == pytest.approx(clock_s, abs=3.0)


async def test_classes_are_assigned_and_deadbands_written_as_the_points_file_says() -> None:
    rows = [
        row(0, event_class=1),
        row(1, event_class=1, deadband=5.0, scale=2.0),
        row(2, event_class=2),
        row(3, event_class=0),
        row(4),
    ]
    outstation = Outstation(script=steady)
    async with bench_of(outstation, rows, write_deadbands=True) as bench:
        await bench.up()
        assert await bench.until(
            lambda: (
                len(of(outstation, Function.ASSIGN_CLASS)) == 3
                and any(r.objects[0] == 34 for r in of(outstation, Function.WRITE))
            )
        )
    assigned = {
        request.objects[1] - 1: struct.unpack("<BBBHH", request.objects[3:10])
        for request in of(outstation, Function.ASSIGN_CLASS)
    }
    assert assigned == {0: (30, 0, 1, 3, 3), 1: (30, 0, 1, 0, 1), 2: (30, 0, 1, 2, 2)}
    (written,) = (r.objects for r in of(outstation, Function.WRITE) if r.objects[0] == 34)
    assert written[1] == 3
    assert struct.unpack("<f", written[-4:])[0] == 2.5  # 5 kW at 2 kW per wire unit


@pytest.mark.parametrize(
    ("clears", "function"), [(False, Function.IMMED_FREEZE), (True, Function.FREEZE_CLEAR)]
)
async def test_counters_are_frozen(clears: bool, function: Function) -> None:
    outstation = Outstation(script=steady)
    async with bench_of(outstation, ROWS, freeze_counters_s=10.0, freeze_clears=clears) as bench:
        await bench.up()
        assert await bench.until(lambda: len(of(outstation, function)) == 1)
        assert of(outstation, function)[0].objects == bytes((20, 0, 6))


async def test_every_kind_of_point_arrives_with_its_quality() -> None:
    """Frozen counters and analogs, double bits, strings and output status beside the usual ones."""
    kinds = {10: PointKind.DISCRETE, 21: PointKind.COUNTER, 40: PointKind.ANALOG}
    shown = {
        (1, 0): (bytes((1, 2, 0, 0, 0, 0x81)), 1.0),
        (3, 0): (bytes((3, 2, 0, 0, 0, 0x81)), 1.0),
        (3, 1): (bytes((3, 2, 0, 1, 1, 0x01)), None),  # in between
        (10, 0): (bytes((10, 2, 0, 0, 0, 0x01)), 0.0),
        (20, 0): (bytes((20, 1, 0, 0, 0, 1)) + struct.pack("<I", 70_000), 70_000.0),
        (21, 0): (bytes((21, 1, 0, 0, 0, 1)) + struct.pack("<I", 69_000), 69_000.0),
        (30, 0): (bytes((30, 6, 0, 0, 0, 1)) + struct.pack("<d", 1e12), 1e12),
        (31, 0): (bytes((31, 7, 0, 0, 0, 1)) + struct.pack("<f", 2.25), 2.25),
        (40, 0): (bytes((40, 3, 0, 0, 0, 1)) + struct.pack("<f", 50.5), 50.5),
        (110, 0): (bytes((110, 4, 0, 0, 0)) + b"12.5", 12.5),
        (110, 1): (bytes((110, 2, 0, 1, 1)) + b"no", None),
    }
    rows = []
    for group, index in shown:
        made = row(index, group=group)
        kind = kinds.get(group, made.point.kind)
        rows.append(replace(made, point=replace(made.point, kind=kind)))
    objects = b"".join(octets for octets, _ in shown.values())

    def device(request: Fragment) -> Answer:
        return answer(request, objects if 0 in classes(request) else b"")

    async with bench_of(Outstation(script=device), rows) as bench:
        await bench.up()
        assert await bench.until(lambda: len(bench.latest) == len(shown))
        for (group, index), (_, value) in shown.items():
            measured = bench.latest[f"P{group}.{index}"]
            assert measured.quality.is_good is (value is not None), measured
            assert value is None or measured.value == value, measured
        assert not [k for k in bench.driver.health().diagnostics if k.startswith("unread")]


async def test_somebody_else_s_broadcast_is_shown() -> None:
    """IIN1.0: another master has told all devices something, and this one has heard it."""

    def shouted_at(request: Fragment) -> Answer:
        return answer(request, ALL if 0 in classes(request) else b"", iin=Iin.BROADCAST)

    async with bench_of(Outstation(script=shouted_at), ROWS) as bench:
        await bench.up()
        assert bench.driver.health().diagnostics["iin"] == "BROADCAST"


async def test_the_backup_endpoint_takes_over() -> None:
    first, second = Outstation(script=steady), Outstation(script=steady)
    await second.start()
    try:
        async with bench_of(first, ROWS, backup_host="127.0.0.1", backup_port=second.port) as bench:
            await bench.up()
            assert bench.driver.health().active_endpoint.endswith(str(first.port))
            await first.stop()
            assert await bench.until(
                lambda: (
                    bench.driver.health().active_endpoint.endswith(str(second.port))
                    and bench.driver.health().state == "up"
                ),
                15.0,
            )
    finally:
        await second.stop()


async def test_where_the_two_decoders_differ_the_stack_s_values_are_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    honest = SelfTest.ours

    def wrong(self: SelfTest, objects: bytes, *, first: bool) -> None:
        honest(self, objects.replace(struct.pack("<f", 1.5), struct.pack("<f", 1.25)), first=first)

    monkeypatch.setattr(SelfTest, "ours", wrong)
    outstation = Outstation(script=steady)
    async with bench_of(outstation, ROWS) as bench:
        await bench.up()
        assert "read the slower way" in bench.driver.health().detail
        bench.seen.clear()
        assert await bench.until(lambda: len(bench.seen) >= 4)
        assert {m.value for m in bench.seen} == {1.5, 2.5}
        assert all(m.quality.is_good for m in bench.seen)
        told = bench.driver.health().diagnostics["decoder"]
        assert told == "the stack's: the line reads g30:0 = 1.25 0x01, the stack g30:0 = 1.5 0x01"
        outstation.send(outstation.unsolicited(1, analogs(9.5)))
        assert await bench.until(lambda: any(m.value == 9.5 for m in bench.seen))
        assert await bench.until(lambda: any(c.unsolicited for c in outstation.confirms))


async def test_a_fault_of_the_decoder_is_tried_again_with_the_next_connection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    outstation = Outstation(script=steady)
    with monkeypatch.context() as patch:
        patch.setattr(SelfTest, "conclude", lambda _: "differs")
        patch.setattr(SelfTest, "verdict", "differs")
        async with bench_of(outstation, ROWS) as bench:
            await bench.up()
            assert bench.driver.health().diagnostics["decoder"] == "the stack's: differs"
            patch.undo()
            outstation.cut()
            own = "own, equal to the stack's"
            assert await bench.until(lambda: bench.driver.health().diagnostics["decoder"] == own)
            await bench.up()
            assert not bench.driver.health().detail


async def test_an_answer_that_the_stack_has_given_up_does_not_disturb_the_self_test() -> None:
    """Its values are taken by the line alone; the next poll's are others (found in the demo)."""
    polls = 0

    def late_once(request: Fragment) -> Answer:
        nonlocal polls
        if 0 not in classes(request):
            return answer(request)
        polls += 1
        told = answer(request, analogs(float(polls), 7.0))
        if polls > 1:
            return told
        asyncio.get_running_loop().call_later(1.03, outstation.send, *told)
        return None

    outstation = Outstation(script=late_once)
    async with bench_of(outstation, ROWS, response_timeout_s=1.0) as bench:
        await bench.up()
        assert bench.driver.health().diagnostics["decoder"] == "own, equal to the stack's"
        assert not bench.driver.health().detail
        first = next(m for m in bench.seen if m.point == "P30.0" and m.quality.is_good)
        assert first.value == 1.0  # it was late for the stack and none the less taken


async def test_many_outstations_in_one_process_come_and_go() -> None:
    async with AsyncExitStack() as stack:
        benches = [
            await stack.enter_async_context(
                bench_of(Outstation(script=steady), [replace(one) for one in ROWS])
            )
            for _ in range(40)
        ]
        for bench in benches:
            await bench.up()
        for bench in benches[::2]:
            bench.outstation.cut()
        for bench in benches:
            await bench.up()
            assert await bench.until(lambda: len(bench.latest) == 2)  # noqa: B023
