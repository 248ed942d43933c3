"""A decision is made again from its record, by the real mind, and comes out bit for bit."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from gridctl.control.proposals import drafted
from gridctl.model.canonical import canonical_json
from gridctl.model.errors import RefusedError
from gridctl.model.inputs import FORECAST_TASK, TASK, task_json
from gridctl.model.measurement import Snapshot
from gridctl.model.planning import ForecastTask, PlanningTask, Series
from gridctl.replay import Replay, replay
from optimizer.client import WorkerClient
from tests.optimizer.tasks import UTC_OFFSET_S, ieee123_task

SNAPSHOT = Snapshot(revision=7, at_s=1_782_000_000.25, values={})


def forecasting(task: PlanningTask, *, days: int = 8) -> ForecastTask:
    """A history whose days are alike, so that there is something to forecast."""
    step_s, start_s = task.horizon.step_s, task.horizon.start_s
    count = int(days * 86_400 / step_s)
    values = tuple(2800.0 + 400.0 * (i % 96) / 96 + (i % 7) for i in range(count))
    return ForecastTask(
        history=Series(start_s=start_s - count * step_s, step_s=step_s, values=values),
        temperature_c=None,
        horizon=task.horizon,
        quantiles=(0.1, 0.5, 0.9),
        utc_offset_s=UTC_OFFSET_S,
    )


async def record() -> tuple[bytes, dict[str, bytes]]:
    """Plan and parts as the office would have kept them."""
    bare = ieee123_task(count=8, limit_kw=2750.0)
    asked = forecasting(bare)
    mind = WorkerClient()
    try:
        task = replace(bare, forecast=await mind.forecast(asked, deadline_s=60.0), deadline_s=60.0)
        result = await mind.plan(task)
    finally:
        await mind.close()
    plan, parts = drafted(
        task=task,
        forecast_task=asked,
        result=result,
        snapshot=SNAPSHOT,
        limits_digest="",
        proposed_by="optimizer",
    )
    return canonical_json(plan), {part.name: part.bytes() for part in parts}


async def again(plan: bytes, parts: dict[str, bytes]) -> Replay:
    mind = WorkerClient()
    try:
        return await replay(
            plan=plan,
            forecast_task=parts[FORECAST_TASK],
            problem=task_json(parts),
            mind=mind,
            deadline_s=60.0,
        )
    finally:
        await mind.close()


async def test_the_same_bit_for_bit_and_a_changed_record_is_not() -> None:
    plan, parts = await record()
    assert json.loads(plan)["result"]["setpoints"], "nothing was planned: nothing is compared"
    found = await again(plan, parts)
    assert (found.forecast, found.solution, found.verification) == ((), (), ())
    assert found.same

    said = json.loads(plan)
    said["result"]["setpoints"][0]["kw"] += 2.0**-40
    said["result"]["verification"]["after"]["violations"] += 1
    changed = await again(canonical_json(said), parts)
    assert len(changed.solution) == len(changed.verification) == 1
    assert changed.solution[0].startswith("solution.setpoints[0].kw: ")

    other = json.loads(parts[FORECAST_TASK])
    other["history"]["values"][-1] += 50.0
    moved = await again(plan, {**parts, FORECAST_TASK: canonical_json(other)})
    assert moved.forecast
    assert not moved.solution


async def test_a_problem_that_is_not_the_plans_is_refused() -> None:
    plan, parts = await record()
    task = json.loads(parts[TASK])
    task["limits"]["head_import_kw"] += 1.0
    with pytest.raises(RefusedError, match="not what plan"):
        await again(plan, {**parts, TASK: canonical_json(task)})
