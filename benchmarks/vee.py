"""Validation of measured series: faults put into real load, and what the rules make of them.

    python -m benchmarks.vee [--quick]      (make bench-vee)

Tetouan 2017: three substation zones, 10 min. 150 single samples of each series are moved by 30 % of
its P99, up or down; a sample counts as found when it is marked as a spike. False positives are
clean samples that a rule would reject, or (second figure) that any rule marks at all. The peer is
the median-of-7 filter (Hampel) at 10 sigmas alone, the textbook's answer, on the same series.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from benchmarks.load_data import GEFCOM, TETOUAN, load_file
from benchmarks.report import Figure, main
from gridctl.intervalfile import read_intervals
from optimizer.arrays import BoolArray, FloatArray
from optimizer.validation import rules
from optimizer.validation.check import check
from optimizer.validation.grid import Grid, to_grid
from optimizer.validation.marks import DOUBTFUL, REJECTED, Mark, has
from optimizer.validation.thresholds import Thresholds

SPIKES = 150
SHARE = 0.30
ZONES = ("zone1_kw", "zone2_kw", "zone3_kw")
OWN = Thresholds()


def grid_of(name: str, columns: Sequence[str]) -> Grid:
    """The columns of a file of `../shared/data/load` on their grid."""
    read = read_intervals(load_file(name), columns=columns)
    return to_grid(read.names, read.time_s, read.values)


def with_spikes(grid: Grid, *, share: float, seed: int) -> tuple[Grid, BoolArray]:
    """`SPIKES` samples of each series moved by `share` of its P99, none beside another."""
    random = np.random.default_rng(seed)
    p, n = grid.values.shape
    where = np.zeros((p, n), dtype=bool)
    for row in where:
        row[random.choice(np.arange(10, n - 10, 5), SPIKES, replace=False)] = True
    size = share * np.nanquantile(grid.values, 0.99, axis=1, keepdims=True)
    signs = random.choice([-1.0, 1.0], size=(p, n))
    return replace(grid, values=np.where(where, grid.values + size * signs, grid.values)), where


def marks_of(grid: Grid, own: Thresholds = OWN) -> np.ndarray:
    return check(grid, dict.fromkeys(grid.names, own)).marks


def hits_pct(found: BoolArray, where: BoolArray) -> float:
    """Share of what was put in that was found, median over the series."""
    return float(np.median([100.0 * float(f[w].mean()) for f, w in zip(found, where, strict=True)]))


def per_thousand(found: BoolArray) -> float:
    """Marked samples of a thousand clean ones, median over the series."""
    return float(np.median(1e3 * found.mean(axis=1)))


def hampel_alone(values: FloatArray) -> BoolArray:
    """The peer."""
    p99 = np.nanquantile(values, 0.99, axis=1, keepdims=True)
    return rules.hampel(values, p99, sigmas=10.0, floor=0.01)


def spikes(grid: Grid, seed: int) -> list[Figure]:
    """Found, falsely rejected, falsely marked; each beside the peer."""
    broken, where = with_spikes(grid, share=SHARE, seed=seed)
    marks = marks_of(broken)
    found = hits_pct(has(marks, Mark.SPIKE), where)
    clean = marks_of(grid)
    rejected = per_thousand(has(clean, REJECTED))
    marked = per_thousand(has(clean, DOUBTFUL))
    peer_found = hits_pct(hampel_alone(broken.values), where)
    peer_false = per_thousand(hampel_alone(grid.values))
    return [
        Figure(
            name=f"{SPIKES} spikes of 30 % of P99 found, Tetouan (peer: Hampel)",
            ours=found, peer=peer_found, unit="%", goal=">= 99 %", met=found >= 99.0,
        ),
        Figure(
            name="clean samples rejected, Tetouan (peer: Hampel)",
            ours=rejected, peer=peer_false, unit="per 1000", goal="<= 0.1 per 1000",
            met=rejected <= 0.1,
        ),
        Figure(
            name="clean samples with any doubt, all rules, Tetouan",
            ours=marked, peer=None, unit="per 1000", goal="<= 0.1 per 1000",
            met=marked <= 0.1,
        ),
    ]  # fmt: skip


def cases(grid: Grid) -> dict[str, BoolArray]:
    """A fault of each kind in the first series → where it was put and by which mark it is found."""
    n, day = grid.values.shape[1], grid.slots_per_day
    at = n // 2 // day * day
    caught: dict[str, BoolArray] = {}

    def put(name: str, mark: Mark, start: int, stop: int, change: FloatArray) -> None:
        values = grid.values.copy()
        values[0, start:stop] = change
        caught[name] = has(marks_of(replace(grid, values=values))[0, start:stop], mark)

    own = grid.values[0]
    put("frozen, 4 samples", Mark.FROZEN, at, at + 4, np.full(4, own[at]))
    put("dead at zero, 2 h", Mark.DEAD_ZERO, at, at + 12, np.zeros(12))
    put("sign turned, 1 day", Mark.SIGN, at, at + day, -own[at : at + day])
    put("multiplier 1000, 1 day", Mark.MULTIPLIER, at, at + day, own[at : at + day] / 1000.0)
    put("multiplier 10, 1 day", Mark.MULTIPLIER, at, at + day, own[at : at + day] * 10.0)
    return caught


def clock_case(grid: Grid) -> tuple[int, int]:
    """Readings in wrong places: (put, found). One twice, one late, one off its slot, one of the
    future."""
    time_s = grid.time_s[:1000].copy()
    time_s[100] = time_s[99]
    time_s[200], time_s[201] = time_s[201], time_s[200]
    time_s[300] += 0.4 * grid.step_s
    rows = {misfit.row for misfit in to_grid(grid.names, time_s, grid.values[:, :1000]).misfits}
    future = rules.timestamps(
        grid.time_s[:10] + np.eye(10)[4] * 60.0, grid.time_s[:10] + 1.0,
        skew_s=OWN.skew_reject_s, future_s=OWN.future_s,
    )  # fmt: skip
    found = (100 in rows) + (201 in rows) + (300 in rows) + (np.flatnonzero(future).tolist() == [4])
    return 4, int(found)


def cost_us(grid: Grid, rounds: int) -> float:
    """Microseconds of processor time a sample, all rules, best of `rounds`."""
    best = np.inf
    for _ in range(rounds):
        began = time.process_time()
        marks_of(grid)
        best = min(best, time.process_time() - began)
    return 1e6 * best / grid.values.size


def measure(quick: bool) -> Sequence[Figure]:
    grid = grid_of(TETOUAN, ZONES)
    figures = spikes(grid, seed=1)
    for name, found in cases(grid).items():
        share = 100.0 * float(found.mean())
        figures.append(
            Figure(name=f"{name}: samples caught", ours=share, peer=None, unit="%",
                   goal="caught", met=bool(found.all())),
        )  # fmt: skip
    put, found_count = clock_case(grid)
    figures.append(
        Figure(name="clock: misplaced readings caught", ours=float(found_count), peer=None,
               unit=f"of {put}", goal="all", met=found_count == put),
    )  # fmt: skip
    cost = cost_us(grid, 2 if quick else 5)
    figures.append(
        Figure(name="all rules, processor time", ours=cost, peer=None, unit="us/sample",
               goal="<= 5 us", met=cost <= 5.0),
    )  # fmt: skip
    if not quick:
        hourly = grid_of(GEFCOM, tuple(f"z{k}" for k in (1, 5, 10, 12, 18)))
        broken, where = with_spikes(hourly, share=SHARE, seed=1)
        found_h = hits_pct(has(marks_of(broken), Mark.SPIKE), where)
        false_h = per_thousand(has(marks_of(hourly), REJECTED))
        figures += [
            Figure(name="spikes of 30 % found, GEFCom2012 hourly, 5 zones", ours=found_h,
                   peer=None, unit="%", goal="", met=None),
            Figure(name="clean samples rejected, GEFCom2012 hourly, 5 zones", ours=false_h,
                   peer=None, unit="per 1000", goal="", met=None),
        ]  # fmt: skip
    return figures


if __name__ == "__main__":
    main(measure, about="faults put into real load series", packages=("numpy",))
