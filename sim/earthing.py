"""Which nodes of a feeder have no path to earth."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Final

import numpy as np

from gridctl.model.network import BranchKind, Connection, EquivalentBranch, Feeder
from gridctl.model.neutral import LIVE, loose_terminals

_NOTHING: Final = 1e-3
"""What draws less than this share of its own admittance when it is lifted is not held to earth."""


def floating_nodes(feeder: Feeder) -> frozenset[str]:
    """Nodes without a path to earth: a device there is connected between phases.

    Earth is at the source, at wye windings and wye capacitors, and where an equivalent branch has a
    way to it; lines, switches and regulators pass it on, transformers do not. A star that faces one
    whose neutral goes nowhere has none either.
    """
    loose = {node for node, phase in drifting_terminals(feeder) if phase in LIVE}
    return _behind_deltas(feeder) | loose


def drifting_terminals(feeder: Feeder) -> frozenset[tuple[str, str]]:
    """(node, phase) that float because neutrals go nowhere, those neutrals among them."""
    return loose_terminals(
        feeder,
        closed_capacitors={bank.mrid for bank in feeder.capacitors},
        open_switches={switch.mrid for switch in feeder.switches if switch.is_open},
    )


def _behind_deltas(feeder: Feeder) -> frozenset[str]:
    joined: dict[str, set[str]] = defaultdict(set)
    for one, other in _conducting(feeder):
        joined[one].add(other)
        joined[other].add(one)
    reached = set(_earthed(feeder))
    ahead = list(reached)
    while ahead:
        for node in joined[ahead.pop()] - reached:
            reached.add(node)
            ahead.append(node)
    return frozenset(n.mrid for n in feeder.nodes) - reached


def _conducting(feeder: Feeder) -> Iterator[tuple[str, str]]:
    for passing in (feeder.lines, feeder.switches, feeder.regulators):
        for branch in passing:
            yield branch.from_node, branch.to_node
    for equivalent in feeder.equivalents:
        if equivalent.kind is not BranchKind.TRANSFORMER:
            first, *others = equivalent.nodes()
            for node in others:
                yield first, node


def _earthed(feeder: Feeder) -> Iterator[str]:
    yield feeder.source.node
    for transformer in feeder.transformers:
        if transformer.from_connection is Connection.WYE:
            yield transformer.from_node
        if transformer.to_connection is Connection.WYE:
            yield transformer.to_node
    for bank in feeder.capacitors:
        if bank.connection is Connection.WYE:
            yield bank.node
    for equivalent in feeder.equivalents:
        yield from _held(equivalent)


def _held(branch: EquivalentBranch) -> set[str]:
    """Nodes of a branch that draw a current when all their phases are lifted together."""
    block = np.array(branch.g_s, dtype=float) + 1j * np.array(branch.b_s, dtype=float)
    place = [node for node, _ in branch.terminals]
    is_transformer = branch.kind is BranchKind.TRANSFORMER
    side = np.array([[a == b or not is_transformer for b in place] for a in place])
    lifted = np.abs((block * side).sum(axis=1))
    own = np.abs(np.diag(block))
    return {place[k] for k in np.flatnonzero(lifted > _NOTHING * own)}
