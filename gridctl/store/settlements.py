"""Settlement runs: written once with everything needed to make them again, never changed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace

from sqlalchemy import func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from gridctl.model.record import AuditEntry, KeptRun
from gridctl.store import schema
from gridctl.store.transaction import SqlTransaction

RUNS_MAX = 500


class Settlements:
    """`store.settlements`. There is no way to change or delete a run."""

    def __init__(
        self,
        *,
        transaction: Callable[[], AbstractAsyncContextManager[SqlTransaction]],
        reading: Callable[[str], AbstractAsyncContextManager[AsyncConnection]],
    ) -> None:
        self._transaction = transaction
        self._reading = reading

    async def add(self, run: KeptRun, *, audit: AuditEntry) -> KeptRun:
        """Keep a run as the next version of its event (`run.version` is not looked at). The same
        inputs make the same id: such a run is there already and is given back as it was."""
        table = schema.settlement_run
        async with self._transaction() as unit:
            known = (
                await unit.connection.execute(select(table).where(table.c.id == run.id))
            ).one_or_none()
            if known is not None:
                return _run(known)
            newest = await unit.connection.execute(
                select(func.max(table.c.version)).where(table.c.event == run.event)
            )
            version = int(newest.scalar() or 0) + 1
            kept = replace(run, version=version)
            await unit.connection.execute(
                insert(table).values(
                    id=kept.id,
                    event=kept.event,
                    version=version,
                    made_s=kept.made_s,
                    who=kept.who,
                    body=kept.body,
                    inputs=kept.inputs,
                    methods=kept.methods,
                )
            )
            await unit.audit(audit)
            return kept

    async def one(self, id_: str) -> KeptRun | None:
        """A run by its id."""
        table = schema.settlement_run
        async with self._reading("settlement run") as connection:
            row = (await connection.execute(select(table).where(table.c.id == id_))).one_or_none()
        return None if row is None else _run(row)

    async def listed(self) -> Sequence[KeptRun]:
        """The newest first, without body, inputs and methods."""
        table = schema.settlement_run
        names = ("id", "event", "version", "made_s", "who")
        query = (
            select(*(table.c[name] for name in names))
            .order_by(table.c.number.desc())
            .limit(RUNS_MAX)
        )
        async with self._reading("settlement runs") as connection:
            rows = (await connection.execute(query)).all()
        return [
            KeptRun(**{name: getattr(row, name) for name in names}, body="", inputs="", methods="")
            for row in rows
        ]


def _run(row: object) -> KeptRun:
    names = ("id", "event", "version", "made_s", "who", "body", "inputs", "methods")
    return KeptRun(**{name: getattr(row, name) for name in names})
