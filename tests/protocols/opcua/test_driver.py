"""The link itself on real sockets: refusals, black hole, limits, points that nobody knows."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio

from gridctl.model.command import Command
from gridctl.model.measurement import Flag, Measurement, Validity
from gridctl.model.permit import Permit, mint
from gridctl.observe import set_up_logging
from gridctl.pki import make_application_certificate
from gridctl.wallclock import system_clock
from protocols.driver import LinkSettings, OptionValue, PointAddress, Result
from protocols.inbox import Inbox
from protocols.opcua import driver as driver_module
from protocols.opcua.driver import OpcUaDriver
from tests.contracts import driver_peer as bench
from tests.contracts.driver_peer import BenchPlant
from tests.contracts.peer_opcua import NAMESPACE, PUBLISHING_MS, OpcUaWritePeer

KEEPALIVE_S = 10 * PUBLISHING_MS / 1000.0
CLOCK = system_clock()

pytestmark = pytest.mark.asyncio(loop_scope="module")


class Steady:
    """Randomness that is always in the middle."""

    def uniform(self, a: float, b: float, /) -> float:
        return (a + b) / 2.0


class Site:
    """One server that every test of this file uses, and drivers that come and go."""

    def __init__(self, folder: Path) -> None:
        self.plant = BenchPlant(clock=CLOCK)
        self.plant.touch()
        self.peer = OpcUaWritePeer("DER", self.plant, CLOCK, folder)

    def driver(
        self,
        inbox: Inbox,
        *,
        points: tuple[PointAddress, ...] | None = None,
        options: dict[str, OptionValue] | None = None,
    ) -> OpcUaDriver:
        settings = self.peer.settings()
        changed = LinkSettings(
            id=settings.id,
            protocol=settings.protocol,
            file=settings.file,
            options={**settings.options, **(options or {})},
        )
        rows = self.peer.points() if points is None else points
        return OpcUaDriver(changed, rows, inbox, CLOCK, randomness=Steady())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("opcua")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(folder: Path) -> AsyncIterator[Site]:
    site = Site(folder)
    await site.peer.start()
    yield site
    await site.peer.kill()


class Watch:
    """A started driver and the newest measurement of each point."""

    def __init__(self, driver: OpcUaDriver, inbox: Inbox) -> None:
        self.driver = driver
        self.inbox = inbox
        self.latest: dict[str, Measurement] = {}
        self.seen: list[Measurement] = []

    async def until(self, condition: Callable[[], bool], seconds: float) -> bool:
        deadline_s = CLOCK.monotonic_s() + seconds
        while not condition():
            if CLOCK.monotonic_s() > deadline_s:
                return False
            for one in await self.inbox.get(timeout_s=0.02):
                self.latest[one.point] = one
                self.seen.append(one)
        return True

    async def up(self) -> None:
        assert await self.until(
            lambda: self.driver.health().state == "up" and bench.POWER in self.latest, 25.0
        ), self.driver.health()


@pytest_asyncio.fixture(loop_scope="module")
async def watch(site: Site) -> AsyncIterator[Watch]:
    inbox = Inbox(100)
    watch = Watch(site.driver(inbox), inbox)
    await watch.driver.start()
    await watch.up()
    yield watch
    site.peer.proxy.thaw()
    await watch.driver.stop()


def permit(row: PointAddress, value: float, *, lease_s: float = 60.0) -> Permit:
    command = Command(
        mrid=f"{row.point.mrid}={value}@{CLOCK.monotonic_s()}",
        plan="plan",
        resource="BENCH",
        point=row.point.mrid,
        value=value,
        expect_point=row.point.expect or "",
        tolerance=0.5,
        lease_until_s=CLOCK.now_s() + lease_s,
        default_value=0.0,
        effect_kw=0.0,
        batch=0,
    )
    return mint(command=command, order="o", expires_mono_s=CLOCK.monotonic_s() + 10.0)


def row_of(site: Site, mrid: str) -> PointAddress:
    return next(row for row in site.peer.points() if row.point.mrid == mrid)


async def _refused(site: Site, *, why: str, **options: OptionValue) -> None:
    """The link does not come up, says why, and shows no value as good."""
    inbox = Inbox(100)
    watch = Watch(site.driver(inbox, options=options), inbox)
    await watch.driver.start()
    try:
        assert await watch.until(lambda: why in watch.driver.health().detail, 25.0), (
            watch.driver.health()
        )
        assert await watch.until(lambda: bench.POWER in watch.latest, 2.0)
        assert watch.driver.health().state == "down"
        assert not any(one.quality.is_good for one in watch.seen)
    finally:
        await watch.driver.stop()


async def test_another_servers_certificate_is_refused(site: Site, folder: Path) -> None:
    other = folder / "other-server.der"
    make_application_certificate(
        certificate=other,
        key=folder / "other-server.pem",
        common_name="other",
        application_uri="urn:gridctl:sim",
        hosts=("localhost",),
        now_s=CLOCK.now_s(),
        days=1,
    )
    await _refused(site, why="", server_certificate=str(other))


async def test_wrong_password_is_refused(site: Site, folder: Path) -> None:
    wrong = folder / "wrong.password"
    wrong.write_text("guess")
    wrong.chmod(0o600)
    await _refused(site, why="BadUserAccessDenied", password_file=str(wrong))


async def test_unknown_client_certificate_is_refused(site: Site, folder: Path) -> None:
    make_application_certificate(
        certificate=folder / "rogue.der",
        key=folder / "rogue.pem",
        common_name="rogue",
        application_uri="urn:gridctl:field",
        hosts=("localhost",),
        now_s=CLOCK.now_s(),
        days=1,
    )
    await _refused(
        site,
        why="BadCertificateUntrusted",
        certificate=str(folder / "rogue.der"),
        key=str(folder / "rogue.pem"),
    )


def _loud(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    return [one for one in caplog.records if one.levelno >= logging.WARNING]


async def test_only_a_fault_is_logged(
    site: Site, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The server tells no stranger its endpoints, so the first question of each connection is
    refused: asyncua calls that fatal. A link that is refused itself says so once, in our words."""
    handlers, level = logging.getLogger().handlers[:], logging.getLogger().level
    set_up_logging(level="info")
    logging.getLogger().addHandler(caplog.handler)
    try:
        inbox = Inbox(100)
        watch = Watch(site.driver(inbox), inbox)
        await watch.driver.start()
        await watch.up()
        await watch.driver.stop()
        # Ours may be "no answer in time" on a machine that is busy; asyncua's may not be.
        assert {one.name for one in _loud(caplog)} <= {"protocols.opcua.driver"}
        caplog.clear()
        wrong = folder / "logged.password"
        wrong.write_text("guess")
        wrong.chmod(0o600)
        await _refused(site, why="BadUserAccessDenied", password_file=str(wrong))
        loud = _loud(caplog)
        assert [one.name for one in loud] == ["protocols.opcua.driver"]
        assert "BadUserAccessDenied" in loud[0].getMessage()
    finally:
        logging.getLogger().handlers[:] = handlers
        logging.getLogger().setLevel(level)


