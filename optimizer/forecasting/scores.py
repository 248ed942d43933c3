"""How good forecasts were: nMAE, nPin, coverage; all of one kind of pooling.

nMAE = mean |y - q50| / mean |y|; nPin = mean over the quantiles of the pinball loss / mean |y|;
both in percent. For a net load, which crosses zero, the divisor is P99 - P1 of y (rMAE, rPin).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from optimizer.arrays import FloatArray
from optimizer.forecasting.conformal import LEVELS, MEDIAN


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """Percent each; `count` is how many targets were scored."""

    nmae_pct: float
    npin_pct: float
    rmae_pct: float
    rpin_pct: float
    coverage_80_pct: float
    coverage_95_pct: float
    count: int


def pinball(actual: FloatArray, quantiles: FloatArray) -> FloatArray:
    """(…) mean over the quantiles (…, 9) of the pinball loss."""
    levels = np.array(LEVELS)
    error = actual[..., None] - quantiles
    result: FloatArray = np.maximum(levels * error, (levels - 1.0) * error).mean(axis=-1)
    return result


def score(actual: FloatArray, quantiles: FloatArray) -> Score | None:
    """Of all targets (…) that came and were forecast (…, 9); None without any, or where a divisor
    is zero."""
    known = np.isfinite(actual) & np.isfinite(quantiles).all(axis=-1)
    y, q = actual[known], quantiles[known]
    if not len(y):
        return None
    level, span = float(np.abs(y).mean()), float(np.subtract(*np.percentile(y, [99, 1])))
    if level <= 0.0 or span <= 0.0:
        return None
    error = float(100.0 * np.abs(y - q[:, MEDIAN]).mean())
    loss = float(100.0 * pinball(y, q).mean())
    low80, high80 = LEVELS.index(0.10), LEVELS.index(0.90)
    return Score(
        nmae_pct=error / level,
        npin_pct=loss / level,
        rmae_pct=error / span,
        rpin_pct=loss / span,
        coverage_80_pct=float(100.0 * ((y >= q[:, low80]) & (y <= q[:, high80])).mean()),
        coverage_95_pct=float(100.0 * ((y >= q[:, 0]) & (y <= q[:, -1])).mean()),
        count=len(y),
    )
