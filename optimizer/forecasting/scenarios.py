"""Correlated paths through the bands: what a whole afternoon may look like, not each hour apart.

A Gaussian copula: the ranks of the forecaster's own past errors over the leads give the
correlation, the bands give each hour's distribution. Randomness comes in as a generator.
"""

from __future__ import annotations

import numpy as np
from scipy.stats import norm, rankdata

from optimizer.arrays import FloatArray
from optimizer.forecasting.conformal import LEVELS

ERRORS_MIN = 60
SHRINK = 0.05
"""Of the correlation, towards independence: so that it can be factorised."""


def correlation(errors: FloatArray) -> FloatArray:
    """(leads, leads) of normal scores of past errors (origins, leads), over origins whose targets
    have all come. Raises ValueError with fewer than 60 of them."""
    whole = errors[np.isfinite(errors).all(axis=1)]
    if len(whole) < ERRORS_MIN:
        raise ValueError(f"{len(whole)} whole past forecasts: paths need {ERRORS_MIN}")
    score = norm.ppf(rankdata(whole, axis=0) / (len(whole) + 1.0))
    found = np.corrcoef(score, rowvar=False).reshape(errors.shape[1], errors.shape[1])
    result: FloatArray = (1.0 - SHRINK) * np.nan_to_num(found) + SHRINK * np.eye(len(found))
    np.fill_diagonal(result, 1.0)
    return result


def between(matrix: FloatArray, knots: FloatArray, leads: FloatArray) -> FloatArray:
    """The correlation at `leads`, interpolated between `knots` in both directions."""
    rows = np.array([np.interp(leads, knots, row) for row in matrix])
    whole = np.array([np.interp(leads, knots, column) for column in rows.T])
    result: FloatArray = 0.5 * (whole + whole.T)
    np.fill_diagonal(result, 1.0)
    return result


def paths(
    bands_kw: FloatArray, matrix: FloatArray, count: int, random: np.random.Generator
) -> FloatArray:
    """(count, leads) kW from bands (9, leads) and a correlation (leads, leads). Beyond the
    outermost quantiles the outermost slope goes on."""
    values, vectors = np.linalg.eigh(matrix)
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    z = random.standard_normal((count, len(matrix))) @ root.T
    at = norm.ppf(np.array(LEVELS))
    upper = np.clip(np.searchsorted(at, z), 1, len(at) - 1)
    share = (z - at[upper - 1]) / (at[upper] - at[upper - 1])
    column = np.arange(bands_kw.shape[1])
    low, high = bands_kw[upper - 1, column], bands_kw[upper, column]
    result: FloatArray = low + share * (high - low)
    return result
