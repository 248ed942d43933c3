"""An industrial customer: a few blocks that are on or off, and may not be switched at will."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from sim.devices.control import SetpointHold
from sim.devices.surroundings import Surroundings
from sim.fleet_units import IndustrialSite

_NOTHING_KW: Final = 1e-9


class IndustrialDevice:
    """Blocks with a minimum run and a minimum pause. Setpoint: kW to shed; whole blocks go off, the
    fewest that reach it, and only those that have run long enough. They come back one by one."""

    def __init__(self, site: IndustrialSite) -> None:
        self.site = site
        self.hold = SetpointHold(default=0.0, low=0.0, high=site.resource.rating_kw)
        self.overridden = False
        self._kw = np.asarray(site.blocks_kw)
        self.on: NDArray[np.bool_] = np.ones(len(self._kw), dtype=bool)
        self._since_s: NDArray[np.float64] = np.full(len(self._kw), float("-inf"))
        self._last_start_s = float("-inf")
        self.power_kw = float(self._kw.sum())
        self.available_kw = 0.0

    @property
    def injected_kw(self) -> float:
        return -self.power_kw

    def step(self, around: Surroundings) -> None:
        """Let a step pass."""
        self.hold.expire(around.at_s)
        works = self.site.from_h <= around.local_h < self.site.to_h and around.lit
        may_stop = self.on & (around.at_s - self._since_s >= self.site.run_min_s)
        working = self.hold.remote and not self.hold.fault and not self.overridden and works
        self.available_kw = float(self._kw[may_stop | ~self.on].sum()) if working else 0.0
        shed_kw = self.hold.value if working and not self.hold.opposite else 0.0
        if not works:
            self._switch(np.zeros(len(self._kw), dtype=bool), around.at_s)
        else:
            self._follow(shed_kw, may_stop, around.at_s)
        self.power_kw = float(self._kw[self.on].sum())

    def _follow(self, shed_kw: float, may_stop: NDArray[np.bool_], at_s: float) -> None:
        wanted = self.on.copy()
        missing_kw = shed_kw - float(self._kw[~self.on].sum())
        for i in np.argsort(-self._kw, kind="stable"):
            if missing_kw > _NOTHING_KW and may_stop[i]:
                wanted[i] = False
                missing_kw -= self._kw[i]
        if shed_kw <= 0.0 and at_s - self._last_start_s >= self.site.stagger_s:
            paused = ~self.on & (at_s - self._since_s >= self.site.pause_min_s)
            if paused.any():
                wanted[int(np.argmax(paused))] = True
                self._last_start_s = at_s
        self._switch(wanted, at_s)

    def _switch(self, wanted: NDArray[np.bool_], at_s: float) -> None:
        self._since_s = np.where(wanted != self.on, at_s, self._since_s)
        self.on = wanted
