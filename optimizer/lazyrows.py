"""Voltage and loading rows that come into a programme only when a solution breaks them.

Of the many thousand that a feeder has, few ever bind. A row that is in stays in between solves.
Every one is soft, with two slacks: what may be too much, and what never should be.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp

from optimizer.arrays import FloatArray
from optimizer.limits import Bounds, Limit, Tiers
from optimizer.linear import Cut, LinearModel, Offsets
from optimizer.network import FlowResult
from optimizer.timegrid import IntArray

ROWS_PER_SIDE_MAX = 8
CUTS_KEPT = 2
"""Tangents that are left behind, of one branch in one interval."""
VOLTAGE_TOLERANCE_PU = 2e-5
LOADING_TOLERANCE_PCT = 0.02
ALIKE_PU = 1e-4
"""Two voltages that never differ by more, whatever is planned, are one on a large feeder."""
EMERGENCY_BAND_PU = 0.05
PCT_PU = 100.0
"""Voltage rows are in 0.01 pu: numbers of the size of the others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LazyRow:
    """A voltage or loading row that is in the programme: where (row of node-phases or branches),
    when. `cut`: number of the tangent that it is, None for the model's present one."""

    limit: Limit
    where: int
    interval: int
    cut: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Written:
    """The rows as the programme takes them: row j is `weight` (channels, rows) times what the
    channels inject in its `interval`, at most `upper`; `slack_upper` of its slacks, two a row."""

    weight: FloatArray
    interval: IntArray
    upper: FloatArray
    slack_upper: FloatArray


