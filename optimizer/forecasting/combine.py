"""Which expert to believe: weights from each one's own past errors, per lead.

w ~ exp(-eta (L / min L - 1)), L an exponentially weighted mean of |error| at the same lead; only
errors enter whose target was known at the origin.
"""

from __future__ import annotations

import numpy as np
from scipy.signal import lfilter

from optimizer.arrays import BoolArray, FloatArray, IntArray

ETA = 6.0
HALF_LIFE_DAYS = 7.0
MASS_MIN = 1e-6


def combined(said: FloatArray, actual: FloatArray, late: IntArray, per_day: float) -> FloatArray:
    """(origins, leads) weighted mean of what the experts said, NaN where none said anything.

    `said` (experts, origins, leads) at origins in equal steps, `per_day` of them; `actual`
    (origins, leads), NaN where not known; `late` (leads,): after how many steps a target is known.
    """
    usable = np.isfinite(said)
    share = weights(losses(actual - said, late, per_day), usable)
    mean = (share * np.where(usable, said, 0.0)).sum(axis=0)
    result: FloatArray = np.where(usable.any(axis=0), mean, np.nan)
    return result


def losses(errors: FloatArray, late: IntArray, per_day: float) -> FloatArray:
    """(experts, origins, leads) weighted mean |error| as known at each origin, NaN before any."""
    keep = 0.5 ** (1.0 / (HALF_LIFE_DAYS * per_day))
    # An hour counts only where every expert that ever speaks has spoken: the comparison is fair.
    speaks = np.isfinite(errors).any(axis=(1, 2), keepdims=True)
    known = np.isfinite(errors) & (np.isfinite(errors) | ~speaks).all(axis=0)
    up = lfilter([1.0], [1.0, -keep], np.where(known, np.abs(errors), 0.0), axis=1)
    down = lfilter([1.0], [1.0, -keep], known.astype(np.float64), axis=1)
    mean = np.where(down > MASS_MIN, up / np.maximum(down, MASS_MIN), np.nan)
    result = np.full_like(mean, np.nan)
    for lead, steps in enumerate(late):
        if steps < mean.shape[1]:
            result[:, steps:, lead] = mean[:, : mean.shape[1] - steps, lead]
    return result


def losses_now(errors: FloatArray, per_day: float) -> FloatArray:
    """(experts, leads) weighted mean |error| behind the last of `errors` (experts, origins, leads),
    as `losses` has it: one row of it costs a product, not a filter over all of them."""
    finite = np.isfinite(errors)
    speaks = finite.any(axis=(1, 2), keepdims=True)
    known = finite & (finite | ~speaks).all(axis=0)
    faded = 0.5 ** (np.arange(errors.shape[1])[::-1] / (HALF_LIFE_DAYS * per_day))
    up = np.einsum("o,eol->el", faded, np.where(known, np.abs(errors), 0.0))
    down = np.einsum("o,eol->el", faded, known.astype(np.float64))
    result: FloatArray = np.where(down > MASS_MIN, up / np.maximum(down, MASS_MIN), np.nan)
    return result


def weights(loss: FloatArray, usable: BoolArray) -> FloatArray:
    """(experts, origins, leads) that sum to one over the usable experts; equal before any loss."""
    fair = np.where(usable & np.isfinite(loss), loss, np.inf)
    least = fair.min(axis=0)
    blind = ~np.isfinite(least)
    scaled = fair / np.where(blind | (least <= 0.0), 1.0, least)
    raw = np.where(usable, np.where(blind, 1.0, np.exp(-ETA * (scaled - 1.0))), 0.0)
    total = raw.sum(axis=0)
    result: FloatArray = raw / np.where(total > 0.0, total, 1.0)
    return result
