"""Strict order among load groups: those of a higher priority stay shut while others are enough.

Prices alone do not keep an order (a kW at the right place may be worth many elsewhere), so classes
are opened one after another, and only while limits or targets are still missed.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from gridctl.model.resource import LoadGroup
from optimizer.assemble import Programme
from optimizer.block import Block

LATER_COST_FACTOR = 10.0
"""In a stage that opens a class its kWh cost so much more, so that the earlier classes go first."""


class Order:
    """The classes of a programme, all but the first shut at the beginning."""

    def __init__(self, programme: Programme) -> None:
        self._programme = programme
        self._open: dict[int, list[tuple[int, Block]]] = {}
        if not programme.problem.task.policy.strict_priority:
            return
        groups = {r.mrid: r for r in programme.problem.task.resources if isinstance(r, LoadGroup)}
        first = min((g.priority for g in groups.values()), default=0)
        for index, block in enumerate(programme.blocks):
            group = groups.get(block.resource)
            if group is None or group.priority == first or block.runs is None:
                continue
            if block.runs.is_bound or block.runs.calls:
                continue
            self._open.setdefault(group.priority, []).append((index, _dearer(block)))
            programme.blocks[index] = shut(block)

    def open_next(self) -> bool:
        """Open the next class; False when all are open."""
        if not self._open:
            return False
        for index, block in self._open.pop(min(self._open)):
            self._programme.blocks[index] = block
        return True


def _dearer(block: Block) -> Block:
    return replace(block, cost=block.cost * LATER_COST_FACTOR)


def shut(block: Block) -> Block:
    """The block, which has no run on now, with none that starts, not even an announced one."""
    if block.runs is None:
        return block
    lower, upper = block.lower.copy(), block.upper.copy()
    lower[block.runs.on] = upper[block.runs.on] = upper[block.runs.start] = 0.0
    rules = block.runs.rules
    never = np.zeros_like(rules.may_start)
    rules = replace(rules, may_start=never, must=np.zeros_like(rules.must))
    return replace(block, lower=lower, upper=upper, runs=replace(block.runs, rules=rules))


def is_shut(block: Block) -> bool:
    """Whether no run of the block may start."""
    return block.runs is not None and not block.runs.rules.may_start.any()
