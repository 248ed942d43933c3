"""Writes of OpenADR's objects: one unit of work each, with what subscribers are told of it.

Plain functions that run prepared statements (`gridctl.store.visit`): a customer system that posts
an event waits for one visit to the database.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Final

from sqlalchemy import bindparam, delete, insert, select, update

from gridctl.store import schema
from gridctl.store.openadr_kinds import (
    TABLES,
    Callbacks,
    Conflict,
    Reader,
    StoredObject,
    columns,
    stored,
    visible,
)
from gridctl.store.openadr_outbox import announce, forget
from gridctl.store.openadr_publications import publish
from gridctl.store.visit import Prepared, Run

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

_TARGET: Final = schema.openadr_target.c
_ADD_TARGET: Final = Prepared(
    insert(schema.openadr_target), keys=("kind", "object_id", "target", "place")
)
_CLEAR_TARGETS: Final = Prepared(
    delete(schema.openadr_target).where(
        _TARGET.kind == bindparam("of_kind"), _TARGET.object_id == bindparam("of_id")
    )
)
_TARGETS: Final = Prepared(
    select(_TARGET.target)
    .where(_TARGET.kind == bindparam("of_kind"), _TARGET.object_id == bindparam("of_id"))
    .order_by(_TARGET.place)
)
_ADD_CALLBACK: Final = Prepared(
    insert(schema.openadr_callback),
    keys=(
        "subscription_id",
        "client_id",
        "program_id",
        "object_type",
        "operation",
        "url",
        "bearer",
    ),
)


def add(run: Run, new: StoredObject, reader: Reader, callbacks: Callbacks) -> Conflict | None:
    """Keep a new object; or the reason why not."""
    conflict = _conflict(run, new, reader)
    if conflict is not None:
        return conflict
    run(_insert(new.kind), {**columns(new), "id": new.id, "created_s": new.created_s})
    _write_targets(run, new)
    _write_callbacks(run, new, callbacks)
    return None


def put(run: Run, changed: StoredObject, reader: Reader, callbacks: Callbacks) -> Conflict | None:
    """Replace an object that is there; or the reason why not."""
    conflict = _conflict(run, changed, reader)
    if conflict is not None:
        return conflict
    run(_update(changed.kind), {**columns(changed), "of_id": changed.id})
    run(_CLEAR_TARGETS, {"of_kind": changed.kind, "of_id": changed.id})
    _write_targets(run, changed)
    _write_callbacks(run, changed, callbacks)
    return None


def remove(run: Run, gone: StoredObject, *, publishes: bool) -> Conflict | bool:
    """Delete an object and its parts, and tell of it: whether anybody hears. A conflict while
    others refer to it."""
    for kind, column in _HOLDS.get(gone.kind, ()):
        if run(_referring(kind, column), {"value": gone.id}).rows:
            return Conflict(reason=f"the {gone.kind} still has {kind}s: delete them first")
    heard = False
    for kind, column in _PARTS.get(gone.kind, ()):
        for row in run(_parts(kind, column), {"value": gone.id}).rows:
            heard |= _delete(run, read(run, kind, row), publishes=publishes)
    return _delete(run, gone, publishes=publishes) or heard


def read(run: Run, kind: str, row: Sequence[Any]) -> StoredObject:
    """The object of a row of its table, with its targets."""
    values = dict(zip(TABLES[kind].c.keys(), row, strict=True))
    found = run(_TARGETS, {"of_kind": kind, "of_id": values["id"]}).rows
    return stored(kind, values, [target for (target,) in found])


def tell(run: Run, one: StoredObject, operation: str, *, publishes: bool) -> bool:
    """Into the outbox of subscribers, and of the broker if there is one; whether anybody hears."""
    heard = announce(run, one, operation)
    if publishes:
        publish(run, one, operation)
    return heard or publishes


def _delete(run: Run, gone: StoredObject, *, publishes: bool) -> bool:
    if gone.kind == "subscription":
        forget(run, gone.id)
    # told before its grants are gone, so that those who could see it learn of it
    heard = tell(run, gone, "DELETE", publishes=publishes)
    run(_CLEAR_TARGETS, {"of_kind": gone.kind, "of_id": gone.id})
    run(_delete_one(gone.kind), {"of_id": gone.id})
    return heard


def _conflict(run: Run, new: StoredObject, reader: Reader) -> Conflict | None:
    values = columns(new)
    for names in _UNIQUE.get(new.kind, ()):
        same = {f"is_{name}": values[name] for name in names}
        if run(_twin(new.kind, names), {"not_id": new.id, **same}).rows:
            told = " and ".join(f"{name.removesuffix('_id')} {values[name]!r}" for name in names)
            return Conflict(reason=f"there is a {new.kind} with {told} already")
    for column, kind in _REFERS.get(new.kind, ()):
        id_ = values[column]
        if id_ is None:
            continue
        seen = _seen(kind, sees_all=reader.sees_all)
        if not run(seen, {"of_id": id_, "client": reader.client_id}).rows:
            return Conflict(reason=f"there is no {kind} {id_!r}")
    return None


def _write_targets(run: Run, one: StoredObject) -> None:
    rows = [
        {"kind": one.kind, "object_id": one.id, "target": target, "place": place}
        for place, target in enumerate(dict.fromkeys(one.targets))
    ]
    if rows:
        run.many(_ADD_TARGET, rows)


def _write_callbacks(run: Run, one: StoredObject, callbacks: Callbacks) -> None:
    if one.kind != "subscription":
        return
    forget(run, one.id)
    mine = {
        "subscription_id": one.id,
        "client_id": one.client_id,
        "program_id": one.keys["program_id"],
    }
    if callbacks:
        run.many(_ADD_CALLBACK, [{**mine, **callback} for callback in callbacks])


# --- statements, one of each kind -----------------------------------------------------------------


@cache
def _insert(kind: str) -> Prepared:
    table = TABLES[kind]
    return Prepared(insert(table), keys=[c.name for c in table.c if c.name != "number"])


@cache
def _update(kind: str) -> Prepared:
    table = TABLES[kind]
    kept = ("number", "id", "created_s")
    return Prepared(
        update(table).where(table.c.id == bindparam("of_id")),
        keys=[c.name for c in table.c if c.name not in kept],
    )


@cache
def _delete_one(kind: str) -> Prepared:
    table = TABLES[kind]
    return Prepared(delete(table).where(table.c.id == bindparam("of_id")))


@cache
def _referring(kind: str, column: str) -> Prepared:
    table = TABLES[kind].c
    return Prepared(select(table.id).where(table[column] == bindparam("value")).limit(1))


@cache
def _parts(kind: str, column: str) -> Prepared:
    table = TABLES[kind]
    return Prepared(select(table).where(table.c[column] == bindparam("value")))


@cache
def _twin(kind: str, names: tuple[str, ...]) -> Prepared:
    table = TABLES[kind].c
    same = (table[name] == bindparam(f"is_{name}") for name in names)
    return Prepared(select(table.id).where(table.id != bindparam("not_id"), *same).limit(1))


@cache
def _seen(kind: str, *, sees_all: bool) -> Prepared:
    table = TABLES[kind].c
    client: Any = None if sees_all else bindparam("client")
    return Prepared(select(table.id).where(table.id == bindparam("of_id"), *visible(kind, client)))
