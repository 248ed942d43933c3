"""What weather says about load: degrees, recency, sun and wind, and which stations to believe.

Two ways to know the weather of a target: as it was (the grid's own rows: a score with them is *ex
post*), or as it was forecast at the origin (`Vintage`). With vintages, nothing that was measured
after the origin enters.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from optimizer.arrays import FloatArray, IntArray
from optimizer.forecasting.grid import LoadGrid, lagged, trailing

DEGREES_C = ((-1.0, 12.8), (1.0, 18.3), (1.0, 25.6))
"""(sign, threshold): heating degrees below 55 F, cooling degrees above 65 F and above 78 F."""
SMOOTHING_H = 3.0
USUAL_C = 15.0
SCALE_C = 10.0
STATIONS_TAKEN = 3
SUN_SCALE_W_M2 = 1000.0
WIND_RATED_MS = 10.0
WIND_MAX = 1.4
BIAS_HOURS = 6.0
"""The error of a weather forecast at the origin is believed to fade in so many hours."""
RECENT_DAYS = 2


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Weather:
    """Rows along the last axis: `temperature_c` (…, n), `sun_w_m2`, `wind_ms`; None: not known."""

    temperature_c: FloatArray | None
    sun_w_m2: FloatArray | None
    wind_ms: FloatArray | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Vintage:
    """A weather forecast archived by lead: at slot i, what was said `lead_slots` before it. Rows as
    in LoadGrid; NaN where nothing was archived."""

    lead_slots: int
    temperature_c: FloatArray
    sun_w_m2: FloatArray
    wind_ms: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class WeatherRows:
    """What the experts read, (k, …, n) each: `recency` for the linear model, `plant` for sun and
    wind power, `differences` for the expert that compares with similar days."""

    recency: FloatArray
    plant: FloatArray
    differences: FloatArray

    def at(self, slots: IntArray) -> WeatherRows:
        """The same rows at some slots of the last axis."""
        return WeatherRows(
            recency=self.recency[..., slots],
            plant=self.plant[..., slots],
            differences=self.differences[..., slots],
        )

    def flat(self) -> WeatherRows:
        """The same rows with one axis behind the first."""

        def row(values: FloatArray) -> FloatArray:
            return values.reshape(len(values), int(np.prod(values.shape[1:])))

        return WeatherRows(
            recency=row(self.recency), plant=row(self.plant), differences=row(self.differences)
        )


def held(values: FloatArray) -> FloatArray:
    """Gaps hold the last value before them (the first value before the first), along the last
    axis; nothing but gaps is NaN."""
    n = values.shape[-1]
    known = np.isfinite(values)
    last = np.maximum.accumulate(np.where(known, np.arange(n), -1), axis=-1)
    first = np.where(known.any(axis=-1), known.argmax(axis=-1), 0)
    at = np.where(last < 0, first[..., None], last)
    return np.take_along_axis(values, at, axis=-1)


def best_stations(grid: LoadGrid, end: int) -> IntArray:
    """The stations whose cubic fits the load before `end` best."""
    if len(grid.temperature_c) <= STATIONS_TAKEN:
        return np.arange(len(grid.temperature_c))
    load = grid.load_kw[:end]
    errors = []
    for row in grid.temperature_c[:, :end]:
        known = np.isfinite(load) & np.isfinite(row)
        t = (row[known] - USUAL_C) / SCALE_C
        x = np.column_stack([np.ones_like(t), t, t**2, t**3])
        coefficients = np.linalg.lstsq(x, load[known], rcond=None)[0]
        left = float(np.mean((load[known] - x @ coefficients) ** 2)) if known.any() else np.inf
        errors.append(left)
    return np.sort(np.argsort(errors, kind="stable")[:STATIONS_TAKEN])


def believed(grid: LoadGrid, stations: IntArray) -> Weather:
    """The grid's own weather: mean of the stations, gaps held."""
    return Weather(
        temperature_c=_mean(held(grid.temperature_c[stations])),
        sun_w_m2=_mean(held(grid.sun_w_m2)),
        wind_ms=_mean(held(grid.wind_ms)),
    )


def _mean(rows: FloatArray) -> FloatArray | None:
    if not len(rows) or not np.isfinite(rows).any():
        return None
    known = np.isfinite(rows)
    total = np.where(known, rows, 0.0).sum(axis=0)
    result: FloatArray = total / np.maximum(known.sum(axis=0), 1)
    return result


