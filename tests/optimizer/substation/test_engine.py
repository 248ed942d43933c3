"""Engines give every job a result or a reason, and outlive what a job does to its process."""

from __future__ import annotations

import os
from typing import Any

import distributed
import pytest

from optimizer.substation.engine import BATCH, Dask, Failure, Here, Ledger, Pool
from optimizer.substation.levels import plan_substation
from tests.optimizer.substation.cases import substation
from tests.optimizer.substation.jobs import job, work

DISTRIBUTED: Any = distributed
"""It has no types."""


def test_a_bad_job_is_a_reason_and_the_next_is_done() -> None:
    first, second = Here().run(work, [job("a", b"fail"), job("b")], deadline_s=10.0)
    assert first == Failure(reason="ValueError: no such feeder")
    assert second == ("b", os.getpid())


def test_without_time_there_is_no_result() -> None:
    assert Here().run(work, [job("a")], deadline_s=0.0) == [Failure(reason="not done within 0 s")]


def test_a_process_that_dies_or_is_late_is_replaced_and_costs_only_its_own_job() -> None:
    pool = Pool(1)
    try:
        (before,) = pool.run(work, [job("a")], deadline_s=60.0)
        died, after = pool.run(work, [job("b", b"die"), job("c")], deadline_s=60.0)
        assert died.reason == "its process ended (EOFError)"
        assert after[0] == "c"
        assert after[1] != before[1]
        late, never = pool.run(work, [job("d", b"sleep"), job("e")], deadline_s=1.0)
        assert late == never == Failure(reason="not done within 1 s")
        (again,) = pool.run(work, [job("f")], deadline_s=60.0)
        assert again[1] not in (before[1], after[1])
        pids = pool.pids
    finally:
        pool.close()
    assert pool.pids == [None]
    for pid in pids:
        assert pid is not None
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_a_feeder_keeps_its_process() -> None:
    pool = Pool(2)
    try:
        jobs = [job(name) for name in "abcd"]
        first = pool.run(work, jobs, deadline_s=60.0)
        second = pool.run(work, jobs[::-1], deadline_s=60.0)
    finally:
        pool.close()
    assert dict(first) == dict(second)
    assert len(set(dict(first).values())) == 2


def test_a_pool_of_nobody_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        Pool(0)


def test_a_ledger_does_a_job_once_and_a_failed_one_again() -> None:
    ledger = Ledger(Here(), limit=2)
    bad = job("a", b"fail")
    one, two = ledger.run(work, [job("b"), job("b")], deadline_s=10.0)
    assert one is two
    assert ledger.run(work, [job("b")], deadline_s=0.0) == [one], "it is not done again"
    assert ledger.run(work, [bad], deadline_s=10.0) != ledger.run(work, [bad], deadline_s=0.0)
    ledger.run(work, [job("c"), job("d")], deadline_s=10.0)
    assert isinstance(ledger.run(work, [job("b")], deadline_s=0.0)[0], Failure), "too old"


def test_dask_gives_the_plans_of_one_process() -> None:
    jobs = [job(str(k), b"fail" if k == 3 else b"") for k in range(2 * BATCH + 1)]
    with (
        DISTRIBUTED.LocalCluster(
            n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None
        ) as cluster,
        DISTRIBUTED.Client(cluster) as client,
    ):
        engine = Dask(client)
        found = engine.run(work, jobs, deadline_s=60.0)
        assert found[3] == Failure(reason="ValueError: no such feeder")
        assert [f[0] for k, f in enumerate(found) if k != 3] == [
            j.feeder for k, j in enumerate(jobs) if k != 3
        ]
        task = substation(2)
        by_dask = plan_substation(task, Ledger(engine), deadline_s=120.0)
        late = engine.run(work, [job("late", b"sleep")], deadline_s=0.2)
        assert late == [Failure(reason="not done within 0.2 s")]
    here = plan_substation(task, Here(), deadline_s=120.0)
    assert {k: p.setpoints for k, p in by_dask.plans.items()} == {
        k: p.setpoints for k, p in here.plans.items()
    }
