"""The history's writer and reader, beside the journal and never in its way."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from sqlalchemy import URL

from gridctl.model.errors import UnavailableError
from gridctl.model.measurement import Measurement
from gridctl.model.planning import Series
from gridctl.store import samples
from gridctl.store.connection import WAIT_S, Engines, connected, engines, reading
from gridctl.store.history_file import history_path, prepare_history


class History:
    """What was measured. On SQLite a file with a writer of its own, on PostgreSQL a table.

    Every method may raise UnavailableError.
    """

    def __init__(self, *, engines: Engines | None, is_own: bool) -> None:
        """`engines` None: there is none yet, and nothing may be written. `is_own`: they are closed
        with the history."""
        self._engines = engines
        self._is_own = is_own
        self._samples = samples.Samples()
        self._lock = asyncio.Lock()
        self._is_closed = False

    async def add(self, measurements: Sequence[Measurement]) -> None:
        """Append, in transactions of bounded length; (point, source time) that is there already is
        ignored."""
        for some in samples.batches(measurements):
            try:
                async with asyncio.timeout(WAIT_S):
                    await self._lock.acquire()
            except TimeoutError:
                raise UnavailableError(f"the history was busy for {WAIT_S:g} s") from None
            try:
                await self._append(some)
            finally:
                self._lock.release()

    async def _append(self, measurements: Sequence[Measurement]) -> None:
        self._check_open()
        if self._engines is None or self._engines.writer is None:
            raise UnavailableError("this store was opened to read only")
        async with (
            connected(self._engines.writer, "write the history") as connection,
            connection.begin(),
        ):
            await self._samples.add(connection, measurements)
        self._samples.committed()

    async def window(
        self, point: str, *, start_s: float, end_s: float, count_max: int
    ) -> Sequence[Measurement]:
        """The oldest `count_max` readings of `point` in [start_s, end_s), by source time."""
        self._check_open()
        if self._engines is None:
            return []
        async with reading(self._engines.readers, "samples") as connection:
            return await samples.window(
                connection, point, start_s=start_s, end_s=end_s, count_max=count_max
            )

    async def series(self, point: str, *, start_s: float, end_s: float, step_s: float) -> Series:
        """Mean of good samples per interval; None where there was none."""
        self._check_open()
        if self._engines is None:
            count = samples.interval_count(start_s, end_s, step_s)
            return Series(start_s=start_s, step_s=step_s, values=(None,) * count)
        async with reading(self._engines.readers, "series") as connection:
            return await samples.series(
                connection, point, start_s=start_s, end_s=end_s, step_s=step_s
            )

    def _check_open(self) -> None:
        # an engine opens itself again after it was disposed of: by then the file may be another's
        if self._is_closed:
            raise UnavailableError("the store is closed")

    async def close(self) -> None:
        """Let go: a transaction that runs may end (within 10 s), none begins."""
        self._is_closed = True
        try:
            async with asyncio.timeout(WAIT_S), self._lock:
                pass
        except TimeoutError:
            pass
        if self._is_own and self._engines is not None:
            await self._engines.dispose()


async def open_history(url: URL, *, control: Engines) -> History:
    """The history of the database at `url`, which is opened as `control`, and read only where that
    is. Raises as `prepare_history`."""
    if url.get_backend_name() != "sqlite" or url.database is None:
        return History(engines=control, is_own=False)
    path, reads_only = Path(url.database), control.writer is None
    if reads_only and not history_path(path).exists():
        return History(engines=None, is_own=False)
    if not reads_only:
        await asyncio.to_thread(prepare_history, path)
    own = engines(url.set(database=str(history_path(path))), read_only=reads_only)
    return History(engines=own, is_own=True)
