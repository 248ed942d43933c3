"""Wear of a battery by the depth of its cycles: the deeper a kWh is taken from, the dearer it is.

The store is cut into slices by depth below full (cycle depth, as rainflow counting sees it). What
is charged goes where it is cheapest, what is discharged comes from the shallowest slice that has
something; because deeper slices cost more, a linear programme does so by itself. What is missing
from full now counts as taken by the cycle that is under way, shallow slices first: so a plan that
is made again each interval forgets no depth.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gridctl.model.resource import Battery
from optimizer.block import Rows
from optimizer.timegrid import FloatArray, IntArray, TimeGrid

COLUMNS_PER_SLICE = 3
"""Charged, discharged (kW), stored (kWh) of each interval."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """A part of the store: what it holds at most and now, kWh; what a kWh out of it costs."""

    most_kwh: float
    now_kwh: float
    per_kwh: float


def slices_of(battery: Battery, now_kwh: float) -> list[Slice]:
    """The store by depth, the shallowest first; none where depth has no price. What is deeper than
    the last depth named costs as much as there."""
    if not battery.depth_costs:
        return []
    full_kwh = max(battery.soc_max_pct / 100.0 * battery.energy_kwh, now_kwh)
    missing_kwh = full_kwh - now_kwh
    found, above = [], 0.0
    for k, one in enumerate(battery.depth_costs):
        last = k + 1 == len(battery.depth_costs)
        below = full_kwh if last else min(one.to_pct / 100.0 * battery.energy_kwh, full_kwh)
        found.append(
            Slice(
                most_kwh=below - above,
                now_kwh=max(below - max(missing_kwh, above), 0.0),
                per_kwh=one.per_kwh,
            )
        )
        above = below
    return found


def add_depth(
    rows: Rows,
    slices: Sequence[Slice],
    *,
    efficiency: float,
    grid: TimeGrid,
    first: int,
    charge: IntArray,
    discharge: IntArray,
) -> None:
    """Rows that share `charge` and `discharge` among the slices, whose columns begin at `first`."""
    count = grid.count
    t = np.arange(count)
    for whole, part in ((charge, 0), (discharge, 1)):
        shares = [(t, _columns(first, k, part, count), 1.0) for k in range(len(slices))]
        rows.add_all([*shares, (t, whole, -1.0)], lower=0.0, upper=0.0, count=count)
    for k, own in enumerate(slices):
        into, out, stored = (_columns(first, k, part, count) for part in range(COLUMNS_PER_SLICE))
        begins = np.where(t == 0, own.now_kwh, 0.0)
        rows.add_all(
            [
                (t, stored, 1.0),
                (t[1:], stored[:-1], -1.0),
                (t, into, -grid.hours * efficiency),
                (t, out, grid.hours / efficiency),
            ],
            lower=begins,
            upper=begins,
            count=count,
        )


def bound_and_price(
    slices: Sequence[Slice], grid: TimeGrid, first: int, upper: FloatArray, cost: FloatArray
) -> None:
    """Put the bounds and prices of the slices' columns into `upper` and `cost`."""
    for k, own in enumerate(slices):
        cost[_columns(first, k, 1, grid.count)] = own.per_kwh * grid.hours
        upper[_columns(first, k, 2, grid.count)] = own.most_kwh


def wear(
    battery: Battery, now_kwh: float, grid: TimeGrid, setpoint_kw: FloatArray
) -> tuple[float, float]:
    """(depth that the cycle reaches, per cent of its energy; what depth costs over the horizon)
    when it follows `setpoint_kw` (T,). Worked out slice by slice, without the programme."""
    slices = slices_of(battery, now_kwh)
    held = [own.now_kwh for own in slices]
    paid, deepest_kwh = 0.0, 0.0
    full_kwh = sum(own.most_kwh for own in slices)
    for kw, hours in zip(setpoint_kw.tolist(), grid.hours.tolist(), strict=True):
        left_kwh = abs(kw) * hours * (battery.efficiency if kw < 0.0 else 1.0 / battery.efficiency)
        for k, own in enumerate(slices):
            moved = min(left_kwh, own.most_kwh - held[k] if kw < 0.0 else held[k])
            held[k] += moved if kw < 0.0 else -moved
            left_kwh -= moved
            if kw > 0.0:
                paid += moved * battery.efficiency * own.per_kwh
        deepest_kwh = max(deepest_kwh, full_kwh - sum(held))
    return 100.0 * deepest_kwh / battery.energy_kwh, paid


def _columns(first: int, which: int, part: int, count: int) -> IntArray:
    columns: IntArray = first + (COLUMNS_PER_SLICE * which + part) * count + np.arange(count)
    return columns
