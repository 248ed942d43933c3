"""What plans were computed from: parts by their digest, each kept once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from gridctl.model.errors import InvariantViolation
from gridctl.model.inputs import InputPart
from gridctl.store import schema


async def keep(connection: AsyncConnection, plan: str, parts: Sequence[InputPart]) -> None:
    """The parts of `plan`, in the transaction that proposes it."""
    table = schema.input_part
    known = set(
        (
            await connection.execute(
                select(table.c.digest).where(table.c.digest.in_([part.digest for part in parts]))
            )
        ).scalars()
    )
    for part in parts:
        if part.digest not in known:
            known.add(part.digest)
            await connection.execute(insert(table).values(digest=part.digest, packed=part.packed))
        await connection.execute(
            insert(schema.plan_input).values(plan=plan, part=part.name, digest=part.digest)
        )


async def of(connection: AsyncConnection, plan: str) -> Mapping[str, bytes]:
    """The parts of `plan` by name; empty for one that was proposed before they were kept.

    Raises InvariantViolation for a part that is not what was kept.
    """
    link, table = schema.plan_input, schema.input_part
    query = (
        select(link.c.part, table.c.digest, table.c.packed)
        .join(table, table.c.digest == link.c.digest)
        .where(link.c.plan == plan)
    )
    found: dict[str, bytes] = {}
    for row in await connection.execute(query):
        part = InputPart(name=row.part, digest=row.digest, packed=row.packed)
        try:
            found[row.part] = part.bytes()
        except ValueError as error:
            raise InvariantViolation(f"inputs of plan {plan}: {error}") from None
    return found
