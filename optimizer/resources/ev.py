"""Charging points: a car waits and then charges. Nothing fades, everything comes back in time.

What may be put off is what can still be made up for before the cars leave: their slack, in hours of
the group's power. All of it comes back, spread over the slack.
"""

from __future__ import annotations

from gridctl.model.resource import Comfort, EvCharging, LoadGroup
from optimizer.timegrid import SECONDS_PER_HOUR


def comfort(ev: EvCharging, group: LoadGroup) -> Comfort:
    """kWh that may be put off at any moment; a car's need does not fade."""
    return Comfort(energy_kwh=group.rating_kw * ev.slack_h, fade_h=0.0)


def rebound(ev: EvCharging, step_s: float) -> tuple[float, ...]:
    """Equal shares of all of a run's energy over the slack."""
    count = max(round(ev.slack_h * SECONDS_PER_HOUR / step_s), 1)
    return (1.0 / count,) * count
