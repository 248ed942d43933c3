"""Plans of many feeders under one limit: `python -m optimizer.substation substation.json`.

    {"mrid": "SUB", "limit_kw": 12000, "feeders": ["north.json", "south.json"]}

`limit_kw` is one number or one for each interval; each feeder's file is a problem as
`python -m optimizer` takes it. Feeders are planned in --workers processes of this machine, or with
--dask ADDRESS by the workers of a dask.distributed cluster (extra `cluster`). With --json the plan
is one object with every feeder's `PlanningResult` in it.

Exit codes: 0 the limit is kept by verified plans; 1 it is not, or a feeder has none (told);
2 the problem is not understood (file and field are told).
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gridctl.model.canonical import canonical_json
from optimizer.__main__ import ProblemError, problem_of
from optimizer.substation.engine import Dask, Engine, Ledger, Pool
from optimizer.substation.levels import SubstationPlan, SubstationTask, plan_substation
from optimizer.substation.split import SplitError

DEADLINE_S = 300.0
KEYS = {"mrid", "limit_kw", "feeders"}


def substation_of(path: Path, *, cycle: str) -> SubstationTask:
    """The problem in the file `path`. Raises ProblemError naming file and field."""
    try:
        body = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as wrong:
        raise ProblemError(f"{path}: {wrong}") from None
    if not isinstance(body, dict) or set(body) != KEYS:
        raise ProblemError(f"{path}: a substation has exactly the keys {', '.join(sorted(KEYS))}")
    names = body["feeders"]
    if not isinstance(names, list) or not all(isinstance(n, str) for n in names) or not names:
        raise ProblemError(f"{path}: feeders: a list of file names")
    tasks = tuple(problem_of(path.parent / name) for name in names)
    count = tasks[0].horizon.count
    given = body["limit_kw"]
    values = given if isinstance(given, list) else [given] * count
    if not all(isinstance(v, int | float) and not isinstance(v, bool) for v in values):
        raise ProblemError(f"{path}: limit_kw: a number, or one for each interval")
    return SubstationTask(
        mrid=str(body["mrid"]), cycle=cycle, feeders=tasks, limit_kw=tuple(map(float, values))
    )


def words(task: SubstationTask, plan: SubstationPlan) -> Iterator[str]:
    """The plan as lines for a person."""
    found = plan.split
    said = "kept" if plan.kept else f"missed by up to {plan.over_kw.max():.0f} kW"
    yield f"{task.mrid}: limit {said}; {len(plan.plans)} feeders planned, {len(plan.failed)} not"
    yield (
        f"split: {len(found.rounds)} rounds, at most {100 * found.gap:.2f} % above the best one; "
        f"asked again {plan.mends} times; {plan.solve_s:.1f} s"
    )
    yield ""
    yield "feeder                most kW before      after    kWh less       cost"
    for k, one in enumerate(task.feeders):
        name = one.feeder.mrid
        before = found.head_kw[k]
        result = plan.plans.get(name)
        if result is None:
            yield f"{name:<20} {before.max():>15.1f}  not planned: {plan.failed.get(name, '')}"
            continue
        after = np.array(result.head_after_kw)
        hours = one.horizon.step_s / 3600.0
        less_kwh = float(np.maximum(before - after, 0.0).sum()) * hours
        yield (
            f"{name:<20} {before.max():>15.1f} {after.max():>10.1f} {less_kwh:>11.1f} "
            f"{result.cost:>10.2f}"
        )
    yield ""
    yield "interval  before kW   after kW   limit kW   price per kWh"
    for t, limit_kw in enumerate(task.limit_kw):
        hours = task.feeders[0].horizon.step_s / 3600.0
        yield (
            f"{t:>8} {plan.head_before_kw[t]:>10.1f} {plan.head_after_kw[t]:>10.1f} "
            f"{limit_kw:>10.1f} {found.price[t] / hours:>15.3f}"
        )


def as_json(task: SubstationTask, plan: SubstationPlan) -> dict[str, Any]:
    """The plan as one object; the feeders' own plans in full."""
    found = plan.split
    return {
        "substation": task.mrid,
        "cycle": task.cycle,
        "kept": plan.kept,
        "gap": found.gap,
        "rounds": [
            {"cost": r.cost, "bound": r.bound} for r in found.rounds if np.isfinite(r.bound)
        ],
        "share_kw": {t.feeder.mrid: found.share_kw[k].tolist() for k, t in enumerate(task.feeders)},
        "curves": {t.feeder.mrid: found.curves[k].offers for k, t in enumerate(task.feeders)},
        "price": found.price.tolist(),
        "head_before_kw": plan.head_before_kw.tolist(),
        "head_after_kw": plan.head_after_kw.tolist(),
        "over_kw": plan.over_kw.tolist(),
        "failed": dict(plan.failed),
        "silent": dict(plan.silent),
        "plans": dict(plan.plans),
    }


def _engine(options: argparse.Namespace) -> Engine:
    if options.dask is None:
        return Pool(options.workers)
    try:
        from distributed import Client  # noqa: PLC0415 - an extra that few need
    except ImportError:
        raise ProblemError("--dask needs the extra: pip install 'gridctl[cluster]'") from None
    client: Any = Client  # distributed has no types
    return Dask(client(options.dask))


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; see the module."""
    parser = argparse.ArgumentParser(prog="python -m optimizer.substation", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("problem", type=Path)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--dask", metavar="ADDRESS", help="a scheduler of dask.distributed")
    parser.add_argument("--cycle", default="1", help="name of this round of planning")
    parser.add_argument("--deadline", type=float, default=DEADLINE_S, metavar="S")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    options = parser.parse_args(arguments)
    try:
        task = substation_of(options.problem, cycle=options.cycle)
        engine = Ledger(_engine(options))
        try:
            plan = plan_substation(task, engine, deadline_s=options.deadline)
        finally:
            engine.close()
    except (ValueError, SplitError) as wrong:
        sys.stderr.write(f"{wrong}\n")
        return 2
    told = [canonical_json(as_json(task, plan)).decode()] if options.json else words(task, plan)
    sys.stdout.writelines(f"{line}\n" for line in told)
    return 0 if plan.kept and not plan.failed else 1


if __name__ == "__main__":
    sys.exit(main())
