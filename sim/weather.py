"""Weather over the day: air temperature, irradiance, and what a PV array makes of it.

Sun position, clear sky, plane-of-array irradiance, cell temperature and the DC model are pvlib's
(PVWatts, NREL/TP-6A20-62641). The temperature of a day is two half cosines between a minimum
at 5:30 and a maximum at 16:00 local time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import cos, pi
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from sim.noise import day_noise, smooth_noise
from sim.series import RecordedSeries

DAY_S: Final = 86_400.0
_SUN_STEP_S: Final = 300.0
_COLDEST_H: Final = 5.5
_HOTTEST_H: Final = 16.0
_SWING_C: Final = 12.0
_EDGE_OF_CLOUD: Final = 1.2
"""At the edge of a cloud there is more sun than from a clear sky."""
_DAYS_KEPT: Final = 800
_FRONT_EDGE_H: Final = 0.05
_TEMPERATURE, _CLOUD_DAY, _CLOUD = 11, 12, 13
_CLOUD_KNOT_S: Final = 900.0
_POWER_PER_K: Final = -0.0037
_INVERTER_EFFICIENCY: Final = 0.96
_WIND_M_S: Final = 2.0

ORIENTATIONS: Final[Mapping[str, tuple[float, float]]] = {
    "S": (20.0, 180.0),
    "SW": (20.0, 225.0),
    "W": (25.0, 265.0),
}
"""Tilt and azimuth in degrees of the arrays on the feeder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Front:
    """A cloud front over the scenario's day: from … to local hours, and what comes through it."""

    from_h: float
    to_h: float
    clearness: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Climate:
    """Where the feeder lies and what weather it has.

    `day` is the scenario's day (days since 1970, local); its highest temperature is `day_max_c`
    and its sky has `day_clearness` (1: cloudless). The days around it scatter about
    `mean_max_c` and lean towards the scenario's day the nearer they are.
    """

    latitude: float
    longitude: float
    utc_offset_s: float
    seed: int
    day: int
    day_max_c: float
    day_clearness: float
    mean_max_c: float
    spread_c: float
    fronts: tuple[Front, ...] = ()


