"""The peers of the optimizer, run by the interpreter of their own environment.

    PEERS/bin/python benchmarks/optimizer_peers.py distopf [--large]
    PEERS/bin/python benchmarks/optimizer_peers.py ipopt PROBLEM.npz

Prints one JSON object. Imports nothing of ours, so that only the peer is measured. Needs nothing
but distopf and CasADi (which brings IPOPT).
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import time
from importlib.metadata import version
from typing import Any


def distopf(*, large: bool) -> dict[str, Any]:
    """Sweep and build times on the cases that distopf ships."""
    import distopf as d  # noqa: PLC0415
    from distopf import CASES_DIR, create_case  # noqa: PLC0415
    from distopf.matrix_models.matrix_bess import LinDistMP  # noqa: PLC0415

    found: dict[str, Any] = {"versions": {"distopf": version("distopf")}}
    cases = CASES_DIR / "csv"
    case = create_case(cases / "ieee123_30der")
    d.fbs_solve(case)
    began_s = time.process_time()
    d.fbs_solve(case)
    found["sweep_s"] = time.process_time() - began_s
    began_s = time.process_time()
    _single(d, case)
    found["single_build_s"] = time.process_time() - began_s
    horizon = create_case(cases / "ieee123_30der_bat", n_steps=24)
    began_s = time.process_time()
    LinDistMP(case=horizon)
    found["horizon_build_s"] = time.process_time() - began_s
    found["cases"] = str(cases)
    if large:
        network = create_case(cases / "9500-primary-network")
        began_s = time.process_time()
        _single(d, network)
        found["large_build_s"] = time.process_time() - began_s
    return found


def _single(d: Any, case: Any) -> Any:
    return d.LinDistModel(
        branch_data=case.branch_data,
        bus_data=case.bus_data,
        gen_data=case.gen_data,
        cap_data=case.cap_data,
        reg_data=case.reg_data,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="peers of the optimizer")
    parser.add_argument("peer", choices=("distopf", "ipopt"))
    parser.add_argument("problem", nargs="?")
    parser.add_argument("--large", action="store_true")
    given = parser.parse_args()
    with contextlib.redirect_stdout(sys.stderr):
        found = distopf(large=given.large) if given.peer == "distopf" else ipopt(given.problem)
    print(json.dumps(found))


def ipopt(path: str) -> dict[str, Any]:  # noqa: PLR0915 - one problem, written down once
    """The exact AC optimum of a problem that `benchmarks.optimizer_nlp` wrote."""
    import casadi as ca  # noqa: PLC0415
    import numpy as np  # noqa: PLC0415
    import scipy.sparse as sp  # noqa: PLC0415

    p = np.load(path)

    def matrix(name: str) -> Any:
        return sp.csc_matrix(
            (p[name + "_data"], p[name + "_indices"], p[name + "_indptr"]), shape=p[name + "_shape"]
        )

    def dm(m: Any) -> Any:
        m = sp.csc_matrix(m)
        m.sort_indices()
        return ca.DM(ca.Sparsity(*m.shape, m.indptr.tolist(), m.indices.tolist()), m.data.tolist())

    began_s = time.process_time()
    y, spread, across = matrix("y"), matrix("spread"), matrix("across")
    gather, back = dm(spread.T), dm(across.T)
    count, m = int(p["count"]), y.shape[0]
    g, b = dm(y.real), dm(y.imag)
    to_nodes, to_elements = dm(spread), dm(across @ spread)
    x = ca.SX.sym("x", 2 * m)
    v_re, v_im = x[:m], x[m:]
    n_re, n_im = to_nodes @ v_re, to_nodes @ v_im
    e_re, e_im = to_elements @ v_re, to_elements @ v_im
    p_inj, q_inj = ca.SX.sym("p", spread.shape[0]), ca.SX.sym("q", spread.shape[0])
    scale = ca.SX.sym("scale")
    # Injections only where there may be any: elsewhere the current is zero, not 0/0.
    active = p["active"]
    i_re, i_im = ca.SX.zeros(spread.shape[0]), ca.SX.zeros(spread.shape[0])
    for k in active.tolist():
        square = n_re[k] ** 2 + n_im[k] ** 2
        i_re[k] = (p_inj[k] * n_re[k] + q_inj[k] * n_im[k]) / square
        i_im[k] = (p_inj[k] * n_im[k] - q_inj[k] * n_re[k]) / square
    e_square = e_re**2 + e_im**2
    follow = (ca.sqrt(e_square) / p["nominal_v"]) ** p["exponent"]
    d_re, d_im = p["load_p"] * scale * follow, p["load_q"] * scale * follow
    drawn_re = (d_re * e_re + d_im * e_im) / e_square
    drawn_im = (d_re * e_im - d_im * e_re) / e_square
    a_re = gather @ (i_re - back @ drawn_re) + p["emf_re"]
    a_im = gather @ (i_im - back @ drawn_im) + p["emf_im"]
    balance = ca.vertcat(g @ v_re - b @ v_im - a_re, g @ v_im + b @ v_re - a_im) / p["amps_unit"]
    yp = matrix("y_source_rows")
    leaving_re = dm(yp.real) @ v_re - dm(yp.imag) @ v_im
    leaving_im = dm(yp.real) @ v_im + dm(yp.imag) @ v_re
    source = p["source"]
    node_re, node_im = i_re - back @ drawn_re, i_im - back @ drawn_im
    head_re = leaving_re - (gather @ node_re)[source]
    head_im = leaving_im - (gather @ node_im)[source]
    head_kw = ca.dot(v_re[source], head_re) + ca.dot(v_im[source], head_im)
    square_pu = (n_re**2 + n_im**2)[p["watched"]] / p["base_v"][p["watched"]] ** 2
    step = ca.Function("step", [x, p_inj, q_inj, scale], [balance, head_kw / 1e3, square_pu])

    v = ca.MX.sym("v", 2 * m, count)
    u = ca.MX.sym("u", p["cost"].size)
    slack = ca.MX.sym("slack", count)
    injected = ca.reshape(dm(matrix("injection")) @ u + p["standing_kw"], count, -1).T
    kw = dm(p["shares_kw"]) @ injected + p["base_kw"]
    kvar = dm(p["shares_kvar"]) @ injected + p["base_kvar"]
    balance, head, squares = step.map(count)(v, kw * 1e3, kvar * 1e3, ca.DM(p["load_scale"]).T)
    rules = dm(matrix("rules")) @ u
    constraints = [ca.vec(balance), head.T - slack, ca.vec(squares), rules]
    rows = [2 * m * count, count, squares.numel(), p["rules_lower"].size]
    lower = np.concatenate(
        [
            np.zeros(rows[0]),
            np.full(count, -np.inf),
            np.full(rows[2], float(p["v_min"]) ** 2),
            p["rules_lower"],
        ]
    )
    upper = np.concatenate(
        [
            np.zeros(rows[0]),
            np.full(count, float(p["limit_kw"])),
            np.full(rows[2], float(p["v_max"]) ** 2),
            p["rules_upper"],
        ]
    )
    objective = ca.dot(p["cost"], u) + float(p["slack_price"]) * ca.sum1(slack)
    z = ca.vertcat(ca.vec(v), u, slack)
    solver = ca.nlpsol(
        "nlp",
        "ipopt",
        {"x": z, "f": objective, "g": ca.vertcat(*constraints)},
        {"ipopt": {"print_level": 0, "tol": 1e-7, "max_iter": 500}, "print_time": False},
    )
    built_s = time.process_time() - began_s
    start = np.concatenate([p["start_v"].T.ravel(), p["start_u"], np.zeros(count)])
    low = np.concatenate([np.full(2 * m * count, -np.inf), p["lower"], np.zeros(count)])
    high = np.concatenate([np.full(2 * m * count, np.inf), p["upper"], np.full(count, np.inf)])
    began_s = time.process_time()
    answer = solver(x0=start, lbx=low, ubx=high, lbg=lower, ubg=upper)
    solved_s = time.process_time() - began_s
    return {
        "versions": {"casadi": version("casadi")},
        "build_s": built_s,
        "solve_s": solved_s,
        "objective": float(answer["f"]),
        "status": solver.stats()["return_status"],
        "variables": int(z.numel()),
        "slack_kw": float(np.array(answer["x"])[-count:].sum()),
    }


if __name__ == "__main__":
    main()
