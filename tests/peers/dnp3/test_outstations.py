"""Our master against outstations of four other stacks; tshark judges what was on the wire."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from protocols.driver import PointAddress, Result
from tests.contracts import driver_peer as bench
from tests.contracts.test_driver_contract import CONNECT_S, Rig, rig_of
from tests.peers.dnp3.judge import judged
from tests.peers.dnp3.outstations import (
    OUTSTATIONS,
    RELAY_INDEX,
    SETPOINT,
    VALUES,
    Foreign,
    Minimal,
    Py1815,
)
from tests.peers.dnp3.rows import MASTER_ADDRESS, RELAY, rows_of

COMMANDED = [name for name, peer in OUTSTATIONS.items() if peer.commands]
LATCH_ON = 3


@asynccontextmanager
async def connected(kind: type[Foreign], folder: Path) -> AsyncIterator[tuple[Rig, Foreign]]:
    async with rig_of(kind, folder / "peer") as rig:
        peer = rig.peer
        assert isinstance(peer, Foreign)
        assert await rig.until(lambda: rig.driver.health().state == "up", CONNECT_S), (
            rig.driver.health()
        )
        assert await rig.until(lambda: all_good(rig), CONNECT_S), rig.latest
        yield rig, peer


def all_good(rig: Rig) -> bool:
    wanted = {row.point.mrid for row in rig.peer.points() if not row.point.kind.commandable}
    return wanted <= {m.point for m in rig.latest.values() if m.quality.is_good}


@pytest.mark.parametrize("name", OUTSTATIONS)
async def test_read_lost_and_found(name: str, tmp_path: Path) -> None:
    async with connected(OUTSTATIONS[name], tmp_path) as (rig, peer):
        shown = {row.point.mrid for row in peer.points()}
        for mrid, value in VALUES.items():
            if mrid in shown:
                assert rig.latest[mrid].value == value, mrid
        await peer.move(950.0)
        assert await rig.until(lambda: rig.latest[bench.POWER].value == 950.0, 3.0)
        await peer.kill()
        assert await rig.until(lambda: not rig.latest[bench.POWER].quality.is_good, 4.0)
        await peer.start()
        assert await rig.until(lambda: rig.driver.health().state == "up", CONNECT_S)
        assert await rig.until(lambda: all_good(rig), CONNECT_S)


@pytest.mark.parametrize("name", COMMANDED)
async def test_select_before_operate(name: str, tmp_path: Path) -> None:
    async with connected(OUTSTATIONS[name], tmp_path) as (rig, peer):
        done = await rig.execute(rig.permit(bench.SETPOINT, 33.25))
        assert done.result is Result.ACCEPTED, done
        done = await rig.execute(rig.permit(RELAY, 1.0))
        assert done.result is Result.ACCEPTED, done
        refused = await rig.execute(rig.permit(bench.LOCKED_SETPOINT, 1.0))
        assert (refused.result, refused.status) == (Result.REJECTED, "LOCAL"), refused
        await peer.learn()
        assert [tuple(one) for one in peer.operated] == [
            ("analog", SETPOINT, 33.25),
            ("relay", RELAY_INDEX, LATCH_ON),
        ]


@pytest.mark.parametrize("name", [name for name, peer in OUTSTATIONS.items() if peer.pushes])
async def test_changes_come_unasked(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def seldom(peer: Foreign) -> tuple[PointAddress, ...]:
        return tuple(
            replace(row, point=replace(row.point, scan_s=30.0)) for row in rows_of(peer._link)
        )

    monkeypatch.setattr(Foreign, "points", seldom)
    async with connected(OUTSTATIONS[name], tmp_path) as (rig, peer):
        await rig.pump(0.5)
        await peer.move(950.0)
        assert await rig.until(lambda: rig.latest[bench.POWER].value == 950.0, 3.0)


async def test_the_clock_is_set_when_asked(tmp_path: Path) -> None:
    async with connected(Py1815, tmp_path) as (rig, peer):
        assert isinstance(peer, Py1815)
        assert await rig.until(lambda: peer.time_ms is not None, 5.0)
        assert peer.time_ms == pytest.approx(rig.clock.now_s() * 1000, abs=2_000)


async def test_a_command_to_a_device_that_knows_none_is_not_accepted(tmp_path: Path) -> None:
    class Commanded(Minimal):
        without = (bench.SWITCH, bench.HEARTBEAT, bench.LOCKED_SETPOINT, RELAY)

    async with connected(Commanded, tmp_path) as (rig, _):
        done = await rig.execute(rig.permit(bench.SETPOINT, 3.0))
        assert done.result in (Result.UNKNOWN, Result.REJECTED), done
        assert await rig.until(lambda: rig.driver.health().state == "up", CONNECT_S)


@pytest.mark.parametrize("name", OUTSTATIONS)
async def test_tshark_finds_nothing_wrong(name: str, tmp_path: Path) -> None:
    kind = OUTSTATIONS[name]
    peer: Foreign
    async with rig_of(kind, tmp_path / "peer", peer_on=False) as rig:
        assert isinstance(rig.peer, Foreign)
        peer = rig.peer
        async with judged(peer.port, tmp_path) as verdict:
            await peer.start()
            assert await rig.until(lambda: rig.driver.health().state == "up", CONNECT_S)
            assert await rig.until(lambda: all_good(rig), CONNECT_S)
            if kind.commands:
                done = await rig.execute(rig.permit(bench.SETPOINT, 33.25))
                assert done.result is Result.ACCEPTED, done
            await rig.pump(0.3)
    assert verdict.frames > 5
    assert not verdict.faults, verdict.faults[:5]
    assert not verdict.of("DIRECT_OPERATE", "DIRECT_OPERATE_NR")
    controls = verdict.of("SELECT", "OPERATE")
    if not kind.commands:
        assert not controls
        return
    assert [one.function for one in controls] == ["SELECT", "OPERATE"]
    assert all(one.source == MASTER_ADDRESS for one in controls)
    assert controls[0].objects == controls[1].objects
    assert {float(one.value) for one in controls} == {33.25}
