"""Promised against measured at the feeder head (SG-18). Pure.

The head would have moved without us too. Its own drift is read off the head itself: a straight line
through the quiet readings before the first command, another one through those after the last device
has followed. The fall is the distance between the two lines, midway. Thus a rising afternoon does
not hide a kept promise and a falling evening does not feign one. A forecast is too coarse for this:
over five minutes its error is as large as the effect of a batch (docs/explanation/effect.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gridctl.model.planning import Forecast

KEPT_SHARE_MIN = 0.7
KEPT_SHARE_MAX = 2.0
"""More than this is no success but a sign that something else happened."""
JUDGED_MIN_KW = 20.0
"""Below this the head's own noise is as large as the effect: nothing is judged."""
SLOPE_SPAN_MIN_S = 30.0
SLOPE_READINGS_MIN = 4
"""A slope from fewer or closer readings is noise; the other line's slope is taken then."""
MEDIAN = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One good measurement of the head's import, kW, at its source time (grid)."""

    at_s: float
    kw: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """The head over a quiet stretch: `mid_kw` at `mid_s`, rising by `slope_kw_s`; None: the
    stretch is too short to tell. `from_s` and `to_s`: its first and last reading."""

    from_s: float
    to_s: float
    mid_s: float
    mid_kw: float
    slope_kw_s: float | None


def line(readings: Sequence[Reading]) -> Line:
    """Least squares. Raises ValueError when there are no readings."""
    if not readings:
        raise ValueError("no reading of the head")
    count = len(readings)
    mid_s = sum(r.at_s for r in readings) / count
    mid_kw = sum(r.kw for r in readings) / count
    from_s, to_s = readings[0].at_s, readings[-1].at_s
    slope: float | None = None
    if count >= SLOPE_READINGS_MIN and to_s - from_s >= SLOPE_SPAN_MIN_S:
        spread = sum((r.at_s - mid_s) ** 2 for r in readings)
        slope = sum((r.at_s - mid_s) * (r.kw - mid_kw) for r in readings) / spread
    return Line(from_s=from_s, to_s=to_s, mid_s=mid_s, mid_kw=mid_kw, slope_kw_s=slope)


def fall_kw(before: Line, after: Line, *, otherwise_kw_s: float) -> float:
    """By how much the head's import fell between two quiet stretches, its own drift taken out, kW.

    `otherwise_kw_s`: the drift when neither stretch is long enough to tell.
    """
    known = [s for s in (before.slope_kw_s, after.slope_kw_s) if s is not None]
    drift_kw_s = sum(known) / len(known) if known else otherwise_kw_s
    before_kw_s = drift_kw_s if before.slope_kw_s is None else before.slope_kw_s
    after_kw_s = drift_kw_s if after.slope_kw_s is None else after.slope_kw_s
    midway_s = (before.to_s + after.from_s) / 2
    return (
        before.mid_kw
        + before_kw_s * (midway_s - before.mid_s)
        - after.mid_kw
        - after_kw_s * (midway_s - after.mid_s)
    )


def band_kw(expected_kw: float) -> tuple[float, float]:
    """What counts as kept, lower bound first, kW."""
    a, b = KEPT_SHARE_MIN * expected_kw, KEPT_SHARE_MAX * expected_kw
    return (min(a, b), max(a, b))


def is_kept(expected_kw: float, measured: float) -> bool:
    """Whether the measured fall is within the band."""
    low, high = band_kw(expected_kw)
    return low <= measured <= high


def forecast_kw(forecast: Forecast, at_s: float) -> float:
    """The median forecast at a moment, linear between the middles of the intervals, kW."""
    values = forecast.at_quantile(MEDIAN)
    horizon = forecast.horizon
    position = (at_s - horizon.start_s) / horizon.step_s - 0.5
    low = max(0, min(int(position // 1), len(values) - 1))
    high = min(low + 1, len(values) - 1)
    share = min(1.0, max(0.0, position - low))
    return values[low] + share * (values[high] - values[low])


def forecast_change_kw(forecast: Forecast, *, from_s: float, to_s: float) -> float:
    """By how much the import was forecast to rise between two moments, kW."""
    return forecast_kw(forecast, to_s) - forecast_kw(forecast, from_s)
