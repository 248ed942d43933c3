"""Saved and restored, a forecaster says the same to the last bit; so do its paths and skill."""

from __future__ import annotations

import numpy as np
import pytest

from optimizer.forecasting.online import Forecaster
from optimizer.forecasting.state import restored, saved
from tests.optimizer.forecasting.series import grid_of, hourly

LEADS = tuple(range(1, 25))


@pytest.fixture(scope="module")
def trained() -> Forecaster:
    load, warm = hourly(70, seed=8)
    load[50 * 24 :] = np.nan
    return Forecaster.train(grid_of(load, warm), end=50 * 24, reach=24)


def test_a_restored_forecaster_goes_on(trained: Forecaster) -> None:
    load, warm = hourly(70, seed=8)
    content = saved(trained)
    again = restored(content)
    grid = grid_of(load[: 52 * 24 + 24], warm[: 52 * 24 + 24])
    for origin in (51 * 24, 52 * 24 - 1):
        ours = trained.forecast(grid, origin=origin, leads=LEADS)
        theirs = again.forecast(grid, origin=origin, leads=LEADS)
        assert np.array_equal(ours.values_kw, theirs.values_kw)
        assert ours.nmae_pct == theirs.nmae_pct
    assert len(content) < 2_000_000
    assert again.due(52 * 24 + grid.calendar.first, 24) is False
    assert again.due(58 * 24 + grid.calendar.first, 24) is True


def test_paths_and_skill_of_a_forecaster(trained: Forecaster) -> None:
    load, warm = hourly(70, seed=8)
    grid = grid_of(load[: 53 * 24 + 24], warm[: 53 * 24 + 24])
    bands = trained.forecast(grid, origin=53 * 24 - 1, leads=LEADS)
    found = trained.paths(bands, LEADS, count=200, random=np.random.default_rng(1))
    assert found.shape == (200, 24)
    inside = (found >= bands.values_kw[2]) & (found <= bands.values_kw[6])
    assert inside.mean() == pytest.approx(0.8, abs=0.05)
    skills = trained.skills(grid, origin=53 * 24 - 1)
    assert [one.lead_h for one in skills] == [1, 2, 3, 6, 9, 12, 15, 18, 21, 24]
    # Three days are few at the long leads: all of them beat last week, the near ones by far.
    assert all(one.skill_pct > 0.0 for one in skills)
    assert all(one.skill_pct > 30.0 for one in skills[:4])


@pytest.mark.parametrize("content", [b"", b"nothing", b"PK\x03\x04 cut"])
def test_what_is_no_forecaster_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match="no saved forecaster"):
        restored(content)
