"""The store as one object: `open_store` for the office, `temporary_store` for tests."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import TypeVar

from sqlalchemy import URL
from sqlalchemy.ext.asyncio import AsyncConnection

from gridctl.model.alarm import Alarm
from gridctl.model.clock import Clock
from gridctl.model.errors import ConfigError, InvariantViolation, UnavailableError
from gridctl.model.link import Event
from gridctl.model.measurement import Measurement
from gridctl.model.plan import PlanState
from gridctl.model.planning import Series
from gridctl.model.program import DispatchRequest, RequestState
from gridctl.model.record import (
    AuditRow,
    ChainCheck,
    CommandRow,
    EventRow,
    EvidenceRow,
    StoredPlan,
)
from gridctl.store import alarms, audit, commands, events, evidence, flags, requests
from gridctl.store.connection import (
    WAIT_S,
    Engines,
    FileLock,
    connected,
    engines,
    parsed,
    reading,
    translated,
)
from gridctl.store.dossier import Dossiers
from gridctl.store.duties import Duties
from gridctl.store.factors import Factors
from gridctl.store.forecasts import Forecasts
from gridctl.store.history import History, open_history
from gridctl.store.migrate import is_missing, prepare
from gridctl.store.modes import Modes
from gridctl.store.openadr import Clients
from gridctl.store.openadr_objects import Objects
from gridctl.store.openadr_outbox import Outbox
from gridctl.store.openadr_publications import Publications
from gridctl.store.plans import Plans
from gridctl.store.platform import Platform
from gridctl.store.sessions import Sessions
from gridctl.store.settlements import Settlements
from gridctl.store.tags import Tags
from gridctl.store.transaction import Epoch, SqlTransaction
from gridctl.store.users import Users
from gridctl.store.visit import Run, carried_out, log_folded, looked_up

T = TypeVar("T")


class SqlStore:
    """Fulfils `gridctl.control.ports.Store` on SQLite or PostgreSQL.

    Every method may raise UnavailableError (database away, full or locked) and
    InvariantViolation (a constraint that cannot break is broken).
    """

    def __init__(
        self, *, engines: Engines, history: History, clock: Clock, lock: FileLock | None
    ) -> None:
        self.clock = clock
        self._engines = engines
        self._history = history
        self._file_lock = lock
        self._write_lock = asyncio.Lock()
        self._writing: asyncio.Task[object] | None = None
        self._epoch = Epoch()
        self._plans = Plans()
        self._is_closed = False
        self.users = Users(clock=clock, transaction=self.transaction, reading=self._reading)
        self.sessions = Sessions(clock=clock, transaction=self.transaction, reading=self._reading)
        self.factors = Factors(transaction=self.transaction, reading=self._reading)
        self.openadr = Clients(
            clock=clock, transaction=self.transaction, reading=self._reading, look=self.look
        )
        self.objects = Objects(
            in_one_visit=self.in_one_visit,
            look=self.look,
            reading=self._reading,
            is_sole_writer=lock is not None,
        )
        self.outbox = Outbox(transaction=self.transaction, reading=self._reading)
        self.publications = Publications(transaction=self.transaction, reading=self._reading)
        self.dossiers = Dossiers(reading=self._reading)
        self.modes = Modes(reading=self._reading)
        self.duties = Duties(reading=self._reading)
        self.tags = Tags(reading=self._reading)
        self.platform = Platform(
            transaction=self.transaction, reading=self._reading, look=self.look
        )
        self.forecasts = Forecasts(transaction=self.transaction, reading=self._reading)
        self.settlements = Settlements(transaction=self.transaction, reading=self._reading)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[SqlTransaction]:
        """One unit of work: committed when the block ends well, rolled back when it raises.

        One at a time; waits at most 10 s for its turn, then UnavailableError.
        """
        async with self._turn() as connection:
            unit = SqlTransaction(connection, self._epoch)
            async with connection.begin():
                yield unit
            unit.committed()

    async def in_one_visit(self, work: Callable[[Run], T], /) -> T:
        """`work` as a unit of work that never waits for anything but the database."""
        async with self._turn() as connection:
            return await carried_out(connection, work)

    async def look(self, doing: str, work: Callable[[Run], T], /) -> T:
        """`work`, which only reads, without waiting for writers."""
        async with self._reading(doing) as connection:
            return await looked_up(connection, work)

    async def fold_log(self) -> None:
        """Now and then, beside everything else: a commit that has to carry the write-ahead log over
        in passing takes a hundred times as long as any other, and may be an approval's."""
        async with self._reading("fold the log") as connection:
            await log_folded(connection)

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[AsyncConnection]:
        """The writer's connection, for one transaction."""
        writer = self._engines.writer
        if writer is None:
            raise UnavailableError("this store was opened to read only")
        self._check_open()
        task = asyncio.current_task()
        if self._writing is not None and self._writing is task:
            raise InvariantViolation("a transaction inside a transaction would wait for itself")
        try:
            # Not wait_for: that of Python 3.11 loses a cancellation that comes together with the
            # lock, and a loop of the office that was told to end would go on for ever.
            async with asyncio.timeout(WAIT_S):
                await self._write_lock.acquire()
        except TimeoutError:
            raise UnavailableError(f"the store was busy for {WAIT_S:g} s") from None
        try:
            self._writing = task
            self._check_open()
            async with connected(writer, "write") as connection:
                yield connection
        finally:
            self._writing = None
            self._write_lock.release()

    def _reading(self, doing: str) -> AbstractAsyncContextManager[AsyncConnection]:
        self._check_open()
        return reading(self._engines.readers, doing)

    def _check_open(self) -> None:
        # an engine opens itself again after it was disposed of: by then the file may be another's
        if self._is_closed:
            raise UnavailableError("the store is closed")

    async def add_samples(self, measurements: Sequence[Measurement]) -> None:
        """Append to the history, beside everything else: a command's journal never waits for it.
        Replays are ignored."""
        await self._history.add(measurements)

    async def samples(
        self, point: str, *, start_s: float, end_s: float, count_max: int
    ) -> Sequence[Measurement]:
        """The oldest `count_max` readings of `point` in [start_s, end_s), by source time."""
        return await self._history.window(point, start_s=start_s, end_s=end_s, count_max=count_max)

    async def series(self, point: str, *, start_s: float, end_s: float, step_s: float) -> Series:
        """Mean of good samples per interval; None where there was none."""
        return await self._history.series(point, start_s=start_s, end_s=end_s, step_s=step_s)

    async def add_events(self, boot_id: str, added: Sequence[Event]) -> None:
        """Append to the sequence of events of one run of the field agent; told twice, kept once."""
        async with self.transaction() as unit:
            await events.add(unit.connection, boot_id, added)

    async def events(
        self, *, point: str | None = None, before_id: int | None = None, limit: int = 200
    ) -> Sequence[EventRow]:
        """The newest first, in the order of their arrival."""
        async with self._reading("events") as connection:
            return await events.listed(connection, point=point, before_id=before_id, limit=limit)

    async def plan(self, mrid: str) -> StoredPlan | None:
        """The plan with its fate, or None."""
        async with self._reading("plan") as connection:
            return await self._plans.get(connection, mrid)

    async def plans(
        self, *, states: Sequence[PlanState] = (), limit: int = 50
    ) -> Sequence[StoredPlan]:
        """Newest first."""
        async with self._reading("plans") as connection:
            return await self._plans.listed(connection, states=states, limit=limit)

    async def commands(self, *, plan: str | None = None, limit: int = 500) -> Sequence[CommandRow]:
        """The newest `limit`, in the order of their creation."""
        async with self._reading("commands") as connection:
            return await commands.listed(connection, plan=plan, limit=limit)

    async def command(self, mrid: str) -> CommandRow | None:
        """One command with its journal, or None."""
        async with self._reading("command") as connection:
            return await commands.get(connection, mrid)

    async def evidence(self, command: str) -> Sequence[EvidenceRow]:
        """What passed the wire for a command, oldest first."""
        async with self._reading("evidence") as connection:
            return await evidence.of(connection, command)

    async def requests(self, *, states: Sequence[RequestState] = ()) -> Sequence[DispatchRequest]:
        """By start, then priority."""
        async with self._reading("requests") as connection:
            return await requests.listed(connection, states=states)

    async def alarms(self, *, active_only: bool = True, limit: int = 200) -> Sequence[Alarm]:
        """Highest priority first, then newest."""
        async with self._reading("alarms") as connection:
            return await alarms.listed(connection, active_only=active_only, limit=limit)

    async def audit_rows(
        self, *, limit: int = 100, before: int | None = None
    ) -> Sequence[AuditRow]:
        """Newest first."""
        async with self._reading("audit") as connection:
            return await audit.listed(connection, limit=limit, before=before)

    async def verify_audit(self, seen: Mapping[int, str] | None = None) -> ChainCheck:
        """Walk the whole chain; `seen`: hashes by sequence number that checkpoints have seen."""
        async with self._reading("audit") as connection:
            return await audit.verify(connection, {} if seen is None else seen)

    async def flag(self, key: str) -> str | None:
        """A small durable fact, or None."""
        async with self._reading("flag") as connection:
            return await flags.get(connection, key)

    async def close(self) -> None:
        """Let go of the database: a transaction that runs may end (within 10 s), none begins."""
        self._is_closed = True
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(WAIT_S):
                await self._write_lock.acquire()
            self._write_lock.release()
        await self._history.close()
        await self._engines.dispose()
        if self._file_lock is not None:
            self._file_lock.release()


