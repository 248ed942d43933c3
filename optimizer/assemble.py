"""The linear programme of a plan, in the reduced form: no power flow variables.

Voltages, loadings and the head's import are affine in the injections (`optimizer.linear`). Of the
many thousand voltage and loading rows only those that some solution broke are in the programme, and
they stay in it between solves. Every limit is soft (`optimizer.limits`).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import scipy.sparse as sp

from optimizer import tap_steps
from optimizer.arrays import FloatArray
from optimizer.block import Block
from optimizer.channels import Channels
from optimizer.fixed import Fixed
from optimizer.lazyrows import LazyRow, LazyRows, slacks
from optimizer.limits import Bounds, Tiers, emergency
from optimizer.linear import LinearModel
from optimizer.network import FlowResult
from optimizer.prices import dearest_kwh, given_back, worth_per_kwh
from optimizer.problem import Problem, block, kvar_column
from optimizer.reach import reach_kw, worth_mending
from optimizer.rebound import spared
from optimizer.regulated import RegulatedNetwork
from optimizer.restricted import restricted
from optimizer.session import Matrices
from optimizer.stacked import Band, block_diagonal, stacked
from optimizer.sunlight import needless
from optimizer.system import WISH_MIN_KW, WISHES, system_of
from optimizer.timegrid import IntArray

RECHARGE_SHARE = 0.9
"""Batteries fill up again freely only while the import stays below this share of its limit."""
DROP_BELOW = 1e-7


class Programme:
    """The linear programme of one task.

    Columns: those of the blocks, then of each interval a slack for import, one for the target and
    the charging beyond comfort (`RECHARGE_SHARE`), those of the policy (`optimizer.system`), then
    for each lazy row its two slacks. Rows: those of the blocks, charging, import, target, policy,
    lazy.
    """

    def __init__(
        self,
        problem: Problem,
        *,
        bounds: Bounds,
        network: RegulatedNetwork,
        tiers: Tiers,
    ) -> None:
        self.problem = problem
        self.bounds = bounds
        left = needless(problem, bounds, network)
        members = [
            i
            for i, r in enumerate(problem.task.resources)
            if r.mrid not in problem.excluded and i not in left
        ]
        resources = [problem.task.resources[i] for i in members]
        self.blocks: list[Block] = [
            restricted(
                block(r, problem.states[r.mrid], problem.grid),
                problem.states[r.mrid].blocked,
                problem.grid,
            )
            for r in resources
        ]
        givers = [k for k, own in enumerate(self.blocks) if own.kvar is not None]
        self.channels = Channels(problem, members=members, givers=givers, start=network.start)
        self.blocks += self.channels.step_blocks()
        self.model = LinearModel(
            problem,
            columns=[
                *(problem.columns[i] for i in members),
                *(kvar_column(resources[k], network) for k in givers),
            ],
            bounds=bounds,
            network=network,
            steps=(len(members), [m.row for m in problem.movers]),
        )
        gentle = spared(self.blocks, len(members), self.model, bounds, problem.base_flow)
        self.blocks, self.hopeless = gentle.blocks, gentle.hopeless
        self._lazy = self._lazy_rows()
        self._starts = np.concatenate(([0], np.cumsum([b.columns for b in self.blocks]))).astype(
            np.int64
        )
        self.fixed: Fixed | None = None
        self._kvar = self._kvar_rows()
        self._injection = self._direct()
        self._standing_kw = self.channels.nothing()
        self._rules = block_diagonal([b.matrix for b in self.blocks])
        self._charging, self._charging_price = self._comfort()
        self._unit = dearest_kwh(self.blocks[: len(members)], problem.grid)
        self.tiers = tiers
        self.trust: tuple[FloatArray, FloatArray] | None = None
        self.head_price = np.zeros(problem.grid.count)
        self.loss_price = problem.task.policy.loss_price_per_kwh * problem.grid.hours
        if problem.task.policy.price_per_kwh:
            prices = np.array(problem.task.policy.price_per_kwh)
            self.head_price = prices * problem.grid.hours
        worth = worth_per_kwh(problem.task.policy)
        if worth > 0.0:
            self.blocks = [given_back(b, worth) for b in self.blocks]
        own = self.blocks[: len(members)]
        self.system = system_of(
            problem,
            own,
            self._starts.tolist(),
            unit=self._unit,
            least_kw=bounds.least_kw,
            export_price=tiers.import_kw * self._unit,
            hot_price=tiers.loading_pct * self._unit,
        )

    def _lazy_rows(self) -> LazyRows:
        problem, bounds, reach = self.problem, self.bounds, None
        plain = not self.channels.movers and not self.channels.givers
        if self.model.is_large and plain:
            least, most = reach_kw(self.blocks, problem.grid.count)
            reach = np.maximum(np.abs(least), np.abs(most))
        return LazyRows(
            self.model,
            bounds=bounds,
            watched=worth_mending(self.blocks, self.model, bounds, problem.base_flow)
            if plain
            else bounds,
            base=problem.base_flow,
            reach_kw=reach,
        )

    @property
    def rows(self) -> Sequence[LazyRow]:
        """The lazy rows, in the order of `matrices()`."""
        return self._lazy.rows

    def add_broken(self, u: FloatArray) -> int:
        """As `LazyRows.add_broken`."""
        return self._lazy.add_broken(u)

    @property
    def own_columns(self) -> int:
        """Number of columns of the blocks."""
        return int(self._starts[-1])

    @property
    def columns(self) -> int:
        """Number of columns of `matrices()` as it stands."""
        count = 3 * self.problem.grid.count + self.system.columns
        return self.own_columns + count + 2 * len(self.rows)

    def columns_of(self, index: int) -> slice:
        """Columns of block `index`."""
        return slice(int(self._starts[index]), int(self._starts[index + 1]))

    @property
    def dearest(self) -> float:
        """Price of the dearest kWh among the resources: what slack prices are multiples of."""
        return self._unit

    def hold(self, fixed: Fixed) -> None:
        """Fix the runs; from now on what follows their ends (rebound) is part of the injection."""
        self.fixed = fixed
        afters, standing = list[sp.csr_array](), np.zeros_like(self._standing_kw)
        for index, own in enumerate(self.blocks):
            after = sp.csr_array(own.injection.shape)
            if own.runs is not None and index in fixed.runs:
                after, standing[index] = own.runs.aftermath(fixed.runs[index])
            afters.append(after)
        direct = block_diagonal([b.injection for b in self.blocks])
        self._injection = self._with_kvar(sp.csr_array(direct + block_diagonal(afters)))
        self._standing_kw = standing

    def whole_steps(
        self, x: FloatArray, beyond: float = tap_steps.NEAREST
    ) -> dict[int, FloatArray]:
        """By the first column of each mover's steps, the whole steps (T,) near those of `x`."""
        channels, found = self.channels, dict[int, FloatArray]()
        for k in range(len(channels.movers)):
            first = self.columns_of(len(channels.members) + k).start
            steps = x[first : first + self.problem.grid.count]
            found[first] = channels.whole(k, steps, beyond)
        return found

    def pinned(self, x: FloatArray) -> dict[int, IntArray]:
        """(T,) positions by row of what a solution moves."""
        return self.channels.positions([*self.whole_steps(x).values()])

    def losses_slope(self) -> FloatArray:
        """(channels, T): kW of losses per unit of each channel."""
        slope: FloatArray = self.model.head_slope + self.channels.of_kw()
        return slope

    def _direct(self) -> sp.csr_array:
        """(channels * T, own columns): what the columns inject, without what follows runs."""
        return self._with_kvar(block_diagonal([b.injection for b in self.blocks]))

    def _with_kvar(self, kw: sp.csr_array) -> sp.csr_array:
        if not self.channels.givers:
            return kw
        return sp.csr_array(sp.vstack([kw, self._kvar], format="csr"))

    def _kvar_rows(self) -> sp.csr_array:
        """(givers * T, own columns)."""
        rows = sp.csr_array((0, self.own_columns))
        for k in self.channels.givers:
            own = self.blocks[k].kvar
            if own is None:
                continue
            place = self.columns_of(k)
            before, after = place.start, self.own_columns - place.stop
            count = own.shape[0]
            wide = sp.hstack(
                [sp.csr_array((count, before)), own, sp.csr_array((count, after))], format="csr"
            )
            rows = sp.csr_array(sp.vstack([rows, wide], format="csr"))
        return rows

    def relax(self, assumed_kw: FloatArray | None = None) -> None:
        """Let runs be free (and fractional); what follows their ends is `assumed_kw` (channels, T)
        or, without it, nothing."""
        self.fixed = None
        self._injection = self._direct()
        self._standing_kw = self.channels.nothing() if assumed_kw is None else assumed_kw

    def price_head(self, price: FloatArray) -> None:
        """What a kW of import costs in each interval from now on, (T,) in the objective's unit; the
        objective counts it of what the resources change, not of the import without control."""
        self.head_price = price

    def head_change_kw(self, x: FloatArray) -> FloatArray:
        """(T,): by how much a solution moves the import, as the linear model sees it."""
        change: FloatArray = (self.model.head_slope * self.injection_kw(x)).sum(axis=0)
        return change

    def aftermath_kw(self, x: FloatArray) -> FloatArray:
        """(channels, T): the part of a solution's injection that follows the ends of runs."""
        direct = self._direct() @ x[: self.own_columns]
        after: FloatArray = self.injection_kw(x) - direct.reshape(self._standing_kw.shape)
        return after

    def injection_kw(self, x: FloatArray) -> FloatArray:
        """(channels, T): what a solution injects, in the order of `channels`."""
        flat: FloatArray = self._injection @ x[: self.own_columns]
        return flat.reshape(self._standing_kw.shape) + self._standing_kw

    def own_cost(self, x: FloatArray) -> float:
        """Cost of the resources alone, without any slack."""
        return float(sum(b.cost @ x[self.columns_of(i)] for i, b in enumerate(self.blocks)))

    def wishes_missed(self, x: FloatArray) -> list[tuple[str, int, float]]:
        """(wish, interval, kW) that a solution falls short of what the policy asks for."""
        first = self.own_columns + 3 * self.problem.grid.count
        found = []
        for name, value in zip(self.system.names, x[first:], strict=False):
            wish, _, interval = name.rpartition(" ")
            if wish in WISHES and value > WISH_MIN_KW:
                found.append((WISHES[wish], int(interval), float(value)))
        return found

    def penalty(self, x: FloatArray) -> float:
        """What the broken limits of a solution of `matrices()` cost."""
        count, own, cost = self.problem.grid.count, self.own_columns, self.cost()
        lazy = own + 3 * count + self.system.columns
        hot = [own + 3 * count + column for *_, column in self.system.hot]
        limits = np.r_[own : own + 2 * count, hot, lazy : len(cost)].astype(np.int64)
        return float(cost[limits] @ x[limits])

    def shift(self, u: FloatArray, truth: FlowResult, *, cautious: bool = False) -> None:
        """Move the linear model to the AC truth at `u`; tangents of loadings that it leaves behind
        stay as rows. `cautious` as in `LinearModel.shift`."""
        bent = self.model.bent(u, truth)
        self._lazy.leave_behind(lambda row: bool(bent[row.where, row.interval]))
        self.model.shift(u, truth, cautious=cautious)

    def relinearise(self, u: FloatArray, truth: FlowResult) -> None:
        """As `LinearModel.relinearise`; tangents of loadings that are left behind stay as rows."""
        self._lazy.leave_behind(lambda _: True)
        self.model.relinearise(u, truth)

    def matrices(self) -> Matrices:
        """The programme as it stands now."""
        count, own, lazy = self.problem.grid.count, self.own_columns, len(self.rows)
        system = self.system
        head = self.head_rows()
        slack = _diagonal(np.full(count, -1.0))
        standing = self.model.say(self._standing_kw)
        written = self._lazy.written(standing, self._standing_kw)
        rules = self._rules
        rules_lower = [b.row_lower for b in self.blocks]
        rules_upper = [b.row_upper for b in self.blocks]
        if self.trust is not None:
            rules = sp.vstack([rules, self._injection], format="csr")
            rules_lower.append((self.trust[0] - self._standing_kw).ravel())
            rules_upper.append((self.trust[1] - self._standing_kw).ravel())
        of_system = sp.csr_array((0, own))
        if system.rows:
            of_system = sp.csr_array(system.own + system.head @ head)
        system_upper = system.upper - system.head @ standing.head_kw
        if system.loads:
            of_loads, standing_pct = self._loads()
            of_system = sp.csr_array(of_system + system.load @ of_loads)
            system_upper -= system.load @ standing_pct
        a = stacked(
            [
                Band(left=rules),
                Band(left=self._charging, beside=slack, first=own + 2 * count),
                Band(left=head, beside=slack, first=own),
                Band(left=head, beside=slack, first=own + count),
                Band(left=of_system, beside=system.matrix, first=own + 3 * count),
                Band(
                    left=self._by_interval(written.weight, written.interval),
                    beside=slacks(lazy),
                    first=own + 3 * count + system.columns,
                ),
            ],
            own + 3 * count + system.columns + 2 * lazy,
        )
        if a.shape != (
            rules.shape[0] + 3 * count + system.rows + lazy,
            own + 3 * count + system.columns + 2 * lazy,
        ):
            raise ValueError(f"programme has shape {a.shape}")
        lower, upper = self._own_bounds()
        soft_upper = np.concatenate(
            [
                np.maximum(RECHARGE_SHARE * self.bounds.import_kw - self.problem.head_kw, 0.0),
                np.full(count, self.bounds.import_kw) - standing.head_kw,
                self.bounds.target_kw - standing.head_kw,
                system_upper,
                written.upper,
            ]
        )
        return Matrices(
            a=a,
            row_lower=np.concatenate([*rules_lower, np.full(len(soft_upper), -np.inf)]),
            row_upper=np.concatenate([*rules_upper, soft_upper]),
            lower=np.concatenate(
                [lower, np.zeros(3 * count), system.column_lower, np.zeros(2 * lazy)]
            ),
            upper=np.concatenate(
                [upper, np.full(3 * count, np.inf), system.column_upper, written.slack_upper]
            ),
            cost=self.cost(),
        )

    def cost(self) -> FloatArray:
        """What a unit of each column of `matrices()` costs."""
        hours, unit = self.problem.grid.hours, self._unit
        return np.concatenate(
            [
                self.own_cost_priced(),
                self.tiers.import_kw * unit * hours,
                self.target_price() * unit * hours,
                self._charging_price * hours,
                self.system.cost,
                self._lazy.slack_cost(self.tiers, self._unit, hours),
            ]
        )

    def target_price(self) -> FloatArray:
        """(T,): a kW that an event misses; in an emergency as much as one above the limit."""
        urgent = emergency(self.problem.task.requests, self.problem.grid)
        return np.where(urgent, self.tiers.import_kw, self.tiers.target_kw)

    def _loads(self) -> tuple[sp.csr_array, FloatArray]:
        """The present tangents of the loadings that the system's rows read, and what stands of
        them, per cent."""
        cuts = [self.model.tangent(*at) for at in self.system.loads]
        interval = np.array([t for _, t in self.system.loads], dtype=np.int64)
        standing_pct = np.array(
            [cut.at_zero_pct + cut.slope @ self._standing_kw[:, cut.interval] for cut in cuts]
        )
        return self._by_interval(np.column_stack([c.slope for c in cuts]), interval), standing_pct

    def head_rows(self) -> sp.csr_array:
        """(T, own columns): by how much each column moves the import, without what stands."""
        count = self.problem.grid.count
        return self._by_interval(self.model.head_slope, np.arange(count))

    def own_cost_priced(self) -> FloatArray:
        """Cost of the blocks' columns, with what they do to an import that is priced."""
        own = np.concatenate([*(b.cost for b in self.blocks), np.zeros(0)])
        if not self.head_price.any() and not self.loss_price.any():
            return own
        worth = self.model.head_slope * self.head_price
        worth += self.losses_slope() * self.loss_price
        priced: FloatArray = own + self._injection.T @ worth.ravel()
        return priced

    def _own_bounds(self) -> tuple[FloatArray, FloatArray]:
        """Bounds of the blocks' columns, with what is held."""
        lower = np.concatenate([*(b.lower for b in self.blocks), np.zeros(0)])
        upper = np.concatenate([*(b.upper for b in self.blocks), np.zeros(0)])
        if self.fixed is not None:
            self.fixed.hold(lower, upper, self.blocks, self._starts)
        return lower, upper

    def without_trust(self, row_price: FloatArray) -> FloatArray:
        """Prices of the rows as they are without a trust region."""
        if self.trust is None:
            return row_price
        first = self._rules.shape[0]
        return np.delete(row_price, np.s_[first : first + self._injection.shape[0]])

    def soft_rows(self) -> tuple[slice, slice, slice]:
        """Rows of import, target and lazy limits in `matrices().a`."""
        count = self.problem.grid.count
        trust = 0 if self.trust is None else self._injection.shape[0]
        begin = self._rules.shape[0] + trust + count
        lazy = begin + 2 * count + self.system.rows
        return (
            slice(begin, begin + count),
            slice(begin + count, begin + 2 * count),
            slice(lazy, lazy + len(self.rows)),
        )

    def export_rows(self) -> slice:
        """Rows that hold the export, one for each of `system.exports`."""
        first = self.soft_rows()[1].stop
        return slice(first, first + len(self.system.exports))

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


def _diagonal(values: FloatArray) -> sp.csr_array:
    count = len(values)
    return sp.csr_array((values, np.arange(count), np.arange(count + 1)), shape=(count, count))
