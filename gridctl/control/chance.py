"""How a plan takes the forecast's uncertainty, by the operator's setting, and the air's warmth.

`quantile`: the head's limit is held against one quantile. `scenarios`: beside it against correlated
paths of the whole horizon, each equally likely; `cvar_weight` says how much the worst of them count
(0: the mean of all). A transformer whose rating follows the air gets its temperature.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from gridctl.model.planning import Forecast, Series
from gridctl.model.policy import DynamicRating, HotSpot, ImportPrice, Policy, Scenario

DAY_S = 86_400.0
HOUR_S = 3_600.0


def with_forecast(
    policy: Policy,
    forecast: Forecast,
    *,
    cvar_weight: float,
    cvar_level: float,
    air_c: Series | None,
    ratings: Sequence[DynamicRating],
    price_by_hour: Sequence[float] = (),
    utc_offset_s: float = 0.0,
    import_prices: Sequence[ImportPrice] = (),
    hot_spots: Sequence[HotSpot] = (),
) -> Policy:
    """The policy with what the forecast says; without paths or air it is as it was.
    `price_by_hour`: what a kWh of import costs in each of the 24 local hours, or nothing."""
    if price_by_hour:
        horizon = forecast.horizon
        middle_s = [
            horizon.start_s + (k + 0.5) * horizon.step_s + utc_offset_s
            for k in range(horizon.count)
        ]
        prices = tuple(price_by_hour[int(at_s % DAY_S // HOUR_S)] for at_s in middle_s)
        policy = replace(policy, price_per_kwh=prices)
    paths = forecast.paths_kw
    if paths:
        policy = replace(
            policy,
            scenarios=tuple(Scenario(probability=1.0 / len(paths), head_kw=path) for path in paths),
            cvar_weight=cvar_weight,
            cvar_level=cvar_level,
        )
    known = air_ahead(air_c, forecast)
    if hot_spots and known:
        kept = {own.branch for own in hot_spots}
        policy = replace(policy, hot_spots=tuple(hot_spots), temperature_c=known)
        ratings = [one for one in ratings if one.branch not in kept]
    if ratings and known:
        policy = replace(policy, ratings=tuple(ratings), temperature_c=known)
    if import_prices:
        policy = replace(policy, import_prices=(*policy.import_prices, *import_prices))
    return policy


def air_ahead(air_c: Series | None, forecast: Forecast) -> tuple[float, ...]:
    """Air temperature of each interval of the horizon; where no forecast of it reaches, as at the
    same time a day before; () where that is not known either."""
    if air_c is None:
        return ()
    horizon, found = forecast.horizon, []
    day = round(DAY_S / air_c.step_s)
    for k in range(horizon.count):
        at_s = horizon.start_s + (k + 0.5) * horizon.step_s
        j = int((at_s - air_c.start_s) // air_c.step_s)
        back = [i for i in (j, j - day, j - 2 * day) if 0 <= i < len(air_c.values)]
        value = next((v for i in back if (v := air_c.values[i]) is not None), None)
        if value is None:
            return ()
        found.append(value)
    return tuple(found)
