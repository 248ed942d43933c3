"""OpenADR's objects: programs, events, reports, subscriptions, VENs and resources, as JSON text.

The store does not know the wire's types, only what it has to search, to keep unique and to hide.
Privacy is part of every query, so that a page is cut from what its reader may see: a VEN sees
programs and events without targets or with one that it has been granted, and of the rest only what
is its own; business logic sees everything. Grants are the targets of a client's VEN and of that
VEN's resources (OpenADR 3.1, object privacy).
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Row,
    Table,
    and_,
    delete,
    exists,
    insert,
    not_,
    or_,
    select,
    union_all,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from gridctl.model.record import AuditEntry
from gridctl.store import schema
from gridctl.store.openadr_outbox import announce, forget
from gridctl.store.openadr_publications import publish
from gridctl.store.transaction import SqlTransaction

TABLES: Final[Mapping[str, Table]] = {
    "program": schema.openadr_program,
    "event": schema.openadr_event,
    "report": schema.openadr_report,
    "subscription": schema.openadr_subscription,
    "ven": schema.openadr_ven,
    "resource": schema.openadr_resource,
}
TARGETED: Final = ("program", "event")
"""Kinds that are hidden by their targets; the others belong to a client."""

_UNIQUE: Final[Mapping[str, Sequence[tuple[str, ...]]]] = {
    "program": [("name",)],
    "ven": [("name",), ("client_id",)],
    "resource": [("ven_id", "name")],
}
_REFERS: Final[Mapping[str, Sequence[tuple[str, str]]]] = {
    "event": [("program_id", "program")],
    "subscription": [("program_id", "program")],
    "resource": [("ven_id", "ven")],
}
_PARTS: Final[Mapping[str, Sequence[tuple[str, str]]]] = {"ven": [("resource", "ven_id")]}
"""What ceases to be together with an object."""
_HOLDS: Final[Mapping[str, Sequence[tuple[str, str]]]] = {"program": [("event", "program_id")]}
"""What has to go first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """Who asks. `sees_all`: business logic."""

    client_id: str
    sees_all: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredObject:
    """One object. `keys`: the columns of its kind that are searched; `body`: what the client wrote,
    as a JSON object without its targets. Times in grid seconds."""

    kind: str
    id: str
    client_id: str
    keys: Mapping[str, str | float | None]
    targets: tuple[str, ...]
    body: str
    created_s: float
    modified_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Conflict:
    """Why an object cannot be written: a name that is taken, a reference to nothing."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """A list that is asked for. `equal`: columns and what they must be; `targets` None: none were
    named; `object_types`: of subscriptions, those that hear of one of them; `after_s`: only events
    that are not over at that grid time."""

    skip: int
    limit: int
    targets: frozenset[str] | None = None
    object_types: frozenset[str] | None = None
    equal: Mapping[str, str] = field(default_factory=dict)
    after_s: float | None = None


class Objects:
    """All objects of a store: `store.objects`. Writes tell their subscribers by the outbox, in the
    same transaction."""

    def __init__(
        self,
        *,
        transaction: Callable[[], AbstractAsyncContextManager[SqlTransaction]],
        reading: Callable[[str], AbstractAsyncContextManager[AsyncConnection]],
        is_sole_writer: bool,
    ) -> None:
        self._writing = transaction
        self._reading = reading
        self._generation = 0
        self._is_sole_writer = is_sole_writer
        self.publishes = False
        """Whether changes are also written down for an MQTT broker."""

    @property
    def generation(self) -> int | None:
        """Another number after each write; None where other processes may write, too: then nobody
        can know from here whether something has changed."""
        return self._generation if self._is_sole_writer else None

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[SqlTransaction]:
        try:
            async with self._writing() as unit:
                yield unit
        finally:
            # also when it fails: at worst something is read once more
            self._generation += 1

    async def add(
        self, new: StoredObject, entry: AuditEntry, *, reader: Reader, callbacks: Callbacks = ()
    ) -> Conflict | None:
        """Keep a new object; or the reason why not. `callbacks`: of a subscription."""
        async with self._transaction() as unit:
            conflict = await _conflict(unit.connection, new, reader)
            if conflict is not None:
                return conflict
            values = {**_columns(new), "id": new.id, "created_s": new.created_s}
            await unit.connection.execute(insert(TABLES[new.kind]).values(values))
            await _write_targets(unit.connection, new)
            await _write_callbacks(unit.connection, new, callbacks)
            await self._tell(unit.connection, new, "CREATE")
            await unit.audit(entry)
        return None

    async def put(
        self, changed: StoredObject, entry: AuditEntry, *, reader: Reader, callbacks: Callbacks = ()
    ) -> Conflict | None:
        """Replace an object that is there."""
        table = TABLES[changed.kind]
        async with self._transaction() as unit:
            conflict = await _conflict(unit.connection, changed, reader)
            if conflict is not None:
                return conflict
            await unit.connection.execute(
                update(table).where(table.c.id == changed.id).values(_columns(changed))
            )
            await _clear_targets(unit.connection, changed.kind, changed.id)
            await _write_targets(unit.connection, changed)
            await _write_callbacks(unit.connection, changed, callbacks)
            await self._tell(unit.connection, changed, "UPDATE")
            await unit.audit(entry)
        return None

    async def remove(self, gone: StoredObject, entry: AuditEntry) -> Conflict | None:
        """Delete an object and its parts; a conflict while others refer to it."""
        async with self._transaction() as unit:
            for kind, column in _HOLDS.get(gone.kind, ()):
                held = TABLES[kind].c
                query = select(held.id).where(held[column] == gone.id).limit(1)
                if (await unit.connection.execute(query)).first() is not None:
                    return Conflict(reason=f"the {gone.kind} still has {kind}s: delete them first")
            for kind, column in _PARTS.get(gone.kind, ()):
                query = select(TABLES[kind]).where(TABLES[kind].c[column] == gone.id)
                for row in (await unit.connection.execute(query)).all():
                    part = await _object(unit.connection, kind, row)
                    await self._delete(unit.connection, part)
            await self._delete(unit.connection, gone)
            await unit.audit(entry)
        return None

    async def _tell(self, connection: AsyncConnection, one: StoredObject, operation: str) -> None:
        """Into the outbox of subscribers, and of the broker where there is one."""
        await announce(connection, one, operation)
        if self.publishes:
            await publish(connection, one, operation)

    async def _delete(self, connection: AsyncConnection, gone: StoredObject) -> None:
        table = TABLES[gone.kind]
        if gone.kind == "subscription":
            await forget(connection, gone.id)
        # told before its grants are gone, so that those who could see it learn of it
        await self._tell(connection, gone, "DELETE")
        await _clear_targets(connection, gone.kind, gone.id)
        await connection.execute(delete(table).where(table.c.id == gone.id))

    async def one(self, kind: str, id_: str, *, reader: Reader) -> StoredObject | None:
        """An object by its id; None also for one that `reader` may not see."""
        table = TABLES[kind]
        query = select(table).where(table.c.id == id_, *_visible(kind, reader))
        async with self._reading(kind) as connection:
            row = (await connection.execute(query)).one_or_none()
            return None if row is None else await _object(connection, kind, row)

    async def page(self, kind: str, search: Search, *, reader: Reader) -> Sequence[StoredObject]:
        """One page in the order of creation, of what `reader` may see."""
        table = TABLES[kind]
        query = select(table).where(*_visible(kind, reader))
        for column, value in search.equal.items():
            query = query.where(table.c[column] == value)
        if search.targets is not None:
            query = query.where(_has_target(kind, search.targets, reader))
        if search.object_types is not None:
            callback = schema.openadr_callback.c
            query = query.where(
                exists(
                    select(callback.number).where(
                        callback.subscription_id == table.c.id,
                        callback.object_type.in_(sorted(search.object_types)),
                    )
                )
            )
        if search.after_s is not None:
            query = query.where(or_(table.c.ends_s.is_(None), table.c.ends_s > search.after_s))
        query = query.order_by(table.c.number).offset(search.skip).limit(search.limit)
        async with self._reading(kind) as connection:
            rows = (await connection.execute(query)).all()
            targets = await _targets(connection, kind, [row.id for row in rows])
            return [_stored(kind, row, targets.get(row.id, ())) for row in rows]

    async def granted(self, client_id: str) -> frozenset[str]:
        """The targets that a client has been granted, by its VEN and that VEN's resources."""
        async with self._reading("grants") as connection:
            found = (await connection.execute(grants(client_id))).scalars().all()
        return frozenset(found)

    async def ven_of(self, client_id: str) -> StoredObject | None:
        """The client's VEN."""
        table = schema.openadr_ven
        async with self._reading("ven") as connection:
            query = select(table).where(table.c.client_id == client_id)
            row = (await connection.execute(query)).one_or_none()
            return None if row is None else await _object(connection, "ven", row)


