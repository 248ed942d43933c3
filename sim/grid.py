"""The feeder with its own controls: the engine, and the regulators and capacitors that react."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from gridctl.model.feeding import fed_from_behind
from gridctl.model.network import Feeder
from sim.engine import Engine, Solution
from sim.regulation import CapacitorControl, PhaseReading, RegulatorControl, nominal_v

_SETTLE_STEPS_MAX: Final = 40


class Grid:
    """What the customers and devices draw goes in; voltages and the head's import come out."""

    def __init__(self, feeder: Feeder, injections: Iterable[tuple[str, str]]) -> None:
        self.feeder = feeder
        self.engine = Engine(feeder, injections)
        self._place = {name: i for i, name in enumerate(self.engine.node_phases)}
        nodes = feeder.node_index()
        self._phases = {n.mrid: n.phases for n in feeder.nodes}
        self._nominal_v = {
            r.mrid: nominal_v(nodes[r.to_node].nominal_kv) for r in feeder.regulators
        }
        turned = fed_from_behind(feeder)
        self.regulators = tuple(
            RegulatorControl(r, phases, turned=r.mrid in turned)
            for r in feeder.regulators
            for phases in ((r.phases,) if r.ganged else tuple(r.phases))
        )
        self.capacitors = tuple(
            CapacitorControl(c) for c in feeder.capacitors if c.open_above_pu is not None
        )
        self.solution: Solution = self.engine.solve()

    def solve(self, kw: NDArray[np.float64], kvar: NDArray[np.float64]) -> Solution:
        """Solve for these demands, in the order of the engine's elements."""
        self.engine.set_demands(kw, kvar)
        self.solution = self.engine.solve()
        return self.solution

    def regulate(self, dt_s: float) -> bool:
        """Let the controls look at the last solution for `dt_s`; True when something moved."""
        moved = False
        for control in self.regulators:
            if control.step(self._seen(control), dt_s=dt_s):
                self._apply(control)
                moved = True
        for bank in self.capacitors:
            mean = np.mean([self.voltage_pu(bank.bank.node, p) for p in bank.bank.phases])
            if bank.step(float(mean), dt_s=dt_s):
                self.engine.set_capacitor(bank.bank.mrid, closed=bank.closed)
                moved = True
        return moved

    def beyond_band_v(self) -> Mapping[str, float]:
        """By how much the worst relay of each regulator is beyond its band, as its meter shows."""
        found: dict[str, float] = {}
        for control in self.regulators:
            own = control.regulator
            off_v = abs(control.off_v(self._seen(control))) - control.band_v / 2
            found[own.mrid] = max(found.get(own.mrid, 0.0), off_v)
        return found

    def settle(self) -> Solution:
        """Move taps without their delays until every relay is content; demands as last set."""
        for _ in range(_SETTLE_STEPS_MAX):
            moved = False
            for control in self.regulators:
                step = control.wanted(self._seen(control))
                if step:
                    control.tap += step
                    self._apply(control)
                    moved = True
            if not moved:
                break
            self.solution = self.engine.solve()
        return self.solution

    def reapply(
        self, kw: NDArray[np.float64], kvar: NDArray[np.float64], *, cut: Collection[str]
    ) -> Solution:
        """Put taps, banks and what is cut into the engine as the controls have them, and solve."""
        for control in self.regulators:
            self._apply(control)
        for bank in self.capacitors:
            self.engine.set_capacitor(bank.bank.mrid, closed=bank.closed)
        for branch in cut:
            self.engine.set_branch(branch, closed=False)
        return self.solve(kw, kvar)

    def voltage_pu(self, node: str, phase: str) -> float:
        """Magnitude at one phase of a node in the last solution; none where no equipment ends but
        open switches. KeyError for a place that the feeder does not have."""
        place = self._place.get(f"{node}.{phase}")
        if place is None:
            if phase not in self._phases[node]:
                raise KeyError(f"{node}.{phase}")
            return 0.0
        return float(abs(self.solution.voltages_pu[place]))

    def taps(self) -> Mapping[str, tuple[int, ...]]:
        """Tap positions by regulator, in the order of its phases."""
        found: dict[str, dict[str, int]] = {}
        for control in self.regulators:
            for phase in control.phases:
                found.setdefault(control.regulator.mrid, {})[phase] = control.tap
        return {
            r.mrid: tuple(found[r.mrid][phase] for phase in r.phases)
            for r in self.feeder.regulators
        }

    def closed(self, capacitor: str) -> bool:
        """Whether a bank is closed."""
        for control in self.capacitors:
            if control.bank.mrid == capacitor:
                return control.closed
        return next(c.is_closed for c in self.feeder.capacitors if c.mrid == capacitor)

    def _seen(self, control: RegulatorControl) -> PhaseReading:
        regulator, phase = control.regulator, control.phases[0]
        place = self._place[f"{control.place}.{phase}"]
        # The voltage of two taps moved in one pass is seen at the next solution.
        volts = complex(self.solution.voltages_pu[place]) * self._nominal_v[regulator.mrid]
        current = self.engine.regulator_current(regulator.mrid, phase)
        return PhaseReading(voltage_v=volts, current_a=current)

    def _apply(self, control: RegulatorControl) -> None:
        for phase in control.phases:
            self.engine.set_tap(control.regulator.mrid, phase, control.tap)
