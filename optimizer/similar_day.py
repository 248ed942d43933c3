"""Similar-day bases and their learned level shift: the forecaster's one model.

base_t = mean of the last days of t's class (four of Monday to Friday, two Saturdays or Sundays) at
t's time of day, all of them known `lead` before t. A holiday is a Sunday, and no base of another
day. What is left, e = y - base, is predicted per lead by a ridge regression on what the last hours,
the last day, the same time yesterday and the same time a week ago say, and, where temperature is
known, on how target and last day differ from the base's days in heating and cooling degrees. The
ridge pulls towards a plain level shift (PRIOR), so that a short history behaves like the textbook
method and a long one learns.

Nothing after an origin enters what is said at that origin: a day's coefficients come from targets
before that day, and `Trained.errors` are therefore errors of real forecasts.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from optimizer.arrays import BoolArray, FloatArray, IntArray

DAYS_PER_WEEK = 7
SUNDAY = 2
"""Its class, which is a holiday's as well."""
SIMILAR_DAYS = (4, 2, 2)
"""How many weekdays, Saturdays, Sundays make a base: four Saturdays are 18 days old on average
(Tetouan 2017, 35 days of history, 24 h ahead: 4.1 % error with four, 3.6 % with two)."""
SIMILAR_DAYS_SEARCHED = 10
WINDOWS_H = (1.0, 3.0, 24.0)
PRIOR = (0.0, 0.0, 0.7, 0.0, 0.0)
"""Shares of: mean e of the last 1, 3, 24 h; e at the same time yesterday; last week minus base."""
RIDGE_DAYS = 2.0
"""Weight of PRIOR: as many days of ordinary data."""
ORIGINS_MAX = 2500
DEGREES_C = ((-1.0, 14.0), (1.0, 18.0), (1.0, 25.0))
"""(sign, threshold): heating degrees below 14, cooling degrees above 18 and above 25."""
DEGREES_USUAL = 5.0
SMOOTHING_H = 3.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Calendar:
    """Slots of a regular series in local days: slot `i` is `first + i` slots after local midnight
    of local day 0 (1970-01-01); `per_day` slots a day. `holidays`: local day numbers."""

    first: int
    per_day: int
    holidays: frozenset[int] = frozenset()

    def day(self, slots: IntArray) -> IntArray:
        """Local day number, counted from the series' first day."""
        result: IntArray = (slots + self.first) // self.per_day - self.first // self.per_day
        return result

    def slot_of_day(self, slots: IntArray) -> IntArray:
        """0 … per_day - 1."""
        result: IntArray = (slots + self.first) % self.per_day
        return result

    def day_class(self, days: int) -> IntArray:
        """0 Monday to Friday, 1 Saturday, 2 Sunday or holiday, of the series' first `days` days."""
        # Day 0 of the epoch was a Thursday.
        weekday = (np.arange(days) + self.first // self.per_day + 3) % DAYS_PER_WEEK
        result: IntArray = np.maximum(weekday - 4, 0).astype(np.intp)
        result[self.is_holiday(days)] = SUNDAY
        return result

    def is_holiday(self, days: int) -> BoolArray:
        """Which of the series' first `days` days are holidays."""
        first_day = self.first // self.per_day
        return np.array([first_day + d in self.holidays for d in range(days)], dtype=np.bool_)

    def slots(self, hours: float) -> int:
        """How many slots `hours` are, at least one."""
        return max(1, round(hours * self.per_day / 24.0))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Trained:
    """What is known at the origin for one lead: the expected value, and the `errors` (actual minus
    forecast) of this lead's earlier forecasts with the slots they were made for."""

    value: float
    errors: FloatArray
    targets: IntArray


def degree_series(temperature_c: FloatArray, calendar: Calendar) -> FloatArray:
    """(3, n) heating and cooling degrees of the temperature's trailing mean."""
    width = calendar.slots(SMOOTHING_H)
    smooth = trailing_mean(temperature_c, width, empty=np.nan)
    return np.array([np.clip(sign * (smooth - at), 0.0, None) for sign, at in DEGREES_C])


def trailing_mean(values: FloatArray, width: int, *, empty: float) -> FloatArray:
    """Mean of the finite ones among the last `width` values, `empty` where there is none."""
    known = np.isfinite(values)
    total = np.concatenate([[0.0], np.cumsum(np.where(known, values, 0.0))])
    count = np.concatenate([[0], np.cumsum(known)])
    upper = np.arange(1, len(values) + 1)
    lower = np.maximum(upper - width, 0)
    found = count[upper] - count[lower]
    result: FloatArray = np.where(
        found > 0, (total[upper] - total[lower]) / np.maximum(found, 1), empty
    )
    return result


class SimilarDays:
    """Bases of one series, by how many days back the last usable day lies.

    `load_kw` (n,) with NaN for gaps and for everything from the origin on; `degrees` (f, n), or
    (0, n) without temperature, known up to n.
    """

    def __init__(self, load_kw: FloatArray, degrees: FloatArray, calendar: Calendar) -> None:
        self.calendar = calendar
        self.load_kw = load_kw
        self.degrees = degrees
        self._slots = np.arange(len(load_kw))
        day = calendar.day(self._slots)
        self._at = (day, calendar.slot_of_day(self._slots))
        self._days = int(day[-1]) + 1
        self._class = calendar.day_class(self._days)
        self._holiday = calendar.is_holiday(self._days)
        self._load = self._by_day(load_kw)
        self._degrees = [self._by_day(row) for row in degrees]
        self._bases: dict[int, tuple[FloatArray, FloatArray]] = {}

    def _by_day(self, values: FloatArray) -> FloatArray:
        grid = np.full((self._days, self.calendar.per_day), np.nan)
        grid[self._at] = values
        return grid

    def base(self, days_back: int) -> tuple[FloatArray, FloatArray]:
        """(n,) base in kW and (f, n) the degrees of its days; NaN where no day is known.

        The last day used lies at least `days_back` days before each slot's own.
        """
        if days_back not in self._bases:
            load = np.full_like(self._load, np.nan)
            degrees = [np.full_like(self._load, np.nan) for _ in self._degrees]
            for day in range(days_back, self._days):
                for rows in self._candidates(day, days_back):
                    self._fill(load[day], [d[day] for d in degrees], rows, day)
                _bridge(load[day])
            warm = np.array([d[self._at] for d in degrees]).reshape(self.degrees.shape)
            self._bases[days_back] = (load[self._at], warm)
        return self._bases[days_back]

    def _candidates(self, day: int, days_back: int) -> tuple[IntArray, IntArray]:
        """Earlier days, newest first: those of the same class without holidays, which are like no
        other, and any."""
        earlier = np.arange(day - days_back, -1, -1)
        same = earlier[(self._class[earlier] == self._class[day]) & ~self._holiday[earlier]]
        return same[:SIMILAR_DAYS_SEARCHED], earlier[:SIMILAR_DAYS_SEARCHED]

    def _fill(self, load: FloatArray, degrees: list[FloatArray], rows: IntArray, day: int) -> None:
        """Mean of the newest known days, only where nothing is filled in yet."""
        known = np.isfinite(self._load[rows])
        taken = known & (np.cumsum(known, axis=0) <= SIMILAR_DAYS[self._class[day]])
        count = taken.sum(axis=0)
        empty = ~np.isfinite(load) & (count > 0)
        share = np.where(taken, 1.0 / np.maximum(count, 1), 0.0)
        load[empty] = np.sum(share * np.nan_to_num(self._load[rows]), axis=0)[empty]
        for into, grid in zip(degrees, self._degrees, strict=True):
            into[empty] = np.sum(share * np.nan_to_num(grid[rows]), axis=0)[empty]


def _bridge(slots: FloatArray) -> None:
    """Times of day that no earlier day knows are taken between their neighbours."""
    known = np.flatnonzero(np.isfinite(slots))
    if known.size:
        slots[:] = np.interp(np.arange(len(slots)), known, slots[known])


class LevelShift:
    """The regression of one series, for every lead after `origin` (the first unknown slot)."""

    def __init__(self, similar: SimilarDays, origin: int) -> None:
        self._similar = similar
        self._origin = origin
        calendar = similar.calendar
        self._per_day = calendar.per_day
        self._day = calendar.day(np.arange(len(similar.load_kw)))
        self._holiday = calendar.is_holiday(int(self._day[-1]) + 1)[self._day]
        base, warm = similar.base(1)
        self._error = similar.load_kw - base
        self._recent = np.array(
            [trailing_mean(self._error, calendar.slots(h), empty=0.0) for h in WINDOWS_H]
        )
        self._warm_recent = np.array(
            [
                trailing_mean(row - own, self._per_day, empty=0.0)
                for row, own in zip(similar.degrees, warm, strict=True)
            ]
        ).reshape(similar.degrees.shape)
        stride = max(1, -(-origin // ORIGINS_MAX))
        # Counted back from the origin, so that the newest origins are always among them.
        self._origins: IntArray = np.arange(origin - 1, -1, -stride)[::-1]
        # Before each day: the mean square of e, so that the ridge knows no later day either.
        square = trailing_mean(self._error**2, len(self._error), empty=1.0)
        first = np.searchsorted(self._day[:origin], np.arange(self._day[origin - 1] + 2))
        self._variance = np.where(first > 0, square[first - 1], 1.0)
        self._ridge = RIDGE_DAYS * self._per_day / stride

    def lead(self, slots: int) -> Trained:
        """Forecast `slots` (1 = the first unknown slot) ahead of the origin's last known slot."""
        back = -(-slots // self._per_day)
        base, warm = self._similar.base(back)
        x = self._features(self._origins, slots, base, warm, back)
        targets = self._origins + slots
        past = targets < self._origin
        actual = np.full(len(targets), np.nan)
        actual[past] = (self._similar.load_kw - base)[targets[past]]
        usable = np.isfinite(actual) & np.isfinite(x).all(axis=1)
        coefficients = self._by_day(x, actual, targets, usable)
        ahead = self._day[self._origins[usable]]
        said = np.einsum("op,op->o", coefficients[ahead], x[usable])
        last = self._origins[-1:]
        now = self._features(last, slots, base, warm, back)[0]
        return Trained(
            value=float(base[last[0] + slots] + coefficients[-1] @ np.nan_to_num(now)),
            errors=actual[usable] - said,
            targets=targets[usable],
        )

    def _features(
        self, origins: IntArray, slots: int, base: FloatArray, warm: FloatArray, back: int
    ) -> FloatArray:
        """(origins, p): what is known at each origin about the slot `slots` later."""
        n = len(base)
        target = np.minimum(origins + slots, n - 1)
        yesterday = target - back * self._per_day
        week = target - DAYS_PER_WEEK * self._per_day * (-(-back // DAYS_PER_WEEK))
        columns = [*self._recent[:, origins]]
        columns.append(np.where(yesterday >= 0, np.nan_to_num(self._error[yesterday]), 0.0))
        last_week = self._similar.load_kw[week] - base[target]
        # A holiday says nothing of the same weekday a week later, nor that of it.
        like = (week >= 0) & (self._holiday[week] == self._holiday[target])
        columns.append(np.where(like, np.nan_to_num(last_week), 0.0))
        for row, own, recent in zip(self._similar.degrees, warm, self._warm_recent, strict=True):
            columns.append((row[target] - own[target] - recent[origins]) / DEGREES_USUAL)
        return np.array(columns).T

    def _by_day(
        self, x: FloatArray, actual: FloatArray, targets: IntArray, usable: BoolArray
    ) -> FloatArray:
        """(days + 1, p) coefficients: row d from targets before day d, the last row from all."""
        p = x.shape[1]
        days = int(self._day[self._origin - 1]) + 1
        prior = np.zeros(p)
        prior[: len(PRIOR)] = PRIOR
        gram = np.zeros((days + 1, p, p))
        moment = np.zeros((days + 1, p))
        rows, y, day = x[usable], actual[usable], self._day[targets[usable]]
        edges = np.searchsorted(day, np.arange(days + 1))
        for d in range(days):
            part = slice(edges[d], edges[d + 1])
            gram[d + 1] = rows[part].T @ rows[part]
            moment[d + 1] = rows[part].T @ y[part]
        # Shares of load errors meet the variance of load errors, kW per DEGREES_USUAL meet 1.
        weight = np.ones((days + 1, p))
        weight[:, : len(PRIOR)] = self._variance[:, None]
        pull = self._ridge * weight
        total = np.cumsum(gram, axis=0) + pull[:, :, None] * np.eye(p)
        aim = np.cumsum(moment, axis=0) + pull * prior
        solved = np.linalg.solve(total, aim[..., None])[..., 0]
        return np.asarray(solved, dtype=np.float64)
