"""What waits for the MQTT broker: written in the transaction of the change itself.

One row a topic. Who may see an object is the rule of `openadr_objects`; a VEN's row keeps which of
the object's targets are its own.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, insert, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from gridctl.store import schema
from gridctl.store.transaction import SqlTransaction

if TYPE_CHECKING:
    from gridctl.store.openadr_objects import StoredObject

WAITING_MAX = 100_000
"""Rows that are kept while the broker is away; the oldest go first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Publication:
    """One message to one place: `place` is "bl", "open" or "vens/ID"; `shown`: the targets that its
    readers see, None for all; `one`: the object as `openadr_outbox.written` keeps it."""

    number: int
    place: str
    operation: str
    shown: tuple[str, ...] | None
    one: str


class Publications:
    """`store.publications`."""

    def __init__(
        self,
        *,
        transaction: Callable[[], AbstractAsyncContextManager[SqlTransaction]],
        reading: Callable[[str], AbstractAsyncContextManager[AsyncConnection]],
    ) -> None:
        self._transaction = transaction
        self._reading = reading

    async def waiting(self, *, count_max: int) -> Sequence[Publication]:
        """The oldest that wait."""
        table = schema.openadr_publication
        query = select(table).order_by(table.c.number).limit(count_max)
        async with self._reading("publications") as connection:
            return [_publication(row) for row in await connection.execute(query)]

    async def published(self, number: int) -> None:
        """The broker has everything up to `number`."""
        table = schema.openadr_publication
        async with self._transaction() as unit:
            await unit.connection.execute(delete(table).where(table.c.number <= number))


async def publish(connection: AsyncConnection, one: StoredObject, operation: str) -> None:
    """Put a change of `one` into every place where somebody may read of it."""
    from gridctl.store.openadr_outbox import written  # noqa: PLC0415 - it calls us

    table = schema.openadr_publication
    places: list[tuple[str, Sequence[str] | None]] = [("bl", None)]
    if one.kind in ("program", "event") and not one.targets:
        places.append(("open", ()))
    places += await _vens(connection, one)
    text = written(one)
    rows = [
        {
            "topic": place,
            "body": json.dumps([operation, None if shown is None else list(shown), text]),
            "at_s": one.modified_s,
        }
        for place, shown in places
    ]
    done = await connection.execute(insert(table).returning(table.c.number), rows)
    newest = max(done.scalars())
    await connection.execute(delete(table).where(table.c.number <= newest - WAITING_MAX))


async def _vens(
    connection: AsyncConnection, one: StoredObject
) -> list[tuple[str, Sequence[str] | None]]:
    ven, resource, target = (
        schema.openadr_ven.c,
        schema.openadr_resource.c,
        schema.openadr_target.c,
    )
    if one.kind not in ("program", "event"):
        mine = select(ven.id).where(ven.client_id == one.client_id)
        own = [(f"vens/{id_}", None) for id_ in (await connection.execute(mine)).scalars()]
        is_gone_ven = one.kind == "ven" and not own
        return [(f"vens/{one.id}", None)] if is_gone_ven else list(own)
    if not one.targets:
        every = await connection.execute(select(ven.id))
        return [(f"vens/{id_}", ()) for id_ in every.scalars()]
    granted = (
        select(ven.id, target.target)
        .join(schema.openadr_ven, ven.client_id.is_not(None))
        .where(
            target.target.in_(one.targets),
            or_(
                (target.kind == "ven") & (target.object_id == ven.id),
                (target.kind == "resource")
                & target.object_id.in_(
                    select(resource.id).where(resource.client_id == ven.client_id)
                ),
            ),
        )
    )
    found: dict[str, set[str]] = {}
    for id_, word in await connection.execute(granted):
        found.setdefault(id_, set()).add(word)
    return [(f"vens/{id_}", [t for t in one.targets if t in own]) for id_, own in found.items()]


def _publication(row: Any) -> Publication:
    operation, shown, one = json.loads(row.body)
    return Publication(
        number=row.number,
        place=row.topic,
        operation=operation,
        shown=None if shown is None else tuple(shown),
        one=one,
    )
