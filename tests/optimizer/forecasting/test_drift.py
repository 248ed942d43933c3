"""A shifted level is found within days; noise, single days and gaps are none."""

from __future__ import annotations

import numpy as np
import pytest

from optimizer.forecasting.drift import daily_means, level_shifts, skill


def noise(days: int, seed: int = 1) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return np.random.default_rng(seed).normal(0.0, 100.0, days)


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_a_shift_is_found_and_dated(sign: float) -> None:
    errors = noise(200)
    errors[120:] += sign * 500.0
    first = level_shifts(errors)[0]
    assert 120 <= first.day <= 125
    assert 118 <= first.since <= 121
    assert first.shift_kw == pytest.approx(sign * 500.0, abs=150.0)


def test_three_years_of_noise_raise_hardly_any() -> None:
    assert len(level_shifts(noise(1095, seed=2))) <= 1


def test_a_single_day_and_gaps_are_no_shift() -> None:
    errors = noise(100, seed=3)
    errors[60] = 5000.0
    errors[70:80] = np.nan
    assert level_shifts(errors) == ()
    assert level_shifts(np.zeros(50)) == ()
    assert level_shifts(noise(10)) == ()


def test_daily_means_leave_gaps_out() -> None:
    means = daily_means(np.array([1.0, 3.0, np.nan, 5.0]), np.array([0.0, 0.0, 1.0, 2.0]))
    assert means[[0, 2]] == pytest.approx([2.0, 5.0])
    assert np.isnan(means[1])


def test_skill_is_measured_where_both_knew() -> None:
    actual = np.array([100.0, 100.0, np.nan, 100.0])
    found = skill(6.0, actual, actual - 2.0, np.array([90.0, np.nan, 90.0, 110.0]))
    assert found is not None
    assert (found.nmae_pct, found.naive_pct, found.count) == (2.0, 10.0, 2)
    assert found.skill_pct == pytest.approx(80.0)
    assert skill(1.0, np.full(3, np.nan), actual[:3], actual[:3]) is None
