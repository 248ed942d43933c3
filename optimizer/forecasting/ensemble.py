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
from dataclasses import dataclass

import numpy as np

from optimizer.arrays import FloatArray, IntArray
from optimizer.forecasting.difference import Difference, DifferenceFeatures, fit_difference
from optimizer.forecasting.glm import FULL, LITE, HongFit, HongModel, fit_hong
from optimizer.forecasting.grid import LoadGrid
from optimizer.forecasting.regression import LeadRegression
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
RESIDUAL_DAYS = 15
"""So far back do the features of a residual look: a week of trailing mean, a week ago."""
GRID_DAYS_MIN = 56
"""Four weekdays of a base, a week of trailing means, and some holidays between them."""


def known_days(grid: LoadGrid, end: int) -> float:
    """How many days of values there are before slot `end`."""
    return float(np.isfinite(grid.load_kw[:end]).sum() / grid.per_day)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Learned:
    """What a fit leaves behind: numbers only, to be kept and asked on later grids of the series."""

    leads: tuple[int, ...]
    history_days: float
    stations: IntArray
    hong: HongFit | None
    differences: tuple[LeadRegression, LeadRegression]

    @property
    def method(self) -> str:
        """In words."""
        if self.hong is None:
            return "similar days and differences"
        form = "Hong's model in its lite form" if self.hong.lite else "Hong's model"
        return f"similar days, {form}, differences"


class Ensemble:
    """All experts of one series on a grid whose weather reaches over the targets.

    Made by `fitted` on the grid that it learns from, or with what was `Learned` on a later grid of
    the same series (the last GRID_DAYS_MIN days of it are enough).
    """

    def __init__(
        self,
        grid: LoadGrid,
        learned: Learned,
        *,
        vintages: Sequence[Vintage] = (),
        parts: Parts | None = None,
        begin: int = 0,
    ) -> None:
        """`begin`: origins are asked for from RESIDUAL_DAYS after this slot on."""
        self.learned = learned
        own = Parts(grid, learned.stations) if parts is None else parts
        self._seen = Seen(grid, vintages, learned.stations) if vintages else None
        self._similar = SimilarDay(grid, own.weekday)
        self._hong: HongModel | None = None
        if learned.hong is not None:
            self._hong = HongModel(grid, own.rows, learned.hong, begin=begin)
        self._differences = [
            Difference(features, fit)
            for features, fit in zip(own.features, learned.differences, strict=True)
        ]

    @classmethod
    def fitted(
        cls,
        grid: LoadGrid,
        *,
        end: int,
        leads: tuple[int, ...],
        vintages: Sequence[Vintage] = (),
    ) -> Ensemble:
        """Learn from slots before `end` for `leads` (slots, ascending).

        Raises ValueError for leads beyond two days or less than 8 known days.
        """
        if not leads or leads[0] < 1 or leads[-1] > LEAD_MAX_DAYS * grid.per_day:
            raise ValueError(f"leads reach from one slot to {LEAD_MAX_DAYS} days, not {leads}")
        days = known_days(grid, end)
        if days < MIN_DAYS:
            raise ValueError(f"{days:.1f} days are known: the experts need {MIN_DAYS:g}")
        parts = Parts(grid, best_stations(grid, end))
        origins = _training_origins(end, grid.per_day)
        hong = None
        if days >= LITE_DAYS:
            memory = FULL if days >= FULL_DAYS else LITE
            hong = fit_hong(grid, parts.rows, memory, end=end, leads=leads, origins=origins)
        first, second = (
            fit_difference(grid, features, end=end, leads=leads, origins=origins)
            for features in parts.features
        )
        learned = Learned(
            leads=leads,
            history_days=days,
            stations=parts.stations,
            hong=hong,
            differences=(first, second),
        )
        begin = max(0, end - RESIDUAL_DAYS * grid.per_day)
        return cls(grid, learned, vintages=vintages, parts=parts, begin=begin)

    def points(self, origins: IntArray, leads: tuple[int, ...] | None = None) -> FloatArray:
        """(experts, origins, leads) kW, NaN where an expert does not know. `origins` are last known
        slots, none before the fit; targets must lie on the grid."""
        asked = self.learned.leads if leads is None else leads
        seen = None if self._seen is None else self._seen.rows(origins, asked)
        result = np.full((len(EXPERTS), len(origins), len(asked)), np.nan)
        result[0] = self._similar.points(origins, asked)
        if self._hong is not None:
            result[1] = self._hong.points(origins, asked, seen)
        for k, expert in enumerate(self._differences, start=2):
            rows = None if seen is None else seen.differences
            result[k] = expert.points(origins, asked, rows)
        return result


class Parts:
    """What the experts share on one grid: weather rows, bases, differences."""

    def __init__(self, grid: LoadGrid, stations: IntArray) -> None:
        self.stations = stations
        self.rows = weather_rows(believed(grid, stations), (grid.count,), grid.per_day)
        self.weekday = weekday_base(grid, self.rows.differences)
        fresh = {back: class_base(grid, self.rows.differences, back) for back in (1, 2)}
        self.features = [
            DifferenceFeatures(grid, self.rows.differences, bases)
            for bases in ({1: self.weekday, 2: self.weekday}, fresh)
        ]


def _training_origins(end: int, per_day: int) -> IntArray:
    """Evenly over all times of day, the newest among them."""
    stride = max(1, -(-end // ORIGINS_MAX), round(per_day / 24.0) - 1)
    while np.gcd(stride, per_day) > 1:
        stride += 1
    return np.arange(end - 2, -1, -stride)[::-1].astype(np.intp)
