"""Oil and winding temperatures of transformers, after IEC 60076-7 and IEEE C57.91 clause 7.

Vectorised: loads (…, n) over any number of assets and paths, n samples in step; parameters
broadcast over the leading axes. Load K is a share of the rating; temperatures in °C, rises in K,
times in minutes. The first sample is a steady state. Every step uses the exact solution of the
first-order equations for a load that is constant within it (1 - exp(-dt/T) instead of dt/T), so
that a step may be as long as one likes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from optimizer.arrays import FloatArray

LIFE_H = 180_000.0
"""IEEE C57.91: insulation life at the rated hot spot."""
HOT_SPOT_UPGRADED_C, HOT_SPOT_NORMAL_C = 110.0, 98.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Iec:
    """IEC 60076-7: rises at rated load, time constants, loss ratio, exponents, constants."""

    top_oil_rise: float
    hot_spot_rise: float
    tau_oil_min: float
    tau_winding_min: float
    loss_ratio: float
    x: float
    y: float
    k11: float
    k21: float
    k22: float


TYPES: Mapping[str, Iec] = {
    "distribution-onan": Iec(
        top_oil_rise=55, hot_spot_rise=23, tau_oil_min=180, tau_winding_min=4, loss_ratio=5,
        x=0.8, y=1.6, k11=1.0, k21=1.0, k22=2.0,
    ),
    "onan": Iec(
        top_oil_rise=52, hot_spot_rise=26, tau_oil_min=210, tau_winding_min=10, loss_ratio=6,
        x=0.8, y=1.3, k11=0.5, k21=2.0, k22=2.0,
    ),
    "onaf": Iec(
        top_oil_rise=52, hot_spot_rise=26, tau_oil_min=150, tau_winding_min=7, loss_ratio=6,
        x=0.8, y=1.3, k11=0.5, k21=2.0, k22=2.0,
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Ieee:
    """IEEE C57.91 clause 7; `tau_oil_h` at rated load."""

    top_oil_rise: float
    hot_spot_rise: float
    tau_oil_h: float
    tau_winding_min: float
    loss_ratio: float
    n: float
    m: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Of one loading mode (IEC 60076-7): °C, and load as a share of the rating."""

    top_oil_c: float
    hot_spot_c: float
    load: float


NORMAL = Limits(top_oil_c=105.0, hot_spot_c=120.0, load=1.5)
LONG_EMERGENCY = Limits(top_oil_c=115.0, hot_spot_c=140.0, load=1.8)
SHORT_EMERGENCY = Limits(top_oil_c=115.0, hot_spot_c=160.0, load=2.0)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Temperatures:
    """(…, n) each."""

    top_oil_c: FloatArray
    hot_spot_c: FloatArray


def iec(load: FloatArray, ambient_c: FloatArray, own: Iec, *, step_min: float) -> Temperatures:
    """IEC 60076-7, difference equations in their exact form.

    Raises ValueError for a load or a temperature that is not there: a gap in the load is filled by
    whoever knows better.
    """
    load, ambient_c = _both(load, ambient_c)
    oil_gain = 1.0 - np.exp(-step_min / (own.k11 * own.tau_oil_min))
    fast = 1.0 - np.exp(-step_min / (own.k22 * own.tau_winding_min))
    slow = 1.0 - np.exp(-step_min * own.k22 / own.tau_oil_min)
    oil_rise = own.top_oil_rise * ((1 + load**2 * own.loss_ratio) / (1 + own.loss_ratio)) ** own.x
    winding = own.hot_spot_rise * load**own.y
    top_oil, hot_spot = np.empty_like(load), np.empty_like(load)
    oil = ambient_c[..., 0] + oil_rise[..., 0]
    one, two = own.k21 * winding[..., 0], (own.k21 - 1.0) * winding[..., 0]
    for k in range(load.shape[-1]):
        if k:
            oil = oil + oil_gain * (oil_rise[..., k] - (oil - ambient_c[..., k]))
            one = one + fast * (own.k21 * winding[..., k] - one)
            two = two + slow * ((own.k21 - 1.0) * winding[..., k] - two)
        top_oil[..., k] = oil
        hot_spot[..., k] = oil + one - two
    return Temperatures(top_oil_c=top_oil, hot_spot_c=hot_spot)


