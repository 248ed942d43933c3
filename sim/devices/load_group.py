"""A group of curtailable customers: sheds after a notice, ramps, and pays part of it back."""

from __future__ import annotations

from sim.devices.control import SetpointHold, ramped
from sim.fleet import LoadGroupSite

_REBOUND_STEP_S = 900.0
_RELEASED_KW = 1e-6


class LoadGroupDevice:
    """One load group. Setpoint: kW to shed. The shed follows the demand: what the customers do
    not draw cannot be shed."""

    def __init__(self, site: LoadGroupSite) -> None:
        self.site = site
        resource = site.resource
        self.hold = SetpointHold(default=0.0, low=0.0, high=resource.rating_kw)
        self.overridden = False
        """The customers have overruled it: nothing is shed, whatever is asked."""
        self.available_kw = 0.0
        self.shed_kw = 0.0
        self.rebound_kw = 0.0
        self.power_kw = 0.0
        self._shed_kwh = 0.0
        self._paybacks: list[tuple[float, float]] = []

    def step(self, *, at_s: float, dt_s: float, demand_kw: float) -> None:
        """Let `dt_s` pass; `demand_kw` is what the customers would draw now."""
        self.hold.expire(at_s)
        resource = self.site.resource
        working = self.hold.remote and not self.hold.fault and not self.overridden
        flexible_kw = min(self.site.flex_share * demand_kw, resource.rating_kw)
        self.available_kw = flexible_kw if working else 0.0
        target_kw = 0.0 if self.overridden else min(self.hold.value, flexible_kw)
        if at_s - self.hold.since_s < self.site.delay_s:
            target_kw = min(self.shed_kw, flexible_kw)
        ramp_kw_s = resource.rating_kw / self.site.ramp_s
        before_kw = self.shed_kw
        self.shed_kw = ramped(self.shed_kw, target_kw, per_s=ramp_kw_s, dt_s=dt_s)
        self._shed_kwh += self.shed_kw * dt_s / 3600.0
        if before_kw > _RELEASED_KW >= self.shed_kw:
            self._paybacks.append((at_s, self._shed_kwh))
            self._shed_kwh = 0.0
        self.rebound_kw = self._rebound(at_s)
        sign = -1.0 if self.hold.opposite else 1.0
        self.power_kw = demand_kw - sign * self.shed_kw + self.rebound_kw

    def _rebound(self, at_s: float) -> float:
        shares = self.site.resource.rebound
        last_s = len(shares) * _REBOUND_STEP_S
        self._paybacks = [(t, kwh) for t, kwh in self._paybacks if at_s - t < last_s]
        return sum(
            kwh * shares[int((at_s - t) // _REBOUND_STEP_S)] * 3600.0 / _REBOUND_STEP_S
            for t, kwh in self._paybacks
        )
