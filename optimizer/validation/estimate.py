"""Rule 18: a value for what is missing, always marked as one.

A short gap: the line between its good neighbours. A longer one: the mean of three days of the same
type within the last four weeks, scaled to the register's advance where that is known. Else the
forecast's median. Else nothing: a gap stays a gap.
"""

from __future__ import annotations

import numpy as np

from optimizer.arrays import BoolArray, FloatArray, IntArray
from optimizer.validation.check import Checked
from optimizer.validation.grid import Grid
from optimizer.validation.marks import DOUBTFUL, Mark, has
from optimizer.validation.thresholds import DAY_S, Thresholds

REFERENCES = 3
_SATURDAY = 5


def estimated(
    checked: Checked,
    own: Thresholds,
    *,
    forecast: FloatArray | None = None,
    replace: Mark = DOUBTFUL,
) -> tuple[FloatArray, Checked]:
    """(p, n) estimates, NaN where none was made, and the marks with ESTIMATED set. Estimated is
    what no reading came for and what one of `replace` speaks against; raw values stay as they are.
    """
    grid = checked.grid
    missing: BoolArray = has(checked.marks, replace | Mark.GAP)
    good = np.where(missing, np.nan, grid.values)
    found = np.full(good.shape, np.nan)
    for row in range(len(good)):
        _point(grid, good[row], found[row], own)
    if forecast is not None:
        open_ = missing & np.isnan(found)
        found[open_] = forecast[open_]
    marks = checked.marks.copy()
    marks[np.isfinite(found)] |= np.uint32(int(Mark.ESTIMATED))
    return found, Checked(grid=grid, marks=marks)


def _point(grid: Grid, good: FloatArray, found: FloatArray, own: Thresholds) -> None:
    short = own.linear_gap_s / grid.step_s
    table = grid.by_day(good[None])[0]
    for start, end in gaps(np.isnan(good)):
        is_inside = start > 0 and end < len(good)
        if is_inside and end - start <= short:
            found[start:end] = np.interp(
                np.arange(start, end), [start - 1, end], [good[start - 1], good[end]]
            )
            continue
        for at in range(start, end):
            found[at] = _like_days(grid, table, int(grid.day[at]), int(grid.slot[at]), own)


def gaps(missing: BoolArray) -> list[tuple[int, int]]:
    """[start, end) of each run of True."""
    edges: IntArray = np.flatnonzero(np.diff(np.concatenate([[False], missing, [False]])))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


def day_type(weekday: int) -> int:
    """0 weekday, 1 Saturday, 2 Sunday."""
    return max(0, weekday - _SATURDAY + 1)


def _like_days(grid: Grid, table: FloatArray, day: int, slot: int, own: Thresholds) -> float:
    """Mean at this slot of the latest three days of the same type that have a value there."""
    wanted = day_type(int(grid.weekday[day]))
    values: list[float] = []
    oldest = max(0, day - round(own.reference_days * DAY_S / DAY_S))
    for other in range(day - 1, oldest - 1, -1):
        if day_type(int(grid.weekday[other])) == wanted and np.isfinite(table[other, slot]):
            values.append(float(table[other, slot]))
            if len(values) == REFERENCES:
                break
    return float(np.mean(values)) if values else float("nan")


def scaled_to_register(
    estimates: FloatArray, good: FloatArray, *, advance_kwh: float, hours: float
) -> FloatArray:
    """(n,) estimates of one gap such that good readings and estimates add up to the register's
    advance; unchanged where that would turn their sign."""
    rest_kwh = advance_kwh - float(np.nansum(good)) * hours
    sum_kwh = float(np.nansum(estimates)) * hours
    if sum_kwh == 0.0 or rest_kwh / sum_kwh < 0.0:
        return estimates
    result: FloatArray = estimates * (rest_kwh / sum_kwh)
    return result
