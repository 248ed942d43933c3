"""The network as the linear programme sees it: affine in the injections u (kW).

`V_t = Vbase_t + H u_t`, the same H for all intervals; only the offsets move, towards the AC truth
(`shift`). Loadings are magnitudes of currents and bend where the flow turns round, so they have a
slope of their own in each interval that comes near a limit, and tangents that were left behind stay
as cuts: the loading is convex in u, so each tangent bounds it from below.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from optimizer.arrays import BoolArray, FloatArray, IntArray
from optimizer.branches import ALL
from optimizer.limits import Bounds
from optimizer.network import ControlColumn, FlowResult, Sensitivity
from optimizer.problem import Problem
from optimizer.regulated import RegulatedNetwork

NEAR_PCT = 15.0
"""Points below its limit at which a loading is looked at with a slope of its own interval."""
LOADING_RESIDUAL_PCT = 0.05
SLOPES_MAX = 50_000_000
LARGE_FROM = 500_000
"""Node-phases times resources of a feeder that is large."""
SAME_KW = 1.0
"""Slopes are those of injections that differ by less than this in sum."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Offsets:
    """What the network would show without injections, as the linear model sees it."""

    v_pu: FloatArray
    head_kw: FloatArray
    loading_pct: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Cut:
    """A tangent of one branch's loading in one interval: `at_zero_pct` + `slope` u_t."""

    where: int
    interval: int
    slope: FloatArray
    at_zero_pct: float