async def test_black_hole_is_found_in_three_keepalives_and_left(site: Site, watch: Watch) -> None:
    site.peer.proxy.freeze()
    frozen_s = CLOCK.monotonic_s()
    watch.seen.clear()
    assert await watch.until(lambda: watch.driver.health().state != "up", 5 * KEEPALIVE_S)
    assert CLOCK.monotonic_s() - frozen_s < 3.0 * KEEPALIVE_S + 0.5
    assert "no keep-alive" in watch.driver.health().detail
    # Nothing was told as fresh after the time in which a keep-alive was due.
    last_good = max((one.received_time_s for one in watch.seen if one.quality.is_good), default=0.0)
    assert last_good < CLOCK.now_s() - KEEPALIVE_S
    assert await watch.until(lambda: Flag.COMM_LOST in watch.latest[bench.POWER].quality.flags, 1.0)
    site.peer.proxy.thaw()
    assert await watch.until(lambda: watch.latest[bench.POWER].quality.is_good, 15.0)
    assert watch.driver.health().reconnects == 1


async def test_cut_connection_is_seen_at_once(site: Site, watch: Watch) -> None:
    cut_s = CLOCK.monotonic_s()
    site.peer.proxy.cut()
    assert await watch.until(lambda: watch.driver.health().state != "up", 2.0)
    assert CLOCK.monotonic_s() - cut_s < 1.0
    assert await watch.until(lambda: watch.driver.health().state == "up", 25.0)
    assert await watch.until(lambda: watch.latest[bench.POWER].quality.is_good, 2.0)


async def test_lost_points_are_told_once(site: Site, watch: Watch) -> None:
    await site.peer.proxy.stop()
    watch.seen.clear()
    try:
        await watch.until(lambda: False, 2.5)  # several attempts long
    finally:
        await site.peer.proxy.start()
    lost = [one.point for one in watch.seen if Flag.COMM_LOST in one.quality.flags]
    assert sorted(lost) == sorted(row.point.mrid for row in site.peer.points())


