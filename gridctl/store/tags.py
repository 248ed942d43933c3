"""Tags that hang on devices."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager

from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from gridctl.model.canonical import canonical_json
from gridctl.model.tag import Tag
from gridctl.store import schema
from gridctl.store.restore import restored


class Tags:
    """Reads; what is written goes through `Transaction`."""

    def __init__(
        self, *, reading: Callable[[str], AbstractAsyncContextManager[AsyncConnection]]
    ) -> None:
        self._reading = reading

    async def all(self) -> Sequence[Tag]:
        """The oldest first."""
        async with self._reading("tags") as connection:
            rows = await connection.execute(select(schema.tag.c.body))
            found = [restored(Tag, body) for body in rows.scalars()]
        return sorted(found, key=lambda tag: (tag.at_s, tag.id))


async def put(connection: AsyncConnection, tag: Tag) -> None:
    """Insert or replace by its name."""
    await remove(connection, tag.id)
    body = canonical_json(tag).decode()
    await connection.execute(insert(schema.tag).values(id=tag.id, device=tag.device, body=body))


async def remove(connection: AsyncConnection, id_: str) -> None:
    """Nothing happens when there is none."""
    await connection.execute(delete(schema.tag).where(schema.tag.c.id == id_))
