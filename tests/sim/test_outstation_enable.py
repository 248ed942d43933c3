"""A simulated DER on DNP3 has the shape of IEEE 1815.2: timeout, limit, and an output that puts the
limit in force."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from gridctl.model.clock import Clock
from protocols.driver import PointAddress, Result
from sim.outstation import SimOutstation
from sim.plant import Verdict
from tests.contracts import driver_peer as bench
from tests.contracts.driver_peer import BenchPlant, bench_points, plant_points
from tests.contracts.peer_dnp3 import WIRES, Dnp3Peer
from tests.contracts.test_driver_contract import Rig, rig_of

ENABLE = "12:17"


class DerPeer(Dnp3Peer):
    """The bench's outstation whose setpoint has to be enabled."""

    enable_told = ENABLE

    def __init__(self, link: str, plant: BenchPlant, clock: Clock, folder: Path) -> None:
        super().__init__(link, plant, clock, folder)
        self._points = bench_points(
            link, {**WIRES, bench.SETPOINT: replace(WIRES[bench.SETPOINT], enable=ENABLE)}
        )
        self.outstation = SimOutstation(
            link=link,
            host="127.0.0.1",
            port=self._port,
            master_address=1,
            outstation_address=1024,
            points=plant_points(self._points),
            plant=plant,
            clock=clock,
        )

    def points(self) -> tuple[PointAddress, ...]:
        return tuple(
            replace(row, enable=self.enable_told) if row.enable else row for row in self._points
        )


class Unenabling(DerPeer):
    """A points file that forgets the enabling output."""

    enable_told = ""


@pytest.fixture
async def der(tmp_path: Path) -> AsyncIterator[Rig]:
    async with rig_of(DerPeer, tmp_path / "bench") as rig:
        await rig.connected()
        yield rig


async def test_a_dispatch_enables_what_it_sets(der: Rig) -> None:
    assert (await der.execute(der.permit(bench.SETPOINT, 5.0))).result is Result.ACCEPTED
    ((point, value, lease_s),) = der.plant.operated
    assert (point, value) == (bench.SETPOINT, 5.0)
    assert lease_s == pytest.approx(600.0, abs=2.0)
    # Enabled already: the next one is in force with its setpoint.
    assert (await der.execute(der.permit(bench.SETPOINT, 6.0))).result is Result.ACCEPTED
    assert [value for _, value, _ in der.plant.operated] == [5.0, 6.0]


async def test_without_its_output_a_setpoint_is_accepted_and_not_in_force(tmp_path: Path) -> None:
    """Which the read-back of the effect tells, not the echo."""
    async with rig_of(Unenabling, tmp_path / "bench") as rig:
        await rig.connected()
        assert (await rig.execute(rig.permit(bench.SETPOINT, 5.0))).result is Result.ACCEPTED
        assert rig.plant.operated == []
        feedback = await rig.driver.read_back(bench.FEEDBACK, timeout_s=2.0)
        assert feedback is not None
        assert feedback.value == 0.0


async def test_a_setpoint_out_of_range_is_refused_before_it_waits(
    der: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(BenchPlant, "check", lambda plant, point, value: Verdict.OUT_OF_RANGE)
    refused = await der.execute(der.permit(bench.SETPOINT, 5.0))
    assert (refused.result, refused.status) == (Result.REJECTED, "OUT_OF_RANGE")
    assert der.plant.operated == []
