"""Temperatures of transformers as rows: how far a short overload may go before the hot spot does.

The oil and the windings remember (IEC 60076-7, IEEE C57.91 clause 7): each interval goes a share of
the way to where its load would lead in the end. Where it leads grows faster than the load, so it is
told by chords: they lie above the curve, and a plan never counts on a cooler transformer. What the
IEC's second winding term takes off is told by its tangent at the load without a plan, for the same
reason. History enters as the three rises that are there now.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from gridctl.model.policy import HotSpot
from optimizer.arrays import FloatArray
from optimizer.network import FlowResult
from optimizer.problem import Problem
from optimizer.system_rows import Builder
from optimizer.timegrid import TimeGrid

LOADS = (0.0, 0.4, 0.7, 0.9, 1.0, 1.1, 1.2, 1.3, 1.4, 1.5, 1.7, 2.0)
"""Shares of the rating between which chords run; the last one goes on beyond."""
TOLERANCE_K = 0.5
MINUTES_PER_HOUR = 60.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Path:
    """Temperatures (T,) at the end of each interval, °C."""

    top_oil_c: FloatArray
    hot_spot_c: FloatArray


def oil_end_k(own: HotSpot, load: FloatArray) -> FloatArray:
    """Rise of the top oil over the air that a load (share of the rating) leads to, K."""
    losses = (1.0 + own.loss_ratio * load**2) / (1.0 + own.loss_ratio)
    result: FloatArray = own.top_oil_rise_k * losses**own.oil_exponent
    return result


def winding_end_k(own: HotSpot, load: FloatArray) -> FloatArray:
    """Rise of the hot spot over the top oil that a load leads to, K."""
    result: FloatArray = own.hot_spot_rise_k * load**own.winding_exponent
    return result


def gains(own: HotSpot, grid: TimeGrid) -> tuple[FloatArray, FloatArray, FloatArray]:
    """(T,) each: which share of the way the oil and both winding terms go in each interval."""
    minutes = grid.hours * MINUTES_PER_HOUR
    return (
        1.0 - np.exp(-minutes / (own.k11 * own.tau_oil_min)),
        1.0 - np.exp(-minutes / (own.k22 * own.tau_winding_min)),
        1.0 - np.exp(-minutes * own.k22 / own.tau_oil_min),
    )


def path(own: HotSpot, load: FloatArray, air_c: FloatArray, grid: TimeGrid) -> Path:
    """Temperatures under `load` (T,), from what is there now, without chords."""
    oil_gain, fast, slow = gains(own, grid)
    oil, one, two = own.oil_rise_now_k, own.winding_now_k, own.counter_now_k
    oil_end, winding_end = oil_end_k(own, load), winding_end_k(own, load)
    top_oil, hot_spot = np.empty_like(load), np.empty_like(load)
    for t in range(len(load)):
        oil += oil_gain[t] * (oil_end[t] - oil)
        one += fast[t] * (own.k21 * winding_end[t] - one)
        two += slow[t] * ((own.k21 - 1.0) * winding_end[t] - two)
        top_oil[t] = air_c[t] + oil
        hot_spot[t] = top_oil[t] + one - two
    return Path(top_oil_c=top_oil, hot_spot_c=hot_spot)


def paths(problem: Problem, flow: FlowResult) -> list[tuple[HotSpot, Path]]:
    """The temperatures of all that are watched in `flow`."""
    names = list(flow.branch_names)
    air_c = np.array(problem.task.policy.temperature_c)
    return [
        (own, path(own, _load(own, flow, names), air_c, problem.grid))
        for own in problem.task.policy.hot_spots
    ]


def beyond_k(own: HotSpot, found: Path) -> FloatArray:
    """(T,): kelvin above whichever limit is passed further; 0 or less where both are kept."""
    result: FloatArray = np.maximum(
        found.hot_spot_c - own.hot_spot_max_c, found.top_oil_c - own.top_oil_max_c
    )
    return result


def too_hot(problem: Problem, flow: FlowResult) -> bool:
    """Whether `flow` takes any of them beyond its limits."""
    return any(bool((beyond_k(own, one) > 0.0).any()) for own, one in paths(problem, flow))


def hotter(problem: Problem, flow: FlowResult) -> list[str]:
    """Why a plan may not pass its check: a limit that it passes further than it would be passed
    without it."""
    found = []
    for (own, after), (_, before) in zip(
        paths(problem, flow), paths(problem, problem.base_flow), strict=True
    ):
        over = beyond_k(own, after) - np.maximum(beyond_k(own, before), 0.0)
        t = int(np.argmax(over))
        if over[t] > TOLERANCE_K:
            found.append(
                f"{own.branch} gets {over[t]:.1f} K hotter beyond its limit in interval {t} than"
                " without the plan"
            )
    return found


def add_hot_spots(build: Builder, problem: Problem, price: float) -> None:
    """Rows and columns of all that are watched; `price` of a kelvin too much for an hour."""
    names = list(problem.base_flow.branch_names)
    for own in problem.task.policy.hot_spots:
        _add(build, problem, own, names, price)


def _add(
    build: Builder, problem: Problem, own: HotSpot, names: Sequence[str], price: float
) -> None:
    grid, row = problem.grid, list(names).index(own.branch)
    oil_gain, fast, slow = gains(own, grid)
    base = _load(own, problem.base_flow, names)
    oil_before, one_before, two_before = (
        _Now(own.oil_rise_now_k),
        _Now(own.winding_now_k),
        _Now(own.counter_now_k),
    )
    for t in range(grid.count):
        load = build.column(f"load {own.branch} {t}", 0.0)
        build.row(load=[(row, t, 0.01)], columns=[(load, -1.0)], upper=0.0)
        oil = build.column(f"oil {own.branch} {t}", 0.0)
        one = build.column(f"winding {own.branch} {t}", 0.0)
        for before, column, gain, ends in (
            (oil_before, oil, float(oil_gain[t]), oil_end_k(own, np.array(LOADS))),
            (one_before, one, float(fast[t]), own.k21 * winding_end_k(own, np.array(LOADS))),
        ):
            for slope, at_zero in _chords(ends):
                build.row(
                    columns=[
                        *before.times(1.0 - gain),
                        (load, gain * slope),
                        (column, -1.0),
                    ],
                    upper=-gain * at_zero - before.known(1.0 - gain),
                )
        columns = [(oil, 1.0), (one, 1.0)]
        known = 0.0
        if own.k21 > 1.0:
            two = build.column(f"counter {own.branch} {t}", 0.0, lower=-np.inf)
            gain = float(slow[t])
            slope, at_zero = _tangent(own, float(base[t]))
            build.row(
                columns=[(two, 1.0), *two_before.times(gain - 1.0), (load, -gain * slope)],
                upper=gain * at_zero + two_before.known(1.0 - gain),
            )
            columns.append((two, -1.0))
            two_before = _Now(0.0, two)
        air_c = problem.task.policy.temperature_c[t]
        too_much = build.column(f"hot {own.branch} {t}", price * float(grid.hours[t]))
        build.hot.append((own.branch, t, len(build.upper), too_much))
        build.row(columns=[*columns, (too_much, -1.0)], upper=own.hot_spot_max_c - air_c - known)
        build.row(columns=[(oil, 1.0), (too_much, -1.0)], upper=own.top_oil_max_c - air_c)
        oil_before, one_before = _Now(0.0, oil), _Now(0.0, one)


@dataclass(frozen=True, slots=True)
class _Now:
    """What was there before an interval: a number, or a column."""

    value: float
    column: int | None = None

    def times(self, share: float) -> list[tuple[int, float]]:
        return [] if self.column is None else [(self.column, share)]

    def known(self, share: float) -> float:
        return share * self.value if self.column is None else 0.0


def _chords(ends: FloatArray) -> list[tuple[float, float]]:
    """(slope, value at zero) of the lines through neighbouring points of a curve."""
    found = []
    for (a, low), (b, high) in pairwise(zip(LOADS, ends.tolist(), strict=True)):
        slope = (high - low) / (b - a)
        found.append((slope, low - slope * a))
    return found


def _tangent(own: HotSpot, load: float) -> tuple[float, float]:
    """(slope, value at zero) of what the second winding term leads to, at `load`."""
    at = (own.k21 - 1.0) * own.hot_spot_rise_k
    slope = at * own.winding_exponent * load ** (own.winding_exponent - 1.0)
    return slope, at * load**own.winding_exponent - slope * load


def _load(own: HotSpot, flow: FlowResult, names: Sequence[str]) -> FloatArray:
    result: FloatArray = flow.branch_loading_pct[list(names).index(own.branch)] / 100.0
    return result
