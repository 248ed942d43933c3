"""What a transformer will come to: temperatures on quantile paths of the load forecast.

A path has all its hours at one quantile (they go together: a hot day is hot in the evening, too);
independent hours would make the long hot path far too unlikely.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from optimizer.arrays import BoolArray, FloatArray
from optimizer.health.thermal import Iec, Limits, Temperatures, iec

HEADROOM_RUNS = 20
HEADROOM_MAX = 4.0
ALARM_QUANTILE = 0.9
ALARM_WITHIN_MIN = 48.0 * 60.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Outlook:
    """Over paths (q,): `time_to_limit_min` to the first sample beyond a limit, NaN when there is
    none; `headroom`: the largest factor on the load that keeps the limits. `is_alarm`: the q90 path
    goes beyond within 48 h."""

    temperatures: Temperatures
    time_to_limit_min: FloatArray
    headroom: FloatArray
    is_alarm: bool


def outlook(
    load: FloatArray,
    ambient_c: FloatArray,
    own: Iec,
    *,
    quantiles: tuple[float, ...],
    step_min: float,
    limits: Limits,
    past: int = 0,
) -> Outlook:
    """`load` (q, n), share of the rating: `past` measured samples that bring the oil to where it
    is, then the forecast. Limits are looked at, and the factor works, on the forecast alone."""
    found = iec(load, ambient_c, own, step_min=step_min)
    beyond = _beyond(found, load, limits)[:, past:]
    # Counted from the last measured sample; without one, from the first of the path.
    first = (np.argmax(beyond, axis=1) + (1 if past else 0)) * step_min
    time_to = np.where(beyond.any(axis=1), first, np.nan)
    at = int(np.argmin(np.abs(np.array(quantiles) - ALARM_QUANTILE)))
    return Outlook(
        temperatures=found,
        time_to_limit_min=time_to,
        headroom=headroom(load, ambient_c, own, step_min=step_min, limits=limits, past=past),
        is_alarm=bool(time_to[at] <= ALARM_WITHIN_MIN),
    )


def headroom(
    load: FloatArray,
    ambient_c: FloatArray,
    own: Iec,
    *,
    step_min: float,
    limits: Limits,
    past: int = 0,
) -> FloatArray:
    """(q,) by bisection, all paths at once: 0 when even no load would not keep the limits."""
    low = np.zeros(len(load))
    high = np.full(len(load), HEADROOM_MAX)
    for _ in range(HEADROOM_RUNS):
        middle = 0.5 * (low + high)
        tried = load.copy()
        tried[:, past:] *= middle[:, None]
        found = iec(tried, ambient_c, own, step_min=step_min)
        breaks = _beyond(found, tried, limits)[:, past:].any(axis=1)
        low, high = np.where(breaks, low, middle), np.where(breaks, middle, high)
    return low


def _beyond(found: Temperatures, load: FloatArray, limits: Limits) -> BoolArray:
    result: BoolArray = (
        (found.hot_spot_c > limits.hot_spot_c)
        | (found.top_oil_c > limits.top_oil_c)
        | (np.abs(load) > limits.load)
    )
    return result
