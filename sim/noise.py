"""Chance that can be asked for any moment and always answers the same."""

from __future__ import annotations

from functools import lru_cache
from math import cos, pi, sqrt

import numpy as np
from numpy.typing import NDArray

_KNOTS_KEPT = 512


@lru_cache(maxsize=_KNOTS_KEPT)
def _knot(seed: int, stream: int, index: int, width: int) -> NDArray[np.float64]:
    # Times before 1970 do not occur; the generator wants non-negative words.
    return np.random.default_rng((seed, stream, index)).standard_normal(width)


def smooth_noise(
    *, seed: int, stream: int, at_s: float, knot_s: float, width: int
) -> NDArray[np.float64]:
    """`width` independent smooth signals of unit spread at grid time `at_s`.

    A new normal value every `knot_s`, joined by half cosines. The same arguments give the same
    answer, whatever was asked before; `stream` keeps different uses of one seed apart.
    """
    index = int(at_s // knot_s)
    share = (1 - cos(pi * (at_s / knot_s - index))) / 2
    before = _knot(seed, stream, index, width)
    after = _knot(seed, stream, index + 1, width)
    return before * (1 - share) + after * share


def day_noise(*, seed: int, stream: int, day: int, memory: int = 4) -> float:
    """One value of about unit spread per day, which remembers the days before it."""
    weights = [0.7**k for k in range(memory)]
    values = [float(_knot(seed, stream, day - k, 1)[0]) for k in range(memory)]
    spread = sqrt(sum(w * w for w in weights))
    return sum(w * v for w, v in zip(weights, values, strict=True)) / spread
