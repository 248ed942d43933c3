"""A forecast that is off now, moved to what is measured now, and less so further ahead. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from gridctl.model.planning import Forecast, ForecastTask

MEDIAN: Final = 0.5
FADES: Final = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3)
"""How much of what is off now is still off after so many intervals."""


def moved(ahead: Forecast, task: ForecastTask) -> Forecast:
    """`ahead`, which answers `task`, as the task wants it: moved when it knows what is now."""
    if task.now_kw is None:
        return ahead
    return nowcast(ahead, task.now_kw, quantile=max(task.quantiles))


def nowcast(ahead: Forecast, now_kw: float, *, quantile: float) -> Forecast:
    """`ahead`, moved to what the head draws now without control: to `now_kw` where that is above
    the forecast at `quantile` or below its median; in between the forecast is right.

    KeyError when the forecast has no such quantile, or no median.
    """
    median_kw, high_kw = ahead.at_quantile(MEDIAN)[0], ahead.at_quantile(quantile)[0]
    off_kw = max(now_kw - high_kw, 0.0) + min(now_kw - median_kw, 0.0)
    if off_kw == 0.0:
        return ahead
    count = ahead.horizon.count
    fades = (*FADES, *(FADES[-1:] * count))[:count]

    def shifted(values: tuple[float, ...]) -> tuple[float, ...]:
        return tuple(kw + off_kw * fade for kw, fade in zip(values, fades, strict=True))

    return replace(
        ahead,
        values_kw=tuple(shifted(values) for values in ahead.values_kw),
        paths_kw=tuple(shifted(path) for path in ahead.paths_kw),
    )
