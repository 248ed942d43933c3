"""The record cannot be written: no new command leaves, STOP and return to default still work."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from sqlalchemy import text

from gridctl.control.judge import Judge
from gridctl.model.errors import InvariantViolation, RefusedError, UnavailableError
from gridctl.model.plan import PlanState
from gridctl.store.engine import SqlStore
from tests.gridctl.control.test_journey import approved, plan_is, propose, ready
from tests.gridctl.small_site import ANNE, SETPOINTS, Site, site, until
from tests.gridctl.store.examples import entry


@asynccontextmanager
async def full_disk(store: SqlStore) -> AsyncIterator[None]:
    """SQLite finds no page for anything new, as on a disk without room."""
    async with store.transaction() as unit:
        pages = (await unit.connection.execute(text("PRAGMA page_count"))).scalar_one()
        await unit.connection.execute(text(f"PRAGMA max_page_count={pages}"))
    for size in (10_000, 1):
        for _ in range(10_000):
            try:
                async with store.transaction() as unit:
                    await unit.audit(entry("x" * size))
            except UnavailableError:
                break
    yield
    async with store.transaction() as unit:
        await unit.connection.execute(text("PRAGMA max_page_count=1000000"))


async def actions(running: Site) -> list[tuple[str, str]]:
    rows = await running.store.audit_rows(limit=300)
    return [(row.entry.action, row.entry.result) for row in rows]


async def test_sg34_without_a_record_nothing_leaves_but_stop_and_default_do(
    tmp_path: Path,
) -> None:
    async with site(tmp_path, rate=20) as running:
        await ready(running)
        desk = running.desk_office.desk
        for driver in running.drivers.values():
            driver.delay_s = 0.3
        mrid = await approved(running)
        await until(lambda: running.plant.operated, within_s=10, why="no canary")
        async with full_disk(running.store):
            done = await _no_more(running)
            assert len(done) < len(SETPOINTS)
            with pytest.raises((UnavailableError, RefusedError), match="disk is full"):
                await propose(running)
            assert await desk.stop(reason="no record", person=ANNE) < 3.0
            assert desk.picture().stopped
            await desk.return_to_default(reason="no record", person=ANNE)
            await until(
                lambda: all(running.plant.setpoints[p] == 0.0 for p in SETPOINTS.values()),
                within_s=8,
                why=f"devices stay at {running.plant.setpoints}",
            )
        # The disk has room again: what happened meanwhile is written down, in its order.
        await plan_is(running, mrid, PlanState.STOPPED, within_s=5)
        late = ("order.default", "sent before it could be written down")
        for _ in range(50):
            if late in await actions(running):
                break
            await asyncio.sleep(0.1)
        told = await actions(running)
        assert late in told
        assert any(action == "stop" for action, _ in told)
        assert (await running.store.verify_audit()).ok
        # Numbers go on behind the order that went out unwritten: the field takes the next ones.
        await desk.resume(reason="there is room again", person=ANNE)
        await until(lambda: not desk.picture().stopped, within_s=3, why="it stays stopped")


async def _no_more(running: Site) -> list[tuple[str, float]]:
    """What was operated until two seconds passed without anything new."""
    done = list(running.plant.operated)
    while True:
        await asyncio.sleep(2.0)
        if len(running.plant.operated) == len(done):
            return done
        done = list(running.plant.operated)


async def test_sg04_a_fault_in_dispatch_ends_the_plan_for_all_to_see(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A plan never stays "active" behind a bug: its end and the reason are in the record."""

    def broken(*_: object, **__: object) -> None:
        raise InvariantViolation("a promise that cannot be")

    monkeypatch.setattr(Judge, "promise", broken)
    async with site(tmp_path) as running:
        await ready(running)
        mrid = await approved(running)
        await plan_is(running, mrid, PlanState.STOPPED, within_s=8)
        stored = await running.store.plan(mrid)
        assert stored is not None
        assert "a promise that cannot be" in stored.reason
        alarms = {a.key: a.priority for a in running.desk_office.desk.picture().alarms}
        assert alarms["dispatch.fault"] == 1
        assert running.plant.operated == []
        assert any(action == "plan.stopped" for action, _ in await actions(running))
