"""The office's end of the mind: asks the worker process, and kills it when it is late.

Fulfils `Planner` of the office's ports. The worker is started by exec (never by fork: native
threads), asked one thing at a time, and has a hard deadline of real time for each answer. Late or
dead is an answer too: a plan comes back as TIMEOUT or FAILED with the reason, a forecast raises
UnavailableError. A new worker is started at once; with `spare` a second one, which has read in its
libraries and waits, takes over, and another is started behind it.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from pydantic import ConfigDict, TypeAdapter, ValidationError

from gridctl.model.canonical import plain
from gridctl.model.errors import UnavailableError
from gridctl.model.planning import (
    Forecast,
    ForecastTask,
    PlanningResult,
    PlanningTask,
    SolveStatus,
)
from optimizer.unplanned import no_plan

LINE_MAX_BYTES = 64 * 1024 * 1024
STDERR_LINES_KEPT = 20
STDERR_CHUNK_BYTES = 4096
REASON_CHARS_MAX = 500
CLOSE_S = 2.0
COMMAND = (sys.executable, "-m", "optimizer.worker")

_ONE_FORM: Mapping[str, Any] = {"allow_nan": False, "sort_keys": True}
"""The same task is the same line, in whatever order its dictionaries were made: a replay from the
record asks exactly what was asked."""

_log = logging.getLogger(__name__)
_STRICT = ConfigDict(extra="forbid", allow_inf_nan=False, strict=True)
# "| None": pydantic applies a configuration to standard dataclasses only inside of a union.
_RESULT: TypeAdapter[PlanningResult | None] = TypeAdapter(PlanningResult | None, config=_STRICT)
_FORECAST: TypeAdapter[Forecast | None] = TypeAdapter(Forecast | None, config=_STRICT)


class _Late(Exception):  # noqa: N818 - it is not an error of ours
    """The worker did not answer in time and was killed."""


class _Dead(Exception):  # noqa: N818
    """The worker ended, refused, or said something that is no answer."""


@dataclass(slots=True, eq=False)
class _Process:
    """A worker process and the last lines of its stderr."""

    process: asyncio.subprocess.Process
    said: deque[str]
    listener: asyncio.Task[None]


class WorkerClient:
    """Asks the worker. One instance for the office; `close()` ends the process.

    `command`: how the worker is started (tests pass another one); `spare`: keep a second process
    that takes over when the first is killed or dies.
    """

    def __init__(self, *, command: Sequence[str] = COMMAND, spare: bool = False) -> None:
        self._command = tuple(command)
        self._with_spare = spare
        self._worker: _Process | None = None
        self._spare: _Process | None = None
        self._keeping: asyncio.Task[None] | None = None
        self._turn = asyncio.Lock()
        self._next_id = 0
        self._closed = False

    @property
    def pid(self) -> int | None:
        """The worker's process id, None while there is none."""
        return None if self._worker is None else self._worker.process.pid

    @property
    def spare_pid(self) -> int | None:
        """The process that takes over when the worker is gone, None while there is none."""
        return None if self._spare is None else self._spare.process.pid

    async def start(self) -> None:
        """Start the worker ahead of the first question, so that it is warm."""
        async with self._turn:
            await self._ensure()

    async def forecast(self, task: ForecastTask, *, deadline_s: float) -> Forecast:
        """Raises UnavailableError when the worker died, refused or did not answer in time."""
        try:
            answer = await self._ask("forecast", task, deadline_s)
            found = _FORECAST.validate_json(_result(answer))
        except _Late:
            raise UnavailableError(f"no forecast within {deadline_s:g} s") from None
        except (_Dead, ValidationError) as gone:
            raise UnavailableError(f"no forecast: {_short(gone)}") from None
        if found is None:
            raise UnavailableError("no forecast: the optimizer's answer is empty")
        return found

    async def plan(self, task: PlanningTask) -> PlanningResult:
        """Never raises for a hard problem: the result's status and reason say what happened."""
        try:
            answer = await self._ask("plan", task, task.deadline_s)
            found = _RESULT.validate_json(_result(answer))
        except _Late:
            reason = f"no plan within {task.deadline_s:g} s: the optimizer was stopped"
            return no_plan(task, SolveStatus.TIMEOUT, reason)
        except (_Dead, ValidationError) as gone:
            return no_plan(task, SolveStatus.FAILED, f"no plan: {_short(gone)}")
        if found is None:
            return no_plan(task, SolveStatus.FAILED, "no plan: the optimizer's answer is empty")
        return found

    async def close(self) -> None:
        """End the worker and its spare; returns within `CLOSE_S` and a little."""
        self._closed = True
        if self._keeping is not None:
            await self._keeping
        await self._end(kill=False)
        await self._end_spare()

    async def _ask(self, kind: str, task: object, deadline_s: float) -> Mapping[str, Any]:
        """One question, one answer. The deadline counts from here, waiting and starting included.

        Raises _Late or _Dead; in both cases the old worker is gone.
        """
        my_turn = False
        try:
            async with asyncio.timeout(deadline_s):
                my_turn = await self._turn.acquire()
                return await self._exchange(kind, task)
        except TimeoutError:
            if my_turn:
                await self._replace()
            raise _Late from None
        except _Dead:
            await self._replace()
            raise
        except asyncio.CancelledError:
            # The answer to a question that nobody waits for must not meet the next question.
            if my_turn:
                await self._end(kill=True)
            raise
        finally:
            if my_turn:
                self._turn.release()
                if self._with_spare and (self._keeping is None or self._keeping.done()):
                    self._keeping = asyncio.create_task(self._keep_spare())

    async def _exchange(self, kind: str, task: object) -> Mapping[str, Any]:
        worker = await self._ensure()
        self._next_id += 1
        asked = self._next_id
        try:
            line = json.dumps({"id": asked, "kind": kind, "task": plain(task)}, **_ONE_FORM)
        except (ValueError, TypeError) as wrong:
            return {"id": asked, "ok": False, "error": f"the task cannot be written down: {wrong}"}
        stdin, stdout = worker.process.stdin, worker.process.stdout
        if stdin is None or stdout is None:
            raise _Dead("the optimizer has no pipes")
        try:
            stdin.write(line.encode() + b"\n")
            await stdin.drain()
            answer = await stdout.readline()
        except (ConnectionError, ValueError) as broken:
            raise _Dead(f"the line to the optimizer broke: {broken}") from None
        if not answer:
            raise _Dead(await self._obituary(worker))
        try:
            found = json.loads(answer)
        except ValueError:
            raise _Dead("the optimizer answered with something that is no JSON") from None
        if not isinstance(found, dict) or found.get("id") != asked:
            raise _Dead("the optimizer answered another question")
        return found

    async def _obituary(self, worker: _Process) -> str:
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_S):
                code = await worker.process.wait()
                await worker.listener
                last = worker.said[-1] if worker.said else "it said nothing"
                return f"the optimizer process ended with code {code}: {last}"
        return "the optimizer closed its end of the line"

    async def _ensure(self) -> _Process:
        if self._closed:
            raise _Dead("the optimizer is closed")
        if self._worker is None or self._worker.process.returncode is not None:
            await self._end(kill=True)
            if self._spare is not None and self._spare.process.returncode is None:
                self._worker, self._spare = self._spare, None
            else:
                self._worker = await self._spawn()
        return self._worker

    async def _keep_spare(self) -> None:
        """Behind a worker that has been asked stands another. It is started after a question, never
        before the first one: that one shall have the machine."""
        if self._spare is not None and self._spare.process.returncode is not None:
            await self._end_spare()
        if self._spare is None and not self._closed:
            with suppress(_Dead):
                self._spare = await self._spawn()

    async def _end_spare(self) -> None:
        spare, self._spare = self._spare, None
        if spare is not None:
            await _ended(spare, kill=True)

    async def _spawn(self) -> _Process:
        try:
            process = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                limit=LINE_MAX_BYTES,
                env={**os.environ, "PYTHONSAFEPATH": "1", "OMP_NUM_THREADS": "1"},
                start_new_session=True,
            )
        except OSError as refused:
            raise _Dead(f"the optimizer cannot be started: {refused}") from None
        said: deque[str] = deque(maxlen=STDERR_LINES_KEPT)
        listener = asyncio.create_task(_listen(process.stderr, said))
        return _Process(process, said, listener)

    async def _replace(self) -> None:
        """Kill the worker and take the next one, so that it is warm for the next question."""
        await self._end(kill=True)
        if not self._closed:
            with suppress(_Dead):
                await self._ensure()

    async def _end(self, *, kill: bool) -> None:
        worker, self._worker = self._worker, None
        if worker is not None:
            await _ended(worker, kill=kill)


async def _ended(worker: _Process, *, kill: bool) -> None:
    process = worker.process
    if not kill and process.stdin is not None:
        process.stdin.close()
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_S):
                await process.wait()
    if process.returncode is None:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
    worker.listener.cancel()
    with suppress(asyncio.CancelledError):
        await worker.listener


async def _listen(stream: asyncio.StreamReader | None, said: deque[str]) -> None:
    """Keep the last lines of the worker's stderr and log them."""
    while stream is not None:
        chunk = await stream.read(STDERR_CHUNK_BYTES)
        if not chunk:
            return
        for line in chunk.decode(errors="replace").splitlines():
            if line.strip():
                said.append(line.strip())
                _log.warning("optimizer: %s", line.strip())


def _result(answer: Mapping[str, Any]) -> str:
    """The result as JSON. Raises _Dead when the worker refused."""
    if answer.get("ok") is True:
        return json.dumps(answer.get("result"))
    raise _Dead(str(answer.get("error", "the optimizer refused without a reason")))


def _short(gone: Exception) -> str:
    return str(gone)[:REASON_CHARS_MAX]
