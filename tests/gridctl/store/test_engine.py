"""Opening, closing, refusing."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from gridctl.control.ports import Store
from gridctl.model.clock import ManualClock
from gridctl.model.errors import ConfigError, UnavailableError
from gridctl.model.measurement import Measurement
from gridctl.model.plan import PlanState
from gridctl.store.engine import SqlStore, open_store, temporary_store
from gridctl.store.samples import Samples
from gridctl.store.sqlite_build import check_version, sqlite_dbapi
from tests.gridctl.store.examples import T0, entry, measurement, plan

CLOCK = ManualClock(grid_s=T0)


async def pragma(store: SqlStore, name: str, *, writer: bool) -> object:
    if writer:
        async with store.transaction() as unit:
            return (await unit.connection.exec_driver_sql(f"PRAGMA {name}")).scalar()
    async with store._reading("pragma") as connection:
        return (await connection.exec_driver_sql(f"PRAGMA {name}")).scalar()


def test_the_safe_sqlite_is_used_and_the_interpreters_own_is_left_alone() -> None:
    assert sqlite_dbapi().sqlite_version_info >= (3, 51, 3)
    assert sys.modules["sqlite3"] is sqlite3
    assert sqlite3.__name__ == "sqlite3"


@pytest.mark.parametrize("version", ["3.40.1", "3.51.2"])
def test_an_unsafe_sqlite_is_refused(version: str) -> None:
    with pytest.raises(ConfigError, match="WAL-reset") as refused:
        check_version(version)
    assert "pysqlite3" in refused.value.hint


def test_a_safe_sqlite_is_taken() -> None:
    check_version("3.51.3")


async def test_durability_settings() -> None:
    async with temporary_store(CLOCK) as store:
        assert await pragma(store, "journal_mode", writer=True) == "wal"
        assert await pragma(store, "synchronous", writer=True) == 2
        assert await pragma(store, "foreign_keys", writer=True) == 1
        assert await pragma(store, "query_only", writer=False) == 1


async def test_a_second_store_on_the_same_file_is_refused(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/control.db"
    store = await open_store(url, clock=CLOCK)
    with pytest.raises(ConfigError, match=f"process {os.getpid()}"):
        await open_store(url, clock=CLOCK)
    await store.close()
    again = await open_store(url, clock=CLOCK)
    await again.close()


HOLD = """
import asyncio, sys
from gridctl.model.clock import ManualClock
from gridctl.store.engine import open_store
sys.path.insert(0, ".")
from tests.gridctl.store.examples import entry, plan
from gridctl.model.measurement import Measurement
from gridctl.model.plan import PlanState
async def main():
    store = await open_store(sys.argv[1], clock=ManualClock())
    async with store.transaction() as unit:
        await unit.add_plan(plan(), PlanState.PROPOSED, 1.0)
        await unit.audit(entry())
    async with store.transaction() as unit:
        await unit.audit(entry("half"))
        print("ready", flush=True)
        await asyncio.sleep(60)
asyncio.run(main())
"""


async def test_another_process_is_refused_and_its_death_loses_nothing(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/control.db"
    other = await asyncio.create_subprocess_exec(
        sys.executable, "-c", HOLD, url, stdout=asyncio.subprocess.PIPE
    )
    assert other.stdout is not None
    assert await asyncio.wait_for(other.stdout.readline(), 30) == b"ready\n"
    with pytest.raises(ConfigError, match=f"process {other.pid}"):
        await open_store(url, clock=CLOCK)
    other.send_signal(signal.SIGKILL)
    await other.wait()
    store: Store = await open_store(url, clock=CLOCK)
    try:
        check = await store.verify_audit()
        assert (check.rows, check.ok) == (1, True)
        (found,) = await store.plans(states=[PlanState.PROPOSED])
        assert found.plan == plan()
    finally:
        await store.close()


@pytest.mark.parametrize(
    ("url", "word"),
    [
        ("mysql://x/y", "no store for mysql"),
        ("sqlite://", "needs a file"),
        ("sqlite:///:memory:", "needs a file"),
        ("what is this", "parse"),
        ("sqlite:////proc/nowhere/control.db", "cannot be written"),
    ],
)
async def test_a_bad_url_is_refused(url: str, word: str) -> None:
    with pytest.raises(ConfigError, match=word):
        await open_store(url, clock=CLOCK)


async def test_a_server_that_is_away_is_unavailable() -> None:
    with pytest.raises(UnavailableError, match="does not answer"):
        await open_store("postgresql://gridctl@127.0.0.1:9/x", clock=CLOCK)


async def test_nothing_to_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no database"):
        await open_store(f"sqlite:///{tmp_path}/control.db", clock=CLOCK, read_only=True)
    assert os.listdir(tmp_path) == []  # noqa: PTH208 - one quick look


async def test_a_newer_schema_is_refused(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/control.db"
    store = await open_store(url, clock=CLOCK)
    async with store.transaction() as unit:
        await unit.connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    await store.close()
    with pytest.raises(ConfigError, match="9999") as refused:
        await open_store(url, clock=CLOCK)
    assert "db upgrade" in refused.value.hint


async def test_a_locked_database_is_unavailable_and_not_half_written(tmp_path: Path) -> None:
    """Somebody opened the file with another tool and holds its lock."""
    path = tmp_path / "control.db"
    store = await open_store(f"sqlite:///{path}", clock=CLOCK)
    async with store.transaction() as unit:
        await unit.connection.exec_driver_sql("SELECT 1")
        await unit.connection.exec_driver_sql("PRAGMA busy_timeout=50")
    # the same build as the store's: another one would be the very bug that we avoid
    other = sqlite_dbapi().sqlite.connect(str(path), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(UnavailableError, match="locked"):
        async with store.transaction() as unit:
            await unit.audit(entry())
    other.execute("ROLLBACK")
    other.close()
    async with store.transaction() as unit:
        await unit.audit(entry())
    assert (await store.verify_audit()).ok
    await store.close()


@pytest.mark.parametrize("turns", [0, 1, 2, 3])
async def test_a_cancellation_that_comes_together_with_its_turn_is_not_lost(turns: int) -> None:
    """asyncio.wait_for of Python 3.11 loses such a one: an office told to end went on for ever."""
    async with temporary_store(ManualClock()) as store:

        async def next_in_line() -> None:
            async with store.transaction():
                await asyncio.sleep(30)

        async with store.transaction():
            waiting = asyncio.create_task(next_in_line())
            await asyncio.sleep(0.05)
        for _ in range(turns):
            await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait({waiting}, timeout=2.0)
        assert waiting.cancelled()
        async with asyncio.timeout(2.0), store.transaction() as unit:
            await unit.set_flag("still", "open")


async def test_the_journal_does_not_wait_for_the_history(monkeypatch: pytest.MonkeyPatch) -> None:
    """While ten thousands of values are being written, in the middle of their transaction."""
    inside, go_on = asyncio.Event(), asyncio.Event()
    add = Samples.add

    async def held(self: Samples, connection: AsyncConnection, some: Sequence[Measurement]) -> None:
        await add(self, connection, some)
        inside.set()
        await go_on.wait()

    monkeypatch.setattr(Samples, "add", held)
    async with temporary_store(CLOCK) as store:
        history = asyncio.create_task(store.add_samples([measurement("P1")]))
        await inside.wait()
        async with store.transaction() as unit:
            await unit.set_flag("approved", "yes")
        assert not history.done()
        go_on.set()
        await history
        assert await store.samples("P1", start_s=0, end_s=2e9, count_max=9) == [measurement("P1")]
