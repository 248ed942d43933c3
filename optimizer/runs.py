"""Runs of on/off control: their rules in whole intervals, and the best runs for a wish.

The history before the horizon enters as constants (a run that is on, a recovery that is not over,
starts already made today), so that a plan made again each interval does not reset any clock.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from optimizer.timegrid import FloatArray, IntArray

BoolArray = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RunRules:
    """What runs of "on" must keep to, in intervals.

    `length_min`, `length_max` (T,): of a run that starts in interval t (one that reaches the end of
    the horizon may be cut there); `recovery`: off at least so long after a run; `may_start` (T,):
    false while an earlier recovery lasts; `day` (T,): day number; `starts_left`: by day number.
    `active`: a run is on before interval 0; it must go on for `held` intervals and may for
    `held_max`.
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
            run_start, last_end = None, t
    if run_start is not None:
        found.extend(_broken_length(rules, run_start, rules.count, ended=False))
    found.extend(
        f"{number} starts on day {day}, {rules.starts_left.get(day, 0)} left"
        for day, number in starts.items()
        if number > rules.starts_left.get(day, 0)
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


def best_runs(rules: RunRules, wish: FloatArray, start_price: float = 0.0) -> BoolArray:
    """The runs that keep all rules and have the greatest sum of `wish` (T,) while on, less
    `start_price` for each start.

    Dynamic programme over (interval, starts already used on its day), backwards in time: at each
    interval either wait, or start and choose the run's length.
    """
    count = rules.count
    total = np.concatenate(([0.0], np.cumsum(wish)))
    limit = max([0, *rules.starts_left.values()])
    value = np.zeros((count + 1, limit + 1))
    choice = np.zeros((count + 1, limit + 1), dtype=np.int64)
    for t in range(count - 1, -1, -1):
        following = value[t + 1] if _same_day(rules, t, t + 1) else value[t + 1, :1]
        value[t] = following
        left = min(rules.starts_left.get(int(rules.day[t]), 0), limit)
        if not left or not rules.may_start[t]:
            continue
        lengths = _lengths(rules, t)
        if not len(lengths):
            continue
        gains = _gains(rules, total, value, t, lengths)[:, :left] - start_price
        best = np.argmax(gains, axis=0)
        most = gains[best, np.arange(left)]
        better = most > value[t, :left]
        value[t, :left] = np.where(better, most, value[t, :left])
        choice[t, :left] = np.where(better, lengths[best], 0)
    on = np.zeros(count, dtype=np.bool_)
    t, used = 0, 0
    if rules.active:
        t = _best_stop(rules, total, value)
        on[:t] = True
        t = min(t + rules.recovery, count)
    while t < count:
        length = int(choice[t, used])
        if length:
            on[t : t + length] = True
        after = min(t + length + rules.recovery, count) if length else t + 1
        used = used + (1 if length else 0) if _same_day(rules, t, after) else 0
        t = after
    return on


def _same_day(rules: RunRules, t: int, after: int) -> bool:
    return after < rules.count and bool(rules.day[t] == rules.day[after])


def _lengths(rules: RunRules, t: int) -> IntArray:
    """Lengths that a run from `t` may have, cut at the end of the horizon."""
    left = rules.count - t
    low, high = int(rules.length_min[t]), min(int(rules.length_max[t]), left)
    if low > int(rules.length_max[t]):
        return np.zeros(0, dtype=np.int64)
    return np.arange(min(low, left), high + 1, dtype=np.int64)


def _gains(
    rules: RunRules, total: FloatArray, value: FloatArray, t: int, lengths: IntArray
) -> FloatArray:
    """(lengths, starts used before): worth of a run from `t` and of what can follow it."""
    after = np.minimum(t + lengths + rules.recovery, rules.count)
    same = (after < rules.count) & (rules.day[np.minimum(after, rules.count - 1)] == rules.day[t])
    follow = np.where(same[:, None], value[after, 1:], value[after, :1])
    result: FloatArray = (total[t + lengths] - total[t])[:, None] + follow
    return result


def _best_stop(rules: RunRules, total: FloatArray, value: FloatArray) -> int:
    """When the run that is on now should end. `starts_left` is already without it."""
    low = min(rules.held, rules.count)
    stops = np.arange(low, max(low, min(rules.held_max, rules.count)) + 1)
    after = np.minimum(stops + rules.recovery, rules.count)
    gains = total[stops] + value[after, 0]
    return int(stops[int(np.argmax(gains))])
