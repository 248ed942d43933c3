"""Duty records by number, and the journal of alarms."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gridctl.model.alarm import Shelf
from gridctl.model.canonical import canonical_json
from gridctl.model.duty import AlarmEvent, DutyKind, DutyRecord, Handover, ManualStep
from gridctl.store import alarms, schema
from gridctl.store.restore import restored

EVENTS_MAX = 100_000


class Duties:
    """Reads; what is written goes through `Transaction`."""

    def __init__(
        self, *, reading: Callable[[str], AbstractAsyncContextManager[AsyncConnection]]
    ) -> None:
        self._reading = reading

    async def get(self, number: int) -> DutyRecord | None:
        """One record, or None."""
        table = schema.duty_record
        async with self._reading("duty") as connection:
            query = select(table).where(table.c.number == number)
            row = (await connection.execute(query)).one_or_none()
        return None if row is None else _record(row.number, row.kind, row.body)

    async def listed(self, kind: DutyKind, *, limit: int) -> Sequence[DutyRecord]:
        """The newest first."""
        table = schema.duty_record
        query = select(table).where(table.c.kind == kind.value)
        async with self._reading("duties") as connection:
            rows = await connection.execute(query.order_by(table.c.number.desc()).limit(limit))
            return [_record(row.number, row.kind, row.body) for row in rows]

    async def alarm_events(self, *, start_s: float, end_s: float) -> Sequence[AlarmEvent]:
        """What happened to alarms in [start_s, end_s), oldest first; the newest EVENTS_MAX."""
        table = schema.alarm_event
        query = (
            select(table)
            .where(table.c.at_s >= start_s, table.c.at_s < end_s)
            .order_by(table.c.number.desc())
            .limit(EVENTS_MAX)
        )
        async with self._reading("alarm events") as connection:
            rows = (await connection.execute(query)).all()[::-1]
        return [
            AlarmEvent(key=row.key, priority=row.priority, what=row.what, at_s=row.at_s, by=row.by)
            for row in rows
        ]

    async def shelves(self) -> Sequence[Shelf]:
        """Alarms that were put aside."""
        async with self._reading("shelves") as connection:
            return await alarms.shelves(connection)


def _record(number: int, kind: str, body: str) -> DutyRecord:
    is_handover = kind == DutyKind.HANDOVER.value
    return DutyRecord(
        number=number,
        body=restored(Handover, body) if is_handover else restored(ManualStep, body),
    )


async def add(connection: AsyncConnection, body: Handover | ManualStep) -> int:
    """A new record; its number."""
    kind = DutyKind.HANDOVER if isinstance(body, Handover) else DutyKind.MANUAL_STEP
    table = schema.duty_record
    done = await connection.execute(
        insert(table)
        .values(kind=kind.value, body=canonical_json(body).decode())
        .returning(table.c.number)
    )
    return int(done.scalar_one())


async def put(connection: AsyncConnection, record: DutyRecord) -> None:
    """Replace the body."""
    table = schema.duty_record
    await connection.execute(
        update(table)
        .where(table.c.number == record.number)
        .values(body=canonical_json(record.body).decode())
    )
