"""Which tap changers do not move although their relays ask for it. Pure.

A relay whose reading has been beyond its band for much longer than its delay has sent its tap
changer a step; where the position that is measured is still the same, the tap changer stands still
(motor, drive, control voltage, or somebody has switched it to local). It counts as standing until
its position changes: that it is content again for a while says nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

STILL_AFTER_S: Final = 300.0
"""Grid seconds beyond the band at one position; and at least DELAYS times the relay's delay."""
DELAYS: Final = 4.0
GAP_S: Final = 3_600.0
"""Looks further apart than this do not belong together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RelayReading:
    """What a relay sees now, V on its 120 V base. `beyond_v`: by how much the reading is above
    (positive) or below (negative) its band, 0 inside or where that is not sure; `tap` as measured;
    `phases` that it moves; `is_last`: there is no further step in the direction it asks for."""

    regulator: str
    phases: str
    tap: int
    reading_v: float
    set_v: float
    band_v: float
    beyond_v: float
    delay_s: float
    is_last: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Still:
    """A tap changer that stands still: its relay's reading, and since when it asks (grid)."""

    reading: RelayReading
    since_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asking:
    tap: int
    sign: int
    since_s: float


class TapWatch:
    """The book; `look` at each set of readings."""

    def __init__(self) -> None:
        self._asking: dict[tuple[str, str], _Asking] = {}
        self._still: dict[tuple[str, str], Still] = {}
        self._looked_s: float | None = None

    def look(self, readings: Iterable[RelayReading], now_s: float) -> None:
        """All relays that can be read at `now_s`, grid time."""
        if self._looked_s is not None and now_s - self._looked_s > GAP_S:
            self._asking.clear()
        self._looked_s = now_s
        seen = {(one.regulator, one.phases): one for one in readings}
        for key, one in seen.items():
            was = self._still.get(key)
            if was is not None and was.reading.tap != one.tap:
                del self._still[key]
            sign = (one.beyond_v > 0.0) - (one.beyond_v < 0.0)
            if sign == 0 or one.is_last:
                self._asking.pop(key, None)
                continue
            asks = self._asking.get(key)
            if asks is None or (asks.tap, asks.sign) != (one.tap, sign):
                self._asking[key] = _Asking(tap=one.tap, sign=sign, since_s=now_s)
            elif now_s - asks.since_s >= max(STILL_AFTER_S, DELAYS * one.delay_s):
                since_s = asks.since_s if was is None else min(was.since_s, asks.since_s)
                self._still[key] = Still(reading=one, since_s=since_s)
        for key in self._asking.keys() - seen.keys():
            del self._asking[key]

    def still(self) -> Mapping[str, tuple[Still, ...]]:
        """By regulator, its tap changers that stand still."""
        found: dict[str, tuple[Still, ...]] = {}
        for (regulator, _), one in sorted(self._still.items()):
            found[regulator] = (*found.get(regulator, ()), one)
        return found
