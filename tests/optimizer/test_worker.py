"""The worker as a real process: asked, killed when late, mended when dead, deaf to garbage."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from gridctl.control.ports import Planner
from gridctl.model.canonical import canonical_json, plain
from gridctl.model.errors import UnavailableError
from gridctl.model.planning import ForecastTask, Horizon, Series, SolveStatus
from optimizer.client import WorkerClient
from optimizer.plan import plan_task
from optimizer.worker import NICENESS, Worker
from tests.optimizer.pilot import pilot_task
from tests.optimizer.rules import broken
from tests.optimizer.small import HOUR_S, START_S, group, hourly_task

TASK = hourly_task([900, 1150, 900], group("cheap", cost_per_kwh=0.1), group("dear"))
HANGING = "import sys, time\nsys.stdin.readline()\ntime.sleep(60)\n"
DYING = "import sys\nsys.stdin.readline()\nsys.exit('out of memory, say')\n"
BABBLING = "import sys\nsys.stdin.readline()\nprint('hello', flush=True)\nsys.stdin.readline()\n"
SWAPPING = (
    "import json, sys\n"
    "for line in sys.stdin:\n"
    "    print(json.dumps({'id': -1, 'ok': True, 'result': None}), flush=True)\n"
)


def as_command(program: str) -> tuple[str, ...]:
    return (sys.executable, "-c", program)


@pytest.fixture
async def client() -> AsyncIterator[WorkerClient]:
    made = WorkerClient()
    yield made
    await made.close()


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def forecast_task() -> ForecastTask:
    """Ten days of a plain daily shape."""
    values = tuple(1000.0 + 300.0 * ((k % 24) > 15) + k % 7 for k in range(240))
    return ForecastTask(
        history=Series(start_s=START_S - 240 * HOUR_S, step_s=HOUR_S, values=values),
        temperature_c=None,
        horizon=Horizon(start_s=START_S, step_s=HOUR_S, count=6),
        quantiles=(0.1, 0.5, 0.9),
        utc_offset_s=0.0,
    )


async def test_the_client_is_a_planner(client: WorkerClient) -> None:
    planner: Planner = client
    result = await planner.plan(TASK)
    assert result.status is SolveStatus.OPTIMAL
    assert broken(TASK, result) == []


async def test_the_process_answers_what_the_function_answers(client: WorkerClient) -> None:
    away = await client.plan(TASK)
    here = plan_task(TASK, monotonic_s=time.monotonic)
    assert replace(away, solve_s=0.0) == replace(here, solve_s=0.0)


async def test_a_forecast_comes_back(client: WorkerClient) -> None:
    forecast = await client.forecast(forecast_task(), deadline_s=20.0)
    assert len(forecast.at_quantile(0.9)) == 6


async def test_a_refused_forecast_says_why_and_the_worker_lives_on(client: WorkerClient) -> None:
    await client.start()
    pid = client.pid
    bad = replace(forecast_task(), quantiles=())
    with pytest.raises(UnavailableError, match="no forecast"):
        await client.forecast(bad, deadline_s=20.0)
    assert client.pid == pid


async def test_a_late_worker_is_killed_and_replaced_and_says_timeout() -> None:
    client = WorkerClient(command=as_command(HANGING))
    await client.start()
    pid = client.pid
    assert pid is not None
    began = time.monotonic()
    result = await client.plan(replace(TASK, deadline_s=0.5))
    assert 0.4 < time.monotonic() - began < 2.0
    assert result.status is SolveStatus.TIMEOUT
    assert "0.5 s" in result.reason
    assert result.setpoints == ()
    assert not alive(pid)
    assert client.pid not in (None, pid)
    await client.close()


async def test_after_a_timeout_the_next_question_is_answered(client: WorkerClient) -> None:
    late = await client.plan(replace(TASK, deadline_s=0.05))
    assert late.status is SolveStatus.TIMEOUT
    result = await client.plan(TASK)
    assert result.status is SolveStatus.OPTIMAL


async def test_a_frozen_worker_is_killed_at_its_deadline_and_the_next_one_answers(
    client: WorkerClient,
) -> None:
    """Frozen, so that only a kill helps."""
    await client.start()
    frozen = client.pid
    assert frozen is not None
    os.kill(frozen, signal.SIGSTOP)
    late = await client.plan(replace(TASK, deadline_s=0.5))
    assert late.status is SolveStatus.TIMEOUT
    assert not alive(frozen)
    assert (await client.plan(TASK)).status is SolveStatus.OPTIMAL


async def spare_of(client: WorkerClient) -> int:
    """Its process id, once it stands there."""
    for _ in range(2000):
        if client.spare_pid is not None:
            return client.spare_pid
        await asyncio.sleep(0.01)
    raise AssertionError("no spare in 20 s")


async def test_a_spare_that_was_warm_takes_over_from_a_frozen_worker() -> None:
    """So the worker is back at once (`benchmarks/worker.py` measures it)."""
    client = WorkerClient(spare=True)
    await client.start()
    assert client.spare_pid is None, "the first question has the machine for itself"
    first = await client.plan(TASK)
    spare, frozen = await spare_of(client), client.pid
    assert frozen is not None
    os.kill(frozen, signal.SIGSTOP)
    assert (await client.plan(replace(TASK, deadline_s=0.5))).status is SolveStatus.TIMEOUT
    assert client.pid == spare
    assert replace(await client.plan(TASK), solve_s=0.0) == replace(first, solve_s=0.0)
    assert client.pid == spare
    another = await spare_of(client)
    assert another not in (spare, frozen)
    await client.close()
    assert not any(alive(pid) for pid in (frozen, spare, another))


async def test_a_spare_that_has_died_is_replaced_and_never_asked() -> None:
    client = WorkerClient(spare=True)
    await client.plan(TASK)
    dead = await spare_of(client)
    os.kill(dead, signal.SIGKILL)
    await asyncio.sleep(0.2)
    assert client.pid is not None
    os.kill(client.pid, signal.SIGKILL)
    await asyncio.sleep(0.2)
    assert (await client.plan(TASK)).status is SolveStatus.OPTIMAL
    assert client.pid != dead
    await client.close()


async def test_a_late_forecast_is_unavailable() -> None:
    client = WorkerClient(command=as_command(HANGING))
    with pytest.raises(UnavailableError, match=r"within 0\.3 s"):
        await client.forecast(forecast_task(), deadline_s=0.3)
    await client.close()


@pytest.mark.parametrize(
    ("program", "words"),
    [
        (DYING, "out of memory, say"),
        (BABBLING, "no JSON"),
        (SWAPPING, "another question"),
    ],
)
async def test_a_broken_worker_is_a_failed_plan_with_the_reason(program: str, words: str) -> None:
    client = WorkerClient(command=as_command(program))
    result = await client.plan(TASK)
    assert result.status is SolveStatus.FAILED
    assert words in result.reason
    await client.close()


async def test_a_worker_that_cannot_be_started_is_a_failed_plan() -> None:
    client = WorkerClient(command=("/nonexistent/python",))
    result = await client.plan(TASK)
    assert result.status is SolveStatus.FAILED
    assert "cannot be started" in result.reason
    await client.close()


async def test_planning_gives_way_to_control(client: WorkerClient) -> None:
    """The worker's processor time comes after that of the office and of the field agent."""
    await client.plan(TASK)
    assert client.pid is not None
    behind = os.getpriority(os.PRIO_PROCESS, client.pid)
    assert behind == min(19, os.getpriority(os.PRIO_PROCESS, 0) + NICENESS)


