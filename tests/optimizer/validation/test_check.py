"""All rules together on a feeder that is in order, and on one into which faults were put."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from benchmarks import vee
from benchmarks.load_data import TETOUAN
from optimizer.validation.check import Band, check
from optimizer.validation.marks import REJECTED, RULES, UNUSABLE, Action, Mark, has
from optimizer.validation.thresholds import Thresholds
from tests.optimizer.validation.series import PER_DAY, grid_of, load_kw

DAYS = 40
AT = 30 * PER_DAY
OWN = Thresholds(rating_kw=2000.0)


def marks_of(*series: np.ndarray, own: Thresholds = OWN) -> np.ndarray:
    grid = grid_of(*series)
    return check(grid, dict.fromkeys(grid.names, own)).marks


def two() -> tuple[np.ndarray, np.ndarray]:
    return load_kw(DAYS, seed=1), load_kw(DAYS, seed=2, level=500.0)


def test_a_feeder_in_order_has_nothing_rejected_and_hardly_a_doubt() -> None:
    marks = marks_of(*two())
    assert not has(marks, REJECTED).any()
    assert has(marks, UNUSABLE).mean() < 0.002


@pytest.mark.parametrize(
    ("mark", "length", "put"),
    [
        (Mark.SPIKE, 1, lambda own: own + 400.0),
        (Mark.HARD_RANGE, 1, lambda own: own * 0 + 2601.0),
        (Mark.FROZEN, 4, lambda own: own * 0 + 1234.5),
        (Mark.DEAD_ZERO, 12, lambda own: own * 0),
        (Mark.SIGN, PER_DAY, lambda own: -own),
        (Mark.MULTIPLIER, PER_DAY, lambda own: own / 1000.0),
        (Mark.GAP, 3, lambda own: own * np.nan),
    ],
    ids=lambda value: value.name if isinstance(value, Mark) else "",
)
def test_a_fault_is_caught_where_it_is_and_nowhere_in_the_sibling(
    mark: Mark, length: int, put: Callable[[np.ndarray], np.ndarray]
) -> None:
    broken, sibling = two()
    before = marks_of(broken, sibling)
    broken[AT : AT + length] = put(broken[AT : AT + length])
    marks = marks_of(broken, sibling)
    assert has(marks[0, AT : AT + length], mark).all()
    assert not has(marks[0, : AT - PER_DAY], mark).any()
    assert (marks[1] == before[1]).all()


def test_the_raw_value_stays_and_a_marked_one_is_of_no_use() -> None:
    broken, sibling = two()
    broken[AT] += 400.0
    grid = grid_of(broken, sibling)
    checked = check(grid, dict.fromkeys(grid.names, OWN))
    assert checked.grid.values[0, AT] == broken[AT]
    assert np.isnan(checked.usable()[0, AT])
    assert np.isfinite(checked.usable()[0, AT + 5])


def test_spikes_that_come_often_do_not_become_usual() -> None:
    random = np.random.default_rng(3)
    broken, sibling = two()
    where = random.choice(np.arange(10, len(broken) - 10, 5), 150, replace=False)
    broken[where] += 500.0
    assert has(marks_of(broken, sibling)[0, where], Mark.SPIKE).mean() >= 0.99


def test_against_a_forecast() -> None:
    own, sibling = two()
    median = np.vstack([own, sibling])
    broken = median.copy()
    broken[0, AT] += 70.0
    broken[1, 20 * PER_DAY :] *= 1.2
    grid = grid_of(*broken)
    random = np.random.default_rng(4)
    band = Band(
        low=median - 10.0, median=median + random.standard_normal(median.shape), high=median + 10.0
    )
    marks = check(grid, dict.fromkeys(grid.names, OWN), band=band).marks
    assert np.flatnonzero(has(marks[0], Mark.FORECAST)).tolist() == [AT]
    assert has(marks[1], Mark.LEVEL_SHIFT).any()
    assert not has(marks[0], Mark.LEVEL_SHIFT).any()


def test_what_the_protocol_and_the_clock_say() -> None:
    own = load_kw(3, seed=1)
    grid = grid_of(own)
    validity = np.zeros((1, len(own)))
    validity[0, 5], validity[0, 6] = 2.0, 1.0
    received = grid.time_s + 1.0
    received[10], received[11], received[12] = (
        grid.time_s[10] + 200.0,
        grid.time_s[11] - 10.0,
        grid.time_s[12] + 30.0,
    )
    marks = check(
        grid, dict.fromkeys(grid.names, OWN), validity=validity, received_s=received
    ).marks[0]
    assert np.flatnonzero(has(marks, Mark.PROTOCOL)).tolist() == [5]
    assert np.flatnonzero(has(marks, Mark.TIMESTAMP)).tolist() == [10, 11]
    assert np.flatnonzero(has(marks, Mark.DOUBTED)).tolist() == [6, 12]


def test_constant_series_one_day_and_nothing_at_all() -> None:
    constant = np.full(PER_DAY, 7.0)
    marks = marks_of(constant)
    assert has(marks, Mark.FROZEN).all()
    nothing = np.full(PER_DAY, np.nan)
    assert (marks_of(nothing) & ~np.uint32(int(Mark.GAP)) == 0).all()


def test_each_mark_stands_in_the_register_once_and_has_a_bit_of_its_own() -> None:
    marks = [rule.mark for rule in RULES]
    assert len(set(marks)) == len(marks)
    assert {rule.number for rule in RULES} == set(range(1, 22))
    assert {m for m in Mark if m} == set(marks)
    assert {rule.action for rule in RULES} == set(Action)


def test_injection_on_real_load() -> None:
    """forecasting.md section 6: 150 spikes of 30 % of P99, three zones of a real town."""
    root = os.environ.get("GRIDCTL_SHARED")
    if not (root and (Path(root) / "data" / "load" / TETOUAN).is_file()):
        pytest.skip("real load series are not there (set GRIDCTL_SHARED)")
    grid = vee.grid_of(TETOUAN, vee.ZONES)
    for figure in vee.spikes(grid, seed=2):
        assert figure.met in {True, None}, figure
    for name, found in vee.cases(grid).items():
        assert found.all(), name
    assert vee.clock_case(grid) == (4, 4)
