"""What one feeder would do if a kW of its import cost so much: the points of its flexibility curve.

A feeder answers a price of each interval with the cheapest change of its import that keeps its own
limits. Runs of load groups are relaxed and what follows them is not known here: a curve is a bound,
the feeder's own plan is what counts in the end. Answers to several prices are points of a convex
curve, so that what lies between two of them can be had at the cost between theirs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from gridctl.model.planning import PlanningTask, SolveStatus
from optimizer.arrays import FloatArray
from optimizer.assemble import Programme
from optimizer.limits import Tiers, limit_bounds
from optimizer.plan import network_of
from optimizer.problem import build_problem
from optimizer.regulated import RegulatedNetwork
from optimizer.session import Answer, LpSession, Matrices, Outcome
from optimizer.solve import LAZY_ROUNDS_MAX, SolverError


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """One answer: `change_kw` (T,) of the import (less is negative), `cost` of the resources and of
    the feeder's own limits that are not kept, without the price; `value`: cost + price * change,
    which nothing that the feeder can do falls below."""

    change_kw: tuple[float, ...]
    cost: float
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """What a feeder offered: `head_kw` (T,) its import without control, `offers` in the order of
    the prices that were asked, `dearest`: cost of its dearest kWh. `reason` says why there is no
    offer; then the feeder stays as it is."""

    head_kw: tuple[float, ...]
    offers: tuple[Offer, ...]
    dearest: float
    reason: str = ""


class Offerer:
    """One feeder's side; keeps its linear programme between prices.

    Raises ValueError for a task that does not fit together.
    """

    def __init__(
        self,
        task: PlanningTask,
        *,
        monotonic_s: Callable[[], float],
        network: RegulatedNetwork | None = None,
    ) -> None:
        """`network` saves building the model."""
        self._monotonic_s, self._deadline_s = monotonic_s, task.deadline_s
        self._until_s = monotonic_s() + task.deadline_s
        self._session = LpSession()
        self._matrices: Matrices | None = None
        network = network_of(task) if network is None else network
        self._problem = build_problem(task, network)
        self.head_kw = self._problem.head_kw
        self.programme: Programme | None = None
        self.reason = ""
        if not self._problem.base_flow.converged:
            self.reason = "the AC power flow of the case without control does not converge"
        elif len(self._problem.excluded) == len(task.resources):
            self.reason = "no resource may be used"
        else:
            bounds = limit_bounds(self._problem, network)
            self.programme = Programme(self._problem, bounds=bounds, network=network, tiers=Tiers())
            self.programme.add_broken(self.programme.channels.nothing())

    def curve(self, prices: list[FloatArray]) -> Curve:
        """Answers to `prices`, each (T,) per kW, within the task's deadline. A programme without an
        answer is a reason."""
        self._until_s = self._monotonic_s() + self._deadline_s
        head_kw = tuple(map(float, self.head_kw))
        programme = self.programme
        if programme is None:
            return Curve(head_kw=head_kw, offers=(), dearest=0.0, reason=self.reason)
        try:
            offers = tuple(self._answer(programme, price) for price in prices)
        except SolverError as trouble:
            return Curve(head_kw=head_kw, offers=(), dearest=0.0, reason=str(trouble))
        return Curve(head_kw=head_kw, offers=offers, dearest=programme.dearest)

    def _answer(self, programme: Programme, price: FloatArray) -> Offer:
        programme.price_head(price)
        answer = self._solved(programme)
        for _ in range(LAZY_ROUNDS_MAX):
            if not programme.add_broken(programme.injection_kw(answer.x)):
                break
            self._matrices = None
            answer = self._solved(programme)
        change_kw = programme.head_change_kw(answer.x)
        return Offer(
            change_kw=tuple(map(float, change_kw)),
            cost=answer.objective - float(price @ change_kw),
            value=answer.objective,
        )

    def _solved(self, programme: Programme) -> Answer:
        """The programme at its present price; a price changes nothing but costs."""
        own = programme.own_columns
        if self._matrices is None:
            self._matrices = programme.matrices()
        cost = np.concatenate([programme.own_cost_priced(), self._matrices.cost[own:]])
        self._matrices = replace(self._matrices, cost=cost)
        left_s = self._until_s - self._monotonic_s()
        answer = self._session.solve(self._matrices, left_s=left_s)
        if answer.outcome is not Outcome.OPTIMAL:
            raise SolverError(SolveStatus.FAILED, f"HiGHS: {answer.outcome.value}")
        return answer
