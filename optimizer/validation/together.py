"""Rules 14 to 16: a series against its register, a head against its parts, P against Q, V and I."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from optimizer.arrays import BoolArray, FloatArray
from optimizer.validation import rules
from optimizer.validation.check import Checked
from optimizer.validation.marks import Mark, has
from optimizer.validation.thresholds import Thresholds


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """`head` = sum of `parts` + `loss_share` of the head, kW; `sigma_kw` of that whole sum."""

    head: str
    parts: tuple[str, ...]
    rating_kw: float
    sigma_kw: float = 0.0
    loss_share: float = 0.0


def against_register(
    checked: Checked, point: int, register_kwh: FloatArray, own: Thresholds
) -> Checked:
    """Rule 14 day by day. `register_kwh` (n,): its state at the start of each interval; a day
    counts when both its ends were read and none of its intervals is missing."""
    grid = checked.grid
    days = len(grid.weekday)
    first = np.searchsorted(grid.day, np.arange(days))
    advance = np.full(days, np.nan)
    advance[:-1] = np.diff(register_kwh[first])
    hours = grid.step_s / 3_600.0
    sums: FloatArray = np.bincount(
        grid.day, weights=grid.values[point], minlength=days
    ) * np.float64(hours)
    wrong = rules.sum_check(
        sums[None],
        advance[None],
        multiplier=np.array([own.register_multiplier_kwh]),
        share=own.sum_share,
    )[0]
    return _marked(checked, [point], Mark.SUM, wrong[grid.day])


def against_parts(checked: Checked, balance: Balance, own: Thresholds) -> Checked:
    """Rule 15: all of the set are suspect together, for any of them may be the wrong one. Raises
    ValueError for a name that is no point."""
    grid = checked.grid
    unknown = sorted({balance.head, *balance.parts} - set(grid.names))
    if unknown:
        raise ValueError(f"there is no point {unknown[0]}")
    head = grid.values[grid.names.index(balance.head)]
    parts = [grid.names.index(name) for name in balance.parts]
    wrong = rules.power_balance(
        head,
        grid.values[parts],
        balance.loss_share * head,
        sigma_kw=balance.sigma_kw,
        rating_kw=balance.rating_kw,
        sigmas=own.balance_sigmas,
        share=own.balance_share,
    )
    return _marked(checked, [grid.names.index(balance.head), *parts], Mark.BALANCE, wrong)


def against_powers(
    checked: Checked,
    point: int,
    *,
    kvar: FloatArray,
    volt: FloatArray,
    ampere: FloatArray,
    own: Thresholds,
) -> Checked:
    """Rule 16 for a point with a rating; without one nothing is said."""
    if own.rating_kw is None:
        return checked
    wrong = rules.consistency(
        checked.grid.values[point],
        kvar,
        volt,
        ampere,
        rating_kva=own.rating_kw,
        share=own.consistency_share,
    )
    return _marked(checked, [point], Mark.CONSISTENCY, wrong)


def _marked(checked: Checked, rows: list[int], mark: Mark, where: BoolArray) -> Checked:
    marks = checked.marks.copy()
    for row in rows:
        at = where & ~has(marks[row], Mark.GAP)
        marks[row, at] |= np.uint32(int(mark))
    return replace(checked, marks=marks)
