"""Commands and their journal: rows are only ever added, in the order of TRANSITIONS."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gridctl.model.canonical import canonical_json
from gridctl.model.command import Command, CommandState, may_follow
from gridctl.model.errors import InvariantViolation
from gridctl.model.record import CommandRow
from gridctl.store import schema
from gridctl.store.restore import restored

_IDS_PER_QUERY = 500


async def add(
    connection: AsyncConnection, command: Command, *, state: CommandState, at_s: float
) -> None:
    """A new command with the first row of its journal."""
    await connection.execute(insert(schema.command), [_new(command, state, "")])
    await connection.execute(insert(schema.command_state), [_step(command.mrid, 0, state, at_s)])


async def order(
    connection: AsyncConnection, commands: Sequence[Command], *, order: str, at_s: float
) -> None:
    """New commands that are APPROVED and, with the same stroke, ORDERED by `order`: two statements
    however many they are, for the devices wait for this."""
    if not commands:
        return
    approved, ordered = CommandState.APPROVED, CommandState.ORDERED
    await connection.execute(
        insert(schema.command), [_new(command, ordered, order) for command in commands]
    )
    steps = [
        _step(command.mrid, number, state, at_s)
        for command in commands
        for number, state in enumerate((approved, ordered))
    ]
    await connection.execute(insert(schema.command_state), steps)


def _new(command: Command, state: CommandState, order: str) -> dict[str, Any]:
    return {
        "mrid": command.mrid,
        "plan": command.plan,
        "body": canonical_json(command).decode(),
        "order_id": order,
        "state": state.value,
        "status": "",
        "detail": "",
    }


def _step(
    mrid: str, step: int, state: CommandState, at_s: float, *, status: str = "", detail: str = ""
) -> dict[str, Any]:
    return {
        "command": mrid,
        "step": step,
        "state": state.value,
        "at_s": at_s,
        "status": status,
        "detail": detail,
    }


async def move(
    connection: AsyncConnection,
    mrid: str,
    *,
    to: CommandState,
    at_s: float,
    order: str,
    status: str,
    detail: str,
) -> bool:
    """Append a state; see `Transaction.move_command`. False for an unknown command, too.

    An empty `order` keeps the one that is known.
    """
    table, journal = schema.command, schema.command_state
    steps = (
        select(func.count())
        .select_from(journal)
        .where(journal.c.command == table.c.mrid)
        .scalar_subquery()
    )
    row = (
        await connection.execute(
            select(table.c.state, table.c.order_id, steps.label("steps"))
            .where(table.c.mrid == mrid)
            .with_for_update(of=table)
        )
    ).one_or_none()
    if row is None or not may_follow(CommandState(row.state), to):
        return False
    await connection.execute(
        update(table)
        .where(table.c.mrid == mrid)
        .values(state=to.value, status=status, detail=detail, order_id=order or row.order_id)
    )
    await connection.execute(
        insert(journal), [_step(mrid, row.steps, to, at_s, status=status, detail=detail)]
    )
    return True


async def set_measured(connection: AsyncConnection, mrid: str, measured_kw: float) -> None:
    """What the device's own power showed, kW. Raises InvariantViolation for no such command."""
    table = schema.command
    done = await connection.execute(
        update(table).where(table.c.mrid == mrid).values(measured_kw=measured_kw)
    )
    if done.rowcount == 0:
        raise InvariantViolation(f"command {mrid} is not in the store")


async def listed(
    connection: AsyncConnection, *, plan: str | None, limit: int
) -> Sequence[CommandRow]:
    """The newest `limit` commands (of one plan), in the order of their creation."""
    table = schema.command
    query = select(table).order_by(table.c.number.desc()).limit(limit)
    if plan is not None:
        query = query.where(table.c.plan == plan)
    rows = (await connection.execute(query)).all()[::-1]
    histories = await _histories(connection, [row.mrid for row in rows])
    return [_command_row(row, histories[row.mrid]) for row in rows]


async def get(connection: AsyncConnection, mrid: str) -> CommandRow | None:
    """One command, or None."""
    query = select(schema.command).where(schema.command.c.mrid == mrid)
    row = (await connection.execute(query)).one_or_none()
    return None if row is None else _command_row(row, (await _histories(connection, [mrid]))[mrid])


async def _histories(
    connection: AsyncConnection, mrids: Sequence[str]
) -> dict[str, list[tuple[CommandState, float, str, str]]]:
    found: dict[str, list[tuple[CommandState, float, str, str]]] = {mrid: [] for mrid in mrids}
    table = schema.command_state
    for start in range(0, len(mrids), _IDS_PER_QUERY):
        some = mrids[start : start + _IDS_PER_QUERY]
        query = select(table).where(table.c.command.in_(some)).order_by(table.c.step)
        for row in await connection.execute(query):
            found[row.command].append((CommandState(row.state), row.at_s, row.status, row.detail))
    return found


def _command_row(row: Row[Any], history: list[tuple[CommandState, float, str, str]]) -> CommandRow:
    return CommandRow(
        command=restored(Command, row.body),
        order=row.order_id,
        state=CommandState(row.state),
        status=row.status,
        detail=row.detail,
        history=tuple(history),
        measured_kw=row.measured_kw,
    )
