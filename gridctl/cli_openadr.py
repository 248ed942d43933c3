"""`gridctl openadr …`: customer systems that may trigger events, and what they are told."""

from __future__ import annotations

import json
import secrets
from dataclasses import asdict
from pathlib import Path

from gridctl.cli_store import journal_entry, opened, told
from gridctl.config import load_settings
from gridctl.model.errors import Refusal, RefusedError

SECRET_BYTES = 24
DEAD_SHOWN = 200


async def add_client(instance: Path, client_id: str, *, role: str, as_json: bool) -> None:
    """`gridctl openadr client add`: the secret is made here and shown once."""
    secret = secrets.token_urlsafe(SECRET_BYTES)
    async with opened(instance, read_only=False) as store:
        entry = journal_entry(store, "add client", client_id, after=role)
        await store.openadr.add_client(client_id, role, secret, audit=entry)
        signing = await store.openadr.webhook_secret(client_id)
    text = (
        f"Client {client_id} ({role}), secret (shown once): {secret}\n"
        f"Its webhooks are signed with: {signing}"
    )
    value = {"client_id": client_id, "role": role, "secret": secret, "webhook_secret": signing}
    told(value, text, as_json=as_json)


async def set_secret(instance: Path, client_id: str, *, as_json: bool) -> None:
    """`gridctl openadr client secret`: a new one is made here and shown once."""
    secret = secrets.token_urlsafe(SECRET_BYTES)
    async with opened(instance, read_only=False) as store:
        entry = journal_entry(store, "new secret", client_id)
        await store.openadr.set_secret(client_id, secret, audit=entry)
    text = f"Client {client_id}, new secret (shown once): {secret}"
    told({"client_id": client_id, "secret": secret}, text, as_json=as_json)


async def set_signing(instance: Path, client_id: str, *, as_json: bool) -> None:
    """`gridctl openadr client signing`: the secret before it signs beside it until the next."""
    async with opened(instance, read_only=False) as store:
        entry = journal_entry(store, "new signing secret", client_id)
        signing = await store.openadr.new_signing_secret(client_id, audit=entry)
    text = (
        f"Webhooks to {client_id} are signed with: {signing}\n"
        "The secret before it signs them too, until you run this again."
    )
    told({"client_id": client_id, "webhook_secret": signing}, text, as_json=as_json)


async def list_clients(instance: Path, *, as_json: bool) -> None:
    """`gridctl openadr client list`."""
    async with opened(instance, read_only=True) as store:
        clients = await store.openadr.clients()
    if as_json:
        print(json.dumps([asdict(client) for client in clients]))
        return
    for client in clients:
        state = "active" if client.revoked_s is None else "revoked"
        print(f"{client.client_id:<32} {client.role:<16} {state}")


async def revoke_client(instance: Path, client_id: str, *, as_json: bool) -> None:
    """`gridctl openadr client revoke`: its tokens end, its secret is worth nothing."""
    async with opened(instance, read_only=False) as store:
        entry = journal_entry(store, "revoke client", client_id)
        if not await store.openadr.revoke_client(client_id, at_s=store.clock.now_s(), audit=entry):
            reason = f"there is no active client {client_id}"
            raise RefusedError(Refusal(code="no_such_client", reasons=(reason,)))
    value = {"client_id": client_id, "revoked": True}
    told(value, f"Client {client_id} is revoked.", as_json=as_json)


async def mqtt_acl(instance: Path) -> None:
    """`gridctl openadr mqtt acl`: the broker's ACL for the clients and VENs of now."""
    from gridctl.openadr.topics import acl  # noqa: PLC0415 - lazy on purpose

    settings = load_settings(instance / "gridctl.toml")
    if settings.mqtt is None:
        reason = f"{settings.file} has no table [mqtt]"
        raise RefusedError(Refusal(code="no_broker", reasons=(reason,)))
    async with opened(instance, read_only=True) as store:
        clients = [one for one in await store.openadr.clients() if one.revoked_s is None]
        named = []
        for one in clients:
            ven = await store.objects.ven_of(one.client_id)
            named.append((one.client_id, one.role, None if ven is None else ven.id))
    print(acl(settings.mqtt.prefix, settings.mqtt.user, named), end="")


async def list_dead(instance: Path, *, as_json: bool) -> None:
    """`gridctl openadr dead list`: notifications that were given up."""
    async with opened(instance, read_only=True) as store:
        dead = await store.outbox.dead(count_max=DEAD_SHOWN)
    if as_json:
        shown = ("number", "client_id", "url", "object_type", "operation", "attempts")
        print(json.dumps([{key: asdict(one)[key] for key in shown} for one in dead]))
        return
    if not dead:
        print("No notification was given up.")
    for one in dead:
        what = f"{one.operation} {one.object_type}"
        print(f"{one.number:>8}  {one.client_id:<24} {what:<22} {one.attempts} times  {one.url}")


async def replay_dead(instance: Path, number: int, *, as_json: bool) -> None:
    """`gridctl openadr dead replay`: it is tried again, from the first rung of the ladder."""
    async with opened(instance, read_only=False) as store:
        if not await store.outbox.replay(number, now_s=store.clock.now_s()):
            reason = f"there is no dead notification {number}"
            raise RefusedError(Refusal(code="no_such_message", reasons=(reason,)))
    text = f"Notification {number} waits again."
    told({"number": number, "waits": True}, text, as_json=as_json)
