"""Plans, their journal of states, and who said yes."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import Select, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gridctl.model.approval import Approval
from gridctl.model.canonical import canonical_json
from gridctl.model.errors import InvariantViolation, Refusal, RefusedError
from gridctl.model.plan import PLAN_TRANSITIONS, Plan, PlanState
from gridctl.model.record import StoredPlan
from gridctl.store import schema
from gridctl.store.restore import restored

_REMEMBERED = 128
_FATE = select(
    schema.plan.c.mrid,
    schema.plan.c.digest,
    schema.plan.c.state,
    schema.plan.c.state_at_s,
    schema.plan.c.reason,
)


class Plans:
    """Plans are immutable, so the newest ones are read from memory, not parsed again."""

    def __init__(self) -> None:
        self._remembered: OrderedDict[str, Plan] = OrderedDict()

    async def get(self, connection: AsyncConnection, mrid: str) -> StoredPlan | None:
        """The plan with its approvals, or None."""
        found = await self._stored(connection, _FATE.where(schema.plan.c.mrid == mrid))
        return found[0] if found else None

    async def listed(
        self, connection: AsyncConnection, *, states: Sequence[PlanState], limit: int
    ) -> Sequence[StoredPlan]:
        """Newest first; all states when `states` is empty."""
        columns = schema.plan.c
        query = _FATE.order_by(columns.number.desc()).limit(limit)
        if states:
            query = query.where(columns.state.in_([state.value for state in states]))
        return await self._stored(connection, query)

    async def _stored(self, connection: AsyncConnection, query: Select[Any]) -> list[StoredPlan]:
        rows = (await connection.execute(query)).all()
        mrids = [row.mrid for row in rows]
        plans = await self._bodies(connection, mrids)
        given = await _approvals(connection, mrids)
        return [
            StoredPlan(
                plan=plans[row.mrid],
                digest=row.digest,
                state=PlanState(row.state),
                state_at_s=row.state_at_s,
                reason=row.reason,
                approvals=tuple(given[row.mrid]),
            )
            for row in rows
        ]

    async def _bodies(self, connection: AsyncConnection, mrids: Sequence[str]) -> dict[str, Plan]:
        """The plans themselves; a body (some 200 kB) is read and parsed once."""
        plans = {mrid: self._remembered[mrid] for mrid in mrids if mrid in self._remembered}
        table = schema.plan.c
        unknown = [mrid for mrid in mrids if mrid not in plans]
        if unknown:
            query = select(table.mrid, table.digest, table.body).where(table.mrid.in_(unknown))
            for mrid, digest, body in await connection.execute(query):
                if hashlib.sha256(body.encode()).hexdigest() != digest:
                    raise InvariantViolation(f"plan {mrid} is not what was proposed")
                plans[mrid] = restored(Plan, body)
        for mrid in mrids:
            self._remembered[mrid] = plans[mrid]
            self._remembered.move_to_end(mrid)
        while len(self._remembered) > _REMEMBERED:
            self._remembered.popitem(last=False)
        return plans


async def _approvals(
    connection: AsyncConnection, mrids: Sequence[str]
) -> dict[str, list[Approval]]:
    given: dict[str, list[Approval]] = {mrid: [] for mrid in mrids}
    table = schema.approval
    columns = [column for column in table.c if column is not table.c.number]
    query = select(*columns).where(table.c.plan.in_(mrids)).order_by(table.c.number)
    for found in (await connection.execute(query)).mappings():
        given[found["plan"]].append(Approval(**found))
    return given


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
