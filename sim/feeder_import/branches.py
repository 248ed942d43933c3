"""Lines, switches, transformers, regulators, capacitors and reactors of an OpenDSS circuit.

Impedances are taken from the primitive admittance that the engine itself computed, not from the
properties: whatever a line code, a geometry or a winding was given by, this is what it means.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import isfinite, sqrt
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gridctl.model.network import (
    ACLineSegment,
    BranchKind,
    Connection,
    EquivalentBranch,
    ShuntCapacitor,
    Switch,
    Winding,
)
from sim.feeder_import.circuit import Circuit, Element, Place, Pole
from sim.feeder_import.places import Places, in_order, is_partly_open
from sim.feeder_import.report import Fate, Report

_KM: Final = {
    "mi": 1.609344, "kft": 0.3048, "km": 1.0, "m": 1e-3, "ft": 3.048e-4, "in": 2.54e-5, "cm": 1e-5,
    "mm": 1e-6,
}  # fmt: skip
_SIEMENS_MAX: Final = 1e9
"""Admittance of an element without impedance: what OpenDSS puts in its place is no less."""
_SHORT_OHM: Final = 1e-8
_THREE: Final = 3

Matrix = tuple[tuple[float, ...], ...]


def rows_of(matrix: NDArray[Any]) -> Matrix:
    """A matrix as the model holds it, exactly symmetric."""
    even = (matrix + matrix.T) / 2.0
    return tuple(tuple(float(v) for v in row) for row in even)


@dataclass(frozen=True, slots=True)
class _Ends:
    """Where a line is, and what it carries."""

    start: str
    end: str
    phases: str
    rating_a: float | None


@dataclass(slots=True)
class Branches:
    """What the branches of a circuit became; `taken` are the names in use."""

    circuit: Circuit
    places: Places
    report: Report
    lines: list[ACLineSegment] = field(default_factory=list)
    switches: list[Switch] = field(default_factory=list)
    equivalents: list[EquivalentBranch] = field(default_factory=list)
    capacitors: list[ShuntCapacitor] = field(default_factory=list)
    taken: set[str] = field(default_factory=set)
    transformers: dict[str, tuple[str, int]] = field(default_factory=dict)
    """The engine's element behind each regulator, and which of its windings has the tap."""

    def name(self, element: Element) -> str:
        """A name for the model that nothing else has: the element's own, or with its class."""
        own = element.own.replace(".", "_")
        found = own if own not in self.taken else f"{element.kind}_{own}"
        while found in self.taken:
            found += "_"
        self.taken.add(found)
        return found

    def keep(
        self,
        element: Element,
        mrid: str,
        kind: BranchKind,
        *,
        siemens: NDArray[np.complex128] | None = None,
        moved: dict[Place, tuple[str, str]] | None = None,
        rating_a: tuple[float, ...] = (),
        windings: tuple[Winding, ...] = (),
    ) -> bool:
        """Keep an element by its admittance; False when it has none that can be used. `moved`:
        terminals that go to a node of our own."""
        block = element.siemens if siemens is None else siemens
        if not np.isfinite(block).all() or np.abs(block).max(initial=0.0) > _SIEMENS_MAX:
            self.report.add(element.name, Fate.REFUSED, "has no impedance")
            return False
        terminals = tuple(
            (moved or {}).get(place) or (place[0], self.places.letter(place, element.name))
            for place in element.places
        )
        self.equivalents.append(
            EquivalentBranch(
                mrid=mrid,
                kind=kind,
                terminals=terminals,
                g_s=rows_of(block.real),
                b_s=rows_of(block.imag),
                rating_a=rating_a,
                windings=windings,
            )
        )
        return True

    # ---- lines --------------------------------------------------------------------------------

    def line(self, name: str, *, opened: tuple[Pole, ...]) -> None:
        """A line, or a switch with its impedance beside it; `opened` are its open poles."""
        element = self.circuit.element(name)
        near, far = element.terminals[0], element.terminals[1]
        is_switch = self.circuit.text(name, "switch").lower() in ("true", "yes")
        mrid = self.name(element)
        alike = [n for _, n in near] == [n for _, n in far] and near[0][0] != far[0][0]
        plain = alike and all(n > 0 for _, n in near) and len(set(near)) == len(near)
        rating_a = self._rating(name)
        if not plain:
            if opened:
                self.report.add(name, Fate.REFUSED, "open, and no plain line: left out")
            elif self.keep(element, mrid, BranchKind.LINE, rating_a=self._both(element, rating_a)):
                self.report.add(name, Fate.KEPT, "as admittance: its ends differ in phases")
            return
        phases = self.places.letters(near, name)
        self.places.letters(far, name)
        from_node, to_node = near[0][0], far[0][0]
        if is_switch or opened:
            ends = _Ends(from_node, to_node, phases, rating_a)
            self._switch(element, mrid, ends, opened)
            return
        self._segment(element, mrid, (from_node, to_node), phases, rating_a)

    def _switch(self, element: Element, mrid: str, ends: _Ends, opened: tuple[Pole, ...]) -> None:
        """Ideal switches, one for the poles of each state, beside a stretch that has the element's
        impedance: at the end that is open, else behind it."""
        # A pole that is open alone is so at the far end: what hangs on it has no voltage then.
        at_start = bool(opened) and opened[0][0] == 1 and not is_partly_open(opened, element)
        beside, there = (ends.start, ends.end) if at_start else (ends.end, ends.start)
        phases = ends.phases
        inner = self.places.inner(f"{mrid}_sw", ends.start, phases)
        stretch = (inner, ends.end) if at_start else (ends.start, inner)
        if not self._segment(element, f"{mrid}_z", stretch, phases, ends.rating_a, told=False):
            del self.places.extra[inner]
            inner = there
        from_node, to_node = (beside, inner) if at_start else (inner, beside)
        open_at = {phases[pole - 1] for _, pole in opened if pole <= len(phases)}
        for is_open in (False, True):
            own = "".join(p for p in phases if (p in open_at) is is_open)
            if own:
                self.switches.append(
                    Switch(
                        mrid=f"{mrid}_open" if is_open and len(own) < len(phases) else mrid,
                        from_node=from_node,
                        to_node=to_node,
                        phases=own,
                        is_open=is_open,
                        rating_a=ends.rating_a,
                    )
                )
        why = "" if open_at in (set(), set(phases)) else f"open in {in_order(''.join(open_at))}"
        if len({terminal for terminal, _ in opened}) > 1:
            why = "open at both ends: an open switch at its first"
        self.report.add(element.name, Fate.KEPT, why)

    def _segment(
        self,
        element: Element,
        mrid: str,
        ends: tuple[str, str],
        phases: str,
        rating_a: float | None,
        *,
        told: bool = True,
    ) -> bool:
        """A stretch of line from its primitive admittance; False for one without impedance."""
        count = len(phases)
        block = element.siemens
        mutual = -block[:count, count:]
        if not _usable(mutual):
            if told:
                self._without_impedance(element, mrid, ends, phases, rating_a)
            return False
        ohm = np.linalg.inv(mutual)
        shunt = block[:count, :count] - mutual
        shunt = shunt + block[count:, count:] - mutual
        length_km = self._length_km(element.name)
        self.lines.append(
            ACLineSegment(
                mrid=mrid,
                from_node=ends[0],
                to_node=ends[1],
                phases=phases,
                length_km=length_km,
                r_ohm_per_km=rows_of(ohm.real / length_km),
                x_ohm_per_km=rows_of(ohm.imag / length_km),
                b_us_per_km=rows_of(shunt.imag * 1e6 / length_km),
                rating_a=rating_a,
            )
        )
        if told:
            self.report.add(element.name, Fate.KEPT)
        return True

    def _without_impedance(
        self,
        element: Element,
        mrid: str,
        ends: tuple[str, str],
        phases: str,
        rating_a: float | None,
    ) -> None:
        self.switches.append(
            Switch(
                mrid=mrid,
                from_node=ends[0],
                to_node=ends[1],
                phases=phases,
                is_open=False,
                rating_a=rating_a,
            )
        )
        why = "a line without impedance: a closed switch here"
        self.report.add(element.name, Fate.APPROXIMATED, why)

    def _length_km(self, name: str) -> float:
        length = self.circuit.number(name, "length")
        length *= _KM.get(self.circuit.text(name, "units").lower(), 1.0)
        return length if isfinite(length) and length > 0.0 else 1.0

    def _rating(self, name: str) -> float | None:
        amps = self.circuit.number(name, "normamps")
        return amps if amps > 0.0 and isfinite(amps) else None

    def _both(self, element: Element, rating_a: float | None) -> tuple[float, ...]:
        return () if rating_a is None else (rating_a,) * len(element.places)

    # ---- transformers -------------------------------------------------------------------------

    def windings(self, element: Element) -> tuple[Winding, ...]:
        """The name plate of a transformer."""
        read = self.circuit
        name = element.name
        kinds, kvs = read.words(name, "conns"), read.numbers(name, "kvs")
        kvas, taps = read.numbers(name, "kvas"), read.numbers(name, "taps")
        return tuple(
            Winding(
                node=terminal[0][0],
                connection=Connection.DELTA
                if kind.lower().startswith(("d", "ll"))
                else Connection.WYE,
                kv=kv,
                kva=kva,
                tap_pu=tap,
            )
            for terminal, kind, kv, kva, tap in zip(
                element.terminals, kinds, kvs, kvas, taps, strict=False
            )
        )

    def transformer_ratings(
        self, element: Element, windings: tuple[Winding, ...]
    ) -> tuple[float, ...]:
        """Ampere of each terminal at the winding's kVA, 0 for a neutral."""
        phases = int(self.circuit.number(element.name, "phases")) or 1
        found: dict[Place, float] = {}
        for terminal, winding in zip(element.terminals, windings, strict=False):
            if winding.kv <= 0.0:
                return ()
            amps = winding.kva / winding.kv / (sqrt(3.0) if phases == _THREE else phases)
            for place in terminal[:-1] if len(terminal) > phases else terminal:
                found[place] = found.get(place, 0.0) + amps
        return tuple(found.get(place, 0.0) for place in element.places)

    def transformer(self, name: str) -> None:
        """A transformer whose taps stay where they are."""
        element = self.circuit.element(name)
        windings = self.windings(element)
        if self.keep(
            element,
            self.name(element),
            BranchKind.TRANSFORMER,
            rating_a=self.transformer_ratings(element, windings),
            windings=windings,
        ):
            self.report.add(name, Fate.KEPT)

    # ---- shunts -------------------------------------------------------------------------------

    def reactor(self, name: str) -> None:
        """A reactor in series or to earth."""
        element = self.circuit.element(name)
        if not np.abs(element.siemens).max(initial=0.0) > 0.0:
            self.report.add(name, Fate.REFUSED, "has no admittance")
        elif self.keep(element, self.name(element), BranchKind.REACTOR):
            self.report.add(name, Fate.KEPT)

    def capacitor(self, name: str) -> str | None:
        """A capacitor; the name of the bank when it is one to earth or in delta at one bus."""
        element = self.circuit.element(name)
        states = self.circuit.numbers(name, "states")
        closed = any(states)
        phases = int(self.circuit.number(name, "phases"))
        near = element.terminals[0]
        delta = self.circuit.text(name, "conn").lower().startswith(("d", "ll"))
        earthed = delta or all(number == 0 for _, number in element.terminals[-1])
        mrid = self.name(element)
        steps_kvar = self.circuit.numbers(name, "kvar")
        capacitors = self.circuit.dss.capacitors
        capacitors.name = element.own
        kv = float(capacitors.kv)
        kvar = sum(k for k, on in zip(steps_kvar, states, strict=False) if on or not closed)
        legs = near[:phases]
        shape = self._bank_shape(legs, name, delta=delta, phases=phases)
        if earthed and shape is not None and kv > 0.0:
            bank = self._bank(
                mrid, legs[0][0], shape, kvar, kv, phases=phases, delta=delta, closed=closed
            )
            if not closed or self._same(bank, element):
                self.capacitors.append(bank)
                self.report.add(name, Fate.KEPT)
                return mrid
        if not closed:
            self.report.add(name, Fate.REFUSED, "open, and no plain bank: left out")
        elif self.keep(element, mrid, BranchKind.CAPACITOR):
            self.report.add(name, Fate.KEPT, "as admittance")
        return None

    def _bank_shape(
        self, legs: tuple[Place, ...], name: str, *, delta: bool, phases: int
    ) -> str | None:
        numbers = [number for _, number in legs]
        if 0 in numbers or len(set(numbers)) != len(numbers):
            return None
        if delta and phases != _THREE:
            return None
        return in_order(self.places.letters(legs, name))

    def _bank(
        self,
        mrid: str,
        bus: str,
        letters: str,
        kvar: float,
        kv: float,
        *,
        phases: int,
        delta: bool,
        closed: bool,
    ) -> ShuntCapacitor:
        line_kv = kv if delta or phases > 1 else kv * sqrt(3.0)
        return ShuntCapacitor(
            mrid=mrid,
            node=bus,
            phases=letters,
            connection=Connection.DELTA if delta else Connection.WYE,
            kvar=(kvar / phases,) * phases,
            nominal_kv=line_kv,
            is_closed=closed,
        )

    def _same(self, bank: ShuntCapacitor, element: Element) -> bool:
        """Whether the bank has the admittance that the engine computed."""
        delta = bank.connection is Connection.DELTA
        volt = bank.nominal_kv * 1e3 / (1.0 if delta else sqrt(3.0))
        siemens = 1j * bank.kvar[0] * 1e3 / volt**2
        count = len(bank.kvar)
        wanted = siemens * (3.0 * np.eye(count) - 1.0 if delta else np.eye(count))
        return element.siemens.shape == wanted.shape and bool(
            np.allclose(element.siemens, wanted, rtol=1e-9, atol=1e-9 * abs(wanted[0, 0]))
        )


def _usable(mutual: NDArray[np.complex128]) -> bool:
    """Whether a series admittance belongs to an impedance that is worth having."""
    if not np.isfinite(mutual).all() or not np.abs(mutual).max(initial=0.0) > 0.0:
        return False
    try:
        ohm = np.linalg.inv(mutual)
    except np.linalg.LinAlgError:
        return False
    return bool(np.isfinite(ohm).all() and np.abs(ohm).max() > _SHORT_OHM)
