"""Sequence of events: of these points every change counts, in the order in which it came.

A bounded first-in-first-out queue beside the newest-wins inbox. When it is full the newest gives
way, because what began a storm explains it; each loss is counted, leaves a hole in the numbers, and
flags the next event of the same point as DATA_LOSS.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import replace

from gridctl.model.link import Event
from gridctl.model.measurement import Flag, Measurement, TimeQuality

CAPACITY = 20_000


def is_event(before: Measurement | None, now: Measurement) -> bool:
    """Whether `now` tells of something that `before` (the last event of the point) did not.

    Another value or another quality always does. The same again does when the source stamped it
    with another time of its own; a repetition, or a static value without a time, does not. The
    first sight of a point is an event only when the source says when it happened.
    """
    timed = now.time_quality is not TimeQuality.RECEIVED
    if before is None:
        return timed
    if before.value != now.value or before.quality != now.quality:
        return True
    return timed and before.source_time_s != now.source_time_s


class EventQueue:
    """Events of some points; many writers (any thread), one reader (the event loop)."""

    def __init__(self, points: Iterable[str], *, capacity: int = CAPACITY) -> None:
        if capacity < 1:
            raise ValueError(f"a queue of capacity {capacity} holds nothing")
        self._capacity = capacity
        self._lock = threading.Lock()
        self._points = frozenset(points)
        self._last: dict[str, Measurement] = {}
        self._lossy: set[str] = set()
        self._waiting: deque[Event] = deque()
        self._number = 0
        self._dropped = 0

    @property
    def dropped(self) -> int:
        """Events that found no room, since start."""
        return self._dropped

    def watch(self, points: Iterable[str]) -> None:
        """From now on, these are the points of which every change counts."""
        with self._lock:
            self._points = frozenset(points)
            self._last = {mrid: m for mrid, m in self._last.items() if mrid in self._points}

    def offer(self, measurements: Sequence[Measurement]) -> frozenset[str]:
        """Take those of `measurements` that are events; the points that lost one. Never raises."""
        lost: set[str] = set()
        with self._lock:
            if not self._points:
                return frozenset()
            for measurement in measurements:
                mrid = measurement.point
                if mrid not in self._points:
                    continue
                before = self._last.get(mrid)
                self._last[mrid] = measurement
                if not is_event(before, measurement):
                    continue
                self._number += 1
                if len(self._waiting) >= self._capacity:
                    self._dropped += 1
                    self._lossy.add(mrid)
                    lost.add(mrid)
                    continue
                self._waiting.append(
                    Event(number=self._number, measurement=self._marked(measurement))
                )
        return frozenset(lost)

    def take(self) -> list[Event]:
        """All that waits, in order."""
        with self._lock:
            taken = list(self._waiting)
            self._waiting.clear()
        return taken

    def _marked(self, measurement: Measurement) -> Measurement:
        if measurement.point not in self._lossy:
            return measurement
        self._lossy.discard(measurement.point)
        return replace(measurement, quality=measurement.quality.degraded(Flag.DATA_LOSS))
