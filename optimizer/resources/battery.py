"""Batteries: injection positive, an energy balance with losses, energy given back by the end."""

from __future__ import annotations

import math

import numpy as np

from gridctl.model.planning import ResourceState
from gridctl.model.resource import Battery
from optimizer.block import COST_MIN, Block, Rows, block_of, selection
from optimizer.resources.depth import (
    COLUMNS_PER_SLICE,
    add_depth,
    bound_and_price,
    slices_of,
)
from optimizer.resources.reactive import (
    KVAR_COST_SHARE,
    add_polygon,
    kvar_columns,
    takes_setpoint,
)
from optimizer.timegrid import FloatArray, TimeGrid

CHARGE_COST_SHARE = 0.02
"""Charging costs next to nothing (the wear is counted on discharge), but not nothing."""
MOVE_COST_H = 0.005
"""A change of power costs as much as running the change for so long: no needless commands."""

SOC_ROUNDING_PCT = 1.0
FULL_WITHIN_KW = 0.1
SPENT_WITHIN = 0.01
"""Share of the energy below which nothing is left to speak of."""


def default_kw(battery: Battery) -> float:
    """Idle."""
    del battery
    return 0.0


def unusable(battery: Battery, state: ResourceState, grid: TimeGrid) -> str | None:
    """Why it cannot be planned with, or None."""
    del battery, grid
    if state.excluded is not None:
        return state.excluded
    if state.soc_pct is None or not math.isfinite(state.soc_pct):
        return "state of charge not known"
    if not -SOC_ROUNDING_PCT <= state.soc_pct <= 100.0 + SOC_ROUNDING_PCT:
        return f"a state of charge of {state.soc_pct:.0f} % cannot be"
    if not (math.isfinite(state.available_kw) and state.available_kw > 0.0):
        return "no power available"
    return None


def injection_kw(
    battery: Battery, state: ResourceState, grid: TimeGrid, setpoint_kw: FloatArray
) -> FloatArray:
    """The setpoint itself, kW (T,)."""
    del battery, state, grid
    return setpoint_kw


def energy_kwh(
    battery: Battery, state: ResourceState, grid: TimeGrid, setpoint_kw: FloatArray
) -> FloatArray:
    """Stored energy at the end of each interval, kWh (T,), when it follows `setpoint_kw`.

    Needs a known state of charge (ValueError otherwise).
    """
    if state.soc_pct is None:
        raise ValueError(f"{battery.mrid}: state of charge not known")
    charge, discharge = np.maximum(-setpoint_kw, 0.0), np.maximum(setpoint_kw, 0.0)
    flow = grid.hours * (battery.efficiency * charge - discharge / battery.efficiency)
    return state.soc_pct / 100.0 * battery.energy_kwh + np.cumsum(flow)


