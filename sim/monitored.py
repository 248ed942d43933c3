"""Where an unknown feeder is metered: the head, what regulates, and the far ends."""

from __future__ import annotations

from collections import deque
from typing import Final

from gridctl.model.network import PHASES, Feeder

_NODES_MAX: Final = 30
Ways = dict[str, list[str]]


def ways(feeder: Feeder) -> Ways:
    """Neighbours of each node over everything but open switches."""
    found: Ways = {}
    pairs = [
        (branch.from_node, branch.to_node)
        for table in (feeder.lines, feeder.transformers, feeder.regulators)
        for branch in table
    ]
    pairs += [(s.from_node, s.to_node) for s in feeder.switches if not s.is_open]
    for equivalent in feeder.equivalents:
        first, *rest = equivalent.nodes()
        pairs += [(first, other) for other in rest]
    for a, b in pairs:
        found.setdefault(a, []).append(b)
        found.setdefault(b, []).append(a)
    return found


def by_distance(feeder: Feeder) -> dict[str, int]:
    """Steps from the source to every node that is connected, nearest first."""
    beside = ways(feeder)
    depth = {feeder.source.node: 0}
    queue = deque([feeder.source.node])
    while queue:
        here = queue.popleft()
        for there in beside.get(here, ()):
            if there not in depth:
                depth[there] = depth[here] + 1
                queue.append(there)
    return depth


def monitored(feeder: Feeder) -> tuple[tuple[str, str], ...]:
    """(node, phases) of at most thirty meters: the source, both sides of every regulator, the
    capacitors, then the ends of the feeder that lie furthest out and the largest loads in turn."""
    nodes, depth, beside = feeder.node_index(), by_distance(feeder), ways(feeder)
    chosen = [feeder.source.node]
    chosen += [n for r in feeder.regulators for n in (r.from_node, r.to_node)]
    chosen += [c.node for c in feeder.capacitors]
    ends = [n for n in depth if len(set(beside.get(n, ()))) == 1]
    ends.sort(key=lambda n: -depth[n])
    loads = [c.node for c in sorted(feeder.consumers, key=lambda c: -sum(c.kw))]
    for end, load in zip(ends, loads, strict=False):
        chosen += [end, load]
    found: dict[str, str] = {}
    for name in chosen:
        phases = "".join(p for p in nodes[name].phases if p in PHASES)
        if name in depth and phases:
            found.setdefault(name, phases)
        if len(found) == _NODES_MAX:
            break
    return tuple(found.items())
