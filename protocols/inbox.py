"""Where measurements cross from a protocol's own threads into the event loop.

Bounded, newest wins: the office wants to know how the plant is now, so a value that nobody has
fetched yet is replaced by its successor of the same point. That is not a loss. A loss is a point
that had to be pushed out because more distinct points waited than the inbox holds; each one is
counted in `dropped`. Points of which every single change matters go through the `EventQueue`
beside it as well.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterable, Sequence
from dataclasses import replace

from gridctl.model.errors import InvariantViolation
from gridctl.model.measurement import Flag, Measurement
from protocols.events import EventQueue


def _wake(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)


_NONE: frozenset[str] = frozenset()


def _lossy(measurement: Measurement) -> Measurement:
    return replace(measurement, quality=measurement.quality.degraded(Flag.DATA_LOSS))


class Inbox:
    """Newest measurement per point, at most `capacity` points; many writers, one reader.

    `put` may be called from any thread and never raises, never blocks for longer than it takes to
    copy: it is called from native callbacks, where an exception would be swallowed (dnp3.md G2).
    """

    def __init__(self, capacity: int, *, events: EventQueue | None = None) -> None:
        if capacity < 1:
            raise ValueError(f"an inbox of capacity {capacity} holds nothing")
        self._capacity = capacity
        self._events = events
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
        # Under its own lock: events keep the order in which their threads came.
        lost = _NONE if self._events is None else self._events.offer(measurements)
        if lost:
            measurements = [_lossy(m) if m.point in lost else m for m in measurements]
        points = [measurement.point for measurement in measurements]
        with self._lock:
            waiting, before = self._waiting, len(self._waiting)
            waiting.update(zip(points, measurements, strict=True))
            if len(waiting) != before + len(points):
                # Some waited already, or came twice. Re-inserting moves a point to the end: the
                # front is always the oldest.
                for point, measurement in zip(points, measurements, strict=True):
                    waiting.pop(point, None)
                    waiting[point] = measurement
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

    def put_past(self, measurements: Sequence[Measurement]) -> None:
        """What a device remembers of a time when nobody listened, in order: events where every
        change counts, never a newest value."""
        if self._events is not None:
            self._events.offer(measurements)

    def resize(self, capacity: int) -> None:
        """Hold at most `capacity` points from now on."""
        if capacity < 1:
            raise ValueError(f"an inbox of capacity {capacity} holds nothing")
        with self._lock:
            self._capacity = capacity

    def forget(self, points: Iterable[str]) -> None:
        """Throw away what waits of `points`: their driver is gone, and so is its word."""
        with self._lock:
            for point in points:
                self._waiting.pop(point, None)

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
