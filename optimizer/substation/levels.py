"""Plans of many feeders under one limit: prices and shares above, each feeder's own plan below.

    every feeder: answers to prices → split of the limit → every feeder: plan with its share,
    checked by AC as any plan → what is still above the limit is asked once more of those with room

A feeder's share reaches it as dispatch requests of the substation, so that its task, as it is
stored, says all that its plan depends on. A feeder that fails, is late or may use nothing keeps its
import without control in the sum, with the reason beside it; the others make up for it.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from gridctl.model.planning import PlanningResult, PlanningTask, SolveStatus
from gridctl.model.program import DispatchRequest, RequestState
from optimizer.arrays import FloatArray
from optimizer.substation.engine import Engine, Failure
from optimizer.substation.offer import Curve
from optimizer.substation.split import TIGHT_SHARE, Split, split
from optimizer.substation.work import answered, order, packed, planned, question

HOLD_KW = 0.01
"""What is asked where a feeder need not do less but must not do more."""
OVER_SHARE = 1e-3
"""Share of the limit that the sum of AC flows may be above it, as in each feeder's own check."""
MENDS_MAX = 3
ROOM_FACTOR = 2.0
"""Feeders are asked again until their room is so many times what is missing."""
PRIORITY = 1
PLANNED = (SolveStatus.OPTIMAL, SolveStatus.FEASIBLE, SolveStatus.NOT_NEEDED)


@dataclass(frozen=True, slots=True, kw_only=True)
class SubstationTask:
    """`limit_kw` (T,): greatest sum of the feeders' imports in each interval, infinite where there
    is none. `cycle` names this round of planning. All tasks have the same horizon."""

    mrid: str
    cycle: str
    feeders: tuple[PlanningTask, ...]
    limit_kw: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SubstationPlan:
    """`plans` by feeder, `failed`: why a feeder has none, `silent`: why one has no part in the
    split (it may have a plan of its own); `split` of the limit; sums of imports
    without and with control, kW (T,); `over_kw`: what is left above the limit; `asked_kw` (F, T):
    what each feeder was asked for, kW less than without control; `mends`: how often feeders were
    asked again."""

    plans: Mapping[str, PlanningResult]
    failed: Mapping[str, str]
    silent: Mapping[str, str]
    split: Split
    head_before_kw: FloatArray
    head_after_kw: FloatArray
    over_kw: FloatArray
    asked_kw: FloatArray
    mends: int
    cost: float
    solve_s: float

    @property
    def kept(self) -> bool:
        """Whether the limit is kept in every interval."""
        return not self.over_kw.any()


def checked(task: SubstationTask) -> None:
    """Raises ValueError for a task that cannot be meant so."""
    if not task.feeders:
        raise ValueError(f"{task.mrid}: no feeders")
    names = [t.feeder.mrid for t in task.feeders]
    twice = sorted({n for n in names if names.count(n) > 1})
    if twice:
        raise ValueError(f"{task.mrid}: feeder {twice[0]} is there twice")
    horizon = task.feeders[0].horizon
    for one in task.feeders:
        if one.horizon != horizon:
            raise ValueError(f"{task.mrid}: feeder {one.feeder.mrid} has another horizon")
    if len(task.limit_kw) != horizon.count:
        raise ValueError(f"{task.mrid}: {len(task.limit_kw)} limits for {horizon.count} intervals")
    if any(math.isnan(v) for v in task.limit_kw):
        raise ValueError(f"{task.mrid}: a limit is no number")


