"""Does the forecaster still know its feeder: CUSUM on daily errors, and skill by horizon.

Two one-sided sums of standardised daily mean errors (Page's CUSUM): S <- max(0, S + z - k). Past h
the level has shifted: the load is not any more what it was learned from (a transfer, a new
customer, a frozen meter). k = 1 and h = 10 on the ensemble's errors; smaller ones cry wolf.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from optimizer.arrays import FloatArray

SLACK = 1.0
THRESHOLD = 10.0
SPREAD_DAYS = 60
SPREAD_DAYS_MIN = 14
Z_MAX = 6.0
"""One day counts no more than so many standard deviations: a single day is no shift."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelShift:
    """`day`: index of the day on which the sum passed the threshold; `since`: of the first day that
    it is made of; `shift_kw`: mean error from then on, positive where the load is higher."""

    day: int
    since: int
    shift_kw: float


def level_shifts(
    daily_error_kw: FloatArray, *, slack: float = SLACK, threshold: float = THRESHOLD
) -> tuple[LevelShift, ...]:
    """Of daily mean errors (actual minus forecast), NaN for days without; after an alarm both sums
    begin anew. What is usual is learned from the days before: none in the first two weeks."""
    found = []
    sums = np.zeros(2)
    since = [0, 0]
    start = 0
    for day, error in enumerate(daily_error_kw):
        before = daily_error_kw[max(start, day - SPREAD_DAYS) : day]
        before = before[np.isfinite(before)]
        if not np.isfinite(error) or len(before) < SPREAD_DAYS_MIN:
            continue
        spread = 1.4826 * float(np.median(np.abs(before - np.median(before))))
        if spread <= 0.0:
            continue
        z = float(np.clip((error - np.median(before)) / spread, -Z_MAX, Z_MAX))
        for side, step in ((0, z), (1, -z)):
            if sums[side] <= 0.0:
                since[side] = day
            sums[side] = max(0.0, sums[side] + step - slack)
        if sums.max() > threshold:
            own = since[int(sums.argmax())]
            shift = float(np.nanmean(daily_error_kw[own : day + 1]))
            found.append(LevelShift(day=day, since=own, shift_kw=shift))
            sums[:] = 0.0
            start = own
    return tuple(found)


def daily_means(errors_kw: FloatArray, day: FloatArray) -> FloatArray:
    """Mean of the finite errors of each day 0 … max(day), NaN without any."""
    index = day.astype(np.intp)
    known = np.isfinite(errors_kw)
    count = np.bincount(index[known], minlength=int(index.max()) + 1)
    total = np.bincount(index[known], weights=errors_kw[known], minlength=int(index.max()) + 1)
    result: FloatArray = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    return result


@dataclass(frozen=True, slots=True, kw_only=True)
class Skill:
    """At one horizon over the last weeks: `nmae_pct` of ours and of last week, `skill_pct` how much
    less ours is (negative: last week was better)."""

    lead_h: float
    nmae_pct: float
    naive_pct: float
    skill_pct: float
    count: int


def skill(
    lead_h: float, actual: FloatArray, ours: FloatArray, last_week: FloatArray
) -> Skill | None:
    """Of targets that came and that both knew; None without any."""
    known = np.isfinite(actual) & np.isfinite(ours) & np.isfinite(last_week)
    level = float(np.abs(actual[known]).sum())
    if level <= 0.0:
        return None
    own = 100.0 * float(np.abs(actual - ours)[known].sum()) / level
    naive = 100.0 * float(np.abs(actual - last_week)[known].sum()) / level
    gain = 100.0 * (1.0 - own / naive) if naive > 0.0 else 0.0
    return Skill(
        lead_h=lead_h,
        nmae_pct=own,
        naive_pct=naive,
        skill_pct=gain,
        count=int(known.sum()),
    )
