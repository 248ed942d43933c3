"""All feeders and their common limit as one linear programme: what a split is measured against.

Only for cases small enough; `split` reaches the same optimum from the feeders' own programmes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import scipy.sparse as sp

from gridctl.model.planning import PlanningTask
from optimizer.arrays import FloatArray
from optimizer.assemble import Programme
from optimizer.session import LpSession, Matrices, Outcome
from optimizer.solve import LAZY_ROUNDS_MAX
from optimizer.substation.offer import Offerer
from optimizer.substation.split import OVER_PRICE, SplitError


def joint_optimum(
    tasks: Sequence[PlanningTask],
    *,
    limit_kw: FloatArray,
    hours: FloatArray,
    monotonic_s: Callable[[], float],
) -> float:
    """Cost of the best joint change of all imports, with relaxed runs, as `split` counts it.

    Raises SplitError where a feeder has nothing to plan with or HiGHS has no answer.
    """
    offerers = [Offerer(task, monotonic_s=monotonic_s) for task in tasks]
    programmes = [o.programme for o in offerers if o.programme is not None]
    if len(programmes) < len(tasks):
        raise SplitError("a feeder without a programme has no part in a joint one")
    head_kw = np.array([o.head_kw for o in offerers])
    over_price = OVER_PRICE * max(p.dearest for p in programmes) * hours
    session = LpSession()
    for _ in range(LAZY_ROUNDS_MAX):
        parts = [p.matrices() for p in programmes]
        answer = session.solve(
            _together(programmes, parts, limit_kw - head_kw.sum(axis=0), over_price), left_s=600.0
        )
        if answer.outcome is not Outcome.OPTIMAL:
            raise SplitError(f"no joint optimum: HiGHS: {answer.outcome.value}")
        at, added = 0, 0
        for programme, part in zip(programmes, parts, strict=True):
            width = len(part.cost)
            added += programme.add_broken(programme.injection_kw(answer.x[at : at + width]))
            at += width
        if not added:
            return answer.objective
    raise SplitError(f"rows still missing after {LAZY_ROUNDS_MAX} rounds")


def _together(
    programmes: Sequence[Programme],
    parts: Sequence[Matrices],
    room_kw: FloatArray,
    over_price: FloatArray,
) -> Matrices:
    limited = np.flatnonzero(np.isfinite(room_kw))
    heads = [
        sp.csr_array(
            sp.hstack([p.head_rows(), sp.csr_array((len(room_kw), len(m.cost) - p.own_columns))])
        )
        for p, m in zip(programmes, parts, strict=True)
    ]
    own = sp.block_diag([m.a for m in parts], format="csr")
    common = sp.csr_array(sp.hstack(heads, format="csr"))[limited]
    a = sp.block_array([[own, None], [common, -sp.eye_array(len(limited))]], format="csr")
    free = np.full(len(limited), np.inf)
    return Matrices(
        a=sp.csr_array(a),
        row_lower=np.concatenate([*(m.row_lower for m in parts), -free]),
        row_upper=np.concatenate([*(m.row_upper for m in parts), room_kw[limited]]),
        lower=np.concatenate([*(m.lower for m in parts), np.zeros(len(limited))]),
        upper=np.concatenate([*(m.upper for m in parts), free]),
        cost=np.concatenate([*(m.cost for m in parts), over_price[limited]]),
    )
