"""What people prove themselves with beside a password, and the links that let them in first.

The secret of a code generator comes and goes sealed; a security key leaves only what proves its
signatures. Every change is an audit row of its own, in the same transaction.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

from sqlalchemy import delete, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gridctl.model.errors import Refusal, RefusedError
from gridctl.model.record import AuditEntry
from gridctl.store import schema
from gridctl.store.transaction import SqlTransaction

KEYS_MAX = 10
SETUP_BYTES = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class SecurityKey:
    """A security key of somebody. `public`: attested credential data (WebAuthn §6.5.1)."""

    id: str
    label: str
    public: bytes
    sign_count: int
    added_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class UserFactors:
    """What a person has. `totp`: the sealed secret; `totp_step`: the last step that was used;
    `recovery_left`: codes that are good still."""

    totp: bytes | None
    totp_step: int | None
    keys: tuple[SecurityKey, ...]
    recovery_left: int = 0

    @property
    def any(self) -> bool:
        """Whether a password alone is not enough for this person."""
        return self.totp is not None or bool(self.keys)


class Factors:
    """Second factors and set-up links of a store: `store.factors`."""

    def __init__(
        self,
        *,
        transaction: Callable[[], AbstractAsyncContextManager[SqlTransaction]],
        reading: Callable[[str], AbstractAsyncContextManager[AsyncConnection]],
    ) -> None:
        self._transaction = transaction
        self._reading = reading

    async def of(self, user: str) -> UserFactors:
        """The factors of a person; none for an unknown name."""
        person, key, codes = schema.user.c, schema.authenticator, schema.recovery_code.c
        async with self._reading("factors") as connection:
            found = await connection.execute(
                select(person.totp, person.totp_step).where(person.name == user)
            )
            row = found.one_or_none()
            keys = await connection.execute(
                select(key).where(key.c.user == user).order_by(key.c.added_s, key.c.id)
            )
            left = await connection.execute(
                select(func.count()).where(codes.user == user, codes.used_at_s.is_(None))
            )
            return UserFactors(
                recovery_left=left.scalar_one(),
                totp=None if row is None else row.totp,
                totp_step=None if row is None else row.totp_step,
                keys=tuple(
                    SecurityKey(**{k: v for k, v in one.items() if k != "user"})
                    for one in keys.mappings()
                ),
            )

    async def put_totp(self, user: str, sealed: bytes, *, step: int, audit: AuditEntry) -> None:
        """Another code generator; the codes up to `step` are used up."""
        table = schema.user
        async with self._transaction() as unit:
            await unit.connection.execute(
                update(table).where(table.c.name == user).values(totp=sealed, totp_step=step)
            )
            await unit.audit(audit)

    async def use_step(self, user: str, step: int) -> bool:
        """Use up a code's time step; False when it, or a later one, is used up already."""
        table = schema.user
        unused = or_(table.c.totp_step.is_(None), table.c.totp_step < step)
        async with self._transaction() as unit:
            done = await unit.connection.execute(
                update(table).where(table.c.name == user, unused).values(totp_step=step)
            )
            return done.rowcount == 1

    async def add_key(self, user: str, key: SecurityKey, *, audit: AuditEntry) -> None:
        """A security key more. Raises RefusedError for one that is known or one too many."""
        table = schema.authenticator
        async with self._transaction() as unit:
            known = await unit.connection.execute(select(table.c.id).where(table.c.id == key.id))
            if known.first() is not None:
                reason = "this security key is enrolled already"
                raise RefusedError(Refusal(code="key_known", reasons=(reason,)))
            held = await unit.connection.execute(select(table.c.id).where(table.c.user == user))
            if len(held.all()) >= KEYS_MAX:
                reason = f"a person has at most {KEYS_MAX} security keys"
                raise RefusedError(Refusal(code="too_many_keys", reasons=(reason,)))
            await unit.connection.execute(
                insert(table).values(
                    id=key.id,
                    user=user,
                    label=key.label,
                    public=key.public,
                    sign_count=key.sign_count,
                    added_s=key.added_s,
                )
            )
            await unit.audit(audit)

    async def note_signature(self, key: str, sign_count: int) -> bool:
        """Keep a key's counter; False when it went back: that is a copy of the key (§6.1.1)."""
        table = schema.authenticator
        grew = table.c.sign_count < sign_count
        if sign_count == 0:  # an authenticator that does not count
            grew = table.c.sign_count == 0
        async with self._transaction() as unit:
            done = await unit.connection.execute(
                update(table).where(table.c.id == key, grew).values(sign_count=sign_count)
            )
            return done.rowcount == 1

    async def put_recovery(self, user: str, hashes: Sequence[str], *, audit: AuditEntry) -> None:
        """New recovery codes, as argon2id; those before are worth nothing."""
        table = schema.recovery_code
        async with self._transaction() as unit:
            await unit.connection.execute(delete(table).where(table.c.user == user))
            for number, hashed in enumerate(hashes, start=1):
                await unit.connection.execute(
                    insert(table).values(user=user, number=number, hash=hashed)
                )
            await unit.audit(audit)

    async def recovery_hash(self, user: str, number: int) -> str | None:
        """The hash of a code that is good still."""
        table = schema.recovery_code.c
        query = select(table.hash).where(
            table.user == user, table.number == number, table.used_at_s.is_(None)
        )
        async with self._reading("recovery code") as connection:
            found = (await connection.execute(query)).scalar_one_or_none()
        return None if found is None else str(found)

    async def use_recovery(self, user: str, number: int, *, audit: AuditEntry) -> bool:
        """Use up a code; False when it is used up already."""
        table = schema.recovery_code
        unused = (table.c.user == user, table.c.number == number, table.c.used_at_s.is_(None))
        async with self._transaction() as unit:
            done = await unit.connection.execute(
                update(table).where(*unused).values(used_at_s=audit.at_s)
            )
            if done.rowcount == 1:
                await unit.audit(audit)
            return done.rowcount == 1

    async def reset(self, user: str, *, until_s: float, audit: AuditEntry) -> str:
        """Password, factors and sessions of a person are over; the token of a new set-up link.

        `until_s`: until when (real UTC) the link is good. Raises RefusedError for an unknown name.
        """
        token = secrets.token_urlsafe(SETUP_BYTES)
        table, keys, sessions = schema.user, schema.authenticator, schema.session
        async with self._transaction() as unit:
            done = await unit.connection.execute(
                update(table)
                .where(table.c.name == user, table.c.source == "local")
                .values(
                    password_hash="",
                    totp=None,
                    totp_step=None,
                    failures=0,
                    failed_real_s=None,
                    setup_hash=_hash(token),
                    setup_until_s=until_s,
                )
            )
            if done.rowcount == 0:
                reason = f"there is no local user {user}"
                raise RefusedError(Refusal(code="no_such_user", reasons=(reason,)))
            await unit.connection.execute(delete(keys).where(keys.c.user == user))
            codes = schema.recovery_code
            await unit.connection.execute(delete(codes).where(codes.c.user == user))
            await unit.connection.execute(delete(sessions).where(sessions.c.user == user))
            await unit.audit(audit)
        return token

    async def setup_for(self, token: str, *, now_s: float) -> tuple[str, str] | None:
        """Name and full name of the person whose set-up link this is; None when it is none."""
        columns = schema.user.c
        async with self._reading("set-up link") as connection:
            found = await connection.execute(
                select(columns.name, columns.full_name).where(
                    columns.setup_hash == _hash(token), columns.setup_until_s > now_s
                )
            )
            row = found.one_or_none()
        return None if row is None else (str(row.name), str(row.full_name))


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
