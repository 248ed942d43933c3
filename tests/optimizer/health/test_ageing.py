"""The price of a transformer's life by load: along the path it sums up to the life itself."""

from __future__ import annotations

import numpy as np
import pytest

from optimizer.health.ageing import LEVELS, TAIL_H, ageing_prices, lost_life_h, steady_load
from optimizer.health.thermal import LONG_EMERGENCY, TYPES, Limits

OWN = TYPES["onan"]
STEP_MIN = 15.0
PAST = np.full(96, 0.8)
AHEAD = 0.9 + 0.4 * np.sin(np.linspace(0.0, np.pi, 48))
AIR = np.full(144, 25.0)


def lost(share: float) -> float:
    tail = round(TAIL_H * 60 / STEP_MIN)
    load = np.concatenate([PAST, share * AHEAD, np.full(tail, AHEAD[-1])])
    air = np.concatenate([AIR, np.full(tail, 25.0)])
    found = lost_life_h(load, air, OWN, step_min=STEP_MIN, upgraded=False, past=len(PAST))
    return float(found)


def test_prices_along_the_path_are_the_life_that_is_saved() -> None:
    found = ageing_prices(PAST, AHEAD, AIR, OWN, step_min=STEP_MIN, upgraded=False)
    assert (np.diff(found.above, axis=0) > 0.0).all()
    assert (np.diff(found.life_h, axis=0) >= 0.0).all()
    # From 70 to 100 % of the path: three bands of a tenth of the load each.
    first = LEVELS.index(0.7)
    said = (found.life_h[first : first + 3] * 0.1 * AHEAD).sum() * STEP_MIN / 60.0
    assert said == pytest.approx(lost(1.0) - lost(0.7), rel=0.03)


def test_a_hot_afternoon_is_dear_and_the_hour_before_it_too() -> None:
    found = ageing_prices(PAST, AHEAD, AIR, OWN, step_min=STEP_MIN, upgraded=False)
    now = found.life_h[LEVELS.index(0.9)]
    assert now.max() > 10.0 * now[-1]
    # The oil remembers: an hour before the peak is dearer than the same load behind it is.
    early = ageing_prices(PAST, AHEAD * 0 + 0.9, AIR, OWN, step_min=STEP_MIN, upgraded=False)
    assert now[8] > early.life_h[LEVELS.index(0.9)][8]
    cool = ageing_prices(PAST, AHEAD, AIR - 24.0, OWN, step_min=STEP_MIN, upgraded=False)
    assert found.life_h[5].max() / cool.life_h[5].max() == pytest.approx(2.0 ** (24 / 6), rel=1e-3)


def test_the_steady_load_keeps_each_limit() -> None:
    assert steady_load(OWN, 20.0, Limits(top_oil_c=999, hot_spot_c=98, load=9)) == pytest.approx(1)
    emergency = steady_load(OWN, 20.0, LONG_EMERGENCY)
    assert 1.25 < emergency < 1.45
    assert steady_load(OWN, -90.0, LONG_EMERGENCY) == pytest.approx(LONG_EMERGENCY.load)
    assert steady_load(OWN, 150.0, LONG_EMERGENCY) == 0.0
