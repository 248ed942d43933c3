"""Air conditioning and heat pumps: rooms drift while they are off, and are brought back afterwards.

One thermal mass behind one resistance (the usual first-order house). What is put off fades by
itself with the time constant of the walls, because rooms that have drifted lose (or gain) less. The
least comfortable room sets how much may be put off: the width of the comfort band times the mass.
"""

from __future__ import annotations

import math

from gridctl.model.resource import Comfort, Hvac, LoadGroup, Precool
from optimizer.timegrid import SECONDS_PER_HOUR


def comfort(hvac: Hvac) -> Comfort:
    """Electrical kWh that may be put off at any moment, and how fast they fade."""
    return Comfort(
        energy_kwh=hvac.mass_kwh_per_k * hvac.band_k / hvac.cop,
        fade_h=hvac.mass_kwh_per_k * hvac.resistance_k_per_kw,
    )


def rebound(hvac: Hvac, group: LoadGroup, step_s: float) -> tuple[float, ...]:
    """Shares of a run's energy that come back in each interval after it: what has not faded by the
    end of the longest run, within `recovery_h`, most of it first."""
    run_h = group.duration_max_s / SECONDS_PER_HOUR
    walls_h = max(comfort(hvac).fade_h, 1e-6)
    left = -math.expm1(-run_h / walls_h) * walls_h / max(run_h, 1e-6)
    step_h = step_s / SECONDS_PER_HOUR
    count = max(round(hvac.recovery_h / step_h), 1)
    weights = [math.exp(-k * step_h / max(hvac.recovery_h / 2.0, 1e-6)) for k in range(count)]
    return tuple(left * w / sum(weights) for w in weights)


def precool(hvac: Hvac) -> Precool | None:
    """What may be cooled ahead: as many kelvin below what is set as customers accept, times the
    mass. None where it is not said how much, how fast and how early."""
    if hvac.ahead_k is None or hvac.ahead_kw is None or hvac.ahead_h is None:
        return None
    return Precool(
        rating_kw=hvac.ahead_kw,
        energy_kwh=hvac.mass_kwh_per_k * hvac.ahead_k / hvac.cop,
        ahead_s=hvac.ahead_h * SECONDS_PER_HOUR,
        fade_h=hvac.mass_kwh_per_k * hvac.resistance_k_per_kw,
    )
