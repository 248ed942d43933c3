"""Dispatch requests: what customer systems ask for."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import RowMapping, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gridctl.model.errors import InvariantViolation
from gridctl.model.program import DispatchRequest, RequestState
from gridctl.store import schema


async def put(connection: AsyncConnection, request: DispatchRequest) -> None:
    """Insert or replace by mrid."""
    table = schema.request
    await connection.execute(delete(table).where(table.c.mrid == request.mrid))
    devices = None if request.devices is None else json.dumps(request.devices)
    values = asdict(request) | {"state": request.state.value, "devices": devices}
    await connection.execute(insert(table).values(values))


async def move(connection: AsyncConnection, mrid: str, to: RequestState) -> None:
    """Set the state. Raises InvariantViolation for a request that is not there."""
    table = schema.request
    done = await connection.execute(
        update(table).where(table.c.mrid == mrid).values(state=to.value)
    )
    if done.rowcount == 0:
        raise InvariantViolation(f"request {mrid} is not in the store")


async def listed(
    connection: AsyncConnection, *, states: Sequence[RequestState]
) -> Sequence[DispatchRequest]:
    """By start, then priority (lower number first). All states when `states` is empty."""
    table = schema.request
    query = select(table).order_by(table.c.start_s, table.c.priority, table.c.mrid)
    if states:
        query = query.where(table.c.state.in_([state.value for state in states]))
    return [_request(row) for row in (await connection.execute(query)).mappings()]


def _request(row: RowMapping) -> DispatchRequest:
    found: dict[str, Any] = {**row}
    named = found["devices"]
    devices = None if named is None else tuple(json.loads(named))
    return DispatchRequest(**found | {"state": RequestState(found["state"]), "devices": devices})
