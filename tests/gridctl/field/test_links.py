"""Hundreds of links: spread at the start, alone in their troubles, all let go at the end."""

from __future__ import annotations

import asyncio
import random
import socket
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from gridctl.field.configuration import FieldConfiguration, load_configuration
from gridctl.field.links import FieldLinks, OpenDriver
from gridctl.field.settings import FieldSettings, WatchedLink
from gridctl.model.clock import Clock
from gridctl.model.errors import ConfigError
from gridctl.model.link import LinkHealth
from gridctl.model.measurement import Measurement
from gridctl.model.permit import Permit
from gridctl.wallclock import system_clock
from protocols.backoff import STAGGER_MAX_S
from protocols.driver import Driver, Execution, LinkSettings, PointAddress, StageCallback
from protocols.inbox import Inbox
from protocols.points import COLUMNS
from protocols.registry import open_driver
from tests.contracts.driver_peer import BenchPlant
from tests.contracts.peer_dnp3 import Dnp3Peer
from tests.gridctl.small_site import until

COUNT = 250


class Idle:
    """A driver that notes when it was started, and may refuse to stop."""

    def __init__(self, link: str, clock: Clock, *, hangs: bool = False) -> None:
        self._link = link
        self._clock = clock
        self._hangs = hangs
        self.started_s: float | None = None
        self.stopped = False

    @property
    def link(self) -> str:
        return self._link

    async def start(self) -> None:
        self.started_s = self._clock.monotonic_s()

    async def stop(self) -> None:
        if self._hangs:
            await asyncio.sleep(3600)
        self.stopped = True

    async def execute(
        self, permit: Permit, *, aborted: Callable[[], bool], stage: StageCallback
    ) -> Execution:
        raise NotImplementedError

    async def read_back(self, point: str, *, timeout_s: float) -> Measurement | None:
        return None

    def health(self) -> LinkHealth:
        return LinkHealth(
            link=self._link, protocol="idle", endpoint="", state="up", since_s=0.0, points=1,
            reads=0, late_scans=0, commands=0, reconnects=0, round_trip_s=None, detail="x" * 9_000,
            diagnostics={f"k{k}": "v" for k in range(100)},
        )  # fmt: skip


def configuration(folder: Path, count: int) -> FieldConfiguration:
    names = [f"L{k}" for k in range(count)]
    rows = [f"{n}.HB,HB,E,counter,count,,{n},20:0,,,1,0,0,1,,,," for n in names]
    (folder / "points.csv").write_text("\n".join([",".join(COLUMNS), *rows]) + "\n")
    links = tuple(
        WatchedLink(
            settings=LinkSettings(id=n, protocol="idle", file="t", options={}), heartbeat=f"{n}.HB"
        )
        for n in names
    )
    return load_configuration(
        FieldSettings(
            agent="t", points=folder / "points.csv", limits=folder / "l", links=links,
            socket=folder / "s", office_public_key=folder / "k", stop_file=folder / "STOP",
            spool=folder / "sp", confirm_timeout_s=1.0,
        )
    )  # fmt: skip


def spawned(work: Coroutine[None, None, None]) -> asyncio.Task[None]:
    return asyncio.create_task(work)


def links_of(make: OpenDriver) -> FieldLinks:
    return FieldLinks(
        open_driver=make,
        inbox=Inbox(1_000),
        spawn=spawned,
        clock=system_clock(),
        randomness=random.Random(3),  # noqa: S311
    )


