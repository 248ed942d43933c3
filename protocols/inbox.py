"""Where measurements cross from a protocol's own threads into the event loop.

Bounded, newest wins: the office wants to know how the plant is now, so a value that nobody has
fetched yet is replaced by its successor of the same point. That is not a loss. A loss is a point
that had to be pushed out because more distinct points waited than the inbox holds; each one is
counted in `dropped`. Records of which every single one matters (sequence of events) do not belong
here: they need a first-in-first-out queue beside this one, with a counter of its own.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence

from gridctl.model.errors import InvariantViolation
from gridctl.model.measurement import Measurement


def _wake(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)


class Inbox:
    """Newest measurement per point, at most `capacity` points; many writers, one reader.

    `put` may be called from any thread and never raises, never blocks for longer than it takes to
    copy: it is called from native callbacks, where an exception would be swallowed (dnp3.md G2).
    """

    def __init__(self, capacity: int) -> None:
        if capacity < 1:
            raise ValueError(f"an inbox of capacity {capacity} holds nothing")
        self._capacity = capacity
        self._lock = threading.Lock()
        self._waiting: dict[str, Measurement] = {}
        self._dropped = 0
        self._waiter: tuple[asyncio.AbstractEventLoop, asyncio.Future[None]] | None = None

    @property
    def dropped(self) -> int:
        """Measurements pushed out unread because the inbox was full, since start."""
        return self._dropped

    def put(self, measurements: Sequence[Measurement]) -> None:
        """Take `measurements` in order; the last one of a point is the one that stays."""
        if not measurements:
            return
        with self._lock:
            for measurement in measurements:
                # Re-inserting moves the point to the end: the front is always the oldest.
                self._waiting.pop(measurement.point, None)
                self._waiting[measurement.point] = measurement
            while len(self._waiting) > self._capacity:
                del self._waiting[next(iter(self._waiting))]
                self._dropped += 1
            waiter, self._waiter = self._waiter, None
        if waiter is not None:
            loop, future = waiter
            try:
                loop.call_soon_threadsafe(_wake, future)
            except RuntimeError:
                # The reader's loop is closed: nobody waits any more, and this thread must go on.
                return

    async def get(self, *, timeout_s: float) -> list[Measurement]:
        """All that waits, oldest arrival first; an empty list when nothing came in `timeout_s`
        (real seconds). Raises InvariantViolation when somebody else is waiting already."""
        with self._lock:
            if self._waiting or timeout_s <= 0:
                return self._drain()
            if self._waiter is not None:
                raise InvariantViolation("the inbox has one reader, a second one came")
            loop = asyncio.get_running_loop()
            future: asyncio.Future[None] = loop.create_future()
            self._waiter = (loop, future)
        try:
            await asyncio.wait({future}, timeout=timeout_s)
        finally:
            with self._lock:
                self._forget(future)
        with self._lock:
            return self._drain()

    def _forget(self, future: asyncio.Future[None]) -> None:
        waiter = self._waiter
        if waiter is not None and waiter[1] is future:
            self._waiter = None

    def _drain(self) -> list[Measurement]:
        taken = list(self._waiting.values())
        self._waiting.clear()
        return taken
