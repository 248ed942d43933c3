"""The rules on values: pure, over arrays (p, n) of p points and n samples in step; NaN is no value.

Each gives booleans of the same shape, or of (p, days). None of them changes a value, and none looks
at another's result: what follows from them is decided in `optimizer.validation.check`. Numbers are
those of docs/reference/vee-rules.md.
"""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from optimizer.arrays import BoolArray, FloatArray

_SIGMA_OF_MAD = 1.4826
_NEIGHBOURS = 7
MULTIPLIERS = (0.001, 0.01, 0.1, 10.0, 100.0, 1000.0)


def hard_range(values: FloatArray, low: FloatArray, high: FloatArray) -> BoolArray:
    """Rule 5: outside [low, high] (p,), which the equipment cannot leave."""
    return _bool((values < low[:, None]) | (values > high[:, None]))


def soft_range(
    values: FloatArray, low: FloatArray, high: FloatArray, spread: FloatArray, *, margin: float
) -> BoolArray:
    """Rule 6: outside [low - margin*spread, high + margin*spread]; bounds (p, n) or (p, 1), the
    trailing P0.1 and P99.9, `spread` = P99 - P1."""
    return _bool((values < low - margin * spread) | (values > high + margin * spread))


def steps(values: FloatArray) -> FloatArray:
    """(p, n) change since the sample before; NaN at the first and beside a gap."""
    found = np.full(values.shape, np.nan)
    found[:, 1:] = np.diff(values, axis=1)
    return found


def rate_of_change(change: FloatArray, usual: FloatArray, *, factor: float) -> BoolArray:
    """Rule 7: abs(change) > factor * usual, the trailing P99.9 of abs(change)."""
    return _bool(np.abs(change) > factor * usual)


def spike(change: FloatArray, usual: FloatArray, *, factor: float) -> BoolArray:
    """Rule 8: a jump and the next one back, both > factor * usual. Needs one sample of look-ahead.

    Where two neighbours are both blamed (up, down, up) the one with the greater jumps is meant.
    """
    large = _bool(np.abs(change) > factor * usual)
    found = np.zeros(change.shape, dtype=bool)
    back = np.sign(change[:, 1:]) == -np.sign(change[:, :-1])
    found[:, :-1] = large[:, :-1] & large[:, 1:] & back
    both = found[:, 1:] & found[:, :-1]
    if both.any():
        height = np.zeros(change.shape)
        height[:, :-1] = np.abs(change[:, :-1]) + np.abs(change[:, 1:])
        np.nan_to_num(height, copy=False)
        earlier = height[:, :-1] >= height[:, 1:]
        found[:, 1:] &= ~(both & earlier)
        found[:, :-1] &= ~(both & ~earlier)
    return found


