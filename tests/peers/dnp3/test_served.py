"""Everything that the simulator's outstation serves, read by masters of other people: double-bit
inputs, frozen counters, every analog variation, sparse maps, event classes, pulses."""

from __future__ import annotations

import asyncio
import json
import struct
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from dnp3.master import DefaultSOEHandler, Master, MasterConfig, MasterTcpRunner
from py1815.events import EventClass, FrozenCounterEvent
from py1815.master.api import Outstation as Py1815Outstation
from py1815.master.association import Outcome

from gridctl.model.errors import ConfigError
from gridctl.wallclock import system_clock
from sim.outstation import SimOutstation
from sim.outstation_events import CounterEvent
from sim.outstation_forms import PointForm, read_forms
from sim.plant import PlantPoint, Reading, Verdict
from tests.peers.dnp3.judge import judged
from tests.ports import free_port

FORMS = {
    "30:0": PointForm(static=1, event=1),
    "30:1": PointForm(static=2, event=2),
    "30:2": PointForm(static=3, event=3),
    "30:3": PointForm(static=4, event=4),
    "30:4": PointForm(static=5, event=5),
    "30:40": PointForm(static=6, event=6),
    "30:41": PointForm(event=8),
    "20:0": PointForm(event_class=3),
    "20:7": PointForm(static=2, event=6),
}
"""A sparse map: 42 to 1999 are not there."""
ANALOGS = (0, 1, 2, 3, 4, 40, 41, 2000)


@dataclass
class Shown:
    """A plant whose values a test sets; commands are kept."""

    values: dict[str, float] = field(default_factory=dict)
    operated: list[tuple[str, float]] = field(default_factory=list)

    def read(self, point: str) -> Reading:
        return Reading(value=self.values[point], good=True, at_s=system_clock().now_s())

    def check(self, point: str, value: float) -> Verdict:
        return Verdict.BLOCKED if point == "12:3" else Verdict.ACCEPTED

    def command(self, point: str, value: float, *, lease_s: float | None) -> Verdict:
        self.operated.append((point, value))
        return Verdict.ACCEPTED

    def revision(self) -> int:
        return 0


def _row(address: str, command: str = "") -> PlantPoint:
    return PlantPoint(
        mrid=address, name=address, equipment="E", kind="control" if command else "analog",
        unit="", phase="", link="ALL", address=address, command=command, lease="", scale=1.0,
        offset=0.0, deadband=5.0 if address == "30:2000" else 0.0, scan_s=1.0,
        min_value=None, max_value=None,
    )  # fmt: skip


@asynccontextmanager
async def everything(
    *, with_double: bool = True
) -> AsyncIterator[tuple[SimOutstation, Shown, int]]:
    plant = Shown({f"30:{i}": 100.0 + i for i in ANALOGS})
    plant.values |= {"1:0": 1.0, "20:0": 70_000.0, "20:7": 70_001.0}
    addresses = [*plant.values]
    if with_double:
        plant.values |= {"3:1": 1.0, "3:2": 2.0}
        addresses += ["3:1", "3:2"]
    rows = [_row(address) for address in addresses]
    commands = ("crob-pulse:100/100x1", "crob-trip-close:100/100x1", "crob-latch", "crob-latch")
    rows += [_row(f"12:{i}", command) for i, command in enumerate(commands)]
    port = free_port()
    outstation = SimOutstation(
        link="ALL", host="127.0.0.1", port=port, master_address=1, outstation_address=1024,
        points=rows, plant=plant, clock=system_clock(), forms=FORMS,
    )  # fmt: skip
    await outstation.start()
    try:
        yield outstation, plant, port
    finally:
        await outstation.stop()


async def _change(outstation: SimOutstation, plant: Shown) -> None:
    for name in [n for n in plant.values if n.startswith("30:")]:
        plant.values[name] += 3.0
    plant.values["1:0"] = 0.0
    plant.values["20:0"] += 2.0
    plant.values["20:7"] += 7.0
    if "3:1" in plant.values:
        plant.values["3:1"] = 0.0
    await outstation.publish()


