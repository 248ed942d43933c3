"""Many feeders under one limit: a whole rolling cycle, and how close the split comes to the joint
optimum.

    python -m benchmarks.substation [--quick]      (make bench-substation; BENCH=--quick)

500 generated feeders of about 100 nodes with ten resources each, 96 periods, two processes; --quick
has 20 of them. No peer is known that does the same, so that the peer of the time is the cycle of
five minutes itself. On a machine that is shared the wall time says little: the processor time that
all processes used is told beside it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

# Before numpy comes: a library of threads for small matrices only waits for itself.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from benchmarks.optimizer_cases import evening_task, fleet_of, grown
from benchmarks.report import Figure, main
from gridctl.model.planning import PlanningTask
from optimizer.substation.engine import Here, Ledger, Pool
from optimizer.substation.joint import joint_optimum
from optimizer.substation.levels import SubstationPlan, SubstationTask, plan_substation

CYCLE_S = 300.0
WORKERS = 2
SHARE = 0.93
"""Of its peak, that the sum of imports may reach."""
LOAD_KW = 2250.0
"""Of each feeder's consumers, however many nodes it has: a feeder of its size is not overloaded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How large a case is; `controls` are resources a feeder."""

    feeders: int = 5
    nodes: int = 100
    periods: int = 96
    controls: int = 10


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Cycle:
    """One round of planning: its plan, real seconds, and processor seconds of all processes."""

    plan: SubstationPlan
    wall_s: float
    cpu_s: float


def feeder_task(k: int, size: Size) -> PlanningTask:
    """Feeder number `k` of a case, with an evening peak of its own."""
    feeder = grown(size.nodes, seed=k, load_kw=LOAD_KW, mrid=f"F{k}")
    groups = max(1, round(0.4 * size.controls))
    batteries = max(1, round(0.3 * size.controls))
    pvs = max(size.controls - groups - batteries, 0)
    fleet = fleet_of(feeder, groups=groups, batteries=batteries, pvs=pvs, seed=k)
    return evening_task(
        feeder, fleet, count=size.periods, peak_kw=(0.65 + 0.05 * (k % 5)) * LOAD_KW,
        limit_kw=1.1 * LOAD_KW,
    )  # fmt: skip


def substation(size: Size) -> SubstationTask:
    tasks = tuple(feeder_task(k, size) for k in range(size.feeders))
    total = np.zeros(size.periods)
    for task in tasks:
        total += task.forecast.values_kw[0]
    limit_kw = SHARE * float(total.max())
    return SubstationTask(mrid="SUB", cycle="0", feeders=tasks, limit_kw=(limit_kw,) * size.periods)


def moved(task: SubstationTask, cycle: int) -> SubstationTask:
    """The next cycle: every forecast a little higher or lower."""
    random = np.random.default_rng(cycle)
    feeders = []
    for one in task.feeders:
        factor = 1.0 + 0.005 * random.standard_normal()
        series = tuple(tuple(factor * v for v in row) for row in one.forecast.values_kw)
        feeders.append(replace(one, forecast=replace(one.forecast, values_kw=series)))
    return replace(task, cycle=str(cycle), feeders=tuple(feeders))


def cycles(size: Size, count: int, *, workers: int = WORKERS) -> list[Cycle]:
    """`count` cycles one after the other, the first of which finds nothing ready."""
    task, pool = substation(size), Pool(workers)
    engine, found = Ledger(pool), list[Cycle]()
    try:
        for k in range(count):
            before_s = time.process_time() + _used_s(pool)
            began_s = time.perf_counter()
            plan = plan_substation(moved(task, k), engine, deadline_s=3600.0)
            wall_s = time.perf_counter() - began_s
            used_s = time.process_time() + _used_s(pool) - before_s
            found.append(Cycle(plan=plan, wall_s=wall_s, cpu_s=used_s))
    finally:
        engine.close()
    return found


def _used_s(pool: Pool) -> float:
    """Processor seconds of the pool's processes so far (Linux)."""
    ticks = 0
    for pid in pool.pids:
        if pid is not None:
            fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1]
            ticks += sum(map(int, fields.split()[11:13]))
    return ticks / os.sysconf("SC_CLK_TCK")


def proof() -> list[Figure]:
    """The split beside all feeders in one programme, on a case small enough for it."""
    size = Size(feeders=6, nodes=60, controls=8)
    task = substation(size)
    found = plan_substation(task, Here(), deadline_s=600.0).split
    best = joint_optimum(
        task.feeders, limit_kw=np.array(task.limit_kw), hours=np.full(size.periods, 0.25),
        monotonic_s=time.monotonic,
    )  # fmt: skip
    gap_pct = 100.0 * (found.cost - best) / best
    return [
        Figure(
            name=f"split of {size.feeders} feeders x {size.periods} periods after"
            f" {len(found.rounds)} rounds, against the joint optimum",
            ours=found.cost, peer=best, unit="cost",
            goal="at most 0.5 % above the joint optimum", met=gap_pct <= 0.5,
        ),
        Figure(
            name="gap that the split claims for itself, by its bound", ours=100.0 * found.gap,
            peer=None, unit="%", goal="no less than the true one",
            met=100.0 * found.gap >= gap_pct - 1e-6,
        ),
    ]  # fmt: skip


def measure(quick: bool) -> Sequence[Figure]:
    size = Size(feeders=20 if quick else 500)
    _, rolling = cycles(size, 2)
    plan, what = rolling.plan, f"{size.feeders} feeders of {size.nodes} nodes x {size.periods}"
    kept = plan.kept and not plan.failed
    return [
        *proof(),
        Figure(
            name=f"{what} periods, rolling cycle, {WORKERS} processes: wall time",
            ours=rolling.wall_s, peer=CYCLE_S, unit="s", goal="within the cycle, limit kept",
            met=rolling.wall_s <= CYCLE_S and kept,
        ),
        Figure(
            name="the same: processor time of all processes", ours=rolling.cpu_s,
            peer=WORKERS * CYCLE_S, unit="s", goal="what the cores have in a cycle",
            met=rolling.cpu_s <= WORKERS * CYCLE_S and kept,
        ),
        Figure(
            name="the same: gap of its split to the bound", ours=100.0 * plan.split.gap,
            peer=None, unit="%", goal="at most 0.5 %", met=plan.split.gap <= 5e-3,
        ),
        Figure(
            name="the same: greatest sum of imports by verified plans, and without control",
            ours=float(plan.head_after_kw.max()), peer=float(plan.head_before_kw.max()),
            unit="kW", goal="limit kept, every feeder planned", met=kept,
        ),
    ]  # fmt: skip


if __name__ == "__main__":
    main(measure, about=__doc__ or "", packages=("scipy", "numpy"))
