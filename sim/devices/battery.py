"""A battery: follows its setpoint within seconds, as far as its state of charge lets it."""

from __future__ import annotations

from math import exp
from typing import Final

from sim.devices.control import GridTie, SetpointHold, ramped
from sim.fleet import BatterySite

_AIR_C: Final = 25.0
_RISE_C: Final = 18.0
"""How much warmer than the air the cells get at full power in the end."""
_CELL_S: Final = 2_700.0
_COOLER_K: Final = 5.0


class BatteryDevice:
    """One battery. Setpoint and power: kW injected, discharge positive, charge negative."""

    def __init__(self, site: BatterySite) -> None:
        self.site = site
        rating_kw = site.resource.rating_kw
        self.hold = SetpointHold(default=0.0, low=-rating_kw, high=rating_kw)
        self.tie = GridTie()
        self.carried_kw: float | None = None
        """What an island that hangs on this battery draws; None while the grid is there."""
        self.power_kw = 0.0
        self.soc_pct = site.initial_soc_pct
        self.cell_c = _AIR_C
        self.hot = False

    def step(self, *, at_s: float, dt_s: float, air_c: float = _AIR_C) -> None:
        """Let `dt_s` pass at `air_c` around it."""
        self.hold.expire(at_s)
        battery = self.site.resource
        target_kw = 0.0 if self.hold.fault else self.hold.value
        if self.hold.opposite:
            target_kw = -target_kw
        share = self.tie.share(at_s)
        if share < 1.0:
            target_kw = min(max(target_kw, -share * battery.rating_kw), share * battery.rating_kw)
        if self.hot:
            half_kw = battery.rating_kw / 2
            target_kw = min(max(target_kw, -half_kw), half_kw)
        if self.carried_kw is not None:
            target_kw = self.carried_kw
        # What the charge left lets flow over the step, at the terminals.
        left_kwh = (self.soc_pct - battery.soc_min_pct) / 100 * battery.energy_kwh
        room_kwh = (battery.soc_max_pct - self.soc_pct) / 100 * battery.energy_kwh
        hours = max(dt_s, 1.0) / 3600.0
        highest_kw = max(0.0, left_kwh * battery.efficiency / hours)
        lowest_kw = -max(0.0, room_kwh / battery.efficiency / hours)
        target_kw = min(max(target_kw, lowest_kw), highest_kw)
        per_s = battery.rating_kw / self.site.ramp_s
        if self.tie.tripped or self.carried_kw is not None:
            self.power_kw = target_kw
        else:
            self.power_kw = ramped(self.power_kw, target_kw, per_s=per_s, dt_s=dt_s)
        self.power_kw = min(max(self.power_kw, lowest_kw), highest_kw)
        if self.power_kw >= 0:
            drawn_kwh = self.power_kw / battery.efficiency * dt_s / 3600.0
        else:
            drawn_kwh = self.power_kw * battery.efficiency * dt_s / 3600.0
        self.soc_pct -= drawn_kwh / battery.energy_kwh * 100
        self._warm(air_c, dt_s)

    def _warm(self, air_c: float, dt_s: float) -> None:
        limit_c = self.site.cell_max_c
        if limit_c is None:
            return
        load = self.power_kw / self.site.resource.rating_kw
        goal_c = air_c + _RISE_C * load * load
        self.cell_c = goal_c + (self.cell_c - goal_c) * exp(-dt_s / _CELL_S)
        self.hot = self.cell_c > (limit_c - _COOLER_K if self.hot else limit_c)
