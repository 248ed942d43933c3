"""A circuit as the OpenDSS engine holds it, read element by element."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gridctl.model.errors import UnavailableError

Place = tuple[str, int]
"""A bus (lower case) and one of its conductors' numbers; 0 is earth."""
Pole = tuple[int, int]
"""A terminal of an element and one of its conductors, both counted from 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Element:
    """One element: `terminals` are its conductors' places, `siemens` its primitive admittance
    gathered by place, over `places` (earth left out)."""

    name: str
    kind: str
    own: str
    terminals: tuple[tuple[Place, ...], ...]
    places: tuple[Place, ...]
    siemens: NDArray[np.complex128]


class Circuit:
    """The engine's active circuit. Reads only what is enabled."""

    def __init__(self, dss: Any) -> None:
        self.dss = dss
        self.names: tuple[str, ...] = ()

    def read_names(self) -> None:
        """Look up all elements; the engine has them from its first solution on."""
        self.names = tuple(str(n) for n in self.dss.circuit.elements_names)

    def of(self, *kinds: str) -> list[str]:
        """Names of all elements of the classes `kinds` (lower case), as the engine has them."""
        return [n for n in self.names if n.split(".", 1)[0].lower() in kinds]

    def activate(self, name: str) -> bool:
        """Make `name` the engine's active element; whether it is enabled."""
        self.dss.circuit.set_active_element(name)
        return bool(self.dss.cktelement.is_enabled)

    def text(self, name: str, what: str) -> str:
        """A property of an element as the engine prints it."""
        return str(self.dss.text(f"? {name}.{what}")).strip()

    def number(self, name: str, what: str) -> float:
        """A property that is a number; 0.0 where the engine prints none."""
        try:
            return float(self.text(name, what).split()[0])
        except (ValueError, IndexError):
            return 0.0

    def numbers(self, name: str, what: str) -> tuple[float, ...]:
        """A property that is an array of numbers."""
        return tuple(float(part) for part in self.words(name, what))

    def words(self, name: str, what: str) -> tuple[str, ...]:
        """A property that is an array."""
        text = self.text(name, what).strip("[]() ")
        return tuple(text.replace(",", " ").split())

    def open_poles(self, name: str) -> tuple[Pole, ...]:
        """The open ones of an element's poles: terminal and conductor, counted from 1."""
        self.activate(name)
        element = self.dss.cktelement
        return tuple(
            (terminal, pole)
            for terminal in range(1, int(element.num_terminals) + 1)
            if element.is_terminal_open(terminal)
            for pole in range(1, int(element.num_conductors) + 1)
            if element.is_open([terminal, pole])[0]
        )

    def element(self, name: str) -> Element:
        """An enabled element as solved last."""
        self.activate(name)
        active = self.dss.cktelement
        buses = [str(b).split(".")[0].lower() for b in active.bus_names]
        order = [int(n) for n in active.node_order]
        conductors = int(active.num_conductors)
        terminals = tuple(
            tuple((bus, number) for number in order[i * conductors : (i + 1) * conductors])
            for i, bus in enumerate(buses)
        )
        if name.lower().startswith("autotrans.") and len(terminals) > 1:
            # The far end of the series winding is at the common winding's bus; the engine knows
            # it, but prints the near end twice.
            half = conductors // 2
            terminals = (terminals[0][:half] + terminals[1][:half], *terminals[1:])
        flat = [place for terminal in terminals for place in terminal]
        count = len(flat)
        raw = np.asarray(active.y_prim, dtype=np.float64)
        primitive = np.zeros((count, count), dtype=np.complex128)
        if raw.size == 2 * count * count:
            # Column by column; symmetric but for rounding.
            primitive.real = raw[0::2].reshape((count, count)).T
            primitive.imag = raw[1::2].reshape((count, count)).T
        places = tuple(dict.fromkeys(place for place in flat if place[1] > 0))
        gather = np.array([[float(place == end) for end in flat] for place in places])
        gather = gather.reshape((len(places), count))
        kind, own = name.split(".", 1)
        with np.errstate(invalid="ignore", over="ignore"):  # what is no number is told by others
            siemens = gather @ primitive @ gather.T
        return Element(
            name=name,
            kind=kind.lower(),
            own=own.lower(),
            terminals=terminals,
            places=places,
            siemens=siemens,
        )

    def solve(self, *, controls: bool) -> bool:
        """Solve a snapshot; whether it converged."""
        self.dss.text("set mode=snapshot")
        if controls:
            self.dss.text("solve")
        else:
            self.dss.solution.solve_no_control()
        return bool(self.dss.solution.converged)

    def voltages(self) -> dict[Place, complex]:
        """Volts to earth of every node as solved last."""
        flat = np.asarray(self.dss.circuit.buses_volts, dtype=np.float64)
        volts = flat[0::2] + 1j * flat[1::2]
        names = [str(n) for n in self.dss.circuit.nodes_names]
        if len(names) != len(volts):
            raise UnavailableError("the OpenDSS engine has no solution to read")
        found: dict[Place, complex] = {}
        for name, volt in zip(names, volts, strict=True):
            bus, number = name.rsplit(".", 1)
            found[bus.lower(), int(number)] = complex(volt)
        return found
