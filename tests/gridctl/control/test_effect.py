"""Promised against measured: two lines of the head, and the distance between them."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridctl.control.effect import Reading, band_kw, fall_kw, is_kept, line


def readings(
    *, from_s: float, to_s: float, level_kw: float, slope_kw_s: float, every_s: float = 2.0
) -> list[Reading]:
    """A straight head; `level_kw` at time 0."""
    count = int((to_s - from_s) / every_s) + 1
    times = [from_s + k * every_s for k in range(count)]
    return [Reading(at_s=t, kw=level_kw + slope_kw_s * t) for t in times]


@given(
    level_kw=st.floats(-5_000, 5_000),
    slope_kw_s=st.floats(-2, 2),
    fall=st.floats(-1_000, 1_000),
    length_s=st.floats(10, 600),
)
def test_a_steady_drift_neither_hides_nor_feigns_an_effect(
    level_kw: float, slope_kw_s: float, fall: float, length_s: float
) -> None:
    before = line(readings(from_s=-120, to_s=0, level_kw=level_kw, slope_kw_s=slope_kw_s))
    after = line(
        readings(
            from_s=length_s, to_s=length_s + 120, level_kw=level_kw - fall, slope_kw_s=slope_kw_s
        )
    )
    assert fall_kw(before, after, otherwise_kw_s=99.0) == pytest.approx(fall, abs=1e-3)


def test_a_drift_that_bends_in_between_is_met_halfway() -> None:
    """Rising by 0.2 kW/s before and not at all after: the mean of both, not either of them."""
    before = line(readings(from_s=-120, to_s=0, level_kw=3_000, slope_kw_s=0.2))
    after = line(readings(from_s=300, to_s=420, level_kw=2_630, slope_kw_s=0.0))
    assert fall_kw(before, after, otherwise_kw_s=0.0) == pytest.approx(400.0)


def test_with_few_readings_the_other_line_tells_the_drift_and_at_last_the_forecast() -> None:
    before = line(readings(from_s=-120, to_s=0, level_kw=3_000, slope_kw_s=0.1))
    short = line([Reading(at_s=200.0, kw=2_620.0), Reading(at_s=204.0, kw=2_620.4)])
    assert short.slope_kw_s is None
    assert fall_kw(before, short, otherwise_kw_s=9.0) == pytest.approx(400.0)
    one = line([Reading(at_s=0.0, kw=3_000.0)])
    assert fall_kw(one, short, otherwise_kw_s=0.1) == pytest.approx(3_020.2 - 2_620.2)


def test_no_reading_is_no_line() -> None:
    with pytest.raises(ValueError, match="no reading"):
        line([])


def test_the_waving_load_of_an_afternoon_costs_a_few_percent() -> None:
    """400 kW shed over 400 s while the load waves by ±20 kW a quarter of an hour and the meter by
    ±3 kW: the error of a hundred such releases stays below 40 kW, and below 20 kW in the mean
    square. The plain difference would be wrong by up to 80 kW."""
    rng = random.Random(7)  # noqa: S311 - chance, no secret
    errors, plain = [], []
    for _ in range(100):
        phase, rise = rng.uniform(0, 2 * math.pi), rng.uniform(-0.15, 0.15)

        def head(t: float, phase: float = phase, rise: float = rise) -> float:
            wave = 20 * math.sin(2 * math.pi * t / 1_800 + phase)
            return 3_000 + rise * t + wave + rng.gauss(0, 3)

        before = [Reading(at_s=t, kw=head(t)) for t in range(-120, 1, 2)]
        after = [Reading(at_s=t, kw=head(t) - 400) for t in range(400, 521, 2)]
        found = fall_kw(line(before), line(after), otherwise_kw_s=0.0)
        errors.append(found - 400)
        plain.append(before[-1].kw - after[0].kw - 400)
    assert max(abs(e) for e in errors) < 40
    assert math.sqrt(sum(e * e for e in errors) / len(errors)) < 20
    assert max(abs(e) for e in plain) > 60


@pytest.mark.parametrize(
    ("measured", "kept"), [(69.0, False), (71.0, True), (199.0, True), (201.0, False)]
)
def test_sg18_the_band_of_a_promise(measured: float, kept: bool) -> None:
    assert is_kept(100.0, measured) is kept
    assert is_kept(-100.0, -measured) is kept
    assert band_kw(-100.0) == (-200.0, -70.0)
