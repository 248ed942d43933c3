"""Weather for the forecast: measured up to now, the service's forecast after it, and its vintages.

The service writes a CSV file (`[weather] forecast_file`: timestamp, temperature_c, sun_w_m2,
wind_ms; UTC or with an offset), anew with each of its runs. A job reads it when it has changed and
archives what it says under the moment at which it was known here: the archive says how wrong the
service has been at each lead, and a forecast made with it does not know more than it could have.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from itertools import pairwise

from gridctl.control.ports import Store
from gridctl.control.settings import WeatherSettings
from gridctl.intervalfile import IntervalFile, read_intervals
from gridctl.model.clock import Clock
from gridctl.model.errors import ConfigError, UnavailableError
from gridctl.model.forecasting import WeatherSaid
from gridctl.model.planning import ForecastTask, Series, Vintage

DAY_S = 86_400.0
HOUR_S = 3_600.0
EVERY_S = 30.0
"""Real seconds between two looks at the file."""
KEPT_DAYS = 400.0
LEADS_H = (1.0, 3.0, 6.0, 12.0, 24.0, 48.0)
QUANTITIES = ("temperature_c", "sun_w_m2", "wind_ms")
SANE = {"temperature_c": (-60.0, 60.0), "sun_w_m2": (-20.0, 1_600.0), "wind_ms": (0.0, 80.0)}
OLD_S = 24 * HOUR_S
"""What the service said longer ago is no forecast of today any more."""


def said_in(read: IntervalFile, *, issued_s: float) -> tuple[WeatherSaid, ...]:
    """The file's columns as vintages. Raises ConfigError for steps or values that cannot be."""
    times = read.time_s.tolist()
    steps = {round(b - a, 3) for a, b in pairwise(times)}
    if len(steps) != 1 or min(steps) <= 0.0:
        raise ConfigError(
            "the rows are not in equal steps",
            file=read.file,
            key="timestamp",
            hint="one row for each hour (or quarter), in the order of time",
        )
    found = []
    for name in QUANTITIES:
        if name not in read.names:
            continue
        values = [None if v != v else float(v) for v in read.column(name).tolist()]  # noqa: PLR0124
        low, high = SANE[name]
        worst = next((v for v in values if v is not None and not low <= v <= high), None)
        if worst is not None:
            raise ConfigError(
                f"{worst:g} cannot be", file=read.file, key=name, hint="another unit?"
            )
        series = Series(start_s=times[0], step_s=steps.copy().pop(), values=tuple(values))
        found.append(WeatherSaid(quantity=name, issued_s=issued_s, series=series))
    if not found:
        raise ConfigError(
            "no column of weather", file=read.file, hint=f"one of {', '.join(QUANTITIES)}"
        )
    return tuple(found)


