"""Readings as they came → a regular grid on UTC, and what did not fit onto it (rules 2 and 21).

Local time matters for days alone: a day that is 23 or 25 hours long has that many slots.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo

import numpy as np

from gridctl.model.errors import Refusal, RefusedError
from optimizer.arrays import BoolArray, FloatArray, IntArray
from optimizer.validation import rules

STEP_MIN_S, STEP_MAX_S = 1.0, 86_400.0
SAMPLES_MAX = 20_000_000
OFF_GRID_SHARE = 0.1
"""Further from its slot than this share of a step a reading is off the grid."""
DAY_S = 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class Misfit:
    """A row of the file that has no slot of its own: `row` counts from 0."""

    row: int
    time_s: float
    why: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Grid:
    """`time_s` (n,) in steps of `step_s`; `values` (p, n), NaN where no reading came; `day` (n,)
    the number of the local day and `slot` (n,) the place in it; `weekday` (d,) 0 is Monday."""

    names: tuple[str, ...]
    step_s: float
    time_s: FloatArray
    values: FloatArray
    day: IntArray
    slot: IntArray
    weekday: IntArray
    misfits: tuple[Misfit, ...]

    @property
    def slots_per_day(self) -> int:
        """Slots of the longest day."""
        return int(self.slot.max()) + 1

    def by_day(self, values: FloatArray) -> FloatArray:
        """(p, n) → (p, d, s), NaN in the slots that a short day does not have."""
        found = np.full((values.shape[0], len(self.weekday), self.slots_per_day), np.nan)
        found[:, self.day, self.slot] = values
        return found


def to_grid(
    names: tuple[str, ...],
    time_s: FloatArray,
    values: FloatArray,
    *,
    local: tzinfo = UTC,
    step_s: float | None = None,
) -> Grid:
    """Put (p, n) `values` at `time_s` (n,) onto their grid; the step is the commonest one unless
    given.

    Raises RefusedError when there is no step to be seen, or the grid would be mostly holes.
    """
    ordered = np.unique(time_s)
    step = _step(ordered) if step_s is None else step_s
    late, again = rules.out_of_order(time_s)
    origin_s = _origin(ordered, step)
    place = (time_s - origin_s) / step
    slot = np.rint(place).astype(np.intp)
    off = np.abs(place - slot) > OFF_GRID_SHARE
    count = int(slot.max()) + 1
    if count > min(SAMPLES_MAX, 50 * len(time_s) + 1_000):
        raise RefusedError(
            Refusal(
                code="time-base",
                reasons=(f"{len(time_s)} readings over {count} steps of {step:g} s: mostly holes",),
            )
        )
    # The same reading twice says nothing new; two readings of one time are a contradiction.
    repeated = again & _is_repeated(time_s, values)
    kept = ~off & ~again
    # Of two readings in one slot the one that came first stays.
    first = np.zeros(len(time_s), dtype=bool)
    rows = np.flatnonzero(kept)
    first[rows[np.unique(slot[rows], return_index=True)[1]]] = True
    gridded = np.full((values.shape[0], count), np.nan)
    gridded[:, slot[first]] = values[:, first]
    misfits = tuple(
        Misfit(row=int(row), time_s=float(time_s[row]), why=why)
        for mask, why in (
            (off, "off the interval grid"),
            (again & ~off & ~repeated, "the same time again"),
            (kept & ~first, "a second reading in one interval"),
            (late & first, "out of order"),
        )
        for row in np.flatnonzero(mask)
    )
    time: FloatArray = origin_s + step * np.arange(count, dtype=np.float64)
    day, place_in_day, weekday = _days(time, step, local)
    return Grid(
        names=names,
        step_s=step,
        time_s=time,
        values=gridded,
        day=day,
        slot=place_in_day,
        weekday=weekday,
        misfits=tuple(sorted(misfits, key=lambda misfit: misfit.row)),
    )


def _is_repeated(time_s: FloatArray, values: FloatArray) -> BoolArray:
    """(n,) whether the first reading of the same time had the same values."""
    _, first, inverse = np.unique(time_s, return_index=True, return_inverse=True)
    earlier = values[:, first[inverse]]
    same: BoolArray = ((values == earlier) | (np.isnan(values) & np.isnan(earlier))).all(axis=0)
    return same


def _step(ordered: FloatArray) -> float:
    if len(ordered) < 2:  # noqa: PLR2004 - a step has two ends
        raise RefusedError(Refusal(code="time-base", reasons=("a single reading has no step",)))
    found, count = np.unique(np.round(np.diff(ordered), 3), return_counts=True)
    step = float(found[np.argmax(count)])
    if not STEP_MIN_S <= step <= STEP_MAX_S:
        raise RefusedError(
            Refusal(
                code="time-base",
                reasons=(
                    f"readings every {step:g} s; {STEP_MIN_S:g} … {STEP_MAX_S:g} s can be used",
                ),
            )
        )
    return step


def _origin(ordered: FloatArray, step: float) -> float:
    """The first reading that stands where most do: one that is off must not shift the rest."""
    phase = np.round(np.mod(ordered, step), 3)
    found, count = np.unique(phase, return_counts=True)
    common = found[np.argmax(count)]
    first = float(ordered[np.flatnonzero(phase == common)[0]])
    return first - step * math.floor((first - float(ordered[0])) / step + OFF_GRID_SHARE)


def _days(time_s: FloatArray, step_s: float, local: tzinfo) -> tuple[IntArray, IntArray, IntArray]:
    """Day number and slot of each sample, and the weekday of each day. Zones are asked once an
    hour: their offset changes at whole hours of UTC (since 1972, quarter hours aside)."""
    hours, inverse = np.unique(np.floor(time_s / 900.0), return_inverse=True)
    offset = np.array(
        [
            (datetime.fromtimestamp(h * 900.0, local).utcoffset() or _NONE).total_seconds()
            for h in hours
        ]
        if local is not UTC
        else np.zeros(len(hours))
    )[inverse]
    number = np.floor((time_s + offset) / DAY_S).astype(np.intp)
    first = number[0]
    day = number - first
    start = np.searchsorted(day, np.arange(day[-1] + 1))
    # The first day may begin in its middle: its slots are counted from its own midnight.
    begin_s = time_s[start]
    begin_s[0] = first * DAY_S - offset[0]
    slot = np.rint((time_s - begin_s[day]) / step_s).astype(np.intp)
    weekday = (np.arange(day[-1] + 1) + first + 3) % 7
    return day, np.maximum(slot, 0), weekday


_NONE = datetime(2000, 1, 1, tzinfo=UTC) - datetime(2000, 1, 1, tzinfo=UTC)