async def open_store(url: str, *, clock: Clock, read_only: bool = False) -> SqlStore:
    """Open `sqlite:///path` or `postgresql://…`; a new database gets its tables.

    `read_only` takes no lock, so that `gridctl audit verify` works beside a running office.
    Raises ConfigError when the SQLite build is unsafe, another process writes to the file, or the
    schema is older or newer than this program; UnavailableError when no server answers.
    """
    found = parsed(url)
    if read_only and is_missing(found):
        raise ConfigError(
            "there is no database",
            file=str(found.database),
            hint="the office makes it at its first start; or: gridctl db upgrade",
        )
    lock = None if read_only else _file_lock(found)
    if lock is not None:
        lock.take()
    both = engines(found, read_only=read_only, in_loop=True)
    try:
        with translated("open"):
            await prepare(both, where=found.render_as_string(hide_password=True))
            history = await open_history(found, control=both)
    except BaseException:
        await both.dispose()
        if lock is not None:
            lock.release()
        raise
    return SqlStore(engines=both, history=history, clock=clock, lock=lock)


def _file_lock(url: URL) -> FileLock | None:
    if url.get_backend_name() != "sqlite" or url.database is None:
        return None
    return FileLock(Path(url.database))


@asynccontextmanager
async def temporary_store(clock: Clock) -> AsyncIterator[SqlStore]:
    """A real SQLite store in a folder that is gone afterwards: the store of every test."""
    with tempfile.TemporaryDirectory(prefix="gridctl-store-") as folder:
        store = await open_store(f"sqlite:///{folder}/control.db", clock=clock)
        try:
            yield store
        finally:
            await store.close()
