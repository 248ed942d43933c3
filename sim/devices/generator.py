"""A diesel or gas generator: takes its time to start, ramps, has a least load, cools down."""

from __future__ import annotations

from enum import StrEnum

from sim.devices.control import SetpointHold, ramped
from sim.devices.surroundings import Surroundings
from sim.fleet_units import GeneratorSite


class Running(StrEnum):
    """Where the machine is."""

    OFF = "off"
    STARTING = "starting"
    ON = "on"
    COOLING = "cooling"


class GeneratorDevice:
    """One generator. Setpoint and power: kW injected; 0 means stop."""

    def __init__(self, site: GeneratorSite) -> None:
        self.site = site
        self.hold = SetpointHold(default=0.0, low=0.0, high=site.resource.rating_kw)
        self.state = Running.OFF
        self._since_s = float("-inf")
        self.power_kw = 0.0
        self.starts = 0
        self.run_h = 0.0

    @property
    def injected_kw(self) -> float:
        return self.power_kw

    @property
    def available_kw(self) -> float:
        working = self.hold.remote and not self.hold.fault
        return self.site.resource.rating_kw if working else 0.0

    def step(self, around: Surroundings) -> None:
        """Let a step pass."""
        self.hold.expire(around.at_s)
        if self.hold.fault or not around.lit:
            # Synchronised to the grid: without it, or with a fault, the breaker opens at once.
            self._go(Running.OFF, around.at_s)
            self.power_kw = 0.0
            return
        in_state_s = around.at_s - self._since_s
        if self.state is Running.ON:
            self._run(around)
        else:
            self._wait(in_state_s, around.at_s)

    def _wait(self, in_state_s: float, at_s: float) -> None:
        wanted = self.hold.value > 0.0
        match self.state:
            case Running.OFF:
                if wanted:
                    self._go(Running.STARTING, at_s)
                    self.starts += 1
            case Running.STARTING:
                if not wanted:
                    self._go(Running.OFF, at_s)
                elif in_state_s >= self.site.start_s:
                    self._go(Running.ON, at_s)
            case Running.COOLING if wanted:
                self._go(Running.ON, at_s)
            case Running.COOLING if in_state_s >= self.site.cool_s:
                self._go(Running.OFF, at_s)
            case _:
                return

    def _run(self, around: Surroundings) -> None:
        wanted_kw = self.hold.value
        least_kw = self.site.least_share * self.site.resource.rating_kw
        target_kw = max(wanted_kw, least_kw) if wanted_kw > 0.0 else 0.0
        per_s = self.site.ramp_kw_per_s
        self.power_kw = ramped(self.power_kw, target_kw, per_s=per_s, dt_s=around.dt_s)
        self.run_h += around.dt_s / 3600.0
        if wanted_kw <= 0.0 and self.power_kw <= 0.0:
            self._go(Running.COOLING, around.at_s)

    def _go(self, state: Running, at_s: float) -> None:
        if state is not self.state:
            self.state, self._since_s = state, at_s
