"""What a value says against itself, as it comes in: the part of VEE that cannot wait.

Four rules of docs/reference/vee-rules.md run here, once per value, so the loop is kept lean: 5
(outside what the equipment can do), 2 (stamped in the future by a clock that says it is set), and
for the feeder head 12 (stands still while the resources' power moves) and 8 (a jump larger than any
plan's is doubted until the next report says the same: a spike never decides). A value that fails
stays as it was measured; its quality says what is wrong, and nothing that decides takes it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from gridctl.model.measurement import Flag, Measurement, Point, TimeQuality, Validity
from gridctl.model.plausibility import PlausibilityBounds
from gridctl.model.quantity import Unit
from gridctl.model.resource import LoadGroup, Resource

_BY_UNIT: Mapping[Unit, tuple[float, float]] = {
    Unit.PERCENT: (-5.0, 105.0),
    Unit.DEGREE_C: (-60.0, 150.0),
    Unit.W_PER_M2: (-50.0, 2_000.0),
}


class Plausibility:
    """Judges reports in the order in which they come. One user: the process image."""

    def __init__(
        self,
        bounds: PlausibilityBounds,
        *,
        head_point: str,
        head_limit_kw: float,
        resources: Sequence[Resource],
    ) -> None:
        self._bounds = bounds
        self._head = head_point
        self._head_max_kw = bounds.head_share * head_limit_kw
        self._jump_kw = bounds.jump_share * head_limit_kw
        self._power_max_kw = {
            r.points.power: r.rating_kw
            * (bounds.group_share if isinstance(r, LoadGroup) else bounds.power_share)
            for r in resources
        }
        self._range: dict[str, tuple[float, float]] = {}
        self._power_kw: dict[str, float] = {}
        self._power_sum_kw = 0.0
        self._still: tuple[float, float, float] | None = None
        self._head_kw: float | None = None
        self._doubted_kw: float | None = None

    def greet(self, points: Mapping[str, Point]) -> None:
        """These are the points from now on."""
        self._range = {}
        for mrid, point in points.items():
            found = None if point.kind.commandable else self._range_of(point)
            if found is not None:
                self._range[mrid] = found
        self._power_kw = {mrid: 0.0 for mrid in self._power_max_kw if mrid in points}
        self._power_sum_kw = 0.0
        self._still = None
        self._head_kw = self._doubted_kw = None

    def _range_of(self, point: Point) -> tuple[float, float] | None:
        if point.mrid == self._head:
            return -self._head_max_kw, self._head_max_kw
        if point.mrid in self._power_max_kw:
            kw = self._power_max_kw[point.mrid]
            return -kw, kw
        if point.unit is Unit.VOLT_PU:
            return self._bounds.voltage_min_pu, self._bounds.voltage_max_pu
        return _BY_UNIT.get(point.unit)

    def judged(self, measurements: Sequence[Measurement], *, pace: float) -> list[Measurement]:
        """The measurements, those that cannot be true with a lesser quality. `pace`: grid seconds
        that pass in a real one."""
        ranges, future_s = self._range, self._bounds.future_s * pace
        told = list(measurements)
        for k in [k for k, m in enumerate(told) if m.source_time_s - m.received_time_s > future_s]:
            told[k] = _of_the_future(told[k])
        # Most points have no bounds: they cost one look into the dictionary.
        for k in [k for k, m in enumerate(told) if m.point in ranges]:
            m = told[k]
            low, high = ranges[m.point]
            if not low <= m.value <= high:
                told[k] = self._impossible(m)
            elif m.point == self._head:
                told[k] = self._head_stands(self._head_jumps(m))
            elif m.point in self._power_kw:
                self._note_power(m)
        return told

    def _impossible(self, m: Measurement) -> Measurement:
        if self._is_dead_voltage(m) or not m.quality.is_good or math.isnan(m.value):
            return m
        return replace(m, quality=m.quality.degraded(Flag.OUT_OF_RANGE, Validity.INVALID))

    def _is_dead_voltage(self, m: Measurement) -> bool:
        """A line without voltage shows nearly none: that is news, not an error."""
        low_high = (self._bounds.voltage_min_pu, self._bounds.voltage_max_pu)
        return self._range[m.point] == low_high and 0.0 <= m.value < self._bounds.dead_below_pu

    def _note_power(self, m: Measurement) -> None:
        if m.quality.is_good:
            self._power_sum_kw += m.value - self._power_kw[m.point]
            self._power_kw[m.point] = m.value

    def _head_jumps(self, m: Measurement) -> Measurement:
        """Rule 8 for the head, as far as it can be judged before the next report: the first value
        after a jump is doubted, the next one near it is believed."""
        if not m.quality.is_good:
            return m
        last, doubted = self._head_kw, self._doubted_kw
        if last is None or abs(m.value - last) <= self._jump_kw:
            self._head_kw, self._doubted_kw = m.value, None
            return m
        if doubted is not None and abs(m.value - doubted) <= self._jump_kw:
            self._head_kw, self._doubted_kw = m.value, None
            return m
        self._doubted_kw = m.value
        return replace(m, quality=m.quality.degraded(Flag.INCONSISTENT))

    def _head_stands(self, m: Measurement) -> Measurement:
        """Rule 12 for the head: the same value for `frozen_s` while its resources moved."""
        if not m.quality.is_good:
            return m
        still = self._still
        if still is None or m.value != still[0] or m.value == 0.0:
            self._still = (m.value, m.received_time_s, self._power_sum_kw)
            return m
        value, since_s, power_kw = still
        moved_kw = abs(self._power_sum_kw - power_kw)
        stands_s = m.received_time_s - since_s
        if stands_s <= self._bounds.frozen_s or moved_kw <= self._bounds.moved_share * abs(value):
            return m
        return replace(m, quality=m.quality.degraded(Flag.FROZEN))


def _of_the_future(m: Measurement) -> Measurement:
    """Only a clock that says that it is set contradicts itself; another has said so already."""
    if m.time_quality is not TimeQuality.SYNCHRONIZED:
        return m
    return replace(m, quality=m.quality.degraded(Flag.INCONSISTENT))
