"""OpenADR's objects: programs, events, reports, subscriptions, VENs and resources, as JSON text.

The store does not know the wire's types, only what it has to search, to keep unique and to hide.
Privacy is part of every query, so that a page is cut from what its reader may see: a VEN sees
programs and events without targets or with one that it has been granted, and of the rest only what
is its own; business logic sees everything. Grants are the targets of a client's VEN and of that
VEN's resources (OpenADR 3.1, object privacy).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final

from sqlalchemy import ColumnElement, Row, bindparam, exists, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from gridctl.model.record import AuditEntry
from gridctl.store import audit, openadr_writes, schema
from gridctl.store.openadr_kinds import (
    TABLES,
    TARGETED,
    Callbacks,
    Conflict,
    Reader,
    StoredObject,
    grants,
    stored,
    visible,
)
from gridctl.store.visit import InOneVisit, Look, Prepared, Run, Values


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
        in_one_visit: InOneVisit,
        look: Look,
        reading: Callable[[str], AbstractAsyncContextManager[AsyncConnection]],
        is_sole_writer: bool,
    ) -> None:
        self._in_one_visit = in_one_visit
        self._look = look
        self._reading = reading
        self._generation = 0
        self._generations: dict[str, int] = {}
        self.told = 0
        """Changes that went into an outbox: something waits to be carried when it grows."""
        self._is_sole_writer = is_sole_writer
        self.publishes = False
        """Whether changes are also written down for an MQTT broker."""

    async def generation(self) -> int:
        """Another number after each write. Where other processes may write, too, it is the length
        of the audit record, in which every write leaves its row."""
        if self._is_sole_writer:
            return self._generation
        rows = await self._look("generation", lambda run: run(_AUDITED).rows)
        return int(rows[0][0]) if rows else 0

    def generation_after(self, before: int) -> int:
        """The number that what was read since `before` may be kept under: the present one. Read
        while another process wrote it is kept under a number that nobody will ask for again."""
        return self._generation if self._is_sole_writer else before

    def grants_generation(self, generation: int) -> int:
        """Another number after each write that may change a grant; `generation`: the present one,
        which is all that can be known where others write, too."""
        if not self._is_sole_writer:
            return generation
        return sum(self._generations.get(kind, 0) for kind in ("ven", "resource"))

    def generation_of(self, kind: str) -> int | None:
        """The same, of one kind alone; None where nobody can know it without a look."""
        return self._generations.get(kind, 0) if self._is_sole_writer else None

    async def add(
        self, new: StoredObject, entry: AuditEntry, *, reader: Reader, callbacks: Callbacks = ()
    ) -> Conflict | None:
        """Keep a new object; or the reason why not. `callbacks`: of a subscription."""

        def work(run: Run) -> Conflict | bool:
            conflict = openadr_writes.add(run, new, reader, callbacks)
            return conflict or self._told(run, new, "CREATE", entry)

        return await self._written(new.kind, work)

    async def put(
        self, changed: StoredObject, entry: AuditEntry, *, reader: Reader, callbacks: Callbacks = ()
    ) -> Conflict | None:
        """Replace an object that is there."""

        def work(run: Run) -> Conflict | bool:
            conflict = openadr_writes.put(run, changed, reader, callbacks)
            return conflict or self._told(run, changed, "UPDATE", entry)

        return await self._written(changed.kind, work)

    async def remove(self, gone: StoredObject, entry: AuditEntry) -> Conflict | None:
        """Delete an object and its parts; a conflict while others refer to it."""

        def work(run: Run) -> Conflict | bool:
            heard = openadr_writes.remove(run, gone, publishes=self.publishes)
            if not isinstance(heard, Conflict):
                audit.chained(run, entry)
            return heard

        return await self._written(gone.kind, work)

    def _told(self, run: Run, one: StoredObject, operation: str, entry: AuditEntry) -> bool:
        heard = openadr_writes.tell(run, one, operation, publishes=self.publishes)
        audit.chained(run, entry)
        return heard

    async def _written(self, kind: str, work: Callable[[Run], Conflict | bool]) -> Conflict | None:
        """`work` in a unit of its own; it says whether anybody is to be told."""
        try:
            found = await self._in_one_visit(work)
        finally:
            # also when it fails: at worst something is read once more
            self._generation += 1
            self._generations[kind] = self._generations.get(kind, 0) + 1
        if isinstance(found, Conflict):
            return found
        self.told += found
        return None

    async def one(self, kind: str, id_: str, *, reader: Reader) -> StoredObject | None:
        """An object by its id; None also for one that `reader` may not see."""
        seen = _one(kind, sees_all=reader.sees_all)
        values = {"of_id": id_, "client": reader.client_id}
        return await self._look(kind, lambda run: _found(run, kind, seen, values))

    async def page(self, kind: str, search: Search, *, reader: Reader) -> Sequence[StoredObject]:
        """One page in the order of creation, of what `reader` may see."""
        table = TABLES[kind]
        query = select(table).where(*visible(kind, reader.limited_to))
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
        found = await self._look("grants", lambda run: run(_GRANTED, {"client": client_id}).rows)
        return frozenset(target for (target,) in found)

    async def ven_of(self, client_id: str) -> StoredObject | None:
        """The client's VEN."""
        values = {"client": client_id}
        return await self._look("ven", lambda run: _found(run, "ven", _VEN_OF, values))


_AUDITED: Final = Prepared(select(schema.audit_head.c.sequence))
_GRANTED: Final = Prepared(grants(bindparam("client")))
_VEN_OF: Final = Prepared(
    select(schema.openadr_ven).where(schema.openadr_ven.c.client_id == bindparam("client"))
)


@cache
def _one(kind: str, *, sees_all: bool) -> Prepared:
    table = TABLES[kind]
    client: Any = None if sees_all else bindparam("client")
    query = select(table).where(table.c.id == bindparam("of_id"), *visible(kind, client))
    return Prepared(query)


def _found(run: Run, kind: str, prepared: Prepared, values: Values) -> StoredObject | None:
    rows = run(prepared, values).rows
    return openadr_writes.read(run, kind, rows[0]) if rows else None


def _has_target(kind: str, wanted: frozenset[str], reader: Reader) -> ColumnElement[bool]:
    """Naming targets narrows: to objects that have one of them and, for a VEN, was granted it."""
    table, target = TABLES[kind].c, schema.openadr_target.c
    query = select(target.target).where(
        target.kind == kind, target.object_id == table.id, target.target.in_(sorted(wanted))
    )
    if not reader.sees_all and kind in TARGETED:
        query = query.where(target.target.in_(grants(reader.client_id)))
    return exists(query)


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


def _stored(kind: str, row: Row[Any], targets: Sequence[str]) -> StoredObject:
    values = {str(name): value for name, value in row._mapping.items()}  # noqa: SLF001
    return stored(kind, values, targets)