Callbacks = Sequence[Mapping[str, str | None]]
"""Rows of a subscription: object_type, operation, url, bearer."""


def grants(client_id: str | ColumnElement[str]) -> Any:
    """Select of the targets granted to `client_id` (a value, or a column of an outer query)."""
    target, ven, resource = schema.openadr_target.c, schema.openadr_ven.c, schema.openadr_resource.c
    return union_all(
        select(target.target).where(
            target.kind == "ven",
            target.object_id.in_(select(ven.id).where(ven.client_id == client_id)),
        ),
        select(target.target).where(
            target.kind == "resource",
            target.object_id.in_(select(resource.id).where(resource.client_id == client_id)),
        ),
    )


def _visible(kind: str, reader: Reader) -> list[ColumnElement[bool]]:
    if reader.sees_all:
        return []
    table = TABLES[kind].c
    if kind not in TARGETED:
        return [table.client_id == reader.client_id]
    target = schema.openadr_target.c
    own = and_(target.kind == kind, target.object_id == table.id)
    return [
        or_(
            not_(exists(select(target.target).where(own))),
            exists(select(target.target).where(own, target.target.in_(grants(reader.client_id)))),
        )
    ]


def _has_target(kind: str, wanted: frozenset[str], reader: Reader) -> ColumnElement[bool]:
    """Naming targets narrows: to objects that have one of them and, for a VEN, was granted it."""
    table, target = TABLES[kind].c, schema.openadr_target.c
    query = select(target.target).where(
        target.kind == kind, target.object_id == table.id, target.target.in_(sorted(wanted))
    )
    if not reader.sees_all and kind in TARGETED:
        query = query.where(target.target.in_(grants(reader.client_id)))
    return exists(query)


