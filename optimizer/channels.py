"""What a plan moves: kW of resources, steps of tap changers and capacitors, kvar of inverters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from optimizer import tap_steps
from optimizer.arrays import FloatArray, IntArray
from optimizer.block import Block
from optimizer.problem import Case, Problem
from optimizer.regulation import NOTHING_PINNED


class Channels:
    """The rows of an injection u (count, T): kW of the `members`, steps of the `movers` away from
    where the base case has them, kvar of the `givers`.

    `members`: rows of the task's resources; `givers`: which of the members give kvar; `start` (K,):
    where all controls stand now.
    """

    def __init__(
        self,
        problem: Problem,
        *,
        members: Sequence[int],
        givers: Sequence[int],
        start: IntArray,
    ) -> None:
        self._problem = problem
        self.members = list(members)
        self.givers = list(givers)
        self.movers = problem.movers
        self._base = problem.base_flow.positions
        self._start = {m.row: int(start[m.row]) for m in self.movers}

    @property
    def count(self) -> int:
        """Number of rows."""
        return len(self.members) + len(self.movers) + len(self.givers)

    def nothing(self) -> FloatArray:
        """(count, T) of zeros."""
        return np.zeros((self.count, self._problem.grid.count))

    def of_kw(self) -> FloatArray:
        """(count, 1): 1 where a row is kW, else 0."""
        given = np.zeros((self.count, 1))
        given[: len(self.members)] = 1.0
        return given

    def step_blocks(self) -> list[Block]:
        """A block for each mover."""
        return [
            tap_steps.block(m, self._base[m.row], self._start[m.row], self._problem.grid)
            for m in self.movers
        ]

    def whole(self, mover: int, steps: FloatArray, beyond: float) -> FloatArray:
        """The whole steps (T,) of a mover near `steps`, as `tap_steps.whole`."""
        m, grid = self.movers[mover], self._problem.grid
        base, start = self._base[m.row], self._start[m.row]
        return tap_steps.whole(m, base, start, steps, grid, beyond=beyond).astype(np.float64)

    def positions(self, steps: Sequence[FloatArray]) -> dict[int, IntArray]:
        """By row, the positions (T,) of movers that are `steps` away from the base case."""
        return {
            m.row: self._base[m.row] + own.astype(np.intp)
            for m, own in zip(self.movers, steps, strict=True)
        }

    def injected_by(
        self,
        setpoint_kw: FloatArray,
        setpoint_kvar: FloatArray,
        pinned: Mapping[int, IntArray] = NOTHING_PINNED,
    ) -> FloatArray:
        """(count, T): what setpoints (resources, T) inject, the steps of what is `pinned`."""
        kw, kvar = self._problem.injection(setpoint_kw, setpoint_kvar)
        steps = np.zeros((len(self.movers), self._problem.grid.count))
        for k, m in enumerate(self.movers):
            if m.row in pinned:
                steps[k] = pinned[m.row] - self._base[m.row]
        return np.vstack([kw[self.members], steps, kvar[[self.members[k] for k in self.givers]]])

    def case(self, u: FloatArray) -> Case:
        """The case with injections `u` (count, T)."""
        shape = (len(self._problem.task.resources), self._problem.grid.count)
        kw, kvar = np.zeros(shape), np.zeros(shape)
        kw[self.members] = u[: len(self.members)]
        first = len(self.members) + len(self.movers)
        kvar[[self.members[k] for k in self.givers]] = u[first:]
        steps = u[len(self.members) : first]
        return replace(
            self._problem.case(kw, kvar), pinned=self.positions([np.round(own) for own in steps])
        )
