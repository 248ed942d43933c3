"""How long the office is without its optimizer when a worker is killed at its deadline.

    python -m benchmarks.worker      (part of make bench-optimizer)

A worker is frozen, asked, killed at the deadline, and the same plan is asked for again: seconds of
the wall until it is there. Beside it, as peer, a client without a spare: Python and scipy are read
in first.
"""

from __future__ import annotations

import asyncio
import os
import signal
import statistics
import time
from collections.abc import Sequence
from dataclasses import replace

from benchmarks.report import Figure, main
from gridctl.model.planning import PlanningTask, SolveStatus
from optimizer.client import WorkerClient
from tests.optimizer.pilot import pilot_task

GOAL_S = 5.0
TIMES = 3
PATIENT_S = 60.0
SPARE_S = 10.0
"""Between two plans of an office there is more time than this."""


async def back_s(task: PlanningTask, *, spare: bool) -> float:
    """From the kill to the plan that was asked for again."""
    client = WorkerClient(spare=spare)
    await client.plan(replace(task, deadline_s=PATIENT_S))
    await asyncio.sleep(SPARE_S if spare else 0.0)
    if client.pid is None:
        raise RuntimeError("the worker is gone")
    os.kill(client.pid, signal.SIGSTOP)
    late = await client.plan(replace(task, deadline_s=0.5))
    began_s = time.monotonic()
    result = await client.plan(replace(task, deadline_s=PATIENT_S))
    found_s = time.monotonic() - began_s
    await client.close()
    if late.status is not SolveStatus.TIMEOUT or not result.setpoints:
        raise RuntimeError(f"{late.status} and {result.status}: {result.reason}")
    return found_s


def figures() -> list[Figure]:
    """The greatest of a few with a spare, the median of a few without."""
    task = pilot_task(count=24)
    ours = max(asyncio.run(back_s(task, spare=True)) for _ in range(TIMES))
    cold = statistics.median(asyncio.run(back_s(task, spare=False)) for _ in range(TIMES))
    return [
        Figure(
            name="killed at its deadline: until the next plan (24 periods); without a spare",
            ours=ours, peer=cold, unit="s", goal="at most 5 s", met=ours <= GOAL_S,
        )
    ]  # fmt: skip


def measure(quick: bool) -> Sequence[Figure]:
    """The same, quick or not."""
    del quick
    return figures()


if __name__ == "__main__":
    main(measure, about=__doc__ or "", packages=("scipy", "numpy"))
