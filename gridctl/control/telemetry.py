"""Frames from the field → the process image → a frozen Snapshot.

The office trusts no silence either: whatever the field says of a value, it is stale here when no
report of it came for its staleness bound, and so is everything when the line is down (SG-12).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import takewhile
from types import MappingProxyType

from gridctl.control.deviceclocks import DeviceClocks
from gridctl.control.plausibility import Plausibility
from gridctl.model.clock import Clock
from gridctl.model.link import Heartbeat, Hello, LeaseInfo, LinkHealth, Telemetry
from gridctl.model.measurement import Flag, Measurement, Point, Quality, Snapshot, Validity
from gridctl.model.staleness import stale_after_s

UNKNOWN = Quality(validity=Validity.INVALID, flags=frozenset({Flag.INITIAL}))
OFFSETS_KEPT = 5
HEARTBEAT_LATE_S = 5.0
"""Real seconds without a heartbeat after which what it said is not believed any more."""


class ProcessImage:
    """What the office knows of the plant. One writer (the frames' loop), many readers."""

    def __init__(
        self,
        *,
        clock: Clock,
        plausibility: Plausibility | None = None,
        clocks: DeviceClocks | None = None,
    ) -> None:
        self._clock = clock
        self._plausibility = plausibility
        self._clocks = clocks
        self._values: dict[str, Measurement] = {}
        self._received_mono_s: dict[str, float] = {}
        self._points: Mapping[str, Point] = {}
        # Per staleness bound the points that are not stale, longest unheard first: what has run
        # out is found at the front, without a look at the ten thousands behind it.
        self._fresh: dict[float, dict[str, None]] = {}
        self._fresh_of: dict[str, dict[str, None]] = {}
        self._stale: dict[str, Measurement] = {}
        self._readable: frozenset[str] = frozenset()
        self._good: set[str] = set()
        self._revision = 0
        self._changed = True
        self._snapshot = Snapshot(revision=0, at_s=clock.now_s())
        self._telemetry_sequence: int | None = None
        self._heartbeat: Heartbeat | None = None
        self._heartbeat_mono_s = 0.0
        self._beats = False
        self.hello: Hello | None = None
        self._pace = GridPace(clock)
        self._offsets_s: deque[float] = deque(maxlen=OFFSETS_KEPT)
        self.lost_frames = 0
        """Telemetry frames that never came, since start."""

    @property
    def points(self) -> Mapping[str, Point]:
        """Every point that the field agent has told of."""
        return self._points

    @property
    def heartbeat(self) -> Heartbeat | None:
        """The last heartbeat of this field agent, while it is fresh."""
        if not self._beats:
            return None
        late_s = self._clock.monotonic_s() - self._heartbeat_mono_s
        return self._heartbeat if late_s <= HEARTBEAT_LATE_S else None

    @property
    def told_mono_s(self) -> float:
        """Real monotonic time of the last heartbeat: leases are known as of then."""
        return self._heartbeat_mono_s

    @property
    def clock_offset_s(self) -> float | None:
        """Field's clock minus the office's, real seconds; None before the first heartbeat.

        The best of the last few: a heartbeat that waited in a queue looks like a slow clock.
        """
        return min(self._offsets_s, key=abs, default=None)

    @property
    def links(self) -> tuple[LinkHealth, ...]:
        """The field's links as last told; all down when the field itself is silent."""
        if self._heartbeat is None:
            return ()
        if self.heartbeat is not None:
            return self._heartbeat.links
        return tuple(
            replace(link, state="down", detail="the field agent is silent")
            for link in self._heartbeat.links
        )

    @property
    def leases(self) -> Mapping[str, LeaseInfo]:
        """Setpoints that the field holds, by point, as last told."""
        if self._heartbeat is None:
            return {}
        return {lease.point: lease for lease in self._heartbeat.leases}

    @property
    def busy(self) -> frozenset[str]:
        """Points with something under way in the field, as last told."""
        return frozenset() if self._heartbeat is None else frozenset(self._heartbeat.busy)

    @property
    def wrong_clocks_s(self) -> Mapping[str, float]:
        """By link: how far its device's clock is from ours, grid seconds, where it is too far."""
        return {} if self._clocks is None else self._clocks.wrong_s

    def greet(self, hello: Hello) -> None:
        """A field agent has connected: its points replace the ones known before.

        What the one before it said of its links is not true of this one.
        """
        self.hello = hello
        self._beats = False
        self._points = MappingProxyType({p.mrid: p for p in hello.points})
        if self._plausibility is not None:
            self._plausibility.greet(self._points)
        if self._clocks is not None:
            self._clocks.greet(self._points)
        self._readable = frozenset(p.mrid for p in hello.points if not p.kind.commandable)
        self._fresh, self._stale, self._good = {}, {}, set()
        self._fresh_of = {
            p.mrid: self._fresh.setdefault(stale_after_s(p.scan_s), {}) for p in hello.points
        }
        known, self._values = self._values, {}
        heard = sorted(known.keys() & self._points.keys(), key=self._received_mono_s.__getitem__)
        self._keep([known[mrid] for mrid in heard])
        self._telemetry_sequence = None
        self._offsets_s.clear()
        self._changed = True

    def beat(self, heartbeat: Heartbeat) -> None:
        """The field lives."""
        self._heartbeat = heartbeat
        self._beats = True
        self._heartbeat_mono_s = self._clock.monotonic_s()
        offset_s = heartbeat.at_s - self._clock.now_s()
        self._offsets_s.append(offset_s / self._pace.grid_s(1.0))

    def take(self, telemetry: Telemetry) -> None:
        """New values. Points that the field never told of are ignored."""
        expected = self._telemetry_sequence
        if expected is not None and telemetry.sequence != expected + 1:
            self.lost_frames += abs(telemetry.sequence - expected - 1)
        self._telemetry_sequence = telemetry.sequence
        mono_s = self._clock.monotonic_s()
        known = [m for m in telemetry.measurements if m.point in self._points]
        pace = self._pace.grid_s(1.0)
        if self._clocks is not None:
            known = self._clocks.judged(known, self._points, pace=pace)
        if self._plausibility is not None:
            known = self._plausibility.judged(known, pace=pace)
        self._received_mono_s.update(dict.fromkeys((m.point for m in known), mono_s))
        self._keep(known)

    def _keep(self, measurements: Sequence[Measurement]) -> None:
        """Into the image, each point at the end of its queue. Once per value: kept lean."""
        values, stale, good, fresh_of = self._values, self._stale, self._good, self._fresh_of
        for measurement in measurements:
            point = measurement.point
            values[point] = measurement
            if point in stale:
                del stale[point]
            fresh = fresh_of[point]
            fresh.pop(point, None)
            fresh[point] = None
            if measurement.quality.validity is not Validity.GOOD:
                good.discard(point)
            elif point in self._readable:
                good.add(point)
        self._changed = True

    def _age(self) -> None:
        """Points that were not reported within their bound are stale from now on."""
        for bound_s, fresh in self._fresh.items():
            late = list(takewhile(lambda mrid: self.age_s(mrid) > bound_s, fresh))  # noqa: B023
            for mrid in late:
                del fresh[mrid]
                self._stale[mrid] = _stale(self._values[mrid])
                self._good.discard(mrid)
                self._changed = True

    def age_s(self, point: str) -> float:
        """Real seconds since the last report of `point`; infinity when there never was one."""
        received_s = self._received_mono_s.get(point)
        return float("inf") if received_s is None else self._clock.monotonic_s() - received_s

    def snapshot(self) -> Snapshot:
        """The image now, frozen. The same object again as long as nothing has changed."""
        self._age()
        if self._changed:
            self._changed = False
            self._revision += 1
            self._snapshot = Snapshot(
                revision=self._revision,
                at_s=self._clock.now_s(),
                values=MappingProxyType(self._values | self._stale),
            )
        return self._snapshot

    def good(self, point: str) -> Measurement | None:
        """As `Snapshot.good`, of this moment. For one point that is asked for with each report of
        the field: a snapshot of ten thousands of others would be most of the office's work."""
        self._age()
        found = self._stale.get(point) or self._values.get(point)
        return found if found is not None and found.quality.is_good else None

    def good_share(self) -> float:
        """Share of the readable points whose value is good, 0 … 1. What a device holds shows in the
        feedback point of a setpoint, never in the setpoint itself."""
        self._age()
        return len(self._good) / len(self._readable) if self._readable else 0.0


def _stale(measured: Measurement) -> Measurement:
    return replace(measured, quality=measured.quality.degraded(Flag.STALE))


class GridPace:
    """How fast grid time runs against real time, measured; 1 in production, more in a pilot."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._start = (clock.now_s(), clock.monotonic_s())

    def grid_s(self, real_s: float) -> float:
        """Grid seconds that pass in `real_s` real ones; at least as many as real ones."""
        grid_0, mono_0 = self._start
        passed_s = self._clock.monotonic_s() - mono_0
        if passed_s < 1.0:
            return real_s
        return real_s * max(1.0, (self._clock.now_s() - grid_0) / passed_s)
