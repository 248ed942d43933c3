"""The intervals of a plan as arrays: when they start, how long they still last, which day it is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gridctl.model.planning import Horizon

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

SECONDS_PER_HOUR = 3600.0
SECONDS_PER_DAY = 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TimeGrid:
    """The horizon seen from `now_s`, which lies in interval 0 or before it.

    `begin_s` (T,): when interval k can first be acted upon (interval 0 may have begun already);
    `end_s` (T,); `hours` (T,): what is left of each interval; `day` (T,): local day number.
    `sun_share` (T,): share of its rating that a PV inverter is expected to give at least, as far as
    the forecast tells; None: it tells nothing.
    """

    now_s: float
    step_s: float
    utc_offset_s: float
    begin_s: FloatArray
    end_s: FloatArray
    hours: FloatArray
    day: IntArray
    sun_share: FloatArray | None = None

    @property
    def count(self) -> int:
        """Number of intervals."""
        return len(self.hours)

    @property
    def today(self) -> int:
        """Local day number of `now_s`."""
        return int((self.now_s + self.utc_offset_s) // SECONDS_PER_DAY)

    def local_hour(self, at_s: FloatArray) -> FloatArray:
        """Local standard time of day, hours 0 … 24."""
        return np.asarray((at_s + self.utc_offset_s) % SECONDS_PER_DAY / SECONDS_PER_HOUR)

    def intervals_until(self, at_s: float) -> int:
        """How many intervals begin before `at_s`."""
        return int(np.searchsorted(self.begin_s, at_s - 1e-6, side="left"))

    def intervals_within(self, at_s: float) -> int:
        """How many intervals have ended by `at_s`."""
        return int(np.searchsorted(self.end_s, at_s + 1e-6, side="right"))


def time_grid(horizon: Horizon, *, now_s: float, utc_offset_s: float) -> TimeGrid:
    """The grid of `horizon`. Raises ValueError when `now_s` is past interval 0, or for no interval.

    A plan must not ask for something in the past: the office starts its horizon at the interval
    that covers now.
    """
    if horizon.count < 1 or horizon.step_s <= 0:
        raise ValueError(
            f"horizon has {horizon.count} intervals of {horizon.step_s:g} s: at least one is needed"
        )
    if now_s >= horizon.start_s + horizon.step_s:
        raise ValueError(
            f"now is {now_s - horizon.start_s:.0f} s after the horizon's start, "
            f"past its first interval of {horizon.step_s:g} s"
        )
    start = horizon.start_s + horizon.step_s * np.arange(horizon.count, dtype=np.float64)
    end = start + horizon.step_s
    begin = np.maximum(start, now_s)
    return TimeGrid(
        now_s=now_s,
        step_s=horizon.step_s,
        utc_offset_s=utc_offset_s,
        begin_s=begin,
        end_s=end,
        hours=(end - begin) / SECONDS_PER_HOUR,
        day=((begin + utc_offset_s) // SECONDS_PER_DAY).astype(np.int64),
    )
