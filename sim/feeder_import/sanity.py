"""Figures that no power flow survives, found before the engine is asked to solve with them.

The engine takes a load of 0 kV, a transformer of 0 kVA or a line without impedance without a word,
and then finds no solution, or crashes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from math import isfinite
from typing import Any, Final

from sim.feeder_import.circuit import Circuit, Place
from sim.feeder_import.report import Report, refused


def refuse_nonsense(dss: Any, report: Report) -> None:
    """ConfigError naming element and line of every figure that cannot be."""
    circuit = Circuit(dss)
    problems = [
        (place, f"{element}: {why}")
        for element, place in report.places.items()
        for why in _wrong(circuit, element)
    ]
    hz = float(dss.solution.frequency)
    if not hz > 0.0:
        problems.append(("", f"the frequency is {hz:g} Hz"))
    if problems:
        raise refused(report.source, problems)


def _wrong(circuit: Circuit, element: str) -> Iterator[str]:
    look = _LOOKS.get(element.split(".", 1)[0])
    if look is not None:
        yield from look(circuit, element)


def _load(circuit: Circuit, element: str) -> Iterator[str]:
    kv = circuit.number(element, "kv")
    if not (isfinite(kv) and kv > 0.0):
        yield f"its rated voltage is {kv:g} kV"


def _transformer(circuit: Circuit, element: str) -> Iterator[str]:
    for what, unit in (("kvs", "kV"), ("kvas", "kVA")):
        wrong = [v for v in circuit.numbers(element, what) if not (isfinite(v) and v > 0.0)]
        if wrong:
            yield f"a winding is rated {wrong[0]:g} {unit}"


def _line(circuit: Circuit, element: str) -> Iterator[str]:
    """The engine shows sequences and matrices, of which only those count that were given."""
    length = circuit.number(element, "length")
    if not (isfinite(length) and length > 0.0):
        yield f"its length is {length:g}"
    by_sequence = [circuit.text(element, what) for what in ("r1", "x1")]
    matrices = [circuit.text(element, what) for what in ("rmatrix", "xmatrix")]
    if by_sequence == ["0", "0"] or not any(letter in "123456789" for letter in "".join(matrices)):
        yield "a line without impedance; give it one, or say switch=yes"


def _reactor(circuit: Circuit, element: str) -> Iterator[str]:
    figures = "".join(circuit.text(element, w) for w in ("r", "x", "z", "rp", "rmatrix", "xmatrix"))
    if not any(letter in "123456789" for letter in figures):
        yield "a reactor without impedance"


def _vsource(circuit: Circuit, element: str) -> Iterator[str]:
    for what in ("basekv", "pu"):
        value = circuit.number(element, what)
        if not (isfinite(value) and value > 0.0):
            yield f"{what} is {value:g}"


_LOOKS: Final[Mapping[str, Callable[[Circuit, str], Iterator[str]]]] = {
    "load": _load,
    "transformer": _transformer,
    "line": _line,
    "reactor": _reactor,
    "vsource": _vsource,
}


def lonely(circuit: Circuit, branches: tuple[str, ...], report: Report) -> list[str]:
    """Conductors at which a load is and nothing else, in words."""
    known: set[Place] = set()
    for name in circuit.of(*branches, "vsource"):
        if circuit.activate(name):
            known.update(circuit.element(name).places)
    said = []
    for name in circuit.of("load"):
        if circuit.activate(name):
            for bus, number in circuit.element(name).places:
                if (bus, number) not in known and any(place[0] == bus for place in known):
                    where = report.place(name)
                    said.append(f"{name} ({where}) is alone at conductor {number} of bus {bus}")
    return said
