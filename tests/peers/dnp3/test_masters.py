"""Masters of other people against the simulator's outstation; one misbehaves on purpose."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from dnp3.master import CommandBuilder, DefaultSOEHandler, Master, MasterConfig, MasterTcpRunner
from py1815.control import CommandStatus
from py1815.decode import PointType
from py1815.master.api import Outstation as Py1815Outstation
from py1815.master.association import Outcome
from py1815.master.deviations import Deviations

from gridctl.wallclock import system_clock
from tests.contracts import driver_peer as bench
from tests.contracts.driver_peer import BenchPlant
from tests.contracts.peer_dnp3 import Dnp3Peer
from tests.peers.dnp3.judge import judged

SHOWN = {0: 812.5, 7: 2.025, 8: 0.0, 9: 7.0}
"""Analog inputs on the wire: the voltage's scale is 0.5."""


@asynccontextmanager
async def mirror(folder: Path) -> AsyncIterator[tuple[Dnp3Peer, BenchPlant, int]]:
    """The simulator's outstation in front of the bench's plant, and its port."""
    plant = BenchPlant(clock=system_clock())
    plant.touch()
    peer = Dnp3Peer("MIRROR", plant, plant.clock, folder)
    await peer.start()
    try:
        yield peer, plant, int(peer.settings().options["port"])
    finally:
        await peer.kill()


async def test_yadnp3(tmp_path: Path) -> None:
    async with mirror(tmp_path) as (peer, plant, port):
        async with judged(port, tmp_path) as verdict:
            master = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "tests.peers.dnp3.yadnp3_master", str(port), "1.5",
                stdout=asyncio.subprocess.PIPE, cwd=Path(__file__).parents[3],
            )  # fmt: skip
            assert master.stdout is not None
            async with asyncio.timeout(20.0):
                first = json.loads(await master.stdout.readline())
                plant.set(bench.POWER, 950.75)
                stamped_s = plant.read(bench.POWER).at_s
                await peer.publish()
                last = json.loads(await master.stdout.readline())
                await master.wait()
        assert first["started"]
        assert first["operated"]["12"] == [[12, "SUCCESS", "SUCCESS"]]
        assert first["operated"]["13"] == [[13, "SELECT_FAIL", "LOCAL"]]
        assert [(point, value) for point, value, _ in plant.operated] == [(bench.SETPOINT, 33.25)]
        analogs = {int(index): value for index, value in last["values"]["Analog"].items()}
        assert analogs == pytest.approx({**SHOWN, 0: 950.75, 8: 33.25}, rel=1e-6)
        assert last["values"]["Binary"] == {"3": 1.0}
        assert last["values"]["Counter"] == {"0": 41.0}
        told = [event for event in last["events"] if event[:3] == ["Analog", 0, 950.75]]
        assert told
        assert told[0][3] == pytest.approx(stamped_s * 1000, abs=50)
        assert peer.outstation.time_set_s is not None
        assert abs(peer.outstation._clock_error_s) < 2.0
    assert not verdict.faults, verdict.faults[:5]
    controls = [one.function for one in verdict.of("SELECT", "OPERATE")]
    assert controls == ["SELECT", "OPERATE", "SELECT"]


async def test_dnp3py(tmp_path: Path) -> None:
    async with mirror(tmp_path) as (peer, plant, port):
        kept = DefaultSOEHandler()
        config = MasterConfig(address=1, outstation_address=1024)
        master = Master(config=config, handler=kept)
        async with (
            judged(port, tmp_path) as verdict,
            MasterTcpRunner(master=master, port=port, response_timeout=3.0) as runner,
        ):
            await runner.disable_unsolicited()
            assert await runner.integrity_poll()
            analogs = {index: one.value for index, one in kept.analog_inputs.items()}
            assert analogs == pytest.approx(SHOWN, rel=1e-6)
            assert kept.binary_inputs[3].value is True
            assert kept.counters[0].value == 41
            plant.set(bench.POWER, 950.75)
            await peer.publish()
            assert await runner.class_poll(class_1=True, class_2=True, class_3=True)
            assert kept.analog_inputs[0].value == 950.75
            wanted = CommandBuilder().add_analog(12, 33.0)
            await runner.request(master.build_select(wanted.build_select()))
            await runner.request(master.build_operate(wanted.build_operate()))
            await runner.request(master.build_direct_operate(wanted.build_direct_operate()))
        # It says nothing of a command's status; the plant does: once, and never directly.
        assert [(point, value) for point, value, _ in plant.operated] == [(bench.SETPOINT, 33.0)]
    assert not verdict.faults, verdict.faults[:5]


