"""Published vectors of IEC 60076-7 and IEEE C57.91, and what must hold for every transformer."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from optimizer.health.thermal import (
    TYPES,
    Iec,
    Ieee,
    ageing_ieee,
    ageing_normal,
    equivalent_ageing,
    iec,
    ieee,
    life_used_pct,
    oil_time_constant_h,
)

# The example of the standard's annex: 41 points every 3 minutes.
ANNEX = Iec(
    top_oil_rise=45, hot_spot_rise=35, tau_oil_min=150, tau_winding_min=7, loss_ratio=8,
    x=0.8, y=1.3, k11=0.5, k21=2.0, k22=2.0,
)  # fmt: skip
LOAD = np.array([
    0.81, 0.87, 0.88, 0.86, 0.9, 0.92, 0.95, 0.96, 0.97, 1.0, 1.7, 1.7, 1.73, 1.72, 1.69, 1.68,
    1.71, 1.69, 1.67, 1.68, 1.63, 1.59, 1.53, 1.49, 1.41, 1.38, 1.32, 1.28, 1.21, 1.19, 0.87,
    0.88, 0.87, 0.86, 0.85, 0.87, 0.83, 0.86, 0.85, 0.82, 0.86,
])  # fmt: skip
AMBIENT = np.array([
    30.3, 29.9, 29.8, 29.5, 29.6, 29.5, 29.5, 28.9, 29.0, 28.6, 28.0, 28.7, 27.8, 28.1, 27.9,
    27.1, 26.9, 26.7, 27.2, 26.7, 26.9, 26.5, 26.2, 26.3, 25.4, 25.6, 25.3, 24.8, 24.5, 24.3,
    24.1, 24.3, 24.1, 23.4, 23.6, 23.8, 23.1, 23.3, 23.1, 22.3, 22.2,
])  # fmt: skip


def test_the_annex_example_in_the_exact_form() -> None:
    found = iec(LOAD, AMBIENT, ANNEX, step_min=3.0)
    hot = found.hot_spot_c
    assert hot[:3] == pytest.approx([90.52, 91.54, 92.53], abs=0.006)
    assert hot[[5, 9, 10, 11]] == pytest.approx([95.25, 101.06, 116.49, 129.10], abs=0.006)
    assert hot.max() == pytest.approx(174.35, abs=0.006)
    assert int(hot.argmax()) == 20
    assert float(ageing_normal(hot).sum()) * 3.0 == pytest.approx(155_223, rel=2e-5)


def test_small_steps_come_to_the_standard_s_own_difference_equations() -> None:
    """Printed with dt = 3 min by Euler: 0.15 K apart from the exact form where the load rests."""
    hot = iec(LOAD, AMBIENT, ANNEX, step_min=3.0).hot_spot_c
    printed = [90.5, 91.7, 92.7, 93.2, 94.3, 95.6, 97.2, 98.6, 100.0, 101.6]
    assert np.abs(hot[:10] - printed).max() < 0.6


def test_ieee_step() -> None:
    own = Ieee(
        top_oil_rise=55, hot_spot_rise=25, tau_oil_h=3.5, tau_winding_min=5, loss_ratio=5,
        n=0.8, m=0.8,
    )  # fmt: skip
    load = np.full(24 * 60 + 1, 1.3)
    load[0] = 0.7
    found = ieee(load, np.array(30.0), own, step_min=1.0)
    at = [0, 15, 30, 60, 120, 240, 480, 1440]
    assert found.top_oil_c[at] == pytest.approx(
        [65.33, 68.34, 71.15, 76.21, 84.38, 95.14, 104.65, 109.06], abs=0.006
    )
    assert found.hot_spot_c[at] == pytest.approx(
        [79.45, 105.19, 109.14, 114.25, 122.42, 133.18, 142.69, 147.10], abs=0.006
    )


@pytest.mark.parametrize(
    ("celsius", "factor"),
    [
        (80, 0.0358), (90, 0.1156), (98, 0.2817), (100, 0.3499), (105, 0.5957), (110, 1.0),
        (120, 2.7089), (130, 6.9842), (140, 17.20), (150, 40.59), (160, 92.06), (180, 424.9),
        (200, 1723.0),
    ],
)  # fmt: skip
def test_ieee_ageing_table(celsius: float, factor: float) -> None:
    assert float(ageing_ieee(np.array(celsius))) == pytest.approx(factor, rel=5e-4, abs=5e-5)


def test_normal_paper_twice_as_fast_every_6_k() -> None:
    assert ageing_normal(np.array([92.0, 98.0, 104.0, 110.0, 140.0])).tolist() == [
        0.5, 1.0, 2.0, 4.0, 128.0,
    ]  # fmt: skip


def test_a_day_at_the_rated_hot_spot() -> None:
    day = ageing_ieee(np.full(24, 110.0))
    assert float(equivalent_ageing(day)) == 1.0
    assert float(life_used_pct(day, step_min=60.0)) == pytest.approx(0.0133, abs=5e-5)


@pytest.mark.parametrize("name", TYPES)
def test_rated_load_for_ten_time_constants_gives_the_rated_rises(name: str) -> None:
    own = TYPES[name]
    load = np.full(400, 1.0)
    load[0] = 0.0
    found = iec(load, np.array(20.0), own, step_min=15.0)
    assert found.top_oil_c[-1] == pytest.approx(20.0 + own.top_oil_rise, abs=0.01)
    assert found.hot_spot_c[-1] == pytest.approx(
        20.0 + own.top_oil_rise + own.hot_spot_rise, abs=0.01
    )


@settings(max_examples=40)
@given(st.floats(0.2, 1.5), st.floats(0.2, 1.5), st.sampled_from(sorted(TYPES)))
def test_the_step_s_length_does_not_matter_for_a_constant_load(
    first: float, then: float, name: str
) -> None:
    coarse, fine = np.full(5, then), np.full(241, then)
    coarse[0] = fine[0] = first
    own = TYPES[name]
    a = iec(coarse, np.array(25.0), own, step_min=60.0)
    b = iec(fine, np.array(25.0), own, step_min=1.0)
    assert a.hot_spot_c == pytest.approx(b.hot_spot_c[::60], abs=1e-9)
    assert a.top_oil_c == pytest.approx(b.top_oil_c[::60], abs=1e-9)


def test_many_assets_are_as_many_runs_of_one() -> None:
    loads = np.vstack([LOAD, 0.5 * LOAD, -LOAD])
    all_ = iec(loads, AMBIENT, ANNEX, step_min=3.0)
    for row, load in zip(all_.hot_spot_c, loads, strict=True):
        assert (row == iec(load, AMBIENT, ANNEX, step_min=3.0).hot_spot_c).all()
    # Power may flow back: what heats is its size.
    assert (all_.hot_spot_c[0] == all_.hot_spot_c[2]).all()


def test_a_gap_is_refused() -> None:
    with pytest.raises(ValueError, match="missing"):
        iec(np.array([1.0, np.nan]), np.array(20.0), ANNEX, step_min=3.0)


def test_time_constant_from_the_name_plate() -> None:
    # C = .06 x 75,600 + .04 x 15,400 + 1.33 x 4,910 lb, lb, gal = 11,682.3 Wh/K
    found = oil_time_constant_h(
        core_and_coils_kg=75_600 * 0.45359237, tank_kg=15_400 * 0.45359237,
        oil_l=4_910 * 3.785411784, top_oil_rise=55.0, losses_w=183_582.9,
    )  # fmt: skip
    assert found == pytest.approx(11_682.3 * 55.0 / 183_582.9, rel=1e-6)
