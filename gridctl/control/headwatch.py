"""The head's power held against its own currents: a transducer that drifts is told as an alarm.

Three currents cannot carry more than |P + jQ| = sum(V I), whatever their phases are; and where
they are large, power far below that is no power factor but a meter that is wrong. The voltage at
the head is taken as anything a substation may hold. Which of them errs, people find out: nothing is
corrected.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final

from gridctl.control.alarms import AlarmBook, Condition
from gridctl.control.supplywatch import Image
from gridctl.model.clock import Clock
from gridctl.model.measurement import Point
from gridctl.model.quantity import Phase, Unit

KEY: Final = "head.currents"
LOOK_S: Final = 1.0
DELAY_S: Final = 10.0
"""Real seconds for which it must last: what belongs to one moment comes in several messages."""
VOLTAGE_PU: Final = (0.9, 1.1)
ERROR_SHARE: Final = 0.03
"""Of each side: transducers of class 0.5 with transformers of class 1, and their deadbands."""
LOADED_SHARE: Final = 0.5
"""Of the limit that the currents must carry before too little power is told: below it, phases that
export and phases that import may cancel."""
_PHASES: Final = (Phase.A, Phase.B, Phase.C)


class HeadWatch:
    """`look` as often as you like; it works once a second. `head_point`: of the import, kW; kvar
    and the three currents are known by its equipment, and without all three there is nothing to
    hold it against. `nominal_kv`: line to line, where they are measured."""

    def __init__(
        self,
        *,
        head_point: str,
        nominal_kv: float,
        limit_kw: float,
        image: Image,
        alarms: AlarmBook,
        clock: Clock,
    ) -> None:
        self._head = head_point
        self._nominal_kv = nominal_kv
        self._limit_kw = limit_kw
        self._image = image
        self._alarms = alarms
        self._clock = clock
        self._looked_mono_s = float("-inf")
        self._since_mono_s: float | None = None

    async def look(self) -> None:
        """Look at the head, and keep the alarm. A value that is not good leaves it as it is."""
        mono_s = self._clock.monotonic_s()
        if mono_s - self._looked_mono_s < LOOK_S:
            return
        self._looked_mono_s = mono_s
        values = self._values(self._image.points)
        if values is None:
            return
        kw, kvar, amps = values
        text = contradiction(
            kw, kvar, amps, nominal_kv=self._nominal_kv, loaded_kva=LOADED_SHARE * self._limit_kw
        )
        if text is None:
            self._since_mono_s = None
            await self._alarms.cleared(KEY)
            return
        if self._since_mono_s is None:
            self._since_mono_s = mono_s
        if mono_s - self._since_mono_s >= DELAY_S:
            await self._alarms.raised(_condition(text))

    def _values(self, points: Mapping[str, Point]) -> tuple[float, float, Sequence[float]] | None:
        """(kW, kvar, A of each phase); None unless all are known and good."""
        if self._head not in points:
            return None
        equipment = points[self._head].equipment
        at_head = [p for p in points.values() if p.equipment == equipment]
        amps = {p.phase: p.mrid for p in at_head if p.unit is Unit.AMPERE}
        kvar = [p.mrid for p in at_head if p.unit is Unit.KVAR]
        if len(kvar) != 1 or any(phase not in amps for phase in _PHASES):
            return None
        snapshot = self._image.snapshot()
        found = [snapshot.good(mrid) for mrid in (self._head, kvar[0], *(amps[p] for p in _PHASES))]
        known = [one.value for one in found if one is not None]
        return (known[0], known[1], known[2:]) if len(known) == len(found) else None


def contradiction(
    kw: float, kvar: float, amps: Sequence[float], *, nominal_kv: float, loaded_kva: float
) -> str | None:
    """How power (kW, kvar, import positive) and the currents of the three phases (A) contradict
    each other, in words; None: they do not. Too little power is told from `loaded_kva` on."""
    told_kva = math.hypot(kw, kvar)
    nominal_kva = nominal_kv / math.sqrt(3.0) * sum(amps)
    least_kva, most_kva = (nominal_kva * pu for pu in VOLTAGE_PU)
    if told_kva * (1.0 - ERROR_SHARE) > most_kva * (1.0 + ERROR_SHARE):
        side = f"carry no more than {most_kva:.0f} kVA"
    elif told_kva * (1.0 + ERROR_SHARE) < least_kva * (1.0 - ERROR_SHARE) >= loaded_kva:
        side = f"carry at least {least_kva:.0f} kVA"
    else:
        return None
    shown = ", ".join(f"{ampere:.0f}" for ampere in amps)
    return f"the head shows {kw:.0f} kW, its currents ({shown} A) {side}"


def _condition(text: str) -> Condition:
    return Condition(
        key=KEY,
        priority=1,
        text=text,
        response="one of the meters is wrong: ask the substation which, and approve nothing that "
        "is planned on the head's power until it is known",
    )