@asynccontextmanager
async def py1815_master(port: int) -> AsyncIterator[Py1815Outstation]:
    outstation = Py1815Outstation(
        "mirror", host="127.0.0.1", port=port, response_timeout=0.5, reconnect=0.2, read_retries=0
    )
    await outstation.connect(wait=5.0)
    await outstation.idle()
    try:
        yield outstation
    finally:
        await outstation.close()


async def test_py1815(tmp_path: Path) -> None:
    async with mirror(tmp_path) as (peer, plant, port):
        async with judged(port, tmp_path) as verdict, py1815_master(port) as outstation:
            poll = await outstation.integrity_poll()
            assert poll.outcome is Outcome.COMPLETE
            assert not poll.undecoded
            for index, value in SHOWN.items():
                read = outstation.store.analog_input(index)
                assert read is not None
                assert read.value == pytest.approx(value, rel=1e-6)
            done = await outstation.operate(analog_outputs={12: 33.25}, mode="select")
            assert done.accepted is True
            refused = await outstation.operate(analog_outputs={13: 1.5}, mode="select")
            assert refused.accepted is False
            assert refused.status(PointType.ANALOG_OUTPUT, 13) is CommandStatus.LOCAL
            direct = await outstation.operate(analog_outputs={12: 50.5}, mode="direct")
            assert direct.accepted is not True
            await outstation.enable_unsolicited(1, 2, 3)
            plant.set(bench.POWER, 950.75)
            await peer.publish()
            async with asyncio.timeout(5.0):
                while not outstation.unsolicited:  # noqa: ASYNC110 - the library has no event
                    await asyncio.sleep(0.02)
        assert [(point, value) for point, value, _ in plant.operated] == [(bench.SETPOINT, 33.25)]
        assert peer.outstation.time_set_s is not None
    assert not verdict.faults, verdict.faults[:5]


CARRIED_OUT = ("repeat_request", "break_transport_sequence")
"""A first segment may have any sequence number, so the second rule is not broken by a request of
one segment."""
HARMFUL = tuple(name for name in Deviations.names() if "confirmation" not in name)


@pytest.mark.parametrize("name", HARMFUL)
async def test_a_master_that_breaks_a_rule_moves_nothing(name: str, tmp_path: Path) -> None:
    """A broken SELECT and OPERATE are never both carried out, a repeated OPERATE only once; then
    an honest poll is answered as ever."""
    async with mirror(tmp_path) as (_, plant, port), py1815_master(port) as outstation:
        assert (await outstation.integrity_poll()).outcome is Outcome.COMPLETE
        outstation.deviations.set(name, True)
        done = await outstation.operate(analog_outputs={12: 33.25}, mode="select")
        outstation.deviations.clear()
        allowed = 1 if name in CARRIED_OUT else 0
        assert len(plant.operated) <= allowed
        assert done.accepted is not True or len(plant.operated) == allowed
        if not outstation.connected:
            await outstation.connect(wait=5.0)
        # The outstation may still be waiting for the rest of what was cut short.
        polls = [(await outstation.integrity_poll()).outcome for _ in range(2)]
        assert polls[-1] is Outcome.COMPLETE
        after = await outstation.operate(analog_outputs={12: 20.5}, mode="select")
        assert after.accepted is True
        assert plant.operated[-1][1] == 20.5


@pytest.mark.parametrize("name", sorted(set(Deviations.names()) - set(HARMFUL)))
async def test_events_that_are_not_confirmed_are_told_again(name: str, tmp_path: Path) -> None:
    async with mirror(tmp_path) as (peer, plant, port), py1815_master(port) as outstation:
        await outstation.disable_unsolicited(1, 2, 3)
        outstation.deviations.set(name, True)
        plant.set(bench.SWITCH, 0.0)
        await peer.publish()
        first = await outstation.scan("class1")
        outstation.deviations.clear()
        second = await outstation.scan("class1")
        assert first.outcome is Outcome.COMPLETE
        told = [bool(one.objects) for one in (first, second)]
        # Solicited events come again until they are confirmed; an unsolicited rule is not touched.
        assert told == ([True, False] if "unsolicited" in name else [True, True])
