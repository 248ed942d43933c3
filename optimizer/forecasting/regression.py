"""Weighted ridge regression, and one regression per lead on what is known at an origin."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from optimizer.arrays import FloatArray, IntArray

Features = Callable[[IntArray, int], FloatArray]
"""(origins, lead) → (origins, p): finite numbers, known at each origin."""


def ridge(gram: FloatArray, moment: FloatArray, *, share: float) -> FloatArray:
    """Coefficients of normal equations, pulled to zero by `share` of each column's own power, and
    not less than of the mean power: a column of nothing but zeros gets zero."""
    power = np.diag(gram)
    pull = np.maximum(share * power, share * max(float(power.mean()), 1e-12))
    solved: FloatArray = np.linalg.solve(gram + np.diag(pull), moment)
    return solved


def decayed(age_slots: IntArray, half_life_slots: float) -> FloatArray:
    """Weights 0.5 ** (age / half life)."""
    result: FloatArray = np.exp2(-age_slots.astype(np.float64) / half_life_slots)
    return result


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LeadRegression:
    """`coefficients` (leads, p) of ascending `leads`; between two leads they are interpolated."""

    leads: IntArray
    coefficients: FloatArray

    def at(self, lead: int) -> FloatArray:
        """(p,). Beyond the first and last fitted lead those of the nearest."""
        upper = int(np.searchsorted(self.leads, lead))
        if upper == 0 or upper == len(self.leads):
            nearest: FloatArray = self.coefficients[min(upper, len(self.leads) - 1)]
            return nearest
        low, high = int(self.leads[upper - 1]), int(self.leads[upper])
        share = (lead - low) / (high - low)
        between: FloatArray = (1.0 - share) * self.coefficients[
            upper - 1
        ] + share * self.coefficients[upper]
        return between


def fit_leads(
    features: Features,
    target: FloatArray,
    *,
    origins: IntArray,
    end: int,
    leads: tuple[int, ...],
    half_life_slots: float,
    share: float = 1e-3,
) -> LeadRegression:
    """Regress `target` (NaN for gaps) at origin + lead on the features at the origin, for targets
    before `end`; a lead without any gets zeros."""
    found = []
    for lead in leads:
        inside = origins + lead < end
        at = origins[inside]
        y = target[at + lead]
        known = np.isfinite(y)
        at, y = at[known], y[known]
        x = features(at, lead)
        weight = decayed(end - 1 - at - lead, half_life_slots)
        found.append(_fitted(x, y, weight, share))
    return LeadRegression(
        leads=np.array(leads, dtype=np.intp), coefficients=np.array(found).reshape(len(leads), -1)
    )


def _fitted(x: FloatArray, y: FloatArray, weight: FloatArray, share: float) -> FloatArray:
    if not len(y):
        return np.zeros(x.shape[1])
    weighed = x * weight[:, None]
    return ridge(weighed.T @ x, weighed.T @ y, share=share)