def plan_substation(
    task: SubstationTask,
    engine: Engine,
    *,
    deadline_s: float,
    monotonic_s: Callable[[], float] = time.monotonic,
) -> SubstationPlan:
    """Both levels for `task` by `engine`, within `deadline_s` real seconds.

    Raises ValueError as `checked`, SplitError where the limit cannot be split.
    """
    checked(task)
    begun_s = monotonic_s()
    desk = _Desk(task, engine, until_s=begun_s + deadline_s, monotonic_s=monotonic_s)
    limit_kw = np.array(task.limit_kw)
    hours = np.full(len(limit_kw), task.feeders[0].horizon.step_s / 3600.0)
    found = split(desk.curves, limit_kw=limit_kw, hours=hours)
    wanted_kw = np.where(
        _watched(found, limit_kw), np.maximum(found.head_kw - found.share_kw, HOLD_KW), 0.0
    )
    after_kw = found.head_kw.copy()
    # All of them: one without a share has limits of its own.
    desk.plan(range(len(task.feeders)), wanted_kw, after_kw)
    mends = 0
    while mends < MENDS_MAX and (over_kw := _over(after_kw, limit_kw)).any():
        again = _asked_again(over_kw, after_kw, found, wanted_kw, desk.offering())
        if not again:
            break
        mends += 1
        desk.plan(again, wanted_kw, after_kw)
    return SubstationPlan(
        plans=desk.plans,
        failed=desk.failed,
        silent=desk.reasons,
        split=found,
        head_before_kw=found.head_kw.sum(axis=0),
        head_after_kw=after_kw.sum(axis=0),
        over_kw=_over(after_kw, limit_kw),
        asked_kw=wanted_kw,
        mends=mends,
        cost=sum(plan.cost for plan in desk.plans.values()),
        solve_s=monotonic_s() - begun_s,
    )


class _Desk:
    """Asks the engine for curves and plans, and keeps what came."""

    def __init__(
        self,
        task: SubstationTask,
        engine: Engine,
        *,
        until_s: float,
        monotonic_s: Callable[[], float],
    ) -> None:
        self._task, self._engine = task, engine
        self._until_s, self._monotonic_s = until_s, monotonic_s
        self._packed = [packed(t) for t in task.feeders]
        self._heads: list[tuple[float, ...] | None] = [None] * len(task.feeders)
        self._silent: set[int] = set()
        self._questions = 0
        self.plans: dict[str, PlanningResult] = {}
        self.failed: dict[str, str] = {}
        self.reasons: dict[str, str] = {}

    def _left_s(self) -> float:
        return max(self._until_s - self._monotonic_s(), 0.0)

    def _name(self, k: int) -> str:
        return self._task.feeders[k].feeder.mrid

    def offering(self) -> list[int]:
        """Feeders that have offered something and whose last plan did not fail."""
        return [
            k
            for k in range(len(self._task.feeders))
            if k not in self._silent and self._name(k) not in self.failed
        ]

    def curves(self, prices: list[FloatArray]) -> Sequence[Curve]:
        """Every feeder's answers to `prices`; one that failed once is not asked again."""
        asked = self.offering()
        number, self._questions = self._questions, self._questions + 1
        jobs = [
            question(self._task.cycle, self._name(k), self._packed[k], prices, number=number)
            for k in asked
        ]
        answers = self._engine.run(answered, jobs, deadline_s=self._left_s())
        found: dict[int, Curve] = {}
        for k, answer in zip(asked, answers, strict=True):
            if isinstance(answer, Curve):
                self._heads[k] = answer.head_kw
            if isinstance(answer, Failure) or not answer.offers:
                self._silent.add(k)
                self.reasons[self._name(k)] = answer.reason
            else:
                found[k] = answer
        return [
            found.get(k) or Curve(head_kw=self._head_kw(k), offers=(), dearest=0.0)
            for k in range(len(self._task.feeders))
        ]

    def _head_kw(self, k: int) -> tuple[float, ...]:
        """The forecast import of a feeder of which nothing else is known."""
        head_kw = self._heads[k]
        if head_kw is not None:
            return head_kw
        task = self._task.feeders[k]
        try:
            given = task.forecast.at_quantile(task.quantile)
        except KeyError as missing:
            raise ValueError(f"{self._name(k)}: {missing.args[0]}") from None
        if len(given) < task.horizon.count:
            raise ValueError(f"{self._name(k)}: the forecast does not cover the plan's horizon")
        return given[: task.horizon.count]

    def plan(self, which: Sequence[int], wanted_kw: FloatArray, after_kw: FloatArray) -> None:
        """Plans of feeders `which`, asked for `wanted_kw` (F, T); their imports go to `after_kw`.
        A plan that is not verified does not count."""
        jobs = [
            order(
                self._task.cycle,
                self._name(k),
                self._packed[k],
                _requests(self._task, k, wanted_kw[k]),
            )
            for k in which
        ]
        answers = self._engine.run(planned, jobs, deadline_s=self._left_s())
        for k, answer in zip(which, answers, strict=True):
            name = self._name(k)
            reason = _unfit(answer)
            if reason is not None:
                # A plan that was made before, with a smaller share, still stands.
                if name not in self.plans:
                    self.failed[name] = reason
                self._silent.add(k)
                continue
            self.plans[name] = answer
            if len(answer.head_after_kw) == after_kw.shape[1]:
                after_kw[k] = answer.head_after_kw


