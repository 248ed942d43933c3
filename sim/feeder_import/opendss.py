"""Any OpenDSS circuit as a feeder of the model, through the OpenDSS engine itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import isfinite, sqrt
from pathlib import Path
from typing import Final

import numpy as np

from gridctl.model.errors import ConfigError
from gridctl.model.network import MODEL_VERSION, PHASES, Feeder, Source, VoltageRegulator
from sim.engine import DRIFT_ITERATIONS, DRIFT_PU, opendss_engine
from sim.feeder_import.branches import Branches
from sim.feeder_import.circuit import Circuit, Place
from sim.feeder_import.consumers import Consumers
from sim.feeder_import.places import (
    OpenLines,
    Places,
    coordinates,
    fed,
    is_partly_open,
    joined,
    nominal_voltages,
    odd_neutrals,
    reached,
    split_phase,
)
from sim.feeder_import.regulators import regulated, tap_controls
from sim.feeder_import.report import Fate, Report
from sim.feeder_import.resources import DerSite, ders_of
from sim.feeder_import.sanity import lonely, nearby, refuse_nonsense
from sim.feeder_import.script import Script
from sim.feeder_import.shapes import shapes_of
from sim.load_shapes import LoadShape, Profile

_BRANCHES: Final = ("line", "transformer", "autotrans", "reactor", "capacitor")
_DRAWING: Final = ("load", "generator")
_DER: Final = ("pvsystem", "storage")
_WATCHING: Final = ("monitor", "energymeter", "sensor")
_PROTECTION: Final = ("relay", "recloser", "fuse", "swtcontrol")
_SHIFT_DEG: Final = {1: 0.0, 2: -120.0, 3: 120.0}
"""Angle of each phase of the source."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """A feeder from a foreign file. `reference_v`: volts to earth of each node-phase as the
    foreign engine has them with taps and capacitors as in `feeder`, turned so that phase A of the
    source has no angle; `ders` and `shapes` are what a fleet can be made of. `compared`: the feeder
    that the reference is of, with what its devices give, where that is not `feeder`.
    `reference_within_pu`: how far the foreign engine stops from its own limit, 0 where that is
    nothing to speak of."""

    feeder: Feeder
    report: Report
    reference_v: dict[tuple[str, str], complex]
    ders: tuple[DerSite, ...]
    shapes: dict[str, LoadShape]
    profiles: dict[str, Profile]
    compared: Feeder | None = None
    reference_within_pu: float = 0.0


def import_opendss(
    master: Path, name: str, *, passing: Callable[[str], None] = lambda _: None
) -> Imported:
    """Read the circuit of `master` as feeder `name`; `passing` is told each line before the engine
    is, and each step after that.

    Takes this process's only OpenDSS circuit. Raises ConfigError that names file, line and
    element for what OpenDSS does not take, for a circuit without a three-phase source, and for one
    that OpenDSS itself cannot solve.
    """
    dss = opendss_engine()
    report = Report(source=str(master))
    script = Script(dss, report, passing, look=lambda: refuse_nonsense(dss, report))
    script.run(master)
    passing("a look at all figures")
    refuse_nonsense(dss, report)
    passing("its first solution")
    return _Importer(Circuit(dss), report, name).run(has_bases=script.has_voltage_bases)


class _Importer:
    def __init__(self, circuit: Circuit, report: Report, name: str) -> None:
        self.circuit = circuit
        self.report = report
        self.name = name
        self._fed: set[Place] = set()
        """Conductors that equipment leads to from the source."""

    def run(self, *, has_bases: bool) -> Imported:
        circuit, report = self.circuit, self.report
        if not circuit.solve(controls=True):
            # Free controls may hunt; what the file says about taps is a state as well.
            circuit.solve(controls=False)
        circuit.read_names()
        self._refuse_unsolved()
        source, bus = self._source()
        settled = self._settle_generators()
        self._set_aside()
        open_lines = {
            name: poles
            for name in circuit.of("line")
            if circuit.activate(name) and (poles := circuit.open_poles(name))
        }
        for name in open_lines:
            for terminal in (1, 2):
                circuit.dss.text(f"close {name} term={terminal}")
        circuit.solve(controls=False)
        head = (bus, source.nominal_kv)
        places, live = self._places(head, open_lines, has_bases=has_bases)
        branches = Branches(circuit=circuit, places=places, report=report)
        regulators = self._branches(branches, live, open_lines)
        consumers = self._consumers(places, live, settled)
        for name, poles in open_lines.items():
            partly = is_partly_open(poles, circuit.element(name))
            for terminal, pole in poles:
                circuit.dss.text(f"open {name} {2 if partly else terminal} {pole}")
        for regulator in regulators:
            self._pin(regulator, branches)
        reference = self._reference(places)
        feeder = self._feeder(source, places, branches, consumers, regulators)
        ders = ders_of(circuit, places, report, live)
        shapes, profiles = shapes_of(circuit, consumers.profiles, report)
        return Imported(
            feeder=feeder,
            report=report,
            reference_v=reference,
            ders=ders,
            shapes=shapes,
            profiles=profiles,
        )

    def _refuse_unsolved(self) -> None:
        if self.circuit.dss.solution.converged:
            volts = self.circuit.voltages().values()
            if all(isfinite(abs(v)) for v in volts):
                return
        loads = self._largest_loads()
        hint = f"its largest loads are {loads}" if loads else "it has no loads"
        alone = lonely(self.circuit, _BRANCHES, self.report)
        raise ConfigError(
            "OpenDSS itself finds no solution of this circuit",
            file=self.report.source,
            hint="; ".join((*alone[:3], hint)),
        )

    def _largest_loads(self) -> str:
        sizes = sorted(
            ((self.circuit.number(n, "kw"), n) for n in self.circuit.of("load")), reverse=True
        )
        return ", ".join(
            f"{name} {kw:g} kW ({self.report.place(name) or 'no line'})" for kw, name in sizes[:3]
        )

    def _source(self) -> tuple[Source, str]:
        """The head of the feeder; other sources are refused."""
        circuit, report = self.circuit, self.report
        names = [n for n in circuit.of("vsource") if circuit.activate(n)]
        if not names:
            raise ConfigError("the circuit has no source that is enabled", file=report.source)
        head = names[0]
        for name in names[1:]:
            report.add(name, Fate.REFUSED, "a feeder has one source; switched off here")
            circuit.dss.text(f"{name}.enabled=no")
        element = circuit.element(head)
        near = element.terminals[0]
        numbers = [number for _, number in near]
        if numbers != [1, 2, 3] and (len(numbers) != 1 or numbers[0] not in _SHIFT_DEG):
            raise ConfigError(
                f"{head} is neither a three-phase source at conductors 1, 2, 3 nor a single-phase "
                "one at one of them",
                file=report.source,
                key=report.place(head),
            )
        sources = circuit.dss.vsources
        sources.name = head.split(".", 1)[1]
        kv = float(sources.base_kv)
        count = len(numbers)
        ohm = np.linalg.inv(element.siemens[:count, :count])
        own = complex(np.trace(ohm)) / count
        mutual = 0j if count == 1 else (complex(ohm.sum()) - complex(np.trace(ohm))) / 6.0
        z1, z0 = own - mutual, own + 2.0 * mutual
        uneven = np.abs(ohm - (np.eye(count) * z1 + np.full((count, count), mutual))).max()
        told = (
            "" if uneven <= 1e-6 * abs(own) else "its impedance is taken as that of its sequences"
        )
        report.add(head, Fate.APPROXIMATED if told else Fate.KEPT, told)
        self._angle = float(sources.angle_deg) - _SHIFT_DEG[numbers[0]]
        if count == 1:
            # Its rated voltage is to earth. The model's other two phases lead nowhere.
            kv *= sqrt(3.0)
        return (
            Source(
                node=near[0][0],
                nominal_kv=kv,
                voltage_pu=float(sources.pu),
                r1_ohm=z1.real,
                x1_ohm=z1.imag,
                r0_ohm=z0.real,
                x0_ohm=z0.imag,
            ),
            near[0][0],
        )

    def _settle_generators(self) -> frozenset[str]:
        """Let every generator give, as a plain power, what it gives in the solution: one that holds
        a voltage would hold another one as soon as anything else changes."""
        circuit = self.circuit
        given: dict[str, tuple[float, float]] = {}
        scaled = float(circuit.dss.solution.gen_mult) != 1.0
        for name in circuit.of("generator"):
            if circuit.activate(name) and (scaled or circuit.number(name, "model") != 1.0):
                circuit.activate(name)
                flow = np.asarray(circuit.dss.cktelement.powers, dtype=np.float64)
                given[name] = -float(flow[0::2].sum()), -float(flow[1::2].sum())
        for name, (kw, kvar) in given.items():
            circuit.dss.text(f"edit {name} model=1 kw={kw!r} kvar={kvar!r}")
        if scaled:
            circuit.dss.text("set genmult=1")
        return frozenset(given)

    def _set_aside(self) -> None:
        """Switch off what the model does not hold, so that both engines solve the same feeder."""
        known = {*_BRANCHES, *_DRAWING, *_DER, *_WATCHING, *_PROTECTION}
        known |= {"vsource", "regcontrol", "capcontrol"}
        for name in self.circuit.names:
            kind = name.split(".", 1)[0].lower()
            if kind in _WATCHING:
                self.report.add(name, Fate.UNUSED)
            elif kind in _PROTECTION:
                self.report.add(name, Fate.UNUSED, "protection and switch controls do not act here")
            elif kind in _DER:
                self.circuit.dss.text(f"{name}.enabled=no")
            elif kind not in known and self.circuit.activate(name):
                self.circuit.dss.text(f"{name}.enabled=no")
                self.report.add(name, Fate.REFUSED, f"a {kind} has no place in the model")

    def _places(
        self, head: tuple[str, float], open_lines: OpenLines, *, has_bases: bool
    ) -> tuple[Places, set[str]]:
        bus, kv = head
        circuit = self.circuit
        elements = [circuit.element(n) for n in circuit.of(*_BRANCHES) if circuit.activate(n)]
        beside = joined(elements)
        self._fed = fed(elements, {(bus, number) for number in _SHIFT_DEG}, open_lines)
        live = reached(beside, bus)
        if len(live) == 1:
            raise ConfigError(
                f"nothing leads away from the source at bus {bus}",
                file=self.report.source,
                hint=nearby(circuit, _BRANCHES, self.report, bus),
            )
        split = split_phase(beside)
        neutrals = odd_neutrals(circuit.voltages(), split)
        return (
            Places(
                # The model's source has three phases, whichever of them are used.
                used={bus: set(PHASES)},
                nominal_kv=nominal_voltages(
                    circuit, beside, (bus, kv), told=has_bases, neutrals=neutrals
                ),
                split=split,
                neutrals=neutrals,
                coordinates=coordinates(circuit),
                report=self.report,
            ),
            live,
        )

    def _is_live(self, name: str, live: set[str]) -> bool:
        """Whether an element can be fed; those that are not, or are disabled, are told."""
        if not self.circuit.activate(name):
            self.report.add(name, Fate.UNUSED, "disabled in the file")
            return False
        bus = str(self.circuit.dss.cktelement.bus_names[0]).split(".")[0].lower()
        if bus not in live:
            self.report.add(name, Fate.REFUSED, f"bus {bus} is not connected to the source")
            self.circuit.dss.text(f"{name}.enabled=no")
            return False
        return True

    def _branches(
        self, branches: Branches, live: set[str], open_lines: OpenLines
    ) -> tuple[VoltageRegulator, ...]:
        controls = tap_controls(self.circuit, branches)
        banks: dict[str, str] = {}
        regulators = []
        for name in self.circuit.of(*_BRANCHES):
            if not self._is_live(name, live):
                continue
            kind, own = name.lower().split(".", 1)
            if kind == "line":
                branches.line(name, opened=open_lines.get(name, ()))
            elif kind == "reactor":
                branches.reactor(name)
            elif kind == "capacitor":
                banks[own] = branches.capacitor(name) or ""
            elif own in controls:
                found = regulated(branches, name, controls[own])
                regulators += [] if found is None else [found]
            else:
                branches.transformer(name)
        for name in self.circuit.of("capcontrol"):
            self._capacitor_control(name, banks, branches)
        return tuple(regulators)

    def _capacitor_control(self, name: str, banks: dict[str, str], branches: Branches) -> None:
        circuit, report = self.circuit, self.report
        if not circuit.activate(name):
            report.add(name, Fate.UNUSED, "disabled in the file")
            return
        bank = banks.get(circuit.text(name, "capacitor").lower(), "")
        kind = circuit.text(name, "type").lower()
        at = next((i for i, c in enumerate(branches.capacitors) if c.mrid == bank), None)
        if at is None or not kind.startswith("v"):
            report.add(name, Fate.REFUSED, f"control by {kind}: the bank stays as it is")
            return
        found = branches.capacitors[at]
        base_v = branches.places.kv(found.node) * 1e3 / np.sqrt(3.0)
        ratio = circuit.number(name, "ptratio") / base_v
        branches.capacitors[at] = replace(
            found,
            close_below_pu=circuit.number(name, "onsetting") * ratio,
            open_above_pu=circuit.number(name, "offsetting") * ratio,
        )
        why = "by the mean of the bank's own phases"
        report.add(name, Fate.APPROXIMATED, why)

    def _consumers(self, places: Places, live: set[str], settled: frozenset[str]) -> Consumers:
        scale = float(self.circuit.dss.solution.load_mult)
        found = Consumers(
            circuit=self.circuit,
            places=places,
            report=self.report,
            load_scale=scale,
            settled=settled,
        )
        for name in self.circuit.of(*_DRAWING):
            if self._is_live(name, live) and self._is_fed(name):
                if name.lower().startswith("load."):
                    found.load(name)
                else:
                    found.generator(name)
        return found

    def _is_fed(self, name: str) -> bool:
        """Whether what draws is at conductors that equipment leads to; if at none of them, told."""
        element = self.circuit.element(name)
        phases = int(self.circuit.number(name, "phases")) or 1
        near = element.terminals[0]
        ends = near if phases == 1 else near[:phases]
        alone = [place for place in ends if place[1] > 0 and place not in self._fed]
        if not alone:
            return True
        text = ", ".join(f"{number} of bus {bus}" for bus, number in alone)
        why = f"nothing feeds conductor {text}"
        if phases == 1 or len(alone) == len(ends):
            self.report.add(name, Fate.REFUSED, why)
            self.circuit.dss.text(f"{name}.enabled=no")
            return False
        self.report.add(name, Fate.APPROXIMATED, f"{why}: draws nothing there")
        return True

    def _pin(self, regulator: VoltageRegulator, branches: Branches) -> None:
        """Put the engine's tap where the model has it."""
        own, winding = branches.transformers[regulator.mrid]
        ratio = 1.0 + regulator.taps[0] * regulator.step_pu
        self.circuit.dss.text(f"{own}.wdg={winding}")
        self.circuit.dss.text(f"{own}.tap={ratio!r}")

    def _reference(self, places: Places) -> dict[tuple[str, str], complex]:
        dss = self.circuit.dss
        dss.text("set maxiterations=500")
        for tolerance in ("1e-10", "1e-8"):
            dss.text(f"set tolerance={tolerance}")
            if self.circuit.solve(controls=False):
                break
        else:
            # What floats behind a delta winding drifts against earth by more than that.
            dss.text(f"set tolerance={DRIFT_PU} miniterations={4 * DRIFT_ITERATIONS}")
            if not self.circuit.solve(controls=False):
                return {}
        turn = np.exp(-1j * np.deg2rad(self._angle))
        found: dict[tuple[str, str], complex] = {}
        for (bus, number), volt in self.circuit.voltages().items():
            letters = places.used.get(bus, set())
            letter = places.letter_at(bus, number)
            if letter in letters:
                found[bus, letter] = complex(volt * turn)
        return found

    def _feeder(
        self,
        source: Source,
        places: Places,
        branches: Branches,
        consumers: Consumers,
        regulators: tuple[VoltageRegulator, ...],
    ) -> Feeder:
        return Feeder(
            mrid=self.name,
            name=str(self.circuit.dss.circuit.name),
            version=MODEL_VERSION,
            frequency_hz=float(self.circuit.dss.solution.frequency),
            source=source,
            nodes=places.nodes(),
            lines=tuple(branches.lines),
            switches=tuple(branches.switches),
            transformers=(),
            regulators=regulators,
            capacitors=tuple(branches.capacitors),
            consumers=tuple(consumers.found),
            equivalents=(*branches.equivalents, *consumers.neutrals),
        )
