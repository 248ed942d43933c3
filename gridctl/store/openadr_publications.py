"""What waits for the MQTT broker: written in the transaction of the change itself.

One row a topic. Who may see an object is the rule of `openadr_objects`; a VEN's row keeps which of
the object's targets are its own.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Select, bindparam, delete, func, insert, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from gridctl.store import schema
from gridctl.store.openadr_kinds import TARGETED, StoredObject
from gridctl.store.transaction import SqlTransaction
from gridctl.store.visit import Prepared, Run

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


def publish(run: Run, one: StoredObject, operation: str) -> None:
    """Put a change of `one` into every place where somebody may read of it."""
    from gridctl.store.openadr_outbox import written  # noqa: PLC0415 - it calls us

    places: list[tuple[str, Sequence[str] | None]] = [("bl", None)]
    if one.kind in TARGETED and not one.targets:
        places.append(("open", ()))
    places += _vens(run, one)
    text = written(one)
    rows = [
        {
            "topic": place,
            "body": json.dumps([operation, None if shown is None else list(shown), text]),
            "at_s": one.modified_s,
        }
        for place, shown in places
    ]
    run.many(_ADD, rows)
    run(_DROP_OLDEST)


def _vens(run: Run, one: StoredObject) -> list[tuple[str, Sequence[str] | None]]:
    if one.kind not in TARGETED:
        own = run(_VENS_OF, {"client": one.client_id}).rows
        if one.kind == "ven" and not own:
            return [(f"vens/{one.id}", None)]  # it has just gone
        return [(f"vens/{id_}", None) for (id_,) in own]
    if not one.targets:
        return [(f"vens/{id_}", ()) for (id_,) in run(_EVERY_VEN).rows]
    found: dict[str, set[str]] = {}
    for id_, word in run(_GRANTED, {"of_kind": one.kind, "of_id": one.id}).rows:
        found.setdefault(id_, set()).add(word)
    return [(f"vens/{id_}", [t for t in one.targets if t in own]) for id_, own in found.items()]


_TABLE: Final = schema.openadr_publication
_VEN: Final = schema.openadr_ven.c
_ADD: Final = Prepared(insert(_TABLE), keys=("topic", "body", "at_s"))
_DROP_OLDEST: Final = Prepared(
    delete(_TABLE).where(
        _TABLE.c.number <= select(func.max(_TABLE.c.number) - WAITING_MAX).scalar_subquery()
    )
)
_VENS_OF: Final = Prepared(select(_VEN.id).where(_VEN.client_id == bindparam("client")))
_EVERY_VEN: Final = Prepared(select(_VEN.id))


def _granted() -> Select[Any]:
    """(VEN, target) for each of an object's targets that a VEN or a resource of it was granted."""
    resource, target = schema.openadr_resource.c, schema.openadr_target.c
    own = schema.openadr_target.alias("of_object").c
    mine = select(own.target).where(
        own.kind == bindparam("of_kind"), own.object_id == bindparam("of_id")
    )
    return (
        select(_VEN.id, target.target)
        .join(schema.openadr_ven, _VEN.client_id.is_not(None))
        .where(
            target.target.in_(mine),
            or_(
                (target.kind == "ven") & (target.object_id == _VEN.id),
                (target.kind == "resource")
                & target.object_id.in_(
                    select(resource.id).where(resource.client_id == _VEN.client_id)
                ),
            ),
        )
    )


_GRANTED: Final = Prepared(_granted())


def _publication(row: Any) -> Publication:
    operation, shown, one = json.loads(row.body)
    return Publication(
        number=row.number,
        place=row.topic,
        operation=operation,
        shown=None if shown is None else tuple(shown),
        one=one,
    )
