"""Promised against measured at the feeder head (SG-18). Pure.

The head would have moved without us too: the forecast's own change since the order is taken out, so
that a rising afternoon does not hide a kept promise and a falling evening does not feign one.
"""

from __future__ import annotations

from collections.abc import Sequence

from gridctl.model.planning import Forecast

KEPT_SHARE_MIN = 0.7
KEPT_SHARE_MAX = 2.0
"""More than this is no success but a sign that something else happened."""
JUDGED_MIN_KW = 20.0
"""Below this the head's own noise is as large as the effect: nothing is judged."""
MEDIAN = 0.5


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


def measured_kw(*, before_kw: float, after_kw: Sequence[float], change_kw: float) -> float:
    """The fall of the head's import that is ours, kW: mean of `after_kw` against what the head
    would show by now. Raises ValueError when there is nothing to judge."""
    if not after_kw:
        raise ValueError("no measurement of the head after the order")
    return before_kw + change_kw - sum(after_kw) / len(after_kw)


def band_kw(expected_kw: float) -> tuple[float, float]:
    """What counts as kept, lower bound first, kW."""
    a, b = KEPT_SHARE_MIN * expected_kw, KEPT_SHARE_MAX * expected_kw
    return (min(a, b), max(a, b))


def is_kept(expected_kw: float, measured: float) -> bool:
    """Whether the measured fall is within the band."""
    low, high = band_kw(expected_kw)
    return low <= measured <= high
