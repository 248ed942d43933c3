"""Voltage over a week, after EN 50160 and ANSI C84.1; unbalance; how long and how far outside."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from optimizer.arrays import BoolArray, FloatArray

MEAN_S = 600.0
WEEK = 1_008
"""10-minute means of a week."""
VALID_LEAST = 0.9
UNBALANCE_PCT = 2.0
WITHIN_10, WITHIN_15_10, WITHIN_15 = (0.90, 1.10), (0.85, 1.10), (0.85, 1.15)
OUTSIDE_SHARE_LV, OUTSIDE_SHARE_MV = 0.05, 0.01
ANSI_A, ANSI_B = (0.95, 1.05), (0.917, 1.058)
"""Service voltage, pu."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VoltageWeek:
    """`valid` 10-minute means; shares of them, 0 … 1: within ±10 %, below -15 % or above +10 %,
    beyond ±15 %, within ANSI ranges A and B. `complies` None: too few means to say."""

    valid: int
    within_10: float
    outside_15_10: float
    beyond_15: float
    ansi_a: float
    ansi_b: float
    lowest_pu: float
    highest_pu: float
    longest_outside_min: float
    complies: bool | None


def means(values: FloatArray, *, step_s: float) -> FloatArray:
    """10-minute means of (n,) samples; NaN where less than half of them is there."""
    each = round(MEAN_S / step_s)
    if each < 1 or abs(each * step_s - MEAN_S) > 1e-6:  # noqa: PLR2004 - rounding
        raise ValueError(f"samples of {step_s:g} s do not make up 10 minutes")
    whole = len(values) // each * each
    table = values[:whole].reshape(-1, each)
    known = np.isfinite(table)
    with np.errstate(invalid="ignore"):
        mean = np.where(known, table, 0.0).sum(axis=1) / known.sum(axis=1)
    result: FloatArray = np.where(known.mean(axis=1) >= 0.5, mean, np.nan)  # noqa: PLR2004
    return result


def voltage_week(means_pu: FloatArray, *, medium: bool = False) -> VoltageWeek:
    """EN 50160 for (n,) 10-minute means, pu of nominal: low voltage 95 % within ±10 % and all
    within +10/-15 %; medium voltage 99 % within ±10 % and all within ±15 %."""
    known = means_pu[np.isfinite(means_pu)]
    if not known.size:
        nan = float("nan")
        return VoltageWeek(
            valid=0, within_10=nan, outside_15_10=nan, beyond_15=nan, ansi_a=nan, ansi_b=nan,
            lowest_pu=nan, highest_pu=nan, longest_outside_min=0.0, complies=None,
        )  # fmt: skip
    outside = ~_within(known, WITHIN_10)
    far = ~_within(known, WITHIN_15_10)
    beyond = ~_within(known, WITHIN_15)
    share = float(outside.mean())
    if medium:
        complies = share <= OUTSIDE_SHARE_MV and not beyond.any()
    else:
        complies = share <= OUTSIDE_SHARE_LV and not far.any()
    return VoltageWeek(
        valid=int(known.size),
        within_10=1.0 - share,
        outside_15_10=float(far.mean()),
        beyond_15=float(beyond.mean()),
        ansi_a=float(_within(known, ANSI_A).mean()),
        ansi_b=float(_within(known, ANSI_B).mean()),
        lowest_pu=float(known.min()),
        highest_pu=float(known.max()),
        longest_outside_min=_longest(means_pu) * MEAN_S / 60.0,
        complies=complies if known.size >= VALID_LEAST * WEEK else None,
    )


def _within(values: FloatArray, bounds: tuple[float, float]) -> BoolArray:
    result: BoolArray = (values >= bounds[0]) & (values <= bounds[1])
    return result


def _longest(means_pu: FloatArray) -> int:
    best = run = 0
    for value in means_pu.tolist():
        run = run + 1 if value < WITHIN_10[0] or value > WITHIN_10[1] else 0
        best = max(best, run)
    return best


def unbalance_pct(phases_pu: FloatArray) -> FloatArray:
    """(3, n) → (n,): greatest deviation from the mean of the three, % of it."""
    mean = phases_pu.mean(axis=0)
    result: FloatArray = 100.0 * np.abs(phases_pu - mean).max(axis=0) / mean
    return result
