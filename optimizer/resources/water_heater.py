"""Water heaters: the tank is the store. It keeps nearly all, and heats up again as fast as it can.

What may be put off is the water between the set temperature and the least that customers accept.
Standing losses fade a little of it; the rest comes back after the run at the heaters' own power, so
that the return is short and high: often higher than what was shed.
"""

from __future__ import annotations

import math

from gridctl.model.resource import Comfort, LoadGroup, WaterHeater
from optimizer.timegrid import SECONDS_PER_HOUR

KWH_PER_LITRE_K = 4.186 / 3600.0


def comfort(heater: WaterHeater) -> Comfort:
    """Electrical kWh that may be put off at any moment, and how fast they fade."""
    return Comfort(
        energy_kwh=heater.litres * KWH_PER_LITRE_K * heater.band_k / heater.efficiency,
        fade_h=heater.standing_h,
    )


def rebound(heater: WaterHeater, group: LoadGroup, step_s: float) -> tuple[float, ...]:
    """Shares of a run's energy that come back in each interval after it: all that the standing
    losses leave, at full power of all heaters, so in as few intervals as the longest run needs."""
    run_h = group.duration_max_s / SECONDS_PER_HOUR
    kept = math.exp(-run_h / heater.standing_h) if heater.standing_h > 0.0 else 1.0
    step_h = step_s / SECONDS_PER_HOUR
    back_h = kept * run_h * group.rating_kw / max(heater.heater_kw, 1e-6)
    count = max(math.ceil(back_h / step_h - 1e-9), 1)
    return (kept / count,) * count
