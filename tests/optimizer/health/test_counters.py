"""Breakers, tap changers and voltages, each by hand."""

from __future__ import annotations

import numpy as np
import pytest

from optimizer.health.counters import breaker_wear, operations_at, tap_counts
from optimizer.health.voltage import WEEK, means, unbalance_pct, voltage_week


def test_the_wear_curve_goes_through_its_points_and_straight_between_them() -> None:
    found = operations_at(np.array([0.1, 1.2, 8.0, 20.0, np.sqrt(1.2 * 8.0)]))
    assert found == pytest.approx([10_000, 10_000, 150, 12, np.sqrt(10_000 * 150)])
    assert operations_at(np.array([25.0]))[0] < 12.0


def test_wear_adds_up_and_the_worse_kind_decides() -> None:
    wear = breaker_wear(np.array([8.0] * 75 + [20.0] * 3))
    assert wear.electrical == pytest.approx(75 / 150 + 3 / 12)
    assert wear.mechanical == 78 / 2_000
    assert wear.state == "warn"
    assert breaker_wear(np.array([20.0] * 11)).state == "alarm"
    assert breaker_wear(np.zeros(1_600), mechanical_class="M2").state == "fine"
    assert breaker_wear(np.zeros(1_600)).state == "warn"


def test_a_trip_that_becomes_slow_is_a_warning() -> None:
    slow = breaker_wear(
        np.zeros(6), trip_ms=np.array([50.0, 50, 56, 56, 56, 56]), commissioned_ms=50.0
    )
    assert slow.drift == pytest.approx((50 + 4 * 56) / 5 / 50 - 1)
    assert slow.state == "fine"
    slower = breaker_wear(np.zeros(5), trip_ms=np.full(5, 56.0), commissioned_ms=50.0)
    assert slower.state == "warn"


def test_taps_are_counted_by_position_and_hunting_by_turns() -> None:
    time_s = np.arange(12, dtype=np.float64) * 300.0
    tap = np.array([0, 1, 0, 1, 0, 1, 1, 3, 3, np.nan, 3, 3], dtype=float)
    found = tap_counts(time_s, tap)
    assert found.operations == 7
    assert found.busiest_day == 7
    # The fourth turn within half an hour of the first is at 1500 s.
    assert found.hunting == (1500.0,)
    steady = tap_counts(
        np.arange(48, dtype=np.float64) * 1800.0, np.repeat([0.0, 1.0, 0.0, 1.0], 12)
    )
    assert steady.hunting == ()
    assert tap_counts(time_s, np.zeros(12)).operations == 0


def test_en_50160_at_its_edges() -> None:
    week = np.full(WEEK, 1.0)
    assert voltage_week(week).complies is True
    week[:50] = 0.89
    assert voltage_week(week).complies is True
    assert voltage_week(week, medium=True).complies is False
    week[:51] = 0.89
    assert voltage_week(week).complies is False
    week = np.full(WEEK, 1.0)
    week[7] = 1.11
    found = voltage_week(week)
    assert found.complies is False
    assert voltage_week(week, medium=True).complies is True
    assert found.longest_outside_min == 10.0
    assert found.highest_pu == 1.11


def test_too_few_means_say_nothing() -> None:
    week = np.full(WEEK, np.nan)
    assert voltage_week(week).complies is None
    week[: WEEK // 2] = 1.0
    assert voltage_week(week).complies is None
    assert voltage_week(week).within_10 == 1.0


def test_ten_minute_means_need_half_their_samples() -> None:
    values = np.array([1.0, 1.1, np.nan, np.nan, 1.0, np.nan, np.nan, np.nan, 1.0, 1.0])
    found = means(values, step_s=120.0)
    assert np.isnan(found[0]) == (3 / 5 < 0.5)
    assert found[0] == pytest.approx(np.mean([1.0, 1.1, 1.0]))
    assert np.isnan(found[1])
    with pytest.raises(ValueError, match="do not make up"):
        means(values, step_s=420.0)


def test_unbalance() -> None:
    assert unbalance_pct(np.array([[1.0], [1.0], [0.94]]))[0] == pytest.approx(
        100 * (0.98 - 0.94) / 0.98
    )
