"""All rules that a block of series can be held against, at once → marks beside the raw values."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from optimizer.arrays import BoolArray, FloatArray, IntArray
from optimizer.validation import rules
from optimizer.validation.grid import Grid
from optimizer.validation.marks import DOUBTFUL, UNUSABLE, Mark, MarkArray, has
from optimizer.validation.thresholds import DAY_S, Thresholds
from optimizer.validation.usual import Blocks, prescreened, quantiles

REFERENCE_DAYS = 7
REFERENCE_DAYS_MIN = 3
_SATURDAY = 5
_SHARES = (0.001, 0.01, 0.99, 0.999)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Band:
    """One-step forecast of the same points, (p, n) each."""

    low: FloatArray
    median: FloatArray
    high: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Checked:
    """`marks` (p, n) uint32 beside the grid's raw values, which nobody has touched."""

    grid: Grid
    marks: MarkArray

    def usable(self) -> FloatArray:
        """(p, n) what may train and settle: NaN where a mark forbids it."""
        return np.where(has(self.marks, UNUSABLE), np.nan, self.grid.values)

    def count(self, point: int) -> Mapping[Mark, int]:
        """Samples of a point with each mark, those without any left out."""
        own = self.marks[point]
        many = {m: int(has(own, m).sum()) for m in Mark if m is not Mark.NONE}
        return {m: n for m, n in many.items() if n}


def check(
    grid: Grid,
    thresholds: Mapping[str, Thresholds],
    *,
    band: Band | None = None,
    validity: FloatArray | None = None,
    received_s: FloatArray | None = None,
) -> Checked:
    """Hold every point against its thresholds. `validity` (p, n): the protocol's own word, 0 good,
    1 questionable, 2 invalid, NaN not told. `received_s` (n,): when each reading arrived."""
    marks: MarkArray = np.zeros(grid.values.shape, dtype=np.uint32)
    _put(marks, Mark.GAP, np.isnan(grid.values))
    for misfit in grid.misfits:
        at = np.rint((misfit.time_s - grid.time_s[0]) / grid.step_s)
        if 0 <= at < marks.shape[1]:
            marks[:, int(at)] |= np.uint32(int(Mark.TIME_BASE))
    if validity is not None:
        _put(marks, Mark.PROTOCOL, validity >= 2)  # noqa: PLR2004 - invalid
        _put(marks, Mark.DOUBTED, validity == 1)
    groups: dict[Thresholds, list[int]] = {}
    for row, name in enumerate(grid.names):
        groups.setdefault(thresholds[name], []).append(row)
    for own, rows in groups.items():
        at = np.array(rows, dtype=np.intp)
        part = marks[at]
        _values(grid, at, part, own)
        if received_s is not None:
            _times(grid, part, own, received_s)
        _days(grid, at, part, own)
        if band is not None:
            _against(grid, at, part, own, band)
        marks[at] = part
    return Checked(grid=grid, marks=marks)


def _put(marks: MarkArray, mark: Mark, where: BoolArray) -> None:
    marks[where] |= np.uint32(int(mark))


def blocks(grid: Grid, own: Thresholds) -> Blocks:
    """The trailing history's lengths in samples of this grid."""

    def samples(days: float) -> int:
        return max(1, round(days * DAY_S / grid.step_s))

    return Blocks(
        history=samples(own.history_days),
        warm_up=samples(own.warm_up_days),
        renew=samples(own.renew_days),
    )


def _values(grid: Grid, at: IntArray, marks: MarkArray, own: Thresholds) -> None:
    """Rules 5 to 9, 12 and 13."""
    values = grid.values[at]
    low, high = _hard(own)
    p = len(at)
    impossible = rules.hard_range(values, np.full(p, low), np.full(p, high))
    _put(marks, Mark.HARD_RANGE, impossible)
    alive = _siblings_carry(grid, at)
    dead = rules.dead_zero(
        values, count_min=max(1, math.ceil(own.dead_zero_s / grid.step_s)), alive=alive
    )
    _put(marks, Mark.DEAD_ZERO, dead)
    slow = grid.step_s >= own.frozen_slow_step_s
    still = rules.frozen(
        values,
        count_min=own.frozen_samples
        if slow
        else max(own.frozen_samples, math.floor(own.frozen_fast_s / grid.step_s) + 1),
        deadband=own.deadband,
        moved=None if slow else _siblings_move(grid, at, own.deadband),
    )
    _put(marks, Mark.FROZEN, still)
    sound = np.where(impossible | dead, np.nan, values)
    _against_history(grid, sound, marks, own)


def _against_history(grid: Grid, sound: FloatArray, marks: MarkArray, own: Thresholds) -> None:
    """Rules 6 to 9: against what is usual for each point."""
    change = rules.steps(sound)
    odd = prescreened(sound)
    beside = odd.copy()
    beside[:, 1:] |= odd[:, :-1]
    usual_change = np.empty_like(sound)
    level = np.empty((*sound.shape, len(_SHARES)))
    plain = np.where(odd, np.nan, sound)
    plain_change = np.where(beside, np.nan, np.abs(change))
    for now, before in blocks(grid, own).over(sound.shape[1]):
        usual_change[:, now] = quantiles(plain_change[:, before], (0.999,))
        level[:, now] = quantiles(plain[:, before], _SHARES)[:, None, :]
    spikes = rules.spike(change, usual_change, factor=own.spike_factor)
    _put(marks, Mark.SPIKE, spikes)
    _put(
        marks,
        Mark.SOFT_RANGE,
        rules.soft_range(
            sound,
            level[:, :, 0],
            level[:, :, 3],
            level[:, :, 2] - level[:, :, 1],
            margin=own.soft_margin,
        ),
    )
    fast = rules.rate_of_change(change, usual_change, factor=own.rate_factor)
    # The way back from a spike is no change of the point's.
    fast[:, 1:] &= ~spikes[:, :-1]
    _put(marks, Mark.RATE, fast)
    away = rules.hampel(
        sound, np.abs(level[:, :, 2]), sigmas=own.hampel_sigmas, floor=own.hampel_floor
    )
    if grid.step_s >= own.hampel_alone_below_s:
        away &= spikes
    _put(marks, Mark.HAMPEL, away)


