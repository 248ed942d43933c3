"""All that the record holds about one plan, for an evidence pack. Reads only."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager

from sqlalchemy import func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from gridctl.model.plan import PlanState
from gridctl.model.record import AuditRow, PlanStep
from gridctl.store import audit, inputs, schema

AUDIT_ROWS_MAX = 100_000


class Dossiers:
    """Fulfils `gridctl.control.evidence.Dossiers`."""

    def __init__(
        self, *, reading: Callable[[str], AbstractAsyncContextManager[AsyncConnection]]
    ) -> None:
        self._reading = reading

    async def body(self, plan: str) -> bytes | None:
        """The plan's canonical JSON as it was written; None when there is no such plan."""
        async with self._reading("plan body") as connection:
            query = select(schema.plan.c.body).where(schema.plan.c.mrid == plan)
            found = (await connection.execute(query)).scalar_one_or_none()
        return None if found is None else str(found).encode()

    async def inputs(self, plan: str) -> Mapping[str, bytes]:
        """What the plan was computed from, by name of the part."""
        async with self._reading("plan inputs") as connection:
            return await inputs.of(connection, plan)

    async def steps(self, plan: str) -> Sequence[PlanStep]:
        """The plan's journal, oldest first."""
        table = schema.plan_state
        async with self._reading("plan steps") as connection:
            query = select(table).where(table.c.plan == plan).order_by(table.c.step)
            return [
                PlanStep(state=PlanState(row.state), at_s=row.at_s, reason=row.reason)
                for row in await connection.execute(query)
            ]

    async def of_requests(self, requests: Sequence[str]) -> Sequence[str]:
        """Plans that answer one of `requests` (mRIDs), oldest first."""
        table = schema.plan
        if not requests:
            return []
        names = or_(*(table.c.body.contains(f'"{name}"', autoescape=True) for name in requests))
        async with self._reading("plans of an event") as connection:
            query = select(table.c.mrid).where(names).order_by(table.c.number)
            return [str(mrid) for mrid in (await connection.execute(query)).scalars()]

    async def audit(self, objects: Sequence[str], digests: Sequence[str]) -> Sequence[AuditRow]:
        """The audit rows from the first to the last that is about one of `objects`, a plan of
        `digests`, or a command of theirs (`PLAN.…`), with all that lies between: an unbroken piece
        of the chain. At most AUDIT_ROWS_MAX."""
        table = schema.audit
        async with self._reading("audit") as connection:
            about = or_(
                table.c.object.in_(objects),
                table.c.plan_digest.in_(digests),
                *(table.c.object.like(f"{name}.%") for name in objects),
            )
            ends = select(func.min(table.c.sequence), func.max(table.c.sequence)).where(about)
            first, last = (await connection.execute(ends)).one()
            if first is None:
                return []
            return await audit.between(connection, first, min(last, first + AUDIT_ROWS_MAX - 1))
