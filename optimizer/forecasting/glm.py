"""Hong's general linear model of load, with recency, and what its residual says ahead (E2).

load = trend + month + weekday x hour + (T, T^2, T^3) x (month, hour) + recency (Hong, Wang 2014;
Wang, Liu, Hong 2016); to this the shape of the day over the year, weekends apart, the days around
holidays, and sun and wind by the hour for a net load. The model's residual r is known up to the
origin; per lead, a regression says what is left of it at the target.

`Memory.lite` is for less than about 400 days: no year in it, degrees instead of a polynomial, and a
short memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from optimizer.arrays import FloatArray, IntArray
from optimizer.forecasting.grid import LoadGrid, hats, taken, trailing
from optimizer.forecasting.regression import LeadRegression, decayed, fit_leads, ridge, said
from optimizer.forecasting.weather import WeatherRows

SHARE = 1e-5
"""Ridge of the model, of the mean power of its columns."""
DAY_TYPES_LITE = np.array([0, 0, 0, 0, 1, 2, 3])
DAYS_PER_YEAR = 365.25
TREND_DAY = 12_000.0
SATURDAY = 5
SQUARE = 2
SLOW_RECENCY = 3
"""From here on recency rows are slow (3 h ago, means of days): their squares differ by hour."""
ROWS_AT_ONCE = 4096
ROWS_MAX = 30_000
"""More slots than these are thinned evenly over the times of day."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """How far back a fit looks, how fast it forgets, and its form. Days."""

    window_days: float
    half_life_days: float
    lite: bool = False


FULL = Memory(window_days=1096.0, half_life_days=365.0)
LITE = Memory(window_days=84.0, half_life_days=42.0, lite=True)


Term: TypeAlias = tuple[FloatArray, FloatArray]
"""Columns that are a base (n, b), hour of the day or month, times a factor (n,)."""


class Design:
    """Columns of the model at any slots of one grid."""

    def __init__(self, grid: LoadGrid, *, lite: bool) -> None:
        self._grid = grid
        self._lite = lite
        self._kinds, holiday = grid.day_types()
        # Shifted by one: entry `day` is the day before, `day + 1` the day itself.
        self._holiday = np.pad(holiday.astype(np.float64), 1)

    def rows(self, slots: IntArray, weather: WeatherRows) -> FloatArray:
        """(len(slots), p), the weather (k, len(slots)) as it is to be believed at them."""
        return np.hstack([base * factor[:, None] for base, factor in self._terms(slots, weather)])

    def said(self, slots: IntArray, weather: WeatherRows, beta: FloatArray) -> FloatArray:
        """(len(slots),): `rows @ beta` without making the rows."""
        result = np.zeros(len(slots))
        begin = 0
        for base, factors in _by_base(self._terms(slots, weather)):
            end = begin + base.shape[1] * len(factors)
            own = beta[begin:end].reshape(len(factors), -1)
            result += np.einsum("nk,kn->n", base @ own.T, np.array(factors))
            begin = end
        return result

    def _terms(self, slots: IntArray, weather: WeatherRows) -> list[Term]:
        return self._lite_terms(slots, weather) if self._lite else self._full_terms(slots, weather)

    def _full_terms(self, slots: IntArray, weather: WeatherRows) -> list[Term]:
        grid = self._grid
        hour = hats(grid.hour(slots))
        local_day = grid.calendar.day(slots)
        kind = self._kinds[local_day]
        day = (grid.calendar.first + slots) / grid.per_day
        month = hats(day % DAYS_PER_YEAR * (24.0 / DAYS_PER_YEAR), 12)
        turn = day * (2.0 * np.pi / DAYS_PER_YEAR)
        year = [np.cos(turn), np.sin(turn), np.cos(2.0 * turn), np.sin(2.0 * turn)]
        weekend = (kind >= SATURDAY).astype(np.float64)
        one = np.ones(len(slots))
        terms: list[Term] = [
            (one[:, None], (day - TREND_DAY) / DAYS_PER_YEAR),
            (month, one),
            *((hour, (kind == k).astype(np.float64)) for k in range(7)),
            # Light and habits move the shape of the day over the year, weekends apart.
            *((hour, wave) for wave in year),
            *((hour, weekend * wave) for wave in year[:2]),
            # A holiday is a Sunday with a mark; the days around it are not quite working days.
            *((hour, self._holiday[local_day + k]) for k in (0, 1, 2)),
        ]
        terms += _by_temperature(weather.recency, hour, month, weekend)
        for row in weather.plant:
            terms += [(hour, row), (hour, row * year[0])]
        return terms

    def _lite_terms(self, slots: IntArray, weather: WeatherRows) -> list[Term]:
        grid = self._grid
        hour = hats(grid.hour(slots))
        kind = DAY_TYPES_LITE[self._kinds[grid.calendar.day(slots)]]
        one = np.ones(len(slots))
        rows = weather.differences
        return [
            (np.eye(grid.per_day)[grid.calendar.slot_of_day(slots)], one),
            *((hour, (kind == k).astype(np.float64)) for k in range(4)),
            *((hour, row) for row in rows[:2]),
            *((one[:, None], row) for row in rows[2:]),
        ]


def _by_temperature(
    recency: FloatArray, hour: FloatArray, month: FloatArray, weekend: FloatArray
) -> list[Term]:
    if not len(recency):
        return []
    one = np.ones((len(weekend), 1))
    now = recency[0]
    terms: list[Term] = [(hour, weekend * now), (hour, weekend * now**2)]
    for power in (1, 2, 3):
        terms += [(month, now**power), (hour, now**power)]
        for k, row in enumerate(recency[1:], start=1):
            by_hour = power == 1 or (power == SQUARE and k >= SLOW_RECENCY)
            terms.append((hour if by_hour else one, row**power))
    return terms


def _by_base(terms: Sequence[Term]) -> list[tuple[FloatArray, list[FloatArray]]]:
    """Neighbours of one base together, in their order."""
    found: list[tuple[FloatArray, list[FloatArray]]] = []
    for base, factor in terms:
        if not found or found[-1][0] is not base:
            found.append((base, []))
        found[-1][1].append(factor)
    return found


class ResidualFeatures:
    """What is known at an origin about the residual (n,) a lead later."""

    def __init__(self, grid: LoadGrid, residual: FloatArray) -> None:
        self._grid = grid
        self._residual = residual
        widths = [grid.slots(1.0), grid.slots(3.0), grid.per_day, 7 * grid.per_day]
        rows = [residual, *(trailing(residual, width) for width in widths)]
        self._recent = np.nan_to_num(np.array(rows))
        self._before = np.nan_to_num(np.concatenate([np.full(1, np.nan), residual[:-1]]))

    def __call__(self, origins: IntArray, lead: int | IntArray) -> FloatArray:
        day = self._grid.per_day
        back = -(-lead // day)
        target = origins + lead
        columns = [*self._recent[:, origins], self._before[origins]]
        columns += [np.nan_to_num(taken(self._residual, origins - days * day)) for days in (1, 7)]
        earlier = (target - days * day for days in (back, back + 1, 7))
        columns += [np.nan_to_num(taken(self._residual, slots)) for slots in earlier]
        angle = self._grid.hour(target) * (2.0 * np.pi / 24.0)
        circle = (np.cos(angle), np.sin(angle))
        columns += [wave * columns[k] for wave in circle for k in (0, 3, 8)]
        return np.array(columns).T


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class HongFit:
    """What was learned: coefficients of the model and of its residual by lead."""

    beta: FloatArray
    residual: LeadRegression
    lite: bool


class HongModel:
    """E2 on a grid whose weather reaches over the targets."""

    def __init__(
        self, grid: LoadGrid, weather: WeatherRows, fit: HongFit, *, begin: int = 0
    ) -> None:
        """`begin`: the model is not asked for slots before."""
        self.fit = fit
        self._weather = weather
        self._design = Design(grid, lite=fit.lite)
        self._model = np.full(grid.count, np.nan)
        self._model[begin:] = self._say(np.arange(begin, grid.count))
        self._features = ResidualFeatures(grid, grid.load_kw - self._model)

    def _say(self, slots: IntArray, weather: WeatherRows | None = None) -> FloatArray:
        rows = self._weather.at(slots) if weather is None else weather
        said_kw = [
            self._design.said(part, rows.at(at), self.fit.beta)
            for part, at in zip(_parts(slots), _parts(np.arange(len(slots))), strict=True)
        ]
        return np.concatenate(said_kw) if said_kw else np.zeros(0)

    def points(
        self, origins: IntArray, leads: tuple[int, ...], seen: WeatherRows | None = None
    ) -> FloatArray:
        """(origins, leads) kW. `seen` (k, origins, leads): the targets' weather as seen then."""
        targets = origins[:, None] + np.array(leads)
        if seen is None:
            model = self._model[targets]
        else:
            model = self._say(targets.ravel(), seen.flat()).reshape(targets.shape)
        result: FloatArray = model + said(self._features, self.fit.residual, origins, leads)
        return result