def block(battery: Battery, state: ResourceState, grid: TimeGrid) -> Block:
    """Columns: charge, discharge (kW), energy at the end (kWh), change of power (kW) of each
    interval, missing energy; where it takes kvar, those given and drawn of each interval; where
    depth has a price, those of its slices (`optimizer.resources.depth`).

    Energy that is missing at the horizon's end against now costs as much as discharging it, so a
    battery that helped fills up again when there is room, and none is emptied for nothing. An
    energy outside its limits now need not be mended, but may not get worse.
    """
    if state.soc_pct is None:
        raise ValueError(f"{battery.mrid}: state of charge not known")
    count, own = grid.count, 4 * grid.count + 1
    asks = battery.reactive is not None and takes_setpoint(battery.reactive)
    slices_first = own + 2 * count if asks else own
    now_kwh = state.soc_pct / 100.0 * battery.energy_kwh
    slices = slices_of(battery, now_kwh)
    columns = slices_first + COLUMNS_PER_SLICE * len(slices) * count
    charge, discharge, stored, moved = (np.arange(count) + k * count for k in range(4))
    missing = 4 * count
    power_kw = min(battery.rating_kw, state.available_kw)
    lower, upper = np.zeros(columns), np.full(columns, np.inf)
    upper[charge] = upper[discharge] = power_kw
    lower[stored] = min(battery.soc_min_pct / 100.0 * battery.energy_kwh, now_kwh)
    upper[stored] = max(battery.soc_max_pct / 100.0 * battery.energy_kwh, now_kwh)
    price = max(battery.cost_per_kwh, COST_MIN)
    cost = np.zeros(columns)
    cost[discharge] = price * grid.hours
    cost[charge] = price * CHARGE_COST_SHARE * grid.hours
    cost[moved] = price * MOVE_COST_H
    cost[missing] = price
    rows = Rows()
    t, first = np.arange(count), np.arange(count) == 0
    efficiency = battery.efficiency
    kept = [(t, stored, 1.0), (t[1:], stored[:-1], -1.0)]
    flows = [(t, charge, -grid.hours * efficiency), (t, discharge, grid.hours / efficiency)]
    begins_kwh = np.where(first, now_kwh, 0.0)
    rows.add_all([*kept, *flows], lower=begins_kwh, upper=begins_kwh, count=count)
    rows.add_all([(t, charge, 1.0), (t, discharge, 1.0)], upper=power_kw, count=count)
    rows.add([(int(stored[-1]), 1.0), (missing, 1.0)], lower=now_kwh)
    rise = [(t, discharge, 1.0), (t, charge, -1.0)]
    rise += [(t[1:], discharge[:-1], -1.0), (t[1:], charge[:-1], 1.0)]
    was_kw = np.where(first, state.setpoint_kw, 0.0)
    rows.add_all([*rise, (t, moved, -1.0)], upper=was_kw, count=count)
    rows.add_all([*rise, (t, moved, 1.0)], lower=was_kw, count=count)
    if slices:
        bound_and_price(slices, grid, slices_first, upper, cost)
        add_depth(
            rows,
            slices,
            efficiency=efficiency,
            grid=grid,
            first=slices_first,
            charge=charge,
            discharge=discharge,
        )
    kvar = None
    if battery.reactive is not None and asks:
        kvar = kvar_columns(own, count)
        upper[own:slices_first] = battery.reactive.kvar_max
        cost[own:slices_first] = KVAR_COST_SHARE * COST_MIN * np.tile(grid.hours, 2)
        net_kw = [[(int(discharge[t]), 1.0), (int(charge[t]), -1.0)] for t in range(count)]
        nothing, most_kw = np.zeros(count), np.full(count, power_kw)
        add_polygon(rows, battery.reactive, kvar, net_kw, fixed_kw=nothing, most_kw=most_kw)
    net = selection(count, columns, discharge, 1.0) - selection(count, columns, charge, 1.0)
    return block_of(
        resource=battery.mrid,
        default_kw=default_kw(battery),
        lower=lower,
        upper=upper,
        cost=cost,
        rows=rows,
        action=net,
        injection=net,
        offset_kw=np.zeros(count),
        pair=(charge, discharge),
        kvar=None if kvar is None else kvar.matrix(columns),
    )


def held_back(
    battery: Battery, state: ResourceState, grid: TimeGrid, setpoint_kw: FloatArray, t: int
) -> str | None:
    """Why it gives no more in interval `t` than `setpoint_kw` (T,) says; None: no rule says so."""
    if setpoint_kw[t] >= min(battery.rating_kw, state.available_kw) - FULL_WITHIN_KW:
        return "gives all its power"
    least_kwh = battery.soc_min_pct / 100.0 * battery.energy_kwh
    left_kwh = energy_kwh(battery, state, grid, setpoint_kw)
    if left_kwh[t:].min() <= least_kwh + SPENT_WITHIN * battery.energy_kwh:
        spent = left_kwh[t] <= least_kwh + SPENT_WITHIN * battery.energy_kwh
        return "has no energy left" if spent else "needs its energy later"
    return None