async def test_yadnp3_reads_everything(tmp_path: Path) -> None:
    async with everything() as (outstation, plant, port), judged(port, tmp_path) as verdict:
        master = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.peers.dnp3.yadnp3_served", str(port), "1.5",
            stdout=asyncio.subprocess.PIPE, cwd=Path(__file__).parents[3],
        )  # fmt: skip
        assert master.stdout is not None
        async with asyncio.timeout(30.0):
            assert await master.stdout.readline() == b"ready\n"
            await asyncio.sleep(0.5)
            await _change(outstation, plant)
            told = json.loads(await master.stdout.readline())
            await master.wait()
    assert told["started"]
    assert told["told"] == [
        [["SUCCESS", "SUCCESS"]],
        [["SUCCESS", "SUCCESS"]],
        [["SELECT_FAIL", "NOT_SUPPORTED"]],
    ]
    assert plant.operated == [("12:0", 1.0), ("12:1", 0.0)]
    seen = {(kind, form, index): value for kind, form, index, value, _ in told["seen"]}
    for index, form in zip(ANALOGS, ("1", "2", "3", "4", "5", "6", "5", "5"), strict=True):
        assert seen["Analog", f"30:{form}", index] == 100.0 + index
    events = {0: "1", 1: "2", 2: "3", 3: "4", 40: "6", 41: "8"}
    for index, form in events.items():
        assert seen["Analog", f"32:{form}", index] == 103.0 + index
    assert ("Analog", "32:7", 2000) not in seen  # within its deadband
    assert ("Analog", "32:5", 4) not in seen  # assigned to no class
    assert seen["Counter", "22:5", 0] == 70_002.0
    assert seen["Counter", "22:6", 7] == 70_008.0 - 65_536.0
    assert seen["Counter", "20:1", 0] == 70_000.0
    assert seen["Counter", "20:2", 7] == 70_001.0 - 65_536.0
    assert seen["FrozenCounter", "21:1", 0] == 70_000.0
    assert seen["FrozenCounter", "23:5", 7] == 70_001.0
    bits = {(form, i): flags >> 6 for kind, form, i, _, flags in told["seen"] if "Double" in kind}
    assert bits["3:2", 1] == 2
    assert bits["3:2", 2] == 0
    assert bits["4:2", 1] == 1
    assert seen["Binary", "2:2", 0] == 0.0
    assert not verdict.faults, verdict.faults[:5]


async def test_py1815_reads_everything_that_it_knows(tmp_path: Path) -> None:
    async with everything(with_double=False) as (outstation, plant, port):
        master = Py1815Outstation(
            "all", host="127.0.0.1", port=port, response_timeout=0.5, reconnect=0.2, read_retries=0
        )
        async with judged(port, tmp_path) as verdict:
            await master.connect(wait=5.0)
            await master.idle()
            poll = await master.integrity_poll()
            assert poll.outcome is Outcome.COMPLETE
            for index in ANALOGS:
                read = master.store.analog_input(index)
                assert read is not None
                assert read.value == pytest.approx(100.0 + index)
            await master.disable_unsolicited(1, 2, 3)
            await _change(outstation, plant)
            scan = await master.scan("class2")
            assert scan.outcome is Outcome.COMPLETE
            changed = master.store.analog_input(3)
            assert changed is not None
            assert changed.value == pytest.approx(106.0)
            assert (await master.scan("class3")).outcome is Outcome.COMPLETE
            counted = master.store.counter(0)
            assert counted is not None
            assert counted.value == 70_002
            await master.close()
    assert not verdict.faults, verdict.faults[:5]


async def test_dnp3py_reads_everything(tmp_path: Path) -> None:
    async with everything() as (outstation, plant, port):
        kept = DefaultSOEHandler()
        master = Master(config=MasterConfig(address=1, outstation_address=1024), handler=kept)
        async with (
            judged(port, tmp_path) as verdict,
            MasterTcpRunner(master=master, port=port, response_timeout=3.0) as runner,
        ):
            await runner.disable_unsolicited()
            assert await runner.integrity_poll()
            values = {index: one.value for index, one in kept.analog_inputs.items()}
            assert values == pytest.approx({i: 100.0 + i for i in ANALOGS})
            assert kept.counters[0].value == 70_000
            await _change(outstation, plant)
            assert await runner.class_poll(class_1=True, class_2=True, class_3=True)
            assert kept.binary_inputs[0].value is False
            assert kept.counters[0].value == 70_002  # by g22v5 alone
    assert not verdict.faults, verdict.faults[:5]


def _assigning(*objects: bytes) -> bytes:
    """ASSIGN CLASS as it stands in a fragment, behind control and function."""
    return bytes([0xC1, 0x16]) + b"".join(objects)


