"""Bands around the point: quantiles of the same lead's own past errors, with a width that adapts.

q = point + 0.75 Q(errors of the last 75 days at the same lead and in the same four-hour block of
the day) + 0.25 Q(all blocks); only errors enter whose target was known at the origin. Then the
distance of each pair of quantiles from the median is scaled by S, which grows with a miss and
shrinks with a hit: S <- S exp(rate (miss - alpha) / sqrt(alpha)).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import NormalDist

import numpy as np

from optimizer.arrays import FloatArray, IntArray

LEVELS = (0.025, 0.05, 0.10, 0.25, 0.50, 0.75, 0.90, 0.95, 0.975)
PAIRS = ((0, 8), (1, 7), (2, 6), (3, 5))
MEDIAN = 4
ERROR_DAYS = 75
BLOCK_H = 4.0
BLOCK_SHARE = 0.75
BLOCK_ERRORS_MIN = 20
RATE = 0.02
STEP_H = 5
"""The width learns every so many hours."""
WIDTH_MIN, WIDTH_MAX = 0.5, 3.0
_LEVELS = np.array(LEVELS)
_ALPHA = np.array([2.0 * LEVELS[low] for low, _ in PAIRS])
_LOW = np.array([low for low, _ in PAIRS])
_HIGH = np.array([high for _, high in PAIRS])


@dataclass(slots=True, kw_only=True, eq=False)
class Width:
    """S of each pair at one lead, and the bands whose target has not come yet:
    (target slot, lower ends, upper ends)."""

    scale: FloatArray = field(default_factory=lambda: np.ones(len(PAIRS)))
    pending: deque[tuple[int, FloatArray, FloatArray]] = field(default_factory=deque)

    def shift(self, slots: int) -> None:
        """Count targets from `slots` earlier."""
        self.pending = deque((target + slots, low, high) for target, low, high in self.pending)

    def learn(self, load_kw: FloatArray, origin: int, first: int = 0) -> None:
        """From all pending bands whose target is not after `origin`; the load begins at `first`."""
        while self.pending and self.pending[0][0] <= origin:
            target, low, high = self.pending.popleft()
            came = load_kw[target - first] if 0 <= target - first < len(load_kw) else np.nan
            if np.isfinite(came):
                miss = ((came < low) | (came > high)).astype(np.float64)
                step = RATE * (miss - _ALPHA) / np.sqrt(_ALPHA)
                self.scale = np.clip(self.scale * np.exp(step), WIDTH_MIN, WIDTH_MAX)

    def expect(self, target: int, values: FloatArray) -> None:
        """Remember the (9,) band said for `target`; targets come in ascending order."""
        self.pending.append((target, values[_LOW], values[_HIGH]))

    def applied(self, offsets: FloatArray) -> FloatArray:
        """(…, 9) offsets, each pair scaled about the median, never crossing."""
        result = offsets.copy()
        middle = offsets[..., MEDIAN, None]
        result[..., _LOW] = middle + self.scale * (offsets[..., _LOW] - middle)
        result[..., _HIGH] = middle + self.scale * (offsets[..., _HIGH] - middle)
        return np.maximum.accumulate(result, axis=-1)


def empirical(ordered: FloatArray) -> FloatArray:
    """(9,) quantiles of finite ascending errors with the finite-sample correction of conformal
    prediction: outwards to the (n + 1) q-th smallest. Zeros without any."""
    n = len(ordered)
    if not n:
        return np.zeros(len(LEVELS))
    outward = np.clip(_LEVELS + (_LEVELS - 0.5) / n, 0.0, 1.0) * (n - 1)
    low = np.floor(outward).astype(np.intp)
    high = np.minimum(low + 1, n - 1)
    result: FloatArray = ordered[low] + (outward - low) * (ordered[high] - ordered[low])
    return result


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Errors:
    """Errors (origins, leads) of past forecasts made at ascending `origins`, NaN where not known;
    `block` (origins, leads): four-hour block of the target."""

    origins: IntArray
    leads: tuple[int, ...]
    errors: FloatArray
    block: IntArray
    per_day: int

    def offsets_at(self, origin: int, column: int, wanted: Sequence[int]) -> FloatArray:
        """(len(wanted), 9) what to add to the point of a target in each of the `wanted` blocks, as
        was known at `origin`."""
        known = origin - self.leads[column]
        oldest, newest = np.searchsorted(
            self.origins, (known - ERROR_DAYS * self.per_day, known), side="right"
        )
        errors = self.errors[oldest:newest, column]
        # One sort for all blocks; gaps come last.
        order = np.argsort(errors)[: int(np.isfinite(errors).sum())]
        ordered, block = errors[order], self.block[oldest:newest, column][order]
        everywhere = empirical(ordered)
        result = np.empty((len(wanted), len(LEVELS)))
        for row, one in zip(result, wanted, strict=True):
            own = ordered[block == one]
            row[:] = everywhere
            if len(own) >= BLOCK_ERRORS_MIN:
                row[:] = BLOCK_SHARE * empirical(own) + (1.0 - BLOCK_SHARE) * everywhere
        return result


def blocks(hour: FloatArray) -> IntArray:
    """Four-hour block of the day of a local hour."""
    return (hour // BLOCK_H).astype(np.intp)


def at_levels(values: FloatArray, wanted: tuple[float, ...]) -> FloatArray:
    """(len(wanted), …) from (9, …): between two levels by their normal scores; outside of them the
    outermost two go on."""
    z = np.array([NormalDist().inv_cdf(q) for q in LEVELS])
    result = []
    for q in wanted:
        at = NormalDist().inv_cdf(q)
        upper = int(np.clip(np.searchsorted(z, at), 1, len(z) - 1))
        share = (at - z[upper - 1]) / (z[upper] - z[upper - 1])
        result.append((1.0 - share) * values[upper - 1] + share * values[upper])
    return np.array(result)
