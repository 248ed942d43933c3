"""The simulator's power flow: EPRI's OpenDSS engine behind a small typed front.

The engine has one global circuit per process and two habits that a service cannot have: it changes
the working directory when it is loaded, and its solver threads print on stdout. Both are undone
here (`allow_forms` off silences it). A new `Engine` takes the circuit away from the one before it;
the old one then refuses to work.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from math import sqrt
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gridctl.model.errors import InvariantViolation, UnavailableError
from gridctl.model.network import NEUTRAL, ACLineSegment, Feeder, Switch
from gridctl.model.neutral import LIVE
from sim.earthing import drifting_terminals, floating_nodes
from sim.feeder import consumer_branches, load_element, regulator_element
from sim.opendss_text import NODE_NUMBER, capacitor_elements, opendss_commands

_OWNER: list[Engine] = []
TOLERANCE_PU: Final = 1e-9
ITERATIONS_MIN: Final = 2
DRIFT_PU: Final = 1e-4
DRIFT_ITERATIONS: Final = 10
AT_REST_PU: Final = 1e-7
_RESTS: Final = 8
"""What floats behind a delta winding has hardly a way to earth: rounding in a switch's large
admittance moves all its phases together, by more than a narrow tolerance allows and without end.
Then a wide tolerance is asked for, and everything else is looked at for itself: at rest is what
DRIFT_ITERATIONS more move by no more than AT_REST_PU."""


@cache
def opendss_engine() -> Any:
    """The process's one OpenDSS, loaded quietly, with the working directory kept."""
    import py_dss_interface  # noqa: PLC0415 - loads a shared library; only who solves pays

    folder = Path.cwd()
    try:
        dss = py_dss_interface.DSS()
    finally:
        os.chdir(folder)
    dss.dssinterface.allow_forms = 0
    return dss


@dataclass(frozen=True, slots=True, kw_only=True)
class Solution:
    """One solved state. `voltages_pu` in the order of `Engine.node_phases`, on the node's nominal
    line-to-neutral voltage; import at the source positive; `head_a` per phase A, B, C."""

    voltages_pu: NDArray[np.complex128]
    head_kw: float
    head_kvar: float
    head_a: tuple[float, float, float]
    losses_kw: float
    iterations: int


