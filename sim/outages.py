"""Who has no supply: what is open, what lies dark behind it, and how it comes back.

After an outage customers draw more than usual: thermostats have lost their diversity and all call
at once (cold-load pickup). Here: up to as much again after long outages, decaying with half an
hour; the shape is textbook, the figures are our own choice.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from math import exp
from typing import Final

import numpy as np
from numpy.typing import NDArray

from gridctl.model.network import (
    ACLineSegment,
    Feeder,
    PowerTransformer,
    Switch,
    VoltageRegulator,
)

HEAD: Final = ""
"""Name of the breaker at the source among what is open."""
_PICKUP_MOST: Final = 1.0
_PICKUP_BUILDS_S: Final = 2_700.0
_PICKUP_DECAYS_S: Final = 1_800.0
_PICKUP_OVER: Final = 1e-3


class Outages:
    """What is open beyond the feeder's own open switches, and the customers that this leaves dark.

    `loads`: the consumer of each load branch, in the order of the demand.
    """

    def __init__(self, feeder: Feeder, loads: tuple[str, ...]) -> None:
        self.feeder = feeder
        self.opened: dict[str, bool] = {}
        """By branch (HEAD: the breaker at the source): whether it leaves an island behind."""
        self._node_of = {c.mrid: c.node for c in feeder.consumers}
        self.load_nodes = np.array([self._node_of[mrid] for mrid in loads])
        self._ways = _ways(feeder)
        self.dark: frozenset[str] = frozenset()
        self.islands: tuple[frozenset[str], ...] = ()
        """Dark parts behind a branch that was opened as an island, each in one piece."""
        self.dark_loads: NDArray[np.bool_] = np.zeros(len(loads), dtype=bool)
        self._out_s = np.zeros(len(loads))
        self._pickup = np.zeros(len(loads))

    @property
    def head_branches(self) -> tuple[str, ...]:
        """The branches at the source: what opens when the head's breaker does."""
        return tuple(self._ways.get(self.feeder.source.node, {}))

    @property
    def branches(self) -> frozenset[str]:
        """Every branch that can be opened."""
        return frozenset(branch for ways in self._ways.values() for branch in ways)

    @property
    def cut(self) -> frozenset[str]:
        """Every branch that is open now, those at the head too."""
        head = self.head_branches if HEAD in self.opened else ()
        return frozenset(self.opened) - {HEAD} | frozenset(head)

    def open(self, branch: str, *, island: bool) -> None:
        """Open a branch (HEAD: the breaker at the source)."""
        self.opened[branch] = island
        self._look()

    def close(self, branch: str) -> None:
        """Close it again."""
        self.opened.pop(branch, None)
        self._look()

    def step(self, dt_s: float) -> NDArray[np.float64] | None:
        """Let `dt_s` pass: by how much each load draws more than usual, None when none does."""
        if not self.dark and not self._pickup.any() and not self._out_s.any():
            return None
        lit = ~self.dark_loads
        back = lit & (self._out_s > 0)
        built = _PICKUP_MOST * (1 - np.exp(-self._out_s / _PICKUP_BUILDS_S))
        self._pickup = np.where(back, np.maximum(built, self._pickup), self._pickup)
        self._out_s = np.where(lit, 0.0, self._out_s + dt_s)
        factor: NDArray[np.float64] = 1.0 + self._pickup
        self._pickup = np.where(lit, self._pickup * exp(-dt_s / _PICKUP_DECAYS_S), 0.0)
        self._pickup[self._pickup < _PICKUP_OVER] = 0.0
        return factor

    def state(self) -> dict[str, object]:
        """What a checkpoint keeps."""
        return {
            "opened": dict(self.opened),
            "out_s": self._out_s.tolist(),
            "pickup": self._pickup.tolist(),
        }

    def restore(self, state: Mapping[str, object]) -> None:
        """Back to `state`."""
        self.opened = dict(state["opened"])  # type: ignore[call-overload]
        self._out_s = np.asarray(state["out_s"], dtype=np.float64)
        self._pickup = np.asarray(state["pickup"], dtype=np.float64)
        self._look()

    def _look(self) -> None:
        cut = self.cut
        source = self.feeder.source.node
        lit = self._reach(source, cut)
        self.dark = frozenset(n.mrid for n in self.feeder.nodes) - lit
        self.dark_loads = np.isin(self.load_nodes, list(self.dark))
        islands = []
        for branch, island in self.opened.items():
            if island:
                ends = {a for a, ways in self._ways.items() if branch in ways}
                islands += [frozenset(self._reach(end, cut)) for end in ends & self.dark]
        self.islands = tuple(dict.fromkeys(islands))

    def _reach(self, start: str, cut: frozenset[str]) -> set[str]:
        seen, waiting = {start}, deque([start])
        while waiting:
            for branch, other in self._ways.get(waiting.popleft(), {}).items():
                if branch not in cut and other not in seen:
                    seen.add(other)
                    waiting.append(other)
        return seen


def _ways(feeder: Feeder) -> dict[str, dict[str, str]]:
    """From each node: branch → node at its other end."""
    found: dict[str, dict[str, str]] = {}
    closed = [s for s in feeder.switches if not s.is_open]
    branches: list[ACLineSegment | Switch | PowerTransformer | VoltageRegulator] = [
        *feeder.lines, *closed, *feeder.transformers, *feeder.regulators,
    ]  # fmt: skip
    for branch in branches:
        found.setdefault(branch.from_node, {})[branch.mrid] = branch.to_node
        found.setdefault(branch.to_node, {})[branch.mrid] = branch.from_node
    return found
