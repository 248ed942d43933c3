"""The optimizer beside its peers: distopf, OpenDSS, full-space HiGHS, IPOPT on the exact AC model.

    python -m benchmarks.optimizer [--quick]      (make bench-optimizer; BENCH=--quick)

Peers live in an environment of their own (`.peers`, made at the first run; `--quick` uses it when
it is there and leaves their figures without a peer when not). All numbers are of one run on one
machine, one thread each. Times are processor time: on a machine that is shared, the wall tells of
the others.
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

# Before numpy comes: a library of threads for small matrices only waits for itself.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from benchmarks import worker
from benchmarks.optimizer_cases import columns, converted, evening_task, fleet_of, grown
from benchmarks.optimizer_nlp import Relaxed, full_space, precise_plan, relaxed_plan, write_exact
from benchmarks.report import Figure, main
from gridctl.model.planning import PlanningResult, PlanningTask
from gridctl.model.resource import LoadGroup
from optimizer import solve
from optimizer.assemble import Programme
from optimizer.limits import Tiers, limit_bounds
from optimizer.network import NetworkModel
from optimizer.plan import network_of, plan_task
from optimizer.problem import build_problem
from optimizer.regulated import RegulatedNetwork
from optimizer.session import LpSession
from sim.engine import Engine, opendss_engine
from sim.feeder import load_feeder
from tests.optimizer.pilot import pilot_task

PEERS = Path(".peers")
PACKAGES = ("distopf==1.0.2", "casadi==3.8.2")
VERSIONS: dict[str, str] = {}
LIMIT_KW = 3050.0
V_MIN_PU = 0.986
"""Binds in the evening, so that voltage rows are in the programme."""


def best(work: Callable[[], object], times: int = 5) -> float:
    """Median processor seconds of `work`."""
    seconds = []
    for _ in range(times):
        began_s = time.process_time()
        work()
        seconds.append(time.process_time() - began_s)
    return statistics.median(seconds)


def beside(
    ours: Callable[[], object], theirs: Callable[[], object], times: int
) -> tuple[float, float]:
    """Median processor seconds of two kinds of work in this process, done by turns, so that what
    else the machine does meets both."""
    seconds: tuple[list[float], list[float]] = ([], [])
    for _ in range(times):
        for work, found in zip((ours, theirs), seconds, strict=True):
            began_s = time.process_time()
            work()
            found.append(time.process_time() - began_s)
    return statistics.median(seconds[0]), statistics.median(seconds[1])


def peers(*, install: bool) -> Path | None:
    """The peers' interpreter, or None."""
    python = PEERS / "bin" / "python"
    if not (PEERS / ".ready").is_file():
        if not install:
            return None
        print("making .peers with distopf and CasADi (a minute) …", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", str(PEERS)], check=True)
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, *PACKAGES], check=True, stdout=sys.stderr)
        (PEERS / ".ready").touch()
    return python


