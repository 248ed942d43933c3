"""What the customers draw: standard profiles, cooling that follows the weather, and chance.

Standard load profiles H25 (households) and G25 (trade) are BDEW's of 2025, from demandlib. They
know the weekday and the season but no air conditioning, so cooling is added: nothing below 21 °C
felt, growing linearly above it. All of it scales a consumer's published kW.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from gridctl.model.network import EnergyConsumer, Feeder
from sim.feeder import consumer_branches
from sim.load_shapes import LoadShapes
from sim.noise import day_noise, smooth_noise
from sim.series import RecordedSeries
from sim.weather import DAY_S, Weather

_STEP_S: Final = 900.0
_COOLING_FROM_C: Final = 21.0
_COOLING_SPAN_C: Final = 15.0
_EACH, _ALL, _DAY = 21, 22, 23
_COMMERCIAL_KW: Final = 70.0
_EDGE_S: Final = 900.0
_HEATING_BELOW_C: Final = 15.0
_HEATING_SPAN_C: Final = 25.0
_NOTHING: Final = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerClass:
    """How one class of customers scales its published kW: share of the standard profile (at its
    summer peak), share of cooling (at full heat), and when the rooms are in use."""

    profile: str
    base_share: float
    cooling_share: float
    busy_from_h: float
    busy_to_h: float
    idle_share: float


HOUSEHOLD: Final = CustomerClass(
    profile="H25", base_share=0.38, cooling_share=0.90, busy_from_h=13.0, busy_to_h=18.75,
    idle_share=0.60,
)  # fmt: skip
COMMERCE: Final = CustomerClass(
    profile="G25", base_share=0.68, cooling_share=0.66, busy_from_h=8.0, busy_to_h=18.0,
    idle_share=0.35,
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Wave:
    """Demand times `factor` between two grid times, with edges of a quarter of an hour."""

    from_s: float
    to_s: float
    factor: float

    def at(self, at_s: float) -> float:
        """The factor now."""
        inside_s = min(at_s - self.from_s, self.to_s - at_s)
        return 1.0 + (self.factor - 1.0) * min(1.0, max(0.0, inside_s / _EDGE_S + 0.5))


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """What differs from a usual day: electric heating (share of the published kW at full cold),
    a holiday's habits (Sunday's profiles), what happens on the day itself, a recorded factor; the
    load shapes of the feeder, for those who follow one instead of a standard profile."""

    heating_share: float = 0.0
    holiday: bool = False
    scale: float = 1.0
    waves: tuple[Wave, ...] = ()
    series: RecordedSeries | None = None
    shapes: LoadShapes | None = None

    def factor(self, at_s: float) -> float:
        """By how much all demand is larger now."""
        found = self.scale
        for wave in self.waves:
            found *= wave.at(at_s)
        recorded = None if self.series is None else self.series.at("load_factor", at_s)
        return found if recorded is None else found * recorded


USUAL: Final = Turn()


def class_of(consumer: EnergyConsumer) -> CustomerClass:
    """Spot loads of 70 kW or more are commerce, smaller ones households (our assumption)."""
    return COMMERCE if sum(consumer.kw) >= _COMMERCIAL_KW else HOUSEHOLD


class Demand:
    """Demand of every consumer branch of a feeder at any grid time, by weather and seed."""

    def __init__(self, feeder: Feeder, weather: Weather, seed: int, turn: Turn = USUAL) -> None:
        self._weather = weather
        self._turn = turn
        self._seed = seed
        consumers = [(c, i) for c in feeder.consumers for i, _ in enumerate(consumer_branches(c))]
        self.consumers: tuple[str, ...] = tuple(c.mrid for c, _ in consumers)
        self.nominal_kw = np.array([c.kw[i] for c, i in consumers])
        # What draws no kW follows no profile: the mirror has it at rest.
        self._kvar_per_kw = np.array(
            [c.kvar[i] / c.kw[i] if c.kw[i] else 0.0 for c, i in consumers]
        )
        self._household = np.array([class_of(c) is HOUSEHOLD for c, _ in consumers])
        # One noise for all branches of a consumer: its phases belong together.
        order = {mrid: i for i, mrid in enumerate(dict.fromkeys(self.consumers))}
        self._own_noise = np.array([order[mrid] for mrid in self.consumers])
        self._noises = len(order)
        # What gives power in the feeder's model gives it all day.
        total = {c.mrid: sum(c.kw) for c in feeder.consumers}
        self._steady = np.array([total[mrid] < 0.0 for mrid in self.consumers], dtype=bool)
        self._followers = None if turn.shapes is None else turn.shapes.follow(self.consumers)
        self._shaped_kvar = np.ones(len(consumers))

    def kw(self, at_s: float) -> NDArray[np.float64]:
        """kW at nominal voltage of each branch, in the order of the engine's load elements."""
        scale = np.where(self._household, self._scale(HOUSEHOLD, at_s), self._scale(COMMERCE, at_s))
        each = smooth_noise(
            seed=self._seed, stream=_EACH, at_s=at_s, knot_s=600.0, width=self._noises
        )
        together = smooth_noise(seed=self._seed, stream=_ALL, at_s=at_s, knot_s=900.0, width=1)
        day = int((at_s + self._weather.climate.utc_offset_s) // DAY_S)
        level = 1 + 0.012 * day_noise(seed=self._seed, stream=_DAY, day=day, memory=2)
        chance = (1 + 0.05 * each[self._own_noise]) * (1 + 0.006 * together[0]) * level
        factor = np.where(self._steady, 1.0, scale * np.clip(chance, 0.5, 1.5))
        if self._followers is not None:
            local_s = at_s + self._weather.climate.utc_offset_s
            of_kw, of_kvar = self._followers.factors(local_s)
            factor[self._followers.at] = of_kw
            # kvar goes with what is drawn then, so it is the ratio that the shape sets.
            even = np.abs(of_kw) > _NOTHING
            ratio = np.divide(of_kvar, of_kw, out=np.zeros_like(of_kw), where=even)
            self._shaped_kvar[self._followers.at] = ratio
        found: NDArray[np.float64] = self.nominal_kw * factor
        return found

    def kvar(self, kw: NDArray[np.float64]) -> NDArray[np.float64]:
        """Reactive demand that goes with `kw` at the published power factors, or at those that the
        load shapes had when `kw` was asked for last."""
        found: NDArray[np.float64] = kw * self._kvar_per_kw * self._shaped_kvar
        return found

    def _scale(self, kind: CustomerClass, at_s: float) -> float:
        local_s = at_s + self._weather.climate.utc_offset_s
        hour = local_s % DAY_S / 3600.0
        heat = max(0.0, (self._weather.felt_c(at_s) - _COOLING_FROM_C) / _COOLING_SPAN_C)
        ahead = min(1.0, max(0.0, (hour - kind.busy_from_h + 1.5) / 2.5))
        behind = min(1.0, max(0.0, (kind.busy_to_h + 1.0 - hour) / 2.0))
        use = kind.idle_share + (1 - kind.idle_share) * min(ahead, behind)
        profile_s = local_s
        if self._turn.holiday and int(local_s // DAY_S) == self._weather.climate.day:
            # Nobody works: the Sunday before, at the same hour.
            weekday = datetime.fromtimestamp(local_s, UTC).weekday()
            profile_s = local_s - (weekday + 1) % 7 * DAY_S
            use = 1.0 if kind is HOUSEHOLD else kind.idle_share
        found = kind.base_share * _profile(kind.profile, profile_s)
        found += kind.cooling_share * heat * use
        if self._turn.heating_share:
            cold = max(0.0, (_HEATING_BELOW_C - self._weather.felt_c(at_s)) / _HEATING_SPAN_C)
            found += self._turn.heating_share * cold
        return found


def _profile(name: str, local_s: float) -> float:
    """Standard profile, 1.0 at the year's July peak on a workday, linear between quarter hours."""
    at = datetime.fromtimestamp(local_s, UTC)
    table = _profiles(at.year)[name]
    start_s = datetime(at.year, 1, 1, tzinfo=UTC).timestamp()
    place = (local_s - start_s) / _STEP_S
    low = int(place)
    high = min(low + 1, len(table) - 1)
    return float(table[low] + (place - low) * (table[high] - table[low]))


@cache
def _profiles(year: int) -> dict[str, NDArray[np.float64]]:
    with warnings.catch_warnings():
        # demandlib 0.2.2 calls pandas in ways that pandas 3 announces to drop.
        warnings.simplefilter("ignore")
        import pandas as pd  # noqa: PLC0415 - heavy; only who needs profiles pays
        from demandlib import bdew  # noqa: PLC0415

        quarters = pd.date_range(f"{year}-01-01", f"{year + 1}-01-01", freq="15min")
        raw = {"H25": bdew.H25(quarters), "G25": bdew.G25(quarters)}
    found = {}
    for name, series in raw.items():
        values = np.asarray(series, dtype=np.float64)
        july = values[181 * 96 : 212 * 96]
        found[name] = values / july.max()
    return found