def weather_rows(weather: Weather, shape: tuple[int, ...], per_day: int) -> WeatherRows:
    """Rows of `weather`, whose series have `shape` (…, n) at `per_day` slots a day."""
    none = np.zeros((0, *shape))
    recent, differences, plant = none, [none], [none]
    if weather.temperature_c is not None:
        recent = _recency(weather.temperature_c, per_day)
        smooth = trailing(weather.temperature_c, max(1, round(SMOOTHING_H * per_day / 24.0)))
        differences.append(
            np.array([np.clip(s * (smooth - at), 0.0, None) / SCALE_C for s, at in DEGREES_C])
        )
    if weather.sun_w_m2 is not None:
        plant.append(weather.sun_w_m2[None] / SUN_SCALE_W_M2)
    if weather.wind_ms is not None:
        share = weather.wind_ms[None] / WIND_RATED_MS
        plant += [share, np.minimum(share, WIND_MAX) ** 3]
    power = np.concatenate(plant)
    return WeatherRows(
        recency=recent, plant=power, differences=np.concatenate([*differences, power])
    )


def _recency(temperature_c: FloatArray, per_day: int) -> FloatArray:
    """T now, 1, 2, 3 h ago, mean of the last day and of the day before, in tens of °C off 15 °C."""
    scaled = (temperature_c - USUAL_C) / SCALE_C
    hour = max(1, round(per_day / 24.0))
    mean = trailing(scaled, per_day)
    lags = (lagged(scaled, k * hour) for k in (1, 2, 3))
    return np.array([scaled, *lags, mean, lagged(mean, per_day)])


class Seen:
    """Weather as it was seen from origins: measured up to them, the archived forecast after."""

    def __init__(
        self,
        grid: LoadGrid,
        vintages: Sequence[Vintage],
        stations: IntArray,
    ) -> None:
        self._per_day = grid.per_day
        self._count = grid.count
        self._actual = believed(grid, stations)
        ordered = sorted(vintages, key=lambda v: v.lead_slots)
        self._leads = np.array([v.lead_slots for v in ordered], dtype=np.intp)
        self._said = {
            "temperature_c": [_mean(v.temperature_c[stations]) for v in ordered],
            "sun_w_m2": [_mean(v.sun_w_m2) for v in ordered],
            "wind_ms": [_mean(v.wind_ms) for v in ordered],
        }

    def rows(self, origins: IntArray, leads: tuple[int, ...]) -> WeatherRows:
        """(k, origins, leads) rows at origin + lead."""
        reach = max(leads)
        back = RECENT_DAYS * self._per_day
        offsets = np.arange(1 - back, reach + 1)
        slots = origins[:, None] + offsets
        windows = Weather(
            **{
                name: self._window(getattr(self._actual, name), said, slots, back)
                for name, said in self._said.items()
            }
        )
        whole = weather_rows(windows, slots.shape, self._per_day)
        return whole.at(np.array(leads) + back - 1)

    def _window(
        self,
        actual: FloatArray | None,
        said: Sequence[FloatArray | None],
        slots: IntArray,
        back: int,
    ) -> FloatArray | None:
        """(origins, window): what was measured, and after the origin what was said."""
        if actual is None:
            return None
        window = actual[np.clip(slots, 0, self._count - 1)]
        ahead = slots[:, back:]
        inside = np.clip(ahead, 0, self._count - 1)
        best = np.full(ahead.shape, np.nan)
        bias = np.full(len(slots), np.nan)
        now = slots[:, back - 1]
        for lead, row in zip(self._leads, said, strict=True):
            if row is None:
                continue
            # Said `lead` before the target: at the origin or before it, if the target is not
            # further away than that.
            allowed = (np.arange(1, ahead.shape[1] + 1) <= lead) & (ahead < self._count)
            best = np.where(allowed & ~np.isfinite(best), row[inside], best)
            error = actual[now] - row[now]
            bias = np.where(np.isfinite(bias), bias, error)
        fading = np.exp(-np.arange(1, ahead.shape[1] + 1) * (24.0 / self._per_day) / BIAS_HOURS)
        best = best + np.nan_to_num(bias)[:, None] * fading
        # Nothing archived: as it was at the same time of the last known day.
        day = (np.arange(ahead.shape[1]) % self._per_day) + back - self._per_day
        window[:, back:] = np.where(np.isfinite(best), best, window[:, day])
        return window
