"""The regression counterfactual: what the load would have been, from calendar and weather.

One ridge regression over all slots of the earlier days: a profile for weekdays, Saturdays and
Sundays, temperature up to its third power with the mean of the last day, all weighted by age. What
it leaves over on the day itself is the adjustment's business. Nothing of the event day's load is
looked at here.
"""

from __future__ import annotations

import numpy as np

from optimizer.arrays import FloatArray
from optimizer.baselines.history import Event, History

HALF_LIFE_DAYS = 60.0
RIDGE = 1e-3


def regressed(history: History, event: Event, days: tuple[int, ...]) -> FloatArray:
    """(s,) counterfactual of the event's day from its like `days`."""
    at = np.array(sorted(days))
    features = _features(history)
    weight = 0.5 ** ((event.day - at) / HALF_LIFE_DAYS)
    found = np.full(history.slots, np.nan)
    for slot in range(history.slots):
        x, y = features[at, slot], history.load_kw[at, slot]
        known = np.isfinite(x).all(axis=1) & np.isfinite(y)
        own = features[event.day, slot]
        if known.sum() < x.shape[1] or not np.isfinite(own).all():
            continue
        found[slot] = _ridge(x[known], y[known], weight[known], own)
    return found


def _ridge(x: FloatArray, y: FloatArray, weight: FloatArray, own: FloatArray) -> float:
    mean_x, mean_y = np.average(x, axis=0, weights=weight), np.average(y, weights=weight)
    spread = np.sqrt(np.average((x - mean_x) ** 2, axis=0, weights=weight))
    spread[spread == 0.0] = 1.0
    scaled = (x - mean_x) / spread
    root = np.sqrt(weight)[:, None]
    a, b = scaled * root, (y - mean_y) * root[:, 0]
    lam = RIDGE * weight.sum()
    factor = np.linalg.solve(a.T @ a + lam * np.eye(a.shape[1]), a.T @ b)
    return float(mean_y + ((own - mean_x) / spread) @ factor)


def _features(history: History) -> FloatArray:
    """(d, s, k)"""
    d, s = history.load_kw.shape
    number = np.arange(d)
    weekday = (np.arange(d) + history.first.weekday()) % 7
    columns = [np.broadcast_to((weekday == k)[:, None], (d, s)) for k in (0, 4, 5)]
    columns.append(np.broadcast_to((number / 365.25)[:, None], (d, s)))
    if history.temperature_c is not None:
        degrees = history.temperature_c
        flat = degrees.ravel()
        day = _trailing(flat, s).reshape(d, s)
        near = _trailing(flat, max(1, s // 8)).reshape(d, s)
        columns += [degrees, degrees**2, near, near**2, day, day**2]
    result: FloatArray = np.stack(columns, axis=2).astype(float)
    return result


def _trailing(values: FloatArray, count: int) -> FloatArray:
    """Mean of the last `count` values; from fewer at the start."""
    known = np.isfinite(values)
    sums = np.concatenate([[0.0], np.cumsum(np.where(known, values, 0.0))])
    many = np.concatenate([[0], np.cumsum(known)])
    end = np.arange(1, len(values) + 1)
    start = np.maximum(0, end - count)
    with np.errstate(invalid="ignore", divide="ignore"):
        result: FloatArray = (sums[end] - sums[start]) / (many[end] - many[start])
    return result
