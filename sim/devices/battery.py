"""A battery: follows its setpoint within seconds, as far as its state of charge lets it."""

from __future__ import annotations

from sim.devices.control import SetpointHold, ramped
from sim.fleet import BatterySite


class BatteryDevice:
    """One battery. Setpoint and power: kW injected, discharge positive, charge negative."""

    def __init__(self, site: BatterySite) -> None:
        self.site = site
        rating_kw = site.resource.rating_kw
        self.hold = SetpointHold(default=0.0, low=-rating_kw, high=rating_kw)
        self.power_kw = 0.0
        self.soc_pct = site.initial_soc_pct

    def step(self, *, at_s: float, dt_s: float) -> None:
        """Let `dt_s` pass."""
        self.hold.expire(at_s)
        battery = self.site.resource
        target_kw = 0.0 if self.hold.fault else self.hold.value
        # What the charge left lets flow over the step, at the terminals.
        left_kwh = (self.soc_pct - battery.soc_min_pct) / 100 * battery.energy_kwh
        room_kwh = (battery.soc_max_pct - self.soc_pct) / 100 * battery.energy_kwh
        hours = max(dt_s, 1.0) / 3600.0
        highest_kw = max(0.0, left_kwh * battery.efficiency / hours)
        lowest_kw = -max(0.0, room_kwh / battery.efficiency / hours)
        target_kw = min(max(target_kw, lowest_kw), highest_kw)
        per_s = battery.rating_kw / self.site.ramp_s
        self.power_kw = ramped(self.power_kw, target_kw, per_s=per_s, dt_s=dt_s)
        self.power_kw = min(max(self.power_kw, lowest_kw), highest_kw)
        if self.power_kw >= 0:
            drawn_kwh = self.power_kw / battery.efficiency * dt_s / 3600.0
        else:
            drawn_kwh = self.power_kw * battery.efficiency * dt_s / 3600.0
        self.soc_pct -= drawn_kwh / battery.energy_kwh * 100
