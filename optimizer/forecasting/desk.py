"""Where the mind's forecasts are made: the similar day at first, the ensemble once it has learned.

A `Desk` keeps a forecaster for each series that it is asked about, known again by its values. It is
trained, and every few weeks trained anew, beside the questions: until it is done, the similar day
(or the forecaster in use) answers. With less history than ENSEMBLE_DAYS the similar day stays: on
Tetouan 2017 with 35 days the two are equal, and it needs no training.

With a folder, what was learned is written there once a day and found again at the next start: the
hours between are made up for.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from gridctl.model.planning import Forecast, ForecastTask
from optimizer.arrays import FloatArray, IntArray
from optimizer.forecast import check, forecast
from optimizer.forecasting.conformal import at_levels
from optimizer.forecasting.grid import LoadGrid
from optimizer.forecasting.online import Forecaster
from optimizer.forecasting.shelf import Shelf, Shelved
from optimizer.forecasting.tasks import KNOWN_AGAIN_DAYS, Asked, asked_of

SERIES_KEPT = 32
KNOWN_AGAIN_SHARE = 0.8
"""A baseline is amended when a settlement comes; so much of it must be as it was."""

_log = logging.getLogger(__name__)
Beside = Callable[[Callable[[], None]], None]
"""Does something without keeping the caller waiting (a thread; at once in a test)."""


Key = tuple[float, float, int, str]
"""(step, offset from UTC, intervals of the horizon, which weather is known)"""


@dataclass(slots=True, eq=False)
class _Kept:
    """A series: what it was when last seen, and its forecaster once there is one."""

    key: Key
    slots: IntArray
    load_kw: FloatArray
    forecaster: Forecaster | None = None
    training: bool = False
    name: str = ""
    saved_slot: int = field(default=0)


class Desk:
    """Answers tasks. `beside`: how to train without keeping the control cycle waiting. `folder`:
    where what was learned outlives the process; None: nowhere."""

    def __init__(self, *, beside: Beside, folder: Path | None = None) -> None:
        self._beside = beside
        self._shelf = None if folder is None else Shelf(folder)
        self._kept: OrderedDict[int, _Kept] = OrderedDict()
        self._count = 0
        for one in [] if self._shelf is None else self._shelf.found(SERIES_KEPT):
            self._count += 1
            self._kept[self._count] = _Kept(
                key=one.key,
                slots=one.slots,
                load_kw=one.load_kw,
                forecaster=one.forecaster,
                name=one.name,
                saved_slot=int(one.slots[-1]),
            )

    def forecast(self, task: ForecastTask) -> Forecast:
        """Raises ValueError as `optimizer.forecast.forecast`."""
        check(task)
        asked = asked_of(task)
        if asked is None:
            return forecast(task)
        kept = self._known(task, asked)
        forecaster = kept.forecaster
        per_day = asked.grid.per_day
        if not kept.training and (forecaster is None or forecaster.due(asked.slot, per_day)):
            kept.training = True
            self._beside(lambda: _train(kept, asked))
        if forecaster is None:
            forecaster = kept.forecaster
        if forecaster is None or asked.leads[-1] > forecaster.learned.leads[-1]:
            return forecast(task)
        try:
            found = _answer(task, asked, forecaster)
        except ValueError as wrong:
            # Such as a restored one that has learned from other weather: it learns anew.
            _log.warning("the ensemble has no forecast: %s", wrong)
            kept.forecaster = None
            return forecast(task)
        self._put_away(kept, asked)
        return found

    def _known(self, task: ForecastTask, asked: Asked) -> _Kept:
        """The series that these values continue, or a new one."""
        grid, origin = asked.grid, asked.origin
        slots = np.arange(origin + 1 - KNOWN_AGAIN_DAYS * grid.per_day, origin + 1)
        absolute, recent = slots + grid.calendar.first, grid.load_kw[slots]
        key = (task.history.step_s, task.utc_offset_s, task.horizon.count, asked.weather)
        for number, kept in self._kept.items():
            if kept.key == key and _same(kept, grid):
                kept.slots, kept.load_kw = absolute, recent
                self._kept.move_to_end(number)
                return kept
        self._count += 1
        new = _Kept(key=key, slots=absolute, load_kw=recent)
        self._kept[self._count] = new
        if len(self._kept) > SERIES_KEPT:
            _, gone = self._kept.popitem(last=False)
            if self._shelf is not None:
                self._shelf.drop(gone.name)
        return new

    def _put_away(self, kept: _Kept, asked: Asked) -> None:
        """Once a day, and as soon as it has been trained."""
        if self._shelf is None or kept.forecaster is None or kept.training:
            return
        trained_since = kept.forecaster.trained_at > kept.saved_slot
        if kept.name and not trained_since and asked.slot - kept.saved_slot < asked.grid.per_day:
            return
        kept.name = self._shelf.put(
            Shelved(
                name=kept.name,
                key=kept.key,
                slots=kept.slots,
                load_kw=kept.load_kw,
                forecaster=kept.forecaster,
            )
        )
        kept.saved_slot = asked.slot


def _answer(task: ForecastTask, asked: Asked, forecaster: Forecaster) -> Forecast:
    bands = forecaster.forecast(
        asked.grid, origin=asked.origin, leads=asked.leads, vintages=asked.vintages
    )
    values = at_levels(bands.values_kw, task.quantiles)
    order = np.argsort(task.quantiles)
    values[order] = np.maximum.accumulate(values[order], axis=0)
    paths: tuple[tuple[float, ...], ...] = ()
    if task.path_count:
        try:
            # The same question has the same answer: a replay must not throw other dice.
            random = np.random.default_rng(abs(int(task.horizon.start_s)))
            drawn = forecaster.paths(bands, asked.leads, count=task.path_count, random=random)
            paths = tuple(tuple(map(float, row)) for row in drawn)
        except ValueError as few:
            _log.info("no paths: %s", few)
    return Forecast(
        horizon=task.horizon,
        quantiles=task.quantiles,
        values_kw=tuple(tuple(map(float, row)) for row in values),
        method=f"ensemble: {forecaster.learned.method}{asked.words}, conformal quantiles",
        history_days=asked.days,
        nmae_pct=bands.nmae_pct,
        paths_kw=paths,
    )


def _same(kept: _Kept, grid: LoadGrid) -> bool:
    at = kept.slots - grid.calendar.first
    if at[0] < 0 or at[-1] >= grid.count:
        return False
    now = grid.load_kw[at]
    equal = (now == kept.load_kw) | (np.isnan(now) & np.isnan(kept.load_kw))
    return bool(equal.mean() >= KNOWN_AGAIN_SHARE)


def _train(kept: _Kept, asked: Asked) -> None:
    """What goes wrong is told and tried again with the next question that is due."""
    try:
        grid, origin = asked.grid, asked.origin
        reach = grid.count - origin - 1
        kept.forecaster = Forecaster.train(
            grid, end=origin + 1, reach=reach, vintages=asked.vintages
        )
    except (ValueError, ArithmeticError, np.linalg.LinAlgError) as wrong:
        _log.warning("the ensemble could not be trained: %s", wrong)
    finally:
        kept.training = False
