"""The health of assets: parts with their units and how much of the data was there.

Nothing here is a probability of failure: life used is that of the insulation, as the loading guides
count it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ThermalAsset:
    """A transformer that is watched. `kind` of IEC 60076-7 (distribution-onan, onan, onaf);
    `load_point` in kW, taken over `power_factor`; `branch`: its mrid in the feeder's model, whose
    rating then follows the air temperature in planning; None: only watched. `life_price_per_h`:
    what an hour of the insulation's life costs; with it ageing is weighed against other costs and
    the limit is that of emergency loading. `hot_spot_max_c`, `top_oil_max_c`, `load_max` (share of
    the rating): with all three a plan keeps its temperatures instead of a steady limit."""

    name: str
    kind: str
    rating_kva: float
    load_point: str
    power_factor: float
    upgraded: bool
    branch: str | None
    life_price_per_h: float | None = None
    hot_spot_max_c: float | None = None
    top_oil_max_c: float | None = None
    load_max: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PathOutlook:
    """One quantile path of the forecast: its hottest spot, minutes to the first limit (None: none
    within the horizon), and the largest factor on the load that keeps the limits."""

    quantile: float
    hot_spot_max_c: float
    time_to_limit_min: float | None
    headroom: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ThermalHealth:
    """`life_used_pct` over the days looked at; `curve`: (grid s, top oil °C, hot spot °C of the
    median and of P90) from the last day on. `coverage` 0 … 1 of load and air temperature; `why` in
    words where nothing can be said, else empty."""

    asset: ThermalAsset
    why: str
    coverage: float
    hot_spot_c: float | None = None
    top_oil_c: float | None = None
    hot_spot_max_c: float | None = None
    load_pct: float | None = None
    life_used_pct: float | None = None
    ageing: float | None = None
    paths: tuple[PathOutlook, ...] = ()
    curve: tuple[tuple[float, float, float, float], ...] = ()
    is_alarm: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Movements:
    """A tap changer, switch or capacitor that moved: counted over `days`; `hunting`: how often it
    turned round more than three times within half an hour. Of a switch: `openings`, what they took
    of the contacts' life by the current that they broke (`contacts_pct`, None where no current is
    measured), and `mechanical_pct` of class M1."""

    point: str
    equipment: str
    operations: int
    per_day: float
    busiest_day: int
    hunting: int
    days: float
    coverage: float
    openings: int | None = None
    contacts_pct: float | None = None
    mechanical_pct: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class VoltageQuality:
    """EN 50160 of one voltage over the last week's 10-minute means; `complies` None: too few."""

    point: str
    equipment: str
    phase: str
    means: int
    within_10_pct: float
    lowest_pu: float
    highest_pu: float
    longest_outside_min: float
    complies: bool | None
    coverage: float


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetReview:
    """One look at all. `parts`: shares of what is allowed, the worst of them is the score's."""

    at_s: float
    days: float
    transformers: tuple[ThermalHealth, ...]
    movements: tuple[Movements, ...]
    voltages: tuple[VoltageQuality, ...]
    score: float | None
    worst: str | None
    parts: Mapping[str, float]
    coverage: float
