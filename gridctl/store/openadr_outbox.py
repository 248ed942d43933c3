"""The outbox: what subscribers are to be told, written in the transaction of the change itself.

One statement finds the receivers of a change, however many subscriptions there are. Who may not
see an object does not hear of it either: the rule is that of `openadr_objects`, with the receiver
in the place of the reader.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Select,
    Text,
    and_,
    bindparam,
    delete,
    exists,
    func,
    insert,
    literal_column,
    not_,
    or_,
    select,
    union_all,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from gridctl.store import schema
from gridctl.store.openadr_kinds import TARGETED, StoredObject
from gridctl.store.transaction import SqlTransaction
from gridctl.store.visit import Prepared, Run

WAITING: Final = "waiting"
DELIVERED: Final = "delivered"
DEAD: Final = "dead"


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One notification to one callback. `body`: the object as stored, without its targets;
    `attempts` so far; `webhook_secret` of the receiver, None for one that has none."""

    number: int
    subscription_id: str
    client_id: str
    role: str
    url: str
    bearer: str | None
    webhook_secret: str | None
    object_type: str
    operation: str
    at_s: float
    body: str
    attempts: int


class Outbox:
    """Messages that wait, were delivered, or gave up: `store.outbox`."""

    def __init__(
        self,
        *,
        transaction: Callable[[], AbstractAsyncContextManager[SqlTransaction]],
        reading: Callable[[str], AbstractAsyncContextManager[AsyncConnection]],
    ) -> None:
        self._transaction = transaction
        self._reading = reading

    async def due(self, now_s: float, *, count_max: int) -> Sequence[Message]:
        """The messages whose turn has come, oldest first."""
        message = schema.openadr_message.c
        query = (
            _messages()
            .where(message.state == WAITING, message.next_s <= now_s)
            .order_by(message.next_s, message.number)
            .limit(count_max)
        )
        async with self._reading("outbox") as connection:
            rows = (await connection.execute(query)).mappings()
            return [Message(**row) for row in rows]

    async def next_due_s(self) -> float | None:
        """When the next message is due; None while nothing waits."""
        message = schema.openadr_message.c
        async with self._reading("outbox") as connection:
            query = select(func.min(message.next_s)).where(message.state == WAITING)
            found: float | None = (await connection.execute(query)).scalar_one()
        return found

    async def delivered(self, numbers: Sequence[int]) -> None:
        """Note that these have arrived."""
        await self._settle(numbers, state=DELIVERED, last_error="")

    async def failed(self, number: int, *, error: str, next_s: float | None) -> None:
        """Note a failed attempt; `next_s` None: there will be no other, the message is dead."""
        table = schema.openadr_message
        values: dict[str, Any] = {"attempts": table.c.attempts + 1, "last_error": error[:500]}
        values |= {"state": DEAD} if next_s is None else {"next_s": next_s}
        async with self._transaction() as unit:
            await unit.connection.execute(
                update(table).where(table.c.number == number).values(values)
            )

    async def dead(self, *, count_max: int) -> Sequence[Message]:
        """The messages that were given up, newest first."""
        message = schema.openadr_message.c
        query = (
            _messages()
            .where(message.state == DEAD)
            .order_by(message.number.desc())
            .limit(count_max)
        )
        async with self._reading("outbox") as connection:
            return [Message(**row) for row in (await connection.execute(query)).mappings()]

    async def replay(self, number: int, *, now_s: float) -> bool:
        """Try a dead message again from now on; False when there is no such one."""
        table = schema.openadr_message
        async with self._transaction() as unit:
            done = await unit.connection.execute(
                update(table)
                .where(table.c.number == number, table.c.state == DEAD)
                .values(state=WAITING, attempts=0, next_s=now_s)
            )
        return done.rowcount == 1

    async def sweep(self, *, before_s: float) -> int:
        """Forget what was delivered, or died, before `before_s`; the number of messages."""
        message, change = schema.openadr_message, schema.openadr_change
        old = select(change.c.number).where(change.c.at_s < before_s)
        async with self._transaction() as unit:
            done = await unit.connection.execute(
                delete(message).where(message.c.state != WAITING, message.c.change_number.in_(old))
            )
            told = select(message.c.change_number)
            await unit.connection.execute(
                delete(change).where(change.c.at_s < before_s, change.c.number.not_in(told))
            )
        return done.rowcount

    async def _settle(self, numbers: Sequence[int], *, state: str, last_error: str) -> None:
        if not numbers:
            return
        table = schema.openadr_message
        async with self._transaction() as unit:
            await unit.connection.execute(
                update(table)
                .where(table.c.number.in_(numbers))
                .values(state=state, last_error=last_error, attempts=table.c.attempts + 1)
            )


def _messages() -> Select[Any]:
    message, change = schema.openadr_message.c, schema.openadr_change.c
    client = schema.openadr_client.c
    return (
        select(
            message.number,
            message.subscription_id,
            message.client_id,
            client.role,
            message.url,
            message.bearer,
            client.webhook_secret,
            change.object_type,
            change.operation,
            change.at_s,
            change.body,
            message.attempts,
        )
        .join(schema.openadr_change, change.number == message.change_number)
        .join(schema.openadr_client, client.client_id == message.client_id)
    )


