"""Weighted ridge regression, and one regression per lead on what is known at an origin."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from optimizer.arrays import FloatArray, IntArray

Features = Callable[[IntArray, int | IntArray], FloatArray]
"""(origins, lead or a lead for each) → (origins, p): finite numbers, known at each origin."""


NOTHING = 1e-12


def ridge(
    gram: FloatArray, moment: FloatArray, *, share: float | FloatArray, own: bool = False
) -> FloatArray:
    """Coefficients of normal equations, pulled to zero by `share` of the columns' mean power, or of
    each column's `own` where their units differ. A column of nothing but zeros gets zero."""
    power = np.diag(gram)
    mean = max(float(power.mean()), 1e-12)
    scale = np.asarray(power if own else np.full(len(power), mean), dtype=np.float64)
    pull: FloatArray = np.asarray(share * scale + NOTHING * mean, dtype=np.float64)
    solved: FloatArray = np.asarray(np.linalg.solve(gram + np.diag(pull), moment), dtype=np.float64)
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

    def at(self, leads: IntArray) -> FloatArray:
        """(len(leads), p). Beyond the first and last fitted lead those of the nearest."""
        last = len(self.leads) - 1
        upper = np.clip(np.searchsorted(self.leads, leads), 1, last) if last else np.zeros(
            len(leads), dtype=np.intp
        )  # fmt: skip
        lower = np.maximum(upper - 1, 0)
        width = np.maximum(self.leads[upper] - self.leads[lower], 1)
        share = np.clip((leads - self.leads[lower]) / width, 0.0, 1.0)[:, None]
        between: FloatArray = (1.0 - share) * self.coefficients[lower] + share * self.coefficients[
            upper
        ]
        return between


def fit_leads(
    features: Features,
    target: FloatArray,
    *,
    origins: IntArray,
    end: int,
    leads: tuple[int, ...],
    half_life_slots: float,
    share: float | FloatArray = 1e-3,
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


def _fitted(
    x: FloatArray, y: FloatArray, weight: FloatArray, share: float | FloatArray
) -> FloatArray:
    if not len(y):
        return np.zeros(x.shape[1])
    weighed = x * weight[:, None]
    return ridge(weighed.T @ x, weighed.T @ y, share=share, own=True)


def said(
    features: Features, regression: LeadRegression, origins: IntArray, leads: tuple[int, ...]
) -> FloatArray:
    """(origins, leads): the regression's answer."""
    if len(origins) == 1:
        # One origin and many leads, as in operation: one call for all of them.
        wide = np.array(leads, dtype=np.intp)
        x = features(np.repeat(origins, len(wide)), wide)
        one: FloatArray = np.einsum("lp,lp->l", x, regression.at(wide))[None]
        return one
    coefficients = regression.at(np.array(leads, dtype=np.intp))
    columns = [features(origins, lead) @ coefficients[k] for k, lead in enumerate(leads)]
    return np.array(columns).reshape(len(leads), len(origins)).T
