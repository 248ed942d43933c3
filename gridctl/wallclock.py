"""The only place that reads the machine's clocks."""

from __future__ import annotations

import time

from gridctl.model.clock import ScaledClock


def system_clock() -> ScaledClock:
    """Production: grid time is UTC as the machine knows it."""
    return grid_clock(anchor_real_s=0.0, anchor_grid_s=0.0, rate=1.0)


def grid_clock(*, anchor_real_s: float, anchor_grid_s: float, rate: float) -> ScaledClock:
    """A pilot's grid time: `anchor_grid_s` when the machine shows `anchor_real_s`, then `rate`."""
    return ScaledClock(
        anchor_real_s=anchor_real_s,
        anchor_grid_s=anchor_grid_s,
        rate=rate,
        real_s=time.time,
        real_monotonic_s=time.monotonic,
    )
