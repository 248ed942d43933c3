"""Grid-support functions of an inverter, IEEE 1547-2018, default settings of category B / II.

Frequency is not simulated, so neither frequency-droop nor frequency ride-through is here.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

VOLT_VAR: Final = ((0.92, 0.44), (0.98, 0.0), (1.02, 0.0), (1.08, -0.44))
"""Table 8, category B: voltage (pu) and reactive power (share of rated kVA, injection positive)."""
VOLT_WATT: Final = ((1.06, 1.0), (1.10, 0.2))
"""Table 10: voltage (pu) and the most active power (share of rating)."""
VOLT_VAR_RESPONSE_S: Final = 5.0
VOLT_WATT_RESPONSE_S: Final = 10.0
MUST_TRIP: Final = ((1.20, 0.16, True), (1.10, 2.0, True), (0.45, 0.16, False), (0.70, 10.0, False))
"""Tables 11 and 12, category II defaults: pu, clearing time in s, whether above or below it."""
KNOWN: Final = frozenset({"volt-var", "volt-watt", "ride-through"})


def on_curve(curve: Sequence[tuple[float, float]], voltage_pu: float) -> float:
    """The curve at `voltage_pu`: straight between its points, level outside."""
    if voltage_pu <= curve[0][0]:
        return curve[0][1]
    for (low_pu, low), (high_pu, high) in pairwise(curve):
        if voltage_pu <= high_pu:
            return low + (high - low) * (voltage_pu - low_pu) / (high_pu - low_pu)
    return curve[-1][1]


class RideThrough:
    """Counts how long the voltage has been outside each limit."""

    def __init__(self) -> None:
        self.outside_s = [0.0] * len(MUST_TRIP)

    def must_trip(self, voltage_pu: float, dt_s: float) -> bool:
        """Let `dt_s` pass at `voltage_pu`; True when a clearing time is over."""
        trips = False
        for i, (limit_pu, clearing_s, above) in enumerate(MUST_TRIP):
            outside = voltage_pu > limit_pu if above else voltage_pu < limit_pu
            self.outside_s[i] = self.outside_s[i] + dt_s if outside else 0.0
            trips |= outside and self.outside_s[i] >= clearing_s
        return trips
