"""The experts that a history affords, fitted at one moment and asked at later origins.

| known days | experts |
|---|---|
| 400 and more | similar day, Hong's model, two differences |
| 30 to 400 | the same with Hong's model in its lite form |
| 8 to 30 | similar day, two differences |

Less than 8 days are no matter for this module (`optimizer.forecast` has the cold start).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from optimizer.arrays import FloatArray, IntArray
from optimizer.forecasting.difference import Difference
from optimizer.forecasting.glm import FULL, LITE, HongModel
from optimizer.forecasting.grid import LoadGrid
from optimizer.forecasting.similar import SimilarDay, class_base, weekday_base
from optimizer.forecasting.weather import (
    Seen,
    Vintage,
    believed,
    best_stations,
    weather_rows,
)

FULL_DAYS = 400.0
LITE_DAYS = 30.0
MIN_DAYS = 8.0
EXPERTS = ("similar day", "Hong's model", "weekday difference", "day class difference")
ORIGINS_MAX = 30_000
LEAD_MAX_DAYS = 2


def known_days(grid: LoadGrid, end: int) -> float:
    """How many days of values there are before slot `end`."""
    return float(np.isfinite(grid.load_kw[:end]).sum() / grid.per_day)


class Ensemble:
    """All experts of one series, fitted on slots before `end` for `leads` (slots, ascending)."""

    def __init__(
        self,
        grid: LoadGrid,
        *,
        end: int,
        leads: tuple[int, ...],
        vintages: Sequence[Vintage] = (),
    ) -> None:
        """Raises ValueError for leads beyond two days or less than 8 known days."""
        if not leads or leads[0] < 1 or leads[-1] > LEAD_MAX_DAYS * grid.per_day:
            raise ValueError(f"leads reach from one slot to {LEAD_MAX_DAYS} days, not {leads}")
        days = known_days(grid, end)
        if days < MIN_DAYS:
            raise ValueError(f"{days:.1f} days are known: the experts need {MIN_DAYS:g}")
        self.end = end
        self.leads = leads
        self.history_days = days
        self._grid = grid
        stations = best_stations(grid, end)
        rows = weather_rows(believed(grid, stations), (grid.count,), grid.per_day)
        self._seen = Seen(grid, vintages, stations) if vintages else None
        weekday = weekday_base(grid, rows.differences)
        fresh = {back: class_base(grid, rows.differences, back) for back in (1, 2)}
        origins = _training_origins(end, grid.per_day)
        self._similar = SimilarDay(grid, weekday)
        self._hong: HongModel | None = None
        if days >= LITE_DAYS:
            memory = FULL if days >= FULL_DAYS else LITE
            self._hong = HongModel(grid, rows, memory, end=end, leads=leads, origins=origins)
        self._differences = [
            Difference(grid, rows.differences, bases, end=end, leads=leads, origins=origins)
            for bases in ({1: weekday, 2: weekday}, fresh)
        ]

    @property
    def method(self) -> str:
        """In words."""
        if self._hong is None:
            return "similar days and differences"
        form = "Hong's model" if self.history_days >= FULL_DAYS else "Hong's model (lite)"
        return f"similar days, {form}, differences"

    def points(self, origins: IntArray, leads: tuple[int, ...] | None = None) -> FloatArray:
        """(experts, origins, leads) kW, NaN where an expert does not know. `origins` are last known
        slots, none before the fit; targets must lie on the grid."""
        asked = self.leads if leads is None else leads
        seen = None if self._seen is None else self._seen.rows(origins, asked)
        result = np.full((len(EXPERTS), len(origins), len(asked)), np.nan)
        result[0] = self._similar.points(origins, asked)
        if self._hong is not None:
            result[1] = self._hong.points(origins, asked, seen)
        for k, expert in enumerate(self._differences, start=2):
            rows = None if seen is None else seen.differences
            result[k] = expert.points(origins, asked, rows)
        return result


def _training_origins(end: int, per_day: int) -> IntArray:
    """Evenly over all times of day, the newest among them."""
    stride = max(1, -(-end // ORIGINS_MAX), round(per_day / 24.0) - 1)
    while np.gcd(stride, per_day) > 1:
        stride += 1
    return np.arange(end - 2, -1, -stride)[::-1].astype(np.intp)