def fit_hong(
    grid: LoadGrid,
    weather: WeatherRows,
    memory: Memory,
    *,
    end: int,
    leads: tuple[int, ...],
    origins: IntArray,
) -> HongFit:
    """Fit on slots before `end`."""
    begin = max(0, end - round(memory.window_days * grid.per_day))
    half_life = memory.half_life_days * grid.per_day
    design = Design(grid, lite=memory.lite)
    slots = np.arange(begin, end)
    slots = slots[np.isfinite(grid.load_kw[slots])]
    slots = slots[:: _thinning(len(slots), grid.per_day)]
    gram: FloatArray | float = 0.0
    moment: FloatArray | float = 0.0
    for part in _parts(slots):
        x = design.rows(part, weather.at(part))
        # The root of the weight on both sides: a product with its own transpose costs half.
        root = np.sqrt(decayed(end - 1 - part, half_life))
        x *= root[:, None]
        gram = gram + x.T @ x
        moment = moment + x.T @ (root * grid.load_kw[part])
    beta = ridge(np.asarray(gram), np.asarray(moment), share=SHARE)
    model = np.full(grid.count, np.nan)
    for part in _parts(np.arange(begin, end)):
        model[part] = design.said(part, weather.at(part), beta)
    residual = grid.load_kw - model
    lead = fit_leads(
        ResidualFeatures(grid, residual),
        residual,
        origins=origins[origins >= begin + grid.per_day],
        end=end,
        leads=leads,
        half_life_slots=half_life,
    )
    return HongFit(beta=beta, residual=lead, lite=memory.lite)


def _thinning(count: int, per_day: int) -> int:
    """A stride that keeps at most about ROWS_MAX and visits every time of day."""
    stride = max(1, -(-count // ROWS_MAX))
    while np.gcd(stride, per_day) > 1:
        stride += 1
    return stride


def _parts(slots: IntArray) -> Sequence[IntArray]:
    return [slots[k : k + ROWS_AT_ONCE] for k in range(0, len(slots), ROWS_AT_ONCE)]
