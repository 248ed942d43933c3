"""What is usual for a point: quantiles of its own trailing history, renewed every few days.

At a sample only what came before its block counts; in the warm-up (there is no history yet) the
first days stand for themselves. What a rule has already found to be wrong does not count, else a
meter that spikes often enough would make spikes usual.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from optimizer.arrays import BoolArray, FloatArray

PRESCREEN_SIGMAS = 10.0
_SIGMA_OF_MAD = 1.4826


@dataclass(frozen=True, slots=True, kw_only=True)
class Blocks:
    """In samples: how far the history goes back, how much is needed, how often it is renewed."""

    history: int
    warm_up: int
    renew: int

    def over(self, n: int) -> Iterator[tuple[slice, slice]]:
        """(samples, their history); each sample stands in one block."""
        first = min(max(self.warm_up, 1), n)
        yield slice(0, first), slice(0, first)
        for start in range(first, n, self.renew):
            yield (
                slice(start, min(start + self.renew, n)),
                slice(max(0, start - self.history), start),
            )


def prescreened(values: FloatArray) -> BoolArray:
    """(p, n) single samples that stand out of the line between their neighbours by more than ten
    robust sigmas: left out of what is usual. Only a coarse sieve; rule 8 decides."""
    found = np.zeros(values.shape, dtype=bool)
    if values.shape[1] < 3:  # noqa: PLR2004 - a sample and its two neighbours
        return found
    bend = np.abs(values[:, 1:-1] - (values[:, :-2] + values[:, 2:]) / 2.0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a point without a value has no median
        usual = np.nanmedian(bend, axis=1, keepdims=True)
    found[:, 1:-1] = bend > PRESCREEN_SIGMAS * _SIGMA_OF_MAD * usual
    return found


def quantiles(values: FloatArray, shares: Sequence[float]) -> FloatArray:
    """(p, k) quantiles over the finite values of each row; NaN for a row without one."""
    found = np.full((values.shape[0], len(shares)), np.nan)
    for row, own in zip(found, values, strict=True):
        finite = own[np.isfinite(own)]
        if finite.size:
            row[:] = _of(finite, shares)
    return found


def _of(finite: FloatArray, shares: Sequence[float]) -> FloatArray:
    """numpy's linear quantiles by one partition; its own takes three times as long."""
    at = np.asarray(shares) * (finite.size - 1)
    below = np.floor(at).astype(np.intp)
    above = np.minimum(below + 1, finite.size - 1)
    ranked = np.partition(finite, np.unique(np.concatenate([below, above])))
    part = at - below
    result: FloatArray = ranked[below] * (1.0 - part) + ranked[above] * part
    return result
