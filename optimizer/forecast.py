"""The forecast of the feeder head's import: similar days, level shift, conformal quantiles.

Three regimes, told in `Forecast.method`:

- 8 days and more: `similar_day.LevelShift` per lead, holidays as Sundays; quantiles are the point
  plus empirical quantiles of the errors that the same method made at the same lead before (same
  four-hour block of the day 0.75, all blocks 0.25; conformal prediction on rolling origins).
- 1 to 8 days: mean of the known days at the same time of day; normal bands as wide as the days
  differ among each other, and not narrower than a fifth of the mean load.
- less than a day: the mean of what is known; bands of half the mean load.

Deterministic; values at or after the horizon's start never enter.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from gridctl.model.planning import Forecast, ForecastTask, Series
from optimizer.arrays import FloatArray, IntArray
from optimizer.similar_day import Calendar, LevelShift, SimilarDays, Trained, degree_series

SECONDS_PER_DAY = 86_400.0
HISTORY_DAYS_MAX = 84
"""Older history is left out: the season has moved on."""
GAP_DAYS_MAX = 7.0
"""The newest value may be this old at the horizon's start; beyond, it says nothing about today."""
FULL_METHOD_DAYS = 8.0
KNOWN_HOURS_MIN = 1.0
ERROR_DAYS = 75
BLOCK_H = 4.0
BLOCK_SHARE = 0.75
BLOCK_ERRORS_MIN = 20
JUDGED_DAYS = 7
COLD_SPREAD_DAYS = 0.2
COLD_SPREAD_HOURS = 0.5
GRID_TOLERANCE = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Grid:
    """History and horizon on one grid of slots: `load_kw` (n,) is NaN from `origin` on."""

    load_kw: FloatArray
    degrees: FloatArray
    origin: int
    lead_first: int
    count: int
    calendar: Calendar


def forecast(task: ForecastTask) -> Forecast:
    """The head's import over the task's horizon.

    Raises ValueError, in words for the operator: no history, nothing but gaps, a constant series
    (a frozen measurement), a step that does not divide the day or differs between history and
    horizon, quantiles outside 0 … 1.
    """
    check(task)
    grid = _grid(task)
    known = grid.load_kw[np.isfinite(grid.load_kw)]
    step_s = task.history.step_s
    refuse_frozen(known, step_s)
    days = float(known.size * step_s / SECONDS_PER_DAY)
    if days < FULL_METHOD_DAYS:
        values, method, nmae_pct = _cold_start(grid, known, days, task.quantiles)
    else:
        values, method, nmae_pct = _full(grid, task.quantiles)
    if not np.isfinite(values).all():
        raise ValueError(
            "the history knows no comparable day for"
            f" {int((~np.isfinite(values).all(axis=0)).sum())} of {grid.count} intervals"
        )
    return Forecast(
        horizon=task.horizon,
        quantiles=task.quantiles,
        values_kw=tuple(tuple(map(float, row)) for row in _uncrossed(values, task.quantiles)),
        method=method,
        history_days=days,
        nmae_pct=nmae_pct,
    )


def refuse_frozen(known: FloatArray, step_s: float) -> None:
    """Raises ValueError for less than an hour of `known` values, or for constant ones."""
    if known.size * step_s < KNOWN_HOURS_MIN * 3600.0:
        raise ValueError(
            f"the history has {known.size * step_s / 60.0:.0f} min of values before the forecast's"
            f" start: at least {KNOWN_HOURS_MIN:g} h is needed"
        )
    if known.max() - known.min() <= 1e-9 * max(1.0, abs(float(known.max()))):
        raise ValueError(
            f"the history is constant at {known[0]:g} kW: the measurement looks frozen"
        )


