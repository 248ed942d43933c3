"""Checkpoints in a second place find what the chain alone does not: a cut tail, a new chain."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pysqlite3
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gridctl.auditcheckpoint import CheckpointError, read_checkpoints
from gridctl.control.checkpoints import CheckpointFile, Checkpoints, syslog_at
from gridctl.model.clock import ManualClock
from gridctl.model.errors import ConfigError, InvariantViolation, UnavailableError
from gridctl.model.record import ChainCheck
from gridctl.store.engine import SqlStore, open_store
from tests.gridctl.store.examples import T0, entry

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = KEY.public_key()


class Kept:
    """A chain of six rows with a checkpoint at row 4 and one at row 6."""

    def __init__(self, folder: Path) -> None:
        self.database = folder / "control.db"
        self.file = CheckpointFile(folder / "elsewhere" / "checkpoints.jsonl")
        self.clock = ManualClock(grid_s=T0)

    async def open(self) -> SqlStore:
        return await open_store(f"sqlite:///{self.database}", clock=self.clock)

    def checkpoints(self, store: SqlStore) -> Checkpoints:
        return Checkpoints(store=store, clock=self.clock, key=KEY, file=self.file)

    @property
    def lines(self) -> list[str]:
        return self.file.path.read_text(encoding="utf-8").splitlines()

    async def verified(self) -> ChainCheck:
        store = await self.open()
        try:
            found = read_checkpoints(self.lines, PUBLIC)
            return await store.verify_audit({one.sequence: one.hash for one in found})
        finally:
            await store.close()

    def tamper(self, *statements: str) -> None:
        """As somebody with the database's file would: triggers off, head row mended too."""
        connection = pysqlite3.connect(str(self.database))
        for trigger in ("audit_no_update", "audit_no_delete"):
            connection.execute(f"DROP TRIGGER {trigger}")
        for statement in statements:
            connection.execute(statement)
        connection.commit()
        connection.close()


@pytest.fixture
async def kept(tmp_path: Path) -> Kept:
    made = Kept(tmp_path)
    store = await made.open()
    checkpoints = made.checkpoints(store)
    assert await checkpoints.step() is None
    for number in range(6):
        async with store.transaction() as unit:
            await unit.audit(entry(f"act {number}"))
        if number in (3, 5):
            assert await checkpoints.step() is not None
    assert await checkpoints.step() is None, "nothing new"
    await store.close()
    return made


CUT = "DELETE FROM audit WHERE sequence >= 5"
HEAD_OF_4 = "UPDATE audit_head SET sequence = 4, hash = (SELECT hash FROM audit WHERE sequence = 4)"


async def test_untouched(kept: Kept) -> None:
    assert (await kept.verified()).ok
    assert [one.sequence for one in read_checkpoints(kept.lines, PUBLIC)] == [4, 6]


async def test_sg34_a_cut_tail_needs_the_checkpoint_and_is_found_by_it(kept: Kept) -> None:
    kept.tamper(CUT, HEAD_OF_4)
    store = await kept.open()
    assert (await store.verify_audit()).ok, "the chain alone cannot see it"
    with pytest.raises(InvariantViolation, match="ends with row 4"):
        await kept.checkpoints(store).step()
    await store.close()
    check = await kept.verified()
    assert (check.ok, check.first_bad) == (False, 5)
    assert "checkpoint has seen row 6" in check.detail


async def test_sg34_a_chain_that_was_computed_anew_is_found(kept: Kept) -> None:
    kept.tamper("DELETE FROM audit", "DELETE FROM audit_head")
    store = await kept.open()
    for number in range(8):
        async with store.transaction() as unit:
            await unit.audit(entry(f"other act {number}"))
    assert (await store.verify_audit()).ok, "the chain alone cannot see it"
    with pytest.raises(InvariantViolation, match="not the one that a checkpoint has seen"):
        await kept.checkpoints(store).step()
    await store.close()
    check = await kept.verified()
    assert (check.ok, check.first_bad) == (False, 4)