ALL_COUNTERS, CLASS_1, CLASS_0 = bytes([20, 0, 6]), bytes([60, 2, 6]), bytes([60, 1, 6])
UNKNOWN, PARAMETER = 0x02, 0x04


@pytest.mark.parametrize(
    ("objects", "second_indication"),
    [
        ((CLASS_1, ALL_COUNTERS), 0),
        ((CLASS_1, bytes([30, 0, 0, 1, 3]), CLASS_0, bytes([1, 0, 6])), 0),
        ((CLASS_1, bytes([21, 0, 0x17, 1, 7])), 0),
        ((CLASS_1, bytes([40, 0, 6])), UNKNOWN),  # outputs have no events here
        ((CLASS_1, bytes([30, 5, 6])), UNKNOWN),  # a class has nothing to do with a variation
        ((ALL_COUNTERS,), PARAMETER),
        ((CLASS_1,), PARAMETER),
        ((CLASS_1, bytes([30, 0, 0, 50, 60])), PARAMETER),
        ((CLASS_1, bytes([30, 0, 0x17, 2, 0, 9])), PARAMETER),
    ],
)
async def test_assign_class_is_answered(objects: tuple[bytes, ...], second_indication: int) -> None:
    async with everything() as (outstation, _, _port):
        session = outstation._session
        assert session is not None
        answer = session._handle_fragment(_assigning(*objects))
        assert (answer[0] & 0x0F, answer[1]) == (1, 0x81)
        assert answer[3] & 0x07 == second_indication
        assert len(answer) == 4


@pytest.mark.parametrize(("later_s", "status"), [(4.9, 0), (5.1, 1)])
async def test_a_select_is_forgotten(later_s: float, status: int) -> None:
    """A pulse at output 0: SELECT, and OPERATE so much later (1: TIMEOUT)."""
    pulse = struct.pack("<BBBHHBBIIB", 12, 1, 0x28, 1, 0, 0x01, 1, 100, 100, 0)
    async with everything() as (outstation, plant, _port):
        session = outstation._session
        assert session is not None
        selected = session._handle_fragment(bytes([0xC1, 3]) + pulse)
        assert selected[-1] == 0
        now_s = session._clock()
        session._clock = lambda: now_s + later_s
        operated = session._handle_fragment(bytes([0xC2, 4]) + pulse)
        assert operated[-1] == status
        assert len(plant.operated) == (status == 0)


async def test_a_restarted_outstation_has_forgotten_what_was_assigned() -> None:
    async with everything() as (outstation, plant, _port):
        session = outstation._session
        assert session is not None
        session._handle_fragment(_assigning(CLASS_1, ALL_COUNTERS))
        await _change(outstation, plant)
        told = outstation._events.peek_kind(CounterEvent)
        values = [e.point.value for e in told if isinstance(e, CounterEvent)]
        assert ([e.index for e in told], values) == ([0, 7], [70_002, 70_008])
        assert outstation._events.count(EventClass.CLASS_3) == 0
        assert not outstation._events.peek_kind(FrozenCounterEvent)
        await outstation.stop()
        await outstation.start()
        await _change(outstation, plant)
        told = outstation._events.peek_kind(CounterEvent)
        assert [e.index for e in told] == [0]  # as variations.csv has it
        assert outstation._events.count(EventClass.CLASS_3) == 1


def test_forms_beside_the_points_file(tmp_path: Path) -> None:
    file = tmp_path / "variations.csv"
    assert read_forms(file) == {}
    file.write_text("link,address,static,event\nSUB,30:4,1,3\nSUB,20:0,5,\n")
    assert read_forms(file) == {
        ("SUB", "30:4"): PointForm(static=1, event=3),
        ("SUB", "20:0"): PointForm(static=5),
    }
    file.write_text("link,address,static,event,class\nSUB,20:0,,6,1\nSUB,30:1,,,0\n")
    assert read_forms(file) == {
        ("SUB", "20:0"): PointForm(event=6, event_class=1),
        ("SUB", "30:1"): PointForm(event_class=0),
    }
    file.write_text("link,address,static,event,class\nSUB,40:0,,,1\n")
    with pytest.raises(ConfigError, match="group 40 has no events of class 1"):
        read_forms(file)
    file.write_text("link,address,static,event\nSUB,30:4,9,\n")
    with pytest.raises(ConfigError, match="g30v9 is not served") as refused:
        read_forms(file)
    assert refused.value.line == 2