def announce(run: Run, one: StoredObject, operation: str) -> bool:
    """Put a change of `one`, whose targets are written, into the outbox of everybody who subscribed
    to it and may see it; whether there was anybody."""
    values = {
        "object_type": one.kind.upper(),
        "operation": operation,
        "program": one.id if one.kind == "program" else one.keys.get("program_id"),
        "owner": one.client_id,
        "of_kind": one.kind,
        "of_id": one.id,
    }
    is_targeted = one.kind in TARGETED
    if not run(_anybody(is_targeted=is_targeted), values).rows:
        return False
    change = {
        "object_type": one.kind.upper(),
        "operation": operation,
        "at_s": one.modified_s,
        "body": written(one),
    }
    ((number,),) = run(_CHANGE, change).rows
    run(_messages_to_all(is_targeted=is_targeted), {**values, "change": number})
    return True


def forget(run: Run, subscription_id: str) -> None:
    """Take a subscription's callbacks away, and what waits for them: its owner said so."""
    run(_FORGET_CALLBACKS, {"of_id": subscription_id})
    run(_FORGET_MESSAGES, {"of_id": subscription_id})


_CHANGE: Final = Prepared(
    insert(schema.openadr_change).returning(schema.openadr_change.c.number),
    keys=("object_type", "operation", "at_s", "body"),
)
_FORGET_CALLBACKS: Final = Prepared(
    delete(schema.openadr_callback).where(
        schema.openadr_callback.c.subscription_id == bindparam("of_id")
    )
)
_FORGET_MESSAGES: Final = Prepared(
    delete(schema.openadr_message).where(
        schema.openadr_message.c.subscription_id == bindparam("of_id"),
        schema.openadr_message.c.state == WAITING,
    )
)


@cache
def _anybody(*, is_targeted: bool) -> Prepared:
    number = schema.openadr_callback.c.number
    return Prepared(select(number).where(*_receives(is_targeted=is_targeted)).limit(1))


@cache
def _messages_to_all(*, is_targeted: bool) -> Prepared:
    callback = schema.openadr_callback.c
    columns = {
        "change_number": bindparam("change", type_=schema.Number),
        "subscription_id": callback.subscription_id,
        "client_id": callback.client_id,
        "url": callback.url,
        "bearer": callback.bearer,
        "state": literal_column(f"'{WAITING}'"),
        "attempts": literal_column("0"),
        "next_s": literal_column("0.0"),
        "last_error": literal_column("''"),
    }
    rows = select(*columns.values()).where(*_receives(is_targeted=is_targeted))
    return Prepared(insert(schema.openadr_message).from_select(list(columns), rows))


def _receives(*, is_targeted: bool) -> list[ColumnElement[bool]]:
    """Callbacks that hear of a change of one object, and may."""
    callback = schema.openadr_callback.c
    program = bindparam("program", type_=Text)
    return [
        callback.object_type == bindparam("object_type"),
        callback.operation == bindparam("operation"),
        or_(callback.program_id.is_(None), callback.program_id == program),
        _may_see_targeted() if is_targeted else _may_see_owned(),
        _wants(),
    ]


def _own_targets() -> Select[Any]:
    """Of the object that has changed."""
    target = schema.openadr_target.alias("of_object").c
    return select(target.target).where(
        target.kind == bindparam("of_kind"), target.object_id == bindparam("of_id")
    )


def _is_business_logic() -> ColumnElement[bool]:
    client = schema.openadr_client.c
    return schema.openadr_callback.c.client_id.in_(
        select(client.client_id).where(client.role == "business-logic")
    )


def _may_see_owned() -> ColumnElement[bool]:
    return or_(schema.openadr_callback.c.client_id == bindparam("owner"), _is_business_logic())


def _may_see_targeted() -> ColumnElement[bool]:
    target, ven, resource = schema.openadr_target.c, schema.openadr_ven.c, schema.openadr_resource.c
    # who was granted one of the targets is found once, not once for each subscription
    granted = union_all(
        select(ven.client_id).where(
            ven.id.in_(
                select(target.object_id).where(
                    target.kind == "ven", target.target.in_(_own_targets())
                )
            )
        ),
        select(resource.client_id).where(
            resource.id.in_(
                select(target.object_id).where(
                    target.kind == "resource", target.target.in_(_own_targets())
                )
            )
        ),
    )
    return or_(
        not_(exists(_own_targets())),
        _is_business_logic(),
        schema.openadr_callback.c.client_id.in_(granted),
    )


def _wants() -> ColumnElement[bool]:
    """A subscription with targets hears only of objects that have one of them."""
    callback, target = schema.openadr_callback.c, schema.openadr_target.c
    own = and_(target.kind == "subscription", target.object_id == callback.subscription_id)
    return or_(
        not_(exists(select(target.target).where(own))),
        exists(select(target.target).where(own, target.target.in_(_own_targets()))),
    )


def written(one: StoredObject) -> str:
    """What a change keeps of its object: all that a notification is made of."""
    return json.dumps(
        {
            "kind": one.kind,
            "id": one.id,
            "client_id": one.client_id,
            "keys": dict(one.keys),
            "targets": list(one.targets),
            "body": one.body,
            "created_s": one.created_s,
            "modified_s": one.modified_s,
        },
        ensure_ascii=False,
    )
