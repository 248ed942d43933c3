"""`gridctl openadr dead`: what an engineer sees of notifications that nobody took, and does."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from gridctl.assembly_apis import mqtt_policy
from gridctl.cli import app
from gridctl.config import load_settings
from gridctl.model.record import AuditEntry
from gridctl.store.engine import SqlStore, open_store
from gridctl.store.openadr_kinds import Reader, StoredObject
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


MQTT = """
[mqtt]
host = "127.0.0.1"
port = 1883
uris = ["mqtt://127.0.0.1:1883"]
"""


def test_the_acl_of_a_broker_is_that_of_the_clients(pilot: Path) -> None:
    def acl() -> Result:
        return CliRunner().invoke(app, ["openadr", "mqtt", "acl", "--instance", str(pilot)])

    assert "has no table [mqtt]" in acl().output
    file = pilot / "gridctl.toml"
    file.write_text(file.read_text() + MQTT)

    async def clients() -> None:
        store = await open_store(load_settings(file).database.url, clock=system_clock())
        await store.openadr.add_client("customer", "business-logic", "a-secret-of-the-customer")
        await store.openadr.add_client("site", "ven", "a-secret-of-the-site-itself")
        ven = StoredObject(
            kind="ven", id="ven-7", client_id="site", keys={"name": "site"}, targets=(),
            body="{}", created_s=0.0, modified_s=0.0,
        )  # fmt: skip
        assert await store.objects.add(ven, entry(), reader=READER) is None
        await store.close()

    asyncio.run(clients())
    assert acl().output.split("\n\n") == [
        "user gridctl\ntopic write openadr/#",
        (
            "user customer\ntopic read openadr/bl/#\ntopic read openadr/open/#\n"
            "topic read openadr/vens/#"
        ),
        "user site\ntopic read openadr/open/#\ntopic read openadr/vens/ven-7/#\n",
    ]
    policy = mqtt_policy(load_settings(file))
    assert policy is not None
    assert (policy.broker.tls, policy.told()["URIS"]) == (None, ["mqtt://127.0.0.1:1883"])


def test_another_secret_signs_the_webhooks(pilot: Path) -> None:
    def client(*words: str) -> Result:
        return CliRunner().invoke(app, ["openadr", "client", *words, "--instance", str(pilot)])

    made = json.loads(client("add", "mill", "--json").stdout)
    assert made["webhook_secret"].startswith("whsec_")
    told = json.loads(client("signing", "mill", "--json").stdout)
    assert told["webhook_secret"].startswith("whsec_")
    assert told["webhook_secret"] != made["webhook_secret"]
    unknown = client("signing", "nobody")
    assert unknown.exit_code == 1
    assert "there is no client nobody" in unknown.stderr