@pytest.mark.parametrize(
    ("statements", "first_bad"),
    [
        (("UPDATE audit SET reason = substr(reason, 2) WHERE sequence = 3",), 3),
        (("DELETE FROM audit WHERE sequence = 4",), 4),
        (
            (
                "UPDATE audit SET sequence = 99 WHERE sequence = 2",
                "UPDATE audit SET sequence = 2 WHERE sequence = 3",
                "UPDATE audit SET sequence = 3 WHERE sequence = 99",
            ),
            2,
        ),
        ((CUT, HEAD_OF_4), 5),
    ],
)
async def test_sg34_the_first_bad_row_is_named(
    kept: Kept, statements: tuple[str, ...], first_bad: int
) -> None:
    """Flipped, deleted, swapped, cut off."""
    kept.tamper(*statements)
    check = await kept.verified()
    assert (check.ok, check.first_bad) == (False, first_bad)


def forged(lines: list[str]) -> Iterator[tuple[list[str], str]]:
    yield lines[1:], "does not continue"
    yield [lines[0], lines[0]], "does not continue"
    yield [lines[0].replace('"sequence":4', '"sequence":3'), lines[1]], "is not signed"
    yield [lines[0], lines[1][:-3]], "is not signed"
    other = json.loads(lines[0]) | {"more": 1}
    yield [json.dumps(other)], "is not signed"


async def test_a_forged_file_of_checkpoints_is_found(kept: Kept) -> None:
    for lines, says in forged(kept.lines):
        with pytest.raises(CheckpointError, match=says):
            read_checkpoints(lines, PUBLIC)
    with pytest.raises(CheckpointError, match="is not signed"):
        read_checkpoints(kept.lines, Ed25519PrivateKey.generate().public_key())


async def test_a_place_that_cannot_be_written_is_told(kept: Kept) -> None:
    store = await kept.open()
    async with store.transaction() as unit:
        await unit.audit(entry("one more"))
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"tcp://127.0.0.1:{closed.getsockname()[1]}"
        away = syslog_at(url, file="gridctl.toml", clock=kept.clock)
        checkpoints = Checkpoints(
            store=store, clock=kept.clock, key=KEY, file=kept.file, others=[away]
        )
        with pytest.raises(UnavailableError, match="no audit checkpoint to tcp://"):
            await checkpoints.step()
    assert len(kept.lines) == 3, "the other place has it all the same"
    kept.file.path.unlink()
    with pytest.raises(InvariantViolation, match="are gone"):
        await checkpoints.step()
    await store.close()


async def test_syslog_gets_it_over_udp_and_tcp(kept: Kept) -> None:
    """RFC 5424 in an RFC 5426 datagram and an RFC 6587 frame, read off the wire."""
    line = kept.lines[0]
    with (
        socket.socket(type=socket.SOCK_DGRAM) as udp,
        socket.create_server(("127.0.0.1", 0)) as tcp,
    ):
        udp.bind(("127.0.0.1", 0))
        udp.settimeout(5)
        tcp.settimeout(5)
        for scheme, one in (("udp", udp), ("tcp", tcp)):
            port = one.getsockname()[1]
            syslog_at(f"{scheme}://127.0.0.1:{port}", file="gridctl.toml", clock=kept.clock).write(
                line
            )
        datagram = udp.recv(4096).decode()
        connection, _ = tcp.accept()
        with connection:
            framed = connection.makefile("rb").read().decode()
    length, _, message = framed.partition(" ")
    assert int(length) == len(message.encode())
    assert message == datagram
    head, _, said = message.partition(" AUDIT - ")
    assert head.startswith("<109>1 2026-")
    assert "Z " in head
    assert said == line


@pytest.mark.parametrize("url", ["tls://host:6514", "udp://host", "host:514", "udp://host:x"])
def test_a_bad_address_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="no syslog address"):
        syslog_at(url, file="gridctl.toml", clock=ManualClock())
