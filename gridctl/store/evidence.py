"""What passed the wire for each command: written once for each of its states, never changed."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from gridctl.model.command import CommandState
from gridctl.model.record import EvidenceRow
from gridctl.store import schema


async def add(connection: AsyncConnection, row: EvidenceRow) -> bool:
    """Keep `row`. False (nothing written) for a command that is not in the store, and for a state
    of which the evidence is there already: the field repeats itself after a reconnect."""
    table, command = schema.command_evidence, schema.command
    known = select(command.c.mrid).where(command.c.mrid == row.command).with_for_update()
    if (await connection.execute(known)).one_or_none() is None:
        return False
    there = select(table.c.state).where(
        table.c.command == row.command, table.c.state == row.state.value
    )
    if (await connection.execute(there)).one_or_none() is not None:
        return False
    await connection.execute(
        insert(table).values(
            command=row.command, state=row.state.value, at_s=row.at_s, body="\n".join(row.lines)
        )
    )
    return True


async def of(connection: AsyncConnection, command: str) -> Sequence[EvidenceRow]:
    """All that is kept of `command`, oldest first; nothing for one that never reached a wire."""
    table = schema.command_evidence
    query = select(table).where(table.c.command == command).order_by(table.c.at_s, table.c.state)
    return [
        EvidenceRow(
            command=row.command,
            state=CommandState(row.state),
            at_s=row.at_s,
            lines=tuple(row.body.split("\n")),
        )
        for row in await connection.execute(query)
    ]
