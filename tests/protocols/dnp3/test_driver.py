"""What only DNP3 has: SELECT, echoes, IIN, unsolicited, and outstations that lie or hang."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import opendnp3 as o
import pytest
from py1815 import FunctionCode, Request

import sim.outstation as outstation_module
from gridctl.model.command import CommandState
from gridctl.model.measurement import TimeQuality
from protocols.driver import LinkSettings, Result
from sim.outstation_session import OutstationSession
from tests.contracts import driver_peer as bench
from tests.contracts.peer_dnp3 import Dnp3Peer
from tests.contracts.test_driver_contract import CONNECT_S, Rig, rig_of

SELECTED, OPERATED = CommandState.SELECTED, CommandState.OPERATED


class LyingSession(OutstationSession):
    """Alters its answers to SELECT or OPERATE of the setpoint, as a broken device would."""

    lie = ""

    def _handle_control(self, request: Request, known: FunctionCode) -> bytes:
        answer = bytearray(super()._handle_control(request, known))
        is_lease = answer[8:9] == b"\x46"  # index 70, after header, IIN, g41v3, 0x17 or 0x28
        lie = "" if is_lease or b"\x46\x00" in answer[4:12] else self.lie
        if lie == f"{known.name} value":
            answer[-3] ^= 0x01
        elif lie == f"{known.name} iin":
            answer[3] |= 0x04
        elif lie == f"{known.name} empty":
            del answer[4:]
        elif lie == f"{known.name} silent":
            return b""
        return bytes(answer)

    def _send(self, fragment: bytes) -> bytes:
        return super()._send(fragment) if fragment else b""


@pytest.fixture
async def rig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Rig]:
    monkeypatch.setattr(outstation_module, "OutstationSession", LyingSession)
    monkeypatch.setattr(LyingSession, "lie", "")
    async with rig_of(Dnp3Peer, tmp_path / "bench") as rig:
        await rig.connected()
        yield rig


async def test_select_comes_before_operate_and_the_lease_before_both(rig: Rig) -> None:
    assert (await rig.execute(rig.permit(bench.SETPOINT, 5.0))).result is Result.ACCEPTED
    assert rig.stages == [SELECTED, OPERATED]
    lease = await rig.driver.read_back(bench.SETPOINT, timeout_s=2.0)
    assert lease is not None
    assert lease.value == 5.0  # the output's own status, g40v3
    ((_, _, lease_s),) = rig.plant.operated
    assert lease_s == pytest.approx(600.0, abs=2.0)


@pytest.mark.parametrize(
    ("lie", "result", "operated", "stages"),
    [
        ("SELECT value", Result.REJECTED, 0, [SELECTED]),
        ("SELECT empty", Result.REJECTED, 0, [SELECTED]),
        ("SELECT silent", Result.UNKNOWN, 0, [SELECTED]),
        ("OPERATE value", Result.UNKNOWN, 1, [SELECTED, OPERATED]),
        ("OPERATE empty", Result.UNKNOWN, 1, [SELECTED, OPERATED]),
        ("OPERATE silent", Result.UNKNOWN, 1, [SELECTED, OPERATED]),
        ("OPERATE iin", Result.UNKNOWN, 1, [SELECTED, OPERATED]),
    ],
)
async def test_a_lying_outstation_is_never_believed(
    rig: Rig,
    monkeypatch: pytest.MonkeyPatch,
    *,
    lie: str,
    result: Result,
    operated: int,
    stages: list[CommandState],
) -> None:
    monkeypatch.setattr(LyingSession, "lie", lie)
    execution = await rig.execute(rig.permit(bench.SETPOINT, 6.0))
    assert execution.result is result, execution
    assert rig.stages == stages
    monkeypatch.setattr(LyingSession, "lie", "")
    assert await rig.until(lambda: rig.driver.health().state == "up", CONNECT_S)
    await rig.pump(1.0)
    assert len(rig.plant.operated) == operated, "a command was repeated"
    # And the next command works, after an unknown outcome on a new connection.
    assert (await rig.execute(rig.permit(bench.SETPOINT, 7.0))).result is Result.ACCEPTED


async def test_an_unknown_outcome_tears_the_channel_down(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = rig.driver.health().reconnects
    monkeypatch.setattr(LyingSession, "lie", "OPERATE silent")
    await rig.execute(rig.permit(bench.SETPOINT, 6.0))
    second = await rig.execute(rig.permit(bench.SETPOINT, 8.0))
    assert (second.result, second.status) == (Result.REJECTED, "LINK_DOWN")
    monkeypatch.setattr(LyingSession, "lie", "")
    assert await rig.until(lambda: rig.driver.health().state == "up", CONNECT_S)
    assert rig.driver.health().reconnects > before
    assert [value for _, value, _ in rig.plant.operated] == [6.0]


async def test_stop_while_select_is_awaited_lets_no_operate_follow(rig: Rig) -> None:
    await rig.peer.freeze()
    loop = asyncio.get_running_loop()
    stopped_at = loop.time() + 0.15
    execution = await rig.execute(
        rig.permit(bench.LOCKED_SETPOINT, 6.0), aborted=lambda: loop.time() > stopped_at
    )
    assert execution.result is Result.ABORTED, execution
    assert execution.round_trip_s < 1.0
    assert OPERATED not in rig.stages
    await rig.peer.thaw()
    assert await rig.until(rig.all_good, CONNECT_S)
    await rig.pump(1.0)
    assert rig.plant.operated == []


async def test_a_lease_that_is_over_is_refused_but_the_way_home_is_not(rig: Rig) -> None:
    permit = rig.permit(bench.SETPOINT, 6.0)
    permit.command = replace(permit.command, lease_until_s=rig.clock.now_s() - 5.0)
    execution = await rig.execute(permit)
    assert (execution.result, execution.status) == (Result.REJECTED, "LEASE_EXPIRED")
    home = rig.permit(bench.SETPOINT, 0.0)
    home.command = replace(home.command, lease_until_s=rig.clock.now_s() - 5.0)
    assert (await rig.execute(home)).result is Result.ACCEPTED
    assert [value for _, value, _ in rig.plant.operated] == [0.0]


async def test_events_come_unasked_and_the_clock_is_set(tmp_path: Path) -> None:
    class SlowScan(Dnp3Peer):
        def __init__(self, *args: Any) -> None:
            super().__init__(*args)
            self._points = tuple(
                replace(row, point=replace(row.point, scan_s=30.0)) for row in self._points
            )

        def settings(self) -> LinkSettings:
            given = super().settings()
            return replace(given, options={**given.options, "event_scan": "none"})

    async with rig_of(SlowScan, tmp_path / "bench") as rig:
        await rig.connected()
        peer = rig.peer
        assert isinstance(peer, Dnp3Peer)
        assert await rig.until(lambda: peer.outstation.time_set_s is not None, 5.0)
        assert peer.outstation.time_set_s == pytest.approx(rig.clock.now_s(), abs=2.0)
        # How far off the device's clock is: what passed between the line and this very process.
        error_s = peer.outstation._clock_error_s
        assert abs(error_s) < 0.5
        await rig.pump(0.5)
        rig.plant.set(bench.POWER, 950.75)
        rig.plant.set(bench.SWITCH, 0.0)
        stamped_s = rig.plant.read(bench.SWITCH).at_s
        await peer.publish()
        assert await rig.until(lambda: rig.latest[bench.SWITCH].value == 0.0, 5.0)
        assert await rig.until(lambda: rig.latest[bench.POWER].value == 950.75, 5.0)
        switch = rig.latest[bench.SWITCH]
        assert switch.source_time_s == pytest.approx(stamped_s + error_s, abs=0.002)
        assert switch.time_quality is TimeQuality.SYNCHRONIZED


async def test_a_peer_that_accepts_and_closes_is_not_hammered(tmp_path: Path) -> None:
    """opendnp3 by itself reconnects 3,090 times a second here (G6)."""
    connects = 0

    async def slam(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connects
        connects += 1
        writer.close()

    async with rig_of(Dnp3Peer, tmp_path / "bench", peer_on=False) as rig:
        port = int(rig.peer.settings().options["port"])
        server = await asyncio.start_server(slam, "127.0.0.1", port)
        await rig.pump(3.0)
        server.close()
        await server.wait_closed()
        assert 1 <= connects <= 5
        assert rig.driver.health().state != "up"


async def test_a_point_that_the_device_does_not_have_is_named(tmp_path: Path) -> None:
    class Poorer(Dnp3Peer):
        def points(self) -> Any:
            return tuple(
                replace(row, address="30:999") if row.point.mrid == bench.VOLTAGE else row
                for row in super().points()
            )

    async with rig_of(Poorer, tmp_path / "bench") as rig:
        assert await rig.until(lambda: bench.VOLTAGE in rig.driver.health().detail, 5.0)
        assert rig.driver.health().state == "up"
        await rig.pump(0.2)
        assert not rig.latest[bench.VOLTAGE].quality.is_good
        assert rig.latest[bench.POWER].quality.is_good


def test_the_stack_offers_what_we_rely_on() -> None:
    retry = o.ChannelRetry(o.TimeDuration.Milliseconds(1), o.TimeDuration.Milliseconds(2))
    retry.reconnectDelay = o.TimeDuration.Milliseconds(1_000)
    config = o.MasterStackConfig()
    config.master.disableUnsolOnStartup = False
    assert config.master.disableUnsolOnStartup is False