class LazyRows:
    """The rows of one programme. `watched`: bounds beyond which a row is asked for; `base`: the
    flow without a plan; `reach_kw` (channels, T): the most that each may inject on a large feeder,
    None on a small one, where voltages that answer alike are no trouble."""

    def __init__(
        self,
        model: LinearModel,
        *,
        bounds: Bounds,
        watched: Bounds,
        base: FlowResult,
        reach_kw: FloatArray | None,
    ) -> None:
        self._model = model
        self._bounds = bounds
        self._watched = watched
        self._base = base
        self._reach_kw = reach_kw
        self.rows: list[LazyRow] = []
        self.cuts: list[Cut] = []

    def leave_behind(self, which: Callable[[LazyRow], bool]) -> None:
        """Keep the present tangents of loading rows as cuts. Of one place and interval the last few
        are kept, the oldest gives its row to the newest: on a feeder with many overloaded branches
        every round would add a row for each of them in each interval."""
        cuts: dict[tuple[int, int], list[int]] = {}
        for j, row in enumerate(self.rows):
            if row.cut is not None:
                cuts.setdefault((row.where, row.interval), []).append(j)
        for row in list(self.rows):
            if row.limit is not Limit.LOADING or row.cut is not None or not which(row):
                continue
            cut = replace(row, cut=len(self.cuts))
            self.cuts.append(self._model.tangent(row.where, row.interval))
            kept = cuts.get((row.where, row.interval), [])
            if len(kept) < CUTS_KEPT:
                self.rows.append(cut)
            else:
                self.rows[min(kept, key=lambda j: self.rows[j].cut or 0)] = cut

    def add_broken(self, u: FloatArray) -> int:
        """Add the worst voltage and loading rows that `u` breaks; how many were added. An interval
        that has some already may get as many again, so that it takes few rounds until a chain of
        lines that carry the same current is in."""
        said, known = self._model.say(u), set(self.rows)
        bounds = self._watched
        families = (
            (Limit.VOLTAGE_LOW, bounds.v_low_pu - said.v_pu, VOLTAGE_TOLERANCE_PU),
            (Limit.VOLTAGE_HIGH, said.v_pu - bounds.v_high_pu, VOLTAGE_TOLERANCE_PU),
            (Limit.LOADING, said.loading_pct - bounds.loading_pct, LOADING_TOLERANCE_PCT),
        )
        added = 0
        there: dict[tuple[Limit, int], list[int]] = {}
        for row in self.rows:
            if row.cut is None:
                there.setdefault((row.limit, row.interval), []).append(row.where)
        for limit, excess, tolerance in families:
            for t in np.flatnonzero((excess > tolerance).any(axis=0)):
                own = there.get((limit, int(t)), [])
                new, most = 0, max(ROWS_PER_SIDE_MAX, len(own))
                for where in np.argsort(-excess[:, t]):
                    if excess[where, t] <= tolerance or new == most:
                        break
                    row = LazyRow(limit=limit, where=int(where), interval=int(t))
                    if row not in known and not self._told_by(row, own, excess[:, t]):
                        self.rows.append(row)
                        own.append(row.where)
                        new += 1
                added += new
        return added

    def _told_by(self, row: LazyRow, others: Sequence[int], excess: FloatArray) -> bool:
        """Whether a voltage that is as much beyond its limit, and answers alike to whatever the
        resources do, has a row in this interval already. Only on a large feeder, where a hundred
        customers behind one regulator break a limit together."""
        if self._reach_kw is None or not others or row.limit is Limit.LOADING:
            return False
        near = np.array(others)
        near = near[excess[near] >= excess[row.where] - ALIKE_PU]
        apart = np.abs(self._model.dv[near] - self._model.dv[row.where])
        return bool(np.any(apart @ self._reach_kw[:, row.interval] <= ALIKE_PU))

    def slack_cost(self, tiers: Tiers, unit: float, hours: FloatArray) -> FloatArray:
        """Cost of the slacks, two a row; `hours` (T,): how long each interval is, `unit`: the
        price of the dearest kWh, of which the tiers are multiples."""
        loading = tiers.loading_pct * unit, tiers.loading_harm_pct * unit
        voltage = tiers.voltage_pct_pu * unit, tiers.emergency_pct_pu * unit
        tier = [loading if row.limit is Limit.LOADING else voltage for row in self.rows]
        of_rows = hours[[row.interval for row in self.rows]]
        prices = np.array(tier, dtype=np.float64).reshape(-1, 2) * of_rows[:, None]
        return prices.ravel()

    def written(self, standing: Offsets, standing_kw: FloatArray) -> Written:
        """The rows where `standing_kw` (channels, T) is injected whatever the columns do, which the
        model says is `standing`."""
        count = len(self.rows)
        weight = np.zeros((len(standing_kw), count))
        upper = np.zeros(count)
        first_upper = np.full(count, np.inf)
        for j, row in enumerate(self.rows):
            at = (row.where, row.interval)
            if row.limit is Limit.LOADING:
                cut = self._model.tangent(*at) if row.cut is None else self.cuts[row.cut]
                weight[:, j] = cut.slope
                standing_pct = cut.slope @ standing_kw[:, row.interval]
                upper[j] = self._bounds.loading_pct[at] - cut.at_zero_pct - standing_pct
                # What is too much without a plan is mended; what the plan adds is harm.
                now_pct = self._base.branch_loading_pct[at]
                first_upper[j] = max(now_pct - self._bounds.loading_pct[at], 0.0)
                first_upper[j] += float(self._bounds.further.loading_pct[row.where, 0])
                continue
            sign = -PCT_PU if row.limit is Limit.VOLTAGE_LOW else PCT_PU
            low = row.limit is Limit.VOLTAGE_LOW
            bound = self._bounds.v_low_pu[at] if low else self._bounds.v_high_pu[at]
            weight[:, j] = sign * self._model.dv_at(*at)
            upper[j] = sign * (bound - standing.v_pu[at])
            first_upper[j] = EMERGENCY_BAND_PU * PCT_PU
        slack_upper = np.column_stack([first_upper, np.full(count, np.inf)])
        return Written(
            weight=weight,
            interval=np.array([r.interval for r in self.rows], dtype=np.int64),
            upper=upper,
            slack_upper=slack_upper.ravel(),
        )


def slacks(rows: int) -> sp.csr_array:
    """(rows, 2 rows): row j has columns 2j and 2j + 1, so that new rows have the last columns."""
    return sp.csr_array(
        (np.full(2 * rows, -1.0), np.arange(2 * rows), 2 * np.arange(rows + 1)),
        shape=(rows, 2 * rows),
    )
