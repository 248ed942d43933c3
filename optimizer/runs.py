"""Runs of on/off control: their rules in whole intervals, and the best runs for a wish.

The history before the horizon enters as constants (a run that is on, a recovery that is not over,
starts already made today), so that a plan made again each interval does not reset any clock.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from optimizer.timegrid import FloatArray, IntArray

BoolArray = NDArray[np.bool_]
HOURS_ROUNDING = 1e-6
BUDGET_ROUNDS = 16
TIE_SHARE = 1e-3


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RunRules:
    """What runs of "on" must keep to, in intervals.

    `length_min`, `length_max` (T,): of a run that starts in interval t (one that reaches the end of
    the horizon may be cut there); `recovery`: off at least so long after a run; `may_start` (T,):
    false while an earlier recovery lasts; `day` (T,): day number; `starts_left`: by day number.
    `active`: a run is on before interval 0; it must go on for `held` intervals and may for
    `held_max`. `must` (T,): announced to be on. `hours` (T,): of each interval, counted against
    `hours_left` of its day and `season_hours_left`; infinite where there is no budget.
    `longest` (T,): of a run that is released in interval t, because of what follows its end (empty:
    any).
    """

    length_min: IntArray
    length_max: IntArray
    recovery: int
    may_start: BoolArray
    day: IntArray
    starts_left: dict[int, int]
    active: bool
    held: int
    held_max: int
    must: BoolArray = field(default_factory=lambda: np.zeros(0, dtype=np.bool_))
    longest: IntArray = field(default_factory=lambda: np.zeros(0, dtype=np.intp))
    hours: FloatArray = field(default_factory=lambda: np.zeros(0))
    hours_left: dict[int, float] = field(default_factory=dict)
    season_hours_left: float = np.inf

    @property
    def count(self) -> int:
        """Number of intervals."""
        return len(self.day)


def broken_rules(rules: RunRules, on: BoolArray) -> list[str]:
    """Which rules the runs of `on` (T,) break, in words; empty when none. Plain Python."""
    found: list[str] = []
    starts: dict[int, int] = {}
    run_start: int | None = -1 if rules.active else None
    last_end: int | None = None
    for t, now_on in enumerate(on):
        if now_on and run_start is None:
            run_start = t
            day = int(rules.day[t])
            starts[day] = starts.get(day, 0) + 1
            if not rules.may_start[t]:
                found.append(f"starts in interval {t} although it may not")
            if last_end is not None and t - last_end < rules.recovery:
                found.append(f"starts in interval {t}, {t - last_end} after its last run")
        elif not now_on and run_start is not None:
            found.extend(_broken_length(rules, run_start, t, ended=True))
            if len(rules.longest) and t - max(run_start, 0) > rules.longest[t]:
                found.append(f"ends in interval {t} after more than {rules.longest[t]}")
            run_start, last_end = None, t
    if run_start is not None:
        found.extend(_broken_length(rules, run_start, rules.count, ended=False))
    found.extend(
        f"{number} starts on day {day}, {rules.starts_left.get(day, 0)} left"
        for day, number in starts.items()
        if number > rules.starts_left.get(day, 0)
    )
    found.extend(_broken_budgets(rules, on))
    return found


def _broken_budgets(rules: RunRules, on: BoolArray) -> list[str]:
    """Hours of each day and of the season, announced intervals."""
    found = [
        f"off in interval {t} although it is announced"
        for t, told in enumerate(rules.must)
        if told and not on[t]
    ]
    if not len(rules.hours):
        return found
    used: dict[int, float] = {}
    for t, now_on in enumerate(on):
        if now_on:
            day = int(rules.day[t])
            used[day] = used.get(day, 0.0) + float(rules.hours[t])
    found += [
        f"{hours:.2f} h on day {day}, {rules.hours_left[day]:.2f} left"
        for day, hours in used.items()
        if hours > rules.hours_left.get(day, np.inf) + HOURS_ROUNDING
    ]
    if sum(used.values()) > rules.season_hours_left + HOURS_ROUNDING:
        found.append(
            f"{sum(used.values()):.2f} h, {rules.season_hours_left:.2f} left of the season"
        )
    return found


def _broken_length(rules: RunRules, start: int, end: int, *, ended: bool) -> list[str]:
    if start < 0:
        low, high, length = rules.held, rules.held_max, end
    else:
        low, high = int(rules.length_min[start]), int(rules.length_max[start])
        length = end - start
        if low > high:
            return [f"run from interval {start}: no length is allowed there"]
    if length > high:
        return [f"run from interval {start} lasts {length}, at most {high} allowed"]
    if ended and length < low:
        return [f"run from interval {start} lasts {length}, at least {low} needed"]
    return []


def best_runs(
    rules: RunRules,
    wish: FloatArray,
    start_price: float = 0.0,
    stop_price: FloatArray | None = None,
) -> BoolArray:
    """The runs that keep all rules and have the greatest sum of `wish` (T,) while on, less
    `start_price` for each start and `stop_price` (T,) of the interval in which each is released.

    Where they would pass a budget of hours they keep all rules, but need not be the very best.
    """
    if rules.must.any():
        wish = np.where(rules.must, (float(np.abs(wish).sum()) + 1.0) * 1e3, wish)
    on = _best_runs(rules, wish, start_price, stop_price)
    if _within_budgets(rules, on):
        return on
    return _thrifty_runs(rules, wish, start_price)


def _thrifty_runs(rules: RunRules, wish: FloatArray, start_price: float) -> BoolArray:
    """The best runs found within the budgets: with hours at a price, earlier ones liked a little
    better so that equal hours can be told apart; and one run a day no longer than its budget."""
    top, free_of_charge = float(np.abs(wish).max()), ~_told(rules)
    lean = wish - TIE_SHARE * top * np.arange(rules.count) / rules.count
    free, dear = 0.0, top / max(float(rules.hours.min()), HOURS_ROUNDING) + 1.0
    found: list[BoolArray] = []
    for _ in range(BUDGET_ROUNDS):
        price = (free + dear) / 2.0
        tried = _best_runs(rules, lean - price * rules.hours * free_of_charge, start_price)
        if _within_budgets(rules, tried):
            dear = price
            found.append(tried)
        else:
            free = price
    most_h = min([rules.season_hours_left, *rules.hours_left.values()])
    fits = np.searchsorted(np.cumsum(rules.hours), most_h + HOURS_ROUNDING, side="right")
    short = replace(
        rules,
        length_max=np.minimum(rules.length_max, int(fits)),
        starts_left={day: min(left, 1) for day, left in rules.starts_left.items()},
    )
    never = replace(rules, may_start=np.zeros(rules.count, dtype=np.bool_))
    found += [_best_runs(short, wish, start_price), _best_runs(never, wish, start_price)]
    inside = [on for on in found if _within_budgets(rules, on)]
    if not inside:
        return _best_runs(never, np.where(_told(rules), wish, -top - 1.0), start_price)
    return max(inside, key=lambda on: float(wish[on].sum()) - start_price * _starts(rules, on))


def _starts(rules: RunRules, on: BoolArray) -> int:
    return int(np.count_nonzero(on & ~np.concatenate(([rules.active], on[:-1]))))


def _told(rules: RunRules) -> BoolArray:
    return rules.must if len(rules.must) else np.zeros(rules.count, dtype=np.bool_)


def _within_budgets(rules: RunRules, on: BoolArray) -> bool:
    if not rules.hours_left and not np.isfinite(rules.season_hours_left):
        return True
    return not _broken_budgets(replace(rules, must=on[:0]), on)


def _best_runs(
    rules: RunRules,
    wish: FloatArray,
    start_price: float,
    stop_price: FloatArray | None = None,
) -> BoolArray:
    """The best runs without a look at the budgets.

    Dynamic programme over (interval, starts already used on its day), backwards in time: at each
    interval either wait, or start and choose the run's length.
    """
    count = rules.count
    total = np.concatenate(([0.0], np.cumsum(wish)))
    # What is on at the horizon's end is not released within it.
    released = np.zeros(count + 1)
    if stop_price is not None:
        released[:count] = stop_price
    table = _Table(rules, total, released)
    for t in range(count - 1, -1, -1):
        table.decide(t, start_price)
    value, choice = table.value, table.choice
    on = np.zeros(count, dtype=np.bool_)
    t, used = 0, 0
    if rules.active:
        t = _best_stop(rules, total, np.array(value[0]), released)
        on[:t] = True
        t = min(t + rules.recovery, count)
    while t < count:
        length = choice[used][t]
        if length:
            on[t : t + length] = True
        after = min(t + length + rules.recovery, count) if length else t + 1
        used = used + (1 if length else 0) if _same_day(rules, t, after) else 0
        t = after
    return on


def _same_day(rules: RunRules, t: int, after: int) -> bool:
    return after < rules.count and bool(rules.day[t] == rules.day[after])


class _Table:
    """What the rest of the horizon is worth at best from each interval, by starts that its day has
    had (`value[used][t]`), and the length of the run that begins there (`choice`, 0: none). Filled
    from the end; `ended`, `ended_anew` are a run's worth by its end, with what follows on the same
    day and on the next. Lists, not arrays: a look at a dozen numbers is over before numpy begins.
    """

    def __init__(self, rules: RunRules, total: FloatArray, released: FloatArray) -> None:
        count, rest = rules.count, rules.recovery
        limit = max([0, *rules.starts_left.values()])
        self.value = [[0.0] * (count + 1) for _ in range(limit + 1)]
        self.choice = [[0] * (count + 1) for _ in range(limit + 1)]
        self._total, self._rest = total.tolist(), rest
        self._gone: list[float] = (total - released).tolist()
        self._ended = [[0.0] * (count + 1) for _ in range(limit)]
        self._ended_anew = self._gone.copy()
        left = count - np.arange(count)
        low = np.minimum(rules.length_min, left)
        high = np.minimum(rules.length_max, left)
        may = rules.may_start & (rules.length_min <= rules.length_max)
        self._low, self._high, self._may = low.tolist(), high.tolist(), may.tolist()
        days, first = np.unique(rules.day, return_index=True)
        number = np.searchsorted(days, rules.day)
        self._day_end = np.append(first[1:], count)[number].tolist()
        starts = [min(rules.starts_left.get(int(day), 0), limit) for day in days]
        self._left = [starts[k] for k in number.tolist()]
        # A run that reaches the horizon's end is not released within it.
        self._longest: list[int] | None = None
        if len(rules.longest):
            self._longest = np.append(rules.longest, count).tolist()

    def decide(self, t: int, start_price: float) -> None:
        """Fill interval `t`; all after it are filled."""
        same_day = t + 1 < self._day_end[t]
        anew = self.value[0][t + 1]
        for value in self.value:
            value[t] = value[t + 1] if same_day else anew
        left, first, last = self._left[t], t + self._low[t], t + self._high[t]
        if left and self._may[t] and first <= last:
            self._start(t, first, last, left, start_price)
        end = t - self._rest
        if end > 0:
            gone = self._gone[end]
            for ended, value in zip(self._ended, self.value[1:], strict=True):
                ended[end] = gone + value[t]
            self._ended_anew[end] = gone + self.value[0][t]

    def _start(self, t: int, first: int, last: int, left: int, start_price: float) -> None:
        """Where a run from `t` that ends in `first` to `last` is worth more than to wait."""
        # Ends after which there is still time on the same day.
        near = min(last, self._day_end[t] - self._rest - 1)
        beyond = max(first, near + 1)
        far, worth_anew = self._best(self._ended_anew, t, beyond, last)
        for used in range(left):
            end, most = self._best(self._ended[used], t, first, near)
            if worth_anew > most:
                end, most = far, worth_anew
            most = most - self._total[t] - start_price
            if most > self.value[used][t]:
                self.value[used][t], self.choice[used][t] = most, end - t

    def _best(self, worth: list[float], t: int, first: int, last: int) -> tuple[int, float]:
        """The first end in `first` to `last` of a run from `t` that is worth most, and how much."""
        if first > last:
            return first, -math.inf
        ends = worth[first : last + 1]
        if self._longest is not None:
            longest = self._longest[first : last + 1]
            ends = [
                -math.inf if first + k - t > most else own
                for k, (own, most) in enumerate(zip(ends, longest, strict=True))
            ]
        most = max(ends)
        return first + ends.index(most), most


def _best_stop(rules: RunRules, total: FloatArray, value: FloatArray, released: FloatArray) -> int:
    """When the run that is on now should end. `starts_left` is already without it."""
    low = min(rules.held, rules.count)
    stops = np.arange(low, max(low, min(rules.held_max, rules.count)) + 1)
    after = np.minimum(stops + rules.recovery, rules.count)
    gains = total[stops] + value[after] - released[stops]
    return int(stops[int(np.argmax(gains))])
