"""The one JSON object that every benchmark prints.

    {"figures": [{"name", "ours", "peer", "ratio", "unit", "goal", "met"}], "machine", "compared"}

A figure is there whether its goal is met or not; where it is missed, `why` says by how much and
what stands in the way, as far as the benchmark knows. `ratio` is ours / peer in the figure's unit,
null without a peer; `goal` is the target in words, `met` null where the issue gives no target.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One measured number beside its peer's, both in `unit`."""

    name: str
    ours: float | None
    peer: float | None
    unit: str
    goal: str
    met: bool | None
    why: str = ""
    """By how much a missed goal is missed, and why."""

    def as_json(self) -> dict[str, object]:
        ratio = self.ours / self.peer if self.ours is not None and self.peer else None
        found = asdict(self) | {"ratio": ratio}
        order = ["name", "ours", "peer", "ratio", "unit", "goal", "met"]
        if self.met is False and self.why:
            order.append("why")
        return {key: _short(found[key]) for key in order}


def _short(value: object) -> object:
    """Four significant digits: a loopback measurement has no more."""
    return float(f"{value:.4g}") if isinstance(value, float) else value


def percentile(values: Sequence[float], share: float) -> float:
    """Nearest-rank percentile of `values`, `share` in 0..1. Raises ValueError when empty."""
    if not values:
        raise ValueError("no values, no percentile")
    ranked = sorted(values)
    return ranked[min(len(ranked) - 1, max(0, round(share * len(ranked)) - 1))]


def median(values: Sequence[float]) -> float:
    return statistics.median(values)


_SCHEDULERS = {os.SCHED_OTHER: "other", os.SCHED_FIFO: "fifo", os.SCHED_RR: "rr"}
"""On a machine that is shared, `chrt -r 5 make bench-…` keeps other programs out of the tails."""


def machine() -> dict[str, object]:
    """What the numbers were taken on; the load tells how quiet it was."""
    return {
        "cores": os.cpu_count(),
        "processor": _processor(),
        "python": platform.python_version(),
        "load_1min": round(os.getloadavg()[0], 2),
        "scheduler": _SCHEDULERS.get(os.sched_getscheduler(0), "?"),
    }


def _processor() -> str:
    try:
        with Path("/proc/cpuinfo").open(encoding="utf-8") as lines:
            for line in lines:
                if line.startswith("model name"):
                    return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.machine()


def compared(*packages: str) -> dict[str, str]:
    """The version of each peer and of what we stand on."""
    found = {}
    for name in ("gridctl", *packages):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def main(
    measure: Callable[[bool], Sequence[Figure]],
    *,
    about: str,
    packages: Sequence[str],
    elsewhere: Mapping[str, str] | None = None,
) -> None:
    """Parse `--quick`, measure, print the one object. `elsewhere`: versions of peers that live in
    an environment of their own, filled in by `measure`. Exit code 0 also when a goal is missed: the
    report says so."""
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--quick", action="store_true", help="fewer rounds; ends within 50 s")
    quick = parser.parse_args().quick
    before = machine()
    figures = measure(quick)
    print(
        json.dumps(
            {
                "figures": [figure.as_json() for figure in figures],
                "machine": before,
                "compared": compared(*packages) | dict(elsewhere or {}),
                "quick": quick,
            },
            indent=2,
            ensure_ascii=False,
        )
    )
    missed = [figure.name for figure in figures if figure.met is False]
    if missed:
        print(f"missed: {', '.join(missed)}", file=sys.stderr)
