"""Alarms by key: one condition is one row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import RowMapping, delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from gridctl.model.alarm import Alarm, AlarmState
from gridctl.store import schema


async def put(connection: AsyncConnection, alarm: Alarm) -> None:
    """Insert or replace by key."""
    table = schema.alarm
    await connection.execute(delete(table).where(table.c.key == alarm.key))
    await connection.execute(insert(table).values(asdict(alarm) | {"state": alarm.state.value}))


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
