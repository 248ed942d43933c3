"""Charging points: cars come home, want their energy, and leave full unless somebody slows them."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from sim.devices.control import SetpointHold
from sim.devices.surroundings import Surroundings, dice
from sim.fleet_units import EvSite

_STREAM_DAY: Final = 61
_PLUGGED_SHARE: Final = 0.7
_NEED_KWH, _NEED_SPREAD_KWH = 11.0, 4.0
_STAYS_H: Final = 11.0


class EvGroupDevice:
    """A group of charging points. Setpoint: kW to shed from what they would draw."""

    def __init__(self, site: EvSite) -> None:
        self.site = site
        self.hold = SetpointHold(default=0.0, low=0.0, high=site.resource.rating_kw)
        self.overridden = False
        self.need_kwh: NDArray[np.float64] = np.zeros(site.points)
        self._leaves_s: NDArray[np.float64] = np.full(site.points, float("-inf"))
        self._seen_s = float("nan")
        self.power_kw = 0.0
        self.available_kw = 0.0
        self.unmet_kwh = 0.0
        """Energy that was missing when cars left."""

    @property
    def injected_kw(self) -> float:
        return -self.power_kw

    def step(self, around: Surroundings) -> None:
        """Let a step pass."""
        self.hold.expire(around.at_s)
        self._come_and_go(around)
        hours = around.dt_s / 3600.0
        wish_kw = np.minimum(self.site.point_kw, self.need_kwh / max(hours, 1e-9))
        if not around.lit:
            wish_kw = np.zeros_like(wish_kw)
        would_kw = float(wish_kw.sum())
        shed_kw = 0.0 if self.overridden or self.hold.fault else self.hold.value
        if self.hold.opposite:
            shed_kw = 0.0
        share = max(0.0, 1.0 - shed_kw / would_kw) if would_kw > 0 else 1.0
        charged_kw = wish_kw * share
        self.need_kwh = np.maximum(0.0, self.need_kwh - charged_kw * hours)
        self.power_kw = float(charged_kw.sum())
        working = self.hold.remote and not self.hold.fault and not self.overridden
        self.available_kw = min(would_kw, self.hold.high) if working else 0.0

    def _come_and_go(self, around: Surroundings) -> None:
        before_s = self._seen_s if self._seen_s == self._seen_s else around.at_s - around.dt_s
        self._seen_s = around.at_s
        midnight_s = around.at_s - around.local_h * 3600.0
        for day, start_s in ((around.day, midnight_s), (around.day - 1, midnight_s - 86_400.0)):
            chance = dice(self.site.seed, _STREAM_DAY, day)
            count = self.site.points
            comes = chance.random(count) < _PLUGGED_SHARE
            at_s = start_s + 3600.0 * chance.normal(self.site.arrival_h, 1.3, count)
            wants = np.clip(chance.normal(_NEED_KWH, _NEED_SPREAD_KWH, count), 2.0, 40.0)
            now = comes & (at_s > before_s) & (at_s <= around.at_s)
            self.need_kwh = np.where(now, wants, self.need_kwh)
            self._leaves_s = np.where(now, at_s + 3600.0 * _STAYS_H, self._leaves_s)
        gone = (self._leaves_s <= around.at_s) & (self.need_kwh > 0)
        self.unmet_kwh += float(self.need_kwh[gone].sum())
        self.need_kwh = np.where(gone, 0.0, self.need_kwh)
