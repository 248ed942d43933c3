"""Which expert is believed: the short way and the long one say the same."""

from __future__ import annotations

import numpy as np

from optimizer.forecasting.combine import losses, losses_now


def test_the_last_row_of_all_losses_by_one_product() -> None:
    random = np.random.default_rng(3)
    errors = random.normal(size=(3, 200, 4))
    errors[1, :50] = np.nan
    errors[:, 120, 2] = np.nan
    errors[2] = np.nan
    late = np.zeros(4, dtype=np.intp)
    np.testing.assert_allclose(
        losses_now(errors, 24.0), losses(errors, late, 24.0)[:, -1], rtol=1e-12
    )
