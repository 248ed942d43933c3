"""Plans, their journal of states, and who said yes."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import Row, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gridctl.model.approval import Approval
from gridctl.model.canonical import canonical_json
from gridctl.model.errors import InvariantViolation, Refusal, RefusedError
from gridctl.model.plan import PLAN_TRANSITIONS, Plan, PlanState
from gridctl.model.record import StoredPlan
from gridctl.store import schema
from gridctl.store.restore import restored

_REMEMBERED = 64


class Plans:
    """Plans are immutable, so the newest ones are read from memory, not parsed again."""

    def __init__(self) -> None:
        self._remembered: OrderedDict[str, Plan] = OrderedDict()

    async def get(self, connection: AsyncConnection, mrid: str) -> StoredPlan | None:
        """The plan with its approvals, or None."""
        table = schema.plan
        row = (await connection.execute(select(table).where(table.c.mrid == mrid))).one_or_none()
        return None if row is None else (await self._stored(connection, [row]))[0]

    async def listed(
        self, connection: AsyncConnection, *, states: Sequence[PlanState], limit: int
    ) -> Sequence[StoredPlan]:
        """Newest first; all states when `states` is empty."""
        table = schema.plan
        query = select(table).order_by(table.c.number.desc()).limit(limit)
        if states:
            query = query.where(table.c.state.in_([state.value for state in states]))
        return await self._stored(connection, (await connection.execute(query)).all())

    async def _stored(
        self, connection: AsyncConnection, rows: Sequence[Row[Any]]
    ) -> list[StoredPlan]:
        given: dict[str, list[Approval]] = {row.mrid: [] for row in rows}
        table = schema.approval
        columns = [column for column in table.c if column is not table.c.number]
        query = select(*columns).where(table.c.plan.in_(list(given))).order_by(table.c.number)
        for found in (await connection.execute(query)).mappings():
            given[found["plan"]].append(Approval(**found))
        return [
            StoredPlan(
                plan=self._plan(row),
                digest=row.digest,
                state=PlanState(row.state),
                state_at_s=row.state_at_s,
                reason=row.reason,
                approvals=tuple(given[row.mrid]),
            )
            for row in rows
        ]

    def _plan(self, row: Row[Any]) -> Plan:
        known = self._remembered.get(row.mrid)
        if known is not None:
            self._remembered.move_to_end(row.mrid)
            return known
        if hashlib.sha256(row.body.encode()).hexdigest() != row.digest:
            raise InvariantViolation(f"plan {row.mrid} in the database is not what was proposed")
        plan = restored(Plan, row.body)
        self._remembered[row.mrid] = plan
        if len(self._remembered) > _REMEMBERED:
            self._remembered.popitem(last=False)
        return plan


async def add(connection: AsyncConnection, plan: Plan, state: PlanState, at_s: float) -> None:
    """A new plan with the first row of its journal."""
    body = canonical_json(plan)
    await connection.execute(
        insert(schema.plan).values(
            mrid=plan.mrid,
            digest=hashlib.sha256(body).hexdigest(),
            body=body.decode(),
            created_s=plan.created_s,
            state=state.value,
            state_at_s=at_s,
            reason="",
        )
    )
    await _journal(connection, plan.mrid, state, at_s, "")


async def move(
    connection: AsyncConnection,
    mrid: str,
    *,
    expected: PlanState,
    to: PlanState,
    at_s: float,
    reason: str,
) -> bool:
    """Compare-and-set; see `Transaction.move_plan`."""
    if to not in PLAN_TRANSITIONS[expected]:
        raise InvariantViolation(f"plan {mrid}: {to.value} cannot follow {expected.value}")
    table = schema.plan
    done = await connection.execute(
        update(table)
        .where(table.c.mrid == mrid, table.c.state == expected.value)
        .values(state=to.value, state_at_s=at_s, reason=reason)
    )
    if done.rowcount == 0:
        return False
    await _journal(connection, mrid, to, at_s, reason)
    return True


async def _journal(
    connection: AsyncConnection, mrid: str, state: PlanState, at_s: float, reason: str
) -> None:
    table = schema.plan_state
    count = select(func.count()).select_from(table).where(table.c.plan == mrid)
    step = (await connection.execute(count)).scalar_one()
    await connection.execute(
        insert(table).values(plan=mrid, step=step, state=state.value, at_s=at_s, reason=reason)
    )


async def add_approval(connection: AsyncConnection, approval: Approval) -> None:
    """One person's yes. Raises InvariantViolation when it is for another digest than the plan's,
    RefusedError when the person or the session has approved this plan already (SG-07)."""
    table = schema.plan
    digest = (
        await connection.execute(select(table.c.digest).where(table.c.mrid == approval.plan))
    ).scalar_one_or_none()
    if digest != approval.digest:
        raise InvariantViolation(f"approval of plan {approval.plan} names another digest")
    given = schema.approval
    same = select(given.c.by).where(
        given.c.plan == approval.plan,
        (given.c.by == approval.by) | (given.c.session == approval.session),
    )
    if (await connection.execute(same)).first() is not None:
        reason = f"{approval.by}, or this session, has approved this plan already"
        raise RefusedError(Refusal(code="same_person", reasons=(reason,)))
    await connection.execute(insert(given).values(asdict(approval)))