def value_at(series: Series, at_s: float) -> float | None:
    """Of the interval that holds `at_s`; None outside."""
    k = int((at_s - series.start_s) // series.step_s)
    return series.values[k] if 0 <= k < len(series.values) else None


class Archive:
    """The vintages of one quantity, oldest first."""

    def __init__(self, said: Sequence[WeatherSaid]) -> None:
        self._said = sorted(said, key=lambda one: one.issued_s)
        self._issued = [one.issued_s for one in self._said]

    def known(self, at_s: float, *, by_s: float) -> float | None:
        """What the newest vintage issued by `by_s` says of `at_s`; one a day older at most."""
        k = bisect_right(self._issued, by_s) - 1
        while k >= 0 and by_s - self._issued[k] <= OLD_S:
            value = value_at(self._said[k].series, at_s)
            if value is not None:
                return value
            k -= 1
        return None


class WeatherDesk:
    """`step` is a job of the agenda; `added` puts the weather into a question."""

    def __init__(
        self,
        settings: WeatherSettings,
        *,
        store: Store,
        clock: Clock,
        temperature_point: str | None,
    ) -> None:
        self._settings = settings
        self._store = store
        self._clock = clock
        self._points: Mapping[str, str | None] = {
            "temperature_c": temperature_point,
            "sun_w_m2": settings.sun_point,
            "wind_ms": settings.wind_point,
        }
        self._seen: tuple[int, int] | None = None

    async def step(self) -> int:
        """Archive the service's file when it has changed; how many quantities. Raises
        UnavailableError in words for a file that cannot be used."""
        file = self._settings.forecast_file
        if file is None:
            return 0
        try:
            stat = await asyncio.to_thread(file.stat)
            mark = (stat.st_mtime_ns, stat.st_size)
            if mark == self._seen:
                return 0
            read = await asyncio.to_thread(read_intervals, file)
            now_s = self._clock.now_s()
            said = said_in(read, issued_s=now_s)
        except (OSError, ConfigError) as wrong:
            raise UnavailableError(f"weather forecast: {wrong}") from None
        await self._store.forecasts.keep_weather(said, drop_before_s=now_s - KEPT_DAYS * DAY_S)
        self._seen = mark
        return len(said)

    async def added(self, task: ForecastTask) -> ForecastTask:
        """The task with measured and forecast weather, vintages and holidays. Raises
        UnavailableError."""
        history, horizon = task.history, task.horizon
        end_s = horizon.start_s + horizon.step_s * horizon.count
        said: dict[str, list[WeatherSaid]] = {}
        if self._settings.forecast_file is not None:
            for one in await self._store.forecasts.weather(
                start_s=history.start_s - OLD_S, end_s=horizon.start_s + horizon.step_s
            ):
                said.setdefault(one.quantity, []).append(one)
        archives = {name: Archive(found) for name, found in said.items()}
        first = (date(1970, 1, 1)).toordinal()
        return replace(
            task,
            temperature_c=await self._series("temperature_c", history, end_s, archives),
            sun_w_m2=await self._series("sun_w_m2", history, end_s, archives),
            wind_ms=await self._series("wind_ms", history, end_s, archives),
            vintages=await asyncio.to_thread(_vintages, task, archives),
            holidays=tuple(sorted(d.toordinal() - first for d in self._settings.holidays)),
        )

    async def _series(
        self, name: str, history: Series, end_s: float, archives: Mapping[str, Archive]
    ) -> Series | None:
        """Measured up to the history's end, the newest forecast after it."""
        point, step_s = self._points[name], history.step_s
        if point is None:
            return None
        start_s = history.start_s
        measured_s = start_s + step_s * len(history.values)
        series = await self._store.series(point, start_s=start_s, end_s=measured_s, step_s=step_s)
        archive = archives.get(name)
        if archive is None:
            return series
        middles = (start_s + (k + 0.5) * step_s for k in range(round((end_s - start_s) / step_s)))
        ahead = [
            archive.known(at_s, by_s=measured_s + step_s) for at_s in middles if at_s > measured_s
        ]
        return replace(series, values=(*series.values, *ahead))


def _vintages(task: ForecastTask, archives: Mapping[str, Archive]) -> tuple[Vintage, ...]:
    history, horizon = task.history, task.horizon
    step_s = max(history.step_s, HOUR_S)
    end_s = horizon.start_s + horizon.step_s * horizon.count
    start_s = history.start_s // step_s * step_s
    middles = [start_s + (k + 0.5) * step_s for k in range(int((end_s - start_s) // step_s) + 1)]
    found = []
    for hours in LEADS_H if archives else ():
        lead_s = hours * HOUR_S
        rows: dict[str, Series] = {}
        for name, archive in archives.items():
            values = tuple(archive.known(at_s, by_s=at_s - lead_s) for at_s in middles)
            if any(value is not None for value in values):
                rows[name] = Series(start_s=start_s, step_s=step_s, values=values)
        if rows:
            found.append(Vintage(lead_s=lead_s, **rows))
    return tuple(found)
