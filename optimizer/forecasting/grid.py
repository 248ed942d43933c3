"""Load and weather on one regular grid of slots, in local days.

A slot `i` covers one step; slot `i` of the grid is `calendar.first + i` slots after local midnight
of 1970-01-01. An origin is the last slot that is known, a target is `lead` slots later. Gaps are
NaN. Windows count trailing slots, so that what a row says at slot `i` needs nothing after `i`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from optimizer.arrays import BoolArray, FloatArray, IntArray
from optimizer.similar_day import DAYS_PER_WEEK, Calendar

SUNDAY = 6
HOURS_PER_DAY = 24.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LoadGrid:
    """`load_kw` (n,), NaN for gaps and for what is not yet known. `temperature_c` (stations, n),
    `sun_w_m2`, `wind_ms` (0 or more, n): weather, as measured or, ahead of now, as forecast.
    `holidays`: local day numbers since 1970-01-01."""

    load_kw: FloatArray
    temperature_c: FloatArray
    sun_w_m2: FloatArray
    wind_ms: FloatArray
    calendar: Calendar
    holidays: frozenset[int] = field(default_factory=frozenset)

    @property
    def count(self) -> int:
        return len(self.load_kw)

    @property
    def per_day(self) -> int:
        return self.calendar.per_day

    @property
    def first_day(self) -> int:
        """Day number of slot 0 since 1970-01-01."""
        return self.calendar.first // self.per_day

    def slots(self, hours: float) -> int:
        """How many slots `hours` are, at least one."""
        return self.calendar.slots(hours)

    def hour(self, slots: IntArray) -> FloatArray:
        """Local hour of the day at the slot's beginning, 0 … 24."""
        of_day = self.calendar.slot_of_day(slots).astype(np.float64)
        hour: FloatArray = of_day * (HOURS_PER_DAY / self.per_day)
        return hour

    def day_types(self) -> tuple[IntArray, BoolArray]:
        """Of each local day of the grid: 0 Monday … 6 Sunday, holidays as Sundays; is it one?"""
        last = int(self.calendar.day(np.array([self.count - 1]))[0])
        days = np.arange(last + 1) + self.first_day
        # Day 0 of the epoch was a Thursday.
        weekday = (days + 3) % DAYS_PER_WEEK
        holiday = np.isin(days, np.fromiter(self.holidays, dtype=np.intp, count=len(self.holidays)))
        return np.where(holiday, SUNDAY, weekday).astype(np.intp), holiday

    def cut(self, count: int) -> LoadGrid:
        """The first `count` slots."""
        return LoadGrid(
            load_kw=self.load_kw[:count],
            temperature_c=self.temperature_c[:, :count],
            sun_w_m2=self.sun_w_m2[:, :count],
            wind_ms=self.wind_ms[:, :count],
            calendar=self.calendar,
            holidays=self.holidays,
        )


def trailing(values: FloatArray, width: int) -> FloatArray:
    """Mean of the finite ones among the last `width` values along the last axis, else NaN."""
    known = np.isfinite(values)
    shape = (*values.shape[:-1], values.shape[-1] + 1)
    total, number = np.zeros(shape), np.zeros(shape)
    np.cumsum(np.where(known, values, 0.0), axis=-1, out=total[..., 1:])
    np.cumsum(known, axis=-1, out=number[..., 1:])
    upper = np.arange(1, values.shape[-1] + 1)
    lower = np.maximum(upper - width, 0)
    found = number[..., upper] - number[..., lower]
    mean: FloatArray = (total[..., upper] - total[..., lower]) / np.maximum(found, 1.0)
    mean[found < 1] = np.nan
    return mean


def lagged(values: FloatArray, slots: int) -> FloatArray:
    """The value `slots` earlier, along the last axis; the first value where there is none."""
    if slots <= 0:
        return values
    head = np.repeat(values[..., :1], min(slots, values.shape[-1]), axis=-1)
    return np.concatenate([head, values[..., :-slots]], axis=-1)[..., : values.shape[-1]]


def taken(values: FloatArray, slots: IntArray) -> FloatArray:
    """`values[slots]`, NaN for slots before the first and after the last."""
    inside = (slots >= 0) & (slots < len(values))
    result: FloatArray = np.where(inside, values[np.clip(slots, 0, len(values) - 1)], np.nan)
    return result


def hats(hour: FloatArray, count: int = 24) -> FloatArray:
    """(n, count) weights of the hours of the day: a slot between two hours belongs to both."""
    position = hour * (count / HOURS_PER_DAY)
    low = np.floor(position).astype(np.intp)
    share = position - low
    rows = np.arange(len(hour))
    result = np.zeros((len(hour), count))
    result[rows, low % count] = 1.0 - share
    result[rows, (low + 1) % count] += share
    return result
