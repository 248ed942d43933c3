"""The platform's objects, their versions, idempotency keys, and the limits that planning reads.

An object is a JSON body with the few columns that are searched. Each write leaves a version with
who and why, and an audit row, in one transaction.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from typing import Any, Final

from sqlalchemy import bindparam, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gridctl.model.canonical import canonical_json
from gridctl.model.command import CommandState
from gridctl.model.enrolment import Terms
from gridctl.model.record import AuditEntry, UseRow
from gridctl.store import schema
from gridctl.store.restore import restored
from gridctl.store.transaction import SqlTransaction
from gridctl.store.visit import Look, Prepared, Run

KEYS_KEPT_S = 72 * 3_600.0
_IDS_MAX = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class PlatformObject:
    """One object. `parent`: the id that it belongs to, "" for none; `client_id`: whose it is, ""
    for the utility's people; `version` counts from 1. Times in grid seconds."""

    kind: str
    id: str
    parent: str
    name: str
    client_id: str
    version: int
    created_s: float
    modified_s: float
    body: Mapping[str, Any]
    number: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """An earlier or the present form of an object."""

    version: int
    at_s: float
    who: str
    reason: str
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptAnswer:
    """What an idempotency key stands for; `status` None: it is being carried out."""

    digest: str
    status: int | None
    answer: str


class NameTakenError(Exception):
    """There is an object of that kind and name under that parent already."""


class ChangedError(Exception):
    """The object is not in the version that was expected."""


