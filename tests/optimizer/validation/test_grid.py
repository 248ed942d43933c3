"""Readings onto their grid: gaps, duplicates, order, local days of 23 and 25 hours, refusals."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import numpy as np
import pytest

from gridctl.model.errors import RefusedError
from optimizer.validation.grid import to_grid
from tests.optimizer.validation.series import MONDAY_S

MADRID = ZoneInfo("Europe/Madrid")


def test_gap_duplicate_second_reading_and_off_the_grid() -> None:
    time_s = MONDAY_S + np.array([0.0, 900.0, 900.0, 2700.0, 3600.0, 4500.0, 5000.0, 5400.0])
    grid = to_grid(("a",), time_s, np.arange(8.0)[None])
    assert grid.step_s == 900.0
    assert np.isnan(grid.values[0]).tolist() == [False, False, True, False, False, False, False]
    assert grid.values[0, 1] == 1.0
    assert {(m.row, m.why) for m in grid.misfits} == {
        (2, "the same time again"),
        (6, "off the interval grid"),
    }


def test_the_same_reading_twice_says_nothing_new() -> None:
    time_s = MONDAY_S + 900.0 * np.array([0, 1, 1, 2, 3], dtype=float)
    assert to_grid(("a",), time_s, np.array([[0.0, 1.0, 1.0, 2.0, 3.0]])).misfits == ()
    (misfit,) = to_grid(("a",), time_s, np.array([[0.0, 1.0, 1.5, 2.0, 3.0]])).misfits
    assert (misfit.row, misfit.why) == (2, "the same time again")


def test_out_of_order_is_put_in_place_and_told() -> None:
    time_s = MONDAY_S + 900.0 * np.array([0, 1, 3, 2, 4], dtype=float)
    grid = to_grid(("a",), time_s, np.array([[0.0, 1.0, 3.0, 2.0, 4.0]]))
    assert grid.values[0].tolist() == [0.0, 1.0, 2.0, 3.0, 4.0]
    assert [(m.row, m.why) for m in grid.misfits] == [(3, "out of order")]


def test_a_first_reading_off_the_grid_does_not_shift_the_rest() -> None:
    time_s = MONDAY_S + np.array([700.0, 900.0, 1800.0, 2700.0, 3600.0])
    grid = to_grid(("a",), time_s, np.arange(5.0)[None])
    assert grid.time_s[grid.time_s >= MONDAY_S + 900.0].tolist() == time_s[1:].tolist()
    assert [m.row for m in grid.misfits] == [0]


@pytest.mark.parametrize(
    ("midnight_utc_s", "hours"),
    [(1_774_738_800.0, 23), (1_792_879_200.0, 25)],
    ids=["2026-03-29", "2026-10-25"],
)
def test_days_of_23_and_25_hours(midnight_utc_s: float, hours: int) -> None:
    time_s = midnight_utc_s - 86_400.0 + 3600.0 * np.arange(24 + hours + 24, dtype=np.float64)
    grid = to_grid(("a",), time_s, np.arange(float(len(time_s)))[None], local=MADRID)
    assert np.bincount(grid.day).tolist() == [24, hours, 24]
    assert grid.weekday.tolist() == [5, 6, 0]
    assert np.isfinite(grid.by_day(grid.values)[0, 1]).sum() == hours
    assert grid.slot[grid.day == 2].tolist() == list(range(24))


def test_a_series_that_begins_at_noon_has_its_slots_from_midnight() -> None:
    grid = to_grid(
        ("a",), MONDAY_S + 3600.0 * np.arange(12, 40, dtype=np.float64), np.ones((1, 28))
    )
    assert grid.slot[:3].tolist() == [12, 13, 14]
    assert grid.slot[grid.day == 1][0] == 0


@pytest.mark.parametrize(
    ("time_s", "words"),
    [
        ([0.0], "single reading"),
        ([0.0, 0.2, 0.4], "can be used"),
        ([0.0, 1.0, 2.0, 1e7], "mostly holes"),
    ],
)
def test_what_is_no_series_is_refused_with_its_reason(time_s: list[float], words: str) -> None:
    with pytest.raises(RefusedError, match=words):
        to_grid(("a",), np.array(time_s), np.ones((1, len(time_s))))
