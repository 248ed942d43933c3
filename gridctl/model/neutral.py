"""Neutrals that go nowhere, and what they leave without earth.

A star whose neutral is connected to nothing carries no current to earth, and neither does the star
that faces it, whatever its own neutral is tied to: as a whole, both float. What an engine reports
there against earth is rounding, divided by next to nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator
from typing import Final, TypeAlias

from gridctl.model.network import HIGH_LEG, BranchKind, Connection, EquivalentBranch, Feeder

Terminal: TypeAlias = tuple[str, str]
LIVE: Final = frozenset("ABC12") | {HIGH_LEG}
_HELD: Final = 1e-5
"""What is lifted and draws less than this share of its own admittance is not held to earth: a
magnetising current holds (some 1e-4 of a leakage), what an engine adds against floating does not
(1e-7)."""


def loose_terminals(
    feeder: Feeder,
    *,
    closed_capacitors: Collection[str],
    open_switches: Collection[str],
) -> frozenset[Terminal]:
    """Every (node, phase) that floats, all phases of a node alike, where neutrals of transformers
    go nowhere. Empty for a feeder whose transformers have no neutral of their own.

    Loads to earth count as a way to earth: they draw what a floating star cannot bring, and a
    power flow finds where that leaves them.
    """
    if not any(_has_neutral(branch) for branch in feeder.equivalents):
        return frozenset()
    groups = _Groups()
    for one, other in _conducting(feeder, open_switches):
        groups.join(one, other)
    earthed = {groups.of(place) for place in _earthed(feeder, closed_capacitors)}
    drawn: dict[str, dict[str, complex]] = defaultdict(lambda: defaultdict(complex))
    own: dict[str, float] = defaultdict(float)
    for branch in feeder.equivalents:
        at = [groups.of(_place(*terminal)) for terminal in branch.terminals]
        for i, row in enumerate(at):
            if row in earthed:
                continue
            own[row] += abs(complex(branch.g_s[i][i], branch.b_s[i][i]))
            for j, column in enumerate(at):
                if column not in earthed:
                    drawn[row][column] += complex(branch.g_s[i][j], branch.b_s[i][j])
    floating = {group for block in _blocks(drawn) for group in _free(block, drawn, own)}
    return frozenset(
        (node.mrid, phase)
        for node in feeder.nodes
        for phase in node.phases
        if groups.of(_place(node.mrid, phase)) in floating
    )


def _has_neutral(branch: EquivalentBranch) -> bool:
    return branch.kind is BranchKind.TRANSFORMER and any(
        phase not in LIVE for _, phase in branch.terminals
    )


def _place(node: str, phase: str) -> str:
    """The phases of a node are lifted together, a neutral by itself."""
    return node if phase in LIVE else f"{node}\n{phase}"


class _Groups:
    """Places that conductors join."""

    def __init__(self) -> None:
        self._above: dict[str, str] = {}

    def of(self, place: str) -> str:
        top = place
        while (above := self._above.get(top, top)) != top:
            top = above
        while (above := self._above.get(place, place)) != top:
            self._above[place], place = top, above
        return top

    def join(self, one: str, other: str) -> None:
        self._above[self.of(one)] = self.of(other)


def _conducting(feeder: Feeder, open_switches: Collection[str]) -> Iterator[tuple[str, str]]:
    closed = [s for s in feeder.switches if s.mrid not in open_switches]
    for passing in (feeder.lines, closed, feeder.regulators):
        for branch in passing:
            for phase in branch.phases:
                yield _place(branch.from_node, phase), _place(branch.to_node, phase)
    for consumer in feeder.consumers:
        if consumer.neutral:
            yield _place(consumer.node, consumer.neutral), consumer.node


def _earthed(feeder: Feeder, closed_capacitors: Collection[str]) -> Iterator[str]:
    yield feeder.source.node
    for transformer in feeder.transformers:
        if transformer.from_connection is Connection.WYE:
            yield transformer.from_node
        if transformer.to_connection is Connection.WYE:
            yield transformer.to_node
    for bank in feeder.capacitors:
        if bank.connection is Connection.WYE and bank.mrid in closed_capacitors:
            yield bank.node
    for consumer in feeder.consumers:
        if consumer.connection is Connection.WYE and not consumer.neutral:
            yield consumer.node


def _blocks(drawn: dict[str, dict[str, complex]]) -> Iterator[list[str]]:
    """Groups that one another's lifting moves."""
    seen: set[str] = set()
    for start in drawn:
        if start in seen:
            continue
        seen.add(start)
        block = [start]
        for group in block:
            ahead = [other for other in drawn[group] if other not in seen]
            seen.update(ahead)
            block += ahead
        yield block


def _free(
    block: list[str], drawn: dict[str, dict[str, complex]], own: dict[str, float]
) -> list[str]:
    """The groups of a block that can be lifted, alone or together, and draw nothing."""
    scale = [max(own[group], 1e-300) ** 0.5 for group in block]
    matrix = [
        [drawn[a].get(b, 0j) / (scale[i] * scale[j]) for j, b in enumerate(block)]
        for i, a in enumerate(block)
    ]
    left, done = list(range(len(block))), []
    while left:
        pivot = max(left, key=lambda k: abs(matrix[k][k]))
        if abs(matrix[pivot][pivot]) < _HELD:
            break
        left.remove(pivot)
        done.append(pivot)
        row = [value / matrix[pivot][pivot] for value in matrix[pivot]]
        matrix[pivot] = row
        for k in range(len(block)):
            if k != pivot and matrix[k][pivot]:
                share = matrix[k][pivot]
                matrix[k] = [a - share * b for a, b in zip(matrix[k], row, strict=True)]
    following = [k for k in done if any(abs(matrix[k][free]) > _HELD for free in left)]
    return [block[k] for k in (*left, *following)]