def hampel(
    values: FloatArray, p99: FloatArray, *, sigmas: float, floor: float, centred: bool = True
) -> BoolArray:
    """Rule 9: further than `sigmas` * max(1.4826 MAD, floor * P99) from the median of 7.

    Centred it looks 3 samples ahead; else the 7 are the sample and the six before it.
    """
    ahead = _NEIGHBOURS // 2 if centred else 0
    padded = np.pad(
        values, ((0, 0), (_NEIGHBOURS - 1 - ahead, ahead)), mode="edge"
    )  # at the ends the first and last sample stand for what lies beyond
    near = np.sort(sliding_window_view(padded, _NEIGHBOURS, axis=1), axis=2)
    middle = near[:, :, _NEIGHBOURS // 2]
    away = np.sort(np.abs(near - middle[:, :, None]), axis=2)[:, :, _NEIGHBOURS // 2]
    bound = sigmas * np.maximum(_SIGMA_OF_MAD * away, floor * p99)
    return _bool(np.abs(values - middle) > bound)


def forecast_residual(
    values: FloatArray, low: FloatArray, median: FloatArray, high: FloatArray, *, widths: float
) -> BoolArray:
    """Rule 10: further from the one-step median than `widths` * (q97.5 - q2.5)."""
    return _bool(np.abs(values - median) > widths * (high - low))


def peak_excess(days: FloatArray, *, excess: float) -> BoolArray:
    """Rule 11: (p, d, s) samples of d days → (p, d): (peak1 - peak3) / peak3 > excess."""
    if days.shape[2] < 3:  # noqa: PLR2004 - a third peak is compared with
        return np.zeros(days.shape[:2], dtype=bool)
    top = np.sort(np.where(np.isnan(days), -np.inf, days), axis=2)[:, :, -3:]
    with np.errstate(invalid="ignore", divide="ignore"):
        return _bool((top[:, :, 2] - top[:, :, 0] > excess * top[:, :, 0]) & (top[:, :, 0] > 0))


def frozen(
    values: FloatArray, *, count_min: int, deadband: float, moved: BoolArray | None = None
) -> BoolArray:
    """Rule 12: at least `count_min` successive values other than zero within `deadband` of their
    predecessor. `moved` (p, n): where the neighbours moved; a run in which none did is let be."""
    same = np.zeros(values.shape, dtype=bool)
    same[:, 1:] = np.abs(np.diff(values, axis=1)) <= deadband
    same &= values != 0.0
    return _runs(same, count_min, moved)


def dead_zero(values: FloatArray, *, count_min: int, alive: BoolArray) -> BoolArray:
    """Rule 13: zero for more than `count_min` samples while its breaker is closed and a sibling
    carries load (`alive`)."""
    same = np.zeros(values.shape, dtype=bool)
    zero = (values == 0.0) & alive
    same[:, 1:] = zero[:, 1:] & zero[:, :-1]
    return _runs(same, count_min + 1, None)


def _runs(same: BoolArray, count_min: int, moved: BoolArray | None) -> BoolArray:
    """Samples of runs: `same` (p, n) where a sample continues the one before. A run of k `same` is
    k + 1 samples; it counts from `count_min` samples on, its first one included."""
    p, n = same.shape
    starts = ~same
    starts[:, 0] = True
    run = np.cumsum(starts, axis=1) - 1 + np.arange(p)[:, None] * n
    length = np.bincount(run.ravel(), minlength=p * n)
    found: BoolArray = (length >= count_min)[run]
    if moved is not None:
        any_moved = np.bincount(run.ravel(), weights=(moved & same).ravel(), minlength=p * n) > 0
        found &= any_moved[run]
    return found


def sum_check(
    interval_kwh: FloatArray, register_kwh: FloatArray, *, multiplier: FloatArray, share: float
) -> BoolArray:
    """Rule 14: (p, d) sums of a day's intervals against the register's advance:
    abs(difference) > max(2 * multiplier, share * advance); `multiplier` (p,) is CT x PT, kWh."""
    bound = np.maximum(2.0 * multiplier[:, None], share * np.abs(register_kwh))
    return _bool(np.abs(interval_kwh - register_kwh) > bound)


def power_balance(
    head_kw: FloatArray,
    parts_kw: FloatArray,
    losses_kw: FloatArray,
    *,
    sigma_kw: float,
    rating_kw: float,
    sigmas: float,
    share: float,
) -> BoolArray:
    """Rule 15: (n,) head against the sum of `parts_kw` (k, n) and losses; `sigma_kw` is that of
    the whole sum, the root of the parts' squares."""
    residual = np.abs(head_kw - parts_kw.sum(axis=0) - losses_kw)
    return _bool(residual > max(sigmas * sigma_kw, share * rating_kw))


def consistency(
    kw: FloatArray, kvar: FloatArray, volt: FloatArray, ampere: FloatArray, *, rating_kva: float,
    share: float,
) -> BoolArray:  # fmt: skip
    """Rule 16: abs(sqrt(P^2 + Q^2) - sqrt(3) V I) > share * rating; volts line to line."""
    apparent = np.sqrt(3.0) * volt * ampere / 1e3
    return _bool(np.abs(np.hypot(kw, kvar) - apparent) > share * rating_kva)


def sign_turned(days: FloatArray, like: FloatArray, *, correlation: float) -> BoolArray:
    """Rule 19: (p, d, s) days whose correlation with a sibling or a forecast is below the bound,
    and which turned round would be nearer to it than they are: a profile may be the other way up
    (a holiday) without a sign being wrong."""
    a = days - np.nanmean(days, axis=2, keepdims=True)
    b = like - np.nanmean(like, axis=2, keepdims=True)
    both = np.nansum(a * b, axis=2)
    size = np.sqrt(np.nansum(a * a, axis=2) * np.nansum(b * b, axis=2))
    nearer = np.nansum((days + like) ** 2, axis=2) < np.nansum((days - like) ** 2, axis=2)
    with np.errstate(invalid="ignore", divide="ignore"):
        return _bool((both / size < correlation) & nearer)


def wrong_multiplier(level: FloatArray, usual: FloatArray, *, tolerance: float) -> BoolArray:
    """Rule 19: (p, d) daily level against the usual one: a power of ten, within `tolerance`."""
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = level / usual
    found = np.zeros(level.shape, dtype=bool)
    for factor in MULTIPLIERS:
        found |= _bool(np.abs(ratio / factor - 1.0) <= tolerance)
    return found


def level_shift(residual: FloatArray, *, slack: float, alarm: float) -> BoolArray:
    """Rule 20: one-sided CUSUM of standardised daily residuals (p, d); starts again at an alarm."""
    found = np.zeros(residual.shape, dtype=bool)
    up = np.zeros(residual.shape[0])
    down = np.zeros(residual.shape[0])
    for day in range(residual.shape[1]):
        now = np.nan_to_num(residual[:, day])
        up = np.maximum(0.0, up + now - slack)
        down = np.maximum(0.0, down - now - slack)
        hit = (up > alarm) | (down > alarm)
        found[:, day] = hit
        up[hit] = down[hit] = 0.0
    return found


def timestamps(
    source_s: FloatArray, received_s: FloatArray, *, skew_s: float, future_s: float
) -> BoolArray:
    """Rule 2: (n,) stamped further than `skew_s` before its arrival or `future_s` after it."""
    ahead = source_s - received_s
    return _bool((ahead > future_s) | (-ahead > skew_s))


def out_of_order(source_s: FloatArray) -> tuple[BoolArray, BoolArray]:
    """Rule 2: (n,) earlier than one that came before it; and the same time again (duplicate)."""
    latest = np.maximum.accumulate(source_s)
    late = np.zeros(source_s.shape, dtype=bool)
    late[1:] = source_s[1:] < latest[:-1]
    again = np.ones(source_s.shape, dtype=bool)
    again[np.unique(source_s, return_index=True)[1]] = False
    return late, again


def stale(age_s: FloatArray, scan_s: FloatArray, *, scans: float, least_s: float) -> BoolArray:
    """Rule 3: silent for longer than `scans` periods, at least `least_s`."""
    return _bool(age_s > np.maximum(scans * scan_s, least_s))


def incomplete(days: FloatArray, *, share: float) -> BoolArray:
    """Rule 4: (p, d, s) → (p, d) days of which less than `share` of the slots have a value."""
    return _bool(np.isfinite(days).mean(axis=2) < share)


def _bool(found: np.ndarray) -> BoolArray:
    return np.asarray(found, dtype=bool)
