"""Small feeders that share one limit."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np

from benchmarks.optimizer_cases import evening_task, fleet_of, grown
from gridctl.model.planning import PlanningTask
from optimizer.substation.levels import SubstationTask

STEP_H = 0.25


@cache
def feeder_task(k: int, count: int = 24, nodes: int = 40) -> PlanningTask:
    """Feeder number `k` with an evening peak of its own."""
    feeder = grown(nodes, seed=k, load_kw=2250.0, mrid=f"F{k}")
    fleet = fleet_of(feeder, groups=3, batteries=2, pvs=2, seed=k)
    return evening_task(
        feeder, fleet, count=count, peak_kw=1500.0 + 100.0 * (k % 5), limit_kw=2500.0
    )


def substation(
    feeders: int, *, count: int = 24, share: float = 0.95, cycle: str = "1"
) -> SubstationTask:
    """`feeders` feeders whose sum may reach `share` of its peak."""
    tasks = tuple(feeder_task(k, count) for k in range(feeders))
    total_kw = sum(np.array(t.forecast.values_kw[0]) for t in tasks)
    return SubstationTask(
        mrid="SUB", cycle=cycle, feeders=tasks, limit_kw=(share * float(np.max(total_kw)),) * count
    )


def warmer(task: SubstationTask, factor: float, cycle: str) -> SubstationTask:
    """The next cycle: the same with another forecast."""
    return replace(
        task,
        cycle=cycle,
        feeders=tuple(
            replace(
                t,
                forecast=replace(
                    t.forecast,
                    values_kw=tuple(tuple(factor * v for v in row) for row in t.forecast.values_kw),
                ),
            )
            for t in task.feeders
        ),
    )