def ieee(load: FloatArray, ambient_c: FloatArray, own: Ieee, *, step_min: float) -> Temperatures:
    """IEEE C57.91 clause 7, the load of each step acting from the step's start."""
    load, ambient_c = _both(load, ambient_c)
    oil_gain = 1.0 - np.exp(-step_min / (60.0 * own.tau_oil_h))
    winding_gain = 1.0 - np.exp(-step_min / own.tau_winding_min)
    oil_end = own.top_oil_rise * ((load**2 * own.loss_ratio + 1) / (own.loss_ratio + 1)) ** own.n
    winding_end = own.hot_spot_rise * load ** (2.0 * own.m)
    top_oil, hot_spot = np.empty_like(load), np.empty_like(load)
    oil, winding = oil_end[..., 0], winding_end[..., 0]
    for k in range(load.shape[-1]):
        if k:
            oil = oil + oil_gain * (oil_end[..., k] - oil)
            winding = winding + winding_gain * (winding_end[..., k] - winding)
        top_oil[..., k] = ambient_c[..., k] + oil
        hot_spot[..., k] = top_oil[..., k] + winding
    return Temperatures(top_oil_c=top_oil, hot_spot_c=hot_spot)


def oil_time_constant_h(
    *,
    core_and_coils_kg: float,
    tank_kg: float,
    oil_l: float,
    top_oil_rise: float,
    losses_w: float,
    directed: bool = False,
) -> float:
    """IEEE C57.91 (7): thermal capacity from the name plate, Wh/K, times rise over losses.

    The clause counts pounds and gallons; this takes kg and litres.
    """
    pounds, gallons = 1.0 / 0.45359237, 1.0 / 3.785411784
    tank, fluid = (0.06, 1.93) if directed else (0.04, 1.33)
    capacity = 0.06 * core_and_coils_kg * pounds + tank * tank_kg * pounds + fluid * oil_l * gallons
    return capacity * top_oil_rise / losses_w


def ageing_ieee(hot_spot_c: FloatArray) -> FloatArray:
    """F_AA of thermally upgraded paper: 1 at 110 °C; also V of IEC for such paper."""
    rated = HOT_SPOT_UPGRADED_C + 273.0
    result: FloatArray = np.exp(15_000.0 / rated - 15_000.0 / (np.asarray(hot_spot_c) + 273.0))
    return result


def ageing_normal(hot_spot_c: FloatArray) -> FloatArray:
    """V of normal paper: 1 at 98 °C, twice as fast every 6 K."""
    result: FloatArray = 2.0 ** ((np.asarray(hot_spot_c) - HOT_SPOT_NORMAL_C) / 6.0)
    return result


def life_used_pct(ageing: FloatArray, *, step_min: float) -> FloatArray:
    """(…,) per cent of the insulation's life used over the path (…, n)."""
    result: FloatArray = ageing.sum(axis=-1) * step_min / 60.0 / LIFE_H * 100.0
    return result


def equivalent_ageing(ageing: FloatArray) -> FloatArray:
    """(…,) F_EQA: mean ageing over the path."""
    result: FloatArray = ageing.mean(axis=-1)
    return result


def _both(load: FloatArray, ambient_c: FloatArray) -> tuple[FloatArray, FloatArray]:
    load, ambient_c = np.broadcast_arrays(
        np.asarray(load, dtype=float), np.asarray(ambient_c, dtype=float)
    )
    if not (np.isfinite(load).all() and np.isfinite(ambient_c).all()):
        raise ValueError("a load or an ambient temperature is missing")
    # Power may flow either way; what heats is its size.
    return np.abs(load), ambient_c
