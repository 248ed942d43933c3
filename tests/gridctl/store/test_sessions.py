"""What a login opens, and for how long."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from gridctl.model.clock import ManualClock
from gridctl.store import schema
from gridctl.store.engine import SqlStore, temporary_store
from gridctl.store.sessions import ABSOLUTE_S, IDLE_S

PASSWORD = "correct horse battery"


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(mono_s=1000.0)


@pytest.fixture
async def store(clock: ManualClock) -> AsyncIterator[SqlStore]:
    async with temporary_store(clock) as opened:
        await opened.users.add_user("op1", "Operator One", "OPERATOR", PASSWORD)
        yield opened


async def test_a_session_lives_and_is_closed(store: SqlStore) -> None:
    token = await store.sessions.open("op1", "10.0.0.7")
    found = await store.sessions.of(token)
    assert found is not None
    assert (found.user, found.role, found.source) == ("op1", "OPERATOR", "10.0.0.7")
    assert (found.full_name, found.idle) == ("Operator One", False)
    assert token not in str(found)
    assert await store.sessions.of(token + "x") is None
    await store.sessions.close(token)
    assert await store.sessions.of(token) is None


async def test_only_the_hash_of_a_token_is_kept(store: SqlStore) -> None:
    token = await store.sessions.open("op1", "10.0.0.7")
    async with store._reading("test") as connection:
        row = (await connection.execute(schema.session.select())).one()
    assert token not in str(row)
    assert len(token) >= 43


async def test_sg32_idle_locks_and_a_look_does_not_unlock(
    store: SqlStore, clock: ManualClock
) -> None:
    token = await store.sessions.open("op1", "10.0.0.7")
    for _ in range(3):
        clock.advance(IDLE_S - 1)
        found = await store.sessions.of(token)
        assert found is not None
        assert not found.idle
    clock.advance(IDLE_S / 2)
    await store.sessions.of(token, active=False)
    clock.advance(IDLE_S / 2 + 1)
    for _ in range(2):
        found = await store.sessions.of(token)
        assert found is not None
        assert found.idle


async def test_a_wall_display_is_never_idle(store: SqlStore, clock: ManualClock) -> None:
    await store.users.add_user("wall", "Wall", "VIEWER", PASSWORD)
    token = await store.sessions.open("wall", "10.0.0.8")
    clock.advance(IDLE_S * 5)
    found = await store.sessions.of(token, active=False)
    assert found is not None
    assert not found.idle


async def test_sg32_a_shift_ends(store: SqlStore, clock: ManualClock) -> None:
    token = await store.sessions.open("op1", "10.0.0.7")
    clock.advance(ABSOLUTE_S + 1)
    assert await store.sessions.of(token) is None


async def test_a_reboot_ends_all_sessions(store: SqlStore, clock: ManualClock) -> None:
    token = await store.sessions.open("op1", "10.0.0.7")
    clock.mono_s = 5.0
    assert await store.sessions.of(token) is None


async def test_sg32_the_fourth_session_closes_the_first(
    store: SqlStore, clock: ManualClock
) -> None:
    tokens = []
    for _ in range(4):
        tokens.append(await store.sessions.open("op1", "10.0.0.7"))
        clock.advance(1)
    alive = [await store.sessions.of(token) is not None for token in tokens]
    assert alive == [False, True, True, True]


async def test_other_times_can_be_given(store: SqlStore) -> None:
    token = await store.sessions.open("op1", "10.0.0.7", now_s=1.8e9)
    assert await store.sessions.of(token, now_s=1.8e9 + 10) is not None
    assert await store.sessions.of(token, now_s=1.8e9 + ABSOLUTE_S + 1) is None
