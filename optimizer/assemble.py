"""The linear programme of a plan, in the reduced form: no power flow variables.

Voltages, loadings and the head's import are affine in the injections u (kW):
`V_t = Vbase_t + H u_t` with one H for all intervals; only the offsets move, towards the AC truth
(`shift`). Of the many thousand voltage and loading rows only those that some solution broke are in
the programme, and they stay in it between solves.

Every limit is soft, so that there always is a solution; what a kW, a per cent or 0.01 pu too much
costs goes up from tier to tier: contract target, import limit, thermal limit, voltage, voltage
beyond the emergency band. A limit that is broken in interval 0 already, without any control, may
stay as it is there but must not get worse. The same holds for voltages more than an hour ahead: the
model holds the taps still where regulators will move, so control of customers is not asked to mend
what the regulators mend.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import scipy.sparse as sp

from gridctl.model.program import DispatchRequest, RequestState
from optimizer.arrays import BoolArray, FloatArray
from optimizer.block import Block
from optimizer.network import FlowResult, NetworkModel, Sensitivity
from optimizer.problem import Problem, block
from optimizer.timegrid import IntArray, TimeGrid

OPEN_REQUESTS = (RequestState.RECEIVED, RequestState.PLANNED, RequestState.ACTIVE)
ROWS_PER_SIDE_MAX = 8
RECHARGE_SHARE = 0.9
"""Batteries fill up again freely only while the import stays below this share of its limit."""
VOLTAGE_TOLERANCE_PU = 2e-5
LOADING_TOLERANCE_PCT = 0.02
EMERGENCY_BAND_PU = 0.05
PCT_PU = 100.0
"""Voltage rows are in 0.01 pu: numbers of the size of the others."""
TAPS_HOLD_S = 3600.0
"""How long the taps of now are taken for true. Later, regulators will have moved."""
PRE_EXISTING_MARGIN_PU = 1e-4
PRE_EXISTING_MARGIN_PCT = 0.1
DROP_BELOW = 1e-7


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


@dataclass(frozen=True, slots=True, kw_only=True)
class LazyRow:
    """A voltage or loading row that is in the programme: where (row of node-phases or branches),
    when."""

    limit: Limit
    where: int
    interval: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Offsets:
    """What the network would show without injections, as the linear model sees it."""

    v_pu: FloatArray
    head_kw: FloatArray
    loading_pct: FloatArray


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


def taps_hold(grid: TimeGrid) -> BoolArray:
    """Intervals (T,) in which the taps of now are taken for true."""
    return np.asarray(grid.begin_s < grid.now_s + TAPS_HOLD_S)


def limit_bounds(problem: Problem, network: NetworkModel) -> Bounds:
    """The task's limits on every row, with what is broken already let be (not worse)."""
    limits, flow = problem.task.limits, problem.base_flow
    far = ~taps_hold(problem.grid)
    v_now = flow.v_pu[:, [0]]
    low = np.where(
        (v_now < limits.voltage_min_pu) | far,
        np.minimum(flow.v_pu - PRE_EXISTING_MARGIN_PU, limits.voltage_min_pu),
        limits.voltage_min_pu,
    )
    high = np.where(
        (v_now > limits.voltage_max_pu) | far,
        np.maximum(flow.v_pu + PRE_EXISTING_MARGIN_PU, limits.voltage_max_pu),
        limits.voltage_max_pu,
    )
    low[~network.energised], high[~network.energised] = -np.inf, np.inf
    loading = np.where(
        flow.branch_loading_pct[:, [0]] > limits.loading_max_pct,
        np.maximum(flow.branch_loading_pct + PRE_EXISTING_MARGIN_PCT, limits.loading_max_pct),
        limits.loading_max_pct,
    )
    wanted = wanted_kw(problem.task.requests, problem.grid)
    return Bounds(
        import_kw=limits.head_import_kw,
        target_kw=np.where(wanted > 0.0, problem.head_kw - wanted, np.inf),
        v_low_pu=low,
        v_high_pu=high,
        loading_pct=loading,
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Fixed:
    """What a later stage holds: the runs of each block, and columns that stay at zero."""

    runs: Mapping[int, BoolArray]
    zero: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Matrices:
    """What the solver takes: rows `a x` within bounds, columns within bounds, costs."""

    a: sp.csr_array
    row_lower: FloatArray
    row_upper: FloatArray
    lower: FloatArray
    upper: FloatArray
    cost: FloatArray


class Programme:
    """The linear programme of one task.

    Columns: those of the blocks, then of each interval a slack for import, one for the target and
    the charging beyond comfort (`RECHARGE_SHARE`), then two slacks for each lazy row. Rows: those
    of the blocks, charging, import, target, lazy rows.
    """

    def __init__(
        self,
        problem: Problem,
        *,
        bounds: Bounds,
        sensitivity: Sensitivity,
        tiers: Tiers,
    ) -> None:
        self.problem = problem
        self.bounds = bounds
        self.rows: list[LazyRow] = []
        self.members = [
            i for i, r in enumerate(problem.task.resources) if r.mrid not in problem.excluded
        ]
        resources = [problem.task.resources[i] for i in self.members]
        self.blocks: list[Block] = [
            block(r, problem.states[r.mrid], problem.grid) for r in resources
        ]
        flow = problem.base_flow
        self.offsets = Offsets(
            v_pu=flow.v_pu, head_kw=flow.head_kw, loading_pct=flow.branch_loading_pct
        )
        self.dv = sensitivity.dv_pu_per_kw[:, self.members]
        self.dhead = sensitivity.dhead_kw_per_kw[self.members]
        self.dloading = sensitivity.dloading_pct_per_kw[:, self.members]
        self._starts = np.concatenate(([0], np.cumsum([b.columns for b in self.blocks]))).astype(
            np.int64
        )
        self.fixed: Fixed | None = None
        self._injection = _block_diagonal([b.injection for b in self.blocks])
        self._standing_kw = np.zeros((len(self.members), problem.grid.count))
        self._rules = _block_diagonal([b.matrix for b in self.blocks])
        self._charging, self._charging_price = self._comfort()
        self._unit = _unit_price(self.blocks, problem.grid)
        self._tiers = tiers

    @property
    def own_columns(self) -> int:
        """Number of columns of the blocks."""
        return int(self._starts[-1])

    def columns_of(self, index: int) -> slice:
        """Columns of block `index`."""
        return slice(int(self._starts[index]), int(self._starts[index + 1]))

    def hold(self, fixed: Fixed) -> None:
        """Fix the runs; from now on what follows their ends (rebound) is part of the injection."""
        self.fixed = fixed
        injections, standing = [], np.zeros_like(self._standing_kw)
        for index, own in enumerate(self.blocks):
            if own.runs is None or index not in fixed.runs:
                injections.append(own.injection)
                continue
            after, standing[index] = own.runs.aftermath(fixed.runs[index])
            injections.append(sp.csr_array(own.injection + after))
        self._injection, self._standing_kw = _block_diagonal(injections), standing

    def relax(self, assumed_kw: FloatArray | None = None) -> None:
        """Let runs be free (and fractional); what follows their ends is `assumed_kw` (members, T)
        or, without it, nothing."""
        self.fixed = None
        self._injection = _block_diagonal([b.injection for b in self.blocks])
        self._standing_kw = np.zeros_like(self._standing_kw) if assumed_kw is None else assumed_kw

    def aftermath_kw(self, x: FloatArray) -> FloatArray:
        """(members, T): the part of a solution's injection that follows the ends of runs."""
        direct = _block_diagonal([b.injection for b in self.blocks]) @ x[: self.own_columns]
        after: FloatArray = self.injection_kw(x) - direct.reshape(self._standing_kw.shape)
        return after

    def injection_kw(self, x: FloatArray) -> FloatArray:
        """(members, T): what a solution injects."""
        flat: FloatArray = self._injection @ x[: self.own_columns]
        return flat.reshape(self._standing_kw.shape) + self._standing_kw

    def own_cost(self, x: FloatArray) -> float:
        """Cost of the resources alone, without any slack."""
        return float(sum(b.cost @ x[self.columns_of(i)] for i, b in enumerate(self.blocks)))

    def linear(self, u: FloatArray) -> Offsets:
        """What the linear model says of injections `u` (members, T)."""
        return Offsets(
            v_pu=self.offsets.v_pu + self.dv @ u,
            head_kw=self.offsets.head_kw + self.dhead @ u,
            loading_pct=self.offsets.loading_pct + self.dloading @ u,
        )

    def shift(self, u: FloatArray, truth: FlowResult) -> None:
        """Move the offsets so that the linear model tells the AC truth at `u`."""
        said = self.linear(u)
        now = self.offsets
        self.offsets = Offsets(
            v_pu=now.v_pu + truth.v_pu - said.v_pu,
            head_kw=now.head_kw + truth.head_kw - said.head_kw,
            loading_pct=now.loading_pct + truth.branch_loading_pct - said.loading_pct,
        )

    def add_broken(self, u: FloatArray) -> int:
        """Add the worst voltage and loading rows that `u` breaks; how many were added."""
        said, known = self.linear(u), set(self.rows)
        families = (
            (Limit.VOLTAGE_LOW, self.bounds.v_low_pu - said.v_pu, VOLTAGE_TOLERANCE_PU),
            (Limit.VOLTAGE_HIGH, said.v_pu - self.bounds.v_high_pu, VOLTAGE_TOLERANCE_PU),
            (Limit.LOADING, said.loading_pct - self.bounds.loading_pct, LOADING_TOLERANCE_PCT),
        )
        added = 0
        for limit, excess, tolerance in families:
            for t in np.flatnonzero((excess > tolerance).any(axis=0)):
                new = 0
                for where in np.argsort(-excess[:, t]):
                    if excess[where, t] <= tolerance or new == ROWS_PER_SIDE_MAX:
                        break
                    row = LazyRow(limit=limit, where=int(where), interval=int(t))
                    if row not in known:
                        self.rows.append(row)
                        new += 1
                added += new
        return added

    def matrices(self) -> Matrices:
        """The programme as it stands now."""
        count, own, lazy = self.problem.grid.count, self.own_columns, len(self.rows)
        head = self._by_interval(np.tile(self.dhead[:, None], (1, count)), np.arange(count))
        slack = -sp.eye_array(count, format="csr")
        standing = self.linear(self._standing_kw)
        a_lazy, lazy_upper, first, second = self._lazy(standing)
        a = sp.block_array(
            [
                [self._rules, None, None, None, None, None],
                [self._charging, None, None, slack, None, None],
                [head, slack, None, None, None, None],
                [head, None, slack, None, None, None],
                [a_lazy, None, None, None, -sp.eye_array(lazy), -sp.eye_array(lazy)],
            ],
            format="csr",
        )
        if a.shape != (self._rules.shape[0] + 3 * count + lazy, own + 3 * count + 2 * lazy):
            raise ValueError(f"programme has shape {a.shape}")
        hours, unit = self.problem.grid.hours, self._unit
        lower, upper = self._own_bounds()
        soft_upper = np.concatenate(
            [
                np.maximum(RECHARGE_SHARE * self.bounds.import_kw - self.problem.head_kw, 0.0),
                np.full(count, self.bounds.import_kw) - standing.head_kw,
                self.bounds.target_kw - standing.head_kw,
                lazy_upper,
            ]
        )
        rules_lower = [b.row_lower for b in self.blocks]
        rules_upper = [b.row_upper for b in self.blocks]
        return Matrices(
            a=a,
            row_lower=np.concatenate([*rules_lower, np.full(len(soft_upper), -np.inf)]),
            row_upper=np.concatenate([*rules_upper, soft_upper]),
            lower=np.concatenate([lower, np.zeros(3 * count + 2 * lazy)]),
            upper=np.concatenate([upper, np.full(3 * count, np.inf), first[0], second[0]]),
            cost=np.concatenate(
                [
                    *(b.cost for b in self.blocks),
                    self._tiers.import_kw * unit * hours,
                    self._tiers.target_kw * unit * hours,
                    self._charging_price * hours,
                    first[1],
                    second[1],
                ]
            ),
        )

    def _own_bounds(self) -> tuple[FloatArray, FloatArray]:
        """Bounds of the blocks' columns, with what is held."""
        lower = np.concatenate([*(b.lower for b in self.blocks), np.zeros(0)])
        upper = np.concatenate([*(b.upper for b in self.blocks), np.zeros(0)])
        if self.fixed is None:
            return lower, upper
        for index, on in self.fixed.runs.items():
            runs = self.blocks[index].runs
            if runs is None:
                continue
            first = self.columns_of(index).start
            was_on = np.concatenate(([runs.rules.active], on[:-1]))
            for columns, values in (
                (runs.on, on),
                (runs.start, on & ~was_on),
                (runs.stop, was_on & ~on),
            ):
                lower[first + columns] = upper[first + columns] = values.astype(np.float64)
        upper[list(self.fixed.zero)] = 0.0
        return lower, upper

    def soft_rows(self) -> tuple[slice, slice, slice]:
        """Rows of import, target and lazy limits in `matrices().a`."""
        count = self.problem.grid.count
        begin = self._rules.shape[0] + count
        lazy = begin + 2 * count
        return (
            slice(begin, begin + count),
            slice(begin + count, lazy),
            slice(lazy, lazy + len(self.rows)),
        )

    def _comfort(self) -> tuple[sp.csr_array, float]:
        """All charging of each interval, and what a kWh beyond comfort costs: a little more than
        filling up is worth, far less than any limit."""
        count, price = self.problem.grid.count, 0.0
        row: list[int] = []
        column: list[int] = []
        for index, own in enumerate(self.blocks):
            if own.pair is not None:
                row += range(count)
                column += (self.columns_of(index).start + own.pair[0]).tolist()
                price = max(price, 1.05 * float(own.cost.max()))
        ones = np.ones(len(row))
        return sp.csr_array((ones, (row, column)), shape=(count, self.own_columns)), price

    def _by_interval(self, weight: FloatArray, interval: IntArray) -> sp.csr_array:
        """Rows sum_r weight[r, j] * u[r, interval[j]] in the blocks' columns."""
        members, rows = weight.shape
        keep = np.abs(weight) > DROP_BELOW * (np.abs(weight).max() if weight.size else 0.0)
        resource, row = np.nonzero(keep)
        at = resource * self.problem.grid.count + interval[row]
        chosen = sp.csr_array(
            (weight[resource, row], (row, at)), shape=(rows, members * self.problem.grid.count)
        )
        return sp.csr_array(chosen @ self._injection)

    def _lazy(
        self, standing: Offsets
    ) -> tuple[
        sp.csr_array, FloatArray, tuple[FloatArray, FloatArray], tuple[FloatArray, FloatArray]
    ]:
        """Lazy rows, their upper bounds, and (upper bound, cost) of their two slacks."""
        count = len(self.rows)
        weight, upper = np.zeros((len(self.members), count)), np.zeros(count)
        first_upper, prices = np.full(count, np.inf), np.zeros((2, count))
        hours, unit, tiers = self.problem.grid.hours, self._unit, self._tiers
        for j, row in enumerate(self.rows):
            at = (row.where, row.interval)
            price = unit * float(hours[row.interval])
            if row.limit is Limit.LOADING:
                weight[:, j] = self.dloading[row.where]
                upper[j] = self.bounds.loading_pct[at] - standing.loading_pct[at]
                prices[:, j] = tiers.loading_pct * price
                continue
            sign = -PCT_PU if row.limit is Limit.VOLTAGE_LOW else PCT_PU
            low = row.limit is Limit.VOLTAGE_LOW
            bound = self.bounds.v_low_pu[at] if low else self.bounds.v_high_pu[at]
            weight[:, j] = sign * self.dv[row.where]
            upper[j] = sign * (bound - standing.v_pu[at])
            first_upper[j] = EMERGENCY_BAND_PU * PCT_PU
            prices[:, j] = tiers.voltage_pct_pu * price, tiers.emergency_pct_pu * price
        rows = self._by_interval(weight, np.array([r.interval for r in self.rows], dtype=np.int64))
        return rows, upper, (first_upper, prices[0]), (np.full(count, np.inf), prices[1])


def _block_diagonal(parts: Sequence[sp.csr_array]) -> sp.csr_array:
    if not parts:
        return sp.csr_array((0, 0))
    return sp.csr_array(sp.block_diag(parts, format="csr"))


def _unit_price(blocks: Sequence[Block], grid: TimeGrid) -> float:
    """Price of the dearest kWh among the resources: what slack prices are multiples of."""
    longest = float(grid.hours.max())
    dearest = [float(b.cost[: grid.count].max()) / longest for b in blocks if b.runs is not None]
    others = [float(b.cost.max()) / longest for b in blocks if b.runs is None]
    return max([1.0, *dearest, *others])
