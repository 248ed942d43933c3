"""Alarms that are put aside for a while, floods with what came first, the system's own list."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from gridctl.control.alarmfigures import FLOOD_BEGINS, flood_now
from gridctl.control.alarms import SHELF_MAX_S, AlarmBook, Condition
from gridctl.model.alarm import is_system
from gridctl.model.clock import ManualClock
from gridctl.model.duty import AlarmEvent
from gridctl.model.errors import RefusedError
from gridctl.store.engine import SqlStore, temporary_store
from tests.gridctl.small_site import ANNE

HOUR_S = 3_600.0
NOISY = Condition(key="head", priority=2, text="the head is over its limit", response="look")
STOP = Condition(key="stop", priority=1, text="STOP", response="find out why")


@dataclass
class Room:
    """A book of alarms and its clock."""

    clock: ManualClock
    store: SqlStore
    book: AlarmBook

    def keys(self) -> list[str]:
        return [alarm.key for alarm in self.book.listed()]


@pytest.fixture
async def room() -> AsyncIterator[Room]:
    clock = ManualClock(grid_s=1_000.0)
    async with temporary_store(clock) as store:
        book = AlarmBook(store=store, clock=clock)
        await book.raised(NOISY)
        await book.raised(STOP)
        yield Room(clock=clock, store=store, book=book)


async def test_sg28_what_is_put_aside_comes_back_by_itself(room: Room) -> None:
    await room.book.shelve("head", for_s=2 * HOUR_S, reason="feeder works until ten", person=ANNE)
    assert room.keys() == ["stop"]
    assert room.book.all["head"].text == NOISY.text, "it is aside, not gone"
    room.clock.advance(2 * HOUR_S - 1)
    assert room.keys() == ["stop"]
    room.clock.advance(2)
    assert room.keys() == ["stop", "head"]


async def test_sg28_a_restart_does_not_bring_it_back_and_a_person_does(room: Room) -> None:
    await room.book.shelve("head", for_s=HOUR_S, reason="feeder works", person=ANNE)
    again = AlarmBook(store=room.store, clock=room.clock)
    await again.load()
    assert [a.key for a in again.listed()] == ["stop"]
    await again.unshelve("head", person=ANNE)
    assert [a.key for a in again.listed()] == ["stop", "head"]
    rows = await room.store.audit_rows()
    acts = [(r.entry.action, r.entry.object, r.entry.reason) for r in rows]
    assert acts == [("alarm.unshelve", "head", ""), ("alarm.shelve", "head", "feeder works")]
    with pytest.raises(RefusedError, match="not put aside"):
        await again.unshelve("head", person=ANNE)


@pytest.mark.parametrize(
    ("key", "for_s", "reason", "why"),
    [
        ("head", SHELF_MAX_S + 1, "a long night", "at most 8 h"),
        ("head", 0.0, "never", "at most 8 h"),
        ("head", float("nan"), "never", "at most 8 h"),
        ("head", HOUR_S, "  ", "say why"),
        ("stop", HOUR_S, "too loud", "priority 1"),
        ("mars", HOUR_S, "too far", "no open alarm"),
    ],
)
async def test_sg28_what_cannot_be_put_aside(
    room: Room, key: str, for_s: float, reason: str, why: str
) -> None:
    with pytest.raises(RefusedError, match=why):
        await room.book.shelve(key, for_s=for_s, reason=reason, person=ANNE)
    assert room.keys() == ["stop", "head"]


def raised(count: int, *, start_s: float, each_s: float) -> list[AlarmEvent]:
    return [
        AlarmEvent(key=f"k{i}", priority=2, what="raised", at_s=start_s + i * each_s, by="")
        for i in range(count)
    ]


def test_sg30_a_flood_tells_what_came_first() -> None:
    events = raised(FLOOD_BEGINS + 5, start_s=0.0, each_s=10.0)
    flood = flood_now(events, 200.0)
    assert flood is not None
    assert (flood.first_out, flood.count) == ("k0", FLOOD_BEGINS + 5)
    assert flood.since_s == FLOOD_BEGINS * 10.0
    assert flood_now(events[:FLOOD_BEGINS], 200.0) is None
    assert flood_now(events, 2_000.0) is None, "it is over by itself"


def test_sg30_a_second_flood_has_a_first_alarm_of_its_own() -> None:
    late = [
        AlarmEvent(key=f"late{i}", priority=2, what="raised", at_s=9_000.0 + i, by="")
        for i in range(FLOOD_BEGINS + 1)
    ]
    flood = flood_now([*raised(12, start_s=0.0, each_s=1.0), *late], 9_100.0)
    assert flood is not None
    assert flood.first_out == "late0"


@pytest.mark.parametrize("key", ["link.SUB", "audit", "store", "sign_in.local.x", "agenda.x"])
def test_sg30_the_systems_own_alarms_are_a_list_apart(key: str) -> None:
    assert is_system(key)
    assert not any(is_system(k) for k in ("head", "stop", "effect", "process:SUB:hot", "plan.P"))
