"""Buses of an OpenDSS circuit as nodes of the model: conductors' letters, voltages, coordinates."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite, sqrt
from typing import Final, TypeAlias

from gridctl.model.errors import ConfigError
from gridctl.model.network import NEUTRAL, ConnectivityNode
from sim.feeder_import.circuit import Circuit, Element, Place, Pole
from sim.feeder_import.report import Report

OpenLines: TypeAlias = Mapping[str, tuple[Pole, ...]]
"""Lines of which something is open, with their open poles."""
_LETTERS: Final = {1: "A", 2: "B", 3: "C", 4: "N", **{k: str(k) for k in range(5, 10)}}
_ORDER: Final = "ABCN12356789"
_CENTRE_TAPPED: Final = 3
_TWO: Final = 2
_NEUTRAL_NUMBER: Final = 4
_NEUTRAL_SHARE: Final = 0.3
_GUESSED_SHARE: Final = 0.3
"""A voltage base that is further than this from the name plates is not believed."""


def _is_centre_tapped(element: Element) -> bool:
    """One phase in, two half windings out on one bus."""
    if element.kind != "transformer" or len(element.terminals) != _CENTRE_TAPPED:
        return False
    ends = element.terminals
    return (
        all(len(end) == _TWO for end in ends)
        and ends[1][0][0] == ends[2][0][0]
        and ends[0][0][0] != ends[1][0][0]
    )


@dataclass(slots=True)
class Places:
    """Which node-phase of the model each conductor of the circuit is.

    `split` are the buses behind a centre tap: their conductors 1 and 2 are the legs "1" and "2".
    """

    nominal_kv: Mapping[str, float]
    split: frozenset[str]
    coordinates: Mapping[str, tuple[float, float]]
    report: Report
    neutrals: frozenset[Place] = frozenset()
    """Conductors that are a neutral though their number is another than 4."""
    used: dict[str, set[str]] = field(default_factory=dict)
    extra: dict[str, ConnectivityNode] = field(default_factory=dict)

    def letter(self, place: Place, owner: str) -> str:
        """The letter of a conductor; ConfigError for a number that no letter stands for."""
        bus, number = place
        found = self.letter_at(bus, number)
        if not found:
            raise ConfigError(
                f"{owner} is at conductor {number} of bus {bus}: up to 9 can be told apart",
                file=self.report.source,
                key=self.report.place(owner),
            )
        self.used.setdefault(bus, set()).add(found)
        return found

    def letter_at(self, bus: str, number: int) -> str:
        """The letter of a conductor, "" for one that none stands for."""
        if (bus, number) in self.neutrals:
            return NEUTRAL
        leg = bus in self.split and 0 < number <= _CENTRE_TAPPED
        return str(number) if leg else _LETTERS.get(number, "")

    def letters(self, places: Iterable[Place], owner: str) -> str:
        """The letters of several conductors, in their order."""
        return "".join(self.letter(place, owner) for place in places)

    def kv(self, bus: str) -> float:
        """Nominal kV, line to line, of a bus."""
        return self.nominal_kv[bus]

    def inner(self, name: str, beside: str, phases: str) -> str:
        """A node of our own inside an element, at the place of bus `beside`."""
        x, y = self.coordinates.get(beside, (None, None))
        self.extra[name] = ConnectivityNode(
            mrid=name, nominal_kv=self.kv(beside), phases=in_order(phases), x=x, y=y
        )
        return name

    def nodes(self) -> tuple[ConnectivityNode, ...]:
        """Every bus that something is connected to, and our own nodes inside elements."""
        found = []
        for bus, letters in self.used.items():
            x, y = self.coordinates.get(bus, (None, None))
            found.append(
                ConnectivityNode(
                    mrid=bus, nominal_kv=self.kv(bus), phases=in_order("".join(letters)), x=x, y=y
                )
            )
        return (*found, *self.extra.values())


def in_order(phases: str) -> str:
    """Letters as the model orders them: A B C N, then legs."""
    return "".join(sorted(phases, key=_ORDER.index))


def joined(elements: Iterable[Element]) -> dict[str, list[tuple[str, Element]]]:
    """Neighbours of each bus, and through which element."""
    found: dict[str, list[tuple[str, Element]]] = {}
    for element in elements:
        buses = list(dict.fromkeys(t[0][0] for t in element.terminals if t))
        for here in buses:
            for there in buses:
                if here != there:
                    found.setdefault(here, []).append((there, element))
    return found


def reached(beside: Mapping[str, Sequence[tuple[str, Element]]], source: str) -> set[str]:
    """The buses that equipment leads to from `source`, open switches included."""
    seen, queue = {source}, deque([source])
    while queue:
        for there, _ in beside.get(queue.popleft(), ()):
            if there not in seen:
                seen.add(there)
                queue.append(there)
    return seen


def is_partly_open(opened: tuple[Pole, ...], element: Element) -> bool:
    """Whether some poles of a line are open and others are not."""
    return 0 < len({pole for _, pole in opened}) < len(element.terminals[0])


def fed(elements: Iterable[Element], source: set[Place], open_lines: OpenLines) -> set[Place]:
    """The conductors that equipment leads to from those of the `source`. A line leads along its
    conductors, anything else from each of its own to each other; an open switch leads on, as it
    may be closed. Not so what only a closed switch would feed beside a conductor that is fed now:
    behind a single open pole."""
    elements = tuple(elements)
    ever = _leading(elements, open_lines, crossing=True)
    now = _leading(elements, open_lines, crossing=False)
    here = _reached_places(now, source)
    found = _reached_places(ever, source)
    live_buses = {bus for bus, _ in here}
    seen = set(here)
    for place in found - here:
        if place not in seen:
            string = _reached_places(now, {place})
            seen |= string
            if any(bus in live_buses for bus, _ in string):
                found -= string
    return found


def _leading(
    elements: Iterable[Element], open_lines: OpenLines, *, crossing: bool
) -> dict[Place, set[Place]]:
    """Where each conductor leads to; with `crossing` over lines that are open in all poles too."""
    beside: dict[Place, set[Place]] = {}
    for element in elements:
        opened = open_lines.get(element.name, ())
        poles = {pole for _, pole in opened}
        if crossing and not is_partly_open(opened, element):
            poles = set()
        groups: list[tuple[Place, ...]] = [element.places]
        if element.kind == "line":
            ends = zip(element.terminals[0], element.terminals[1], strict=False)
            groups = [pair for k, pair in enumerate(ends, start=1) if k not in poles]
        for group in groups:
            own = {place for place in group if place[1] > 0}
            for place in own:
                beside.setdefault(place, set()).update(own)
    return beside


def _reached_places(beside: Mapping[Place, set[Place]], start: set[Place]) -> set[Place]:
    seen, queue = set(start), deque(start)
    while queue:
        found = beside.get(queue.popleft(), set()) - seen
        seen |= found
        queue.extend(found)
    return seen


def split_phase(beside: Mapping[str, Sequence[tuple[str, Element]]]) -> frozenset[str]:
    """The buses that lie behind a centre tap with nothing but conductors between."""
    seen: set[str] = set()
    queue: deque[str] = deque()
    for neighbours in beside.values():
        for _, element in neighbours:
            if _is_centre_tapped(element):
                queue.append(element.terminals[1][0][0])
    while queue:
        here = queue.popleft()
        if here in seen:
            continue
        seen.add(here)
        for there, element in beside.get(here, ()):
            if element.kind not in ("transformer", "autotrans"):
                queue.append(there)
    return frozenset(seen)


def odd_neutrals(volts: Mapping[Place, complex], split: frozenset[str]) -> frozenset[Place]:
    """The conductor of each bus that is its neutral under another number than 4: 5 to 9, or 3
    behind a centre tap; told by the voltage it has in the file's own solution."""
    of_bus: dict[str, dict[int, float]] = {}
    for (bus, number), volt in volts.items():
        of_bus.setdefault(bus, {})[number] = abs(volt)
    found = set()
    for bus, sizes in of_bus.items():
        if _NEUTRAL_NUMBER in sizes:
            continue
        first = _CENTRE_TAPPED if bus in split else _NEUTRAL_NUMBER
        low_v = _NEUTRAL_SHARE * max(sizes.values())
        low = [n for n, v in sizes.items() if n >= first and n in _LETTERS and v < low_v]
        if len(low) == 1:
            found.add((bus, low[0]))
    return frozenset(found)


