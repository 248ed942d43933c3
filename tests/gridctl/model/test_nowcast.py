"""A forecast begins from what is measured, and the record of it can be made again."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
import pytest

from gridctl.model.nowcast import FADE_S, moved, nowcast
from gridctl.model.planning import Forecast, ForecastTask, Horizon, Series

QUANTILES = (0.1, 0.5, 0.9)


def forecast(count: int = 96, values_kw: tuple[float, ...] = (900.0, 1000.0, 1150.0)) -> Forecast:
    return Forecast(
        horizon=Horizon(start_s=0.0, step_s=900.0, count=count),
        quantiles=QUANTILES,
        values_kw=tuple((kw,) * count for kw in values_kw),
        method="made up",
        history_days=20.0,
        nmae_pct=None,
        paths_kw=((1000.0,) * count, (1150.0,) * count),
    )


@pytest.mark.parametrize("off_kw", [-300.0, 0.0, 50.0, 300.0])
def test_what_is_off_now_is_off_later_too_and_less_so(off_kw: float) -> None:
    found = nowcast(forecast(), 1000.0 + off_kw)
    moved_kw = [kw - 1000.0 for kw in found.at_quantile(0.5)]
    assert moved_kw[0] == pytest.approx(off_kw * math.exp(-450.0 / FADE_S))
    assert moved_kw[3] == pytest.approx(off_kw * math.exp(-3150.0 / FADE_S))
    assert abs(moved_kw[-1]) < 1e-4


def test_the_band_is_narrow_now_and_as_it_was_tomorrow() -> None:
    found = nowcast(forecast(), 1000.0)
    low_kw, middle_kw, high_kw = (np.array(found.at_quantile(q)) for q in QUANTILES)
    above_kw, below_kw = high_kw - middle_kw, middle_kw - low_kw
    assert 30.0 < above_kw[0] < 75.0
    assert np.all(np.diff(above_kw) > 0.0)
    assert above_kw[-1] == pytest.approx(150.0, abs=1e-3)
    # A skewed band stays as skewed as it was.
    assert above_kw == pytest.approx(1.5 * below_kw)


def test_a_path_at_a_quantile_stays_there() -> None:
    found = nowcast(forecast(), 1120.0)
    assert found.paths_kw[0] == pytest.approx(found.at_quantile(0.5))
    assert found.paths_kw[1] == pytest.approx(found.at_quantile(0.9))


def test_nine_of_ten_stay_below_the_high_quantile_where_errors_fade_as_is_assumed() -> None:
    spread_kw, runs, count = 80.0, 4_000, 12
    random = np.random.default_rng(7)
    step = math.exp(-450.0 / FADE_S)
    error_kw = random.normal(0.0, spread_kw, runs)
    now_kw = 1000.0 + error_kw
    below = np.zeros(count)
    half_kw = NormalDist().inv_cdf(0.9) * spread_kw
    ahead = forecast(count, (1000.0 - half_kw, 1000.0, 1000.0 + half_kw))
    high_kw = np.array([nowcast(ahead, float(kw)).at_quantile(0.9) for kw in now_kw])
    for half in range(2 * count):
        error_kw = step * error_kw + math.sqrt(1.0 - step**2) * random.normal(0.0, spread_kw, runs)
        if half % 2 == 0:
            below[half // 2] = np.mean(1000.0 + error_kw <= high_kw[:, half // 2])
    assert below == pytest.approx(0.9, abs=0.02)


def test_a_task_says_whether_it_wants_that() -> None:
    task = ForecastTask(
        history=Series(start_s=0.0, step_s=900.0, values=(1000.0,)),
        temperature_c=None,
        horizon=forecast().horizon,
        quantiles=QUANTILES,
        utc_offset_s=0.0,
        now_kw=1300.0,
    )
    assert moved(forecast(), task) == nowcast(forecast(), 1300.0)


def test_without_a_median_there_is_nothing_to_begin_from() -> None:
    ahead = forecast()
    without = Forecast(
        horizon=ahead.horizon,
        quantiles=(0.1, 0.9),
        values_kw=(ahead.values_kw[0], ahead.values_kw[2]),
        method="made up",
        history_days=20.0,
        nmae_pct=None,
    )
    with pytest.raises(KeyError):
        nowcast(without, 1000.0)
