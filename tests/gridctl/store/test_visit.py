"""A unit of work: the same on both databases, whole or not at all, one visit on SQLite."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from sqlalchemy import bindparam, delete, insert, select, update

from gridctl.model.errors import InvariantViolation, UnavailableError
from gridctl.store import schema
from gridctl.store.engine import SqlStore, open_store
from gridctl.store.visit import Prepared, Run
from gridctl.wallclock import system_clock
from tests.gridctl.store import postgres

TAG = schema.openadr_target
ADD = Prepared(insert(TAG), keys=("kind", "object_id", "target", "place"))
READ = Prepared(select(TAG.c.target).where(TAG.c.object_id == bindparam("of_id")))
MOVE = Prepared(update(TAG).where(TAG.c.object_id == bindparam("of_id")), keys=("place",))
DROP = Prepared(delete(TAG).where(TAG.c.object_id == bindparam("of_id")))


def row(target: str) -> dict[str, object]:
    return {"kind": "event", "object_id": "e", "target": target, "place": 0}


@pytest_asyncio.fixture(params=["sqlite", "postgresql"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[SqlStore]:
    if request.param == "sqlite":
        opened = await open_store(f"sqlite:///{tmp_path}/control.db", clock=system_clock())
        yield opened
        await opened.close()
        return
    assert postgres.missing_reason() is None
    with postgres.server() as address:
        opened = await open_store(address, clock=system_clock())
        yield opened
        await opened.close()


async def test_whole_or_not_at_all(store: SqlStore) -> None:
    def write(run: Run) -> int:
        run.many(ADD, [row("north"), row("south")])
        return run(MOVE, {"of_id": "e", "place": 7}).count

    assert await store.in_one_visit(write) == 2

    def fails(run: Run) -> None:
        run(DROP, {"of_id": "e"})
        raise LookupError("thought better of it")

    with pytest.raises(LookupError):
        await store.in_one_visit(fails)

    def twice(run: Run) -> None:
        run(ADD, row("west"))
        run(ADD, row("west"))

    with pytest.raises(InvariantViolation):
        await store.in_one_visit(twice)
    rows = await store.in_one_visit(lambda run: run(READ, {"of_id": "e"}).rows)
    assert sorted(target for (target,) in rows) == ["north", "south"]


async def test_a_closed_store_is_away(store: SqlStore) -> None:
    await store.close()
    with pytest.raises(UnavailableError, match="closed"):
        await store.in_one_visit(lambda run: run(READ, {"of_id": "e"}))


async def test_who_is_cancelled_leaves_the_writer_to_the_next(tmp_path: Path) -> None:
    store = await open_store(f"sqlite:///{tmp_path}/control.db", clock=system_clock())
    begun, go_on = threading.Event(), threading.Event()

    def slow(run: Run) -> None:
        run(ADD, row("slow"))
        begun.set()
        go_on.wait(10.0)

    first = asyncio.create_task(store.in_one_visit(slow))
    await asyncio.to_thread(begun.wait, 10.0)
    first.cancel()
    second = asyncio.create_task(store.in_one_visit(lambda run: run(READ, {"of_id": "e"}).rows))
    await asyncio.sleep(0.05)
    assert not first.done()  # its thread is not, either
    assert not second.done()
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await first
    assert list(await second) == [("slow",)]
    await store.close()
