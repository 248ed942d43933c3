"""The sequence of events: each change once, by the number that the field gave it.

Told twice (after a reconnect) it is stored once. Bounded: the oldest give way to the newest.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import RowMapping, delete, func, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from gridctl.model.link import Event
from gridctl.model.measurement import Measurement
from gridctl.model.record import EventRow
from gridctl.store import schema
from gridctl.store.quality import packed, unpacked

KEPT_MAX = 1_000_000
_INSERT = text(
    "INSERT INTO field_event (boot_id, number, point, value, quality, native, source_s,"
    " received_s) VALUES (:boot_id, :number, :point, :value, :quality, :native,"
    " :source_s, :received_s) ON CONFLICT DO NOTHING"
)


async def add(connection: AsyncConnection, boot_id: str, events: Sequence[Event]) -> None:
    """Append `events` of one run of the field agent; those that are there already are ignored."""
    if not events:
        return
    await connection.execute(_INSERT, [_row(boot_id, event) for event in events])
    table = schema.field_event
    newest = (await connection.execute(select(func.max(table.c.id)))).scalar_one()
    await connection.execute(delete(table).where(table.c.id <= newest - KEPT_MAX))


async def listed(
    connection: AsyncConnection, *, point: str | None, before_id: int | None, limit: int
) -> Sequence[EventRow]:
    """The newest first, in the order of their arrival; older than `before_id` if it is given."""
    table = schema.field_event
    query = select(table).order_by(table.c.id.desc())
    if point is not None:
        query = query.where(table.c.point == point)
    if before_id is not None:
        query = query.where(table.c.id < before_id)
    return [_event(row) for row in (await connection.execute(query.limit(limit))).mappings()]


def _row(boot_id: str, event: Event) -> dict[str, object]:
    measured = event.measurement
    return {
        "boot_id": boot_id,
        "number": event.number,
        "point": measured.point,
        "value": measured.value,
        "quality": packed(measured.quality, measured.time_quality),
        "native": measured.quality.native,
        "source_s": measured.source_time_s,
        "received_s": measured.received_time_s,
    }


def _event(row: RowMapping) -> EventRow:
    quality, time_quality = unpacked(row["quality"], row["native"])
    return EventRow(
        id=row["id"],
        number=row["number"],
        measurement=Measurement(
            point=row["point"],
            value=row["value"],
            quality=quality,
            source_time_s=row["source_s"],
            time_quality=time_quality,
            received_time_s=row["received_s"],
        ),
    )
