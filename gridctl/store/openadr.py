"""OpenADR's own nouns: API clients, their tokens, programs and events as JSON text.

The store does not know the wire's types: `gridctl.openadr.wire` does. Tokens live in real seconds
of the store's monotonic clock, like sessions.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import RowMapping, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gridctl.model.clock import Clock
from gridctl.model.errors import Refusal, RefusedError
from gridctl.model.record import AuditEntry
from gridctl.store import schema
from gridctl.store.transaction import SqlTransaction

SECRET_LENGTH_MIN = 16
"""Random characters: a secret is stored under a fast hash."""
CLIENT_ROLES = ("business-logic", "ven")
_TOKENS_PER_CLIENT_MAX = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientRow:
    """An API client: `role` is "business-logic" or "ven"."""

    client_id: str
    role: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectRow:
    """A program or event. `body` is the request as JSON text; times in grid seconds.

    `parent`: the program's id for an event, the unique name for a program.
    """

    id: str
    parent: str
    client_id: str
    created_s: float
    modified_s: float
    body: str


class Clients:
    """Clients, tokens, programs and events of a store: `store.openadr`."""

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

    async def add_client(
        self, client_id: str, role: str, secret: str, *, audit: AuditEntry | None = None
    ) -> ClientRow:
        """A new client with a random secret of at least 16 characters that we (or a tool) made.

        `audit`: what a person who does it leaves in the record, in the same transaction. Raises
        RefusedError for an id that is taken, an unknown role or a short secret.
        """
        reasons = []
        if not client_id:
            reasons.append("a client id is not empty")
        if role not in CLIENT_ROLES:
            reasons.append(f"role {role} is none of {', '.join(CLIENT_ROLES)}")
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
                insert(table).values(client_id=client_id, role=role, secret_hash=_hash(secret))
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

    async def clients(self) -> Sequence[ClientRow]:
        """All clients by id."""
        columns = schema.openadr_client.c
        async with self._reading("clients") as connection:
            rows = await connection.execute(
                select(columns.client_id, columns.role).order_by(columns.client_id)
            )
            return [ClientRow(**row) for row in rows.mappings()]

    async def verify_client(self, client_id: str, secret: str) -> ClientRow | None:
        """The client when the secret is right, else None, in the same time."""
        table = schema.openadr_client
        async with self._reading("client") as connection:
            found = await connection.execute(select(table).where(table.c.client_id == client_id))
            row = found.one_or_none()
        stored = "0" * 64 if row is None else row.secret_hash
        right = hmac.compare_digest(stored, _hash(secret))
        if row is None or not right:
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
        table, client = schema.openadr_token.c, schema.openadr_client.c
        query = (
            select(table.client_id, table.scope, table.expires_real_s, client.role)
            .join(schema.openadr_client, client.client_id == table.client_id)
            .where(table.token_hash == _hash(token))
        )
        async with self._reading("token") as connection:
            row = (await connection.execute(query)).one_or_none()
        if row is None or not now < row.expires_real_s <= now + life_s:
            return None
        return ClientRow(client_id=row.client_id, role=row.role), row.scope

    async def add_program(self, row: ObjectRow, entry: AuditEntry) -> bool:
        """Keep a new program; False when its name is taken."""
        table = schema.openadr_program
        async with self._transaction() as unit:
            if await _name_taken(unit.connection, row):
                return False
            await unit.connection.execute(insert(table).values(_renamed(row, "name")))
            await unit.audit(entry)
        return True

    async def put_program(self, row: ObjectRow, entry: AuditEntry) -> bool:
        """Replace name, body and modification time; False when the name is another program's."""
        table = schema.openadr_program
        async with self._transaction() as unit:
            if await _name_taken(unit.connection, row):
                return False
            await unit.connection.execute(
                update(table)
                .where(table.c.id == row.id)
                .values(name=row.parent, body=row.body, modified_s=row.modified_s)
            )
            await unit.audit(entry)
        return True

    async def program(self, id_: str) -> ObjectRow | None:
        """A program by id."""
        table = schema.openadr_program
        async with self._reading("program") as connection:
            found = await connection.execute(select(table).where(table.c.id == id_))
            row = found.mappings().one_or_none()
        return None if row is None else _object_row(row, "name")

    async def programs(self, *, after: int = 0, count_max: int) -> Sequence[tuple[int, ObjectRow]]:
        """(number, program) in the order of their creation, from beyond number `after` on."""
        table = schema.openadr_program
        query = select(table).where(table.c.number > after).order_by(table.c.number)
        async with self._reading("programs") as connection:
            rows = (await connection.execute(query.limit(count_max))).mappings()
            return [(row["number"], _object_row(row, "name")) for row in rows]

    async def delete_program(self, id_: str, entry: AuditEntry) -> bool:
        """Delete; False while events still belong to it."""
        event = schema.openadr_event
        async with self._transaction() as unit:
            used = select(event.c.id).where(event.c.program_id == id_).limit(1)
            if (await unit.connection.execute(used)).first() is not None:
                return False
            table = schema.openadr_program
            await unit.connection.execute(delete(table).where(table.c.id == id_))
            await unit.audit(entry)
        return True

    async def add_event(self, row: ObjectRow, entry: AuditEntry) -> bool:
        """Keep a new event; False when there is no such program."""
        async with self._transaction() as unit:
            if not await _has_program(unit.connection, row.parent):
                return False
            await unit.connection.execute(
                insert(schema.openadr_event).values(_renamed(row, "program_id"))
            )
            await unit.audit(entry)
        return True

    async def put_event(self, row: ObjectRow, entry: AuditEntry) -> bool:
        """Replace program, body and modification time; False when there is no such program."""
        table = schema.openadr_event
        async with self._transaction() as unit:
            if not await _has_program(unit.connection, row.parent):
                return False
            await unit.connection.execute(
                update(table)
                .where(table.c.id == row.id)
                .values(program_id=row.parent, body=row.body, modified_s=row.modified_s)
            )
            await unit.audit(entry)
        return True

    async def event(self, id_: str) -> ObjectRow | None:
        """An event by id."""
        table = schema.openadr_event
        async with self._reading("event") as connection:
            found = await connection.execute(select(table).where(table.c.id == id_))
            row = found.mappings().one_or_none()
        return None if row is None else _object_row(row, "program_id")

    async def events(
        self, *, program: str | None = None, after: int = 0, count_max: int
    ) -> Sequence[tuple[int, ObjectRow]]:
        """(number, event) in the order of their creation, from beyond number `after` on."""
        table = schema.openadr_event
        query = select(table).where(table.c.number > after).order_by(table.c.number)
        if program is not None:
            query = query.where(table.c.program_id == program)
        async with self._reading("events") as connection:
            rows = (await connection.execute(query.limit(count_max))).mappings()
            return [(row["number"], _object_row(row, "program_id")) for row in rows]

    async def delete_event(self, id_: str, entry: AuditEntry) -> None:
        """Delete; nothing happens for an unknown id."""
        table = schema.openadr_event
        async with self._transaction() as unit:
            await unit.connection.execute(delete(table).where(table.c.id == id_))
            await unit.audit(entry)


async def _name_taken(connection: AsyncConnection, row: ObjectRow) -> bool:
    table = schema.openadr_program.c
    query = select(table.id).where(table.name == row.parent, table.id != row.id)
    return (await connection.execute(query)).first() is not None


async def _has_program(connection: AsyncConnection, id_: str) -> bool:
    table = schema.openadr_program.c
    # the row stays locked until the event is written, or it could be deleted in between
    query = select(table.id).where(table.id == id_).with_for_update()
    return (await connection.execute(query)).first() is not None


def _bad_length(secret: str) -> list[str]:
    if len(secret) >= SECRET_LENGTH_MIN:
        return []
    return [f"a client secret has at least {SECRET_LENGTH_MIN} random characters"]


def _hash(word: str) -> str:
    return hashlib.sha256(word.encode()).hexdigest()


def _renamed(row: ObjectRow, parent: str) -> dict[str, Any]:
    values = asdict(row)
    values[parent] = values.pop("parent")
    return values


def _object_row(row: RowMapping, parent: str) -> ObjectRow:
    values: dict[str, Any] = {**row}
    del values["number"]
    values["parent"] = values.pop(parent)
    return ObjectRow(**values)
