"""Cooling (or heating) ahead of a call: rooms that begin cooler may do without for longer.

Ahead of a run, never without one, a group draws more than it would by itself, as far as its comfort
lets it. What was drawn ahead fades through the walls; what is left of it is taken off what comes
back after the run. So energy is paid back both ways: put off, it comes later; drawn ahead, it is
missing later. A negative setpoint of a load group asks for it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from gridctl.model.planning import ResourceState
from gridctl.model.resource import Precool
from optimizer.block import Rows
from optimizer.timegrid import SECONDS_PER_HOUR, FloatArray, IntArray, TimeGrid

COST_SHARE = 0.02
"""Drawing ahead costs next to nothing, but not nothing: none is drawn that nothing asks for."""


def cap_kw(precool: Precool, state: ResourceState) -> float:
    """The most that may be drawn ahead now: OT's limits may allow less, or nothing."""
    allowed_kw = precool.rating_kw if state.precool_kw is None else state.precool_kw
    return max(min(precool.rating_kw, allowed_kw), 0.0)


def kept(precool: Precool, seconds: float) -> float:
    """Share of what was drawn ahead that is left after so many seconds."""
    if precool.fade_h <= 0.0:
        return 1.0
    return math.exp(-max(seconds, 0.0) / SECONDS_PER_HOUR / precool.fade_h)


def stored_kwh(precool: Precool, state: ResourceState, at_s: float) -> float:
    """What is left at `at_s` of all that was drawn ahead before now, kWh."""
    return sum(
        kw * (end_s - start_s) / SECONDS_PER_HOUR * kept(precool, at_s - end_s)
        for start_s, end_s, kw in state.precooled
    )


def ahead_of(precool: Precool, grid: TimeGrid, first: int, after: int) -> list[tuple[int, float]]:
    """(interval, share that is left when the run begins) of the intervals ahead of a run that
    begins in `first`; `after`: the end of the run before it."""
    earliest = max(first - steps(precool, grid), after)
    begins_s = float(grid.begin_s[first])
    return [(t, kept(precool, begins_s - float(grid.end_s[t]))) for t in range(earliest, first)]


def steps(precool: Precool, grid: TimeGrid) -> int:
    """How many intervals before a run it may begin."""
    return int(precool.ahead_s / grid.step_s + 1e-6)


def add_precool(
    rows: Rows,
    precool: Precool,
    state: ResourceState,
    grid: TimeGrid,
    *,
    columns: IntArray,
    on: IntArray,
    start: IntArray,
) -> None:
    """Rows on the columns drawn ahead (kW) and stored (kWh) of each interval: only ahead of a
    start, not while it is on, never more stored than is comfortable."""
    count, width, most_kw = grid.count, steps(precool, grid), cap_kw(precool, state)
    ahead, stored = columns[:count], columns[count:]
    known = stored_kwh(precool, state, grid.now_s)
    for t in range(count):
        later = start[t + 1 : t + 1 + width]
        rows.add([(int(ahead[t]), 1.0), *((int(c), -most_kw) for c in later)], upper=0.0)
        rows.add([(int(ahead[t]), 1.0), (int(on[t]), most_kw)], upper=most_kw)
        hours = float(grid.hours[t])
        keeps = kept(precool, hours * SECONDS_PER_HOUR)
        before = [] if t == 0 else [(int(stored[t - 1]), -keeps)]
        begins = keeps * known if t == 0 else 0.0
        rows.add([(int(stored[t]), 1.0), *before, (int(ahead[t]), -hours)], lower=begins)


def bound_and_price(
    precool: Precool,
    state: ResourceState,
    grid: TimeGrid,
    *,
    columns: IntArray,
    price: float,
    upper: FloatArray,
    cost: FloatArray,
) -> None:
    """Put bounds and prices of the columns into `upper` and `cost`."""
    ahead, stored = columns[: grid.count], columns[grid.count :]
    upper[ahead] = cap_kw(precool, state)
    # What is stored already may be more than a rule that has changed since; it need not go away.
    upper[stored] = max(precool.energy_kwh, stored_kwh(precool, state, grid.now_s))
    cost[ahead] = price * COST_SHARE * grid.hours


def drawn_kwh(ahead: Sequence[tuple[int, float]], grid: TimeGrid, setpoint_kw: FloatArray) -> float:
    """What is left, when the run begins, of what negative setpoints (T,) drew ahead of it."""
    drawn = np.maximum(-setpoint_kw, 0.0)
    return float(sum(share * drawn[t] * grid.hours[t] for t, share in ahead))
