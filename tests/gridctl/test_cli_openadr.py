"""`gridctl openadr dead`: what an engineer sees of notifications that nobody took, and does."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from gridctl.cli import app
from gridctl.config import load_settings
from gridctl.model.record import AuditEntry
from gridctl.store.engine import SqlStore, open_store
from gridctl.store.openadr_objects import Reader, StoredObject
from gridctl.wallclock import system_clock
from tests.pilot import make_pilot

READER = Reader(client_id="customer", sees_all=True)
CALLBACK = "https://customer.example/hear"


@pytest.fixture
def pilot(tmp_path: Path) -> Path:
    return make_pilot(tmp_path / "pilot")


def gridctl(pilot: Path, *words: str) -> Result:
    return CliRunner().invoke(app, ["openadr", "dead", *words, "--instance", str(pilot)])


def one(kind: str, keys: dict[str, str | float | None]) -> StoredObject:
    return StoredObject(
        kind=kind, id=f"{kind}-1", client_id="customer", keys=keys, targets=(), body="{}",
        created_s=0.0, modified_s=0.0,
    )  # fmt: skip


def entry() -> AuditEntry:
    return AuditEntry(
        at_s=0.0, who="customer", session="", source="", role="business-logic", action="test",
        object="", before="", after="", reason="", plan_digest="", result="",
    )  # fmt: skip


async def dies(store: SqlStore) -> int:
    """A notification that every attempt of the ladder failed to deliver."""
    await store.openadr.add_client("customer", "business-logic", "a-secret-of-the-customer")
    callback = {"object_type": "PROGRAM", "operation": "CREATE", "url": CALLBACK, "bearer": None}
    heard = one("subscription", {"program_id": None, "client_name": "c"})
    assert await store.objects.add(heard, entry(), reader=READER, callbacks=[callback]) is None
    told = one("program", {"name": "peak"})
    assert await store.objects.add(told, entry(), reader=READER) is None
    (message,) = await store.outbox.due(1e12, count_max=2)
    await store.outbox.failed(message.number, error="refused", next_s=None)
    return message.number


def a_dead_one(pilot: Path) -> int:
    async def add() -> int:
        store = await open_store(
            load_settings(pilot / "gridctl.toml").database.url, clock=system_clock()
        )
        try:
            return await dies(store)
        finally:
            await store.close()

    return asyncio.run(add())


def test_nothing_died(pilot: Path) -> None:
    a_dead = gridctl(pilot, "replay", "1")
    assert a_dead.exit_code == 1
    assert "no dead notification 1" in a_dead.stderr
    listed = gridctl(pilot, "list")
    assert listed.exit_code == 0
    assert listed.stdout == "No notification was given up.\n"
    assert json.loads(gridctl(pilot, "list", "--json").stdout) == []


def test_a_dead_notification_is_seen_and_tried_again(pilot: Path) -> None:
    number = a_dead_one(pilot)
    listed = gridctl(pilot, "list")
    assert CALLBACK in listed.stdout
    assert "CREATE PROGRAM" in listed.stdout
    (shown,) = json.loads(gridctl(pilot, "list", "--json").stdout)
    assert (shown["number"], shown["client_id"]) == (number, "customer")
    assert gridctl(pilot, "replay", str(number)).exit_code == 0
    assert json.loads(gridctl(pilot, "list", "--json").stdout) == []