class Platform:
    """`store.platform`."""

    def __init__(
        self,
        *,
        transaction: Callable[[], AbstractAsyncContextManager[SqlTransaction]],
        reading: Callable[[str], AbstractAsyncContextManager[AsyncConnection]],
        look: Look,
    ) -> None:
        self._transaction = transaction
        self._reading = reading
        self._look = look

    # --- what planning reads ------------------------------------------------------------------

    async def terms(self) -> Sequence[Terms]:
        """Every limit that is in force or will be."""
        table = schema.dr_limit
        async with self._reading("terms") as connection:
            rows = await connection.execute(select(table.c.body).order_by(table.c.object_id))
            return [restored(Terms, body) for body in rows.scalars()]

    async def uses(self, *, since_s: float) -> Sequence[UseRow]:
        """When devices were commanded and let go, oldest first."""
        state, command = schema.command_state.c, schema.command.c
        query = (
            select(command.body, state.state, state.status, state.at_s)
            .join(schema.command, command.mrid == state.command)
            .where(
                state.at_s >= since_s,
                state.state.in_([CommandState.CONFIRMED.value, CommandState.RELEASED.value]),
            )
            .order_by(state.at_s)
        )
        async with self._reading("uses") as connection:
            rows = await connection.execute(query)
            told = [(json.loads(body), word, status, at_s) for body, word, status, at_s in rows]
            return [
                UseRow(
                    resource=str(command["resource"]),
                    state=CommandState(word),
                    status=status,
                    at_s=at_s,
                    value=float(command["value"]),
                )
                for command, word, status, at_s in told
            ]

    # --- objects ------------------------------------------------------------------------------

    async def one(self, kind: str, id_: str, *, owner: str | None = None) -> PlatformObject | None:
        """An object by its id; `owner`: only when it is this client's."""
        table = schema.dr_object
        query = select(table).where(table.c.kind == kind, table.c.id == id_)
        if owner is not None:
            query = query.where(table.c.client_id == owner)
        async with self._reading(kind) as connection:
            row = (await connection.execute(query)).one_or_none()
        return None if row is None else _object(row)

    async def named(self, kind: str, parent: str, name: str) -> PlatformObject | None:
        """An object by its unique name."""
        table = schema.dr_object
        query = select(table).where(
            table.c.kind == kind, table.c.parent == parent, table.c.name == name
        )
        async with self._reading(kind) as connection:
            row = (await connection.execute(query)).one_or_none()
        return None if row is None else _object(row)

    async def page(
        self,
        kind: str,
        *,
        limit: int,
        after: int = 0,
        owner: str | None = None,
        parent: str | None = None,
    ) -> Sequence[PlatformObject]:
        """At most `limit` objects in the order of their creation, after number `after`."""
        table = schema.dr_object
        query = select(table).where(table.c.kind == kind, table.c.number > after)
        if owner is not None:
            query = query.where(table.c.client_id == owner)
        if parent is not None:
            query = query.where(table.c.parent == parent)
        async with self._reading(kind) as connection:
            rows = await connection.execute(query.order_by(table.c.number).limit(limit))
            return [_object(row) for row in rows]

    async def by_ids(self, kind: str, ids: Sequence[str]) -> Mapping[str, PlatformObject]:
        """Those of `ids` that are there, by id."""
        table = schema.dr_object
        found: dict[str, PlatformObject] = {}
        async with self._reading(kind) as connection:
            for start in range(0, len(ids), _IDS_MAX):
                some = ids[start : start + _IDS_MAX]
                query = select(table).where(table.c.kind == kind, table.c.id.in_(some))
                for row in await connection.execute(query):
                    found[row.id] = _object(row)
        return found

    async def devices_of(self, names: Sequence[str]) -> frozenset[str]:
        """Devices of the resources with these ids, and of the members of groups with these ids or
        names."""

        def look(run: Run) -> frozenset[str]:
            wanted = set(names)
            found: set[object] = set()
            for id_, text in run(_GROUPS).rows:
                body = json.loads(text)
                if id_ in names or any(one["name"] in names for one in body["Names"]):
                    wanted |= {str(device["mRID"]) for device in body["EndDevices"]}
            for id_ in wanted:
                found |= {json.loads(text).get("device") for (text,) in _resource(run, id_)}
            return frozenset(str(device) for device in found if device is not None)

        return await self._look("targets", look)

    async def versions(self, id_: str) -> Sequence[Version]:
        """Every version of an object, oldest first."""
        table = schema.dr_change
        query = select(table).where(table.c.object_id == id_).order_by(table.c.number)
        async with self._reading("versions") as connection:
            return [
                Version(
                    version=row.version,
                    at_s=row.at_s,
                    who=row.who,
                    reason=row.reason,
                    body=json.loads(row.body),
                )
                for row in await connection.execute(query)
            ]

    async def add(
        self,
        new: Sequence[PlatformObject],
        *,
        entry: AuditEntry,
        terms: Mapping[str, Terms] | None = None,
    ) -> None:
        """Keep new objects, all or none. `terms`: limits by object id. Raises NameTakenError."""
        table = schema.dr_object
        async with self._transaction() as unit:
            for one in new:
                taken = select(table.c.id).where(
                    table.c.kind == one.kind,
                    table.c.parent == one.parent,
                    table.c.name == one.name,
                )
                if (await unit.connection.execute(taken)).first() is not None:
                    raise NameTakenError(one.name)
                await unit.connection.execute(insert(table).values(_columns(one)))
                await _note(unit.connection, one, entry)
                await _limit(unit.connection, one.id, (terms or {}).get(one.id))
            await unit.audit(entry)

    async def put(
        self,
        changed: PlatformObject,
        *,
        entry: AuditEntry,
        terms: Terms | None = None,
    ) -> PlatformObject:
        """Replace an object that is in `changed.version`; it comes back in the next one.

        Raises ChangedError when it is in another, NameTakenError for a name that is taken.
        """
        table = schema.dr_object
        after = replace(changed, version=changed.version + 1)
        async with self._transaction() as unit:
            taken = select(table.c.id).where(
                table.c.kind == after.kind,
                table.c.parent == after.parent,
                table.c.name == after.name,
                table.c.id != after.id,
            )
            if (await unit.connection.execute(taken)).first() is not None:
                raise NameTakenError(after.name)
            done = await unit.connection.execute(
                update(table)
                .where(table.c.id == after.id, table.c.version == changed.version)
                .values(_columns(after))
            )
            if done.rowcount == 0:
                raise ChangedError(after.id)
            await _note(unit.connection, after, entry)
            await _limit(unit.connection, after.id, terms)
            await unit.audit(entry)
        return after

    async def remove(self, gone: PlatformObject, *, entry: AuditEntry) -> bool:
        """Delete an object that nothing belongs to; False while something does.

        Raises ChangedError when it is not in `gone.version` any more.
        """
        table = schema.dr_object
        async with self._transaction() as unit:
            held = select(func.count()).select_from(table).where(table.c.parent == gone.id)
            if (await unit.connection.execute(held)).scalar_one():
                return False
            done = await unit.connection.execute(
                delete(table).where(table.c.id == gone.id, table.c.version == gone.version)
            )
            if done.rowcount == 0:
                raise ChangedError(gone.id)
            await _note(unit.connection, gone, entry)
            await _limit(unit.connection, gone.id, None)
            await unit.audit(entry)
        return True

    # --- idempotency keys ---------------------------------------------------------------------

    async def take_key(
        self, client_id: str, key: str, digest: str, *, at_s: float
    ) -> KeptAnswer | None:
        """Reserve a key; what it stands for already, or None when it is now the caller's to do."""
        table = schema.dr_key
        async with self._transaction() as unit:
            await unit.connection.execute(delete(table).where(table.c.at_s < at_s - KEYS_KEPT_S))
            query = select(table).where(table.c.client_id == client_id, table.c.key == key)
            row = (await unit.connection.execute(query)).one_or_none()
            if row is not None:
                return KeptAnswer(digest=row.digest, status=row.status, answer=row.answer)
            await unit.connection.execute(
                insert(table).values(
                    client_id=client_id, key=key, digest=digest, at_s=at_s, status=None, answer=""
                )
            )
        return None

    async def settle_key(
        self, client_id: str, key: str, *, status: int | None, answer: str
    ) -> None:
        """The answer that the key gets from now on; `status` None: none, it may be used again."""
        table = schema.dr_key
        mine = (table.c.client_id == client_id, table.c.key == key)
        async with self._transaction() as unit:
            if status is None:
                await unit.connection.execute(delete(table).where(*mine))
            else:
                await unit.connection.execute(
                    update(table).where(*mine).values(status=status, answer=answer)
                )


