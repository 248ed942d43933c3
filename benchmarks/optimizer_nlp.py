"""The same planning problem three ways: our reduced programme with AC corrections, the identical
linear model in full space, and (written out for a peer's process) the exact AC model.

Runs of load groups are relaxed and taps pinned in all three, so that all are continuous problems
with the same variables, costs and limits.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp
from scipy.optimize import linprog

from gridctl.model.planning import PlanningTask
from optimizer.arrays import FloatArray, complex_va, product
from optimizer.assemble import Programme
from optimizer.attempt import agrees
from optimizer.limits import Tiers, limit_bounds
from optimizer.network import FlowResult
from optimizer.plan import network_of
from optimizer.precise import refined
from optimizer.problem import Problem, build_problem
from optimizer.regulated import RegulatedNetwork
from optimizer.sensitivity import control_va, linearised
from optimizer.solve import Effort, Solution, solve_lazily

AC_ROUNDS = 6
_LINPROG: Any = linprog


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Relaxed:
    """Our answer to a task with relaxed runs: objective, seconds without and with building."""

    problem: Problem
    network: RegulatedNetwork
    programme: Programme
    x: FloatArray
    flow: FlowResult
    objective: float
    solve_s: float
    rounds: int


def relaxed_plan(task: PlanningTask, *, corrected: bool) -> Relaxed:
    """Reduced lazy programme; `corrected`: with AC rounds until both models agree."""
    network = network_of(task)
    problem = build_problem(task, network)
    bounds = limit_bounds(problem, network)
    programme = Programme(problem, bounds=bounds, network=network, tiers=Tiers())
    effort = Effort(left_s=lambda: 600.0)
    began_s = time.process_time()
    programme.relax()
    programme.add_broken(programme.channels.nothing())
    solution = solve_lazily(programme, effort)
    flow, rounds = problem.base_flow, 0
    while corrected and rounds < AC_ROUNDS:
        rounds += 1
        u = programme.injection_kw(solution.x)
        said = programme.model.say(u)
        flow = problem.flow(problem.case(_all(problem, programme, u)), network, start=flow)
        if agrees(programme, said, flow):
            break
        programme.shift(u, flow)
        programme.add_broken(u)
        solution = solve_lazily(programme, effort)
    return Relaxed(
        problem=problem,
        network=network,
        programme=programme,
        x=solution.x,
        flow=flow,
        objective=solution.objective,
        solve_s=time.process_time() - began_s,
        rounds=rounds,
    )


def precise_plan(relaxed: Relaxed) -> tuple[float, float, int]:
    """The same answer taken to the optimum of the AC model: objective, seconds beyond those of
    `relaxed`, steps."""
    programme, problem = relaxed.programme, relaxed.problem
    began_s = time.process_time()
    injection = _all(problem, programme, programme.injection_kw(relaxed.x))
    flow = problem.flow(problem.case(injection), relaxed.network, start=relaxed.flow)
    start = Solution(x=relaxed.x, objective=relaxed.objective, row_price=np.zeros(0))
    effort = Effort(left_s=lambda: 600.0)
    best = refined(programme, relaxed.network, effort, start, flow)
    return best.objective, time.process_time() - began_s, best.steps


def _all(problem: Problem, programme: Programme, u: FloatArray) -> FloatArray:
    injection = np.zeros((len(problem.task.resources), problem.grid.count))
    injection[programme.channels.members] = u
    return injection


def full_space(relaxed: Relaxed) -> tuple[float, float, tuple[int, int]]:
    """The linear model of `relaxed` (before corrections) with every voltage as a variable: its
    objective, seconds of HiGHS, and its size. The network enters as what it is, a sparse system:
    change of voltages = H u, written as network * dv = injections, everywhere and always.
    """
    programme, problem = relaxed.programme, relaxed.problem
    matrices = programme.matrices()
    count, own = problem.grid.count, programme.own_columns
    lazy = programme.soft_rows()[2]
    keep = np.r_[0 : lazy.start]
    base = matrices.a[keep][:, : own + 3 * count]
    jacobian, push, magnitude = _linear_network(relaxed)
    dofs = magnitude.shape[1]
    columns = own + 3 * count
    # Member injections of interval t are rows t, T + t, … of the blocks' injection matrix.
    members = len(programme.channels.members)
    pick = sp.csr_array(programme._injection)
    network_rows: list[sp.csr_array] = []
    for t in range(count):
        u_t = pick[np.arange(members) * count + t]
        pushed = sp.csr_array(-(push @ u_t))
        network_rows.append(sp.hstack([pushed, sp.csr_array((dofs, 3 * count))], format="csr"))
    blocks = sp.block_diag([jacobian] * count, format="csr")
    network = sp.hstack([sp.vstack(network_rows, "csr"), blocks], "csr")
    live = np.flatnonzero(relaxed.network.energised)
    low = 100.0 * (programme.bounds.v_low_pu - programme.model.offsets.v_pu)[live]
    high = 100.0 * (programme.bounds.v_high_pu - programme.model.offsets.v_pu)[live]
    see = 100.0 * magnitude[live]
    rows = len(live) * count
    slack = sp.eye_array(rows, format="csr")
    voltage = sp.block_diag([see] * count, format="csr")
    voltage_rows = [
        sp.hstack([sp.csr_array((rows, columns)), voltage, -slack, 0 * slack], "csr"),
        sp.hstack([sp.csr_array((rows, columns)), -voltage, 0 * slack, -slack], "csr"),
    ]
    wide = columns + dofs * count + 2 * rows
    a_base = sp.hstack([base, sp.csr_array((base.shape[0], wide - columns))], "csr")
    network = sp.hstack([network, sp.csr_array((dofs * count, 2 * rows))], "csr")
    hours = np.repeat(problem.grid.hours, len(live))
    price = programme._unit * programme.tiers.voltage_pct_pu * hours
    lower, upper = matrices.row_lower[keep], matrices.row_upper[keep]
    equal, above, below = lower == upper, np.isfinite(upper), np.isfinite(lower)
    began_s = time.process_time()
    answer = _LINPROG(
        np.concatenate([matrices.cost[:columns], np.zeros(dofs * count), price, price]),
        A_ub=sp.vstack(
            [a_base[above & ~equal], -a_base[below & ~equal], *voltage_rows], format="csr"
        ),
        b_ub=np.concatenate(
            [upper[above & ~equal], -lower[below & ~equal], high.T.ravel(), -low.T.ravel()]
        ),
        A_eq=sp.vstack([a_base[equal], network], format="csr"),
        b_eq=np.concatenate([upper[equal], np.zeros(dofs * count)]),
        bounds=np.vstack(
            [
                np.column_stack([matrices.lower[:columns], matrices.upper[:columns]]),
                np.tile([-np.inf, np.inf], (dofs * count, 1)),
                np.tile([0.0, np.inf], (2 * rows, 1)),
            ]
        ),
        method="highs",
    )
    seconds = time.process_time() - began_s
    return float(answer.fun), seconds, (a_base.shape[0] + network.shape[0] + 2 * rows, wide)


def _linear_network(relaxed: Relaxed) -> tuple[sp.csr_array, FloatArray, sp.csr_array]:
    """(Jacobian of the peak interval in real form, what a kW of each member pushes into it,
    magnitudes in pu of its solution): H = magnitudes @ Jacobian^-1 @ push, as the reduced model."""
    problem, network = relaxed.problem, relaxed.network
    peak = int(np.argmax(problem.head_kw))
    flow = problem.base_flow
    model = network.models.at(flow.positions[:, peak])
    injected = complex_va(flow.injection_kw[:, peak], flow.injection_kvar[:, peak])
    linear = linearised(
        model.system,
        model.elements,
        root_v=flow.v_complex[model._root_rows, peak],
        scale=np.full(len(model.elements.va), float(flow.load_scale[peak])),
        injection_va=injected,
    )
    columns = [problem.columns[i] for i in relaxed.programme.channels.members]
    per_kw = control_va(columns, len(network.node_phases)).toarray()
    volt = flow.v_complex[:, peak]
    amps = np.zeros(per_kw.shape, dtype=np.complex128)
    live = np.abs(volt) > 0.0
    amps[live] = np.conj(per_kw[live] / volt[live, None])
    push = product(model.system.gather, amps)
    turn = np.conj(volt) / np.where(live, np.abs(volt), 1.0) / (network.now.base_kv * 1e3)
    spread = model.system.spread
    along = sp.diags_array(turn) @ spread
    magnitude = sp.csr_array(sp.hstack([along.real, -along.imag]))
    return sp.csr_array(linear.jacobian), np.vstack([push.real, push.imag]), magnitude


def write_exact(relaxed: Relaxed, path: Path) -> None:
    """The exact AC problem of `relaxed` for `benchmarks/optimizer_peers.py ipopt`."""
    problem, programme, network = relaxed.problem, relaxed.programme, relaxed.network
    model = network.models.at(network.start)
    system, elements = model.system, model.elements
    task, count = problem.task, problem.grid.count
    columns = [problem.columns[i] for i in programme.channels.members]
    shares = control_va(columns, len(network.node_phases)).toarray() / 1e3
    matrices, own = programme.matrices(), programme.own_columns
    rules = matrices.a[: programme.soft_rows()[0].start][:, : own + 3 * count]
    # The import's slack is the peer's own; charging beyond comfort stays a column of ours.
    kept = np.r_[0:own, own + 2 * count : own + 3 * count]
    rules = sp.csr_array(rules[:, kept])
    injection = sp.hstack(
        [programme._injection, sp.csr_array((programme._injection.shape[0], count))], "csr"
    )
    active = np.flatnonzero(
        np.abs(shares).sum(axis=1) + np.abs(problem.base.injection_kw).sum(axis=1)
    )
    sparse: dict[str, Any] = {}
    for name, matrix in (
        ("y", system.y),
        ("spread", system.spread),
        ("across", elements.across),
        ("y_source_rows", system.y_passive[system.source]),
        ("rules", rules),
        ("injection", injection),
    ):
        m = sp.csc_array(matrix)
        m.sort_indices()
        sparse |= {
            f"{name}_data": m.data, f"{name}_indices": m.indices,
            f"{name}_indptr": m.indptr, f"{name}_shape": np.array(m.shape),
        }  # fmt: skip
    soft = programme.soft_rows()[0].start
    roots = relaxed.flow.v_complex[model._root_rows]
    np.savez(
        path, **sparse, count=count, cost=matrices.cost[kept], lower=matrices.lower[kept],
        upper=matrices.upper[kept], rules_lower=matrices.row_lower[:soft],
        rules_upper=matrices.row_upper[:soft], standing_kw=programme._standing_kw.ravel(),
        shares_kw=shares.real, shares_kvar=shares.imag, base_kw=problem.base.injection_kw,
        base_kvar=problem.base.injection_kvar, load_scale=problem.base.load_scale,
        load_p=elements.va.real, load_q=elements.va.imag, nominal_v=elements.nominal_v,
        exponent=elements.exponent, emf_re=system.emf_a.real, emf_im=system.emf_a.imag,
        source=system.source, base_v=network.now.base_kv * 1e3, active=active,
        watched=np.flatnonzero(network.energised), v_min=task.limits.voltage_min_pu,
        v_max=task.limits.voltage_max_pu, limit_kw=task.limits.head_import_kw,
        slack_price=float(matrices.cost[own]), amps_unit=float(np.abs(system.emf_a).max() * 1e-3),
        start_v=np.vstack([roots.real, roots.imag]), start_u=relaxed.x[kept],
    )  # fmt: skip
