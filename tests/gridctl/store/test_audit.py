"""Whoever changes the record behind our back is found, and the row is named."""

from __future__ import annotations

from pathlib import Path

import pysqlite3
import pytest

from gridctl.model.clock import ManualClock
from gridctl.model.record import ChainCheck
from gridctl.store.engine import open_store
from tests.gridctl.store.examples import T0, entry

UNLOCK = ("DROP TRIGGER audit_no_update", "DROP TRIGGER audit_no_delete")


@pytest.fixture
async def database(tmp_path: Path) -> Path:
    """A chain of six rows in a closed database."""
    path = tmp_path / "control.db"
    store = await open_store(f"sqlite:///{path}", clock=ManualClock(grid_s=T0))
    for number in range(6):
        async with store.transaction() as unit:
            await unit.audit(entry(f"act {number}"))
    await store.close()
    return path


def tamper(path: Path, *statements: str) -> None:
    connection = pysqlite3.connect(str(path))
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    connection.close()


async def verified(path: Path) -> ChainCheck:
    store = await open_store(f"sqlite:///{path}", clock=ManualClock(grid_s=T0), read_only=True)
    try:
        return await store.verify_audit()
    finally:
        await store.close()


async def test_untouched(database: Path) -> None:
    check = await verified(database)
    assert (check.rows, check.ok, check.first_bad) == (6, True, None)


@pytest.mark.parametrize(
    ("statements", "first_bad", "word"),
    [
        (("UPDATE audit SET reason = reason || 'x' WHERE sequence = 3",), 3, "not what was"),
        (("UPDATE audit SET at_s = at_s + 1 WHERE sequence = 6",), 6, "not what was"),
        (("DELETE FROM audit WHERE sequence = 4",), 4, "missing"),
        (("DELETE FROM audit WHERE sequence = 1",), 1, "missing"),
        (("DELETE FROM audit WHERE sequence >= 5",), 5, "missing at the end"),
        (("DELETE FROM audit",), 1, "missing at the end"),
        (
            (
                "UPDATE audit SET sequence = 99 WHERE sequence = 2",
                "UPDATE audit SET sequence = 2 WHERE sequence = 3",
                "UPDATE audit SET sequence = 3 WHERE sequence = 99",
            ),
            2,
            "continue",
        ),
        (("DELETE FROM audit_head",), 6, "head"),
    ],
)
async def test_sg34_tampering_is_found(
    database: Path, statements: tuple[str, ...], first_bad: int, word: str
) -> None:
    tamper(database, *UNLOCK, *statements)
    check = await verified(database)
    assert not check.ok
    assert check.first_bad == first_bad
    assert word in check.detail


@pytest.mark.parametrize(
    "statement", ["UPDATE audit SET who = 'nobody'", "DELETE FROM audit WHERE sequence = 6"]
)
async def test_sg34_our_own_mistakes_cannot_change_it(database: Path, statement: str) -> None:
    with pytest.raises(pysqlite3.IntegrityError, match="append-only"):
        tamper(database, statement)


@pytest.mark.parametrize(
    "column",
    [
        "who",
        "session",
        "source",
        "role",
        "action",
        "object",
        "before",
        "after",
        "reason",
        "plan_digest",
        "result",
        "previous",
        "hash",
    ],
)
async def test_every_column_counts(database: Path, column: str) -> None:
    change = f"UPDATE audit SET {column} = 'y' || {column} WHERE sequence = 2"  # noqa: S608
    tamper(database, *UNLOCK, change)
    assert (await verified(database)).first_bad == 2