class LinearModel:
    """Offsets and slopes for the given `columns` (members)."""

    def __init__(
        self,
        problem: Problem,
        *,
        columns: Sequence[ControlColumn],
        bounds: Bounds,
        network: RegulatedNetwork,
        steps: tuple[int, Sequence[int]] = (0, ()),
    ) -> None:
        """`steps`: rows of positions that are columns, too, and in front of which column."""
        self._columns = tuple(columns)
        self._steps = steps
        self._width = len(self._columns) + len(steps[1])
        self._bounds, self._network = bounds, network
        flow = problem.base_flow
        self.offsets = Offsets(
            v_pu=flow.v_pu, head_kw=flow.head_kw, loading_pct=flow.branch_loading_pct
        )
        peak = int(np.argmax(problem.head_kw))
        sensitivity = self._sensitivity(flow, peak)
        self.dv = sensitivity.dv_pu_per_kw
        self.dhead = sensitivity.dhead_kw_per_kw
        self.head_slope: FloatArray = np.tile(self.dhead[:, None], (1, problem.grid.count))
        self._own_dv: dict[int, FloatArray] = {}
        self._slopes_at: dict[int, FloatArray] = {}
        self._shared = sensitivity.dloading_pct_per_kw
        # How currents change differs little between the hours of a day, other than the currents
        # themselves: the loadings of all intervals follow from what is known at the peak.
        self._current_pct = None
        self.is_large: bool = len(problem.task.resources) * len(flow.v_pu) >= LARGE_FROM
        if not steps[1]:
            self._current_pct = sensitivity.current_pct
        self._own: dict[int, tuple[IntArray | slice, FloatArray]] = {}
        near = self._near(flow.branch_loading_pct)
        for t in np.flatnonzero(near.any(axis=0)).tolist():
            self._own[t] = self._slope(flow, t, near[:, t])

    def say(self, u: FloatArray) -> Offsets:
        """What the linear model says of injections `u` (members, T)."""
        loading = self.offsets.loading_pct + self._shared @ u
        for t, (rows, slope) in self._own.items():
            loading[rows, t] = self.offsets.loading_pct[rows, t] + slope @ u[:, t]
        v_pu = self.offsets.v_pu + self.dv @ u
        for t, slope in self._own_dv.items():
            v_pu[:, t] = self.offsets.v_pu[:, t] + slope @ u[:, t]
        return Offsets(
            v_pu=v_pu,
            head_kw=self.offsets.head_kw + (self.head_slope * u).sum(axis=0),
            loading_pct=loading,
        )

    def dv_at(self, where: int, interval: int) -> FloatArray:
        """Slope of one voltage in one interval, pu per kW of each member."""
        found: FloatArray = self._own_dv.get(interval, self.dv)[where]
        return found

    def relinearise(self, u: FloatArray, truth: FlowResult) -> None:
        """Take the exact slopes of each interval at `u` (where they are not those that are known),
        and tell the AC truth there. Voltages keep their one slope where those of all intervals
        would not fit into memory."""
        apart = truth.v_pu.size * self._width <= SLOPES_MAX
        for t in range(truth.v_pu.shape[1]):
            if t in self._slopes_at and np.abs(u[:, t] - self._slopes_at[t]).sum() < SAME_KW:
                continue
            self._slopes_at[t] = u[:, t].copy()
            found = self._sensitivity(truth, t)
            self.head_slope[:, t] = found.dhead_kw_per_kw
            self._own[t] = ALL, found.dloading_pct_per_kw
            if apart:
                self._own_dv[t] = found.dv_pu_per_kw
        self.offsets = Offsets(
            v_pu=np.zeros_like(truth.v_pu),
            head_kw=np.zeros_like(truth.head_kw),
            loading_pct=np.zeros_like(truth.branch_loading_pct),
        )
        moved = self.say(u)
        self.offsets = Offsets(
            v_pu=truth.v_pu - moved.v_pu,
            head_kw=truth.head_kw - moved.head_kw,
            loading_pct=truth.branch_loading_pct - moved.loading_pct,
        )

    def loading_slope(self, interval: int) -> FloatArray:
        """(B, members): per cent of each branch per kW of each member in one interval."""
        if interval not in self._own:
            return self._shared
        rows, slope = self._own[interval]
        if isinstance(rows, slice):
            return slope
        result = self._shared.copy()
        result[rows] = slope
        return result

    def _slope_of(self, where: int, interval: int) -> FloatArray:
        """(members,): `loading_slope` of one branch."""
        rows, slope = self._own.get(interval, (ALL, self._shared))
        if not isinstance(rows, slice):
            at = int(np.searchsorted(rows, where))
            own = at < len(rows) and rows[at] == where
            return np.asarray(slope[at] if own else self._shared[where])
        return np.asarray(slope[where])

    def tangent(self, where: int, interval: int) -> Cut:
        """The present tangent of one branch in one interval."""
        return Cut(
            where=where,
            interval=interval,
            slope=self._slope_of(where, interval),
            at_zero_pct=float(self.offsets.loading_pct[where, interval]),
        )

    def shift(self, u: FloatArray, truth: FlowResult, *, cautious: bool = False) -> None:
        """Move the offsets so that the linear model tells the AC truth at `u`, with new slopes in
        the intervals that are `bent`. `cautious`: the import is only ever moved up."""
        said = self.say(u)
        near = self._near(said.loading_pct) | self._near(truth.branch_loading_pct)
        for t in np.flatnonzero(self.bent(u, truth).any(axis=0)).tolist():
            self._own[t] = self._slope(truth, t, near[:, t])
        said, now = self.say(u), self.offsets
        head_kw = truth.head_kw - said.head_kw
        self.offsets = Offsets(
            v_pu=now.v_pu + truth.v_pu - said.v_pu,
            head_kw=now.head_kw + (np.maximum(head_kw, 0.0) if cautious else head_kw),
            loading_pct=now.loading_pct + truth.branch_loading_pct - said.loading_pct,
        )

    def bent(self, u: FloatArray, truth: FlowResult) -> BoolArray:
        """(B, T): where a loading near its limit differs between both models."""
        said, found = self.say(u).loading_pct, truth.branch_loading_pct
        wrong = np.abs(said - found) > LOADING_RESIDUAL_PCT
        return np.asarray(wrong & (self._near(said) | self._near(found)))

    def _near(self, loading_pct: FloatArray) -> BoolArray:
        return np.asarray(loading_pct > self._bounds.loading_pct - NEAR_PCT)

    def _slope(
        self, flow: FlowResult, t: int, near: BoolArray
    ) -> tuple[IntArray | slice, FloatArray]:
        """Branches (rows) and their slopes in interval `t`: of those that are `near` their limits
        where it takes no linear system, which gives the slopes of all."""
        if self._current_pct is not None:
            rows = np.flatnonzero(near)
            found = self._network.loading_slope(flow, t, self._current_pct, rows)
            if found is not None:
                return rows, found
        return ALL, self._sensitivity(flow, t).dloading_pct_per_kw

    def _sensitivity(self, flow: FlowResult, t: int) -> Sensitivity:
        found = self._network.sensitivity(flow, t, self._columns)
        at, rows = self._steps
        if not rows:
            return found
        more = self._network.step_slopes(flow, t, rows)

        def joined(a: FloatArray, b: FloatArray) -> FloatArray:
            return np.concatenate([a[..., :at], b, a[..., at:]], axis=-1)

        return Sensitivity(
            dv_pu_per_kw=joined(found.dv_pu_per_kw, more.dv_pu_per_kw),
            dhead_kw_per_kw=joined(found.dhead_kw_per_kw, more.dhead_kw_per_kw),
            dloading_pct_per_kw=joined(found.dloading_pct_per_kw, more.dloading_pct_per_kw),
            current_pct=found.current_pct,
        )
