"""People who may log in. What follows their login is in `gridctl.store.sessions`.

Passwords are argon2id hashes. Times here are *real* seconds of the store's monotonic clock (`now_s`
overrides it, with any clock as long as it is always the same one).
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError
from sqlalchemy import RowMapping, delete, insert, or_, select, true, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gridctl.model.clock import Clock
from gridctl.model.errors import Refusal, RefusedError
from gridctl.model.record import AuditEntry
from gridctl.store import schema
from gridctl.store.sessions import token_hash
from gridctl.store.transaction import SqlTransaction

ROLES = ("VIEWER", "OPERATOR", "SUPERVISOR", "ENGINEER", "INSTALLER", "SECADM", "SECAUD", "RBACMNT")
"""Roles of IEC 62351-8, and SUPERVISOR (SG-31)."""

ALL_AREAS = "*"
PASSWORD_LENGTH_MIN = 8
PASSWORD_LENGTH_MAX = 256
FREE_FAILURES = 5
_LOCK_FIRST_S = 30.0
_LOCK_LONGEST_S = 900.0
# Two at a time: one check costs tens of megabytes and a good part of a core.
_HASHES_AT_ONCE = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class UserRow:
    """A user as others may see it: no hash."""

    name: str
    full_name: str
    role: str
    areas: str = ALL_AREAS
    source: str = "local"
    locked_s: float = 0.0


class Users:
    """Users of a store: `store.users`."""

    def __init__(
        self,
        *,
        clock: Clock,
        transaction: Callable[[], AbstractAsyncContextManager[SqlTransaction]],
        reading: Callable[[str], AbstractAsyncContextManager[AsyncConnection]],
        hasher: PasswordHasher | None = None,
    ) -> None:
        self._clock = clock
        self._transaction = transaction
        self._reading = reading
        self._hasher = hasher or PasswordHasher()
        self._hashing = asyncio.Semaphore(_HASHES_AT_ONCE)
        self._decoy: str | None = None

    async def add_user(
        self,
        name: str,
        full_name: str,
        role: str,
        password: str,
        *,
        areas: str = ALL_AREAS,
        audit: AuditEntry | None = None,
    ) -> UserRow:
        """A new user. Raises RefusedError for a name that is taken, a role that does not exist or
        a password outside 8 … 256 characters (no composition rules, SG-33). `audit`: what a
        person who does it leaves in the record, in the same transaction."""
        reasons = []
        if not name or name != name.strip():
            reasons.append("a user name is not empty and has no spaces around it")
        if role not in ROLES:
            reasons.append(f"role {role} is none of {', '.join(ROLES)}")
        reasons += _bad_length(password)
        if reasons:
            raise RefusedError(Refusal(code="bad_user", reasons=tuple(reasons)))
        password_hash = await self._hash(password)
        table = schema.user
        async with self._transaction() as unit:
            taken = select(table.c.name).where(table.c.name == name)
            if (await unit.connection.execute(taken)).first() is not None:
                reason = f"there is a user {name} already"
                raise RefusedError(Refusal(code="user_exists", reasons=(reason,)))
            await unit.connection.execute(
                insert(table).values(
                    name=name,
                    full_name=full_name,
                    role=role,
                    password_hash=password_hash,
                    failures=0,
                    areas=areas,
                )
            )
            if audit is not None:
                await unit.audit(audit)
        return UserRow(name=name, full_name=full_name, role=role, areas=areas)

    async def set_password(
        self, name: str, password: str, *, audit: AuditEntry, link: str | None = None
    ) -> None:
        """Another password: the old one and every session of the user are over, a lock is lifted.
        `link`: the token of the set-up link by which the person came; it is used up with this.

        Raises RefusedError for an unknown name, a password outside 8 … 256 characters, or a link
        that somebody has used meanwhile.
        """
        reasons = _bad_length(password)
        if reasons:
            raise RefusedError(Refusal(code="bad_user", reasons=tuple(reasons)))
        password_hash = await self._hash(password)
        table, sessions = schema.user, schema.session
        async with self._transaction() as unit:
            done = await unit.connection.execute(
                update(table)
                .where(
                    table.c.name == name,
                    true() if link is None else table.c.setup_hash == token_hash(link),
                )
                .values(
                    password_hash=password_hash,
                    failures=0,
                    failed_real_s=None,
                    setup_hash=None,
                    setup_until_s=None,
                )
            )
            if done.rowcount == 0:
                reason = f"there is no user {name}" + ("" if link is None else " with this link")
                raise RefusedError(Refusal(code="no_such_user", reasons=(reason,)))
            await unit.connection.execute(delete(sessions).where(sessions.c.user == name))
            await unit.audit(audit)

    async def remove(self, name: str, *, audit: AuditEntry) -> None:
        """The account, its factors and its sessions are gone; what the person did stays in the
        record. Raises RefusedError for an unknown name."""
        async with self._transaction() as unit:
            for table in (schema.session, schema.authenticator):
                await unit.connection.execute(delete(table).where(table.c.user == name))
            gone = await unit.connection.execute(
                delete(schema.user).where(schema.user.c.name == name)
            )
            if gone.rowcount == 0:
                reason = f"there is no user {name}"
                raise RefusedError(Refusal(code="no_such_user", reasons=(reason,)))
            await unit.audit(audit)

    async def users(self) -> Sequence[UserRow]:
        """All users by name."""
        now = self._clock.monotonic_s()
        async with self._reading("users") as connection:
            rows = await connection.execute(select(schema.user).order_by(schema.user.c.name))
            return [_user(row, now) for row in rows.mappings()]

    async def somebody_may_sign_in(self) -> bool:
        """Whether anybody has a password, or is vouched for by an identity provider."""
        table = schema.user
        able = or_(table.c.password_hash != "", table.c.source != "local")
        async with self._reading("users") as connection:
            found = await connection.execute(select(table.c.name).where(able).limit(1))
            return found.first() is not None

    async def user(self, name: str) -> UserRow | None:
        """The user of this name."""
        table = schema.user
        async with self._reading("user") as connection:
            found = await connection.execute(select(table).where(table.c.name == name))
            row = found.mappings().one_or_none()
        return None if row is None else _user(row, self._clock.monotonic_s())

    async def set_role(self, name: str, *, role: str, areas: str, audit: AuditEntry) -> None:
        """Another role, other areas, at once for every open session.

        Raises RefusedError for an unknown name or role.
        """
        if role not in ROLES:
            reason = f"role {role} is none of {', '.join(ROLES)}"
            raise RefusedError(Refusal(code="bad_user", reasons=(reason,)))
        table = schema.user
        async with self._transaction() as unit:
            done = await unit.connection.execute(
                update(table).where(table.c.name == name).values(role=role, areas=areas)
            )
            if done.rowcount == 0:
                reason = f"there is no user {name}"
                raise RefusedError(Refusal(code="no_such_user", reasons=(reason,)))
            await unit.audit(audit)

    async def welcome_guest(
        self, name: str, full_name: str, *, role: str, areas: str, source: str
    ) -> UserRow:
        """A person whom an identity provider vouches for: known by name from now on, without a
        password; role and areas follow the provider at each sign-in.

        Raises RefusedError when the name is a local user's, or another provider's.
        """
        table = schema.user
        values = {"full_name": full_name, "role": role, "areas": areas}
        async with self._transaction() as unit:
            query = select(table.c.source).where(table.c.name == name)
            known = (await unit.connection.execute(query)).scalar_one_or_none()
            if known is None:
                await unit.connection.execute(
                    insert(table).values(
                        name=name, password_hash="", failures=0, source=source, **values
                    )
                )
            elif known == source:
                await unit.connection.execute(
                    update(table).where(table.c.name == name).values(**values)
                )
            else:
                reason = f"{name} is a user of {known} here"
                raise RefusedError(Refusal(code="user_exists", reasons=(reason,)))
        return UserRow(name=name, full_name=full_name, role=role, areas=areas, source=source)

    async def verify_password(
        self, name: str, password: str, *, now_s: float | None = None, complete: bool = True
    ) -> UserRow | None:
        """The user, or None for a wrong password, an unknown name or a locked account; all three
        take as long. From the fifth failure on an account is locked for 30 s, doubling to 15 min;
        a try while it is locked is not counted. Not `complete`: a second factor follows, and the
        failures are forgotten only when that was right, too (`note_second`)."""
        now = self._clock.monotonic_s() if now_s is None else now_s
        table = schema.user
        async with self._reading("login") as connection:
            found = await connection.execute(select(table).where(table.c.name == name))
            row = found.mappings().one_or_none()
        locked = row is not None and _locked_for_s(row["failures"], row["failed_real_s"], now) > 0
        stored = str(row["password_hash"]) if row is not None and row["password_hash"] else ""
        stored = stored or await self._decoy_hash()
        right = await self._matches(stored, password[: PASSWORD_LENGTH_MAX + 1])
        if row is None or locked:
            return None
        if not right:
            await self._note_failure(name, now)
            return None
        await self._note_success(row, password, complete=complete)
        return _user(row, now)

    async def note_second(self, name: str, *, right: bool, now_s: float | None = None) -> bool:
        """A second factor was shown; False when the account is locked, whatever was shown."""
        now = self._clock.monotonic_s() if now_s is None else now_s
        if await self.locked_for_s(name, now_s=now) > 0:
            return False
        if not right:
            await self._note_failure(name, now)
            return False
        table = schema.user
        async with self._transaction() as unit:
            await unit.connection.execute(
                update(table).where(table.c.name == name).values(failures=0, failed_real_s=None)
            )
        return True

    async def locked_for_s(self, name: str, *, now_s: float | None = None) -> float:
        """Real seconds until `name` may try again; 0 for an unknown name."""
        now = self._clock.monotonic_s() if now_s is None else now_s
        columns = schema.user.c
        async with self._reading("login") as connection:
            found = await connection.execute(
                select(columns.failures, columns.failed_real_s).where(columns.name == name)
            )
            row = found.one_or_none()
        return 0.0 if row is None else _locked_for_s(row.failures, row.failed_real_s, now)

    async def _note_failure(self, name: str, now: float) -> None:
        table = schema.user
        async with self._transaction() as unit:
            await unit.connection.execute(
                update(table)
                .where(table.c.name == name)
                .values(failures=table.c.failures + 1, failed_real_s=now)
            )

    async def _note_success(self, row: RowMapping, password: str, *, complete: bool) -> None:
        """Forget the failures, and hash again when the parameters have grown since."""
        outdated = self._hasher.check_needs_rehash(row["password_hash"])
        if not outdated and (row["failures"] == 0 or not complete):
            return
        values: dict[str, Any] = {"failures": 0, "failed_real_s": None} if complete else {}
        if outdated:
            values["password_hash"] = await self._hash(password)
        table = schema.user
        async with self._transaction() as unit:
            await unit.connection.execute(
                update(table).where(table.c.name == row["name"]).values(values)
            )

    async def _decoy_hash(self) -> str:
        if self._decoy is None:
            self._decoy = await self._hash(secrets.token_urlsafe(16))
        return self._decoy

    async def hashed(self, secret: str) -> str:
        """`secret` as argon2id, with the strength of passwords."""
        return await self._hash(secret)

    async def is_hash_of(self, stored: str, secret: str) -> bool:
        """Whether `stored` was made from `secret`."""
        return await self._matches(stored, secret)

    async def _hash(self, password: str) -> str:
        async with self._hashing:
            return await asyncio.to_thread(self._hasher.hash, password)

    async def _matches(self, stored: str, password: str) -> bool:
        async with self._hashing:
            try:
                return await asyncio.to_thread(self._hasher.verify, stored, password)
            except (VerifyMismatchError, InvalidHashError):
                return False


def _user(row: RowMapping, now: float) -> UserRow:
    return UserRow(
        name=row["name"],
        full_name=row["full_name"],
        role=row["role"],
        areas=row["areas"],
        source=row["source"],
        locked_s=_locked_for_s(row["failures"], row["failed_real_s"], now),
    )


def _bad_length(password: str) -> list[str]:
    if PASSWORD_LENGTH_MIN <= len(password) <= PASSWORD_LENGTH_MAX:
        return []
    return [f"a password has {PASSWORD_LENGTH_MIN} to {PASSWORD_LENGTH_MAX} characters"]


def _locked_for_s(failures: int, failed_real_s: float | None, now: float) -> float:
    if failures < FREE_FAILURES or failed_real_s is None:
        return 0.0
    doublings = min(failures - FREE_FAILURES, 10)
    lock_s = min(_LOCK_FIRST_S * 2.0**doublings, _LOCK_LONGEST_S)
    # a clock that started again (reboot) must not lock anybody out for longer than the lock
    elapsed_s = now - failed_real_s if now >= failed_real_s else now
    return max(0.0, lock_s - elapsed_s)
