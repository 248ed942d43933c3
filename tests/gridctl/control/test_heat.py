"""Where a transformer begins in a plan: what its load of the last day has brought it to."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from gridctl.control.chance import with_forecast
from gridctl.control.heat import hot_spot
from gridctl.model.planning import Series
from gridctl.model.policy import DynamicRating, Policy
from optimizer.health.thermal import TYPES, iec
from tests.gridctl.control.test_ageing import ASSET, FORECAST, NOW_S, STEP_S

KEPT = replace(
    ASSET, life_price_per_h=None, hot_spot_max_c=120.0, top_oil_max_c=105.0, load_max=1.5
)
LOAD_KW = tuple(700.0 + 300.0 * float(np.sin(k / 9.0)) for k in range(96))
DAY = Series(start_s=NOW_S - 86_400.0, step_s=STEP_S, values=LOAD_KW)


@pytest.mark.parametrize("kind", list(TYPES))
def test_it_begins_where_the_standard_says(kind: str) -> None:
    own = hot_spot(replace(KEPT, kind=kind), DAY)
    assert own is not None
    watched = iec(np.array(LOAD_KW) / 1_000.0, np.zeros(96), TYPES[kind], step_min=15.0)
    rise_k = own.oil_rise_now_k + own.winding_now_k - own.counter_now_k
    assert own.oil_rise_now_k == pytest.approx(watched.top_oil_c[-1], abs=0.01)
    assert rise_k == pytest.approx(watched.hot_spot_c[-1], abs=0.01)
    assert (own.hot_spot_max_c, own.load_max) == (120.0, 1.5)


def test_without_limits_a_branch_or_half_of_its_load_there_is_none() -> None:
    gone = replace(DAY, values=(None,) * 60 + LOAD_KW[60:])
    assert hot_spot(ASSET, DAY) is None
    assert hot_spot(replace(KEPT, branch=None), DAY) is None
    assert hot_spot(KEPT, gone) is None
    few = replace(DAY, values=(None,) * 10 + LOAD_KW[10:])
    assert hot_spot(KEPT, few) is not None


def test_its_temperatures_stand_for_its_rating_in_a_plan() -> None:
    own = hot_spot(KEPT, DAY)
    assert own is not None
    steady = DynamicRating(branch="t1", reference_c=20.0, above_pct_per_k=1.0, below_pct_per_k=1.0)
    air = Series(start_s=NOW_S, step_s=STEP_S, values=(30.0,) * 24)
    policy = with_forecast(
        Policy(), FORECAST, cvar_weight=0.0, cvar_level=0.9, air_c=air,
        ratings=(steady, replace(steady, branch="t2")), hot_spots=(own,),
    )  # fmt: skip
    assert policy.hot_spots == (own,)
    assert [one.branch for one in policy.ratings] == ["t2"]
    assert policy.temperature_c == (30.0,) * 24
    blind = with_forecast(
        Policy(), FORECAST, cvar_weight=0.0, cvar_level=0.9, air_c=None, ratings=(steady,),
        hot_spots=(own,),
    )  # fmt: skip
    assert blind.hot_spots == ()
