"""What is made at the first start of an instance: keys, and the way in for the first people.

Nothing is built in. On a site the first two accounts begin with a set-up link each, good for 72
hours and once: one makes accounts, the other gives roles, so that nobody can do both (SG-31). A
pilot, whose clock is simulated, gets operators with printed passwords instead.
"""

from __future__ import annotations

import logging
import secrets
from dataclasses import dataclass

from gridctl.config import Settings
from gridctl.model.clock import Clock
from gridctl.model.record import AuditEntry
from gridctl.pki import make_office_keys
from gridctl.store.engine import SqlStore
from gridctl.web.people import SETUP_LIFE_S
from gridctl.web.roles import Role

log = logging.getLogger(__name__)

SECRET_BYTES = 15
PILOT_USERS = (
    ("operator-a", "First operator", Role.OPERATOR),
    ("operator-b", "Second operator, shift supervisor", Role.SUPERVISOR),
)
PILOT_CLIENT = "customer-system"
FIRST_USERS = (
    ("accounts", "Makes and resets accounts", Role.SECADM),
    ("roles", "Gives roles and areas", Role.RBACMNT),
)
_UNUSABLE_BYTES = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Secret:
    """A secret that was made at first start; it is shown once and not kept. `secret`: a password,
    or for `is_link` an address."""

    name: str
    role: str
    secret: str
    is_link: bool = False


def make_keys(settings: Settings) -> None:
    """The office's signing keys where there are none yet, the private one with mode 0600. Raises
    ConfigError. A public key without its private one is somebody's mistake: nothing is made."""
    private, public = settings.link.office_key, settings.link.office_public_key
    if private.exists() or public.exists():
        return
    private.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    make_office_keys(private=private, public=public)
    log.warning("made the office's keys: give %s to the field's host", public)


async def first_people(
    store: SqlStore, settings: Settings, *, real: Clock
) -> tuple[tuple[Secret, ...], tuple[Secret, ...]]:
    """Users and API clients where there is nobody yet; their secrets, once. `real`: UTC."""
    if settings.clock is not None:
        return await _pilot_users(store), await _pilot_clients(store)
    return await _first_links(store, settings, real=real), ()


async def _pilot_users(store: SqlStore) -> tuple[Secret, ...]:
    if await store.users.users():
        return ()
    made = []
    for name, full_name, role in PILOT_USERS:
        password = secrets.token_urlsafe(SECRET_BYTES)
        await store.users.add_user(name, full_name, role, password)
        made.append(Secret(name=name, role=role, secret=password))
    return tuple(made)


async def _pilot_clients(store: SqlStore) -> tuple[Secret, ...]:
    if await store.openadr.clients():
        return ()
    secret = secrets.token_urlsafe(SECRET_BYTES)
    await store.openadr.add_client(PILOT_CLIENT, "business-logic", secret)
    return (Secret(name=PILOT_CLIENT, role="business-logic", secret=secret),)


async def _first_links(store: SqlStore, settings: Settings, *, real: Clock) -> tuple[Secret, ...]:
    """Links for the first two, made anew at each start until one of them is used: a link that was
    lost must not lock everybody out, and who can start gridctl can read its database anyway."""
    if await store.users.somebody_may_sign_in():
        return ()
    known = {user.name for user in await store.users.users()}
    made = []
    for name, full_name, role in FIRST_USERS:
        if name not in known:
            await store.users.add_user(
                name,
                full_name,
                role,
                secrets.token_urlsafe(_UNUSABLE_BYTES),
                areas="",
                audit=_row(store, "add user", name, after=role),
            )
        token = await store.factors.reset(
            name,
            until_s=real.now_s() + SETUP_LIFE_S,
            audit=_row(store, "first set-up", name),
        )
        # Behind the #: a browser sends it to no server, and no proxy keeps it.
        link = f"{settings.origin}/#/setup/{token}"
        made.append(Secret(name=name, role=role, secret=link, is_link=True))
    return tuple(made)


def _row(store: SqlStore, action: str, about: str, *, after: str = "") -> AuditEntry:
    return AuditEntry(
        at_s=store.clock.now_s(),
        who="gridctl",
        session="",
        source="first start",
        role="SYSTEM",
        action=action,
        object=about,
        before="",
        after=after,
        reason="",
        plan_digest="",
        result="done",
    )