def check(task: ForecastTask) -> None:
    """Raises ValueError for steps, horizon or quantiles that do not fit."""
    step_s = task.history.step_s
    slots = SECONDS_PER_DAY / step_s if step_s > 0.0 else 0.0
    if slots < 1.0 or abs(slots - round(slots)) > GRID_TOLERANCE:
        raise ValueError(f"a history step of {step_s:g} s does not divide the day")
    if task.horizon.step_s != step_s:
        raise ValueError(
            f"history has steps of {step_s:g} s, the horizon of {task.horizon.step_s:g} s"
        )
    if task.horizon.count < 1:
        raise ValueError("the horizon has no interval")
    shift = (task.horizon.start_s - task.history.start_s) / step_s
    if abs(shift - round(shift)) > GRID_TOLERANCE:
        raise ValueError("the horizon does not start on the history's steps")
    local = (task.history.start_s + task.utc_offset_s) / step_s
    if abs(local - round(local)) > GRID_TOLERANCE:
        raise ValueError("the history's steps do not fall on local midnight")
    if not task.quantiles or not all(0.0 < q < 1.0 for q in task.quantiles):
        raise ValueError(f"quantiles must lie between 0 and 1: {task.quantiles}")
    if len(set(task.quantiles)) != len(task.quantiles):
        raise ValueError(f"a quantile is asked for twice: {task.quantiles}")


def numbers(series: Series) -> FloatArray:
    """Values with NaN for gaps; ValueError for infinity or NaN in the data."""
    values = np.array(
        [np.nan if v is None else v for v in series.values], dtype=np.float64
    ).reshape(-1)
    gaps = np.array([v is None for v in series.values], dtype=bool).reshape(-1)
    if not np.isfinite(values[~gaps]).all():
        raise ValueError("the history holds a value that is not a number")
    return values


def _grid(task: ForecastTask) -> _Grid:
    step_s = task.history.step_s
    per_day = round(SECONDS_PER_DAY / step_s)
    values = numbers(task.history)
    start = round((task.horizon.start_s - task.history.start_s) / step_s)
    values = values[: max(start, 0)]
    skip = max(0, min(start, len(values)) - HISTORY_DAYS_MAX * per_day)
    values = values[skip:]
    known = np.flatnonzero(np.isfinite(values))
    if not known.size:
        raise ValueError("the history has no value before the forecast's start: nothing but gaps")
    gap_days = (start - skip - 1 - int(known[-1])) / per_day
    if gap_days > GAP_DAYS_MAX:
        raise ValueError(
            f"the history ends {gap_days:.1f} days before the forecast's start:"
            f" at most {GAP_DAYS_MAX:g} days"
        )
    n = start - skip + task.horizon.count
    load = np.full(n, np.nan)
    load[: len(values)] = values
    first_s = task.history.start_s + skip * step_s
    calendar = Calendar(
        first=round((first_s + task.utc_offset_s) / step_s),
        per_day=per_day,
        holidays=frozenset(task.holidays),
    )
    # The origin is the last known value: what lies between it and the horizon's start is forecast
    # as well, so that a lead counts from the knowledge and not from the question.
    origin = int(known[-1]) + 1
    return _Grid(
        load_kw=load,
        degrees=_degrees(task.temperature_c, first_s, step_s, n, calendar),
        origin=origin,
        lead_first=start - skip - origin + 1,
        count=task.horizon.count,
        calendar=calendar,
    )


def _degrees(
    temperature: Series | None, first_s: float, step_s: float, n: int, calendar: Calendar
) -> FloatArray:
    """(3, n) degree series, or (0, n) when temperature does not reach over the horizon's end."""
    none = np.zeros((0, n))
    if temperature is None or not temperature.values:
        return none
    values = numbers(temperature)
    known = np.isfinite(values)
    middle = temperature.start_s + (np.arange(len(values)) + 0.5) * temperature.step_s
    wanted = first_s + (np.arange(n) + 0.5) * step_s
    if not known.any():
        return none
    covered_s = max(step_s, temperature.step_s)
    late = wanted[-1] - middle[known][-1] > covered_s
    early = middle[known][0] - wanted[0] > covered_s
    if late or early:
        return none
    return degree_series(np.interp(wanted, middle[known], values[known]), calendar)


def _full(grid: _Grid, quantiles: tuple[float, ...]) -> tuple[FloatArray, str, float | None]:
    model = LevelShift(SimilarDays(grid.load_kw, grid.degrees, grid.calendar), grid.origin)
    trained = [model.lead(grid.lead_first + k) for k in range(grid.count)]
    values = np.array(
        [
            trained[k].value + _error_quantiles(trained[k], grid, k, quantiles)
            for k in range(grid.count)
        ]
    ).T
    method = "similar day, learned level shift" + (", temperature" if len(grid.degrees) else "")
    if _is_of_holiday(grid):
        method += ", holiday as a Sunday"
    return values, f"{method}, conformal quantiles", _nmae_pct(trained, grid)


