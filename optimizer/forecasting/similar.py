"""Bases: what earlier days like this one were at this time of day; and the first expert (E1).

`weekday_base`: mean of the last four days of the same weekday (a holiday counts as a Sunday and is
never part of a base). `class_base`: mean of the last days of the same class (Monday to Friday,
Saturday, Sunday), fresher by weeks. Both take only days that lie so far back that they are over at
any origin that may ask.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from optimizer.arrays import BoolArray, FloatArray, IntArray
from optimizer.forecasting.grid import LoadGrid, trailing

DAYS_BACK = 3
"""A target at most 48 h ahead lies at most two days after the origin's day; the third is over."""
WEEKDAYS_TAKEN = 4
CLASS_OF_WEEKDAY = np.array([0, 0, 0, 0, 0, 1, 2])
CLASS_TAKEN = (4, 2, 2)
LEVEL_SHARE = 0.7


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Base:
    """(n,) base in kW and (w, n) the degrees of its days; NaN where no day is known."""

    load_kw: FloatArray
    degrees: FloatArray


def weekday_base(grid: LoadGrid, degrees: FloatArray) -> Base:
    kinds, holiday = grid.day_types()
    taken = np.full(7, WEEKDAYS_TAKEN)
    return _base(grid, degrees, (kinds, holiday), taken=taken, days_back=DAYS_BACK)


def class_base(grid: LoadGrid, degrees: FloatArray, days_back: int) -> Base:
    """`days_back`: the last day used lies so many days before the target's own, at least."""
    kinds, holiday = grid.day_types()
    return _base(
        grid,
        degrees,
        (CLASS_OF_WEEKDAY[kinds], holiday),
        taken=np.array(CLASS_TAKEN),
        days_back=days_back,
    )


def _base(
    grid: LoadGrid,
    degrees: FloatArray,
    days: tuple[IntArray, BoolArray],
    *,
    taken: IntArray,
    days_back: int,
) -> Base:
    kinds, holiday = days
    slots = np.arange(grid.count)
    at = (grid.calendar.day(slots), grid.calendar.slot_of_day(slots))
    rows = np.vstack([grid.load_kw[None], degrees])
    # One day more, of which nothing is known: the day before the first of a kind.
    by_day = np.full((len(rows), len(kinds) + 1, grid.per_day), np.nan)
    by_day[:, at[0], at[1]] = rows
    # A day counts for the weather of a base only where its load is known.
    by_day[1:, ~np.isfinite(by_day[0])] = np.nan
    chosen = np.full((len(kinds), int(taken.max())), len(kinds), dtype=np.intp)
    for kind in np.unique(kinds):
        usable = np.append(np.flatnonzero((kinds == kind) & ~holiday), len(kinds))
        wanted = np.flatnonzero(kinds == kind)
        end = np.searchsorted(usable[:-1], wanted - days_back, side="right")
        back = end[:, None] - 1 - np.arange(taken[kind])
        chosen[wanted, : taken[kind]] = usable[np.maximum(back, -1)]
    flat = _mean_of(by_day, chosen)[:, at[0], at[1]]
    return Base(load_kw=flat[0], degrees=flat[1:])


def _mean_of(by_day: FloatArray, chosen: IntArray) -> FloatArray:
    """(rows, d, slots) mean of the finite values of the `chosen` (d, k) days; NaN without any."""
    known = np.isfinite(by_day)
    found = known[:, chosen].sum(axis=2)
    mean: FloatArray = np.where(known, by_day, 0.0)[:, chosen].sum(axis=2) / np.maximum(found, 1)
    mean[found < 1] = np.nan
    return mean


class SimilarDay:
    """E1: base of the same weekday, plus a share of how far the last day was off its own base."""

    def __init__(self, grid: LoadGrid, base: Base) -> None:
        self._base = base.load_kw
        self._level = trailing(grid.load_kw - base.load_kw, grid.per_day)

    def points(self, origins: IntArray, leads: tuple[int, ...]) -> FloatArray:
        """(origins, leads) kW; NaN where there is no base."""
        targets = origins[:, None] + np.array(leads)
        level = np.nan_to_num(self._level[origins])
        result: FloatArray = self._base[targets] + LEVEL_SHARE * level[:, None]
        return result
