"""The audit chain: who did what and why, each row sealed by the one before (SG-34).

How a row is linked is in `gridctl.model.chain`. The head row repeats the last link, so that a
missing tail is found; who can rewrite both needs the off-box checkpoints to be caught.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final

from sqlalchemy import RowMapping, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gridctl.model.chain import GENESIS, link
from gridctl.model.record import AuditEntry, AuditRow, ChainCheck
from gridctl.store import schema
from gridctl.store.visit import Prepared, Run

_PAGE_ROWS = 2_000


_HEAD: Final = Prepared(
    select(schema.audit_head.c.sequence, schema.audit_head.c.hash).with_for_update()
)
_ADD: Final = Prepared(insert(schema.audit), keys=schema.audit.c.keys())
_FIRST_HEAD: Final = Prepared(insert(schema.audit_head), keys=("id", "sequence", "hash"))
_MOVE_HEAD: Final = Prepared(update(schema.audit_head), keys=("sequence", "hash"))


async def append(connection: AsyncConnection, entry: AuditEntry) -> AuditRow:
    """Chain `entry` in the transaction of the act that it tells of."""
    head = schema.audit_head
    last = (await connection.execute(_HEAD.statement)).one_or_none()
    row = _linked(None if last is None else (last.sequence, last.hash), entry)
    await connection.execute(insert(schema.audit).values(_columns(row)))
    now = {"sequence": row.sequence, "hash": row.hash}
    if last is None:
        await connection.execute(insert(head).values(id=1, **now))
    else:
        await connection.execute(update(head).values(now))
    return row


def chained(run: Run, entry: AuditEntry) -> None:
    """The same in a unit of work that is one visit to the database."""
    last = run(_HEAD).rows
    row = _linked(tuple(last[0]) if last else None, entry)
    run(_ADD, _columns(row))
    now = {"sequence": row.sequence, "hash": row.hash}
    if last:
        run(_MOVE_HEAD, now)
    else:
        run(_FIRST_HEAD, {"id": 1, **now})


def _linked(last: tuple[int, str] | None, entry: AuditEntry) -> AuditRow:
    """The row that follows the one with this (sequence number, hash)."""
    previous, sequence = (GENESIS, 1) if last is None else (last[1], last[0] + 1)
    return AuditRow(
        sequence=sequence,
        entry=entry,
        previous=previous,
        hash=link(previous, sequence, entry),
    )


def _columns(row: AuditRow) -> dict[str, Any]:
    linked = {"sequence": row.sequence, "previous": row.previous, "hash": row.hash}
    return asdict(row.entry) | linked


async def listed(
    connection: AsyncConnection, *, limit: int, before: int | None
) -> Sequence[AuditRow]:
    """Newest first; `before` is a sequence number to page on from."""
    table = schema.audit
    query = select(table).order_by(table.c.sequence.desc()).limit(limit)
    if before is not None:
        query = query.where(table.c.sequence < before)
    return [_row(row) for row in (await connection.execute(query)).mappings()]


async def between(connection: AsyncConnection, first: int, last: int) -> Sequence[AuditRow]:
    """The rows from sequence number `first` to `last`, in their order."""
    table = schema.audit
    query = select(table).where(table.c.sequence.between(first, last)).order_by(table.c.sequence)
    return [_row(row) for row in (await connection.execute(query)).mappings()]


async def verify(connection: AsyncConnection, seen: Mapping[int, str]) -> ChainCheck:
    """Walk the whole chain; names the first row that is altered, missing or out of place.

    `seen`: hashes by sequence number that signed checkpoints have seen.
    """
    table = schema.audit
    previous, expected, rows = GENESIS, 1, 0
    while True:
        query = select(table).where(table.c.sequence >= expected).order_by(table.c.sequence)
        found = await connection.execute(query.limit(_PAGE_ROWS))
        page = [_row(row) for row in found.mappings()]
        for row in page:
            fault = _fault(row, expected, previous, seen.get(expected))
            if fault is not None:
                return ChainCheck(rows=rows, ok=False, first_bad=expected, detail=fault)
            previous, expected, rows = row.hash, expected + 1, rows + 1
        if len(page) < _PAGE_ROWS:
            return await _end(connection, rows, previous, max(seen, default=0))


def _fault(row: AuditRow, expected: int, previous: str, seen: str | None) -> str | None:
    if row.sequence != expected:
        return f"row {expected} is missing: row {row.sequence} follows row {expected - 1}"
    if row.previous != previous:
        return f"row {expected} does not continue row {expected - 1}"
    if row.hash != link(previous, row.sequence, row.entry):
        return f"row {expected} is not what was written"
    if seen is not None and seen != row.hash:
        return f"row {expected} is not the one that a checkpoint has seen"
    return None


async def _end(connection: AsyncConnection, rows: int, last: str, seen_to: int) -> ChainCheck:
    head = (await connection.execute(select(schema.audit_head))).one_or_none()
    sequence, hash_ = (0, GENESIS) if head is None else (head.sequence, head.hash)
    if sequence > rows:
        detail = f"rows {rows + 1} to {sequence} are missing at the end"
        return ChainCheck(rows=rows, ok=False, first_bad=rows + 1, detail=detail)
    if seen_to > rows:
        detail = f"rows {rows + 1} to {seen_to} are cut off: a checkpoint has seen row {seen_to}"
        return ChainCheck(rows=rows, ok=False, first_bad=rows + 1, detail=detail)
    if sequence != rows or hash_ != last:
        detail = f"the head says row {sequence}, the chain ends with row {rows}"
        return ChainCheck(rows=rows, ok=False, first_bad=max(rows, 1), detail=detail)
    return ChainCheck(rows=rows, ok=True, first_bad=None, detail=f"{rows} rows, unbroken")


def _row(row: RowMapping) -> AuditRow:
    found: dict[str, Any] = {**row}
    sequence, previous, hash_ = (found.pop(key) for key in ("sequence", "previous", "hash"))
    return AuditRow(sequence=sequence, entry=AuditEntry(**found), previous=previous, hash=hash_)
