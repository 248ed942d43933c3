"""Alarms by key: one condition is one row."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import RowMapping, delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from gridctl.model.alarm import Alarm, AlarmState, Shelf
from gridctl.store import schema


async def put(connection: AsyncConnection, alarm: Alarm, at_s: float) -> None:
    """Insert or replace by key; what has happened to the alarm goes into its journal."""
    table = schema.alarm
    query = select(table).where(table.c.key == alarm.key)
    row = (await connection.execute(query)).mappings().one_or_none()
    for what, when_s, by in _happened(None if row is None else _alarm(row), alarm, at_s):
        await connection.execute(
            insert(schema.alarm_event).values(
                key=alarm.key, priority=alarm.priority, what=what, at_s=when_s, by=by
            )
        )
    await connection.execute(delete(table).where(table.c.key == alarm.key))
    await connection.execute(insert(table).values(asdict(alarm) | {"state": alarm.state.value}))


def _happened(before: Alarm | None, after: Alarm, at_s: float) -> Iterator[tuple[str, float, str]]:
    """What, when (grid), by whom."""
    is_new = before is None or before.raised_s != after.raised_s
    if is_new:
        yield "raised", after.raised_s, ""
    if after.cleared_s is not None and (before is None or is_new or before.cleared_s is None):
        yield "cleared", after.cleared_s, ""
    if after.acked_by is not None and (before is None or is_new or before.acked_by is None):
        yield "acked", at_s, after.acked_by


async def listed(connection: AsyncConnection, *, active_only: bool, limit: int) -> Sequence[Alarm]:
    """Highest priority first, then newest. `active_only` leaves out what is back to normal."""
    table = schema.alarm
    query = select(table).order_by(table.c.priority, table.c.raised_s.desc(), table.c.key)
    if active_only:
        query = query.where(table.c.state != AlarmState.NORMAL.value)
    return [_alarm(row) for row in (await connection.execute(query.limit(limit))).mappings()]


def _alarm(row: RowMapping) -> Alarm:
    found: dict[str, Any] = {**row}
    return Alarm(**found | {"state": AlarmState(found["state"])})


async def put_shelf(connection: AsyncConnection, shelf: Shelf) -> None:
    """One shelf a key."""
    await remove_shelf(connection, shelf.key)
    await connection.execute(insert(schema.alarm_shelf).values(asdict(shelf)))


async def remove_shelf(connection: AsyncConnection, key: str) -> None:
    """Nothing happens when there is none."""
    table = schema.alarm_shelf
    await connection.execute(delete(table).where(table.c.key == key))


async def shelves(connection: AsyncConnection) -> Sequence[Shelf]:
    """All that are kept, those whose time is over too."""
    rows = await connection.execute(select(schema.alarm_shelf))
    return [Shelf(**row) for row in rows.mappings()]
