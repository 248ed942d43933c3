"""Each fault of a server or its line, by its name, as a master on a real socket meets it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from asyncua import ua
from py1815 import link
from py1815.application import IIN2Bit, IINBit
from py1815.master import Exchange, Outstation

from gridctl.wallclock import system_clock
from sim.fault_kinds import Fault
from sim.faults import FaultBoard
from sim.outstation import SimOutstation
from sim.process import DnpServer, Simulator
from tests.contracts import driver_peer as bench
from tests.contracts.driver_peer import BenchPlant, bench_points, plant_points
from tests.contracts.peer_dnp3 import WIRES
from tests.peers.dnp3.judge import judged
from tests.ports import free_port
from tests.sim.opcua_stand import Stand, connected
from tests.sim.pilot import make_instance

WAIT_S = 0.4


class Bench:
    """One outstation behind a fault board, and a master that does nothing unasked."""

    def __init__(self) -> None:
        self.clock = system_clock()
        self.plant = BenchPlant(clock=self.clock)
        self.plant.touch()
        self.port = free_port()
        self.outstation = SimOutstation(
            link="DR",
            host="127.0.0.1",
            port=self.port,
            master_address=1,
            outstation_address=1024,
            points=plant_points(bench_points("DR", WIRES)),
            plant=self.plant,
            clock=self.clock,
        )
        server: Any = DnpServer(self.outstation)
        self.board = FaultBoard(_NoWorld(), {"DR": server})  # type: ignore[arg-type]
        self.master = self.new_master()

    def new_master(self) -> Outstation:
        return Outstation(
            "bench",
            host="127.0.0.1",
            port=self.port,
            response_timeout=WAIT_S,
            read_retries=0,
            manual=True,
            confirm=True,
            reconnect=None,
        )

    async def on(self, name: str, amount: float | None = None) -> None:
        assert await self.board.switch(name, on=True, target="DR", amount=amount) is None

    async def off(self, name: str) -> None:
        assert await self.board.switch(name, on=False, target="DR") is None

    async def poll(self) -> Exchange:
        return await self.master.integrity_poll()

    async def operate(self, value: float) -> bool | None:
        told = await self.master.operate(analog_outputs={12: value}, mode="select", variation=3)
        return told.accepted


def flagged(exchange: Exchange, bit: IINBit | IIN2Bit) -> bool:
    assert exchange.iin is not None
    return exchange.iin.is_set(bit)


class _NoWorld:
    at_s = 0.0
    devices: dict[str, object] = {}  # noqa: RUF012


@pytest.fixture
async def dnp3() -> AsyncIterator[Bench]:
    found = Bench()
    await found.outstation.start()
    await found.master.connect()
    try:
        yield found
    finally:
        await found.master.close()
        await found.outstation.stop()


async def test_a_crash_closes_the_port_and_a_restart_says_so(dnp3: Bench) -> None:
    await dnp3.master.clear_restart()
    assert not flagged(await dnp3.poll(), IINBit.DEVICE_RESTART)
    await dnp3.on("dead-outstation")
    with pytest.raises(ConnectionError):
        await asyncio.open_connection("127.0.0.1", dnp3.port)
    await dnp3.off("dead-outstation")
    dnp3.master = dnp3.new_master()
    await dnp3.master.connect()
    await dnp3.master.clear_restart()
    await dnp3.on("outstation-restart")
    assert dnp3.board.active == (), "it is over at once"
    dnp3.master = dnp3.new_master()
    await dnp3.master.connect()
    assert flagged(await dnp3.poll(), IINBit.DEVICE_RESTART)


async def test_a_frozen_outstation_goes_on_with_what_came_in(dnp3: Bench) -> None:
    await dnp3.on("outstation-freeze")
    assert not (await dnp3.poll()).complete
    await dnp3.off("outstation-freeze")
    await asyncio.sleep(0.1)
    assert (await dnp3.poll()).complete


async def test_wrong_time_stamps_events_whatever_the_master_sets(dnp3: Bench) -> None:
    await dnp3.poll()
    await dnp3.on("wrong-time", amount=600.0)
    await dnp3.master.write_time()
    dnp3.plant.set(bench.POWER, 900.0)
    await dnp3.outstation.publish()
    events = [o for o in (await dnp3.master.scan("events")).objects if o.group == 32]
    stamps = [o.time_ms for o in events if o.index == 0 and o.time_ms is not None]
    assert stamps
    assert stamps[-1] / 1000.0 - dnp3.clock.now_s() == pytest.approx(600.0, abs=5.0)
    await dnp3.off("wrong-time")


async def test_an_event_storm_overflows_the_buffer(dnp3: Bench) -> None:
    await dnp3.poll()
    await dnp3.on("event-storm")
    await dnp3.outstation.publish()
    await dnp3.off("event-storm")
    seen = await dnp3.master.read(binary_inputs="all")
    assert flagged(seen, IIN2Bit.EVENT_BUFFER_OVERFLOW)


async def test_an_even_number_of_contacts_storms_too(tmp_path: Path) -> None:
    simulator = Simulator(make_instance(tmp_path / "pilot"))
    await simulator.start()
    try:
        assert await simulator.faults.switch("event-storm", on=True, target="DR") is None
        await simulator.servers["DR"].publish()
        assert simulator.servers["DR"]._inner._events.overflowed  # type: ignore[attr-defined]
    finally:
        await simulator.stop()


async def test_lost_and_duplicated_replies(dnp3: Bench) -> None:
    await dnp3.on("lost-replies", amount=1.0)
    assert not (await dnp3.poll()).complete
    assert dnp3.outstation.line.dropped >= 1
    await dnp3.off("lost-replies")
    await dnp3.on("duplicated-replies", amount=1.0)
    reader, writer = await asyncio.open_connection("127.0.0.1", dnp3.port)
    # A link status request (IEEE 1815-2012 §9.2.4.1.3): ten octets, answered by ten.
    writer.write(link.build(0xC9, 1024, 1))
    answer = await asyncio.wait_for(reader.readexactly(20), 2.0)
    assert answer[:10] == answer[10:]
    await dnp3.off("duplicated-replies")
    writer.close()
    await writer.wait_closed()


async def test_delayed_replies_come_late(dnp3: Bench) -> None:
    await dnp3.on("delayed-replies", amount=0.25)
    slow = await dnp3.poll()
    await dnp3.off("delayed-replies")
    quick = await dnp3.poll()
    assert slow.complete
    assert slow.elapsed > 0.2 > quick.elapsed


async def test_half_open_is_silent_on_old_and_new_connections_and_ends_with_a_reset(
    dnp3: Bench,
) -> None:
    assert (await dnp3.poll()).complete
    await dnp3.on("half-open")
    assert not (await dnp3.poll()).complete
    reader, writer = await asyncio.open_connection("127.0.0.1", dnp3.port)
    writer.write(b"\x05\x64" + bytes(8))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(reader.read(1), WAIT_S)
    await dnp3.off("half-open")
    with pytest.raises(ConnectionResetError):
        await asyncio.wait_for(reader.read(1), 2.0)
    writer.close()


async def test_rejected_select_and_lost_operate(dnp3: Bench) -> None:
    await dnp3.on("rejected-select")
    assert await dnp3.operate(5.0) is False
    await dnp3.off("rejected-select")
    await dnp3.on("lost-operate")
    assert await dnp3.operate(6.0) is None, "selected, and then nobody knows"
    assert dnp3.plant.operated == []
    await dnp3.off("lost-operate")
    assert await dnp3.operate(7.0) is True
    assert [value for _, value, _ in dnp3.plant.operated] == [7.0]


async def test_opc_ua_is_delayed_silent_wrong_and_still(tmp_path: Path) -> None:
    here = Stand(tmp_path)
    await here.server.start()
    try:
        async with connected(here) as client:
            await _opcua_faults(here, client)
    finally:
        await here.server.stop()


async def _opcua_faults(here: Stand, client: Any) -> None:
    time_node = client.get_node(ua.NodeId(ua.Int32(2258)))
    server = here.server
    server.disturb(Fault.DELAYED_REPLIES, on=True, amount=0.3)
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    await time_node.read_value()
    assert loop.time() - began_s > 0.25
    server.disturb(Fault.DELAYED_REPLIES, on=False, amount=0.0)
    before = await time_node.read_value()
    server.disturb(Fault.WRONG_TIME, on=True, amount=3_600.0)
    await server.publish()
    assert (await time_node.read_value() - before).total_seconds() == pytest.approx(3600, abs=30)
    server.disturb(Fault.WRONG_TIME, on=False, amount=0.0)
    server.disturb(Fault.OUTSTATION_FREEZE, on=True, amount=0.0)
    await server.publish()
    frozen = await time_node.read_value()
    await server.publish()
    assert await time_node.read_value() == frozen
    server.disturb(Fault.OUTSTATION_FREEZE, on=False, amount=0.0)
    with pytest.raises(ValueError, match="OPC UA"):
        server.disturb(Fault.EVENT_STORM, on=True, amount=1.0)
    server.disturb(Fault.HALF_OPEN, on=True, amount=0.0)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(time_node.read_value(), WAIT_S)
    server.disturb(Fault.HALF_OPEN, on=False, amount=0.0)


ON_REQUEST = (
    "corrupt_header_crc", "corrupt_body_crc", "truncate", "overstate_length", "orphan_segment",
    "endless_series", "second_master_address", "silence",
)  # fmt: skip
"""Not `break_transport_sequence`: a first segment may have any number (IEEE 1815-2012 §8.2)."""


@pytest.mark.soak
@pytest.mark.parametrize("deviation", ON_REQUEST)
async def test_a_master_that_deviates_is_not_answered_and_does_no_harm(
    dnp3: Bench, deviation: str
) -> None:
    setattr(dnp3.master.deviations, deviation, True)
    assert await dnp3.operate(9.0) is not True
    assert not (await dnp3.poll()).complete
    assert dnp3.plant.operated == []
    setattr(dnp3.master.deviations, deviation, False)
    dnp3.master = dnp3.new_master()
    await dnp3.master.connect()
    assert (await dnp3.poll()).complete
    assert await dnp3.operate(5.0) is True
    assert [value for _, value, _ in dnp3.plant.operated] == [5.0]


@pytest.mark.soak
async def test_a_request_sent_twice_is_executed_once(dnp3: Bench) -> None:
    dnp3.master.deviations.repeat_request = True
    await dnp3.operate(6.0)
    assert len(dnp3.plant.operated) <= 1


@pytest.mark.soak
async def test_tshark_finds_nothing_malformed_not_even_in_a_storm(
    dnp3: Bench, tmp_path: Path
) -> None:
    async with judged(dnp3.port, tmp_path) as verdict:
        await dnp3.poll()
        await dnp3.on("event-storm")
        for value in (5.0, 6.0):
            dnp3.plant.set(bench.POWER, value)
            await dnp3.outstation.publish()
            await dnp3.master.scan("events")
            await dnp3.operate(value)
        await dnp3.on("duplicated-replies", amount=1.0)
        await dnp3.poll()
    assert verdict.frames > 30
    assert verdict.faults == []
