"""What a plan is told of a transformer: a price of life that follows load and air, an emergency
limit, and nothing where too little is known."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from gridctl.control.ageing import ageing_price, dynamic_rating
from gridctl.control.chance import with_forecast
from gridctl.model.assets import ThermalAsset
from gridctl.model.planning import Forecast, Horizon, Series
from gridctl.model.policy import Policy

STEP_S = 900.0
NOW_S = 20_640 * 86_400.0
COUNT = 24
ASSET = ThermalAsset(
    name="T1", kind="onan", rating_kva=1_000.0, load_point="HEAD", power_factor=1.0,
    upgraded=False, branch="t1", life_price_per_h=2.0,
)  # fmt: skip
DAY = Series(start_s=NOW_S - 86_400.0, step_s=STEP_S, values=(800.0,) * 96)
AIR = np.full(96, 25.0)
AHEAD = (25.0,) * COUNT
FORECAST = Forecast(
    horizon=Horizon(start_s=NOW_S, step_s=STEP_S, count=COUNT),
    quantiles=(0.5, 0.9),
    values_kw=((1_100.0,) * COUNT, (1_200.0,) * COUNT),
    method="by hand",
    history_days=7.0,
    nmae_pct=None,
)


def test_life_has_a_price_by_level_of_import() -> None:
    price = ageing_price(ASSET, DAY, AIR, AHEAD, FORECAST, quantile=0.9)
    assert price is not None
    policy = with_forecast(
        Policy(), FORECAST, cvar_weight=0.0, cvar_level=0.9, air_c=None, ratings=(),
        import_prices=(price,),
    )  # fmt: skip
    assert policy.mistakes(COUNT, ("t1",)) == []
    assert policy.asks
    assert "priced: ageing of T1" in policy.told()
    # Levels of the median, moved to the quantile that the plan counts with.
    assert price.above_kw[0] == pytest.approx((100.0,) * COUNT)
    assert price.above_kw[5] == pytest.approx((1_200.0,) * COUNT)
    twice = ageing_price(
        replace(ASSET, life_price_per_h=4.0), DAY, AIR, AHEAD, FORECAST, quantile=0.9
    )
    assert twice is not None
    assert twice.per_kwh[5] == pytest.approx([2.0 * v for v in price.per_kwh[5]])
    hot = ageing_price(ASSET, DAY, AIR + 6.0, (31.0,) * COUNT, FORECAST, quantile=0.9)
    assert hot is not None
    assert hot.per_kwh[5] == pytest.approx([2.0 * v for v in price.per_kwh[5]], rel=1e-6)


def test_what_is_not_known_is_not_priced() -> None:
    gone = replace(DAY, values=(None,) * 60 + (800.0,) * 36)
    cheap = replace(ASSET, life_price_per_h=None)
    cold = Series(start_s=DAY.start_s, step_s=STEP_S, values=(50.0,) * 96)
    idle = replace(FORECAST, values_kw=((50.0,) * COUNT, (60.0,) * COUNT))
    for given in (
        (ASSET, gone, AIR, AHEAD, FORECAST),
        (ASSET, DAY, np.full(96, math.nan), AHEAD, FORECAST),
        (ASSET, DAY, AIR, (), FORECAST),
        (cheap, DAY, AIR, AHEAD, FORECAST),
        (ASSET, cold, AIR - 30.0, (-5.0,) * COUNT, idle),
    ):
        assert ageing_price(*given, quantile=0.9) is None


def test_with_a_price_the_limit_is_that_of_emergency_loading() -> None:
    plain, priced = dynamic_rating(replace(ASSET, life_price_per_h=None)), dynamic_rating(ASSET)
    assert plain is not None
    assert priced is not None
    assert plain.at_reference_pct == 100.0
    assert 125.0 < priced.at_reference_pct < 145.0
    assert dynamic_rating(replace(ASSET, branch=None)) is None
