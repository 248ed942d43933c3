"""Rules 14 to 16 on whole series."""

from __future__ import annotations

import numpy as np
import pytest

from optimizer.validation.check import Checked
from optimizer.validation.marks import Mark, MarkArray, has
from optimizer.validation.thresholds import Thresholds
from optimizer.validation.together import (
    Balance,
    against_parts,
    against_powers,
    against_register,
)
from tests.optimizer.validation.series import PER_DAY, grid_of, load_kw


def fresh(*series: np.ndarray) -> Checked:
    grid = grid_of(*series)
    marks: MarkArray = np.zeros(grid.values.shape, dtype=np.uint32)
    return Checked(grid=grid, marks=marks)


def test_14_the_day_whose_intervals_do_not_add_up() -> None:
    own = load_kw(4, seed=1)
    register = np.concatenate([[0.0], np.cumsum(own)[:-1]]) / 6.0
    seen = own.copy()
    seen[PER_DAY + 10] += 600.0  # 100 kWh of some 24,000 a day
    found = against_register(fresh(seen), 0, register, Thresholds())
    assert np.unique(found.grid.day[has(found.marks[0], Mark.SUM)]).tolist() == [1]
    assert not has(against_register(fresh(own), 0, register, Thresholds()).marks, Mark.SUM).any()
    # The last day has no end to be compared with, nor has one with a hole.
    seen[3 * PER_DAY + 5] += 1e6
    seen[PER_DAY + 11] = np.nan
    assert not has(against_register(fresh(seen), 0, register, Thresholds()).marks, Mark.SUM).any()


def test_15_the_whole_set_is_suspect() -> None:
    a, b = load_kw(2, seed=1), load_kw(2, seed=2)
    head = (a + b) / 0.97
    head[50] *= 1.1
    balance = Balance(head="p0", parts=("p1", "p2"), rating_kw=3000.0, loss_share=0.03)
    found = against_parts(fresh(head, a, b), balance, Thresholds())
    for row in range(3):
        assert np.flatnonzero(has(found.marks[row], Mark.BALANCE)).tolist() == [50]
    with pytest.raises(ValueError, match="p9"):
        against_parts(fresh(head, a, b), Balance(head="p9", parts=(), rating_kw=1.0), Thresholds())


def test_16_only_with_a_rating() -> None:
    kw = load_kw(1, seed=1)
    kvar, volt = 0.3 * kw, np.full(len(kw), 20_000.0)
    ampere = np.hypot(kw, kvar) * 1e3 / np.sqrt(3.0) / volt
    ampere[7] *= 1.2
    given = {"kvar": kvar, "volt": volt, "ampere": ampere}
    found = against_powers(fresh(kw), 0, **given, own=Thresholds(rating_kw=1500.0))
    assert np.flatnonzero(has(found.marks[0], Mark.CONSISTENCY)).tolist() == [7]
    assert not against_powers(fresh(kw), 0, **given, own=Thresholds()).marks.any()