async def test_two_hundred_and_fifty_links_do_not_start_in_one_instant(tmp_path: Path) -> None:
    made: list[Idle] = []

    def make(
        settings: LinkSettings, points: Sequence[PointAddress], inbox: Inbox, clock: Clock
    ) -> Driver:
        assert [p.link for p in points] == [settings.id]
        made.append(Idle(settings.id, clock))
        return made[-1]

    whole = configuration(tmp_path, COUNT)
    links = links_of(make)
    links.take(links.build(whole, whole.links))
    begun_s = system_clock().monotonic_s()
    links.start(tuple(links))
    await until(lambda: all(d.started_s for d in made), within_s=30, why="not all started")
    after_s = sorted((d.started_s or 0.0) - begun_s for d in made)
    assert len(after_s) == COUNT
    assert after_s[COUNT // 2] > STAGGER_MAX_S / 4, "half of them wait their turn"
    await links.end_all()
    assert all(d.stopped for d in made)
    healths = links.health()
    assert max(len(h.diagnostics) for h in healths) == 32
    assert max(len(h.detail) for h in healths) == 300


async def test_a_link_that_is_ended_before_its_turn_is_never_started(tmp_path: Path) -> None:
    made: list[Idle] = []

    def make(
        settings: LinkSettings, points: Sequence[PointAddress], inbox: Inbox, clock: Clock
    ) -> Driver:
        made.append(Idle(settings.id, clock))
        return made[-1]

    whole = configuration(tmp_path, COUNT)
    links = links_of(make)
    links.take(links.build(whole, whole.links))
    links.start(tuple(links))
    await asyncio.sleep(0)
    await links.end_all()
    await asyncio.sleep(0.1)
    assert sum(d.started_s is not None for d in made) < COUNT / 2


async def test_a_driver_that_does_not_stop_holds_up_the_others_for_a_bounded_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gridctl.field.links.STOP_DEADLINE_S", 0.2)
    clock = system_clock()
    drivers = {"A": Idle("A", clock, hangs=True), "B": Idle("B", clock)}
    links = links_of(lambda settings, points, inbox, clock: drivers[settings.id])
    links.take(drivers)
    async with asyncio.timeout(5):
        await links.end_all()
    assert drivers["B"].stopped


async def test_the_mistakes_of_all_drivers_come_together(tmp_path: Path) -> None:
    def make(
        settings: LinkSettings, points: Sequence[PointAddress], inbox: Inbox, clock: Clock
    ) -> Driver:
        raise ConfigError(f"{settings.id} is wrong", file="gridctl.toml", key="k", line=7)

    whole = configuration(tmp_path, 3)
    with pytest.raises(ConfigError) as caught:
        links_of(make).build(whole, whole.links)
    assert [f"L{k} is wrong" in str(caught.value) for k in range(3)] == [True] * 3
    assert "gridctl.toml:7:k" in str(caught.value)


async def test_fifty_black_holes_do_not_keep_a_good_outstation_from_reporting(
    tmp_path: Path,
) -> None:
    clock = system_clock()
    plant = BenchPlant(clock)
    peer = Dnp3Peer("GOOD", plant, clock, tmp_path)
    inbox = Inbox(1_000)
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        mute.listen(100)
        hole = {**peer.settings().options, "port": mute.getsockname()[1]}
        holes = [
            open_driver(
                LinkSettings(id=f"H{k}", protocol="dnp3", file="t", options=hole),
                [_moved(row, f"H{k}") for row in peer.points()],
                inbox,
                clock,
            )
            for k in range(50)
        ]
        good = open_driver(peer.settings(), peer.points(), inbox, clock)
        await peer.start()
        try:
            for driver in [*holes, good]:
                await driver.start()
            await until(lambda: good.health().state == "up", within_s=20, why="not up")
            before = good.health()
            await asyncio.sleep(3)
            after = good.health()
            assert after.reads > before.reads
            assert (after.state, after.reconnects) == ("up", 0)
            assert after.late_scans == before.late_scans
            assert {d.health().state for d in holes} <= {"connecting", "down"}
        finally:
            await asyncio.gather(*(d.stop() for d in [*holes, good]))
            await peer.kill()


def _moved(row: PointAddress, link: str) -> PointAddress:
    point = replace(row.point, mrid=f"{link}.{row.point.mrid}", link=link)
    if point.expect is not None:
        point = replace(point, expect=f"{link}.{point.expect}")
    return replace(row, point=point, link=link)
