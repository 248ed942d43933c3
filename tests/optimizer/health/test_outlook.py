"""Quantile paths: time to a limit, headroom, alarm; the score beside its parts."""

from __future__ import annotations

import numpy as np
import pytest

from optimizer.health.outlook import HEADROOM_MAX, headroom, outlook
from optimizer.health.score import health
from optimizer.health.thermal import NORMAL, TYPES, iec

OWN = TYPES["onan"]
QUANTILES = (0.1, 0.5, 0.9)
HOURS = np.arange(48)
SHAPE = 0.9 + 0.35 * np.sin(2 * np.pi * (HOURS - 12) / 24)
PATHS = np.vstack([f * SHAPE for f in (0.85, 1.0, 1.2)])
AMBIENT = 30.0 + 6.0 * np.sin(2 * np.pi * (HOURS - 9) / 24)


def test_the_hot_path_alarms_and_the_time_is_the_first_crossing() -> None:
    found = outlook(PATHS, AMBIENT, OWN, quantiles=QUANTILES, step_min=60.0, limits=NORMAL)
    assert found.is_alarm
    assert np.isnan(found.time_to_limit_min[0])
    hot = found.temperatures
    crossed = (hot.hot_spot_c[2] > 120.0) | (hot.top_oil_c[2] > 105.0) | (PATHS[2] > 1.5)
    assert found.time_to_limit_min[2] == 60.0 * int(np.argmax(crossed))


def test_headroom_is_the_factor_at_which_the_limit_is_met() -> None:
    found = headroom(PATHS, AMBIENT, OWN, step_min=60.0, limits=NORMAL)
    assert (np.diff(found) < 0).all()
    assert found[0] / found[1] == pytest.approx(1.0 / 0.85, rel=1e-4)
    at = iec(PATHS[1] * found[1], AMBIENT, OWN, step_min=60.0)
    worst = max(
        at.hot_spot_c.max() / 120.0, at.top_oil_c.max() / 105.0, (PATHS[1] * found[1]).max() / 1.5
    )
    assert worst == pytest.approx(1.0, abs=1e-4)


def test_measured_hours_bring_the_oil_to_where_it_is_and_are_not_scaled() -> None:
    past = np.full((3, 12), 1.3)
    both = np.hstack([past, PATHS])
    ambient = np.concatenate([np.full(12, 30.0), AMBIENT])
    cold = headroom(PATHS, AMBIENT, OWN, step_min=60.0, limits=NORMAL)
    warm = headroom(both, ambient, OWN, step_min=60.0, limits=NORMAL, past=12)
    assert (warm <= cold + 1e-6).all()
    assert headroom(0 * PATHS, AMBIENT, OWN, step_min=60.0, limits=NORMAL) == pytest.approx(
        HEADROOM_MAX, abs=1e-4
    )


def test_score_is_the_worst_part_and_names_it() -> None:
    found = health({"life used": 0.2, "operation wear": 0.7, "unknown": float("nan")}, coverage=0.9)
    assert found.score == pytest.approx(30.0)
    assert found.worst == "operation wear"
    assert "unknown" not in found.parts
    assert health({}, coverage=0.0).score is None
    assert health({"life used": 1.4}, coverage=1.0).score == 0.0
