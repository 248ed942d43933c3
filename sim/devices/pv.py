"""A PV inverter: gives what the sun gives, below its ceiling."""

from __future__ import annotations

from collections.abc import Mapping

from sim.devices.control import SetpointHold, ramped
from sim.fleet import PvSite


class PvDevice:
    """One PV inverter. Setpoint: ceiling in kW; power and availability: kW injected."""

    def __init__(self, site: PvSite) -> None:
        self.site = site
        rating_kw = site.resource.rating_kw
        self.hold = SetpointHold(default=rating_kw, low=0.0, high=rating_kw)
        self.available_kw = 0.0
        self.power_kw = 0.0
        self._ceiling_kw = rating_kw

    def step(self, *, at_s: float, dt_s: float, sun_pu: Mapping[str, float]) -> None:
        """Let `dt_s` pass; `sun_pu` is the output per kW of rating by orientation."""
        self.hold.expire(at_s)
        rating_kw = self.site.resource.rating_kw
        per_s = rating_kw / self.site.ramp_s
        self._ceiling_kw = ramped(self._ceiling_kw, self.hold.value, per_s=per_s, dt_s=dt_s)
        self.available_kw = 0.0 if self.hold.fault else rating_kw * sun_pu[self.site.orientation]
        self.power_kw = min(self.available_kw, self._ceiling_kw)