def _hard(own: Thresholds) -> tuple[float, float]:
    rated = math.inf if own.rating_kw is None else own.rating_share * own.rating_kw
    low = -rated if own.hard_low is None else own.hard_low
    return low, rated if own.hard_high is None else own.hard_high


def _siblings_carry(grid: Grid, at: IntArray) -> BoolArray:
    """(p, n) another point of the block carries load. Alone in it, a point's own history says so:
    it is usually not at zero."""
    carries = grid.values > 0.0
    own = carries[at]
    others: BoolArray = carries.sum(axis=0)[None, :] - own > 0
    if len(grid.names) == 1:
        others = np.broadcast_to(np.mean(own, axis=1, keepdims=True) > 0.5, own.shape)  # noqa: PLR2004
    return others


def _siblings_move(grid: Grid, at: IntArray, deadband: float) -> BoolArray | None:
    """(p, n) another point moved; None when there is none to ask: then a stand-still counts."""
    if len(grid.names) == 1:
        return None
    moves = np.abs(rules.steps(grid.values)) > deadband
    found: BoolArray = moves.sum(axis=0)[None, :] - moves[at] > 0
    return found


def _times(grid: Grid, marks: MarkArray, own: Thresholds, received_s: FloatArray) -> None:
    """Rule 2: reject what cannot be, doubt what is only skewed."""
    bad = rules.timestamps(grid.time_s, received_s, skew_s=own.skew_reject_s, future_s=own.future_s)
    skewed = rules.timestamps(
        grid.time_s, received_s, skew_s=own.skew_suspect_s, future_s=own.future_s
    )
    _put(marks, Mark.TIMESTAMP, np.broadcast_to(bad, marks.shape))
    _put(marks, Mark.DOUBTED, np.broadcast_to(skewed & ~bad, marks.shape))


def _days(grid: Grid, at: IntArray, marks: MarkArray, own: Thresholds) -> None:
    """Rules 11 and 19, over whole local days."""
    if grid.slots_per_day < 4:  # noqa: PLR2004 - daily values have no profile
        return
    clean = np.where(has(marks, DOUBTFUL & ~Mark.FROZEN), np.nan, grid.values[at])
    days = grid.by_day(clean)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # means of days without a value
        _on_days(grid, marks, Mark.PEAKS, rules.peak_excess(days, excess=own.peak_excess))
        turned, scaled = _against_reference(grid.by_day(grid.values[at]), grid.weekday, own)
    _on_days(grid, marks, Mark.SIGN, turned)
    _on_days(grid, marks, Mark.MULTIPLIER, scaled)


def _on_days(grid: Grid, marks: MarkArray, mark: Mark, days: BoolArray) -> None:
    _put(marks, mark, days[:, grid.day] & ~has(marks, Mark.GAP))


def _against_reference(
    days: FloatArray, weekday: IntArray, own: Thresholds
) -> tuple[BoolArray, BoolArray]:
    """Rule 19 day by day against the mean of the last seven days in order of its kind: Monday to
    Friday, or the weekend."""
    p, d, s = days.shape
    turned = np.zeros((p, d), dtype=bool)
    scaled = np.zeros((p, d), dtype=bool)
    free = weekday >= _SATURDAY
    rings = np.full((2, p, REFERENCE_DAYS, s), np.nan)
    counts = np.zeros((2, p), dtype=int)
    for k in range(d):
        today, kept, seen = days[:, k], rings[int(free[k])], counts[int(free[k])]
        enough = (np.isfinite(today).mean(axis=1) > 0.5) & (seen >= REFERENCE_DAYS_MIN)  # noqa: PLR2004
        like = np.nanmean(kept, axis=1)
        turned[:, k] = (
            enough
            & rules.sign_turned(today[:, None], like[:, None], correlation=own.sign_correlation)[
                :, 0
            ]
        )
        scaled[:, k] = (
            enough
            & rules.wrong_multiplier(
                np.nanmean(today, axis=1)[:, None],
                np.nanmean(like, axis=1)[:, None],
                tolerance=own.multiplier_tolerance,
            )[:, 0]
        )
        fine = ~turned[:, k] & ~scaled[:, k] & np.isfinite(today).any(axis=1)
        for row in np.flatnonzero(fine):
            kept[row, seen[row] % REFERENCE_DAYS] = today[row]
            seen[row] += 1
    return turned, scaled


def _against(grid: Grid, at: IntArray, marks: MarkArray, own: Thresholds, band: Band) -> None:
    """Rules 10 and 20: against a forecast."""
    values = grid.values[at]
    low, median, high = band.low[at], band.median[at], band.high[at]
    _put(
        marks,
        Mark.FORECAST,
        rules.forecast_residual(values, low, median, high, widths=own.forecast_widths),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        daily = np.nanmean(grid.by_day(values - median), axis=2)
        spread = np.nanstd(daily, axis=1, keepdims=True)
    spread[~(spread > 0)] = np.inf
    shifted = rules.level_shift(daily / spread, slack=own.shift_slack, alarm=own.shift_alarm)
    _on_days(grid, marks, Mark.LEVEL_SHIFT, shifted)
