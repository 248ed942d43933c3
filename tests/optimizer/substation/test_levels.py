"""Many feeders under one limit: kept by verified plans, whatever befalls single feeders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from gridctl.model.canonical import canonical_json
from optimizer.substation.engine import Engine, Failure, Here, Job, Ledger, Pool, Work
from optimizer.substation.levels import SubstationPlan, SubstationTask, plan_substation
from tests.optimizer.substation.cases import substation, warmer


def total_kw(task: SubstationTask, plan: SubstationPlan) -> np.ndarray:
    """The sum of imports, from the feeders' own plans."""
    total: np.ndarray = np.zeros(len(task.limit_kw))
    for one in task.feeders:
        total += plan.plans[one.feeder.mrid].head_after_kw
    return total


def same(one: SubstationPlan, other: SubstationPlan) -> bool:
    """Whether all feeders' plans are the same but for the seconds they took."""
    first, second = (
        canonical_json({k: replace(p, solve_s=0.0) for k, p in plan.plans.items()})
        for plan in (one, other)
    )
    return first == second


def test_the_sum_of_verified_plans_keeps_the_limit() -> None:
    task = substation(4)
    plan = plan_substation(task, Here(), deadline_s=120.0)
    assert plan.kept
    assert plan.failed == {}
    assert plan.head_before_kw.max() > task.limit_kw[0] + 100.0
    assert np.all(total_kw(task, plan) <= task.limit_kw[0] * 1.001)
    for result in plan.plans.values():
        assert result.verification is not None
        assert result.verification.ok


def test_a_pool_gives_the_plans_of_one_process_and_keeps_its_processes() -> None:
    task = substation(4)
    pool = Pool(2)
    try:
        by_pool = plan_substation(task, pool, deadline_s=120.0)
        pids = pool.pids
        assert len(set(pids)) == 2
        assert None not in pids
        plan_substation(warmer(task, 1.005, "2"), pool, deadline_s=120.0)
        assert pool.pids == pids
    finally:
        pool.close()
    assert same(by_pool, plan_substation(task, Here(), deadline_s=120.0))


class Without:
    """An engine on which one feeder's work of a kind fails."""

    def __init__(self, feeder: str, kind: str) -> None:
        self._lost = feeder, kind
        self._here = Here()

    def run(self, work: Work, jobs: Sequence[Job], *, deadline_s: float) -> list[Any]:
        found = self._here.run(work, jobs, deadline_s=deadline_s)
        return [
            Failure(reason="its host is gone") if (job.feeder, job.kind) == self._lost else one
            for job, one in zip(jobs, found, strict=True)
        ]

    def close(self) -> None:
        return


def test_the_others_make_up_for_a_feeder_without_a_plan() -> None:
    task = substation(5, share=0.97)
    plan = plan_substation(task, Without("F1", "plan"), deadline_s=120.0)
    assert plan.failed == {"F1": "its host is gone"}
    assert "F1" not in plan.plans
    assert plan.kept
    assert plan.mends >= 1


def test_a_feeder_that_offers_nothing_is_planned_without_a_share() -> None:
    task = substation(5, share=0.97)
    plan = plan_substation(task, Without("F1", "curve"), deadline_s=120.0)
    assert plan.silent == {"F1": "its host is gone"}
    assert plan.failed == {}
    assert plan.split.share_kw[1] == pytest.approx(plan.split.head_kw[1])
    assert plan.kept


def test_a_limit_out_of_reach_is_told_and_not_hidden() -> None:
    plan = plan_substation(substation(2, share=0.4), Here(), deadline_s=120.0)
    assert not plan.kept
    assert plan.over_kw.max() > 100.0
    assert plan.split.over_kw.max() > 100.0


class Counting:
    """Counts jobs by kind."""

    def __init__(self) -> None:
        self.kinds: list[str] = []
        self._here = Here()

    def run(self, work: Work, jobs: Sequence[Job], *, deadline_s: float) -> list[Any]:
        self.kinds += [job.kind for job in jobs]
        return self._here.run(work, jobs, deadline_s=deadline_s)

    def close(self) -> None:
        return


def test_the_same_question_of_the_same_cycle_is_answered_once() -> None:
    task, counting = substation(2), Counting()
    engine: Engine = Ledger(counting)
    first = plan_substation(task, engine, deadline_s=120.0)
    asked = len(counting.kinds)
    again = plan_substation(task, engine, deadline_s=120.0)
    assert len(counting.kinds) == asked
    assert same(first, again)
    plan_substation(replace(task, cycle="2"), engine, deadline_s=120.0)
    assert len(counting.kinds) == 2 * asked


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"feeders": ()}, "no feeders"),
        ({"limit_kw": (1000.0,)}, "1 limits for 24 intervals"),
        ({"limit_kw": (float("nan"),) * 24}, "a limit is no number"),
    ],
)
def test_a_task_that_cannot_be_meant_is_refused(change: dict[str, object], words: str) -> None:
    task = replace(substation(2), **change)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=words):
        plan_substation(task, Here(), deadline_s=1.0)


def test_a_feeder_that_is_there_twice_is_refused() -> None:
    task = substation(1)
    with pytest.raises(ValueError, match="feeder F0 is there twice"):
        plan_substation(replace(task, feeders=task.feeders * 2), Here(), deadline_s=1.0)