_GROUPS: Final = Prepared(
    select(schema.dr_object.c.id, schema.dr_object.c.body).where(schema.dr_object.c.kind == "group")
)
_RESOURCE: Final = Prepared(
    select(schema.dr_object.c.body).where(
        schema.dr_object.c.kind == "resource", schema.dr_object.c.id == bindparam("of_id")
    )
)


def _resource(run: Run, id_: str) -> Sequence[Any]:
    return run(_RESOURCE, {"of_id": id_}).rows


def _columns(one: PlatformObject) -> dict[str, Any]:
    return {
        "id": one.id,
        "kind": one.kind,
        "parent": one.parent,
        "name": one.name,
        "client_id": one.client_id,
        "version": one.version,
        "created_s": one.created_s,
        "modified_s": one.modified_s,
        "body": _text(one.body),
    }


def _object(row: Any) -> PlatformObject:
    return PlatformObject(
        kind=row.kind,
        id=row.id,
        parent=row.parent,
        name=row.name,
        client_id=row.client_id,
        version=row.version,
        created_s=row.created_s,
        modified_s=row.modified_s,
        body=json.loads(row.body),
        number=row.number,
    )


def _text(body: Mapping[str, Any]) -> str:
    return json.dumps(body, ensure_ascii=False, separators=(",", ":"))


async def _note(connection: AsyncConnection, one: PlatformObject, entry: AuditEntry) -> None:
    await connection.execute(
        insert(schema.dr_change).values(
            object_id=one.id,
            version=one.version,
            at_s=entry.at_s,
            who=entry.who,
            reason=entry.reason,
            body=_text(one.body),
        )
    )


async def _limit(connection: AsyncConnection, id_: str, terms: Terms | None) -> None:
    table = schema.dr_limit
    await connection.execute(delete(table).where(table.c.object_id == id_))
    if terms is not None:
        body = canonical_json(terms).decode()
        await connection.execute(
            insert(table).values(object_id=id_, device=terms.device, body=body)
        )
