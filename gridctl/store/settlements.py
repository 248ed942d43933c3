"""Settlement runs: written once with everything needed to make them again, never changed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

from sqlalchemy import func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from gridctl.model.record import AuditEntry
from gridctl.store import schema
from gridctl.store.transaction import SqlTransaction

RUNS_MAX = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptRun:
    """A run as it lies in the store. `event`: what is settled (resource, day, hours); `version`
    counts from 1 for each event. `body` is the run's JSON, `inputs` its readings as CSV, `methods`
    the programme's data as TOML."""

    id: str
    event: str
    version: int
    made_s: float
    who: str
    body: str
    inputs: str
    methods: str


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
            kept = KeptRun(
                id=run.id,
                event=run.event,
                version=version,
                made_s=run.made_s,
                who=run.who,
                body=run.body,
                inputs=run.inputs,
                methods=run.methods,
            )
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

    async def listed(self, *, limit: int = RUNS_MAX) -> Sequence[KeptRun]:
        """The newest first."""
        table = schema.settlement_run
        query = select(table).order_by(table.c.number.desc()).limit(min(limit, RUNS_MAX))
        async with self._reading("settlement runs") as connection:
            return [_run(row) for row in await connection.execute(query)]


def _run(row: object) -> KeptRun:
    names = ("id", "event", "version", "made_s", "who", "body", "inputs", "methods")
    return KeptRun(**{name: getattr(row, name) for name in names})
