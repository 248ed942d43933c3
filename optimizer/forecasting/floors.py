"""What a forecast must beat: last week, the similar day, Hong's Vanilla benchmark.

All are run through the same protocol as the forecaster, with quantiles of their own past errors.
"""

from __future__ import annotations

import numpy as np

from optimizer.arrays import FloatArray, IntArray
from optimizer.forecasting.backtest import Fit, Points
from optimizer.forecasting.grid import LoadGrid, hats, taken
from optimizer.forecasting.regression import decayed, ridge
from optimizer.forecasting.similar import SimilarDay, weekday_base
from optimizer.forecasting.weather import believed, best_stations

SHARE = 1e-5
HALF_LIFE_DAYS = 365.0
WINDOW_DAYS = 1096


def last_week(grid: LoadGrid, leads: tuple[int, ...]) -> Fit:
    """Seasonal naive: as it was 168 h before."""

    def points(origins: IntArray) -> FloatArray:
        targets = origins[:, None] + np.array(leads)
        return taken(grid.load_kw, targets - 7 * grid.per_day)[None]

    return lambda _: points


def similar_day(grid: LoadGrid, leads: tuple[int, ...]) -> Fit:
    """Mean of four weekdays and 0.7 of the last day's level (expert E1 alone)."""
    expert = SimilarDay(grid, weekday_base(grid, np.zeros((0, grid.count))))
    return lambda _: lambda origins: expert.points(origins, leads)[None]


def vanilla(grid: LoadGrid, leads: tuple[int, ...]) -> Fit:
    """Tao Hong's Vanilla benchmark: trend, month, weekday x hour, cubic of T by month and hour;
    nothing of the last days. T as it was."""
    hour_of = hats(grid.hour(np.arange(grid.count)))
    kinds = grid.day_types()[0][grid.calendar.day(np.arange(grid.count))]
    day = (grid.calendar.first + np.arange(grid.count)) / grid.per_day
    month = hats(day % 365.25 * (24.0 / 365.25), 12)

    def rows(slots: IntArray, temperature_c: FloatArray) -> FloatArray:
        hour, at = hour_of[slots], month[slots]
        weekday = (np.eye(7)[kinds[slots]][:, :, None] * hour[:, None, :]).reshape(len(slots), -1)
        t = ((temperature_c[slots] - 15.0) / 10.0)[:, None]
        return np.hstack(
            [((day[slots] - 12_000.0) / 365.25)[:, None], at, weekday]
            + [block * t**power for power in (1, 2, 3) for block in (at, hour)]
        )

    def fit(end: int) -> Points:
        temperature = believed(grid, best_stations(grid, end)).temperature_c
        if temperature is None:
            raise ValueError("Hong's Vanilla benchmark needs the temperature")
        slots = np.arange(max(0, end - WINDOW_DAYS * grid.per_day), end)
        slots = slots[np.isfinite(grid.load_kw[slots])]
        x = rows(slots, temperature)
        root = np.sqrt(decayed(end - 1 - slots, HALF_LIFE_DAYS * grid.per_day))[:, None]
        x *= root
        beta = ridge(x.T @ x, x.T @ (root[:, 0] * grid.load_kw[slots]), share=SHARE)

        def points(origins: IntArray) -> FloatArray:
            targets = origins[:, None] + np.array(leads)
            said = rows(targets.ravel(), temperature) @ beta
            return said.reshape(1, *targets.shape)

        return points

    return fit
