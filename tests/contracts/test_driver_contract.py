"""The contract of every driver, run against every protocol's peer over real loopback sockets.

A new protocol adds its peer to `PEERS`; nothing else here changes.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gridctl.model.command import Command, CommandState
from gridctl.model.link import bounded_evidence
from gridctl.model.measurement import Flag, Measurement, TimeQuality, Validity
from gridctl.model.permit import Permit, mint
from gridctl.wallclock import system_clock
from protocols.driver import Driver, Execution, Result
from protocols.inbox import Inbox
from protocols.registry import open_driver
from tests.contracts import driver_peer as bench
from tests.contracts.driver_peer import (
    SCAN_S,
    BenchPlant,
    DriverPeer,
    PeerFactory,
    UnregisteredPeer,
)
from tests.contracts.peer_dnp3 import Dnp3Peer
from tests.contracts.peer_opcua import OpcUaPeer

PEERS: Mapping[str, PeerFactory] = {"dnp3": Dnp3Peer, "opcua": OpcUaPeer}

LOSS_S = 3 * SCAN_S
SLACK_S = 0.3
"""What a busy test machine may add to a deadline."""
CONNECT_S = 15.0
ALL_POINTS = {point.mrid for point in (*bench.READABLE, *bench.COMMANDABLE)}
READABLE = {point.mrid for point in bench.READABLE}


class Rig:
    """A driver under test, its peer, and everything that came out of the inbox."""

    def __init__(self, factory: PeerFactory, folder: Path, link: str) -> None:
        folder.mkdir(exist_ok=True)
        self.clock = system_clock()
        self.plant = BenchPlant(clock=self.clock)
        self.plant.touch()
        self.peer: DriverPeer = factory(link, self.plant, self.clock, folder)
        self.inbox = Inbox(1_000)
        self.driver: Driver = (
            self.peer.open_driver(self.inbox, self.clock)
            if isinstance(self.peer, UnregisteredPeer)
            else open_driver(self.peer.settings(), self.peer.points(), self.inbox, self.clock)
        )
        self.latest: dict[str, Measurement] = {}
        self.seen: list[Measurement] = []
        self.stages: list[CommandState] = []

    async def pump(self, seconds: float) -> None:
        """Read the inbox for `seconds`."""
        await self.until(lambda: False, seconds)

    async def until(self, condition: Callable[[], bool], seconds: float) -> bool:
        """Read the inbox until `condition` holds; False when it did not in `seconds`."""
        deadline_s = self.clock.monotonic_s() + seconds
        while not condition():
            left_s = deadline_s - self.clock.monotonic_s()
            if left_s <= 0:
                return False
            for measurement in await self.inbox.get(timeout_s=min(0.05, left_s)):
                self.latest[measurement.point] = measurement
                self.seen.append(measurement)
        return True

    def all_good(self) -> bool:
        return {m.point for m in self.latest.values() if m.quality.is_good} >= READABLE

    def all_lost(self) -> bool:
        return all(
            point in self.latest
            and not self.latest[point].quality.is_good
            and Flag.COMM_LOST in self.latest[point].quality.flags
            for point in READABLE
        )

    async def connected(self) -> None:
        assert await self.until(
            lambda: self.driver.health().state == "up" and self.all_good(), CONNECT_S
        ), self.driver.health()

    def permit(
        self, point: str, value: float, *, life_s: float = 10.0, lease_s: float = 600.0
    ) -> Permit:
        row = next(row for row in self.peer.points() if row.point.mrid == point)
        command = Command(
            mrid=f"{point}={value}",
            plan="plan",
            resource="BENCH",
            point=point,
            value=value,
            expect_point=row.point.expect or "",
            tolerance=row.point.tolerance or 0.0,
            lease_until_s=self.clock.now_s() + lease_s,
            default_value=0.0,
            effect_kw=0.0,
            batch=0,
        )
        return mint(
            command=command, order="order", expires_mono_s=self.clock.monotonic_s() + life_s
        )

    async def execute(
        self, permit: Permit, aborted: Callable[[], bool] = lambda: False
    ) -> Execution:
        self.stages.clear()
        return await self.driver.execute(permit, aborted=aborted, stage=self.stages.append)


@asynccontextmanager
async def rig_of(
    factory: PeerFactory, folder: Path, link: str = "BENCH", *, peer_on: bool = True
) -> AsyncIterator[Rig]:
    rig = Rig(factory, folder, link)
    if peer_on:
        await rig.peer.start()
    await rig.driver.start()
    try:
        yield rig
    finally:
        await rig.driver.stop()
        await rig.peer.kill()


def unknown_or_unsent(execution: Execution) -> bool:
    """What a command to a device that hangs may end as: it is REJECTED only when a poll that hangs
    before it kept it from leaving, and the driver knows that it has not left."""
    return execution.result is Result.UNKNOWN or (
        execution.result is Result.REJECTED and "NOT_SENT" in execution.status
    )


@pytest.fixture(params=sorted(PEERS))
def factory(request: pytest.FixtureRequest) -> PeerFactory:
    return PEERS[request.param]


@pytest.fixture
async def rig(factory: PeerFactory, tmp_path: Path) -> AsyncIterator[Rig]:
    """A driver that is connected and has read everything."""
    async with rig_of(factory, tmp_path / "bench") as rig:
        await rig.connected()
        yield rig


async def test_every_point_is_read_with_quality_and_time(rig: Rig) -> None:
    assert await rig.until(lambda: set(rig.latest) == ALL_POINTS, 5.0), set(rig.latest)
    for point in READABLE:
        measurement = rig.latest[point]
        assert measurement.value == pytest.approx(rig.plant.read(point).value, rel=1e-6), point
        assert measurement.quality.validity is Validity.GOOD
        assert measurement.quality.native, f"{point}: the wire's own word is missing"
        assert abs(measurement.received_time_s - rig.clock.now_s()) < 10.0
        assert measurement.source_time_s <= measurement.received_time_s + 1.0
    health = rig.driver.health()
    assert (health.state, health.points) == ("up", len(ALL_POINTS))
    assert health.reads >= len(ALL_POINTS)


async def test_a_change_carries_the_time_of_the_device(rig: Rig) -> None:
    await rig.pump(0.2)
    rig.seen.clear()
    rig.plant.set(bench.POWER, 901.25)
    stamped_s = rig.plant.read(bench.POWER).at_s
    await rig.peer.publish()

    def arrived() -> bool:
        return any(
            m.point == bench.POWER
            and m.value == 901.25
            and m.time_quality is not TimeQuality.RECEIVED
            and abs(m.source_time_s - stamped_s) < 0.01
            for m in rig.seen
        )

    assert await rig.until(arrived, 2 * SCAN_S + SLACK_S), rig.seen


async def test_unchanged_values_are_proof_of_life(rig: Rig) -> None:
    rig.seen.clear()
    await rig.pump(2 * SCAN_S + SLACK_S)
    assert {m.point for m in rig.seen} >= READABLE


async def test_bad_device_quality_arrives(rig: Rig) -> None:
    rig.plant.set(bench.VOLTAGE, 0.0, good=False)
    await rig.peer.publish()
    assert await rig.until(lambda: not rig.latest[bench.VOLTAGE].quality.is_good, 2 * SCAN_S)
    assert rig.latest[bench.POWER].quality.is_good
    rig.plant.set(bench.VOLTAGE, 1.01)
    await rig.peer.publish()
    assert await rig.until(lambda: rig.latest[bench.VOLTAGE].quality.is_good, 2 * SCAN_S + SLACK_S)


async def test_killed_peer_is_lost_in_three_scans_and_comes_back_others_go_on(
    rig: Rig, factory: PeerFactory, tmp_path: Path
) -> None:
    async with rig_of(factory, tmp_path / "other", "OTHER") as other:
        await other.connected()
        other.seen.clear()
        value = rig.latest[bench.POWER].value
        await rig.peer.kill()
        assert await rig.until(rig.all_lost, LOSS_S + SLACK_S), rig.latest
        assert rig.latest[bench.POWER].value == value
        assert rig.driver.health().state != "up"
        await other.pump(2 * SCAN_S)
        assert other.all_good()
        assert {m.point for m in other.seen} >= READABLE
        assert other.driver.health().state == "up"
    # What moved while nobody could listen: after the return everything is read, not only what
    # moves again.
    moved = {bench.POWER: 777.5, bench.VOLTAGE: 0.97, bench.SWITCH: 0.0, bench.FEEDBACK: 12.0}
    for point, value_now in moved.items():
        rig.plant.set(point, value_now)
    rig.seen.clear()
    await rig.peer.start()
    assert await rig.until(rig.all_good, CONNECT_S)
    for point in READABLE:
        shown = next(m for m in rig.seen if m.point == point and m.quality.is_good)
        assert shown.value == pytest.approx(rig.plant.read(point).value, rel=1e-6), point
    assert await rig.until(lambda: rig.driver.health().state == "up", 5.0)
    assert rig.driver.health().reconnects >= 1


async def test_frozen_peer_is_lost_in_three_scans_and_comes_back(rig: Rig) -> None:
    await rig.peer.freeze()
    assert await rig.until(rig.all_lost, LOSS_S + SCAN_S + SLACK_S), rig.latest
    await rig.peer.thaw()
    assert await rig.until(rig.all_good, CONNECT_S)


async def test_the_way_home_is_open_after_the_lease(rig: Rig) -> None:
    """What the field agent writes when a lease has run out: the default, with no time left."""
    assert (await rig.execute(rig.permit(bench.SETPOINT, 33.25))).result is Result.ACCEPTED
    over = await rig.execute(rig.permit(bench.SETPOINT, 40.0, lease_s=-1.0))
    assert over.result is not Result.ACCEPTED, "a setpoint whose lease is over does not leave"
    home = await rig.execute(rig.permit(bench.SETPOINT, 0.0, lease_s=-1.0))
    assert home.result is Result.ACCEPTED, home
    assert [value for _, value, _ in rig.plant.operated] == [33.25, 0.0]


async def test_accepted_command_moves_the_plant_and_reads_back(rig: Rig) -> None:
    execution = await rig.execute(rig.permit(bench.SETPOINT, 33.25))
    assert execution.result is Result.ACCEPTED, execution
    assert execution.status
    assert execution.detail
    assert 0.0 < execution.round_trip_s < 5.0
    assert rig.stages[-1] is CommandState.OPERATED
    assert set(rig.stages) <= {CommandState.SELECTED, CommandState.OPERATED}
    ((point, value, lease_s),) = rig.plant.operated
    assert (point, value) == (bench.SETPOINT, 33.25)
    # What passed the wire is kept, one line a message, ours and the device's.
    sent = [line for line in execution.evidence if " → device " in line]
    heard = [line for line in execution.evidence if " ← device " in line]
    assert sent, execution.evidence
    assert heard, execution.evidence
    assert any("33.25" in line for line in sent), sent
    assert bounded_evidence(execution.evidence) == execution.evidence, "too much for a frame"
    if rig.peer.hands_on_lease:
        assert lease_s == pytest.approx(600.0, abs=5.0)
    await rig.peer.publish()
    read = await rig.driver.read_back(bench.FEEDBACK, timeout_s=2.0)
    assert read is not None
    assert read.value == pytest.approx(33.25)
    assert read.quality.is_good
    assert rig.driver.health().commands >= 1


async def test_refused_command_carries_status_and_sentence(rig: Rig) -> None:
    execution = await rig.execute(rig.permit(bench.LOCKED_SETPOINT, 5.0))
    assert execution.result is Result.REJECTED
    assert execution.status == rig.peer.locked_status
    assert len(execution.detail) > 20
    assert rig.plant.read(bench.LOCKED_FEEDBACK).value == 7.0


async def test_value_outside_the_points_file_never_leaves(rig: Rig) -> None:
    for value in (100.5, -1e9, float("nan"), float("inf")):
        execution = await rig.execute(rig.permit(bench.SETPOINT, value))
        assert execution.result is Result.REJECTED, value
    execution = await rig.execute(rig.permit(bench.SETPOINT, 1.0))
    assert execution.result is Result.ACCEPTED
    assert [value for _, value, _ in rig.plant.operated] == [1.0]


async def test_link_down_is_rejected_and_nothing_happens_later(rig: Rig) -> None:
    await rig.peer.kill()
    assert await rig.until(lambda: rig.driver.health().state != "up", LOSS_S + SLACK_S)
    execution = await rig.execute(rig.permit(bench.SETPOINT, 44.0))
    assert (execution.result, execution.status) == (Result.REJECTED, "LINK_DOWN")
    assert execution.round_trip_s < 0.5
    assert execution.evidence == (), "nothing was sent"
    assert rig.stages == []
    assert await rig.driver.read_back(bench.FEEDBACK, timeout_s=0.5) is None
    await rig.peer.start()
    assert await rig.until(lambda: rig.driver.health().state == "up", CONNECT_S)
    await rig.pump(2 * SCAN_S)
    assert rig.plant.operated == []


async def test_frozen_peer_is_unknown_and_never_executes_late(rig: Rig) -> None:
    await rig.peer.freeze()
    execution = await rig.execute(rig.permit(bench.SETPOINT, 55.0))
    assert unknown_or_unsent(execution), execution
    assert execution.round_trip_s < 10.0
    assert len(execution.detail) > 20
    await rig.peer.thaw()
    assert await rig.until(rig.all_good, CONNECT_S)
    await rig.pump(4 * SCAN_S)
    # What the device had already taken in may happen; what comes later may not: never more
    # than the one command, and for a protocol with SELECT not even that.
    assert len(rig.plant.operated) <= (0 if CommandState.SELECTED in rig.stages else 1)
    operated = len(rig.plant.operated)
    await rig.pump(4 * SCAN_S)
    assert len(rig.plant.operated) == operated


async def test_permit_works_once(rig: Rig) -> None:
    permit = rig.permit(bench.SETPOINT, 10.0)
    first = await rig.execute(permit)
    second = await rig.execute(permit)
    assert (first.result, second.result) == (Result.ACCEPTED, Result.REJECTED)
    assert "used" in second.detail
    assert len(rig.plant.operated) == 1


async def test_expired_permit_is_refused(rig: Rig) -> None:
    execution = await rig.execute(rig.permit(bench.SETPOINT, 10.0, life_s=-1.0))
    assert execution.result is Result.REJECTED
    assert "expired" in execution.detail
    assert rig.plant.operated == []


async def test_stop_before_the_wire_sends_nothing(rig: Rig) -> None:
    execution = await rig.execute(rig.permit(bench.SETPOINT, 10.0), aborted=lambda: True)
    assert execution.result is Result.ABORTED
    assert CommandState.OPERATED not in rig.stages
    await rig.pump(SCAN_S)
    assert rig.plant.operated == []


async def test_unknown_point_is_refused(rig: Rig) -> None:
    permit = rig.permit(bench.SETPOINT, 10.0)
    for point in ("NOBODY", bench.POWER):
        command = Command(
            **{**{s: getattr(permit.command, s) for s in Command.__slots__}, "point": point}
        )
        execution = await rig.execute(
            mint(command=command, order="o", expires_mono_s=rig.clock.monotonic_s() + 5.0)
        )
        assert execution.result is Result.REJECTED, point
    assert await rig.driver.read_back("NOBODY", timeout_s=0.5) is None
    assert rig.plant.operated == []


async def test_one_command_at_a_time_per_device(rig: Rig) -> None:
    values = [1.0, 2.0, 3.0, 4.0]
    executions = await asyncio.gather(
        *(rig.execute(rig.permit(bench.SETPOINT, value)) for value in values)
    )
    assert [e.result for e in executions] == [Result.ACCEPTED] * len(values)
    assert [value for _, value, _ in rig.plant.operated] == values


@pytest.mark.parametrize("state", ["up", "frozen", "killed", "commanding"])
async def test_stop_takes_at_most_five_seconds(rig: Rig, state: str) -> None:
    command: asyncio.Task[Execution] | None = None
    if state in ("frozen", "commanding"):
        await rig.peer.freeze()
    if state == "killed":
        await rig.peer.kill()
    if state == "commanding":
        command = asyncio.create_task(rig.execute(rig.permit(bench.SETPOINT, 9.0)))
        await asyncio.sleep(0.1)
    before_s = rig.clock.monotonic_s()
    await rig.driver.stop()
    assert rig.clock.monotonic_s() - before_s < 5.0
    assert rig.driver.health().state == "down"
    if command is not None:
        assert unknown_or_unsent(await asyncio.wait_for(command, 5.0))


async def test_a_driver_without_a_peer_says_so_and_connects_when_it_comes(
    factory: PeerFactory, tmp_path: Path
) -> None:
    async with rig_of(factory, tmp_path / "bench", peer_on=False) as rig:
        assert await rig.until(rig.all_lost, LOSS_S + SCAN_S + SLACK_S), rig.latest
        assert rig.driver.health().state != "up"
        await rig.peer.start()
        await rig.connected()
