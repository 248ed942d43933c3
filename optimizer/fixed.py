"""What a later stage of a plan's search holds fixed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from optimizer.arrays import BoolArray, FloatArray, IntArray
from optimizer.block import Block


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Fixed:
    """The runs of each block, columns that stay at zero, and columns that stand at a stage of
    theirs."""

    runs: Mapping[int, BoolArray]
    zero: tuple[int, ...] = ()
    at: Mapping[int, float] = field(default_factory=dict)

    def hold(
        self, lower: FloatArray, upper: FloatArray, blocks: Sequence[Block], starts: IntArray
    ) -> None:
        """Narrow the bounds of the blocks' columns to what is held, in place; `starts`: the first
        column of each block."""
        for index, on in self.runs.items():
            runs = blocks[index].runs
            if runs is None:
                continue
            first = int(starts[index])
            was_on = np.concatenate(([runs.rules.active], on[:-1]))
            for columns, values in (
                (runs.on, on),
                (runs.start, on & ~was_on),
                (runs.stop, was_on & ~on),
            ):
                lower[first + columns] = upper[first + columns] = values.astype(np.float64)
        upper[list(self.zero)] = 0.0
        for column, value in self.at.items():
            lower[column] = upper[column] = value
