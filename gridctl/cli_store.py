"""CLI verbs that open the database of an instance themselves."""

from __future__ import annotations

import getpass
import json
import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from gridctl.auditcheckpoint import Checkpoint, CheckpointError, read_checkpoints
from gridctl.config import load_settings
from gridctl.field.spool import FieldMemory
from gridctl.model.record import AuditEntry
from gridctl.pki import load_public_ed25519
from gridctl.store.engine import SqlStore, open_store
from gridctl.store.migrate import current, upgrade

PASSWORD_BYTES = 15


@asynccontextmanager
async def opened(instance: Path, *, read_only: bool) -> AsyncIterator[SqlStore]:
    settings = load_settings(instance / "gridctl.toml")
    store = await open_store(
        settings.database.url, clock=settings.grid_clock(), read_only=read_only
    )
    try:
        yield store
    finally:
        await store.close()


async def verify_audit(
    instance: Path, *, checkpoints: Path | None, key: Path | None, as_json: bool
) -> int:
    """`gridctl audit verify`: 0 when the chain is whole and is the one that the checkpoints have
    seen, 1 when it is not."""
    settings = load_settings(instance / "gridctl.toml")
    public = load_public_ed25519(settings.link.office_public_key if key is None else key)
    found, fault = _checkpoints(
        settings.checkpoints if checkpoints is None else checkpoints, public
    )
    async with opened(instance, read_only=True) as store:
        check = await store.verify_audit({one.sequence: one.hash for one in found})
    ok = check.ok and fault is None
    told = asdict(check) | {"ok": ok, "checkpoints": len(found), "checkpoint_fault": fault}
    if as_json:
        print(json.dumps(told))
    elif not check.ok:
        print(f"THE AUDIT CHAIN IS BROKEN at row {check.first_bad}: {check.detail}")
    else:
        print(f"The audit chain is whole: {check.rows} rows.")
    if as_json:
        return 0 if ok else 1
    if fault is not None:
        print(f"THE CHECKPOINTS ARE NOT GENUINE: {fault}.")
    elif found:
        print(f"{len(found)} signed checkpoints agree, the last one at row {found[-1].sequence}.")
    else:
        print("There are no checkpoints: rows cut off at the end would not be seen.")
    return 0 if ok else 1


def _checkpoints(path: Path, key: Ed25519PublicKey) -> tuple[Sequence[Checkpoint], str | None]:
    """The checkpoints of a file, and what is wrong with it."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return [], None
    except (OSError, UnicodeDecodeError) as error:
        return [], f"{path} cannot be read: {error}"
    try:
        return read_checkpoints(lines, key), None
    except CheckpointError as error:
        return [], str(error)


async def upgrade_database(instance: Path, *, as_json: bool) -> None:
    """`gridctl db upgrade`."""
    settings = load_settings(instance / "gridctl.toml")
    before = await current(settings.database.url)
    after = await upgrade(settings.database.url)
    text = f"Database schema: {before or 'none'} → {after}"
    told({"before": before, "after": after}, text, as_json=as_json)


async def fence_orders(instance: Path, *, epoch: int | None, as_json: bool) -> None:
    """`gridctl db fence`: after a restore, so that the field takes orders again."""
    if epoch is None:
        settings = load_settings(instance / "gridctl.toml")
        epoch = FieldMemory(settings.field.spool).state.epoch
    async with opened(instance, read_only=False) as store, store.transaction() as unit:
        behind = await unit.fence_orders(epoch)
        await unit.audit(journal_entry(store, "fence orders", "orders", after=f"epoch {behind}"))
    told({"epoch": behind}, f"The next order opens epoch {behind + 1}.", as_json=as_json)


async def add_user(instance: Path, name: str, *, role: str, full_name: str, as_json: bool) -> None:
    """`gridctl user add`: the password is made here and shown once."""
    password = secrets.token_urlsafe(PASSWORD_BYTES)
    async with opened(instance, read_only=False) as store:
        entry = journal_entry(store, "add user", name, after=role)
        await store.users.add_user(name, full_name, role, password, audit=entry)
    text = f"User {name} ({role}), password (shown once): {password}"
    told({"user": name, "role": role, "password": password}, text, as_json=as_json)


async def set_password(instance: Path, name: str, *, as_json: bool) -> None:
    """`gridctl user password`: a new one is made here and shown once."""
    password = secrets.token_urlsafe(PASSWORD_BYTES)
    async with opened(instance, read_only=False) as store:
        await store.users.set_password(
            name, password, audit=journal_entry(store, "new password", name)
        )
    text = f"User {name}, new password (shown once): {password}"
    told({"user": name, "password": password}, text, as_json=as_json)


def told(value: object, text: str, *, as_json: bool) -> None:
    """The outcome on stdout: `value` for a program, `text` for a person."""
    print(json.dumps(value) if as_json else text)


def journal_entry(store: SqlStore, action: str, about: str, *, after: str = "") -> AuditEntry:
    """What somebody with a shell on this host leaves in the record."""
    return AuditEntry(
        at_s=store.clock.now_s(),
        who=getpass.getuser(),
        session="",
        source="command line",
        role="",
        action=action,
        object=about,
        before="",
        after=after,
        reason="",
        plan_digest="",
        result="done",
    )