def nominal_voltages(
    circuit: Circuit,
    beside: Mapping[str, Sequence[tuple[str, Element]]],
    source: tuple[str, float],
    *,
    told: bool,
    neutrals: frozenset[Place] = frozenset(),
) -> dict[str, float]:
    """Nominal kV line to line of each bus: what the file says (`told`), else what the name plates
    of the transformers on the way say. `neutrals`: conductors that are one under an odd number."""
    plates = {source[0]: source[1]}
    queue = deque([source[0]])
    while queue:
        here = queue.popleft()
        for there, element in beside.get(here, ()):
            if there not in plates:
                plate_kv = _plate_kv(circuit, element, there, neutrals)
                plates[there] = plate_kv or plates[here]
                queue.append(there)
    found = dict(plates)
    if not told:
        return found
    for i, name in enumerate(circuit.dss.circuit.buses_names):
        circuit.dss.circuit.set_active_bus_i(i)
        bus, kv = str(name).lower(), float(circuit.dss.bus.kv_base) * sqrt(3.0)
        # A base that is none of the file's list is the engine's guess, now and then a wild one.
        if kv > 0.0 and abs(kv / plates.get(bus, kv) - 1.0) < _GUESSED_SHARE:
            found[bus] = round(kv, 9)
    return found


def _plate_kv(circuit: Circuit, element: Element, bus: str, neutrals: frozenset[Place]) -> float:
    """Line to line kV of a transformer's winding at `bus`, 0 for what is no transformer."""
    if element.kind not in ("transformer", "autotrans"):
        return 0.0
    ratings = circuit.numbers(element.name, "kvs")
    for terminal, kv in zip(element.terminals, ratings, strict=False):
        if terminal[0][0] == bus:
            earthed = (0, _NEUTRAL_NUMBER)
            live = [p for p in terminal if p[1] not in earthed and p not in neutrals]
            to_earth = len(terminal) == _TWO and len(live) == 1
            return kv * sqrt(3.0) if to_earth else kv
    return 0.0


def coordinates(circuit: Circuit) -> dict[str, tuple[float, float]]:
    """Where the file puts each bus, in the units of the file."""
    found = {}
    for i, name in enumerate(circuit.dss.circuit.buses_names):
        circuit.dss.circuit.set_active_bus_i(i)
        bus = circuit.dss.bus
        if bus.coord_defined:
            x, y = float(bus.x), float(bus.y)
            if isfinite(x) and isfinite(y):
                found[str(name).lower()] = (x, y)
    return found
