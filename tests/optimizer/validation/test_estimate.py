"""Rule 18: estimates are made as written, and every one is marked."""

from __future__ import annotations

import numpy as np
import pytest

from optimizer.validation.check import check
from optimizer.validation.estimate import estimated, scaled_to_register
from optimizer.validation.marks import Mark, has
from optimizer.validation.thresholds import Thresholds
from tests.optimizer.validation.series import PER_DAY, grid_of, load_kw

OWN = Thresholds()


def test_short_gap_by_a_line_long_one_by_three_like_days() -> None:
    own = load_kw(35, seed=1)
    wednesday = 30 * PER_DAY
    whole = own.copy()
    own[100:103] = np.nan
    own[wednesday : wednesday + 60] = np.nan
    grid = grid_of(own)
    checked = check(grid, {"p0": OWN})
    found, marked = estimated(checked, OWN)
    assert found[0, 100:103] == pytest.approx(np.linspace(own[99], own[103], 5)[1:-1])
    # The three weekdays before: Tuesday, Monday, Friday.
    like = np.mean([whole[d * PER_DAY : d * PER_DAY + 60] for d in (29, 28, 25)], axis=0)
    assert found[0, wednesday : wednesday + 60] == pytest.approx(like)
    is_marked = has(marked.marks[0], Mark.ESTIMATED)
    assert (is_marked == np.isfinite(found[0])).all()
    # Marked ones neither train nor settle.
    assert np.isnan(marked.usable()[0, is_marked]).all()
    assert np.isnan(grid.values[0, 100:103]).all()


def test_without_history_the_forecast_and_without_that_nothing() -> None:
    own = load_kw(2, seed=1)
    own[:30] = np.nan
    grid = grid_of(own)
    checked = check(grid, {"p0": OWN})
    found, _ = estimated(checked, OWN)
    assert np.isnan(found[0, :30]).all()
    found, marked = estimated(checked, OWN, forecast=np.full((1, len(own)), 5.0))
    assert (found[0, :30] == 5.0).all()
    assert has(marked.marks[0, :30], Mark.ESTIMATED).all()


def test_scaled_to_the_register() -> None:
    good = np.array([10.0, np.nan, np.nan, 10.0])
    guess = np.array([np.nan, 4.0, 6.0, np.nan])
    scaled = scaled_to_register(guess, good, advance_kwh=10.0, hours=0.25)
    assert scaled[1:3] == pytest.approx([8.0, 12.0])
    assert scaled_to_register(guess, good, advance_kwh=1.0, hours=0.25) is guess
