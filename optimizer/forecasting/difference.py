"""E3: how far the load is off its similar days, and what that says ahead.

e = load - base. Per lead, e at the target is regressed on e of the last hours, at the same time of
the days before, and on how target, yesterday and now differ from the base's days in degrees. Learns
from few weeks, because the base carries the shape of the day.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from optimizer.arrays import FloatArray, IntArray
from optimizer.forecasting.grid import LoadGrid, taken, trailing
from optimizer.forecasting.regression import LeadRegression, fit_leads
from optimizer.forecasting.similar import Base

HALF_LIFE_DAYS = 120.0
WINDOWS_H = (1.0, 3.0, 24.0, 168.0)


class DifferenceFeatures:
    """`bases` by how many days ahead a target lies (1, 2); `rows` (w, n) of the weather."""

    def __init__(self, grid: LoadGrid, rows: FloatArray, bases: Mapping[int, Base]) -> None:
        self._grid = grid
        self._bases = bases
        self._rows = rows
        self.error = {back: grid.load_kw - base.load_kw for back, base in bases.items()}
        near = self.error[1]
        self._warm_near = np.nan_to_num(rows - bases[1].degrees)
        self._recent = np.nan_to_num(
            np.array([near, *(trailing(near, grid.slots(h)) for h in WINDOWS_H)])
        )

    def days_ahead(self, lead: int) -> int:
        """1 for a target within a day of the origin, 2 within two."""
        return -(-lead // self._grid.per_day)

    def __call__(self, origins: IntArray, lead: int, seen: FloatArray | None = None) -> FloatArray:
        """`seen` (w, origins): the target's weather as seen at the origin, if not as it was."""
        day = self._grid.per_day
        back = self.days_ahead(lead)
        target = origins + lead
        columns = [*self._recent[:, origins]]
        earlier = (target - days * day for days in (back, back + 1, back + 2, back + 3, 7))
        columns += [np.nan_to_num(taken(self.error[1], slots)) for slots in earlier]
        ahead = self._rows[:, target] if seen is None else seen
        columns += [*np.nan_to_num(ahead - self._bases[back].degrees[:, target])]
        columns += [np.nan_to_num(taken(row, target - back * day)) for row in self._warm_near]
        columns += [*self._warm_near[:, origins]]
        angle = self._grid.hour(target) * (2.0 * np.pi / 24.0)
        columns += [np.ones(len(origins)), np.cos(angle), np.sin(angle)]
        columns += [np.cos(2.0 * angle), np.sin(2.0 * angle)]
        return np.array(columns).T


class Difference:
    """The expert, fitted on slots before `end`."""

    def __init__(
        self,
        grid: LoadGrid,
        rows: FloatArray,
        bases: Mapping[int, Base],
        *,
        end: int,
        leads: tuple[int, ...],
        origins: IntArray,
    ) -> None:
        self._bases = bases
        self._features = DifferenceFeatures(grid, rows, bases)
        self._lead: dict[int, LeadRegression] = {}
        for back in bases:
            own = tuple(lead for lead in leads if self._features.days_ahead(lead) == back)
            if not own:
                continue
            self._lead[back] = fit_leads(
                self._features,
                self._features.error[back],
                origins=origins,
                end=end,
                leads=own,
                half_life_slots=HALF_LIFE_DAYS * grid.per_day,
            )

    def points(
        self, origins: IntArray, leads: tuple[int, ...], seen: FloatArray | None = None
    ) -> FloatArray:
        """(origins, leads) kW; NaN where there is no base. `seen` (w, origins, leads)."""
        result = np.full((len(origins), len(leads)), np.nan)
        for column, lead in enumerate(leads):
            back = self._features.days_ahead(lead)
            x = self._features(origins, lead, None if seen is None else seen[:, :, column])
            left = x @ self._lead[back].at(lead)
            result[:, column] = self._bases[back].load_kw[origins + lead] + left
        return result