async def _conflict(
    connection: AsyncConnection, new: StoredObject, reader: Reader
) -> Conflict | None:
    table = TABLES[new.kind].c
    values = _columns(new)
    for columns in _UNIQUE.get(new.kind, ()):
        query = select(table.id).where(
            table.id != new.id, *(table[column] == values[column] for column in columns)
        )
        if (await connection.execute(query)).first() is not None:
            told = " and ".join(
                f"{column.removesuffix('_id')} {values[column]!r}" for column in columns
            )
            return Conflict(reason=f"there is a {new.kind} with {told} already")
    for column, kind in _REFERS.get(new.kind, ()):
        id_ = values[column]
        if id_ is None:
            continue
        other = TABLES[kind]
        seen = select(other.c.id).where(other.c.id == id_, *_visible(kind, reader))
        if (await connection.execute(seen)).first() is None:
            return Conflict(reason=f"there is no {kind} {id_!r}")
    return None


def _columns(one: StoredObject) -> dict[str, Any]:
    return {
        **one.keys,
        "client_id": one.client_id,
        "modified_s": one.modified_s,
        "body": one.body,
    }


async def _write_targets(connection: AsyncConnection, one: StoredObject) -> None:
    if one.targets:
        rows = [
            {"kind": one.kind, "object_id": one.id, "target": target, "place": place}
            for place, target in enumerate(dict.fromkeys(one.targets))
        ]
        await connection.execute(insert(schema.openadr_target), rows)


async def _clear_targets(connection: AsyncConnection, kind: str, id_: str) -> None:
    target = schema.openadr_target
    await connection.execute(delete(target).where(target.c.kind == kind, target.c.object_id == id_))


async def _write_callbacks(
    connection: AsyncConnection, one: StoredObject, callbacks: Callbacks
) -> None:
    if one.kind != "subscription":
        return
    table = schema.openadr_callback
    await forget(connection, one.id)
    rows = [
        {
            "subscription_id": one.id,
            "client_id": one.client_id,
            "program_id": one.keys["program_id"],
            **callback,
        }
        for callback in callbacks
    ]
    if rows:
        await connection.execute(insert(table), rows)


async def _targets(
    connection: AsyncConnection, kind: str, ids: Sequence[str]
) -> Mapping[str, tuple[str, ...]]:
    if not ids:
        return {}
    target = schema.openadr_target.c
    query = (
        select(target.object_id, target.target)
        .where(target.kind == kind, target.object_id.in_(ids))
        .order_by(target.object_id, target.place)
    )
    found: dict[str, list[str]] = {}
    for id_, one in await connection.execute(query):
        found.setdefault(id_, []).append(one)
    return {id_: tuple(targets) for id_, targets in found.items()}


async def _object(connection: AsyncConnection, kind: str, row: Row[Any]) -> StoredObject:
    targets = await _targets(connection, kind, [row.id])
    return _stored(kind, row, targets.get(row.id, ()))


_COMMON = frozenset({"number", "id", "client_id", "created_s", "modified_s", "body"})


def _stored(kind: str, row: Row[Any], targets: tuple[str, ...]) -> StoredObject:
    values = row._mapping  # noqa: SLF001 - SQLAlchemy's public name for the row as a mapping
    return StoredObject(
        kind=kind,
        id=row.id,
        client_id=row.client_id,
        keys={name: values[name] for name in values if name not in _COMMON},
        targets=targets,
        body=row.body,
        created_s=row.created_s,
        modified_s=row.modified_s,
    )


def body_text(body: Mapping[str, Any]) -> str:
    """A body as it is kept: without targets, which have a table of their own."""
    return json.dumps(
        {key: value for key, value in body.items() if key != "targets"},
        ensure_ascii=False,
        separators=(",", ":"),
    )
