"""What the store knows of an OpenADR object: its kind's table, who may see it, what was granted.

The store does not know the wire's types, only what it has to search, to keep unique and to hide.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, Table, and_, exists, not_, or_, select, union_all

from gridctl.store import schema

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """Who asks. `sees_all`: business logic."""

    client_id: str
    sees_all: bool

    @property
    def limited_to(self) -> str | None:
        """The client whose sight it is; None: it sees everything."""
        return None if self.sees_all else self.client_id


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


def visible(kind: str, client_id: str | ColumnElement[str] | None) -> list[ColumnElement[bool]]:
    """What of `kind` the client may see; None: business logic, which sees everything."""
    if client_id is None:
        return []
    table = TABLES[kind].c
    if kind not in TARGETED:
        return [table.client_id == client_id]
    target = schema.openadr_target.c
    own = and_(target.kind == kind, target.object_id == table.id)
    return [
        or_(
            not_(exists(select(target.target).where(own))),
            exists(select(target.target).where(own, target.target.in_(grants(client_id)))),
        )
    ]


_COMMON = frozenset({"number", "id", "client_id", "created_s", "modified_s", "body"})


def stored(kind: str, values: Mapping[str, Any], targets: Sequence[str]) -> StoredObject:
    """An object from the columns of its row."""
    return StoredObject(
        kind=kind,
        id=values["id"],
        client_id=values["client_id"],
        keys={name: values[name] for name in values if name not in _COMMON},
        targets=tuple(targets),
        body=values["body"],
        created_s=values["created_s"],
        modified_s=values["modified_s"],
    )


def columns(one: StoredObject) -> dict[str, Any]:
    """The columns of an object's row that change with it."""
    return {
        **one.keys,
        "client_id": one.client_id,
        "modified_s": one.modified_s,
        "body": one.body,
    }


def body_text(body: Mapping[str, Any]) -> str:
    """A body as it is kept: without targets, which have a table of their own."""
    return json.dumps(
        {key: value for key, value in body.items() if key != "targets"},
        ensure_ascii=False,
        separators=(",", ":"),
    )
