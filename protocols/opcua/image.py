"""What the link knows of its points, and what it has told: from samples to the inbox.

This is the hot path: each value of each publish response passes here once. Nothing of it waits,
nothing of it asks the server.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from gridctl.model.clock import Clock
from gridctl.model.measurement import Measurement, TimeQuality
from protocols.inbox import Inbox
from protocols.opcua.addresses import Target
from protocols.opcua.codec import (
    alone,
    is_bad,
    lost,
    measurement_of,
    no_number,
    status_name,
    unreadable,
)
from protocols.opcua.wire import GRACE_TICKS, Sample, ticks_of

_FAULTS_SHOWN: Final = 3
_HEARTBEAT_MISSES: Final = 3.0


class PointImage:
    """The newest measurement of each target, by its index.

    Re-reports a point that was silent for its scan period (less `tick_s`, the period in which
    `re_report` is called), and keeps back a value within the deadband of the one told last:
    servers' own deadbands differ, and one compares with the wrong value (opcua.md §4).
    """

    def __init__(
        self,
        targets: Sequence[Target],
        inbox: Inbox,
        clock: Clock,
        *,
        heartbeat: str,
        tick_s: float,
    ) -> None:
        self._targets = targets
        self._rows = [target.row for target in targets]
        self._elements = [target.element for target in targets]
        self._deadbands = [0.0 if t.row.soe else t.row.deadband for t in targets]
        self._inbox = inbox
        self._clock = clock
        self._known: list[Measurement | None] = [None] * len(targets)
        self._told: list[Measurement | None] = [None] * len(targets)
        # Per scan class the points in the order in which they were told, oldest first: looking
        # for the silent ones touches those and no others.
        self._due: dict[float, dict[int, float]] = {}
        self._class_of = [self._due.setdefault(t.row.point.scan_s, {}) for t in targets]
        self._faults: dict[int, str] = {}
        self._tick_s = tick_s
        self._heartbeat = next(
            (i for i, t in enumerate(targets) if heartbeat and t.row.point.mrid == heartbeat), -1
        )
        self.heartbeat_moved_s = clock.monotonic_s()
        self.reads = 0
        """Values received since start."""

    def known(self, index: int) -> Measurement | None:
        """The newest measurement of a target."""
        return self._known[index]

    def fault_text(self) -> str:
        """Which points cannot be read and why, the first few of them; "" when there are none."""
        shown = [
            f"{self._rows[index].point.mrid} {text}"
            for index, text in list(self._faults.items())[:_FAULTS_SHOWN]
        ]
        more = len(self._faults) - len(shown)
        return "; ".join(shown) + (f"; and {more} more" if more > 0 else "")

    def heartbeat_text(self) -> str:
        """That the heartbeat stands still; "" while it moves, or when there is none."""
        if self._heartbeat < 0:
            return ""
        point = self._rows[self._heartbeat].point
        still_s = self._clock.monotonic_s() - self.heartbeat_moved_s
        late = still_s > _HEARTBEAT_MISSES * point.scan_s
        return f"heartbeat {point.mrid} has not moved for {still_s:.0f} s" if late else ""

    @property
    def faults(self) -> Mapping[int, str]:
        """Why a target cannot be read, by its index."""
        return self._faults

    def take(self, samples: Sequence[Sample], *, ranged: set[int] | frozenset[int]) -> None:
        """New values; `ranged`: targets whose element the server has picked already."""
        received_s = self._clock.now_s()
        now_s = self._clock.monotonic_s()
        known, rows, elements = self._known, self._rows, self._elements
        told, deadbands = self._told, self._deadbands
        fresh: list[Measurement] = []
        for sample in samples:
            index = sample.handle
            if index >= len(rows):
                continue  # no item of ours has this handle
            before = known[index]
            element = elements[index]
            if element and index in ranged:
                sample, element = alone(sample), ()  # noqa: PLW2901 - the same value, unpacked
            measured = measurement_of(
                rows[index], sample, element=element, last=before, received_s=received_s
            )
            known[index] = measured
            if index in self._faults or not measured.quality.is_good:
                self._note(index, sample, element)
            if index == self._heartbeat and before is not None and before.value != measured.value:
                self.heartbeat_moved_s = now_s
            was = told[index]
            if (
                was is None
                or (was.quality is not measured.quality and was.quality != measured.quality)
                or not abs(measured.value - was.value) < deadbands[index]
            ):
                told[index] = measured
                due = self._class_of[index]
                due.pop(index, None)
                due[index] = now_s
                fresh.append(measured)
        self.reads += len(samples)
        self._inbox.put(fresh)

    def since_s(self) -> dict[int, float]:
        """The last source time, UTC seconds, of each point of which every change counts; those
        without a source time of their own are left out."""
        return {
            index: known.source_time_s
            for index, (row, known) in enumerate(zip(self._rows, self._known, strict=True))
            if row.soe and known is not None and known.time_quality is not TimeQuality.RECEIVED
        }

    def remember(self, samples: Sequence[Sample]) -> None:
        """Values of the past, oldest first: told as such, the newest value stays what it is."""
        received_s = self._clock.now_s()
        self._inbox.put_past(
            [
                measurement_of(
                    self._rows[one.handle],
                    one,
                    element=self._elements[one.handle],
                    last=None,
                    received_s=received_s,
                )
                for one in samples
            ]
        )

    def untold(self, samples: Sequence[Sample]) -> list[Sample]:
        """Changes that another server of the link has kept, in their order, without what the former
        one told already: of each point everything up to the change that was told last. A point
        whose last change is not among them is told whole; doubled is better than lost."""
        first: dict[int, int] = {}
        for at, one in enumerate(samples):
            known = self._known[one.handle]
            if known is not None and self._is_same(one, known):
                first[one.handle] = at + 1
        return [one for at, one in enumerate(samples) if at >= first.get(one.handle, 0)]

    def _is_same(self, sample: Sample, known: Measurement) -> bool:
        if abs(sample.source_ticks - ticks_of(known.source_time_s)) > GRACE_TICKS:
            return False
        index = sample.handle
        again = measurement_of(
            self._rows[index],
            sample,
            element=self._elements[index],
            last=None,
            received_s=known.received_time_s,
        )
        return again.value == known.value and again.quality == known.quality

    def refuse(self, index: int, code: int) -> None:
        """The server does not let us monitor this target."""
        measured = unreadable(
            self._rows[index], code, self._known[index], received_s=self._clock.now_s()
        )
        self._faults[index] = status_name(code)
        self._known[index] = measured
        self._tell({index: measured})

    def re_report(self) -> None:
        """Tell every point again that was silent for its scan period: the server lives, so what
        it said last still holds."""
        now_s, received_s = self._clock.monotonic_s(), self._clock.now_s()
        again: dict[int, Measurement] = {}
        for scan_s, due in self._due.items():
            latest_s = now_s - scan_s + self._tick_s
            for index, told_s in due.items():
                if told_s > latest_s:
                    break
                known = self._known[index]
                if known is not None:
                    again[index] = replace(known, received_time_s=received_s)
        self._tell(again)

    def lose(self) -> None:
        """Every point once with COMM_LOST; what was known stays known for the next session."""
        received_s = self._clock.now_s()
        self._tell(
            {
                index: lost(row, self._known[index], received_s=received_s)
                for index, row in enumerate(self._rows)
            }
        )

    def _tell(self, measurements: Mapping[int, Measurement]) -> None:
        now_s = self._clock.monotonic_s()
        for index, measurement in measurements.items():
            self._told[index] = measurement
            due = self._class_of[index]
            due.pop(index, None)
            due[index] = now_s
        self._inbox.put(list(measurements.values()))

    def _note(self, index: int, sample: Sample, element: tuple[int, ...]) -> None:
        """Remember, or forget, why a point cannot be read although the server answers."""
        text = no_number(sample, element)
        if text is not None:
            self._faults[index] = text
        elif not is_bad(sample.status):
            self._faults.pop(index, None)