class Weather:
    """The weather of one climate at any grid time; the sun's tables are kept per day."""

    def __init__(self, climate: Climate, series: RecordedSeries | None = None) -> None:
        self.climate = climate
        self._series = series
        self._sun: dict[int, dict[str, NDArray[np.float64]]] = {}
        self._highs: dict[int, float] = {}
        self._felt = (float("nan"), 0.0)

    def temperature_c(self, at_s: float) -> float:
        """Air temperature."""
        if self._series is not None:
            recorded = self._series.at("temperature_c", at_s)
            if recorded is not None:
                return recorded
        day, hour = self._local(at_s)
        if hour < _COLDEST_H:
            high, low = self._max_c(day - 1), self._min_c(day)
            return _fall(high, low, hour + 24.0)
        if hour < _HOTTEST_H:
            low, high = self._min_c(day), self._max_c(day)
            rise = (1 - cos(pi * (hour - _COLDEST_H) / (_HOTTEST_H - _COLDEST_H))) / 2
            return low + (high - low) * rise
        return _fall(self._max_c(day), self._min_c(day + 1), hour)

    def felt_c(self, at_s: float) -> float:
        """Temperature as buildings feel it: the mean of the last three hours."""
        if self._felt[0] != at_s:  # asked for once by each class of customers
            found = sum(self.temperature_c(at_s - lag * 3600.0) for lag in range(4)) / 4
            self._felt = at_s, found
        return self._felt[1]

    def clearness(self, at_s: float) -> float:
        """Share of the clear sky's irradiance that comes through, 0.1 … 1 (recorded: 0 … 1.2)."""
        if self._series is not None:
            recorded = self._series.at("irradiance_w_m2", at_s)
            if recorded is not None:
                clear = self._clear(at_s, "ghi")
                return min(_EDGE_OF_CLOUD, max(0.0, recorded / clear)) if clear > 1.0 else 0.0
        day, hour = self._local(at_s)
        sky = self._day_clearness(day)
        wave = smooth_noise(
            seed=self.climate.seed, stream=_CLOUD, at_s=at_s, knot_s=_CLOUD_KNOT_S, width=1
        )
        found = min(1.0, max(0.1, sky + 0.6 * (1 - sky) * float(wave[0])))
        if day != self.climate.day:
            return found
        for front in self.climate.fronts:
            # It comes and goes within three minutes, as over a feeder of a few kilometres.
            inside = min(1.0, max(0.0, min(hour - front.from_h, front.to_h - hour) / _FRONT_EDGE_H))
            found += (min(found, front.clearness) - found) * inside
        return found

    def irradiance_w_m2(self, at_s: float) -> float:
        """Global horizontal irradiance."""
        return self._clear(at_s, "ghi") * self.clearness(at_s)

    def pv_pu(self, at_s: float) -> Mapping[str, float]:
        """AC output per kW of rating for each orientation, 0 … 1."""
        from pvlib.pvsystem import pvwatts_dc  # noqa: PLC0415 - heavy; only who needs the sun pays
        from pvlib.temperature import faiman  # noqa: PLC0415

        air_c, sky = self.temperature_c(at_s), self.clearness(at_s)
        found: dict[str, float] = {}
        for name in ORIENTATIONS:
            plane = self._clear(at_s, name) * sky
            cell_c = float(faiman(plane, air_c, _WIND_M_S))
            dc = float(pvwatts_dc(plane, cell_c, 1.0, _POWER_PER_K))
            found[name] = min(1.0, max(0.0, dc * _INVERTER_EFFICIENCY))
        return found

    def prepare(self, start_s: float, end_s: float) -> None:
        """Compute the sun's tables of all days between two grid times in one go."""
        first, last = self._local(start_s)[0], self._local(end_s)[0]
        days = [d for d in range(first, last + 1) if d not in self._sun]
        if not days:
            return
        steps = round(DAY_S / _SUN_STEP_S) + 1
        times = np.concatenate(
            [d * DAY_S - self.climate.utc_offset_s + np.arange(steps) * _SUN_STEP_S for d in days]
        )
        columns = _clear_sky(times, self.climate.latitude, self.climate.longitude)
        for i, day in enumerate(days):
            part = slice(i * steps, (i + 1) * steps)
            self._sun[day] = {name: column[part] for name, column in columns.items()}

    def _clear(self, at_s: float, column: str) -> float:
        day, hour = self._local(at_s)
        if day not in self._sun:
            self.prepare(at_s, at_s)
        place = hour * 3600.0 / _SUN_STEP_S
        low = int(place)
        table = self._sun[day][column]
        return float(table[low] + (place - low) * (table[low + 1] - table[low]))

    def _local(self, at_s: float) -> tuple[int, float]:
        day, second = divmod(at_s + self.climate.utc_offset_s, DAY_S)
        return int(day), second / 3600.0

    def _max_c(self, day: int) -> float:
        found = self._highs.get(day)
        if found is None:
            if len(self._highs) >= _DAYS_KEPT:
                self._highs.clear()
            found = self._highs[day] = self._high_of(day)
        return found

    def _high_of(self, day: int) -> float:
        c = self.climate
        if day == c.day:
            return c.day_max_c
        chance = c.mean_max_c + c.spread_c * day_noise(seed=c.seed, stream=_TEMPERATURE, day=day)
        near = 0.55 ** abs(day - c.day)
        return near * c.day_max_c + (1 - near) * chance

    def _min_c(self, day: int) -> float:
        return (self._max_c(day) + self._max_c(day - 1)) / 2 - _SWING_C

    def _day_clearness(self, day: int) -> float:
        c = self.climate
        if day == c.day:
            return c.day_clearness
        # Warm days are clear days, more often than not.
        warmth = (self._max_c(day) - c.mean_max_c) / max(c.spread_c, 0.1)
        wave = day_noise(seed=c.seed, stream=_CLOUD_DAY, day=day, memory=1)
        return min(0.98, max(0.35, 0.80 + 0.07 * warmth + 0.13 * wave))


def _fall(high: float, low: float, hour: float) -> float:
    share = (1 + cos(pi * (hour - _HOTTEST_H) / (_COLDEST_H + 24.0 - _HOTTEST_H))) / 2
    return low + (high - low) * share


def _clear_sky(
    times_s: NDArray[np.float64], latitude: float, longitude: float
) -> dict[str, NDArray[np.float64]]:
    """Clear-sky irradiance (W/m2) on the level ("ghi") and on each orientation."""
    import pandas as pd  # noqa: PLC0415 - heavy; only who needs the sun pays
    from pvlib import clearsky, irradiance, solarposition  # noqa: PLC0415

    index = pd.to_datetime(times_s, unit="s", utc=True)
    sun: Any = solarposition.get_solarposition(index, latitude, longitude)
    zenith, azimuth = sun["apparent_zenith"], sun["azimuth"]
    ghi: Any = clearsky.haurwitz(zenith)["ghi"]
    parts: Any = irradiance.erbs(ghi, zenith, np.asarray(index.day_of_year))
    found = {"ghi": np.asarray(ghi, dtype=np.float64)}
    for name, (tilt, facing) in ORIENTATIONS.items():
        plane: Any = irradiance.get_total_irradiance(
            tilt, facing, zenith, azimuth, parts["dni"], ghi, parts["dhi"]
        )["poa_global"]
        found[name] = np.nan_to_num(np.asarray(plane, dtype=np.float64)).clip(min=0.0)
    return found
