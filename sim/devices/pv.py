"""A PV inverter: gives what the sun gives, below its ceiling, and may support the voltage."""

from __future__ import annotations

from collections.abc import Mapping
from math import exp, sqrt

from sim.devices.control import GridTie, SetpointHold, ramped
from sim.devices.inverter_functions import (
    VOLT_VAR,
    VOLT_VAR_RESPONSE_S,
    VOLT_WATT,
    VOLT_WATT_RESPONSE_S,
    RideThrough,
    on_curve,
)
from sim.fleet import PvSite


class PvDevice:
    """One PV inverter. Setpoint: ceiling in kW; power and availability: kW injected."""

    def __init__(self, site: PvSite) -> None:
        self.site = site
        rating_kw = site.resource.rating_kw
        self.hold = SetpointHold(default=rating_kw, low=0.0, high=rating_kw)
        self.tie = GridTie()
        self.ride = RideThrough()
        self.available_kw = 0.0
        self.power_kw = 0.0
        self.power_kvar = 0.0
        """Injected by volt-var."""
        self._ceiling_kw = rating_kw
        self._watt_share = 1.0

    def step(
        self, *, at_s: float, dt_s: float, sun_pu: Mapping[str, float], voltage_pu: float = 1.0
    ) -> None:
        """Let `dt_s` pass; `sun_pu` is the output per kW of rating by orientation, `voltage_pu`
        what the inverter measures at its terminals."""
        self.hold.expire(at_s)
        rating_kw = self.site.resource.rating_kw
        per_s = rating_kw / self.site.ramp_s
        self._ceiling_kw = ramped(self._ceiling_kw, self.hold.value, per_s=per_s, dt_s=dt_s)
        self.available_kw = 0.0 if self.hold.fault else rating_kw * sun_pu[self.site.orientation]
        self.power_kw = min(self.available_kw, self._ceiling_kw)
        if self.site.functions:
            self._support(voltage_pu, dt_s, at_s)
        share = self.tie.share(at_s)
        if share < 1.0:
            self.power_kw = min(self.power_kw, share * rating_kw)

    def _support(self, voltage_pu: float, dt_s: float, at_s: float) -> None:
        resource, functions = self.site.resource, self.site.functions
        if "ride-through" in functions and self.ride.must_trip(voltage_pu, dt_s):
            self.tie.since_s = at_s
        if "volt-watt" in functions:
            goal = on_curve(VOLT_WATT, voltage_pu)
            self._watt_share += (goal - self._watt_share) * _reached(dt_s, VOLT_WATT_RESPONSE_S)
            self.power_kw = min(self.power_kw, self._watt_share * resource.rating_kw)
        if "volt-var" in functions:
            goal = on_curve(VOLT_VAR, voltage_pu) * resource.rating_kva
            self.power_kvar += (goal - self.power_kvar) * _reached(dt_s, VOLT_VAR_RESPONSE_S)
            # Category B may take reactive power first: what the rating leaves is for kW.
            room_kw = sqrt(max(0.0, resource.rating_kva**2 - self.power_kvar**2))
            self.power_kw = min(self.power_kw, room_kw)
        if self.tie.share(at_s) <= 0.0:
            self.power_kvar = 0.0


def _reached(dt_s: float, open_loop_s: float) -> float:
    """Share of a step that a first-order response has done: 90 % after the open-loop time."""
    return 1.0 - exp(-2.302585 * dt_s / open_loop_s)
