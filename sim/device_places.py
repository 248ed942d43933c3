"""Where batteries and PV of some size can stand on a feeder: behind equipment that carries them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import inf, sqrt
from typing import Final

from gridctl.model.network import (
    NEUTRAL,
    ACLineSegment,
    BranchKind,
    EnergyConsumer,
    EquivalentBranch,
    Feeder,
    PowerTransformer,
    Switch,
    VoltageRegulator,
)

SHARE: Final = 0.4
"""Of what the weakest equipment on the way carries, at most this is one device's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A node, its phases there, and the kW of a device that the way to it carries with ease."""

    node: str
    phases: str
    room_kw: float


def device_places(
    feeder: Feeder, loads: Sequence[EnergyConsumer], kw: float, count: int
) -> list[Place]:
    """`count` places or fewer for devices of `kw`: at the largest loads (three-phase ones first)
    where the way carries that, then along the feeder, then where there is most room."""
    rooms, nodes = rooms_kva(feeder), feeder.node_index()
    ranked = sorted(loads, key=lambda c: (-len(c.phases), -sum(c.kw)))
    at_loads: dict[str, Place] = {}
    for consumer in ranked:
        # On one phase of a three-phase cable there is room for a third of what it carries.
        own = sum(p != NEUTRAL for p in nodes[consumer.node].phases)
        part = min(len(consumer.phases) / own, 1.0) if own else 1.0
        room_kw = SHARE * part * rooms.get(consumer.node, 0.0)
        place = Place(node=consumer.node, phases=consumer.phases, room_kw=room_kw)
        at_loads.setdefault(consumer.node, place)
    found = [p for p in at_loads.values() if p.room_kw >= kw][:count]
    taken = {p.node for p in found}
    line = [
        Place(node=node, phases="ABC", room_kw=SHARE * room)
        for node, room in rooms.items()
        if node not in taken
        and node != feeder.source.node
        and SHARE * room >= kw
        and set("ABC") <= set(nodes[node].phases)
    ]
    missing = count - len(found)
    if line and missing > 0:
        step = max(1, len(line) // missing)
        found += line[step // 2 :: step][:missing]
    if not found:
        found = sorted(at_loads.values(), key=lambda p: -p.room_kw)[:count]
    return found


def rooms_kva(feeder: Feeder) -> dict[str, float]:
    """What the weakest equipment between the source and each node carries, kVA; nodes in the order
    in which they are reached, unreached ones missing. Equipment without a rating carries all."""
    joined: dict[str, list[tuple[str, float]]] = defaultdict(list)
    for one, other, kva in _equipment(feeder):
        joined[one].append((other, kva))
        joined[other].append((one, kva))
    rooms = {feeder.source.node: inf}
    ahead = [feeder.source.node]
    for node in ahead:
        for other, kva in joined[node]:
            if other not in rooms:
                rooms[other] = min(rooms[node], kva)
                ahead.append(other)
    return rooms


def _equipment(feeder: Feeder) -> Iterator[tuple[str, str, float]]:
    nodes = feeder.node_index()
    lines: list[ACLineSegment | Switch] = list(feeder.lines)
    lines += [s for s in feeder.switches if not s.is_open]
    for line in lines:
        kva = inf
        if line.rating_a is not None:
            phases = sum(p != NEUTRAL for p in line.phases)
            kva = line.rating_a * nodes[line.from_node].nominal_kv / sqrt(3.0) * phases
        yield line.from_node, line.to_node, kva
    rated: list[PowerTransformer | VoltageRegulator] = list(feeder.transformers)
    rated += feeder.regulators
    for item in rated:
        yield item.from_node, item.to_node, item.rating_kva
    for branch in feeder.equivalents:
        ends = branch.nodes()
        for end in ends[1:]:
            yield ends[0], end, _equivalent_kva(branch)


def _equivalent_kva(branch: EquivalentBranch) -> float:
    if branch.kind is BranchKind.TRANSFORMER and branch.windings:
        return min(w.kva for w in branch.windings)
    return inf