def ask(python: Path, *given: str, deadline_s: float) -> dict[str, Any]:
    """What a peer's process measures."""
    done = subprocess.run(
        [str(python), "benchmarks/optimizer_peers.py", *given],
        check=True, capture_output=True, text=True, timeout=deadline_s,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    found: dict[str, Any] = json.loads(done.stdout)
    VERSIONS.update(found["versions"])
    return found


def _short_of(ours_s: float, peer_s: float | None, times: float) -> str:
    return "" if peer_s is None else f"{peer_s / ours_s:.0f} times instead of {times:g}"


def faster(ours_s: float, peer_s: float | None, times: float) -> bool | None:
    return None if peer_s is None else peer_s >= times * ours_s


def against_distopf(python: Path | None, *, large: bool) -> list[Figure]:
    """Builds and the sweep; their time of the same kind of work in the same run."""
    peer: dict[str, Any] = {}
    if python is not None:
        peer = ask(python, "distopf", *(["--large"] if large else []), deadline_s=1800.0)
    cases = Path(peer["cases"]) if peer else None
    task = pilot_task(count=24)
    network = network_of(task)

    def build() -> None:
        problem = build_problem(task, network)
        bounds = limit_bounds(problem, network)
        Programme(problem, bounds=bounds, network=network, tiers=Tiers()).matrices()

    build()
    ours_s, base_s = best(build), best(lambda: build_problem(task, network))
    figures = [
        Figure(
            name="build, IEEE 123 with fleet, 24 periods (ours: AC base case and programme)",
            ours=ours_s * 1e3, peer=_ms(peer.get("horizon_build_s")), unit="ms",
            goal="500 times faster than distopf",
            met=faster(ours_s, peer.get("horizon_build_s"), 500),
            why=_short_of(ours_s, peer.get("horizon_build_s"), 500)
            + f"; {base_s * 1e3:.0f} ms of it are the AC power flow of the case without control,"
            " with regulators that act, from which ours is linearised; distopf's build has no"
            " power flow",
        )
    ]  # fmt: skip
    single = NetworkModel(load_feeder("ieee123"))
    ours_s = best(lambda: single.solve(load_scale=np.ones(1)), 50)
    figures.append(
        Figure(
            name="power flow, IEEE 123, one snapshot (ours: Z-bus; distopf: sweep)",
            ours=ours_s * 1e3, peer=_ms(peer.get("sweep_s")), unit="ms",
            goal="500 times faster than distopf", met=faster(ours_s, peer.get("sweep_s"), 500),
        )
    )  # fmt: skip
    if large and cases is not None:
        feeder, places = converted(cases / "9500-primary-network")

        def model() -> None:
            network = NetworkModel(feeder)
            flow = network.solve(load_scale=np.ones(1))
            network.sensitivity(flow, 0, columns(network, places))

        alone_s, ours_s = best(lambda: NetworkModel(feeder), 5), best(model, 5)
        peer_s = peer["large_build_s"]
        figures += [
            Figure(
                name="9500 node single-period model with its power flow and slopes (ours:"
                f" admittance, AC flow, slopes of {len(places)} controls; distopf: matrices)",
                ours=ours_s * 1e3, peer=_ms(peer_s), unit="ms",
                goal="200 times faster than distopf", met=faster(ours_s, peer_s, 200),
                why=_short_of(ours_s, peer_s, 200) + f"; the equations alone take"
                f" {alone_s * 1e3:.0f} ms, the rest are an AC power flow and one triangular solve"
                " for each control, of which distopf's build has none",
            ),
            Figure(
                name="9500 node single-period model, the equations alone (ours: admittance,"
                " factorised, with loads and branch currents; distopf: matrices)",
                ours=alone_s * 1e3, peer=_ms(peer_s), unit="ms",
                goal="200 times faster than distopf", met=faster(alone_s, peer_s, 200),
                why=_short_of(alone_s, peer_s, 200),
            ),
        ]  # fmt: skip
    return figures


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else seconds * 1e3


def against_opendss() -> list[Figure]:
    """96 periods of IEEE 123 at pinned taps: the engine's own time series, and ours."""
    feeder = load_feeder("ieee123")
    scale = np.linspace(0.35, 1.0, 96)
    network = NetworkModel(feeder)
    flow = network.solve(load_scale=scale)
    engine = Engine(feeder)
    dss = opendss_engine()
    worst = 0.0
    nominal = np.array([k for c in feeder.consumers for k in c.kw])
    kvar = np.array([k for c in feeder.consumers for k in c.kvar])
    rows = [network.index(*name.rsplit(".", 1)) for name in engine.node_phases]
    for t in (0, 48, 95):
        engine.set_demands(nominal * scale[t], kvar * scale[t])
        volts = engine.solve().voltages_pu
        ours = flow.v_complex[rows, t] / (network.base_kv[rows] * 1e3)
        worst = max(worst, float(np.abs(ours - volts).max()))
    engine.set_demands(nominal, kvar)
    engine.solve()
    shape = " ".join(f"{v:.6f}" for v in scale)
    for command in (
        f"new loadshape.day npts=96 interval=0.25 mult=[{shape}]",
        "batchedit load..* daily=day",
        "set mode=daily stepsize=15m number=96 controlmode=off tolerance=1e-4",
    ):
        dss.text(command)

    def series() -> None:
        dss.text("set hour=0 sec=0")
        dss.text("solve")

    series()
    ours_s, theirs_s = beside(lambda: network.solve(load_scale=scale), series, 41)
    return [
        Figure(
            name="AC flow of 96 periods, IEEE 123, pinned taps, processor time by turns"
            " (OpenDSS: native daily mode)",
            ours=ours_s * 1e3, peer=theirs_s * 1e3, unit="ms",
            goal="at most 1.5 times OpenDSS's time", met=ours_s <= 1.5 * theirs_s,
            why=f"{ours_s / theirs_s / 1.5:.2f} times the goal: ours also has the loading of every"
            " branch and the inputs of the AC check, which the daily mode does not make",
        ),
        Figure(
            name="greatest difference of any voltage from OpenDSS, IEEE 123, pinned taps",
            ours=worst, peer=None, unit="pu", goal="at most 1e-6", met=worst <= 1e-6,
        ),
    ]  # fmt: skip


def pinned(task: PlanningTask) -> PlanningTask:
    """Taps and capacitors stay; voltages bind from below only, branches nowhere."""
    return replace(
        task,
        feeder=replace(
            task.feeder,
            regulators=tuple(replace(r, band_v=1e4) for r in task.feeder.regulators),
            capacitors=tuple(
                replace(c, open_above_pu=None, close_below_pu=None) for c in task.feeder.capacitors
            ),
        ),
        limits=replace(
            task.limits, loading_max_pct=1e4, voltage_max_pu=1.10, voltage_min_pu=V_MIN_PU
        ),
    )


def against_full_space(count: int) -> list[Figure]:
    """The identical linear model with every voltage a variable, by the same HiGHS."""
    task = pinned(pilot_task(count=count, limit_kw=LIMIT_KW))
    relaxed_plan(task, corrected=False)
    ours = relaxed_plan(task, corrected=False)
    objective, seconds, size = full_space(ours)
    apart = abs(objective - ours.objective) / abs(objective)
    reduced = ours.programme.matrices().a.shape
    return [
        Figure(
            name=f"linear plan, {count} periods, reduced {reduced[0]} x {reduced[1]} against full"
            f" space {size[0]} x {size[1]}",
            ours=ours.solve_s * 1e3, peer=seconds * 1e3, unit="ms",
            goal="8 times faster than full-space HiGHS", met=seconds >= 8 * ours.solve_s,
        ),
        Figure(
            name="relative difference of the two optima", ours=apart, peer=None, unit="1",
            goal="at most 1e-6", met=apart <= 1e-6,
        ),
    ]  # fmt: skip


def against_ipopt(python: Path | None, count: int) -> list[Figure]:
    """The same task on the exact AC equations; runs of groups relaxed in both, taps pinned."""
    task = pinned(pilot_task(count=count, limit_kw=LIMIT_KW))
    relaxed_plan(task, corrected=True)
    ours: Relaxed = relaxed_plan(task, corrected=True)
    peer_s: float | None = None
    gap_pct: float | None = None
    if python is not None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "exact.npz"
            write_exact(ours, path)
            found = ask(python, "ipopt", str(path), deadline_s=1800.0)
        if found["status"] == "Solve_Succeeded" and found["slack_kw"] < 1e-3:
            peer_s = found["solve_s"]
            gap_pct = 100.0 * (ours.objective - found["objective"]) / abs(found["objective"])
        else:
            print(f"IPOPT: {found['status']}, slack {found['slack_kw']:g}", file=sys.stderr)
    objective, more_s, steps = precise_plan(ours)
    precise_s = ours.solve_s + more_s
    apart_pct: float | None = None
    if gap_pct is not None:
        optimum = ours.objective / (1.0 + gap_pct / 100.0)
        apart_pct = 100.0 * (objective - optimum) / abs(optimum)
    return [
        Figure(
            name=f"AC-corrected plan, {count} periods, against IPOPT from our plan as its start"
            f" ({ours.rounds} rounds)",
            ours=ours.solve_s * 1e3, peer=_ms(peer_s), unit="ms",
            goal="20 times faster than IPOPT", met=faster(ours.solve_s, peer_s, 20),
        ),
        Figure(
            name="gap of its objective to IPOPT's local optimum", ours=gap_pct, peer=None, unit="%",
            goal="at most 0.3 %", met=None if gap_pct is None else abs(gap_pct) <= 0.3,
        ),
        Figure(
            name=f"precise mode, {count} periods, {steps} steps (IPOPT: from our plan)",
            ours=precise_s * 1e3, peer=_ms(peer_s), unit="ms",
            goal="not slower than IPOPT", met=faster(precise_s, peer_s, 1),
        ),
        Figure(
            name="gap of the precise mode to IPOPT's local optimum", ours=apart_pct, peer=None,
            unit="%", goal="at most 0.01 %",
            met=None if apart_pct is None else abs(apart_pct) <= 0.01,
        ),
    ]  # fmt: skip


class Spent:
    """Processor seconds of linear programmes and of AC power flows while it is entered."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.calls: dict[str, int] = {}
        self._places: list[tuple[str, Any, str, Any]] = [
            ("linear programmes", LpSession, "solve", LpSession.solve),
            ("AC power flows", RegulatedNetwork, "solve", RegulatedNetwork.solve),
            ("building the programme", Programme, "__init__", Programme.__init__),
            ("runs of groups", solve, "repaired", solve.repaired),
        ]

    def __enter__(self) -> Spent:
        for name, place, attribute, own in self._places:
            setattr(place, attribute, self._timed(name, own))
        return self

    def __exit__(self, *raised: object) -> None:
        for place, attribute, own in (row[1:] for row in self._places):
            setattr(place, attribute, own)

    def _timed(self, name: str, own: Any) -> Any:
        def timed(*given: Any, **more: Any) -> Any:
            began_s = time.process_time()
            try:
                return own(*given, **more)
            finally:
                taken_s = time.process_time() - began_s
                self.seconds[name] = self.seconds.get(name, 0.0) + taken_s
                self.calls[name] = self.calls.get(name, 0) + 1

        return timed

    def told(self, whole_s: float) -> str:
        """Where the time of `whole_s` went."""
        parts = [f"{self.calls[k]} {k} {v:.3f} s" for k, v in self.seconds.items()]
        rest_s = max(whole_s - sum(self.seconds.values()), 0.0)
        return f"{', '.join(parts)}, the rest {rest_s:.3f} s"


NOTHING_CARRIED = (
    "no basis and no voltage of the last cycle is carried over, so that a stored plan can be made"
    " again bit for bit (ADR 0021): a rolling plan does what a cold one does, without building the"
    " network model"
)


def timed_plan(
    task: PlanningTask, network: RegulatedNetwork | None
) -> tuple[PlanningResult, float]:
    began_s = time.process_time()
    result = plan_task(task, monotonic_s=time.monotonic, network=network)
    return result, time.process_time() - began_s


def least(
    work: Callable[[], tuple[PlanningResult, float]], times: int = 3
) -> tuple[PlanningResult, float]:
    """Of a few runs the one that took least."""
    return min((work() for _ in range(times)), key=lambda found: found[1])


def whole_plans(*, large: bool) -> list[Figure]:
    """From task to verified plan: runs of groups, AC rounds, taps that act, check."""
    task = pilot_task(count=96)
    timed_plan(task, None)
    result, cold_s = least(lambda: timed_plan(task, None))
    network = network_of(task)
    timed_plan(task, network)
    series = tuple(tuple(1.01 * v for v in row) for row in task.forecast.values_kw)
    later = replace(task, forecast=replace(task.forecast, values_kw=series))
    rolled, rolling_s = least(lambda: timed_plan(later, network_of(later, models_of=network)))
    with Spent() as spent:
        _, again_s = timed_plan(later, network_of(later, models_of=network))
    groups = sum(isinstance(r, LoadGroup) for r in task.resources)
    gap_pct = float(result.solver.rsplit("more than ", 1)[1].split(" ")[0])
    figures = [
        Figure(
            name="AC-verified plan, IEEE 123, 96 periods, cold", ours=cold_s, peer=None, unit="s",
            goal="at most 0.8 s", met=cold_s <= 0.8 and _verified(result),
            why=f"{cold_s / 0.8:.2f} times the goal; of a rolling plan: {spent.told(again_s)}",
        ),
        Figure(
            name="the same rolling (models kept, forecast moved by 1 %)", ours=rolling_s, peer=None,
            unit="s", goal="at most 0.1 s", met=rolling_s <= 0.1 and _verified(rolled),
            why=f"{rolling_s / 0.1:.1f} times the goal. Of {again_s:.3f} s: {spent.told(again_s)}."
            f" The AC power flows alone are more than the goal; {NOTHING_CARRIED}",
        ),
        Figure(
            name=f"gap of its on/off runs to the lower bound, 96 periods x {groups} groups",
            ours=gap_pct, peer=None, unit="%", goal="at most 1 %", met=gap_pct <= 1.0,
        ),
    ]  # fmt: skip
    if large:
        feeder = grown(5000)
        fleet = fleet_of(feeder, groups=20, batteries=40, pvs=60)
        task = evening_task(feeder, fleet, count=96, peak_kw=9000.0, limit_kw=7800.0)
        result, cold_s = timed_plan(task, None)
        network = network_of(task)
        timed_plan(task, network)
        rolled, rolling_s = least(lambda: timed_plan(task, network))
        with Spent() as spent:
            _, again_s = timed_plan(task, network)
        figures += [
            Figure(
                name="AC-verified plan, grown 5000 node feeder, 96 periods, cold", ours=cold_s,
                peer=None, unit="s", goal="at most 6 s", met=cold_s <= 6.0 and _verified(result),
                why=f"{cold_s / 6.0:.2f} times the goal; of a rolling plan: {spent.told(again_s)}",
            ),
            Figure(
                name="the same rolling (models kept), 5000 nodes", ours=rolling_s, peer=None,
                unit="s", goal="at most 0.8 s", met=rolling_s <= 0.8 and _verified(rolled),
                why=f"{rolling_s / 0.8:.1f} times the goal. Of {again_s:.3f} s:"
                f" {spent.told(again_s)}; {NOTHING_CARRIED}",
            ),
        ]  # fmt: skip
    return figures


def _verified(result: PlanningResult) -> bool:
    return result.verification is not None and result.verification.ok


def memory(nodes: int) -> Figure:
    """A plan on a grown feeder in a process of its own."""
    code = (
        "import time; from benchmarks.optimizer_cases import *;"
        " from optimizer.plan import plan_task;"
        f" f = grown({nodes}); t = evening_task(f, fleet_of(f, groups=20, batteries=40, pvs=60),"
        " count=96, peak_kw=9000.0, limit_kw=7800.0);"
        " r = plan_task(t, monotonic_s=time.monotonic); assert r.verification.ok, r.reason"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    mib = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    return Figure(
        name=f"greatest memory of a child process, among them a plan on {nodes} nodes, 96 periods",
        ours=mib, peer=None, unit="MiB", goal="at most 1024 MiB", met=mib <= 1024,
    )  # fmt: skip


def measure(quick: bool) -> Sequence[Figure]:
    """All figures; `quick` leaves out the large feeders and shortens the others."""
    figures = [*whole_plans(large=not quick)]
    if not quick:
        figures.append(memory(10_000))
    figures += worker.figures()
    python = peers(install=not quick)
    figures += against_opendss()
    figures += against_full_space(8 if quick else 24)
    figures += against_ipopt(python, 6 if quick else 24)
    figures += against_distopf(python, large=not quick)
    return figures


if __name__ == "__main__":
    main(
        measure,
        about=__doc__ or "",
        packages=("scipy", "numpy", "py-dss-interface"),
        elsewhere=VERSIONS,
    )
