"""Modes of areas and scores of shadow plans."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager

from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from gridctl.model.canonical import canonical_json
from gridctl.model.mode import AreaMode, ShadowScore
from gridctl.model.plan import PlanState
from gridctl.store import schema
from gridctl.store.restore import restored

JUDGED = (PlanState.SHADOW.value, PlanState.COMPLETED.value)
"""What people approved is evidence as well (SG-37)."""


class Modes:
    """Reads; what is written goes through `Transaction`."""

    def __init__(
        self, *, reading: Callable[[str], AbstractAsyncContextManager[AsyncConnection]]
    ) -> None:
        self._reading = reading

    async def all(self) -> Sequence[AreaMode]:
        """By area; nothing for one that nobody has ever set."""
        table = schema.area_mode
        async with self._reading("modes") as connection:
            rows = await connection.execute(select(table.c.body).order_by(table.c.area))
            return [restored(AreaMode, body) for body in rows.scalars()]

    async def scores(self, *, limit: int) -> Sequence[ShadowScore]:
        """The newest first."""
        table = schema.shadow_score
        async with self._reading("scores") as connection:
            query = select(table.c.body).order_by(table.c.end_s.desc(), table.c.plan).limit(limit)
            return [
                restored(ShadowScore, body) for body in (await connection.execute(query)).scalars()
            ]

    async def unscored(self, *, limit: int) -> Sequence[str]:
        """Plans that were made in shadow, or carried out, without a score, the newest first."""
        plan, score = schema.plan, schema.shadow_score
        query = (
            select(plan.c.mrid)
            .outerjoin(score, score.c.plan == plan.c.mrid)
            .where(plan.c.state.in_(JUDGED), score.c.plan.is_(None))
            .order_by(plan.c.number.desc())
            .limit(limit)
        )
        async with self._reading("unscored") as connection:
            return [str(mrid) for mrid in (await connection.execute(query)).scalars()]


async def put(connection: AsyncConnection, mode: AreaMode) -> None:
    """Insert or replace by area."""
    table = schema.area_mode
    await connection.execute(delete(table).where(table.c.area == mode.area))
    body = canonical_json(mode).decode()
    await connection.execute(insert(table).values(area=mode.area, body=body))


async def add_score(connection: AsyncConnection, score: ShadowScore) -> None:
    """The score of a shadow plan, once."""
    body = canonical_json(score).decode()
    await connection.execute(
        insert(schema.shadow_score).values(plan=score.plan, end_s=score.end_s, body=body)
    )
