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
from optimizer.forecasting.regression import LeadRegression, fit_leads, said
from optimizer.forecasting.similar import Base

HALF_LIFE_DAYS = 120.0
LOAD_SHARE = 1e-3
LEARN_DAYS = 100.0
LOAD_COLUMNS = 14
"""The first columns of the features are in kW."""
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

    def days_ahead(self, lead: int | IntArray) -> int | IntArray:
        """1 for a target within a day of the origin, 2 within two."""
        return -(-lead // self._grid.per_day)

    def base(self, target: IntArray, lead: int | IntArray) -> tuple[FloatArray, FloatArray]:
        """Load and degrees of the base of each target."""
        far = np.broadcast_to(np.asarray(self.days_ahead(lead)), target.shape) > 1
        near, late = self._bases[1], self._bases[2]
        load = np.where(far, late.load_kw[target], near.load_kw[target])
        return load, np.where(far, late.degrees[:, target], near.degrees[:, target])

    def __call__(
        self, origins: IntArray, lead: int | IntArray, seen: FloatArray | None = None
    ) -> FloatArray:
        """`seen` (w, origins): the target's weather as seen at the origin, if not as it was."""
        day = self._grid.per_day
        back = self.days_ahead(lead)
        target = origins + lead
        columns = [*self._recent[:, origins]]
        # How it came here, and where it stood at this time on the days before.
        before = (1, 2, day, 7 * day)
        columns += [np.nan_to_num(taken(self.error[1], origins - k)) for k in before]
        earlier = (target - days * day for days in (back, back + 1, back + 2, back + 3, 7))
        columns += [np.nan_to_num(taken(self.error[1], slots)) for slots in earlier]
        ahead = self._rows[:, target] if seen is None else seen
        columns += [*np.nan_to_num(ahead - self.base(target, lead)[1])]
        columns += [np.nan_to_num(taken(row, target - back * day)) for row in self._warm_near]
        columns += [*self._warm_near[:, origins]]
        angle = self._grid.hour(target) * (2.0 * np.pi / 24.0)
        columns += [np.ones(len(origins)), np.cos(angle), np.sin(angle)]
        columns += [np.cos(2.0 * angle), np.sin(2.0 * angle)]
        return np.array(columns).T


class Difference:
    """The expert on a grid whose weather reaches over the targets."""

    def __init__(self, features: DifferenceFeatures, fit: LeadRegression) -> None:
        self._features = features
        self.fit = fit

    def points(
        self, origins: IntArray, leads: tuple[int, ...], seen: FloatArray | None = None
    ) -> FloatArray:
        """(origins, leads) kW; NaN where there is no base. `seen` (w, origins, leads)."""
        wide = np.array(leads, dtype=np.intp)
        targets = origins[:, None] + wide
        base = self._features.base(targets.ravel(), np.tile(wide, len(origins)))[0]
        if seen is None:
            left = said(self._features, self.fit, origins, leads)
        else:
            every, lead = np.repeat(origins, len(wide)), np.tile(wide, len(origins))
            x = self._features(every, lead, seen.reshape(len(seen), len(every)))
            x = x.reshape(len(origins), len(wide), -1)
            left = np.einsum("olp,lp->ol", x, self.fit.at(wide))
        result: FloatArray = base.reshape(targets.shape) + left
        return result


def fit_difference(
    grid: LoadGrid,
    features: DifferenceFeatures,
    *,
    end: int,
    leads: tuple[int, ...],
    origins: IntArray,
) -> LeadRegression:
    """Fit on slots before `end`."""
    parts = []
    # What the load says is trusted early; weather and hour of the day need weeks to be learned.
    columns = features(origins[-1:], leads[0]).shape[1]
    share = np.full(columns, LOAD_SHARE)
    share[LOAD_COLUMNS:] = LEARN_DAYS / min(end / grid.per_day, HALF_LIFE_DAYS)
    for back, error in features.error.items():
        own = tuple(lead for lead in leads if features.days_ahead(lead) == back)
        if own:
            parts.append(
                fit_leads(
                    features,
                    error,
                    origins=origins,
                    end=end,
                    leads=own,
                    half_life_slots=HALF_LIFE_DAYS * grid.per_day,
                    share=share,
                )
            )
    return LeadRegression(
        leads=np.concatenate([part.leads for part in parts]),
        coefficients=np.concatenate([part.coefficients for part in parts]),
    )