def _unfit(answer: PlanningResult | Failure) -> str | None:
    """Why an answer is no plan to carry out, or None."""
    if isinstance(answer, Failure):
        return answer.reason
    if answer.status not in PLANNED:
        return f"{answer.status.value}: {answer.reason}"
    check = answer.verification
    if check is not None and not check.ok:
        return f"not verified: {check.reasons[0]}"
    return None


def _watched(found: Split, limit_kw: FloatArray) -> FloatArray:
    """(T,) true where the sum of imports is near the limit, without control or with the split."""
    most_kw = np.maximum(found.head_kw.sum(axis=0), found.share_kw.sum(axis=0))
    near: FloatArray = most_kw > (1.0 - TIGHT_SHARE) * limit_kw
    return near


def _over(after_kw: FloatArray, limit_kw: FloatArray) -> FloatArray:
    """(T,) kW above the limit, 0 where it is kept within what AC checks allow."""
    over_kw = after_kw.sum(axis=0) - limit_kw
    kept: FloatArray = np.where(over_kw > OVER_SHARE * np.abs(limit_kw), over_kw, 0.0)
    return kept


def _asked_again(
    over_kw: FloatArray,
    after_kw: FloatArray,
    found: Split,
    wanted_kw: FloatArray,
    able: Sequence[int],
) -> list[int]:
    """Raise `wanted_kw` of the feeders with the most room where the sum is above the limit; which
    they are."""
    at = over_kw > 0.0
    room_kw = np.maximum(after_kw - found.deepest_kw, 0.0)
    room_kw[[k for k in range(len(room_kw)) if k not in set(able)]] = 0.0
    chosen: list[int] = []
    for k in np.argsort(-room_kw[:, at].sum(axis=1), kind="stable"):
        if np.all(room_kw[chosen][:, at].sum(axis=0) >= ROOM_FACTOR * over_kw[at]):
            break
        if room_kw[k, at].max(initial=0.0) > 0.0:
            chosen.append(int(k))
    total_kw = room_kw[chosen].sum(axis=0)
    share = np.divide(room_kw[chosen], total_kw, out=np.zeros((len(chosen), len(at))),
                      where=(total_kw > 0.0) & at)  # fmt: skip
    reached_kw = found.head_kw[chosen] - after_kw[chosen]
    more_kw = np.minimum(share * over_kw, room_kw[chosen])
    wanted_kw[chosen] = np.where(
        more_kw > 0.0, np.maximum(wanted_kw[chosen], reached_kw) + more_kw, wanted_kw[chosen]
    )
    return chosen


def _requests(task: SubstationTask, k: int, wanted_kw: FloatArray) -> tuple[DispatchRequest, ...]:
    """What a feeder is asked for, one request for each run of intervals with the same kW."""
    one = task.feeders[k]
    horizon, found = one.horizon, list[DispatchRequest]()
    rounded = np.round(wanted_kw, 3)
    edges = [0, *(np.flatnonzero(np.diff(rounded)) + 1).tolist(), len(rounded)]
    for first, end in pairwise(edges):
        if rounded[first] <= 0.0:
            continue
        found.append(
            DispatchRequest(
                mrid=f"{task.mrid}-{task.cycle}-{one.feeder.mrid}-{first}",
                event_id=task.cycle,
                name=f"share of {task.mrid}",
                source=task.mrid,
                start_s=horizon.start_s + first * horizon.step_s,
                end_s=horizon.start_s + end * horizon.step_s,
                target_kw=float(rounded[first]),
                priority=PRIORITY,
                received_s=one.now_s,
                state=RequestState.RECEIVED,
            )
        )
    return tuple(found)
