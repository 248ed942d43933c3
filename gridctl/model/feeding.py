"""Which way a feeder is fed: what the source reaches, and regulators that it reaches from behind.

After a change of switches a line regulator may be fed from the side whose voltage it is meant to
hold. A control that knows nothing of it runs to its last tap: it cannot move the side that is
stiff, and every step takes the other side further off.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterator

from gridctl.model.network import Feeder


def reached_without(
    feeder: Feeder, open_switches: Collection[str] | None = None
) -> Callable[[str], frozenset[str]]:
    """A function that says which nodes the source reaches without the regulators to a node (the
    single-phase ones of a bank stand side by side). `open_switches` by mrid; None: the feeder's
    own."""
    beside: dict[str, list[tuple[str, str]]] = {}
    for one, other, bank in _joined(feeder, open_switches):
        beside.setdefault(one, []).append((other, bank))
        beside.setdefault(other, []).append((one, bank))

    def reached(to_node: str) -> frozenset[str]:
        seen, waiting = {feeder.source.node}, deque([feeder.source.node])
        while waiting:
            for other, bank in beside.get(waiting.popleft(), ()):
                if other not in seen and (not bank or bank != to_node):
                    seen.add(other)
                    waiting.append(other)
        return frozenset(seen)

    return reached


def fed_from_behind(feeder: Feeder, open_switches: Collection[str] | None = None) -> frozenset[str]:
    """Regulators (mrid) with settings for it whose `to_node` the source reaches without them, and
    whose `from_node` it does not. In a loop a regulator has no front and is none of them."""
    reached = reached_without(feeder, open_switches)
    found: set[str] = set()
    for to_node in {r.to_node for r in feeder.regulators if r.reverse is not None}:
        fed = reached(to_node)
        if to_node in fed:
            found |= {
                r.mrid
                for r in feeder.regulators
                if r.to_node == to_node and r.reverse is not None and r.from_node not in fed
            }
    return frozenset(found)


def _joined(
    feeder: Feeder, open_switches: Collection[str] | None
) -> Iterator[tuple[str, str, str]]:
    """Nodes that a branch joins, and the `to_node` of one that is a regulator."""
    for line in feeder.lines:
        yield line.from_node, line.to_node, ""
    for transformer in feeder.transformers:
        yield transformer.from_node, transformer.to_node, ""
    for switch in feeder.switches:
        if not (switch.is_open if open_switches is None else switch.mrid in open_switches):
            yield switch.from_node, switch.to_node, ""
    for equivalent in feeder.equivalents:
        first, *rest = equivalent.nodes()
        yield from ((first, other, "") for other in rest)
    for regulator in feeder.regulators:
        yield regulator.from_node, regulator.to_node, regulator.to_node