class Engine:
    """A feeder in OpenDSS: set what moves, `solve()`, read what follows.

    `injections`: the (node, phase) where devices may inject. Setters take effect at the next
    `solve()`. KeyError for a name that the feeder does not have.
    """

    def __init__(self, feeder: Feeder, injections: Iterable[tuple[str, str]] = ()) -> None:
        self.feeder = feeder
        self._dss = opendss_engine()
        self._drifts = False
        _OWNER[:] = [self]
        for command in opendss_commands(feeder):
            self._text(command)
        nominal_kv = {n.mrid: n.nominal_kv for n in feeder.nodes}
        elements = [
            load_element(c.mrid, branch)
            for c in feeder.consumers
            for branch in consumer_branches(c)
        ]
        self._places = [
            f"{c.mrid} at {c.node}" for c in feeder.consumers for _ in consumer_branches(c)
        ]
        injections = tuple(dict.fromkeys(injections))
        elements += self._add_injections(injections)
        self._places += [f"what hangs at {node}.{phase}" for node, phase in injections]
        self.elements: tuple[str, ...] = tuple(elements)
        self._index = {name: i for i, name in enumerate(elements)}
        self._kw = np.full(len(elements), np.nan)
        self._kvar = np.full(len(elements), np.nan)
        self._want_kw = np.zeros(len(elements))
        self._want_kvar = np.zeros(len(elements))
        for consumer in feeder.consumers:
            for branch, kw, kvar in zip(
                consumer_branches(consumer), consumer.kw, consumer.kvar, strict=True
            ):
                self.set_load(consumer.mrid, branch, kw=kw, kvar=kvar)
        self._regulator_names = {
            (r.mrid, p): regulator_element(r.mrid, p) for r in feeder.regulators for p in r.phases
        }
        self._regulators = {r.mrid: r for r in feeder.regulators}
        self._capacitors = {c.mrid: c for c in feeder.capacitors}
        letters = {
            (n.mrid.lower(), NODE_NUMBER[p]): f"{n.mrid}.{p}"
            for n in feeder.nodes
            for p in n.phases
        }
        self._dss.solution.solve_no_control()
        names = [str(n) for n in self._dss.circuit.nodes_names]
        self.node_phases: tuple[str, ...] = tuple(
            letters[bus.lower(), int(number)]
            for bus, number in (name.rsplit(".", 1) for name in names)
        )
        base = [nominal_kv[np_.rsplit(".", 1)[0]] * 1e3 / sqrt(3) for np_ in self.node_phases]
        self._base_v = np.asarray(base)
        at: dict[str, list[int]] = {}
        for i, (node, _) in enumerate(np_.rsplit(".", 1) for np_ in self.node_phases):
            at.setdefault(node, []).append(i)
        self._drifting = [at[node] for node in sorted(floating_nodes(feeder)) if node in at]
        neutrals = {f"{n}.{p}" for n, p in drifting_terminals(feeder) if p not in LIVE}
        self._drifting += [[i] for i, place in enumerate(self.node_phases) if place in neutrals]

    def _add_injections(self, places: Iterable[tuple[str, str]]) -> Iterator[str]:
        """An element at each place: to earth, or to the next phase where there is no earth."""
        nodes, floating = self.feeder.node_index(), floating_nodes(self.feeder)
        for node, phase in places:
            name, kv = _injection_element(node, phase), nodes[node].nominal_kv
            bus, connection = f"{node}.{NODE_NUMBER[phase]}", "wye"
            if node in floating:
                others = [p for p in nodes[node].phases if p != NEUTRAL]
                after = others[(others.index(phase) + 1) % len(others)]
                bus, connection = f"{bus}.{NODE_NUMBER[after]}", "delta"
            kv = kv if connection == "delta" else kv / sqrt(3)
            self._text(
                f"new load.{name} phases=1 bus1={bus} conn={connection} model=1 "
                f"kv={kv!r} kw=0 kvar=0 vminpu=0.5 vmaxpu=1.5"
            )
            yield name

    def set_load(self, consumer: str, branch: str, *, kw: float, kvar: float) -> None:
        """Nominal demand of one entry of a consumer (branch "A" … or "AB" …)."""
        i = self._index[load_element(consumer, branch)]
        self._want_kw[i], self._want_kvar[i] = kw, kvar

    def set_injection(self, node: str, phase: str, *, kw: float, kvar: float) -> None:
        """Power injected by devices at one phase of a node (positive into the feeder)."""
        i = self._index[_injection_element(node, phase)]
        self._want_kw[i], self._want_kvar[i] = -kw, -kvar

    def set_demands(self, kw: NDArray[np.float64], kvar: NDArray[np.float64]) -> None:
        """All loads and injections at once, drawn power positive, in the order of `elements`."""
        self._want_kw[:], self._want_kvar[:] = kw, kvar

    def demands(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """What was set last, kW and kvar, in the order of `elements`."""
        return self._want_kw.copy(), self._want_kvar.copy()

    def set_tap(self, regulator: str, phase: str, tap: int) -> None:
        """Tap position of one phase of a regulator; ratio = 1 + tap * step."""
        name = self._regulator_names[regulator, phase]
        ratio = 1 + tap * self._regulators[regulator].step_pu
        self._text(f"transformer.{name}.wdg=2")
        self._text(f"transformer.{name}.tap={ratio!r}")

    def set_capacitor(self, capacitor: str, *, closed: bool) -> None:
        """Close or open a bank, all its phases."""
        for name in capacitor_elements(self._capacitors[capacitor]).values():
            self._text(f"capacitor.{name}.states=[{int(closed)}]")

    def set_branch(self, mrid: str, *, closed: bool) -> None:
        """Open or close a line, a switch, a transformer or a regulator at its sending end.
        KeyError for a branch that the feeder does not have, or has open from the start."""
        for element in self._branch_elements(mrid):
            self._text(f"{'close' if closed else 'open'} {element} term=1")

    def _branch_elements(self, mrid: str) -> list[str]:
        if mrid in self._regulators:
            return [
                f"transformer.{self._regulator_names[mrid, phase]}"
                for phase in self._regulators[mrid].phases
            ]
        if any(t.mrid == mrid for t in self.feeder.transformers):
            return [f"transformer.{mrid}"]
        if any(b.mrid == mrid for b in self.feeder.lines) or any(
            s.mrid == mrid and not s.is_open for s in self.feeder.switches
        ):
            return [f"line.{mrid}"]
        raise KeyError(mrid)

    def solve(self) -> Solution:
        """The power flow of what was set; UnavailableError when it does not converge."""
        self._write_demands()
        dss = self._dss
        dss.solution.solve_no_control()
        looks, found = _RESTS, bool(dss.solution.converged)
        if not found and self._drifting:
            # After so many iterations nothing else moves, or it is no drift.
            looks = 1
            self._tolerate(drift=True)
        if self._drifts:
            found = self._is_at_rest(looks)
            if not found:
                self._tolerate(drift=False)
        # What is no number is never "not yet close enough": the engine calls it converged.
        found = found and bool(np.isfinite(_complex(dss.circuit.buses_volts)).all())
        if not found:
            self._begin_again()
            raise UnavailableError(f"the simulator's power flow does not converge: {self._asked()}")
        kw, kvar = dss.circuit.total_power[:2]
        losses_w = dss.circuit.losses[0]
        dss.circuit.set_active_element("vsource.source")
        head = _complex(dss.cktelement.currents)
        return Solution(
            voltages_pu=_complex(dss.circuit.buses_volts) / self._base_v,
            head_kw=-kw,
            head_kvar=-kvar,
            head_a=(float(abs(head[0])), float(abs(head[1])), float(abs(head[2]))),
            losses_kw=losses_w / 1e3,
            iterations=int(dss.solution.iterations),
        )

    def _begin_again(self) -> None:
        """Forget the voltages that led nowhere: the next power flow would begin with them, and find
        a collapsed feeder, or never a number again."""
        self._text("solve mode=direct")
        self._text("set mode=snapshot")

    def _asked(self) -> str:
        """What is asked of the feeder, in words: where a power flow fails there is mostly too much
        of it."""
        most = int(np.argmax(self._want_kw))
        return (
            f"{self._want_kw.sum():.0f} kW are asked of {self.feeder.mrid}, the most by "
            f"{self._places[most]} with {self._want_kw[most]:.0f} kW"
        )

    def _tolerate(self, *, drift: bool) -> None:
        self._drifts = drift
        wide, few = (DRIFT_PU, DRIFT_ITERATIONS) if drift else (TOLERANCE_PU, ITERATIONS_MIN)
        self._text(f"set tolerance={wide} miniterations={few}")

    def _is_at_rest(self, looks: int) -> bool:
        """Whether more iterations move nothing but floating nodes, all phases alike; looked at up
        to `looks` times."""
        for _ in range(looks):
            before = _complex(self._dss.circuit.buses_volts)
            self._dss.solution.solve_no_control()
            moved = (_complex(self._dss.circuit.buses_volts) - before) / self._base_v
            for rows in self._drifting:
                moved[rows] -= moved[rows].mean()
            if self._dss.solution.converged and np.abs(moved).max() <= AT_REST_PU:
                return True
        return False

    def regulator_current(self, regulator: str, phase: str) -> complex:
        """Current through one phase of a regulator in ampere, from source to load, as solved."""
        self._own()
        self._dss.circuit.set_active_element(
            f"transformer.{self._regulator_names[regulator, phase]}"
        )
        return complex(_complex(self._dss.cktelement.currents)[0])

    def branch_currents(self) -> Mapping[str, tuple[float, ...]]:
        """Ampere per phase at the sending end of every line and closed switch, as solved."""
        self._own()
        found: dict[str, tuple[float, ...]] = {}
        branches: list[ACLineSegment | Switch] = list(self.feeder.lines)
        branches += [s for s in self.feeder.switches if not s.is_open]
        for branch in branches:
            self._dss.circuit.set_active_element(f"line.{branch.mrid}")
            currents = _complex(self._dss.cktelement.currents)[: len(branch.phases)]
            found[branch.mrid] = tuple(float(abs(i)) for i in currents)
        return found

    def _write_demands(self) -> None:
        self._own()
        changed = (self._want_kw != self._kw) | (self._want_kvar != self._kvar)
        loads = self._dss.loads
        for i in np.flatnonzero(changed):
            # By number, which is the order of making: faster than by name.
            loads.idx = int(i) + 1
            loads.kw = float(self._want_kw[i])
            loads.kvar = float(self._want_kvar[i])
        self._kw[:], self._kvar[:] = self._want_kw, self._want_kvar

    def _text(self, command: str) -> None:
        self._own()
        answer = str(self._dss.text(command)).strip()
        if answer:
            raise InvariantViolation(f"OpenDSS refuses {command!r}: {answer}")

    def _own(self) -> None:
        if _OWNER[0] is not self:
            raise InvariantViolation("a newer Engine has taken this process's only circuit")


def _injection_element(node: str, phase: str) -> str:
    return f"inj_{node}_{phase}".lower()


def _complex(pairs: list[float]) -> NDArray[np.complex128]:
    flat = np.asarray(pairs, dtype=np.float64)
    return flat[0::2] + 1j * flat[1::2]
