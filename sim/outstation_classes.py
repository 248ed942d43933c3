"""Event classes of a simulated outstation's points: as it comes, and as a master assigns them.

Contacts come in class 1, analogs in class 2, frozen counters in class 3; running counters are only
polled. `variations.csv` says otherwise for single points; ASSIGN CLASS (function 22) does until the
device restarts, as devices forget it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Final

from py1815 import UnknownObject
from py1815.application import ObjectHeader
from py1815.events import EventClass
from py1815.session import ParameterError

from sim.outstation_forms import ANALOG, BINARY, COUNTER, DOUBLE, FROZEN, PointForm
from sim.outstation_image import ObjectKey, OutstationImage

AS_IT_COMES: Final[Mapping[int, int]] = {BINARY: 1, DOUBLE: 1, ANALOG: 2, COUNTER: 0, FROZEN: 3}
"""Class of each group's events; 0: none."""


class EventClasses:
    """Which class a point's events are told in."""

    def __init__(self, image: OutstationImage, forms: Mapping[ObjectKey, PointForm]) -> None:
        self._image = image
        self._given: dict[ObjectKey, int] = {
            key: form.event_class for key, form in forms.items() if form.event_class is not None
        }

    def of(self, key: ObjectKey) -> EventClass | None:
        """The class of a point's events; None where it has none."""
        found = self._given.get(key, AS_IT_COMES.get(key.group, 0))
        return EventClass(found) if found else None

    def assign(self, headers: Sequence[ObjectHeader]) -> None:
        """What ASSIGN CLASS names: a class, and after it the objects that get it.

        Nothing is changed when something cannot be: UnknownObject for objects that have no events,
        ParameterError for indices that are not there, or no class before the objects.
        """
        assigned: dict[ObjectKey, int] = {}
        wanted: int | None = None
        for header in headers:
            if header.event_class is not None:
                wanted = header.event_class
                continue
            if wanted is None:
                raise ParameterError("objects without a class before them")
            if header.group not in AS_IT_COMES or header.variation:
                raise UnknownObject(f"g{header.group}v{header.variation} has no class to assign")
            assigned |= {ObjectKey(header.group, i): wanted for i in self._named(header)}
        if not assigned:
            raise ParameterError("nothing is named")
        self._given |= assigned

    def _named(self, header: ObjectHeader) -> Collection[int]:
        """A frozen counter can be named before it has been frozen."""
        group = COUNTER if header.group == FROZEN else header.group
        return self._image.named(header, group)
