"""Hong's model: what it says does not need its rows."""

from __future__ import annotations

import numpy as np
import pytest

from optimizer.arrays import FloatArray
from optimizer.forecasting.ensemble import Parts
from optimizer.forecasting.glm import Design
from optimizer.forecasting.grid import LoadGrid
from optimizer.similar_day import Calendar


@pytest.mark.parametrize("lite", [False, True])
@pytest.mark.parametrize("per_day", [24, 96])
def test_what_it_says_is_its_rows_times_its_coefficients(*, lite: bool, per_day: int) -> None:
    random = np.random.default_rng(1)
    count = 40 * per_day
    grid = LoadGrid(
        load_kw=random.normal(size=count),
        temperature_c=random.normal(15.0, 8.0, size=(1, count)),
        sun_w_m2=np.abs(random.normal(300.0, 200.0, size=(1, count))),
        wind_ms=np.zeros((0, count)),
        calendar=Calendar(first=19_000 * per_day, per_day=per_day),
        holidays=frozenset({19_010}),
    )
    weather = Parts(grid, np.array([0])).rows
    design = Design(grid, lite=lite)
    slots = np.arange(10 * per_day, 35 * per_day)
    rows = design.rows(slots, weather.at(slots))
    beta: FloatArray = np.asarray(random.normal(size=rows.shape[1]))
    np.testing.assert_allclose(
        design.said(slots, weather.at(slots), beta), rows @ beta, rtol=1e-9, atol=1e-9
    )
