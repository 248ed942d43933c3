"""What became of every element of a foreign feeder."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Final

from gridctl.model.errors import ConfigError

_NAMED_MAX: Final = 8


class Fate(StrEnum):
    """KEPT: with all that a power flow sees of it. APPROXIMATED: something of it is simpler here.
    REFUSED: it is not in the model. UNUSED: it has no part in a power flow."""

    KEPT = "kept"
    APPROXIMATED = "approximated"
    REFUSED = "refused"
    UNUSED = "unused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One element: `place` is file and line where it is defined, "" when that is not known."""

    element: str
    fate: Fate
    why: str
    place: str


@dataclass(slots=True)
class Report:
    """Everything that was found in a foreign file, in the order in which it was met."""

    source: str
    entries: list[Entry] = field(default_factory=list)
    places: dict[str, str] = field(default_factory=dict)
    """Lower-case name of an element → "file:line"."""

    def add(self, element: str, fate: Fate, why: str = "") -> None:
        """Record the fate of `element` (Class.name)."""
        self.entries.append(Entry(element=element, fate=fate, why=why, place=self.place(element)))

    def place(self, element: str) -> str:
        """Where `element` is defined, "" when that is not known."""
        return self.places.get(element.lower(), "")

    def place_of(self, own: str) -> str:
        """Where the element that the model calls `own` is defined, "" when that is not known."""
        kinds = ("load", "line", "transformer", "generator", "reactor", "capacitor")
        return next((p for kind in kinds if (p := self.place(f"{kind}.{own}"))), self.place(own))

    def counts(self) -> dict[str, int]:
        """Number of elements by fate."""
        found = Counter(entry.fate.value for entry in self.entries)
        return {fate.value: found[fate.value] for fate in Fate}

    def told(self) -> list[Entry]:
        """What a person should read: everything but what was kept as it was or has no part."""
        return [
            e
            for e in self.entries
            if e.fate in (Fate.APPROXIMATED, Fate.REFUSED) or (e.fate is Fate.KEPT and e.why)
        ]


def refused(file: str, problems: list[tuple[str, str]]) -> ConfigError:
    """One error for all `problems` (place, what) of a file; the first ones are named. A place is
    file and line as seen from the folder of `file`, "" for a problem of the whole."""
    named = [(_at(file, place), what) for place, what in problems[:_NAMED_MAX]]
    said = [named[0][1], *(f"{place}: {what}" for place, what in named[1:])]
    more = len(problems) - len(named)
    if more:
        said.append(f"and {more} more")
    return ConfigError("\n  ".join(said), file=named[0][0])


def _at(file: str, place: str) -> str:
    return str(Path(file).parent / place) if place else file
