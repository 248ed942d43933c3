"""What forecasts were worth: held against what came, by how far ahead they looked.

Errors are actual minus forecast, kW of import: positive where more came than was said.
"""

from __future__ import annotations

from dataclasses import dataclass

from gridctl.model.planning import Series


@dataclass(frozen=True, slots=True, kw_only=True)
class WeatherSaid:
    """What the weather service said of `quantity` ("temperature_c", "sun_w_m2", "wind_ms") at
    `issued_s`: the moment at which it was known here."""

    quantity: str
    issued_s: float
    series: Series


@dataclass(frozen=True, slots=True, kw_only=True)
class HorizonSkill:
    """At one lead: `nmae_pct` mean |error| / mean |load|; `naive_pct` the same of the week before,
    None where it is not known; `coverage_80_pct`: how often P10 to P90 held it; `count` targets."""

    lead_s: float
    nmae_pct: float
    bias_kw: float
    naive_pct: float | None
    coverage_80_pct: float
    count: int

    @property
    def skill_pct(self) -> float | None:
        """How much smaller our error is than that of the week before; negative: it is greater."""
        if self.naive_pct is None or self.naive_pct <= 0.0:
            return None
        return 100.0 * (1.0 - self.nmae_pct / self.naive_pct)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """The load's level has moved: since when, by how much (kW, mean daily error since then)."""

    since_s: float
    found_s: float
    shift_kw: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PastForecast:
    """What was said of each interval of `start_s + k * step_s`, `lead_s` before its end: P10, P50,
    P90 in kW, None where nothing was said."""

    lead_s: float
    p10_kw: Series
    p50_kw: Series
    p90_kw: Series


@dataclass(frozen=True, slots=True, kw_only=True)
class ForecastReview:
    """The last look back: skill by lead over `days`, and a shift that lasts."""

    at_s: float
    days: float
    horizons: tuple[HorizonSkill, ...]
    shift: Shift | None
