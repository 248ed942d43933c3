"""What a device with a life of its own feels: time, weather, and whether it has supply."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """The step that passes now: it ends at `at_s` (grid time) and lasted `dt_s`.

    `local_h` is local time of day, `day` the local day since 1970; `lit` whether there is supply.
    """

    at_s: float
    dt_s: float
    local_h: float
    day: int
    temperature_c: float
    lit: bool


def dice(*words: int) -> np.random.Generator:
    """Chance that depends on nothing but its words: it needs no state and survives a restart."""
    return np.random.default_rng([abs(word) for word in words])


def allowed_on(
    wish: NDArray[np.bool_], kw: NDArray[np.float64], urgency: NDArray[np.float64], limit_kw: float
) -> NDArray[np.bool_]:
    """Of those who wish to be on, the most urgent that fit below `limit_kw` together."""
    order = np.argsort(-urgency, kind="stable")
    running = np.cumsum(np.where(wish[order], kw[order], 0.0))
    allowed = np.zeros(len(wish), dtype=bool)
    allowed[order] = wish[order] & (running <= limit_kw + 1e-9)
    return allowed
