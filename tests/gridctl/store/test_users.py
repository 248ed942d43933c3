"""Who may log in, and for how long."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator

import pytest

from gridctl.model.clock import ManualClock
from gridctl.model.errors import RefusedError
from gridctl.model.record import AuditEntry
from gridctl.store import schema
from gridctl.store.engine import SqlStore, temporary_store
from gridctl.store.users import UserRow

PASSWORD = "correct horse battery"


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(mono_s=1000.0)


@pytest.fixture
async def store(clock: ManualClock) -> AsyncIterator[SqlStore]:
    async with temporary_store(clock) as opened:
        await opened.users.add_user("op1", "Operator One", "OPERATOR", PASSWORD)
        yield opened


async def test_the_right_password_and_no_other(store: SqlStore) -> None:
    user = UserRow(name="op1", full_name="Operator One", role="OPERATOR")
    assert await store.users.verify_password("op1", PASSWORD) == user
    assert await store.users.verify_password("op1", PASSWORD + " ") is None
    assert await store.users.verify_password("op1", "x" * 100_000) is None
    assert await store.users.verify_password("op2", PASSWORD) is None
    assert await store.users.users() == [user]


async def test_sg33_only_an_argon2id_hash_is_kept(store: SqlStore) -> None:
    async with store._reading("test") as connection:
        row = (await connection.execute(schema.user.select())).one()
    assert row.password_hash.startswith("$argon2id$")
    assert PASSWORD not in str(row)


async def test_an_unknown_name_takes_as_long(store: SqlStore) -> None:
    await store.users.verify_password("warm", "up")

    async def seconds(name: str) -> float:
        best = 9.0
        for _ in range(3):
            start = time.perf_counter()
            await store.users.verify_password(name, "wrong password")
            best = min(best, time.perf_counter() - start)
        return best

    known, unknown = await seconds("op1"), await seconds("nobody")
    assert unknown > 0.4 * known


async def test_sg32_five_failures_lock_for_longer_and_longer(
    store: SqlStore, clock: ManualClock
) -> None:
    users = store.users
    for _ in range(5):
        assert await users.locked_for_s("op1") == 0
        assert await users.verify_password("op1", "wrong password") is None
    assert await users.locked_for_s("op1") == 30
    assert await users.verify_password("op1", PASSWORD) is None
    clock.advance(31)
    assert await users.verify_password("op1", "wrong password") is None
    assert await users.locked_for_s("op1") == 60
    clock.advance(61)
    assert await users.verify_password("op1", PASSWORD) is not None
    assert await users.verify_password("op1", "wrong password") is None
    assert await users.locked_for_s("op1") == 0


async def test_a_reboot_does_not_lock_for_ever(store: SqlStore, clock: ManualClock) -> None:
    for _ in range(5):
        await store.users.verify_password("op1", "wrong password")
    clock.mono_s = 31.0
    assert await store.users.verify_password("op1", PASSWORD) is not None


@pytest.mark.parametrize(
    ("name", "role", "password"),
    [
        ("op1", "OPERATOR", PASSWORD),
        ("", "OPERATOR", PASSWORD),
        (" op2", "OPERATOR", PASSWORD),
        ("op2", "ROOT", PASSWORD),
        ("op2", "OPERATOR", "short"),
        ("op2", "OPERATOR", "x" * 257),
    ],
)
async def test_sg33_bad_users_are_refused(
    store: SqlStore, name: str, role: str, password: str
) -> None:
    with pytest.raises(RefusedError):
        await store.users.add_user(name, "Somebody", role, password)
    assert len(await store.users.users()) == 1


def by_hand(action: str) -> AuditEntry:
    return AuditEntry(
        at_s=0.0,
        who="somebody",
        session="",
        source="command line",
        role="",
        action=action,
        object="op1",
        before="",
        after="",
        reason="",
        plan_digest="",
        result="done",
    )


async def test_a_new_password_ends_the_old_one_its_sessions_and_a_lock(store: SqlStore) -> None:
    token = await store.sessions.open("op1", "here")
    for _ in range(5):
        assert await store.users.verify_password("op1", "wrong") is None
    assert await store.users.locked_for_s("op1") > 0
    await store.users.set_password("op1", "another battery", audit=by_hand("new password"))
    assert await store.sessions.of(token) is None
    assert await store.users.verify_password("op1", PASSWORD) is None
    assert await store.users.verify_password("op1", "another battery") is not None
    assert [row.entry.action for row in await store.audit_rows(limit=9)] == ["new password"]


async def test_a_refused_password_leaves_everything_as_it_was(store: SqlStore) -> None:
    for name, password in (("op1", "short"), ("nobody", "another battery")):
        with pytest.raises(RefusedError):
            await store.users.set_password(name, password, audit=by_hand("new password"))
    assert await store.users.verify_password("op1", PASSWORD) is not None
    assert await store.audit_rows(limit=9) == []


async def test_adding_a_person_is_an_act(store: SqlStore) -> None:
    await store.users.add_user("op2", "Two", "VIEWER", PASSWORD, audit=by_hand("add user"))
    assert [row.entry.action for row in await store.audit_rows(limit=9)] == ["add user"]


async def test_a_new_client_secret_ends_the_old_one_and_its_tokens(store: SqlStore) -> None:
    clients = store.openadr
    await clients.add_client("plant", "business-logic", "a" * 16, audit=by_hand("add client"))
    token = await clients.open_token("plant", "read_all", life_s=3600)
    await clients.set_secret("plant", "b" * 16, audit=by_hand("new secret"))
    assert await clients.verify_client("plant", "a" * 16) is None
    assert await clients.verify_client("plant", "b" * 16) is not None
    assert await clients.token(token, life_s=3600) is None
    with pytest.raises(RefusedError, match="no client"):
        await clients.set_secret("nobody", "b" * 16, audit=by_hand("new secret"))


async def test_two_secrets_sign_while_one_follows_the_other(store: SqlStore) -> None:
    clients = store.openadr
    await clients.add_client("plant", "business-logic", "a" * 16, audit=by_hand("add client"))
    first = await clients.webhook_secret("plant")
    assert first is not None
    assert first.startswith("whsec_")
    second = await clients.new_signing_secret("plant", audit=by_hand("new signing secret"))
    assert await clients.webhook_secret("plant") == f"{second} {first}"
    third = await clients.new_signing_secret("plant", audit=by_hand("new signing secret"))
    assert await clients.webhook_secret("plant") == f"{third} {second}"
    with pytest.raises(RefusedError, match="no client"):
        await clients.new_signing_secret("nobody", audit=by_hand("new signing secret"))


async def test_a_fence_puts_orders_after_what_the_field_has_seen(store: SqlStore) -> None:
    async with store.transaction() as unit:
        assert await unit.fence_orders(6) == 6
        assert await unit.fence_orders(2) == 6
    async with store.transaction() as unit:
        epoch, _ = await unit.next_sequence()
    assert epoch == 7
