"""What a kW costs a transformer in life: the price of ageing by load, for each interval ahead.

Ageing grows by the exponential of the hot spot, and the oil remembers: a kW less at noon cools the
evening, too. So the price of a kW is the slope of all the life that is lost from now on, tail
included, and it is its mean between two levels of the whole path (`LEVELS`). Along the path the
prices then sum up to the life that is saved; of a single hour's cut they say rather too little.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from optimizer.arrays import FloatArray
from optimizer.health.thermal import Iec, Limits, ageing_ieee, ageing_normal, iec

LEVELS = (0.0, 0.5, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2)
"""Shares of the expected load from which on a price holds; the last one holds for all above."""
TAIL_H = 6.0
"""The oil is back to its usual by then."""
NUDGE = 1e-3
LOADS_MOST = 4.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Prices:
    """(levels, T): from the load `above` (share of the rating) on, an hour at one more rating costs
    `life_h` hours of insulation life."""

    above: FloatArray
    life_h: FloatArray


def lost_life_h(load: FloatArray, air_c: FloatArray, own: Iec, *, step_min: float, upgraded: bool,
                past: int) -> FloatArray:  # fmt: skip
    """(…,) hours of life that the load (…, n) costs from sample `past` on."""
    hot = iec(load, air_c, own, step_min=step_min).hot_spot_c[..., past:]
    speed = (ageing_ieee if upgraded else ageing_normal)(hot)
    result: FloatArray = speed.sum(axis=-1) * step_min / 60.0
    return result


def ageing_prices(
    past: FloatArray,
    ahead: FloatArray,
    air_c: FloatArray,
    own: Iec,
    *,
    step_min: float,
    upgraded: bool,
) -> Prices:
    """`past` (m,) load that brings the oil to where it is, `ahead` (T,) the expected one, shares of
    the rating; `air_c` (m + T,). Raises ValueError for a value that is not there."""
    count = len(ahead)
    tail = round(TAIL_H * 60.0 / step_min)
    air = np.concatenate([air_c, np.full(tail, air_c[-1])])
    head = np.abs(np.concatenate([past, ahead, np.full(tail, ahead[-1])]))
    # Mean slope of a band by Simpson: it bends like an exponential.
    middles = [0.5 * (low + high) for low, high in pairwise(LEVELS)]
    shares = np.array([*LEVELS, *middles])
    rows = np.repeat(head[None], len(shares) * (count + 1), axis=0)
    rows = rows.reshape(len(shares), count + 1, -1)
    rows[:, :, len(past) : len(past) + count] *= shares[:, None, None]
    each = np.arange(count)
    rows[:, each + 1, len(past) + each] += NUDGE
    lost = lost_life_h(rows, air, own, step_min=step_min, upgraded=upgraded, past=len(past))
    slope = (lost[:, 1:] - lost[:, :1]) / NUDGE * 60.0 / step_min
    edge, middle = slope[: len(LEVELS)], slope[len(LEVELS) :]
    mean = np.concatenate([(edge[:-1] + 4.0 * middle + edge[1:]) / 6.0, edge[-1:]])
    return Prices(
        above=np.array(LEVELS)[:, None] * np.abs(ahead),
        life_h=np.maximum.accumulate(np.maximum(mean, 0.0), axis=0),
    )


def steady_load(own: Iec, air_c: float, limits: Limits) -> float:
    """The largest steady load (share of the rating) that keeps all three limits at `air_c`."""
    loads = np.linspace(0.0, LOADS_MOST, 4_001)
    oil = own.top_oil_rise * ((1 + loads**2 * own.loss_ratio) / (1 + own.loss_ratio)) ** own.x
    hot = oil + own.hot_spot_rise * loads**own.y
    keeps = (
        (air_c + hot <= limits.hot_spot_c)
        & (air_c + oil <= limits.top_oil_c)
        & (loads <= limits.load)
    )
    return float(loads[keeps].max(initial=0.0))
