"""The mind's own process: `python -m optimizer.worker [FOLDER]`.

FOLDER is where the forecasters keep what they have learned; without it they learn anew each time.

One JSON object a line on stdin, one answer a line on stdout, in order:

    {"id": 7, "kind": "plan", "task": {…}}      →  {"id": 7, "ok": true, "result": {…}}
    {"id": 8, "kind": "forecast", "task": {…}}  →  {"id": 8, "ok": false, "error": "…"}

Tasks and results are the dataclasses of `gridctl.model.planning`, checked here because it is an
edge. Nothing else is written to stdout; what a library prints goes to stderr. A line that cannot be
understood is answered with its error (id null when it has none), never with a crash. The process
ends with its stdin.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, Literal

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from gridctl.model.canonical import canonical_json, digest
from gridctl.model.nowcast import moved
from gridctl.model.planning import Forecast, ForecastTask, PlanningResult, PlanningTask
from optimizer.forecasting.desk import Desk
from optimizer.plan import network_of, plan_task
from optimizer.regulated import RegulatedNetwork
from optimizer.regulation import controlled

NETWORKS_KEPT = 4
ERRORS_TOLD = 5
LINE_MAX_BYTES = 64 * 1024 * 1024
NICENESS = 10
"""A plan that is being made may wait a moment; an approved one on its way to the field may not."""


class Request(BaseModel):
    """One line in."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: int
    kind: Literal["plan", "forecast"]
    task: dict[str, Any]


_STRICT = ConfigDict(extra="forbid", allow_inf_nan=False, strict=True)
# "| None": pydantic applies a configuration to standard dataclasses only inside of a union.
PLANNING_TASK: TypeAdapter[PlanningTask | None] = TypeAdapter(PlanningTask | None, config=_STRICT)
_FORECAST_TASK: TypeAdapter[ForecastTask | None] = TypeAdapter(ForecastTask | None, config=_STRICT)


class Worker:
    """Answers lines; keeps the network models of the last few feeders."""

    def __init__(self, *, monotonic_s: Callable[[], float], folder: Path | None = None) -> None:
        """`folder`: where what the forecasters have learned outlives the process."""
        self._monotonic_s = monotonic_s
        self._desk = Desk(beside=_beside, folder=folder)
        self._networks: OrderedDict[str, RegulatedNetwork] = OrderedDict()

    def answer(self, line: bytes) -> bytes:
        """The answer to one line, without the line's end."""
        request_id: int | None = None
        try:
            request = Request.model_validate_json(line)
            request_id = request.id
            result = self._result(request.kind, json.dumps(request.task))
            return canonical_json({"id": request_id, "ok": True, "result": result})
        except ValidationError as wrong:
            error = f"the task is not understood: {told(wrong)}"
        except (ValueError, ArithmeticError, LookupError, TypeError) as wrong:
            # One bad task must not take the mind away from the next one.
            error = f"{type(wrong).__name__}: {wrong}"
        return canonical_json({"id": request_id, "ok": False, "error": error})

    def _result(self, kind: str, task_json: str) -> PlanningResult | Forecast:
        if kind == "plan":
            planning = PLANNING_TASK.validate_json(task_json)
            if planning is not None:
                return self.plan(planning)
        else:
            forecasting = _FORECAST_TASK.validate_json(task_json)
            if forecasting is not None:
                return moved(self._desk.forecast(forecasting), forecasting)
        raise ValueError("there is no task")

    def plan(self, task: PlanningTask) -> PlanningResult:
        """Plan with network models that are kept while the feeder and its switches stay."""
        state, feeder = task.network, task.feeder
        switched = {c.mrid for c in controlled(feeder)}
        fixed = sorted(set(state.closed_capacitors) - switched)
        key = digest([feeder, fixed, state.open_switches, state.held_regulators])
        try:
            network = network_of(task, models_of=self._networks.get(key))
        except ValueError:
            return plan_task(task, monotonic_s=self._monotonic_s)
        self._networks[key] = network
        self._networks.move_to_end(key)
        if len(self._networks) > NETWORKS_KEPT:
            self._networks.popitem(last=False)
        return plan_task(task, monotonic_s=self._monotonic_s, network=network)


def _beside(work: Callable[[], None]) -> None:
    """In a thread that does not hold up the end of the process."""
    threading.Thread(target=work, name="training", daemon=True).start()


def told(wrong: ValidationError) -> str:
    """The first few errors as "where: what"."""
    errors = wrong.errors(include_url=False, include_context=False, include_input=False)
    told = [f"{'.'.join(map(str, e['loc'])) or 'line'}: {e['msg']}" for e in errors[:ERRORS_TOLD]]
    if len(errors) > ERRORS_TOLD:
        told.append(f"and {len(errors) - ERRORS_TOLD} more")
    return "; ".join(told)


def serve(source: BinaryIO, sink: BinaryIO, worker: Worker) -> None:
    """Answer line by line until `source` ends. An overlong line is refused and skipped."""
    while line := source.readline(LINE_MAX_BYTES):
        if not line.endswith(b"\n") and len(line) == LINE_MAX_BYTES:
            while line and not line.endswith(b"\n"):
                line = source.readline(LINE_MAX_BYTES)
            answer = canonical_json({"id": None, "ok": False, "error": "line too long"})
        elif not line.strip():
            continue
        else:
            answer = worker.answer(line)
        sink.write(answer + b"\n")
        sink.flush()


def main() -> int:
    """Serve stdin and stdout; file descriptor 1 is turned to stderr so that only answers go out."""
    sink = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    os.nice(NICENESS)
    with sink:
        folder = Path(sys.argv[1]) if len(sys.argv) > 1 else None
        serve(sys.stdin.buffer, sink, Worker(monotonic_s=time.monotonic, folder=folder))
    return 0


if __name__ == "__main__":
    sys.exit(main())
