"""A forecast that is off now is moved, and the record of it can be made again."""

from __future__ import annotations

import pytest

from gridctl.model.nowcast import moved, nowcast
from gridctl.model.planning import Forecast, ForecastTask, Horizon, Series


def forecast(count: int = 12) -> Forecast:
    return Forecast(
        horizon=Horizon(start_s=0.0, step_s=900.0, count=count),
        quantiles=(0.1, 0.5, 0.9),
        values_kw=tuple((kw,) * count for kw in (900.0, 1000.0, 1100.0)),
        method="made up",
        history_days=20.0,
        nmae_pct=None,
        paths_kw=((1000.0,) * count,),
    )


@pytest.mark.parametrize(("now_kw", "off_kw"), [(700.0, -300.0), (1050.0, 0.0), (1300.0, 200.0)])
def test_a_forecast_that_is_off_now_is_moved_and_less_so_later(
    now_kw: float, off_kw: float
) -> None:
    found = nowcast(forecast(), now_kw, quantile=0.9)
    median = found.at_quantile(0.5)
    assert median[0] == pytest.approx(1000.0 + off_kw)
    assert abs(median[-1] - 1000.0) <= abs(median[0] - 1000.0) * 0.31
    assert len(median) == 12
    assert found.paths_kw[0] == pytest.approx(median)


def test_a_task_says_whether_it_wants_that() -> None:
    task = ForecastTask(
        history=Series(start_s=0.0, step_s=900.0, values=(1000.0,)),
        temperature_c=None,
        horizon=forecast().horizon,
        quantiles=(0.1, 0.5, 0.9),
        utc_offset_s=0.0,
        now_kw=1300.0,
    )
    assert moved(forecast(), task) == nowcast(forecast(), 1300.0, quantile=0.9)
