"""Measured places without voltage, told as one alarm: a breaker, a fuse or a line is open.

A good reading of next to nothing is news, not an error (`gridctl.control.plausibility` lets it
pass). Planning does not know of it: the network model has the feeder as it is normally switched.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Protocol

from gridctl.control.alarms import AlarmBook, Condition
from gridctl.model.clock import Clock
from gridctl.model.measurement import Point, Snapshot
from gridctl.model.quantity import Unit

KEY: Final = "supply"
LOOK_S: Final = 1.0
DELAY_S: Final = 3.0
"""Real seconds for which it must last before it is an alarm: a recloser may be faster."""
NAMED_MAX: Final = 6


class Image(Protocol):
    """What of the process image is looked at."""

    @property
    def points(self) -> Mapping[str, Point]: ...

    def snapshot(self) -> Snapshot: ...


class SupplyWatch:
    """`look` as often as you like; it works once a second. `dead_below_pu`: a good voltage below it
    is none."""

    def __init__(
        self, *, image: Image, alarms: AlarmBook, clock: Clock, dead_below_pu: float
    ) -> None:
        self._image = image
        self._alarms = alarms
        self._clock = clock
        self._dead_below_pu = dead_below_pu
        self._looked_mono_s = float("-inf")
        self._since_mono_s: float | None = None
        self._greeted: Mapping[str, Point] | None = None
        self._volts: list[Point] = []
        self._dead: dict[str, bool] = {}
        """By point, as it was heard last; a place that is not heard stays what it was."""

    async def look(self) -> None:
        """Look at all voltages, and keep the alarm."""
        mono_s = self._clock.monotonic_s()
        if mono_s - self._looked_mono_s < LOOK_S:
            return
        self._looked_mono_s = mono_s
        self._greet()
        snapshot = self._image.snapshot()
        for point in self._volts:
            measured = snapshot.good(point.mrid)
            if measured is not None:
                self._dead[point.mrid] = measured.value < self._dead_below_pu
        if not self._dead:
            return
        if not any(self._dead.values()):
            self._since_mono_s = None
            await self._alarms.cleared(KEY)
            return
        if self._since_mono_s is None:
            self._since_mono_s = mono_s
        if mono_s - self._since_mono_s >= DELAY_S:
            await self._alarms.raised(self._condition())

    def _greet(self) -> None:
        points = self._image.points
        if points is self._greeted:
            return
        self._greeted = points
        self._volts = [p for p in points.values() if p.unit is Unit.VOLT_PU]
        known = {p.mrid for p in self._volts}
        self._dead = {mrid: dead for mrid, dead in self._dead.items() if mrid in known}

    def _condition(self) -> Condition:
        live: dict[str, list[str]] = {}
        dead: dict[str, list[str]] = {}
        for point in self._volts:
            if point.mrid in self._dead:
                side = dead if self._dead[point.mrid] else live
                side.setdefault(point.equipment, []).append(str(point.phase))
        if not live:
            text = f"no voltage on the feeder: all {len(dead)} measured places are dark"
        else:
            named = [
                f"{place} (phase {', '.join(phases)})" if place in live else place
                for place, phases in dead.items()
            ]
            more = f" and {len(named) - NAMED_MAX} more" if len(named) > NAMED_MAX else ""
            text = (
                f"no voltage at {', '.join(named[:NAMED_MAX])}{more}, "
                f"of {len(live.keys() | dead.keys())} measured places"
            )
        return Condition(
            key=KEY,
            priority=1,
            text=text,
            response="a breaker, a fuse or a line is open: find out which before anything is "
            "switched, and approve nothing that counts on devices behind it",
        )
