"""What a good operator notices: a forecast that is off now, a tap changer that does not move."""

from __future__ import annotations

import numpy as np
import pytest

from gridctl.exam_watch import STUCK_AFTER_S, RegulatorWatch, held, nowcast
from gridctl.model.planning import Forecast, Horizon
from optimizer.regulated import RegulatedNetwork
from sim.feeder import load_feeder


def forecast(count: int = 12) -> Forecast:
    return Forecast(
        horizon=Horizon(start_s=0.0, step_s=900.0, count=count),
        quantiles=(0.1, 0.5, 0.9),
        values_kw=tuple((kw,) * count for kw in (900.0, 1000.0, 1100.0)),
        method="made up",
        history_days=20.0,
        nmae_pct=None,
    )


@pytest.mark.parametrize(("now_kw", "off_kw"), [(700.0, -300.0), (1050.0, 0.0), (1300.0, 200.0)])
def test_a_forecast_that_is_off_now_is_moved_and_less_so_later(
    now_kw: float, off_kw: float
) -> None:
    moved = nowcast(forecast(), 0.9, now_kw).at_quantile(0.5)
    assert moved[0] == pytest.approx(1000.0 + off_kw)
    assert abs(moved[-1] - 1000.0) <= abs(moved[0] - 1000.0) * 0.31
    assert len(moved) == 12


def test_a_regulator_is_stuck_when_it_stays_beyond_its_band() -> None:
    watch = RegulatorWatch()
    watch.look({"R1": 1.0, "R2": -0.4}, 0.0)
    watch.look({"R1": 1.2, "R2": 0.3}, STUCK_AFTER_S / 2)
    assert watch.stuck(STUCK_AFTER_S) == {"R1"}
    watch.look({"R1": -0.1, "R2": 0.3}, STUCK_AFTER_S)
    assert watch.stuck(2 * STUCK_AFTER_S) == {"R2"}


def test_a_held_regulator_does_not_move_in_the_model() -> None:
    feeder = load_feeder("ieee123")
    low = {r.mrid: (r.tap_min,) * len(r.phases) for r in feeder.regulators}
    load = np.full(2, 0.8)
    free = RegulatedNetwork(feeder, taps=low)
    still = RegulatedNetwork(held(feeder, {r.mrid for r in feeder.regulators}), taps=low)
    assert free.taps(free.solve(load_scale=load), 1) != low
    assert still.taps(still.solve(load_scale=load), 1) == low
