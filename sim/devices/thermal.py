"""A group of thermostats: air conditioners, heat pumps or water heaters, each with its own room.

Each unit is a first-order thermal model (the usual ETP reduced to one node): heat leaks with a time
constant, the unit pushes back while it is on, a thermostat with a dead band decides. Nothing is
prescribed: diversity, cold-load pickup after an outage and rebound after a shed follow from it.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sim.devices.control import SetpointHold
from sim.devices.surroundings import Surroundings, allowed_on, dice
from sim.fleet_units import ThermalSite

_STEP_MAX_S: Final = 60.0
_COMPRESSOR_REST_S: Final = 180.0
_BASELINE_S: Final = 900.0
_COMFORT_BAND_K: Final = 2.0
_AHEAD_K: Final = 2.0
"""So far beyond its band a room is cooled (or heated) ahead of a call at most."""
_GOES_ON_K: Final = 100.0
_STREAM_ROOM, _STREAM_DRAW = 51, 52
_DRAW_K: Final = 6.0
_DRAWS_BUSY, _DRAWS_IDLE = 0.25, 0.06
"""Chance of a draw of hot water per quarter of an hour."""
_BUSY_H: Final = ((6.0, 9.0), (17.0, 22.0))
_ON_AT_FIRST: Final = 0.4
_TANK_AMBIENT_C: Final = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    """What the units do: wanted temperature, dead band, time constant, and how far (K) a unit that
    never stops gets from its surroundings; `push` +1 heats, -1 cools."""

    wanted_c: float
    band_k: float
    constant_h: float
    reach_k: float
    push: int


APPLICATIONS: Final = {
    "cooling": Application(wanted_c=24.0, band_k=1.0, constant_h=4.0, reach_k=20.0, push=-1),
    "heating": Application(wanted_c=20.5, band_k=1.0, constant_h=8.0, reach_k=45.0, push=1),
    "water": Application(wanted_c=57.0, band_k=5.0, constant_h=60.0, reach_k=420.0, push=1),
}


class ThermalGroupDevice:
    """One group. Setpoint: kW to shed from what the group would draw by itself; negative, where it
    may be cooled ahead of a call: kW to draw besides."""

    def __init__(self, site: ThermalSite) -> None:
        self.site = site
        ahead = site.resource.precool
        low_kw = 0.0 if ahead is None else -ahead.rating_kw
        self.hold = SetpointHold(default=0.0, low=low_kw, high=site.resource.rating_kw)
        self.overridden = False
        self._is = APPLICATIONS[site.application]
        chance = dice(site.seed, _STREAM_ROOM)
        count = site.units
        self._kw = site.unit_kw * chance.uniform(0.8, 1.2, count)
        self._constant_h = self._is.constant_h * chance.uniform(0.7, 1.3, count)
        self._reach_k = self._is.reach_k * chance.uniform(0.85, 1.15, count)
        self._wanted_c = self._is.wanted_c + chance.uniform(-1.0, 1.0, count)
        self.rooms_c: NDArray[np.float64] = self._wanted_c + self._is.band_k * chance.uniform(
            -0.5, 0.5, count
        )
        self.on: NDArray[np.bool_] = chance.random(count) < _ON_AT_FIRST
        self._rested_s: NDArray[np.float64] = np.full(count, _COMPRESSOR_REST_S)
        self.baseline_kw = float(self._kw[self.on].sum())
        self.power_kw = self.baseline_kw
        self.available_kw = 0.0
        self.discomfort_k_h = 0.0
        """Kelvin-hours beyond the comfort band, summed over the units."""

    @property
    def injected_kw(self) -> float:
        return -self.power_kw

    def step(self, around: Surroundings) -> None:
        """Let a step pass."""
        self.hold.expire(around.at_s)
        shed_kw = 0.0 if self.overridden or self.hold.fault else self.hold.value
        parts = max(1, int(np.ceil(around.dt_s / _STEP_MAX_S)))
        dt_s = around.dt_s / parts
        energy = 0.0
        for part in range(parts):
            self._drift(around, dt_s, part)
            self._decide(around, shed_kw, dt_s)
            energy += float(self._kw[self.on].sum()) * dt_s
            if (shed_kw == 0.0 or self.hold.opposite) and around.lit:
                weight = exp(-dt_s / _BASELINE_S)
                now_kw = float(self._kw[self.on].sum())
                self.baseline_kw = weight * self.baseline_kw + (1 - weight) * now_kw
        self.power_kw = energy / around.dt_s if around.dt_s > 0 else 0.0
        working = self.hold.remote and not self.hold.fault and not self.overridden and around.lit
        self.available_kw = min(self.baseline_kw, self.hold.high) if working else 0.0
        beyond = np.maximum(0.0, self._lack() - self._is.band_k / 2 - _COMFORT_BAND_K)
        self.discomfort_k_h += float(beyond.sum()) * around.dt_s / 3600.0

    def _lack(self) -> NDArray[np.float64]:
        """How far each room is from what is wanted, on the side that the unit works against."""
        lack: NDArray[np.float64] = (self._wanted_c - self.rooms_c) * self._is.push
        return lack

    def _drift(self, around: Surroundings, dt_s: float, part: int) -> None:
        outside = _TANK_AMBIENT_C if self.site.application == "water" else around.temperature_c
        goal_c = outside + self._is.push * self._reach_k * self.on
        self.rooms_c = goal_c + (self.rooms_c - goal_c) * np.exp(-dt_s / 3600.0 / self._constant_h)
        if self.site.application == "water":
            chance = dice(self.site.seed, _STREAM_DRAW, int(around.at_s), part)
            busy = _DRAWS_BUSY if any(a <= around.local_h < b for a, b in _BUSY_H) else _DRAWS_IDLE
            draws = chance.random(len(self.rooms_c)) < busy * dt_s / 900.0
            self.rooms_c = np.where(draws, self.rooms_c - _DRAW_K, self.rooms_c)

    def _decide(self, around: Surroundings, shed_kw: float, dt_s: float) -> None:
        half = self._is.band_k / 2
        lack = self._lack()
        wish = np.where(lack > half, True, np.where(lack < -half, False, self.on))
        if not around.lit:
            wish = np.zeros(len(wish), dtype=bool)
        elif shed_kw > 0.0 and self.hold.opposite:
            wish = np.ones(len(wish), dtype=bool)
        elif shed_kw > 0.0:
            wish = allowed_on(wish, self._kw, lack, max(0.0, self.baseline_kw - shed_kw))
        elif shed_kw < 0.0 and not self.hold.opposite:
            # Who runs goes on until its room is as cold as may be: compressors need their rests.
            may = (lack > -half - _AHEAD_K) & (self.on | (self._rested_s >= _COMPRESSOR_REST_S))
            first = lack + _GOES_ON_K * self.on
            wish = allowed_on(may, self._kw, first, self.baseline_kw - shed_kw)
        rests = self.site.application != "water"
        if rests:
            wish &= self.on | (self._rested_s >= _COMPRESSOR_REST_S)
        self._rested_s = np.where(wish, 0.0, self._rested_s + dt_s)
        self.on = wish
