"""Figures that no power flow survives, found before the engine is asked to solve with them.

The engine takes a load of 0 kV, a transformer of 0 kVA or a line without impedance without a word,
and then finds no solution, or crashes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from difflib import get_close_matches
from math import isfinite
from typing import Any, Final

from sim.feeder_import.circuit import Circuit, Place
from sim.feeder_import.report import Report, refused

_LOWEST_HZ: Final = 16.0
_HIGHEST_HZ: Final = 100.0


def refuse_nonsense(dss: Any, report: Report) -> None:
    """ConfigError naming element and line of every figure that cannot be."""
    circuit = Circuit(dss)
    problems = [
        (place, f"{element}: {why}")
        for element, place in report.places.items()
        for why in _wrong(circuit, element)
    ]
    hz = float(dss.solution.frequency)
    if not _LOWEST_HZ <= hz <= _HIGHEST_HZ:
        problems.append(("", f"the frequency is {hz:g} Hz: no feeder has that"))
    if problems:
        raise refused(report.source, problems)


def _wrong(circuit: Circuit, element: str) -> Iterator[str]:
    look = _LOOKS.get(element.split(".", 1)[0])
    if look is not None:
        yield from look(circuit, element)


def _load(circuit: Circuit, element: str) -> Iterator[str]:
    yield from _rated(circuit, element)
    model = circuit.number(element, "model")
    if model not in range(1, 9):
        yield f"there is no load model {model:g}: 1 to 8"
    pf = circuit.number(element, "pf")
    kw, kvar = circuit.number(element, "kw"), circuit.number(element, "kvar")
    if abs(pf) > 1.0 or not (isfinite(kw) and isfinite(kvar)):
        yield f"it draws {kw:g} kW and {kvar:g} kvar at a power factor of {pf:g}"


def _rated(circuit: Circuit, element: str) -> Iterator[str]:
    kv = circuit.number(element, "kv")
    if not (isfinite(kv) and kv > 0.0):
        yield f"its rated voltage is {kv:g} kV"


def _transformer(circuit: Circuit, element: str) -> Iterator[str]:
    for what, unit in (("kvs", "kV"), ("kvas", "kVA")):
        wrong = [v for v in circuit.numbers(element, what) if not (isfinite(v) and v > 0.0)]
        if wrong:
            yield f"a winding is rated {wrong[0]:g} {unit}"
    buses = circuit.words(element, "buses")
    own = element.split(".", 1)[1]
    for k, bus in enumerate(buses, start=1):
        if bus.lower() == f"{own}_{k}":
            yield f"winding {k} has no bus"
    if len(set(buses)) < len(buses):
        yield f"two of its windings are at the same place: {', '.join(buses)}"


def _line(circuit: Circuit, element: str) -> Iterator[str]:
    """The engine shows sequences and matrices, of which only those count that were given."""
    length = circuit.number(element, "length")
    if not (isfinite(length) and length > 0.0):
        yield f"its length is {length:g}"
    by_sequence = [circuit.text(element, what) for what in ("r1", "x1")]
    matrices = [circuit.text(element, what) for what in ("rmatrix", "xmatrix")]
    if by_sequence == ["0", "0"] or not any(letter in "123456789" for letter in "".join(matrices)):
        yield "a line without impedance; give it one, or say switch=yes"


def _regcontrol(circuit: Circuit, element: str) -> Iterator[str]:
    for what in ("vreg", "band", "ptratio"):
        value = circuit.number(element, what)
        if not (isfinite(value) and value > 0.0):
            yield f"{what} is {value:g}"


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
    "capacitor": _rated,
    "regcontrol": _regcontrol,
}


def nearby(circuit: Circuit, branches: tuple[str, ...], report: Report, bus: str) -> str:
    """A hint for a source at `bus` that leads nowhere: what the other buses are called."""
    ends: dict[str, str] = {}
    for name in circuit.of(*branches):
        if circuit.activate(name):
            for end, _ in circuit.element(name).places:
                ends.setdefault(end, name)
    alike = get_close_matches(bus, [e for e in ends if e != bus], n=1)
    if alike:
        name = ends[alike[0]]
        return f"is {alike[0]} meant, where {name} is ({report.place(name) or 'no line'})?"
    return "no line or transformer is at that bus; look how the first line spells it"


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
