"""The DNP3 figures: our master beside yadnp3 by itself, dnp3py and py1815, on one outstation."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from benchmarks.loopback import free_port
from benchmarks.report import Figure, median, percentile

POINTS = 10_000
EVENTS = 5_000
SESSION_POINTS = 90
CHILD_MAX_S = 120.0


@dataclass(slots=True)
class Outstation:
    """`series`: (moment of a READ, seconds until its last CONFIRM), filled in at the end."""

    port: int
    series: list[tuple[float, float]]

    def series_s(self, since: float) -> list[float]:
        """How long the polls took that began after `since`."""
        return [seconds for began, seconds in self.series if began >= since]


@contextlib.contextmanager
def outstation(points: int, events: int = 0) -> Iterator[Outstation]:
    """The replaying outstation in its own process; `series` is filled when it has ended."""
    port = free_port()
    child = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "benchmarks.dnp3_outstation",
            *(str(number) for number in (port, points, events)),
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    found = Outstation(port=port, series=[])
    try:
        if child.stdout is None or child.stdout.readline().strip() != "ready":
            raise RuntimeError("the benchmark's outstation did not start")
        yield found
    finally:
        child.terminate()
        told, _ = child.communicate(timeout=10.0)
        found.series += json.loads(told or '{"series": []}')["series"]


def master(kind: str, task: str, port: int, points: int, seconds: float) -> dict[str, Any]:
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "benchmarks.dnp3_masters",
            kind,
            task,
            *(str(number) for number in (port, points, seconds)),
        ],
        capture_output=True,
        text=True,
        timeout=CHILD_MAX_S,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"{kind} {task}: {done.stderr[-2000:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _polls(
    kinds: tuple[str, ...], points: int, events: int, *, rounds: int, seconds: float
) -> dict[str, dict[str, float]]:
    """Interleaved rounds; per kind the median READ → last CONFIRM and CPU per value."""
    seen: dict[str, list[float]] = {kind: [] for kind in kinds}
    cpu: dict[str, list[float]] = {kind: [] for kind in kinds}
    drain: dict[str, list[float]] = {kind: [0.0] for kind in kinds}
    for _ in range(rounds):
        for kind in kinds:
            with outstation(points, events) as device:
                told = master(kind, "poll", device.port, points, seconds)
            seen[kind] += device.series_s(told["since"])
            cpu[kind].append(told["cpu_us_per_value"])
            drain[kind].append(told.get("drain_s", 0.0))
    return {
        kind: {
            "wire_s": median(seen[kind]),
            "cpu_us": median(cpu[kind]),
            "drain_s": max(drain[kind]),
        }
        for kind in kinds
    }


def integrity(quick: bool) -> list[Figure]:
    """10,000 analog values with flags, from READ until they stand in the Snapshot."""
    kinds = ("ours", "boxed") if quick else ("ours", "boxed", "dnp3py", "py1815")
    rounds, seconds = (1, 2.0) if quick else (3, 4.0)
    found = _polls(kinds, POINTS, 0, rounds=rounds, seconds=seconds)
    per_s = {kind: POINTS / (row["wire_s"] + row["drain_s"]) for kind, row in found.items()}
    figures = [
        Figure(
            name="dnp3 integrity 10,000 points, wire to Snapshot",
            ours=per_s["ours"],
            peer=per_s["boxed"],
            unit="values/s",
            goal=">= 400,000 values/s and >= 1.3 x yadnp3's boxed tuples",
            met=per_s["ours"] >= 400_000 and per_s["ours"] >= 1.3 * per_s["boxed"],
        ),
        Figure(
            name="dnp3 CPU of the master per value",
            ours=found["ours"]["cpu_us"],
            peer=found["boxed"]["cpu_us"],
            unit="us",
            goal="",
            met=None,
        ),
    ]
    figures += [
        Figure(
            name=f"dnp3 integrity 10,000 points, beside {kind}",
            ours=per_s["ours"],
            peer=per_s[kind],
            unit="values/s",
            goal="",
            met=None,
        )
        for kind in kinds[2:]
    ]
    return figures


def burst(quick: bool) -> list[Figure]:
    """5,000 events in one response, each with flags and time."""
    rounds, seconds = (1, 2.0) if quick else (3, 4.0)
    kinds = ("ours", "boxed") if quick else ("ours", "boxed", "dnp3py", "py1815")
    found = _polls(kinds, EVENTS, EVENTS, rounds=rounds, seconds=seconds)
    per_s = {kind: EVENTS / (row["wire_s"] + row["drain_s"]) for kind, row in found.items()}
    return [
        Figure(
            name="dnp3 burst of 5,000 events, wire to Snapshot",
            ours=per_s["ours"],
            peer=per_s["boxed"],
            unit="events/s",
            goal=">= 250,000 events/s",
            met=per_s["ours"] >= 250_000,
        ),
        *(
            Figure(
                name=f"dnp3 burst of 5,000 events, beside {kind}",
                ours=per_s["ours"],
                peer=per_s[kind],
                unit="events/s",
                goal="",
                met=None,
            )
            for kind in kinds[2:]
        ),
    ]


def sessions(quick: bool) -> list[Figure]:
    """Many outstations in one process, a poll of 90 points from each every second."""
    count, seconds = (200, 6.0) if quick else (500, 15.0)
    kinds = ("ours", "boxed") if quick else ("ours", "boxed", "dnp3py", "py1815")
    rows = {}
    for kind in kinds:
        with outstation(SESSION_POINTS) as device:
            rows[kind] = master(kind, "sessions", device.port, count, seconds)
        late_s = device.series_s(rows[kind]["since"])
        rows[kind]["p99_ms"] = 1e3 * percentile(late_s, 0.99)
    share = count / 500
    return [
        Figure(
            name=f"dnp3 {count} outstations x 90 points at 1 s: CPU of one core",
            ours=rows["ours"]["cores"],
            peer=rows["boxed"]["cores"],
            unit="cores",
            goal=f"<= {0.30 * share:.2f} ({count} of 500 outstations)",
            met=rows["ours"]["cores"] <= 0.30 * share,
        ),
        Figure(
            name=f"dnp3 {count} outstations x 90 points at 1 s: poll p99",
            ours=rows["ours"]["p99_ms"],
            peer=rows["boxed"]["p99_ms"],
            unit="ms",
            goal="<= 5 ms",
            met=rows["ours"]["p99_ms"] <= 5.0,
        ),
        Figure(
            name=f"dnp3 {count} outstations: values that arrived",
            ours=rows["ours"]["values_per_s"],
            peer=rows["boxed"]["values_per_s"],
            unit="values/s",
            goal=f">= {0.98 * count * SESSION_POINTS:.0f}",
            met=rows["ours"]["values_per_s"] >= 0.98 * count * SESSION_POINTS,
        ),
        Figure(
            name=f"dnp3 {count} outstations: memory of the process",
            ours=rows["ours"]["rss_mb"],
            peer=rows["boxed"]["rss_mb"],
            unit="MB",
            goal="",
            met=None,
        ),
        *(
            Figure(
                name=f"dnp3 {count} outstations x 90 points at 1 s: {what}, beside {kind}",
                ours=rows["ours"][key],
                peer=rows[kind][key],
                unit=unit,
                goal="",
                met=None,
            )
            for kind in kinds[2:]
            for key, what, unit in (
                ("cores", "CPU of one core", "cores"),
                ("p99_ms", "poll p99", "ms"),
            )
        ),
    ]


def select_operate(quick: bool) -> list[Figure]:
    """SELECT and OPERATE of one analog output, from the permit to the judged answer."""
    kinds = ("ours", "boxed") if quick else ("ours", "boxed", "py1815")
    rows = {}
    for kind in kinds:
        with outstation(100) as device:
            rows[kind] = master(kind, "sbo", device.port, 100, 0.0)
    figures = []
    for key, goal_ms in (("p50_ms", 0.6), ("p99_ms", 1.2)):
        for kind in kinds[1:]:
            judged = kind == "boxed"
            figures.append(
                Figure(
                    name=f"dnp3 select before operate {key[:3]}, beside {kind}",
                    ours=rows["ours"][key],
                    peer=rows[kind][key],
                    unit="ms",
                    goal=f"<= {goal_ms} ms" if judged else "",
                    met=rows["ours"][key] <= goal_ms if judged else None,
                )
            )
    return figures


def figures(quick: bool) -> list[Figure]:
    return [*integrity(quick), *burst(quick), *sessions(quick), *select_operate(quick)]
