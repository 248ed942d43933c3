"""OpenADR's clients and their tokens. Only hashes of secrets and tokens are kept.

Tokens live in real seconds of the store's monotonic clock, like sessions. What a live token stands
for is remembered for a moment, because a fleet of VENs that polls asks for nothing else so often.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Final

from sqlalchemy import bindparam, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gridctl.model.clock import Clock
from gridctl.model.errors import Refusal, RefusedError
from gridctl.model.record import AuditEntry
from gridctl.store import schema
from gridctl.store.transaction import SqlTransaction
from gridctl.store.visit import Look, Prepared

SECRET_LENGTH_MIN = 16
"""Random characters: a secret is stored under a fast hash."""
CLIENT_ROLES = ("business-logic", "ven")
_TOKENS_PER_CLIENT_MAX = 20
_WEBHOOK_SECRET_BYTES = 32
_REMEMBERED_S = 5.0
"""How long a token is believed without a look: as long as a client that was revoked by another
process may go on."""
_LIVE_MAX = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientRow:
    """An API client: `role` is "business-logic" or "ven"; `revoked_s` when it was locked out."""

    client_id: str
    role: str
    revoked_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Live:
    """What a token stood for when it was last looked up."""

    client: ClientRow
    scope: str
    expires_s: float
    looked_s: float


class Clients:
    """Clients and tokens of a store: `store.openadr`."""

    def __init__(
        self,
        *,
        clock: Clock,
        transaction: Callable[[], AbstractAsyncContextManager[SqlTransaction]],
        reading: Callable[[str], AbstractAsyncContextManager[AsyncConnection]],
        look: Look,
    ) -> None:
        self._clock = clock
        self._look_up = look
        self._transaction = transaction
        self._reading = reading
        self._live: dict[str, _Live] = {}

    async def add_client(
        self,
        client_id: str,
        role: str,
        secret: str,
        *,
        audit: AuditEntry | None = None,
        short_secret: bool = False,
    ) -> ClientRow:
        """A new client with a random secret of at least 16 characters that we (or a tool) made.

        `audit`: what a person who does it leaves in the record, in the same transaction.
        `short_secret`: a test profile's, which is no secret. Raises RefusedError for an id that is
        taken, an unknown role or a short secret.
        """
        reasons = []
        if not client_id:
            reasons.append("a client id is not empty")
        if role not in CLIENT_ROLES:
            reasons.append(f"role {role} is none of {', '.join(CLIENT_ROLES)}")
        if not short_secret:
            reasons += _bad_length(secret)
        if reasons:
            raise RefusedError(Refusal(code="bad_client", reasons=tuple(reasons)))
        table = schema.openadr_client
        async with self._transaction() as unit:
            taken = select(table.c.client_id).where(table.c.client_id == client_id)
            if (await unit.connection.execute(taken)).first() is not None:
                reason = f"there is a client {client_id} already"
                raise RefusedError(Refusal(code="client_exists", reasons=(reason,)))
            await unit.connection.execute(
                insert(table).values(
                    client_id=client_id,
                    role=role,
                    secret_hash=_hash(secret),
                    webhook_secret=_signing_secret(),
                )
            )
            if audit is not None:
                await unit.audit(audit)
        return ClientRow(client_id=client_id, role=role)

    async def set_secret(self, client_id: str, secret: str, *, audit: AuditEntry) -> None:
        """Another secret: the old one and every token of the client are over.

        Raises RefusedError for an unknown client or a short secret.
        """
        reasons = _bad_length(secret)
        if reasons:
            raise RefusedError(Refusal(code="bad_client", reasons=tuple(reasons)))
        table, tokens = schema.openadr_client, schema.openadr_token
        async with self._transaction() as unit:
            done = await unit.connection.execute(
                update(table)
                .where(table.c.client_id == client_id)
                .values(secret_hash=_hash(secret))
            )
            if done.rowcount == 0:
                reason = f"there is no client {client_id}"
                raise RefusedError(Refusal(code="no_such_client", reasons=(reason,)))
            await unit.connection.execute(delete(tokens).where(tokens.c.client_id == client_id))
            await unit.audit(audit)
        self._live.clear()

    async def clients(self) -> Sequence[ClientRow]:
        """All clients by id."""
        columns = schema.openadr_client.c
        async with self._reading("clients") as connection:
            rows = await connection.execute(
                select(columns.client_id, columns.role, columns.revoked_s).order_by(
                    columns.client_id
                )
            )
            return [ClientRow(**row) for row in rows.mappings()]

    async def revoke_client(
        self, client_id: str, *, at_s: float, audit: AuditEntry | None = None
    ) -> bool:
        """Lock a client out: its tokens end now, its secret is worth nothing. False when there is
        no such client, or it was revoked before."""
        client, token = schema.openadr_client, schema.openadr_token
        async with self._transaction() as unit:
            done = await unit.connection.execute(
                update(client)
                .where(client.c.client_id == client_id, client.c.revoked_s.is_(None))
                .values(revoked_s=at_s)
            )
            await unit.connection.execute(delete(token).where(token.c.client_id == client_id))
            if audit is not None and done.rowcount == 1:
                await unit.audit(audit)
        self._live.clear()
        return done.rowcount == 1

    async def new_signing_secret(self, client_id: str, *, audit: AuditEntry) -> str:
        """Another secret signs this client's webhooks; the one before goes on signing beside it
        until the next change, so that no receiver misses one. Raises RefusedError for an unknown
        client."""
        table, made = schema.openadr_client, _signing_secret()
        async with self._transaction() as unit:
            known = select(table.c.webhook_secret).where(table.c.client_id == client_id)
            found = (await unit.connection.execute(known)).first()
            if found is None:
                reason = f"there is no client {client_id}"
                raise RefusedError(Refusal(code="no_such_client", reasons=(reason,)))
            before = (found.webhook_secret or "").split()[:1]
            await unit.connection.execute(
                update(table)
                .where(table.c.client_id == client_id)
                .values(webhook_secret=" ".join([made, *before]))
            )
            await unit.audit(audit)
        return made

    async def webhook_secret(self, client_id: str) -> str | None:
        """What signs the notifications to this client's callbacks, the newest first."""
        columns = schema.openadr_client.c
        async with self._reading("client") as connection:
            found: str | None = (
                await connection.execute(
                    select(columns.webhook_secret).where(columns.client_id == client_id)
                )
            ).scalar_one_or_none()
        return found

    async def verify_client(self, client_id: str, secret: str) -> ClientRow | None:
        """The client when the secret is right, else None, in the same time."""
        table = schema.openadr_client
        async with self._reading("client") as connection:
            found = await connection.execute(select(table).where(table.c.client_id == client_id))
            row = found.one_or_none()
        stored = "0" * 64 if row is None else row.secret_hash
        right = hmac.compare_digest(stored, _hash(secret))
        if row is None or not right or row.revoked_s is not None:
            return None
        return ClientRow(client_id=row.client_id, role=row.role)

    async def open_token(
        self, client_id: str, scope: str, *, life_s: float, now_s: float | None = None
    ) -> str:
        """An opaque bearer token for `life_s` real seconds; only its hash is kept."""
        now = self._clock.monotonic_s() if now_s is None else now_s
        token = secrets.token_urlsafe(32)
        table = schema.openadr_token
        async with self._transaction() as unit:
            # also what another boot's clock left behind
            stale = (table.c.expires_real_s <= now) | (table.c.expires_real_s > now + life_s)
            await unit.connection.execute(delete(table).where(stale))
            mine = select(table.c.token_hash).where(table.c.client_id == client_id)
            newest = mine.order_by(table.c.expires_real_s.desc(), table.c.token_hash)
            hashes = (await unit.connection.execute(newest)).scalars().all()
            surplus = hashes[_TOKENS_PER_CLIENT_MAX - 1 :]
            await unit.connection.execute(delete(table).where(table.c.token_hash.in_(surplus)))
            await unit.connection.execute(
                insert(table).values(
                    token_hash=_hash(token),
                    client_id=client_id,
                    scope=scope,
                    expires_real_s=now + life_s,
                )
            )
        return token

    async def token(
        self, token: str, *, life_s: float, now_s: float | None = None
    ) -> tuple[ClientRow, str] | None:
        """(client, scope) of a token that is alive, else None."""
        now = self._clock.monotonic_s() if now_s is None else now_s
        key = _hash(token)
        live = self._live.get(key)
        if live is None or not live.looked_s <= now < live.looked_s + _REMEMBERED_S:
            live = await self._look(key, now)
            if live is None:
                return None
        if not now < live.expires_s <= now + life_s:
            self._live.pop(key, None)
            return None
        return live.client, live.scope

    async def _look(self, key: str, now_s: float) -> _Live | None:
        rows = await self._look_up("token", lambda run: run(_TOKEN, {"hash": key}).rows)
        self._live.pop(key, None)
        if not rows:
            return None
        ((client_id, scope, expires_s, role),) = rows
        while len(self._live) >= _LIVE_MAX:
            del self._live[next(iter(self._live))]
        found = self._live[key] = _Live(
            client=ClientRow(client_id=client_id, role=role),
            scope=scope,
            expires_s=expires_s,
            looked_s=now_s,
        )
        return found


_TOKEN: Final = Prepared(
    select(
        schema.openadr_token.c.client_id,
        schema.openadr_token.c.scope,
        schema.openadr_token.c.expires_real_s,
        schema.openadr_client.c.role,
    )
    .join(
        schema.openadr_client,
        schema.openadr_client.c.client_id == schema.openadr_token.c.client_id,
    )
    .where(schema.openadr_token.c.token_hash == bindparam("hash"))
)


def _bad_length(secret: str) -> list[str]:
    if len(secret) >= SECRET_LENGTH_MIN:
        return []
    return [f"a client secret has at least {SECRET_LENGTH_MIN} random characters"]


def _signing_secret() -> str:
    """As Standard Webhooks write it: receivers' libraries take it as it is."""
    return f"whsec_{base64.b64encode(secrets.token_bytes(_WEBHOOK_SECRET_BYTES)).decode()}"


def _hash(word: str) -> str:
    return hashlib.sha256(word.encode()).hexdigest()
