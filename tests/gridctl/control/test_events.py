"""From a driver's thread to the store: each event once, in order, with its own time."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from gridctl.control.alarms import AlarmBook
from gridctl.control.events import EventBook
from gridctl.model.clock import ManualClock
from gridctl.model.link import Event, Events, Hello
from gridctl.model.measurement import GOOD, Flag, Measurement, TimeQuality
from gridctl.model.record import EventRow
from gridctl.store.engine import temporary_store
from protocols.pointgroups import PointContext, PointGroup
from tests.gridctl.small_site import Site, site, until


def at(value: float, source_s: float) -> Measurement:
    return Measurement(
        point="BAT1.Flt",
        value=value,
        quality=GOOD,
        source_time_s=source_s,
        time_quality=TimeQuality.SYNCHRONIZED,
        received_time_s=source_s,
    )


def hello(boot_id: str) -> Hello:
    return Hello(
        agent="a", boot_id=boot_id, points=(), limits_digest="", epoch_seen=0, sequence_seen=0,
        stopped=False,
    )  # fmt: skip


def numbered(*numbers: int) -> Events:
    return Events(events=tuple(Event(number=n, measurement=at(n % 2, float(n))) for n in numbers))


async def test_told_twice_is_stored_once_and_a_hole_is_alarmed() -> None:
    clock = ManualClock()
    async with temporary_store(clock) as store:
        alarms = AlarmBook(store=store, clock=clock)
        book = EventBook(store=store, alarms=alarms)
        book.greet(hello("one"))
        await book.take(numbered(1, 2, 3))
        book.greet(hello("one"))
        await book.take(numbered(2, 3, 4))
        assert book.lost == 0
        await book.take(numbered(7))
        assert book.lost == 2
        assert [a.key for a in await store.alarms()] == ["events.lost"]
        book.greet(hello("two"))
        await book.take(numbered(1))
        stored = await store.events()
        assert [e.number for e in reversed(stored)] == [1, 2, 3, 4, 7, 1]
        older = await store.events(before_id=stored[2].id, limit=2)
        assert [e.number for e in older] == [3, 2]
        assert await store.events(point="X") == []


async def test_a_restarted_office_stores_nothing_twice() -> None:
    clock = ManualClock()
    async with temporary_store(clock) as store:
        for _ in range(2):
            book = EventBook(store=store, alarms=AlarmBook(store=store, clock=clock))
            book.greet(hello("one"))
            await book.take(numbered(1, 2))
        (newest, oldest) = await store.events()
        assert (newest.number, oldest.number) == (2, 1)
        assert oldest.measurement == at(1, 1.0)


def with_sequence_points(made: Site, folder: Path) -> None:
    """The battery's fault switch is a sequence-of-events point."""
    file = folder / "points.csv"
    header, *rows = file.read_text(encoding="utf-8").splitlines()
    rows = [f"{row},{'alarms' if row.startswith('BAT1.Flt') else ''}" for row in rows]
    file.write_text("\n".join([f"{header},group", *rows]) + "\n", encoding="utf-8")
    made.field_settings = replace(
        made.field_settings, context=PointContext(groups={"alarms": PointGroup(soe=True)})
    )


async def stored_events(made: Site, count: int) -> Sequence[EventRow]:
    end_s = asyncio.get_running_loop().time() + 10
    while True:
        rows = await made.store.events(limit=5_000)
        if len(rows) >= count or asyncio.get_running_loop().time() > end_s:
            return rows
        await asyncio.sleep(0.1)


async def test_a_burst_survives_the_line_and_comes_in_order(tmp_path: Path) -> None:
    async with site(tmp_path) as made:
        with_sequence_points(made, tmp_path)
        made.start_office()
        made.start_field()
        await until(lambda: made.link.connected, within_s=5, why="not connected")
        driver = made.drivers["DER"]
        driver.silent = True
        await asyncio.sleep(0.5)
        before = len(await made.store.events(limit=5_000))
        burst = [at(float(k % 2), 1_000.0 + k / 1_000) for k in range(1_500)]
        driver._inbox.put(burst[:700])
        await asyncio.sleep(0.3)
        made.line.broken = True
        made.line.cut()
        driver._inbox.put(burst[700:])
        await asyncio.sleep(0.5)
        made.line.broken = False
        rows = await stored_events(made, before + 1_500)
        told = [
            r.measurement for r in reversed(rows) if 1_000.0 <= r.measurement.source_time_s < 1_002
        ]
        assert [m.source_time_s for m in told] == [m.source_time_s for m in burst]
        assert not any(Flag.DATA_LOSS in m.quality.flags for m in told)
        assert made.office is not None
        assert made.office.events.lost == 0
