"""Which node-phases hang at the source, and which of them have a path to earth."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import scipy.sparse as sp
from scipy.sparse.csgraph import connected_components

from gridctl.model.network import (
    BranchKind,
    Connection,
    EquivalentBranch,
    Feeder,
)
from gridctl.model.neutral import loose_terminals
from optimizer.arrays import BoolArray, IntArray
from optimizer.ties import PhaseIndex

EARTHED_SHARE = 1e-3
"""An equivalent branch whose side takes more than this share of its own admittance when the side is
lifted as a whole has a path to earth; what holds a delta side is a thousand times less."""


def equivalent_rows(item: EquivalentBranch, index: PhaseIndex) -> list[int]:
    """Rows of the terminals of an equivalent branch."""
    return [index.rows(node, phase, item.mrid)[0] for node, phase in item.terminals]


def energised_of(y: sp.csr_array, root_of: IntArray, source_roots: IntArray) -> BoolArray:
    """(n,) whether a path of equipment leads to the source."""
    entries = y.tocoo()
    count = int(root_of.max()) + 1
    pattern = sp.coo_array(
        (np.ones(entries.nnz), (root_of[entries.row], root_of[entries.col])), shape=(count, count)
    )
    _, label = connected_components(pattern, directed=False)
    live = np.isin(label, label[source_roots])
    result: BoolArray = live[root_of]
    return result


def earthed(
    feeder: Feeder, index: PhaseIndex, root_of: IntArray, source_roots: IntArray
) -> tuple[BoolArray, BoolArray]:
    """(n,) whether conductors lead to the source, a wye winding or a wye capacitor; and whether
    they lead neither there nor to any winding: behind an open pole, where nothing but the
    conductors beside it moves their voltage."""
    earth = list(source_roots.tolist())
    wound: list[int] = []
    lines = feeder.lines
    near = [row for one in lines for row in index.rows(one.from_node, one.phases, one.mrid)]
    far = [row for one in lines for row in index.rows(one.to_node, one.phases, one.mrid)]
    pairs: list[tuple[int, int]] = []
    for item in feeder.transformers:
        for node, connection in (
            (item.from_node, item.from_connection),
            (item.to_node, item.to_connection),
        ):
            rows = root_of[index.rows(node, item.phases, item.mrid)].tolist()
            wound += rows
            if connection is Connection.WYE:
                earth += rows
    for bank in feeder.capacitors:
        if bank.connection is Connection.WYE:
            earth += root_of[index.rows(bank.node, bank.phases, bank.mrid)].tolist()
    for branch in feeder.equivalents:
        joined, held = _galvanic(branch)
        here = root_of[equivalent_rows(branch, index)].tolist()
        wound += here
        pairs += [(here[a], here[b]) for a, b in joined]
        earth += [here[k] for k in held]
    count = int(root_of.max()) + 1
    ends = np.array([*pairs, (0, 0)], dtype=np.intp).T
    ends = np.hstack([ends, root_of[np.array([near, far], dtype=np.intp)]])
    pattern = sp.coo_array((np.ones(ends.shape[1]), (ends[0], ends[1])), shape=(count, count))
    _, label = connected_components(pattern, directed=False)
    at_earth: BoolArray = np.isin(label, label[earth])[root_of]
    led: BoolArray = at_earth | np.isin(label, label[wound])[root_of]
    return at_earth, ~led


def loose(
    feeder: Feeder,
    index: PhaseIndex,
    closed_capacitors: Collection[str],
    open_switches: Collection[str] | None,
) -> BoolArray:
    """(n,) whether a neutral that goes nowhere leaves it without earth."""
    if open_switches is None:
        open_switches = [s.mrid for s in feeder.switches if s.is_open]
    away = loose_terminals(feeder, closed_capacitors=closed_capacitors, open_switches=open_switches)
    return np.array([place in away for place in index.pairs], dtype=np.bool_)


def _galvanic(item: EquivalentBranch) -> tuple[list[tuple[int, int]], list[int]]:
    """Terminals of an equivalent branch that conduct to one another, and those held to earth.

    A transformer's windings conduct within a node only. A node's side is held when lifting it as a
    whole draws a current; so is a delta facing nothing but its own terminals not.
    """
    block = np.array(item.g_s, dtype=float) + 1j * np.array(item.b_s, dtype=float)
    place = [node for node, _ in item.terminals]
    side = np.array([[a == b for b in place] for a in place])
    if item.kind is not BranchKind.TRANSFORMER:
        side[:] = True
    size = np.abs(block)
    joined = [
        (a, b)
        for a in range(len(place))
        for b in range(a + 1, len(place))
        if side[a, b] and size[a, b] > EARTHED_SHARE * min(size[a, a], size[b, b])
    ]
    lifted = np.abs((block * side).sum(axis=1))
    held = [k for k in range(len(place)) if lifted[k] > EARTHED_SHARE * size[k, k]]
    return joined, held
