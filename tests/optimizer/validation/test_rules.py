"""Each rule by hand: what it marks, and what it lets be."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from optimizer.validation import rules


def row(*values: float) -> np.ndarray:
    return np.array([values], dtype=float)


def at(found: np.ndarray) -> list[int]:
    return np.flatnonzero(found[0]).tolist()


def test_5_hard_range_lets_missing_be() -> None:
    values = row(0.0, 131.0, -131.0, np.nan, 130.0)
    assert at(rules.hard_range(values, np.array([-130.0]), np.array([130.0]))) == [1, 2]


def test_6_soft_range_is_a_tenth_of_the_spread_beyond() -> None:
    bound = {"low": row(10.0), "high": row(90.0), "spread": row(80.0)}
    assert at(rules.soft_range(row(1.9, 2.1, 98.1, 97.9), **bound, margin=0.1)) == [0, 2]


def test_7_rate_of_change_beside_a_gap_is_not_known() -> None:
    change = rules.steps(row(0.0, 16.0, np.nan, 100.0, 101.0))
    assert at(rules.rate_of_change(change, row(10.0), factor=1.5)) == [1]


def test_8_spike_is_a_jump_and_the_way_back() -> None:
    change = rules.steps(row(10.0, 11.0, 41.0, 12.0, 13.0, 43.0, 44.0))
    assert at(rules.spike(change, row(10.0), factor=1.0)) == [2]


def test_8_of_two_blamed_neighbours_the_greater_is_meant() -> None:
    change = rules.steps(row(10.0, 10.0, 60.0, 25.0, 38.0, 38.0))
    assert at(rules.spike(change, row(11.0), factor=1.0)) == [2]


def test_9_hampel_centred_and_trailing() -> None:
    values = row(*([10.0, 10.1] * 6))
    values[0, 5] = 30.0
    p99 = row(10.0)
    assert at(rules.hampel(values, p99, sigmas=10, floor=0.01)) == [5]
    assert at(rules.hampel(values, p99, sigmas=10, floor=0.01, centred=False)) == [5]


def test_10_forecast_residual_counts_band_widths() -> None:
    band = {"low": row(8.0), "median": row(10.0), "high": row(12.0)}
    assert at(rules.forecast_residual(row(22.1, 21.9, -2.1), **band, widths=3.0)) == [0, 2]


def test_11_one_peak_above_the_third() -> None:
    days = np.array([[[10.0, 28.5, 10.0, 9.0], [10.0, 27.0, 10.0, 9.0], [np.nan] * 4]])
    assert rules.peak_excess(days, excess=1.8).tolist() == [[True, False, False]]


def test_12_frozen_from_four_on_and_never_at_zero() -> None:
    values = row(1.0, 2.0, 2.0, 2.0, 2.0, 3.0, 3.0, 3.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    assert at(rules.frozen(values, count_min=4, deadband=0.0)) == [1, 2, 3, 4]


def test_12_frozen_only_while_others_move() -> None:
    values = row(2.0, 2.0, 2.0, 2.0)
    still = np.zeros((1, 4), dtype=bool)
    moved = np.array([[False, False, True, False]])
    assert at(rules.frozen(values, count_min=4, deadband=0.0, moved=still)) == []
    assert at(rules.frozen(values, count_min=4, deadband=0.0, moved=moved)) == [0, 1, 2, 3]


def test_13_dead_zero_needs_a_living_sibling() -> None:
    values = row(5.0, 0.0, 0.0, 0.0, 0.0, 5.0)
    alive = np.ones((1, 6), dtype=bool)
    assert at(rules.dead_zero(values, count_min=3, alive=alive)) == [1, 2, 3, 4]
    assert at(rules.dead_zero(values, count_min=4, alive=alive)) == []
    assert at(rules.dead_zero(values, count_min=3, alive=~alive)) == []


def test_14_sum_check_two_multipliers_or_a_fifth_of_a_percent() -> None:
    sums, register = row(1000.0, 1003.0, 10.0, 10.0), row(1000.0, 1000.0, 10.3, 12.1)
    found = rules.sum_check(sums, register, multiplier=np.array([1.0]), share=0.002)
    assert at(found) == [1, 3]


def test_15_power_balance() -> None:
    found = rules.power_balance(
        np.array([100.0, 110.0]), np.array([[50.0, 50.0], [45.0, 45.0]]), np.array([5.0, 5.0]),
        sigma_kw=1.0, rating_kw=200.0, sigmas=3.0, share=0.02,
    )  # fmt: skip
    assert found.tolist() == [False, True]


def test_16_p_q_v_i() -> None:
    kw, kvar, volt = np.array([100.0, 100.0]), np.array([0.0, 0.0]), np.array([400.0, 400.0])
    ampere = np.array([100e3 / np.sqrt(3) / 400.0, 100.0])
    found = rules.consistency(kw, kvar, volt, ampere, rating_kva=250.0, share=0.03)
    assert found.tolist() == [False, True]


def test_19_sign_and_multiplier() -> None:
    shape = 10.0 + np.sin(np.linspace(0, 6.28, 24))
    days = np.array([[shape, -shape]])
    like = np.array([[shape, shape]])
    assert rules.sign_turned(days, like, correlation=-0.5).tolist() == [[False, True]]
    # The other way up at the same level is a strange day, not a wrong sign.
    assert not rules.sign_turned(np.array([[20.0 - shape]]), like[:, :1], correlation=-0.5).any()
    level = np.array([[10.0, 0.0102, 96.0, 94.0, 0.0]])
    assert rules.wrong_multiplier(level, np.full((1, 5), 10.0), tolerance=0.05).tolist() == [
        [False, True, True, False, False]
    ]


def test_20_level_shift_alarms_once_and_starts_again() -> None:
    residual = row(*([0.0] * 5 + [4.0] * 8))
    # 3 a day above the slack: above 10 on the fourth day, then from nothing again.
    assert at(rules.level_shift(residual, slack=1.0, alarm=10.0)) == [8, 12]
    assert at(rules.level_shift(-residual, slack=1.0, alarm=10.0)) == [8, 12]
    assert at(rules.level_shift(row(*([0.9] * 100)), slack=1.0, alarm=10.0)) == []


def test_2_timestamps_too_old_and_of_the_future() -> None:
    received = np.full(4, 1000.0)
    source = np.array([999.0, 819.0, 1004.0, 1006.0])
    found = rules.timestamps(source, received, skew_s=180.0, future_s=5.0)
    assert found.tolist() == [False, True, False, True]


def test_2_order() -> None:
    late, again = rules.out_of_order(np.array([1.0, 2.0, 4.0, 3.0, 4.0, 5.0]))
    assert np.flatnonzero(late).tolist() == [3]
    assert np.flatnonzero(again).tolist() == [4]


def test_3_stale_and_4_incomplete() -> None:
    age, scan = np.array([59.0, 61.0, 181.0]), np.array([2.0, 2.0, 60.0])
    assert rules.stale(age, scan, scans=3.0, least_s=60.0).tolist() == [False, True, True]
    days = np.ones((1, 2, 100))
    days[0, 0, :5], days[0, 1, :6] = np.nan, np.nan
    assert rules.incomplete(days, share=0.95).tolist() == [[False, True]]


@given(st.lists(st.floats(-1e6, 1e6), min_size=8, max_size=60), st.floats(0.01, 100.0))
def test_no_rule_depends_on_the_unit(values: list[float], factor: float) -> None:
    own = np.array([values])
    usual = np.quantile(np.abs(np.diff(own)), 0.9, axis=1, keepdims=True)
    plain = rules.spike(rules.steps(own), usual, factor=1.0)
    # A power of two changes no digit: equality is exact.
    scale = 2.0 ** round(np.log2(factor))
    assert (rules.spike(rules.steps(own * scale), usual * scale, factor=1.0) == plain).all()
    still = rules.frozen(own, count_min=3, deadband=0.0)
    assert (rules.frozen(own * scale, count_min=3, deadband=0.0) == still).all()
