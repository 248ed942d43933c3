"""Devices whose master has gone away return to their defaults before their leases end."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from py1815.master import Outstation

from gridctl.model.clock import ManualClock
from sim.devices.breaker import OPEN, BreakerLatch
from sim.devices.control import SetpointHold
from sim.process import Simulator
from sim.watchdog import Watchdog
from tests.sim.opcua_stand import Stand, connected
from tests.sim.pilot import make_instance, port_of


def test_silence_lets_go_what_is_held_and_a_breaker_stays(
    caplog: pytest.LogCaptureFixture,
) -> None:
    near, breaker = SetpointHold(default=0.0, low=0.0, high=9.0), BreakerLatch()
    far = SetpointHold(default=1.0, low=0.0, high=9.0)
    dog = Watchdog(60.0, {"DR": [near, breaker], "DER": [far]}, at_s=0.0)
    for hold in (near, far):
        hold.take(5.0, at_s=0.0, lease_s=1_800.0)
    breaker.take(OPEN, at_s=0.0, lease_s=None)
    for at_s in range(0, 120, 10):
        dog.step(["DER"], at_s=float(at_s))
        near.expire(float(at_s))
        far.expire(float(at_s))
    assert (near.value, far.value, breaker.value) == (0.0, 5.0, OPEN)
    assert near.since_s == 70.0
    assert dog.silent == {"DR"}
    assert caplog.text.count("no sign of its master") == 1
    dog.step(["DR"], at_s=120.0)
    assert dog.silent == frozenset()


def test_devices_that_do_not_watch_wait_for_their_lease() -> None:
    hold = SetpointHold(default=0.0, low=0.0, high=9.0)
    hold.take(5.0, at_s=0.0, lease_s=1_800.0)
    dog = Watchdog(None, {"DR": [hold]}, at_s=0.0)
    dog.step([], at_s=1_799.0)
    hold.expire(1_799.0)
    assert hold.value == 5.0


async def test_a_dnp3_master_that_stops_asking(tmp_path: Path) -> None:
    instance = make_instance(tmp_path / "pilot")
    settings = instance / "gridctl.toml"
    settings.write_text(settings.read_text().replace("[sim]", "[sim]\nsilence_s = 60.0"))
    simulator = Simulator(instance)
    clock = ManualClock(grid_s=simulator.clock.now_s())
    simulator.clock = simulator.world._clock = clock
    simulator.watchdog = Watchdog(
        60.0, {n: simulator.world.holds_of(n) for n in simulator.servers}, at_s=clock.now_s()
    )
    master = Outstation(
        "DR",
        host="127.0.0.1",
        port=port_of(instance, "DR"),
        outstation_address=20,
        manual=True,
        confirm=True,
    )
    await simulator.start()
    try:
        await master.connect()
        told = await master.operate(analog_outputs={0: 5.0}, mode="select", variation=3)
        assert told.accepted
        (group,) = [d for d in simulator.world.devices.values() if d.hold.value == 5.0]
        for _ in range(6):
            await master.integrity_poll()
            clock.advance(30.0)
            await simulator.tick()
        assert group.hold.value == 5.0
        for _ in range(3):
            clock.advance(30.0)
            await simulator.tick()
        assert group.hold.value == 0.0
    finally:
        await master.close()
        await simulator.stop()


async def test_an_opc_ua_client_is_heard_as_long_as_it_has_a_session(tmp_path: Path) -> None:
    here = Stand(tmp_path)
    await here.server.start()
    try:
        assert not here.server.heard()
        async with connected(here):
            assert here.server.heard()
        for _ in range(500):
            if not here.server.heard():
                break
            await asyncio.sleep(0.02)
        assert not here.server.heard()
    finally:
        await here.server.stop()
