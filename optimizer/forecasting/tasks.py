"""A forecast task as the ensemble's arrays: history, weather and its vintages on one grid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gridctl.model.planning import ForecastTask, Series
from optimizer.arrays import FloatArray
from optimizer.forecast import numbers, refuse_frozen
from optimizer.forecasting.ensemble import LEAD_MAX_DAYS
from optimizer.forecasting.grid import LoadGrid
from optimizer.forecasting.weather import Vintage
from optimizer.similar_day import Calendar

ENSEMBLE_DAYS = 60.0
SECONDS_PER_DAY = 86_400.0
SLACK_DAYS = 0.25
"""The newest value may be so much older than the horizon's start."""
KNOWN_AGAIN_DAYS = 2
QUANTITIES = ("temperature_c", "sun_w_m2", "wind_ms")
_WORDS = {"temperature_c": "temperature", "sun_w_m2": "sun", "wind_ms": "wind"}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Asked:
    """`grid` with room for the targets, `origin`: last known slot of it, `leads` in slots, `days`
    known; `weather`: which quantities reach over the horizon, a letter each, V where archived."""

    grid: LoadGrid
    origin: int
    leads: tuple[int, ...]
    days: float
    vintages: tuple[Vintage, ...]
    weather: str

    @property
    def slot(self) -> int:
        """The origin, counted from 1970."""
        return self.grid.calendar.first + self.origin

    @property
    def words(self) -> str:
        """Which weather is used, for the forecast's method."""
        known = [_WORDS[name] for name in QUANTITIES if name[0] in self.weather]
        return "".join(f", {word}" for word in known)


def asked_of(task: ForecastTask) -> Asked | None:
    """None where the ensemble has no say: short history, stale values, a step or reach that it
    does not know. Raises ValueError for a history that stands still."""
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
    rows = {name: _over_the_horizon(task, getattr(task, name), len(load)) for name in QUANTITIES}
    letters = "".join(name[0] for name, row in rows.items() if len(row))
    vintages = _vintages(task, rows, len(load)) if letters else ()
    grid = LoadGrid(
        load_kw=load,
        **rows,
        calendar=Calendar(
            first=round((task.history.start_s + task.utc_offset_s) / step_s), per_day=per_day
        ),
        holidays=frozenset(task.holidays),
    )
    return Asked(
        grid=grid,
        origin=origin,
        leads=leads,
        days=float(days),
        vintages=vintages,
        weather=letters + ("V" if vintages else ""),
    )


def _over_the_horizon(task: ForecastTask, series: Series | None, count: int) -> FloatArray:
    """(1, count) on the history's slots, or (0, count) where it does not reach over the horizon:
    weather that is only measured says nothing about the target."""
    if series is None or not series.values:
        return np.zeros((0, count))
    values = numbers(series)
    known = np.isfinite(values)
    end_s = task.horizon.start_s + task.horizon.count * task.horizon.step_s
    covered_s = max(task.history.step_s, series.step_s)
    middle = series.start_s + (np.arange(len(values)) + 0.5) * series.step_s
    if not known.any() or end_s - middle[known][-1] > covered_s + task.history.step_s:
        return np.zeros((0, count))
    wanted = task.history.start_s + (np.arange(count) + 0.5) * task.history.step_s
    row: FloatArray = np.interp(wanted, middle[known], values[known])[None]
    return row


def _vintages(task: ForecastTask, rows: dict[str, FloatArray], count: int) -> tuple[Vintage, ...]:
    found = []
    for one in task.vintages:
        said = {
            name: _archived(task, getattr(one, name), count)
            if len(rows[name])
            else np.zeros((0, count))
            for name in QUANTITIES
        }
        lead_slots = int(one.lead_s / task.history.step_s)
        if lead_slots >= 1 and any(np.isfinite(row).any() for row in said.values()):
            found.append(Vintage(lead_slots=lead_slots, **said))
    return tuple(found)


def _archived(task: ForecastTask, series: Series | None, count: int) -> FloatArray:
    """(1, count): the value of the series' interval that holds each slot's middle, NaN outside."""
    row = np.full((1, count), np.nan)
    if series is None or not series.values:
        return row
    values = numbers(series)
    middle = task.history.start_s + (np.arange(count) + 0.5) * task.history.step_s
    at = np.floor((middle - series.start_s) / series.step_s).astype(np.intp)
    inside = (at >= 0) & (at < len(values))
    row[0, inside] = values[at[inside]]
    return row
