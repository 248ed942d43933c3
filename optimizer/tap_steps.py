"""Tap changers and switched capacitors that a plan moves itself: integer columns.

Where the operator declares one movable its relay is off for the plan. Its column of an interval is
the difference to where the relay would stand (which is where the network was linearised), so that
nothing moved is a column of zeros. Moves cost, and there are only so many a day. The programme is
solved with fractional steps first; then the path of each device is rounded in two ways, with a
hysteresis that makes no move that the fractional path does not make, and the cheaper one is held.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from gridctl.model.network import Feeder
from gridctl.model.planning import Position
from gridctl.model.policy import Movable
from optimizer.arrays import FloatArray, IntArray
from optimizer.block import COST_MIN, Block, Rows, block_of, selection
from optimizer.regulation import controlled
from optimizer.timegrid import TimeGrid

NEAREST, FARTHER = 0.51, 0.1
"""Two ways to round: to the nearest whole step, once the path is farther than this from the last
one; or away from where the relay would stand, as far as the path goes beyond a whole step by more
than this."""


CAPACITOR_REST_S = 300.0
"""A capacitor must have lost its charge before it is closed again (IEEE 18: five minutes)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mover:
    """One row of positions that a plan moves: between `low` and `high`, `most` moves a day; up no
    sooner than `rest_s` after it has gone down."""

    row: int
    equipment: str
    phases: str
    low: int
    high: int
    most: int
    cost: float
    rest_s: float = 0.0


def movers_of(feeder: Feeder, movable: Sequence[Movable]) -> tuple[Mover, ...]:
    """The rows of positions (as `optimizer.regulation`) that `movable` names. Raises ValueError for
    a name that is neither a regulator nor a capacitor with a control."""
    wishes = {one.equipment: one for one in movable}
    found: list[Mover] = []
    row = 0
    for r in feeder.regulators:
        for phases in [r.phases] if r.ganged else list(r.phases):
            if (wish := wishes.get(r.mrid)) is not None:
                found.append(_mover(row, phases, wish, r.tap_min, r.tap_max))
            row += 1
    for c in controlled(feeder):
        if (wish := wishes.get(c.mrid)) is not None:
            found.append(replace(_mover(row, c.phases, wish, 0, 1), rest_s=CAPACITOR_REST_S))
        row += 1
    if unknown := sorted(wishes.keys() - {m.equipment for m in found}):
        raise ValueError(
            f"policy.movable: there is no regulator or switched capacitor {unknown[0]}"
        )
    return tuple(found)


def _mover(row: int, phases: str, wish: Movable, low: int, high: int) -> Mover:
    return Mover(
        row=row,
        equipment=wish.equipment,
        phases=phases,
        low=low,
        high=high,
        most=wish.moves_per_day_max,
        cost=max(wish.cost_per_move, COST_MIN),
    )


def block(mover: Mover, base: IntArray, start: int, grid: TimeGrid) -> Block:
    """Columns of each interval: steps from `base` (T,), moves up, moves down. It stands at `start`
    now."""
    count = grid.count
    steps, up, down = (np.arange(count) + k * count for k in range(3))
    lower, upper = np.zeros(3 * count), np.full(3 * count, np.inf)
    lower[steps], upper[steps] = mover.low - base, mover.high - base
    cost = np.concatenate([np.zeros(count), np.full(2 * count, mover.cost)])
    rows = Rows()
    for t in range(count):
        before = [] if t == 0 else [(int(steps[t - 1]), -1.0)]
        by_itself = float(base[t] - (start if t == 0 else base[t - 1]))
        rows.add(
            [(int(steps[t]), 1.0), *before, (int(up[t]), -1.0), (int(down[t]), 1.0)],
            lower=-by_itself,
            upper=-by_itself,
        )
    for day in np.unique(grid.day):
        inside = np.flatnonzero(grid.day == day)
        moves = [(int(column[t]), 1.0) for t in inside for column in (up, down)]
        rows.add(moves, upper=float(mover.most))
    return block_of(
        resource=mover.equipment,
        default_kw=0.0,
        lower=lower,
        upper=upper,
        cost=cost,
        rows=rows,
        action=selection(count, 3 * count, steps, 0.0),
        injection=selection(count, 3 * count, steps, 1.0),
        offset_kw=np.zeros(count),
    )


def whole(
    mover: Mover,
    base: IntArray,
    start: int,
    steps: FloatArray,
    grid: TimeGrid,
    *,
    beyond: float = NEAREST,
) -> IntArray:
    """(T,) whole steps from `base` near the fractional `steps`, within the moves of each day;
    `beyond`: NEAREST or FARTHER."""
    at, left, lowered_s = start, {int(day): mover.most for day in grid.day}, -math.inf
    found = np.zeros(grid.count, dtype=np.intp)
    for t in range(grid.count):
        here, day = int(base[t]), int(grid.day[t])
        away = float(steps[t])
        if beyond == FARTHER:
            to = here + int(math.copysign(math.ceil(max(abs(away) - FARTHER, 0.0)), away))
        else:
            to = round(here + away) if abs(here + away - at) > NEAREST else at
        to = min(max(to, mover.low), mover.high)
        move = min(max(to - at, -left[day]), left[day])
        if move > 0 and grid.begin_s[t] - lowered_s < mover.rest_s:
            move = 0
        if move < 0:
            lowered_s = float(grid.begin_s[t])
        at, left[day] = at + move, left[day] - abs(move)
        found[t] = at - here
    return found


def positions(movers: Sequence[Mover], pinned: Mapping[int, IntArray]) -> tuple[Position, ...]:
    """What a plan says of them: every interval."""
    return tuple(
        Position(equipment=m.equipment, phases=m.phases, interval=t, value=int(value))
        for m in movers
        for t, value in enumerate(pinned[m.row])
    )


def pinned_at(movers: Sequence[Mover], said: Sequence[Position], count: int) -> dict[int, IntArray]:
    """`positions` back to rows; {} for none. Raises ValueError where one is missing."""
    if not said:
        return {}
    values = {(p.equipment, p.phases, p.interval): p.value for p in said}
    try:
        return {
            m.row: np.array([values[m.equipment, m.phases, t] for t in range(count)], dtype=np.intp)
            for m in movers
        }
    except KeyError as missing:
        raise ValueError(f"no position of {missing.args[0]}") from None
