"""Restarts and lost events of the devices behind links: told once, and until they are seen."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

import pytest

from gridctl.control.alarms import AlarmBook
from gridctl.control.linkwatch import CALM_S, LinkWatch
from gridctl.model.alarm import AlarmState
from gridctl.model.clock import ManualClock
from gridctl.model.link import LinkHealth
from gridctl.store.engine import temporary_store

UP = LinkHealth(
    link="DR", protocol="dnp3", endpoint="", since_s=0.0, points=1, reads=1, state="up",
    late_scans=0, commands=0, reconnects=0, round_trip_s=None, detail="",
    diagnostics={"restarts": "1", "iin": "none"},
)  # fmt: skip


@dataclass
class Bench:
    book: AlarmBook
    watch: LinkWatch
    clock: ManualClock
    link: LinkHealth

    async def passes(self, real_s: float) -> dict[str, AlarmState]:
        for _ in range(round(real_s)):
            self.clock.advance(1.0)
            await self.watch.look()
        return {k: a.state for k, a in self.book.all.items()}

    def tells(self, *, reconnects: int = 0, **counters: int) -> None:
        told = {key.replace("_", " "): str(count) for key, count in counters.items()}
        self.link = replace(self.link, reconnects=reconnects, diagnostics=told)


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    clock = ManualClock()
    async with temporary_store(clock) as store:
        book = AlarmBook(store=store, clock=clock)
        made = Bench(book=book, watch=None, clock=clock, link=replace(UP, state="down"))  # type: ignore[arg-type]
        made.watch = LinkWatch(links=lambda: (made.link,), alarms=book, clock=clock)
        await made.passes(2.0)
        made.link = UP
        assert await made.passes(3.0) == {}, "everything starts once"
        yield made


async def test_a_restart_is_told_until_somebody_has_seen_it(bench: Bench) -> None:
    bench.link = replace(bench.link, state="down", diagnostics={})
    assert await bench.passes(2.0) == {}
    bench.link = replace(bench.link, state="up")
    bench.tells(reconnects=1)
    assert await bench.passes(2.0) == {}, "a line that was down is no restart"
    bench.tells(reconnects=2, restarts=1)
    assert await bench.passes(1.0) == {"restarted.DR": AlarmState.CLEARED_UNACKED}
    assert await bench.passes(60.0) == {"restarted.DR": AlarmState.CLEARED_UNACKED}
    assert "has restarted" in bench.book.all["restarted.DR"].text


async def test_lost_events_are_told_while_they_go_on(bench: Bench) -> None:
    bench.tells(restarts=1, event_overflows=1)
    assert await bench.passes(1.0) == {"overflow.DR": AlarmState.UNACKED}
    await bench.passes(CALM_S / 2)
    bench.tells(restarts=1, event_overflows=2)
    assert await bench.passes(CALM_S - 1.0) == {"overflow.DR": AlarmState.UNACKED}
    assert await bench.passes(3.0) == {"overflow.DR": AlarmState.CLEARED_UNACKED}
