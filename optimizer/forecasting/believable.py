"""Whether a series can be what it is said to be: refused in a wrong unit, marked where weak."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gridctl.model.errors import ConfigError
from optimizer.arrays import BoolArray, FloatArray, IntArray
from optimizer.forecasting.settings import WeatherTable

MINUTES_PER_DAY = 1440
MINUTES_PER_HOUR = 60
TEMPERATURE_C_MIN, TEMPERATURE_C_MAX = -60.0, 60.0
SUN_W_M2_MAX = 1600.0
WIND_MS_MAX = 80.0
RATED_TIMES_MAX, RATED_TIMES_MIN = 3.0, 0.01
KILO = 1000.0
KILO_TOLERANCE = 0.5
NIGHT_H_MAX = 4
DAYS_A_YEAR_LEAST = 350.0
FROZEN_H = 24
DAYS_BEFORE = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A weakness of the data that was worked around, in words; `line` of the first, 0: none."""

    code: str
    text: str
    count: int
    line: int = 0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Series:
    """One load column on its grid; `line` (n,) in the file, 0 for a gap."""

    file: str
    column: str
    load_kw: FloatArray
    line: IntArray
    step_min: int

    def refused(self, text: str, *, slot: int | None = None, hint: str = "") -> ConfigError:
        line = 0 if slot is None else int(self.line[slot])
        return ConfigError(text, file=self.file, key=self.column, line=line, hint=hint)


def refuse_unbelievable(series: Series, *, rated_kw: float | None) -> None:
    """Raises ConfigError: nothing but gaps, constant, a unit that changes or does not fit."""
    load = series.load_kw
    known = load[np.isfinite(load)]
    if not known.size:
        raise series.refused("there is no value, nothing but gaps")
    if known.max() - known.min() <= 1e-9 * max(1.0, abs(float(known.max()))):
        raise series.refused(f"the series is constant at {known[0]:g} kW: it looks frozen")
    if rated_kw is not None:
        high = float(np.percentile(np.abs(known), 99))
        if not RATED_TIMES_MIN * rated_kw <= high <= RATED_TIMES_MAX * rated_kw:
            raise series.refused(
                f"99 % of the values are below {high:g} kW, rated_kw is {rated_kw:g}",
                hint="is the unit right?",
            )
    jump = _unit_change(series)
    if jump is not None:
        raise series.refused(
            "from here on the values are a thousand times what they were, or a thousandth",
            slot=jump,
            hint="one unit for the whole column",
        )


def _unit_change(series: Series) -> int | None:
    """First slot of a day whose level is 1000 times (or 1/1000) that of the days before."""
    per_day = MINUTES_PER_DAY // series.step_min
    size = np.abs(series.load_kw)
    whole = len(size) // per_day
    days = size[: whole * per_day].reshape(whole, per_day)
    enough = np.isfinite(days).sum(axis=1) >= per_day // 2
    index = np.flatnonzero(enough)
    level = np.array([np.nanmedian(days[d]) for d in index])
    for k in range(1, len(index)):
        usual = float(np.median(level[max(0, k - DAYS_BEFORE) : k]))
        if usual <= 0.0 or level[k] <= 0.0:
            continue
        away = abs(np.log(level[k] / usual))
        if abs(away - np.log(KILO)) < KILO_TOLERANCE:
            slots = index[k] * per_day + np.arange(per_day)
            return int(slots[np.isfinite(size[slots])][0])
    return None


def load_marks(series: Series, *, first_minute: int) -> list[Mark]:
    """Gaps, days of 23 hours, values that stand still, negative values."""
    load, marks = series.load_kw, []
    gap = ~np.isfinite(load)
    short_days = _short_days(series, gap, first_minute)
    if short_days:
        text = "days of 23 hours: the hour that is missing is a gap"
        marks.append(Mark(code="day_23h", text=text, count=short_days))
    if gap.any():
        longest = _longest_run(gap) * series.step_min / MINUTES_PER_HOUR
        text = f"gaps ({100.0 * gap.mean():.2g} % of the time, the longest {longest:g} h)"
        marks.append(Mark(code="gap", text=text, count=int(gap.sum())))
    still = np.concatenate([[False], (np.diff(load) == 0.0) & (load[1:] != 0.0)])
    frozen = _longest_run(still) * series.step_min / MINUTES_PER_HOUR
    if frozen >= FROZEN_H:
        text = f"the same value for {frozen:g} h: frozen?"
        marks.append(Mark(code="frozen", text=text, count=1))
    negative = int(np.sum(load < 0.0))
    if negative:
        text = "negative values: a net load; read rmae_pct and rpin_pct"
        marks.append(Mark(code="negative", text=text, count=negative))
    return marks


def _longest_run(flags: BoolArray) -> int:
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flags.astype(np.intp), [0]])))
    return int((edges[1::2] - edges[::2]).max()) if edges.size else 0


def _short_days(series: Series, gap: BoolArray, first_minute: int) -> int:
    """Days of which exactly one night hour is missing: at most one a year, else they are gaps."""
    minute = first_minute + np.flatnonzero(gap) * series.step_min
    count = 0
    for day in np.unique(minute // MINUTES_PER_DAY):
        of_day = minute[minute // MINUTES_PER_DAY == day] % MINUTES_PER_DAY
        hours = np.unique(of_day // MINUTES_PER_HOUR)
        full = len(of_day) == MINUTES_PER_HOUR // series.step_min
        count += int(full and len(hours) == 1 and hours[0] < NIGHT_H_MAX)
    years = len(gap) * series.step_min / (MINUTES_PER_DAY * DAYS_A_YEAR_LEAST)
    return count if count <= years + 1.0 else 0


def weather_marks(file: str, weather: dict[str, FloatArray], columns: WeatherTable) -> list[Mark]:
    """What is missing. Raises ConfigError for values that cannot be in the unit."""
    limits = {
        "temperature": (columns.temperature, TEMPERATURE_C_MIN, TEMPERATURE_C_MAX, "°C"),
        "sun": (columns.sun, -SUN_W_M2_MAX / 10.0, SUN_W_M2_MAX, "W/m2"),
        "wind": (columns.wind, 0.0, WIND_MS_MAX, "m/s"),
    }
    marks = []
    for name, (names, low, high, unit) in limits.items():
        for column, row in zip(names, weather[name], strict=True):
            known = row[np.isfinite(row)]
            if known.size and (known.min() < low or known.max() > high):
                worst = known.min() if known.min() < low else known.max()
                raise ConfigError(
                    f"{worst:.4g} {unit} cannot be",
                    file=file,
                    key=column,
                    hint="temperature_unit?" if name == "temperature" else "another unit?",
                )
            missing = int(len(row) - known.size)
            if missing:
                share = 100.0 * missing / len(row)
                text = f"{column} is missing {share:.2g} % of the time: the last value is held"
                marks.append(Mark(code="weather_gap", text=text, count=missing))
    if not any(len(weather[name]) for name in limits):
        marks.append(Mark(code="no_weather", text="no weather: the load alone speaks", count=1))
    return marks
