"""What a plan is told of a transformer: how far it may go by air temperature, and what life costs.

Without a price of life its limit is the steady load at which the insulation ages at its rated
speed. With one (`life_price_per_h`) ageing is a cost that the plan weighs against what it would
have to ask of customers, and the limit is that of long-time emergency loading (IEC 60076-7:
140 °C hot spot, 115 °C top oil), which no plan may pass.
"""

from __future__ import annotations

import asyncio

import numpy as np

from gridctl.control.chance import air_ahead
from gridctl.control.ports import Store
from gridctl.control.settings import OfficeSettings
from gridctl.control.weather import value_at
from gridctl.model.assets import ThermalAsset
from gridctl.model.planning import Forecast, ForecastTask, Series
from gridctl.model.policy import DynamicRating, ImportPrice
from optimizer.arrays import FloatArray
from optimizer.health.ageing import ageing_prices, steady_load
from optimizer.health.thermal import (
    HOT_SPOT_NORMAL_C,
    HOT_SPOT_UPGRADED_C,
    LONG_EMERGENCY,
    TYPES,
    Limits,
)

PAST_S = 86_400.0
"""The oil has forgotten what was before."""
KNOWN_MIN = 0.5
REFERENCE_C = 20.0
AROUND_K = 10.0
NOTHING_PER_KWH = 1e-6


def dynamic_rating(asset: ThermalAsset) -> DynamicRating | None:
    """Its limit by air temperature, straight lines below and above 20 °C. None for an asset that
    is not in the model."""
    if asset.branch is None:
        return None
    own = TYPES[asset.kind]
    rated_c = HOT_SPOT_UPGRADED_C if asset.upgraded else HOT_SPOT_NORMAL_C
    limits = Limits(top_oil_c=LONG_EMERGENCY.top_oil_c, hot_spot_c=rated_c, load=np.inf)
    if asset.life_price_per_h is not None:
        limits = LONG_EMERGENCY
    at = [steady_load(own, REFERENCE_C + k, limits) for k in (-AROUND_K, 0.0, AROUND_K)]
    return DynamicRating(
        branch=asset.branch,
        reference_c=REFERENCE_C,
        above_pct_per_k=100.0 * (at[1] - at[2]) / at[1] / AROUND_K,
        below_pct_per_k=100.0 * (at[0] - at[1]) / at[1] / AROUND_K,
        at_reference_pct=100.0 if asset.life_price_per_h is None else 100.0 * at[1],
    )


def ageing_price(
    asset: ThermalAsset,
    load_kw: Series,
    past_c: FloatArray,
    ahead_c: tuple[float, ...],
    forecast: Forecast,
    *,
    quantile: float,
) -> ImportPrice | None:
    """What import costs the transformer at the feeder's head in life. `load_kw`: its own load of
    the last day in the forecast's steps, `past_c` the air beside it; `ahead_c` of the horizon.
    Expected life is that of the median; the plan counts its import at `quantile`. None without a
    price, for less than half a day, and where life costs nothing that counts."""
    if asset.life_price_per_h is None or not ahead_c:
        return None
    load = np.array([np.nan if v is None else v for v in load_kw.values], dtype=np.float64)
    if min(np.isfinite(load).mean(), np.isfinite(past_c).mean()) < KNOWN_MIN:
        return None
    kw = asset.rating_kva * asset.power_factor
    median = np.array(forecast.at_quantile(0.5))
    step_s = forecast.horizon.step_s
    found = ageing_prices(
        _bridged(load) / kw,
        median / kw,
        np.concatenate([_bridged(past_c), ahead_c]),
        TYPES[asset.kind],
        step_min=step_s / 60.0,
        upgraded=asset.upgraded,
    )
    per_kwh = found.life_h * asset.life_price_per_h / kw
    if per_kwh.max() < NOTHING_PER_KWH:
        return None
    above = found.above * kw + (np.array(forecast.at_quantile(quantile)) - median)
    return ImportPrice(
        what=f"ageing of {asset.name}",
        above_kw=tuple(tuple(row) for row in above.tolist()),
        per_kwh=tuple(tuple(row) for row in per_kwh.tolist()),
    )


class LifePrices:
    """Of all transformers whose load is the feeder head's, once for each forecast."""

    def __init__(self, store: Store, settings: OfficeSettings) -> None:
        self._store = store
        self._quantile = settings.planning.quantile
        self._assets = tuple(
            one
            for one in settings.transformers
            if one.life_price_per_h is not None and one.load_point == settings.head_point
        )

    async def told(self, task: ForecastTask, forecast: Forecast) -> tuple[ImportPrice, ...]:
        """By the air and the load that the task knows. Raises UnavailableError."""
        air, horizon = task.temperature_c, task.horizon
        if air is None or not self._assets:
            return ()
        start_s, step_s = horizon.start_s, horizon.step_s
        back = range(round(PAST_S / step_s), 0, -1)
        past = [value_at(air, start_s - k * step_s) for k in back]
        past_c = np.array([np.nan if at is None else at for at in past], dtype=np.float64)
        found = []
        for asset in self._assets:
            load = await self._store.series(
                asset.load_point, start_s=start_s - PAST_S, end_s=start_s, step_s=step_s
            )
            price = await asyncio.to_thread(
                ageing_price,
                asset,
                load,
                past_c,
                air_ahead(air, forecast),
                forecast,
                quantile=self._quantile,
            )
            found += [] if price is None else [price]
        return tuple(found)


def _bridged(values: FloatArray) -> FloatArray:
    known = np.flatnonzero(np.isfinite(values))
    row: FloatArray = np.interp(np.arange(len(values)), known, values[known])
    return row
