"""Elements without impedance: closed switches and ideal step regulators.

A tie fixes V_to = ratio * V_from. Ties form a forest over the node-phases; each tree has one root,
whose voltage is the only unknown of the tree.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from gridctl.model.network import Feeder
from optimizer.arrays import FloatArray, IntArray


class PhaseIndex:
    """Row of each (node, phase)."""

    def __init__(self, feeder: Feeder) -> None:
        self.pairs = tuple((node.mrid, phase) for node in feeder.nodes for phase in node.phases)
        self._rows = {pair: i for i, pair in enumerate(self.pairs)}
        if len(self._rows) != len(self.pairs):
            raise ValueError(f"feeder {feeder.mrid}: a node, or a phase of a node, is named twice")
        self.base_v = np.array(
            [node.nominal_kv * 1e3 / math.sqrt(3.0) for node in feeder.nodes for _ in node.phases]
        )

    def row(self, node: str, phase: str) -> int:
        """KeyError when the feeder has no such node-phase."""
        return self._rows[node, phase]

    def rows(self, node: str, phases: str, owner: str) -> list[int]:
        """Rows of `phases` at `node`; ValueError naming `owner` when one is missing."""
        try:
            return [self._rows[node, phase] for phase in phases]
        except KeyError as missing:
            raise ValueError(f"{owner}: the feeder has no node-phase {missing.args[0]}") from None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tie:
    """An element without impedance between two node-phases: V_to = ratio * V_from."""

    branch: str
    rating_a: float | None
    from_index: int
    to_index: int
    ratio: float


def feeder_ties(
    feeder: Feeder,
    index: PhaseIndex,
    *,
    taps: Mapping[str, tuple[int, ...]] | None,
    open_switches: Collection[str] | None,
) -> list[Tie]:
    """All closed switches and regulators, phase by phase."""
    return [*_switch_ties(feeder, index, open_switches), *_regulator_ties(feeder, index, taps)]


def _switch_ties(
    feeder: Feeder, index: PhaseIndex, open_switches: Collection[str] | None
) -> list[Tie]:
    ties: list[Tie] = []
    for switch in feeder.switches:
        near = index.rows(switch.from_node, switch.phases, switch.mrid)
        far = index.rows(switch.to_node, switch.phases, switch.mrid)
        is_open = switch.is_open if open_switches is None else switch.mrid in open_switches
        if not is_open:
            ties += [
                Tie(
                    branch=switch.mrid,
                    rating_a=switch.rating_a,
                    from_index=a,
                    to_index=b,
                    ratio=1.0,
                )
                for a, b in zip(near, far, strict=True)
            ]
    return ties


def _regulator_ties(
    feeder: Feeder, index: PhaseIndex, taps: Mapping[str, tuple[int, ...]] | None
) -> list[Tie]:
    ties: list[Tie] = []
    for item in feeder.regulators:
        near = index.rows(item.from_node, item.phases, item.mrid)
        far = index.rows(item.to_node, item.phases, item.mrid)
        positions = (taps or {}).get(item.mrid, item.taps)
        if len(positions) != len(near):
            raise ValueError(f"{item.mrid}: {len(positions)} taps for phases {item.phases}")
        for a, b, tap in zip(near, far, positions, strict=True):
            if not item.tap_min <= tap <= item.tap_max:
                raise ValueError(f"{item.mrid}: tap {tap} outside {item.tap_min} … {item.tap_max}")
            kva = item.rating_kva / len(near)
            ties.append(
                Tie(
                    branch=item.mrid,
                    rating_a=kva * 1e3 / float(index.base_v[a]),
                    from_index=a,
                    to_index=b,
                    ratio=1.0 + tap * item.step_pu,
                )
            )
    return ties


def spanning_forest(
    ties: Sequence[Tie], index: PhaseIndex, source_rows: IntArray
) -> tuple[tuple[Tie, ...], IntArray, FloatArray]:
    """The ties that join (loops of ties left out), the root of each row, and V_row / V_root.

    The source's rows are always roots. ValueError when a loop of ties contradicts itself, as
    two regulators in parallel on different taps do.
    """
    n = len(index.pairs)
    beside: dict[int, list[tuple[int, float, int]]] = {}
    for k, tie in enumerate(ties):
        beside.setdefault(tie.from_index, []).append((tie.to_index, tie.ratio, k))
        beside.setdefault(tie.to_index, []).append((tie.from_index, 1.0 / tie.ratio, k))
    root_of = np.full(n, -1, dtype=np.intp)
    ratio = np.ones(n)
    used: list[int] = []
    for start in (*source_rows.tolist(), *range(n)):
        if root_of[start] >= 0:
            continue
        root_of[start] = start
        reached = [start]
        while reached:
            here = reached.pop()
            for there, step, k in beside.get(here, ()):
                expected = ratio[here] * step
                if root_of[there] < 0:
                    root_of[there], ratio[there] = start, expected
                    used.append(k)
                    reached.append(there)
                elif root_of[there] != start or not math.isclose(ratio[there], expected):
                    raise ValueError(
                        f"{ties[k].branch}: closes a loop without impedance"
                        f" (between {index.pairs[here]} and {index.pairs[there]})"
                    )
    return tuple(ties[k] for k in sorted(used)), root_of, ratio
