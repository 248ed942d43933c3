"""Sessions of people: what a login opens, until it is closed, idle or too old.

A token is 256 random bits of which only the SHA-256 is kept. Times here are *real* seconds of the
store's monotonic clock (`now_s` overrides it, with any clock as long as it is always the same one):
a pilot's accelerated grid time must not shorten a shift. After a reboot the monotonic clock starts
again, so every older session is over.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gridctl.model.clock import Clock
from gridctl.store import schema
from gridctl.store.transaction import SqlTransaction

ON_DUTY = ("OPERATOR", "SUPERVISOR")
"""Roles that may approve."""
IDLE_S = 900.0
ABSOLUTE_S = 43_200.0
SESSIONS_MAX = 3
_TOUCH_S = 15.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionRow:
    """A live session. `id` goes into audit rows (never the token). `idle`: unused for longer than
    the limit: the picture and STOP stay, every other act needs a new login (SG-32).

    `areas`: what the person answers for, names joined by commas or "*". `factor`: what proved the
    person last, `proved_real_s` when (step-up, SG-07); `proved_s`: how long ago.
    """

    id: str
    user: str
    full_name: str
    role: str
    source: str
    opened_real_s: float
    seen_real_s: float
    idle: bool
    areas: str
    factor: str
    proved_real_s: float
    proved_s: float


class Sessions:
    """Sessions of a store: `store.sessions`."""

    def __init__(
        self,
        *,
        clock: Clock,
        transaction: Callable[[], AbstractAsyncContextManager[SqlTransaction]],
        reading: Callable[[str], AbstractAsyncContextManager[AsyncConnection]],
    ) -> None:
        self._clock = clock
        self._transaction = transaction
        self._reading = reading

    async def open(
        self, user: str, source: str, *, factor: str = "password", now_s: float | None = None
    ) -> str:
        """A new session; the token is returned once and never kept. The oldest session of the
        user is closed when there would be more than three (SG-32)."""
        now = self._clock.monotonic_s() if now_s is None else now_s
        token = secrets.token_urlsafe(32)
        table = schema.session
        async with self._transaction() as unit:
            query = select(table.c.id).where(table.c.user == user)
            newest = query.order_by(table.c.opened_real_s.desc(), table.c.id)
            ids = (await unit.connection.execute(newest)).scalars().all()
            surplus = ids[SESSIONS_MAX - 1 :]
            await unit.connection.execute(delete(table).where(table.c.id.in_(surplus)))
            await unit.connection.execute(
                insert(table).values(
                    id=secrets.token_hex(8),
                    token_hash=token_hash(token),
                    user=user,
                    source=source,
                    opened_real_s=now,
                    seen_real_s=now,
                    factor=factor,
                    proved_real_s=now,
                )
            )
        return token

    async def prove_again(self, token: str, *, factor: str, now_s: float | None = None) -> None:
        """The person of this session has just shown `factor` once more (step-up, SG-07)."""
        now = self._clock.monotonic_s() if now_s is None else now_s
        table = schema.session
        async with self._transaction() as unit:
            await unit.connection.execute(
                update(table)
                .where(table.c.token_hash == token_hash(token))
                .values(factor=factor, proved_real_s=now, seen_real_s=now)
            )

    async def of(
        self, token: str, *, now_s: float | None = None, active: bool = True
    ) -> SessionRow | None:
        """The live session of `token`, or None when it was closed or is older than 12 h.

        `active=False` for what the browser does by itself (stream, polling): it does not count as
        use. A session that has become idle stays idle.
        """
        now = self._clock.monotonic_s() if now_s is None else now_s
        table, person = schema.session, schema.user.c
        query = (
            select(
                *(column for column in table.c if column is not table.c.token_hash),
                person.full_name,
                person.role,
                person.areas,
            )
            .join(schema.user, person.name == table.c.user)
            .where(table.c.token_hash == token_hash(token))
        )
        async with self._reading("session") as connection:
            row = (await connection.execute(query)).mappings().one_or_none()
        if row is None or not 0 <= now - row["opened_real_s"] <= ABSOLUTE_S:
            return None
        unused_s = now - row["seen_real_s"]
        # A wall display of a VIEWER has no idle limit: it can do nothing anyway.
        idle = unused_s > IDLE_S and row["role"] != "VIEWER"
        if active and not idle and unused_s > _TOUCH_S:
            async with self._transaction() as unit:
                await unit.connection.execute(
                    update(table).where(table.c.id == row["id"]).values(seen_real_s=now)
                )
        values: dict[str, Any] = {**row}
        return SessionRow(**values, idle=idle, proved_s=now - row["proved_real_s"])

    async def on_duty(self, *, within_s: float) -> Sequence[str]:
        """Areas of each who may approve and has done something in a live session within `within_s`
        (SG-37)."""
        now, table, person = self._clock.monotonic_s(), schema.session.c, schema.user.c
        query = (
            select(person.areas)
            .join(schema.session, table.user == person.name)
            .where(
                person.role.in_(ON_DUTY),
                table.seen_real_s > now - min(within_s, IDLE_S),
                table.seen_real_s <= now,
                table.opened_real_s > now - ABSOLUTE_S,
            )
        )
        async with self._reading("on duty") as connection:
            return [str(areas) for areas in (await connection.execute(query)).scalars()]

    async def close(self, token: str) -> None:
        """Log out; nothing happens for a token that is not (or no longer) valid."""
        table = schema.session
        async with self._transaction() as unit:
            await unit.connection.execute(
                delete(table).where(table.c.token_hash == token_hash(token))
            )


def token_hash(token: str) -> str:
    """What is kept of a token."""
    # 256 random bits need no salt and no slow hash
    return hashlib.sha256(token.encode()).hexdigest()