async def test_a_worker_killed_between_questions_is_replaced(client: WorkerClient) -> None:
    await client.start()
    pid = client.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    await asyncio.sleep(0.2)
    result = await client.plan(TASK)
    assert result.status is SolveStatus.OPTIMAL
    assert client.pid != pid


async def test_a_question_that_waits_in_vain_does_not_kill_the_one_before_it(
    client: WorkerClient,
) -> None:
    first = asyncio.create_task(client.plan(TASK))
    await asyncio.sleep(0.05)
    second = await client.plan(replace(TASK, deadline_s=0.01))
    assert second.status is SolveStatus.TIMEOUT
    assert (await first).status is SolveStatus.OPTIMAL


async def test_an_abandoned_question_leaves_no_answer_behind(client: WorkerClient) -> None:
    first = asyncio.create_task(client.plan(TASK))
    await asyncio.sleep(0.1)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    other = hourly_task([900, 950, 900], group("g"))
    assert (await client.plan(other)).status is SolveStatus.NOT_NEEDED


async def test_closed_it_leaves_no_process() -> None:
    client = WorkerClient()
    await client.start()
    pid = client.pid
    assert pid is not None
    await client.close()
    assert not alive(pid)
    assert (await client.plan(TASK)).status is SolveStatus.FAILED


def good_line(**changes: object) -> bytes:
    task = {**plain(TASK), **changes}
    return json.dumps({"id": 5, "kind": "plan", "task": task}).encode()


LINES = {
    b"{": None,
    b"\xff\xfe garbage": None,
    b"[]": None,
    b'{"id": 1}': None,
    b'{"id": 2, "kind": "dance", "task": {}}': None,
    b'{"id": 3, "kind": "plan", "task": {}}': 3,
    b'{"id": 4, "kind": "forecast", "task": {"history": 1}}': 4,
    good_line(colour="blue"): 5,
    good_line(quantile="0.9"): 5,
    good_line(now_s=float("nan")): 5,
    b'{"id": 6, "kind": "plan", "task": ' + b"[" * 5000 + b"]" * 5000 + b"}": None,
}


async def test_garbage_is_answered_with_an_error_and_nothing_else_is_said() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "optimizer.worker",
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    lines = [*LINES, b"", good_line()]
    async with asyncio.timeout(30):
        out, _ = await process.communicate(b"\n".join(lines) + b"\n")
    assert process.returncode == 0
    answers: list[dict[str, Any]] = [json.loads(line) for line in out.splitlines()]
    assert len(answers) == len(LINES) + 1
    for (line, known_id), answer in zip(LINES.items(), answers, strict=False):
        assert answer["ok"] is False, line
        assert answer["error"]
        assert answer["id"] == known_id
    assert answers[-1]["ok"] is True
    assert answers[-1]["result"]["status"] == "optimal"


def test_a_used_worker_gives_the_plan_of_a_fresh_one_bit_for_bit() -> None:
    """What was solved before does not show: the models that it keeps depend on no solution."""
    task = pilot_task(count=24)
    series = tuple(tuple(1.01 * v for v in row) for row in task.forecast.values_kw)
    other = replace(task, forecast=replace(task.forecast, values_kw=series))
    used = Worker(monotonic_s=time.monotonic)
    first = used.plan(task)
    assert used.plan(other) != first
    again = used.plan(task)
    fresh = Worker(monotonic_s=time.monotonic).plan(task)
    assert first.setpoints
    for plan in (again, fresh, plan_task(task, monotonic_s=time.monotonic)):
        assert canonical_json(replace(plan, solve_s=0.0)) == canonical_json(
            replace(first, solve_s=0.0)
        )