async def test_point_that_the_server_does_not_know_is_a_config_error_and_retried(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(driver_module, "_RETRY_S", 0.2)
    power = row_of(site, bench.POWER)
    ghost = replace(
        power,
        point=replace(power.point, mrid="GHOST"),
        address=f"nsu={NAMESPACE};s=GHOST",
    )
    stranger = replace(
        power, point=replace(power.point, mrid="STRANGER"), address="nsu=urn:not:here;s=X"
    )
    inbox = Inbox(100)
    watch = Watch(site.driver(inbox, points=(power, ghost, stranger)), inbox)
    await watch.driver.start()
    try:
        await watch.up()
        assert await watch.until(lambda: {"GHOST", "STRANGER"} <= set(watch.latest), 2.0)
        for mrid in ("GHOST", "STRANGER"):
            quality = watch.latest[mrid].quality
            assert (quality.validity, quality.native) == (Validity.INVALID, "BadNodeIdUnknown")
            assert Flag.CONFIG_ERROR in quality.flags
        assert watch.latest[bench.POWER].quality.is_good
        assert "points file" in watch.driver.health().detail
        watch.seen.clear()
        await watch.until(lambda: False, 1.0)
        # Still told, still no link loss.
        assert {one.point for one in watch.seen} >= {bench.POWER, "GHOST"}
        assert watch.driver.health().reconnects == 0
    finally:
        await watch.driver.stop()


async def test_guarded_write_with_lease(site: Site, watch: Watch) -> None:
    site.plant.operated.clear()
    row = row_of(site, bench.SETPOINT)
    execution = await watch.driver.execute(
        permit(row, 12.5), aborted=lambda: False, stage=lambda _: None
    )
    assert (execution.result, execution.status) == (Result.ACCEPTED, "Good"), execution
    assert "read back" in execution.detail
    ((point, value, lease_s),) = site.plant.operated
    assert (point, value) == (bench.SETPOINT, 12.5)
    assert lease_s == pytest.approx(60.0, abs=2.0)


async def test_guarded_write_refused_by_a_local_device(site: Site, watch: Watch) -> None:
    execution = await watch.driver.execute(
        permit(row_of(site, bench.LOCKED_SETPOINT), 5.0),
        aborted=lambda: False,
        stage=lambda _: None,
    )
    assert (execution.result, execution.status) == (Result.REJECTED, "BadUserAccessDenied")
    assert "local" in execution.detail


async def test_link_lost_under_a_command_is_unknown(site: Site, watch: Watch) -> None:
    """The command leaves and its answer never comes: frozen right at OPERATED."""
    row = row_of(site, bench.SETPOINT)
    execution = await watch.driver.execute(
        permit(row, 1.0), aborted=lambda: False, stage=lambda _: site.peer.proxy.freeze()
    )
    assert (execution.result, execution.status) == (Result.UNKNOWN, "TIMEOUT")


async def test_heartbeat_that_stands_still_is_named(site: Site) -> None:
    inbox = Inbox(100)
    watch = Watch(site.driver(inbox, options={"heartbeat": bench.HEARTBEAT}), inbox)
    await watch.driver.start()
    try:
        await watch.up()
        assert await watch.until(
            lambda: "has not moved" in watch.driver.health().detail, 3 * bench.SCAN_S + 1.0
        )
        site.plant.set(bench.HEARTBEAT, 42.0)
        await site.peer.publish()
        assert await watch.until(lambda: not watch.driver.health().detail, 1.0)
        assert watch.driver.health().state == "up"
    finally:
        await watch.driver.stop()


async def test_client_side_deadband_compares_with_what_was_told(site: Site) -> None:
    site.plant.set(bench.POWER, 100.0)
    await site.peer.publish()
    power = row_of(site, bench.POWER)
    slow = replace(power, deadband=0.5, point=replace(power.point, scan_s=60.0))
    inbox = Inbox(100)
    watch = Watch(site.driver(inbox, points=(slow,)), inbox)
    await watch.driver.start()
    try:
        await watch.up()
        watch.seen.clear()
        for step in range(1, 16):
            site.plant.set(bench.POWER, 100.0 + 0.1 * step)
            await site.peer.publish()
            await watch.until(lambda: False, 0.12)
        # A ramp of 1.5 in steps of 0.1 crosses a deadband of 0.5 three times at most.
        told = [one.value for one in watch.seen]
        assert 2 <= len(told) <= 3, told
        assert told[-1] >= 101.0
    finally:
        await watch.driver.stop()


async def test_reads_are_cut_to_the_servers_limit(site: Site, watch: Watch) -> None:
    session = watch.driver._session
    assert session is not None
    session.connection._limits["read"] = 3
    nodes = [session.node(target.node) for target in watch.driver._targets]
    values = await session.read([node for node in nodes if node is not None])
    assert len(values) == len(site.peer.points())


async def test_two_drivers_start_and_stop_without_a_trace(site: Site) -> None:
    before = len(asyncio.all_tasks())
    for _ in range(3):
        inbox = Inbox(100)
        watch = Watch(site.driver(inbox), inbox)
        await watch.driver.start()
        await watch.driver.start()
        await watch.up()
        await watch.driver.stop()
        await watch.driver.stop()
    await asyncio.sleep(0.2)
    assert len(asyncio.all_tasks()) <= before


async def test_supervisor_that_breaks_is_said_and_begins_anew(
    site: Site, watch: Watch, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A bug of our own must not be a link that says up and tells nothing."""
    monkeypatch.setattr(driver_module, "_BUG_PAUSE_S", 0.1)
    image = watch.driver._image

    def broken() -> None:
        monkeypatch.undo()
        raise RuntimeError("a bug")

    monkeypatch.setattr(image, "re_report", broken)
    assert await watch.until(
        lambda: "bug: RuntimeError: a bug" in watch.driver.health().detail, 3.0
    )
    assert watch.driver.health().state == "down"
    assert "supervisor broke" in caplog.text
    assert await watch.until(lambda: watch.driver.health().state == "up", 15.0)
    assert await watch.until(lambda: watch.latest[bench.POWER].quality.is_good, 2.0)
