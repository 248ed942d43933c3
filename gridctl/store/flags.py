"""Small durable facts (mode, stopped), and the numbers that fence orders."""

from __future__ import annotations

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gridctl.model.errors import UnavailableError
from gridctl.store import schema


async def put(connection: AsyncConnection, key: str, value: str) -> None:
    """Insert or replace."""
    table = schema.flag
    done = await connection.execute(update(table).where(table.c.key == key).values(value=value))
    if done.rowcount == 0:
        await connection.execute(insert(table).values(key=key, value=value))


async def get(connection: AsyncConnection, key: str) -> str | None:
    """The value, or None when it was never set."""
    table = schema.flag
    found = await connection.execute(select(table.c.value).where(table.c.key == key))
    return found.scalar_one_or_none()


async def next_sequence(connection: AsyncConnection, epoch: int | None) -> tuple[int, int]:
    """(epoch, sequence) for the next order. `epoch` is the caller's, None before its first order.

    The first order of an office opens a new epoch; an office whose epoch is no longer the newest
    has been taken over and raises UnavailableError: it must not command any more (SG-25).
    """
    table = schema.order_sequence
    row = (await connection.execute(select(table).with_for_update())).one_or_none()
    if row is None:
        await connection.execute(insert(table).values(id=1, epoch=1, sequence=1))
        return 1, 1
    if epoch is not None and row.epoch != epoch:
        raise UnavailableError(
            f"another office commands since epoch {row.epoch}; this one had epoch {epoch}"
        )
    new_epoch = row.epoch + 1 if epoch is None else epoch
    await connection.execute(update(table).values(epoch=new_epoch, sequence=row.sequence + 1))
    return new_epoch, row.sequence + 1


async def fence(connection: AsyncConnection, epoch: int) -> int:
    """Orders go on in an epoch after `epoch`; the epoch that is now behind us.

    For a database that was restored from a backup: the field has seen later orders than it.
    """
    table = schema.order_sequence
    row = (await connection.execute(select(table).with_for_update())).one_or_none()
    if row is None:
        await connection.execute(insert(table).values(id=1, epoch=epoch, sequence=0))
        return epoch
    behind = max(int(row.epoch), epoch)
    await connection.execute(update(table).values(epoch=behind))
    return behind