def _is_of_holiday(grid: _Grid) -> bool:
    """Whether one of the days that are forecast is a holiday."""
    first = grid.origin - 1 + grid.lead_first
    days = grid.calendar.day(np.arange(first, first + grid.count))
    return bool(grid.calendar.is_holiday(int(days[-1]) + 1)[days].any())


def _error_quantiles(
    trained: Trained, grid: _Grid, k: int, quantiles: tuple[float, ...]
) -> FloatArray:
    """What to add to the point: quantiles of this lead's earlier errors."""
    newest = trained.targets >= grid.origin - ERROR_DAYS * grid.calendar.per_day
    errors, targets = trained.errors[newest], trained.targets[newest]
    everywhere = _conformal(errors, quantiles)
    blocks = grid.calendar.slots(BLOCK_H)
    slot = np.array([grid.origin - 1 + grid.lead_first + k], dtype=np.intp)
    here = grid.calendar.slot_of_day(slot)[0] // blocks
    own = errors[grid.calendar.slot_of_day(targets) // blocks == here]
    if own.size < BLOCK_ERRORS_MIN:
        return everywhere
    return BLOCK_SHARE * _conformal(own, quantiles) + (1.0 - BLOCK_SHARE) * everywhere


def _conformal(errors: FloatArray, quantiles: tuple[float, ...]) -> FloatArray:
    """Empirical quantiles with the finite-sample correction of conformal prediction: outwards to
    the (n + 1) q-th smallest error."""
    n = errors.size
    level = np.array(quantiles)
    outward = np.clip(level + (level - 0.5) * (1.0 / max(n, 1)), 0.0, 1.0)
    result: FloatArray = np.quantile(errors, outward) if n else np.zeros(len(quantiles))
    return result


def _nmae_pct(trained: list[Trained], grid: _Grid) -> float | None:
    """Mean |error| of all leads over the last days, by the mean |load| of those days, %."""
    since = grid.origin - JUDGED_DAYS * grid.calendar.per_day
    errors = np.concatenate([t.errors[t.targets >= since] for t in trained])
    load = np.abs(grid.load_kw[max(since, 0) : grid.origin])
    level = float(np.nanmean(load)) if np.isfinite(load).any() else 0.0
    if not errors.size or level <= 0.0:
        return None
    return float(100.0 * np.mean(np.abs(errors)) / level)


def _cold_start(
    grid: _Grid, known: FloatArray, days: float, quantiles: tuple[float, ...]
) -> tuple[FloatArray, str, float | None]:
    level = float(np.mean(np.abs(known)))
    slots: IntArray = np.arange(
        grid.origin - 1 + grid.lead_first, grid.origin - 1 + grid.lead_first + grid.count
    )
    z = np.array([NormalDist().inv_cdf(q) for q in quantiles])
    if days < 1.0:
        point = np.full(grid.count, known.mean())
        spread = COLD_SPREAD_HOURS * level
        method = "cold start: mean of less than a day, wide bands"
    else:
        of_day = grid.calendar.slot_of_day(np.arange(len(grid.load_kw)))
        point = np.full(grid.count, known.mean())
        differences = []
        for slot in np.unique(of_day):
            same = grid.load_kw[of_day == slot]
            same = same[np.isfinite(same)]
            if same.size:
                point[of_day[slots] == slot] = same.mean()
                differences.append(same - same.mean())
        spread = max(
            COLD_SPREAD_DAYS * level, math.sqrt(2.0) * float(np.std(np.hstack(differences)))
        )
        method = f"cold start: mean of {days:.1f} days at the same time of day, wide bands"
    return point + z[:, None] * spread, method, None


def _uncrossed(values: FloatArray, quantiles: tuple[float, ...]) -> FloatArray:
    """The same rows, such that a higher quantile is never below a lower one."""
    order = np.argsort(quantiles)
    result = np.empty_like(values)
    result[order] = np.maximum.accumulate(values[order], axis=0)
    return result
