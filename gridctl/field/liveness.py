"""The field's image of the plant, in which silence shows: a value that stands still is stale.

Two rules (SG-12, SG-23), both in real monotonic seconds:
- a point without a report for longer than max(3 × scan, 10 s) is stale and questionable;
- when a link's heartbeat point has not *changed* for that long, all points of the link are stale,
  however eagerly they are reported: the device repeats itself.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from itertools import takewhile

from gridctl.model.measurement import Flag, Measurement, Point, Validity
from gridctl.model.staleness import stale_after_s


class FieldImage:
    """Newest measurement of each point, with the quality that its age and its link allow.

    `heartbeats`: the heartbeat point of each link that has one. Times are real monotonic seconds;
    a link that never showed its heartbeat counts from `start_mono_s`.
    """

    def __init__(
        self, points: Sequence[Point], *, heartbeats: Mapping[str, str], start_mono_s: float
    ) -> None:
        self._raw: dict[str, Measurement] = {}
        # Per staleness bound the points that are not stale, longest unheard first: what has run
        # out is found at the front, without a look at the ten thousands behind it.
        self._seen_s: dict[float, dict[str, float]] = {}
        self._seen_of: dict[str, dict[str, float]] = {}
        self._beat_s: dict[str, float] = {}
        self._stale: set[str] = set()
        self._frozen: set[str] = set()
        self._points: dict[str, Point] = {}
        self._heartbeats: dict[str, str] = {}
        self._link_of_heartbeat: dict[str, str] = {}
        self.change(points, heartbeats=heartbeats, restarted=(), mono_s=start_mono_s)

    def change(
        self,
        points: Sequence[Point],
        *,
        heartbeats: Mapping[str, str],
        restarted: Collection[str],
        mono_s: float,
    ) -> None:
        """These are the points from now on. Nothing of a link in `restarted` is known any more:
        what its points mean may have changed with the file."""
        self._points = {p.mrid: p for p in points}
        self._heartbeats = dict(heartbeats)
        self._link_of_heartbeat = {mrid: link for link, mrid in heartbeats.items()}
        known = {mrid for mrid, p in self._points.items() if p.link not in restarted}
        self._raw = {mrid: m for mrid, m in self._raw.items() if mrid in known}
        seen = sorted((at_s, mrid) for one in self._seen_s.values() for mrid, at_s in one.items())
        self._seen_s = {}
        self._seen_of = {
            mrid: self._seen_s.setdefault(stale_after_s(p.scan_s), {})
            for mrid, p in self._points.items()
        }
        for at_s, mrid in seen:
            if mrid in known:
                self._seen_of[mrid][mrid] = at_s
        self._stale &= known
        self._beat_s = {
            link: mono_s if link in restarted else self._beat_s.get(link, mono_s)
            for link in heartbeats
        }
        self._frozen &= self._beat_s.keys() - set(restarted)

    @property
    def frozen_links(self) -> frozenset[str]:
        """Links whose heartbeat stands still, as of the last `judge`."""
        return frozenset(self._frozen)

    def accept(self, measurements: Sequence[Measurement], mono_s: float) -> list[Measurement]:
        """Take reports that came in at `mono_s`; what is to be told to the office."""
        told: list[Measurement] = []
        for measurement in measurements:
            mrid = measurement.point
            point = self._points.get(mrid)
            if point is None:
                continue
            finite = self._finite(measurement)
            if finite is None:
                continue
            self._note_heartbeat(finite, mono_s)
            self._raw[mrid] = finite
            seen_s = self._seen_of[mrid]
            seen_s.pop(mrid, None)
            seen_s[mrid] = mono_s
            self._stale.discard(mrid)
            told.append(self._judged(finite, point))
        return told

    def judge(self, mono_s: float) -> list[Measurement]:
        """Points whose quality has changed by the passing of time alone."""
        were_frozen, silent = self._frozen, self._fallen_silent(mono_s)
        self._frozen = {
            link
            for link, mrid in self._heartbeats.items()
            if mono_s - self._beat_s[link] > stale_after_s(self._points[mrid].scan_s)
        }
        self._stale |= silent
        looked_at, turned = silent, were_frozen ^ self._frozen
        if turned:
            looked_at = silent | {m for m in self._raw if self._points[m].link in turned}

        def was_stale(mrid: str) -> bool:
            known = mrid in self._stale and mrid not in silent
            return known or self._points[mrid].link in were_frozen

        return [
            self._judged(self._raw[mrid], self._points[mrid])
            for mrid in looked_at
            if was_stale(mrid) != self._is_stale(mrid)
        ]

    def _fallen_silent(self, mono_s: float) -> set[str]:
        """Points that are longer unheard than they may, since the last look."""
        found: set[str] = set()
        for bound_s, seen_s in self._seen_s.items():
            late = list(takewhile(lambda mrid: mono_s - seen_s[mrid] > bound_s, seen_s))  # noqa: B023
            for mrid in late:
                del seen_s[mrid]
            found.update(late)
        return found

    def point(self, mrid: str) -> Point | None:
        """The point of this mRID, if it is one of ours."""
        return self._points.get(mrid)

    def present(self, mrid: str) -> Measurement | None:
        """The measurement of a point with its judged quality, or None when there was none yet."""
        raw = self._raw.get(mrid)
        return None if raw is None else self._judged(raw, self._points[mrid])

    def all(self) -> list[Measurement]:
        """Every point that ever reported."""
        return [self._judged(raw, self._points[mrid]) for mrid, raw in self._raw.items()]

    def _finite(self, measurement: Measurement) -> Measurement | None:
        """A report that is no number keeps the number before it, and is invalid."""
        if math.isfinite(measurement.value):
            return measurement
        before = self._raw.get(measurement.point)
        if before is None:
            return None
        quality = measurement.quality.degraded(Flag.OUT_OF_RANGE, Validity.INVALID)
        return replace(measurement, value=before.value, quality=quality)

    def _note_heartbeat(self, measurement: Measurement, mono_s: float) -> None:
        link = self._link_of_heartbeat.get(measurement.point)
        if link is None:
            return
        before = self._raw.get(measurement.point)
        if before is None or before.value != measurement.value:
            self._beat_s[link] = mono_s

    def _is_stale(self, mrid: str) -> bool:
        return mrid in self._stale or self._points[mrid].link in self._frozen

    def _judged(self, raw: Measurement, point: Point) -> Measurement:
        if not self._is_stale(point.mrid):
            return raw
        return replace(raw, quality=raw.quality.degraded(Flag.STALE))
