"""What this link knows of its points, and when it stops knowing it.

Written from native threads (values) and from the event loop (loss), so every step is under one
lock; a value that arrives after its session was closed is not taken any more.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Sequence
from functools import lru_cache

from gridctl.model.clock import Clock
from gridctl.model.measurement import (
    Flag,
    Measurement,
    Quality,
    TimeQuality,
    Validity,
)
from protocols.dnp3.codec import PointTable
from protocols.dnp3.values import measurement
from protocols.inbox import Inbox

RENEW_SHARE = 0.9
"""A point that reports by exception is told again after this share of its scan period."""
SILENT_SCANS = 2.5
"""A point is lost after this many scan periods without a word: before the third one is over."""


class PointImage:
    """Last measurement per point, and the watch over its age in real seconds."""

    def __init__(
        self, table: PointTable, inbox: Inbox, clock: Clock, *, polled_s: float | None = None
    ) -> None:
        """`polled_s`: how often everything is polled; None: at the fastest point's scan period."""
        self._table = table
        self._inbox = inbox
        self._clock = clock
        self._lock = threading.Lock()
        self._last: dict[str, Measurement] = {}
        scan_s = {mrid: b.row.point.scan_s for mrid, b in table.by_mrid.items()}
        # By their limit in seconds, not one number a point: there are ten thousands of them.
        periods_s = set(scan_s.values())
        self._by_limit = {
            SILENT_SCANS * one_s: tuple(mrid for mrid, s in scan_s.items() if s == one_s)
            for one_s in periods_s
        }
        self._shortest_s = min(self._by_limit, default=1.0)
        self._look_again_s = 0.0
        self._by_exception = {
            mrid: period_s
            for mrid, period_s in scan_s.items()
            if polled_s is not None and polled_s > period_s
        }
        started_s = clock.monotonic_s()
        self._heard_s: dict[str, float] = dict.fromkeys(table.by_mrid, started_s)
        self._lost: set[str] = set()
        self._told: set[str] = set()
        self._generation = 0
        self.reads = 0

    def open_generation(self) -> int:
        """A new session begins: only values that carry its number are taken from now on."""
        with self._lock:
            self._generation += 1
            self._told.clear()
            return self._generation

    def take(self, measurements: Sequence[Measurement], generation: int) -> bool:
        """Publish what one fragment brought; False when it came from a session that is over."""
        if not measurements:
            return generation == self._generation
        mono_s = self._clock.monotonic_s()
        mrids = [measurement.point for measurement in measurements]
        with self._lock:
            if generation != self._generation:
                return False
            self._last.update(zip(mrids, measurements, strict=True))
            self._heard_s.update(dict.fromkeys(mrids, mono_s))
            if self._by_exception:
                self._told.update(mrids)
            if self._lost:
                self._lost.difference_update(mrids)
            self.reads += len(mrids)
            self._inbox.put(measurements)
        return True

    def renew(self, generation: int) -> None:
        """There is proof of life and no news: say so for every point that is due by its scan.

        Only points that are polled less often than their scan period, and only what this session
        has reported at least once; the value, its quality and its source time stay, the time of
        receipt is now.
        """
        if not self._by_exception:
            return
        mono_s, now_s = self._clock.monotonic_s(), self._clock.now_s()
        with self._lock:
            if generation != self._generation:
                return
            due = [
                mrid
                for mrid, period_s in self._by_exception.items()
                if mrid in self._told and mono_s - self._heard_s[mrid] >= RENEW_SHARE * period_s
            ]
            if not due:
                return
            last = self._last
            renewed = [
                measurement(
                    mrid,
                    last[mrid].value,
                    last[mrid].quality,
                    last[mrid].source_time_s,
                    last[mrid].time_quality,
                    now_s,
                )
                for mrid in due
            ]
            self._last.update(zip(due, renewed, strict=True))
            self._heard_s.update(dict.fromkeys(due, mono_s))
            self._inbox.put(renewed)

    def lose_all(self, generation: int | None = None) -> None:
        """The link is gone: every point is put once as questionable with COMM_LOST.

        With `generation` only if that session is still the current one; without, no value of any
        earlier session is taken any more.
        """
        with self._lock:
            if generation is None:
                self._generation += 1
            elif generation != self._generation:
                return
            self._lose(self._table.by_mrid.keys())

    def watch(self) -> int:
        """Mark the points that have been silent for too long; returns how many are lost now.

        All points are looked through only when the first of them can be overdue.
        """
        mono_s = self._clock.monotonic_s()
        with self._lock:
            if mono_s < self._look_again_s:
                return len(self._lost)
            heard_s, lost = self._heard_s, self._lost
            overdue_s = {
                mrid: heard_s[mrid] + limit_s
                for limit_s, mrids in self._by_limit.items()
                for mrid in mrids
                if mrid not in lost
            }
            self._lose([mrid for mrid, due_s in overdue_s.items() if mono_s > due_s])
            # A value that comes meanwhile only puts this off; one that was lost and comes back is
            # due no sooner than the shortest limit from then.
            later = [due_s for due_s in overdue_s.values() if due_s >= mono_s]
            self._look_again_s = min((*later, mono_s + self._shortest_s), default=mono_s)
            return len(self._lost)

    def missing(self) -> list[str]:
        """Points that the device has never reported, in the order of the points file."""
        with self._lock:
            return [mrid for mrid in self._table.by_mrid if mrid not in self._last]

    def _lose(self, mrids: Collection[str]) -> None:
        now_s = self._clock.now_s()
        gone = [mrid for mrid in mrids if mrid not in self._lost]
        self._lost.update(gone)
        self._told.difference_update(gone)
        self._inbox.put([_lost(mrid, self._last.get(mrid), now_s) for mrid in gone])


@lru_cache(maxsize=4_096)
def _degraded(quality: Quality) -> Quality:
    return quality.degraded(Flag.COMM_LOST)


_NEVER = Quality(validity=Validity.INVALID, flags=frozenset({Flag.INITIAL, Flag.COMM_LOST}))


def _lost(mrid: str, last: Measurement | None, now_s: float) -> Measurement:
    """The last value, questionable; or, where there never was one, an invalid 0."""
    if last is None:
        return measurement(mrid, 0.0, _NEVER, now_s, TimeQuality.RECEIVED, now_s)
    return measurement(
        mrid, last.value, _degraded(last.quality), last.source_time_s, last.time_quality, now_s
    )
