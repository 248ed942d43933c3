"""The mind by itself: `python -m optimizer problem.json`.

A problem is a `gridctl.model.planning.PlanningTask` as JSON, field by field (what an evidence pack
keeps of each plan is one); its `feeder` may also be the name of a JSON file beside it. The plan is
told in words, or with --json as the `PlanningResult`; --svg draws the feeder head.

Exit codes: 0 a verified plan, or none needed; 1 no plan (the reason is told); 2 the problem is not
understood (file and field are told).
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from gridctl.model.canonical import canonical_json
from gridctl.model.planning import PlanningResult, PlanningTask, SolveStatus
from optimizer.picture import head_svg
from optimizer.plan import plan_task
from optimizer.worker import PLANNING_TASK, told

PLANNED = (SolveStatus.OPTIMAL, SolveStatus.FEASIBLE, SolveStatus.NOT_NEEDED)
BYTES_MAX = 256 * 1024 * 1024


class ProblemError(ValueError):
    """The file cannot be read as a problem; says which file and field."""


def problem_of(path: Path) -> PlanningTask:
    """The problem in the file `path`. Raises ProblemError."""
    body = _json(path)
    if not isinstance(body, dict):
        raise ProblemError(f"{path}: a problem is a JSON object")
    if isinstance(body.get("feeder"), str):
        body["feeder"] = _json(path.parent / body["feeder"])
    try:
        task = PLANNING_TASK.validate_json(json.dumps(body))
    except ValidationError as wrong:
        raise ProblemError(f"{path}: {told(wrong)}") from None
    if task is None:
        raise ProblemError(f"{path}: there is no task")
    return task


def _json(path: Path) -> Any:
    try:
        if path.stat().st_size > BYTES_MAX:
            raise ProblemError(f"{path}: more than {BYTES_MAX} bytes")
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ProblemError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ProblemError(f"{path}: not UTF-8") from None
    except json.JSONDecodeError as error:
        raise ProblemError(f"{path}:{error.lineno}:{error.colno}: {error.msg}") from None


def words(task: PlanningTask, result: PlanningResult) -> Iterator[str]:
    """The plan as lines for a person."""
    yield f"{result.status.value}: {result.reason or 'the plan holds every limit'}"
    if asked := task.policy.told():
        yield f"asked besides limits and events: {'; '.join(asked)}"
    if result.rounds:
        yield (
            f"solver {result.solver}, {result.rounds} round(s) with the AC check, "
            f"{result.solve_s:.2f} s"
        )
    if (check := result.verification) is not None:
        before, after = check.before, check.after
        yield (
            f"AC check: violations {before.violations} -> {after.violations}, lowest voltage "
            f"{before.worst_voltage_pu:.3f} -> {after.worst_voltage_pu:.3f} pu, highest loading "
            f"{before.worst_loading_pct:.0f} -> {after.worst_loading_pct:.0f} %"
        )
    if result.setpoints:
        yield ""
        yield "interval  resource              setpoint kW   less at the head kW"
    for one in sorted(result.setpoints, key=lambda s: (s.interval, s.resource)):
        yield f"{one.interval:>8}  {one.resource:<20} {one.kw:>12.1f} {one.effect_kw:>21.1f}"
    if result.head_before_kw:
        yield ""
        yield f"interval  before kW   after kW   limit {task.limits.head_import_kw:.0f} kW"
    for k, (before_kw, after_kw) in enumerate(
        zip(result.head_before_kw, result.head_after_kw, strict=True)
    ):
        over = "  above the limit" if after_kw > task.limits.head_import_kw + 0.5 else ""
        yield f"{k:>8} {before_kw:>10.1f} {after_kw:>10.1f}{over}"
    if result.findings:
        yield ""
    yield from (f"- {finding.text}" for finding in result.findings)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; see the module."""
    parser = argparse.ArgumentParser(prog="python -m optimizer", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("problem", type=Path, help="a PlanningTask as JSON")
    parser.add_argument("--json", action="store_true", help="the PlanningResult, one JSON object")
    parser.add_argument("--svg", type=Path, metavar="FILE", help="draw the head before and after")
    options = parser.parse_args(arguments)
    try:
        task = problem_of(options.problem)
        result = plan_task(task, monotonic_s=time.monotonic)
    except ValueError as wrong:
        sys.stderr.write(f"{wrong}\n")
        return 2
    if options.svg is not None:
        options.svg.write_text(head_svg(task, result), encoding="utf-8")
    told_lines = [canonical_json(result).decode()] if options.json else words(task, result)
    sys.stdout.writelines(f"{line}\n" for line in told_lines)
    return 0 if result.status in PLANNED else 1


if __name__ == "__main__":
    sys.exit(main())
