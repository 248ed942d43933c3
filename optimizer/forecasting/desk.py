"""Where the mind's forecasts are made: the similar day at first, the ensemble once it has learned.

A `Desk` keeps a forecaster for each series that it is asked about, known again by its values. It is
trained, and every few weeks trained anew, beside the questions: until it is done, the similar day
(or the forecaster in use) answers. With less history than ENSEMBLE_DAYS the similar day stays: on
Tetouan 2017 with 35 days the two are equal, and it needs no training.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from gridctl.model.planning import Forecast, ForecastTask
from optimizer.arrays import FloatArray, IntArray
from optimizer.forecast import check, forecast, numbers, refuse_frozen
from optimizer.forecasting.conformal import at_levels
from optimizer.forecasting.ensemble import LEAD_MAX_DAYS
from optimizer.forecasting.grid import LoadGrid
from optimizer.forecasting.online import Forecaster
from optimizer.similar_day import Calendar

ENSEMBLE_DAYS = 60.0
SECONDS_PER_DAY = 86_400.0
SERIES_KEPT = 32
SLACK_DAYS = 0.25
"""The newest value may be so much older than the horizon's start."""
KNOWN_AGAIN_DAYS = 2
KNOWN_AGAIN_SHARE = 0.8
"""A baseline is amended when a settlement comes; so much of it must be as it was."""

_log = logging.getLogger(__name__)
Beside = Callable[[Callable[[], None]], None]
"""Does something without keeping the caller waiting (a thread; at once in a test)."""


@dataclass(slots=True, eq=False)
class _Kept:
    """A series: what it was when last seen, and its forecaster once there is one."""

    slots: IntArray
    load_kw: FloatArray
    forecaster: Forecaster | None = None
    training: bool = False


class Desk:
    """Answers tasks. `beside`: how to train without keeping the control cycle waiting."""

    def __init__(self, *, beside: Beside) -> None:
        self._beside = beside
        self._kept: OrderedDict[tuple[float, float, int, int], _Kept] = OrderedDict()
        self._count = 0

    def forecast(self, task: ForecastTask) -> Forecast:
        """Raises ValueError as `optimizer.forecast.forecast`."""
        check(task)
        asked = _asked(task)
        if asked is None:
            return forecast(task)
        grid, origin, leads, days = asked
        kept = self._known(task, grid, origin)
        forecaster = kept.forecaster
        slot = grid.calendar.first + origin
        if not kept.training and (forecaster is None or forecaster.due(slot, grid.per_day)):
            kept.training = True
            self._beside(lambda: _train(kept, grid, origin))
        if forecaster is None:
            forecaster = kept.forecaster
        if forecaster is None or leads[-1] > forecaster.learned.leads[-1]:
            return forecast(task)
        try:
            bands = forecaster.forecast(grid, origin=origin, leads=leads)
        except ValueError as wrong:
            _log.warning("the ensemble has no forecast: %s", wrong)
            return forecast(task)
        values = at_levels(bands.values_kw, task.quantiles)
        order = np.argsort(task.quantiles)
        values[order] = np.maximum.accumulate(values[order], axis=0)
        return Forecast(
            horizon=task.horizon,
            quantiles=task.quantiles,
            values_kw=tuple(tuple(map(float, row)) for row in values),
            method=f"ensemble: {forecaster.learned.method}, conformal quantiles",
            history_days=days,
            nmae_pct=bands.nmae_pct,
        )

    def _known(self, task: ForecastTask, grid: LoadGrid, origin: int) -> _Kept:
        """The series that these values continue, or a new one."""
        slots = np.arange(origin + 1 - KNOWN_AGAIN_DAYS * grid.per_day, origin + 1)
        absolute, recent = slots + grid.calendar.first, grid.load_kw[slots]
        for key, kept in self._kept.items():
            if key[:3] == (task.history.step_s, task.utc_offset_s, task.horizon.count) and _same(
                kept, grid
            ):
                kept.slots, kept.load_kw = absolute, recent
                self._kept.move_to_end(key)
                return kept
        self._count += 1
        new = _Kept(slots=absolute, load_kw=recent)
        step_s, offset_s = task.history.step_s, task.utc_offset_s
        self._kept[step_s, offset_s, task.horizon.count, self._count] = new
        if len(self._kept) > SERIES_KEPT:
            self._kept.popitem(last=False)
        return new


def _same(kept: _Kept, grid: LoadGrid) -> bool:
    at = kept.slots - grid.calendar.first
    if at[0] < 0 or at[-1] >= grid.count:
        return False
    now = grid.load_kw[at]
    equal = (now == kept.load_kw) | (np.isnan(now) & np.isnan(kept.load_kw))
    return bool(equal.mean() >= KNOWN_AGAIN_SHARE)


def _train(kept: _Kept, grid: LoadGrid, origin: int) -> None:
    """What goes wrong is told and tried again with the next question that is due."""
    try:
        reach = grid.count - origin - 1
        kept.forecaster = Forecaster.train(grid, end=origin + 1, reach=reach)
    except (ValueError, ArithmeticError, np.linalg.LinAlgError) as wrong:
        _log.warning("the ensemble could not be trained: %s", wrong)
    finally:
        kept.training = False


def _asked(task: ForecastTask) -> tuple[LoadGrid, int, tuple[int, ...], float] | None:
    """(grid with room for the targets, last known slot, leads, days known), or None where the
    ensemble has no say: short history, stale values, a step or reach that it does not know."""
    step_s = task.history.step_s
    per_day = round(SECONDS_PER_DAY / step_s)
    start = round((task.horizon.start_s - task.history.start_s) / step_s)
    values = numbers(task.history)[: max(start, 0)]
    known = np.flatnonzero(np.isfinite(values))
    days = known.size / per_day
    if days < ENSEMBLE_DAYS or per_day % 24:
        return None
    refuse_frozen(values[known], step_s)
    origin = int(known[-1])
    slack = int(SLACK_DAYS * per_day)
    late = start - 1 - origin
    reach = min(task.horizon.count + slack, LEAD_MAX_DAYS * per_day)
    leads = tuple(range(late + 1, late + task.horizon.count + 1))
    if late > slack or leads[-1] > reach:
        return None
    load = np.full(origin + 1 + reach, np.nan)
    load[: origin + 1] = values[: origin + 1]
    none = np.zeros((0, len(load)))
    first = round((task.history.start_s + task.utc_offset_s) / step_s)
    grid = LoadGrid(
        load_kw=load,
        temperature_c=_temperature(task, len(load)),
        sun_w_m2=none,
        wind_ms=none,
        calendar=Calendar(first=first, per_day=per_day),
    )
    return grid, origin, leads, float(days)


def _temperature(task: ForecastTask, count: int) -> FloatArray:
    """(1, count) on the history's slots, or (0, count) where it does not reach over the horizon:
    a temperature that is only measured says nothing about the target."""
    series = task.temperature_c
    if series is None or not series.values:
        return np.zeros((0, count))
    values = numbers(series)
    known = np.isfinite(values)
    middle = series.start_s + (np.arange(len(values)) + 0.5) * series.step_s
    wanted = task.history.start_s + (np.arange(count) + 0.5) * task.history.step_s
    end_s = task.horizon.start_s + task.horizon.count * task.horizon.step_s
    covered_s = max(task.history.step_s, series.step_s)
    if not known.any() or end_s - middle[known][-1] > covered_s + task.history.step_s:
        return np.zeros((0, count))
    row: FloatArray = np.interp(wanted, middle[known], values[known])[None]
    return row
