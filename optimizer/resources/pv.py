"""PV inverters: a ceiling on the output; curtailed only when a limit asks for it."""

from __future__ import annotations

import numpy as np

from gridctl.model.planning import ResourceState
from gridctl.model.resource import PvInverter
from optimizer.block import COST_MIN, Block, Rows, block_of, selection
from optimizer.resources.reactive import (
    KVAR_COST_SHARE,
    add_polygon,
    kvar_columns,
    takes_setpoint,
)
from optimizer.timegrid import FloatArray, TimeGrid

SUNRISE_H = 6.0
SUNSET_H = 18.0
SHAPE_MIN = 0.1
CURTAILED_MIN_KW = 0.1


def _sun(hour: FloatArray) -> FloatArray:
    day = np.sin(np.pi * (hour - SUNRISE_H) / (SUNSET_H - SUNRISE_H))
    return np.where((hour > SUNRISE_H) & (hour < SUNSET_H), np.clip(day, 0.0, 1.0), 0.0)


def available_kw(pv: PvInverter, state: ResourceState, grid: TimeGrid) -> FloatArray:
    """What the sun is expected to give in each interval, kW (T,).

    Now's `available_kw` (of an excluded inverter: what flows) times the sun's course between now
    and then: sin of the sun's hour angle with sunrise at 6 and sunset at 18 local standard time,
    the one geometry (equinox) that needs neither latitude nor date. Held when the sun stands too
    low now to scale with, never above the rating, nothing where it is not known. At least what the
    forecast asks for (`TimeGrid.sun_share`): it has seen the season.
    """
    told_kw = state.power_kw if state.excluded is not None else state.available_kw
    now_kw = max(told_kw, 0.0) if np.isfinite(told_kw) else 0.0
    shape_now = float(_sun(grid.local_hour(np.array([grid.now_s])))[0])
    if shape_now < SHAPE_MIN:
        ratio = np.ones(grid.count)
    else:
        ratio = _sun(grid.local_hour((grid.begin_s + grid.end_s) / 2)) / shape_now
    least_kw = 0.0 if grid.sun_share is None else grid.sun_share * pv.rating_kw
    return np.minimum(np.maximum(now_kw * ratio, least_kw), pv.rating_kw)


def default_kw(pv: PvInverter) -> float:
    """No ceiling below the rating."""
    return pv.rating_kw


def injection_kw(
    pv: PvInverter, state: ResourceState, grid: TimeGrid, setpoint_kw: FloatArray
) -> FloatArray:
    """Minus what a ceiling takes away from the sun, kW (T,)."""
    return np.minimum(setpoint_kw - available_kw(pv, state, grid), 0.0)


def unusable(pv: PvInverter, state: ResourceState, grid: TimeGrid) -> str | None:
    """Why it cannot be planned with, or None."""
    del grid
    if state.excluded is not None:
        return state.excluded
    if not (np.isfinite(state.available_kw) and pv.rating_kw > 0.0):
        return "what the sun gives here is not known"
    return None


def block(pv: PvInverter, state: ResourceState, grid: TimeGrid) -> Block:
    """Columns: curtailment of each interval, kW, at most what the sun gives; where it takes kvar,
    those given and drawn."""
    count = grid.count
    sun_kw = available_kw(pv, state, grid)
    columns, rows, kvar = count, Rows(), None
    upper, cost = sun_kw, max(pv.cost_per_kwh, COST_MIN) * grid.hours
    if pv.reactive is not None and takes_setpoint(pv.reactive):
        columns, kvar = 3 * count, kvar_columns(count, count)
        upper = np.concatenate([sun_kw, np.full(2 * count, pv.reactive.kvar_max)])
        cost = np.concatenate([cost, np.tile(KVAR_COST_SHARE * COST_MIN * grid.hours, 2)])
        taken_kw = [[(t, -1.0)] for t in range(count)]
        add_polygon(rows, pv.reactive, kvar, taken_kw, fixed_kw=sun_kw, most_kw=sun_kw)
    taken = selection(count, columns, np.arange(count), -1.0)
    return block_of(
        resource=pv.mrid,
        default_kw=default_kw(pv),
        lower=np.zeros(columns),
        upper=upper,
        cost=cost,
        rows=rows,
        action=taken,
        injection=taken,
        offset_kw=sun_kw,
        kvar=None if kvar is None else kvar.matrix(columns),
    )


def held_back(
    pv: PvInverter, state: ResourceState, grid: TimeGrid, setpoint_kw: FloatArray, t: int
) -> str | None:
    """Why it gives no more in interval `t`: None where a ceiling of the plan takes something."""
    if injection_kw(pv, state, grid, setpoint_kw)[t] < -CURTAILED_MIN_KW:
        return None
    return "gives all that the sun gives"
