"""Paths have the bands' distribution and the errors' correlation; the same seed, the same paths."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from optimizer.forecasting.conformal import LEVELS
from optimizer.forecasting.scenarios import between, correlation, paths

BANDS = 1000.0 + 50.0 * norm.ppf(np.array(LEVELS))[:, None] * np.array([1.0, 2.0, 3.0])


def test_paths_fill_the_bands_and_hang_together() -> None:
    random = np.random.default_rng(1)
    common = random.standard_normal((800, 1))
    errors = 0.9 * common + 0.4 * random.standard_normal((800, 3))
    errors[::50, 2] = np.nan
    matrix = correlation(errors)
    assert matrix[0, 2] == pytest.approx(0.84 * 0.95, abs=0.05)
    found = paths(BANDS, matrix, 4000, np.random.default_rng(2))
    for q, row in zip(LEVELS, BANDS, strict=True):
        assert (found <= row).mean(axis=0) == pytest.approx(q, abs=0.03)
    assert np.asarray(np.corrcoef(found[:, 0], found[:, 2]))[0, 1] == pytest.approx(
        matrix[0, 2], abs=0.05
    )
    again = paths(BANDS, matrix, 4000, np.random.default_rng(2))
    assert np.array_equal(found, again)


def test_leads_between_the_knots() -> None:
    matrix = np.array([[1.0, 0.5], [0.5, 1.0]])
    found = between(matrix, np.array([1.0, 3.0]), np.array([1.0, 2.0, 3.0]))
    assert found[0] == pytest.approx([1.0, 0.75, 0.5])
    assert np.diag(found) == pytest.approx(1.0)
    assert np.allclose(found, found.T)


def test_too_few_errors_are_refused() -> None:
    with pytest.raises(ValueError, match="20 whole past forecasts: paths need 60"):
        correlation(np.zeros((20, 3)))
