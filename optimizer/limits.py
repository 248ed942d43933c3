"""What a plan must keep to, row by row, and what breaking it costs.

Every limit is soft, so that there always is a solution; what a kW, a per cent or 0.01 pu too much
costs goes up from tier to tier: contract target, import limit, thermal limit, voltage, voltage
beyond the emergency band. An overloaded branch is mended as far as any resource can, also one that
is overloaded now: nothing but the customers and the devices can take current off it. To overload
one that would not be, or one that is any further (rebound does), is dearer than all that mending
is worth: the AC check refuses it. A voltage that
is broken in interval 0 already, without any control, may stay as it is there but must not get
worse.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from gridctl.model.program import DispatchRequest, RequestState
from optimizer.arrays import FloatArray
from optimizer.problem import Problem
from optimizer.regulated import RegulatedNetwork
from optimizer.timegrid import TimeGrid

OPEN_REQUESTS = (RequestState.RECEIVED, RequestState.PLANNED, RequestState.ACTIVE)
PRE_EXISTING_MARGIN_PU = 1e-4


class Limit(StrEnum):
    """Families of rows that a plan must respect."""

    IMPORT = "head import"
    TARGET = "contract target"
    VOLTAGE_LOW = "voltage low"
    VOLTAGE_HIGH = "voltage high"
    LOADING = "branch loading"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tiers:
    """Price of one unit too much for one hour, as multiples of the dearest resource's kWh."""

    target_kw: float = 20.0
    import_kw: float = 100.0
    loading_pct: float = 5e3
    voltage_pct_pu: float = 1e5
    emergency_pct_pu: float = 1e6
    loading_harm_pct: float = 1e5


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Bounds:
    """Limits of each node-phase, branch and interval; infinite where there is none.

    `target_kw` (T,): greatest import that keeps all contract targets, infinite outside of events.
    """

    import_kw: float
    target_kw: FloatArray
    v_low_pu: FloatArray
    v_high_pu: FloatArray
    loading_pct: FloatArray


def wanted_kw(requests: Sequence[DispatchRequest], grid: TimeGrid) -> FloatArray:
    """Reduction of the import that the open requests ask for in each interval, kW (T,).

    Requests that overlap add up: each asker is owed its own kW against the import without control.
    A request counts in full in every interval that it touches.
    """
    total = np.zeros(grid.count)
    for request in requests:
        if request.state in OPEN_REQUESTS:
            touched = (request.start_s < grid.end_s) & (request.end_s > grid.begin_s)
            total += np.where(touched, request.target_kw, 0.0)
    return total


def limit_bounds(problem: Problem, network: RegulatedNetwork) -> Bounds:
    """The task's limits on every row, with what is broken already let be (not worse)."""
    limits, flow = problem.task.limits, problem.base_flow
    v_now = flow.v_pu[:, [0]]
    low = np.where(
        v_now < limits.voltage_min_pu,
        np.minimum(flow.v_pu - PRE_EXISTING_MARGIN_PU, limits.voltage_min_pu),
        limits.voltage_min_pu,
    )
    high = np.where(
        v_now > limits.voltage_max_pu,
        np.maximum(flow.v_pu + PRE_EXISTING_MARGIN_PU, limits.voltage_max_pu),
        limits.voltage_max_pu,
    )
    low[~network.judged], high[~network.judged] = -np.inf, np.inf
    wanted = wanted_kw(problem.task.requests, problem.grid)
    return Bounds(
        import_kw=limits.head_import_kw,
        target_kw=np.where(wanted > 0.0, problem.head_kw - wanted, np.inf),
        v_low_pu=low,
        v_high_pu=high,
        loading_pct=np.full(flow.branch_loading_pct.shape, limits.loading_max_pct),
    )
