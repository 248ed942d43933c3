"""What batteries give of what they confirm.

A confirmed setpoint is not power: hot cells halve a battery's, and its feedback still shows what it
was told. Once devices have had the time to follow, one that gives less is counted for no more than
it gives, in plans as in the reduction that is added back to the head. It is tried again when that
was last seen `KEPT_S` ago. Loads, PV and generators say themselves what is available.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from gridctl.model.resource import Battery, Resource

KEPT_S: Final = 3_600.0
"""Grid seconds: cells need about so long to cool."""
FOLLOWS_SHARE: Final = 0.9
SAME_SHARE: Final = 0.05
NOISE_SHARE: Final = 0.02
"""Of the rating: a smaller setpoint is not judged."""
EDGE_PCT: Final = 1.0
"""This near to an end of its charge a battery gives less because of that, which a plan knows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What a battery shows: `setpoint_kw` confirmed and `power_kw`, both positive discharging."""

    setpoint_kw: float
    power_kw: float
    soc_pct: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """The last time that it gave less than it confirmed: how much, of what."""

    kw: float
    asked_kw: float
    at_s: float

    def again(self, kw: float, asked_kw: float, at_s: float) -> _Seen:
        """Short once more. Where it gives the same share of less, it is no ceiling that has come
        down but a scale that is off: what it gave stays, or it would shrink plan by plan."""
        share, was = kw / asked_kw, self.kw / self.asked_kw
        if asked_kw <= self.kw / FOLLOWS_SHARE and abs(share - was) < SAME_SHARE:
            return _Seen(kw=self.kw, asked_kw=self.asked_kw, at_s=at_s)
        return _Seen(kw=kw, asked_kw=asked_kw, at_s=at_s)


class Delivery:
    """The book: `look` at what is measured, then ask."""

    def __init__(self, resources: Sequence[Resource]) -> None:
        self._batteries = {r.mrid: r for r in resources if isinstance(r, Battery)}
        self._seen: dict[str, _Seen] = {}
        self._share: dict[str, float] = {}

    @property
    def watched(self) -> tuple[Battery, ...]:
        """Those that are looked at."""
        return tuple(self._batteries.values())

    def look(self, given: Mapping[str, Given], *, now_s: float) -> None:
        """Devices have had the time to follow; `given` by mrid, only where all of it is good."""
        self._share = {}
        for mrid, shown in given.items():
            battery = self._batteries[mrid]
            asked_kw = abs(shown.setpoint_kw)
            if asked_kw <= NOISE_SHARE * battery.rating_kw:
                continue
            last = self._seen.get(mrid)
            along = shown.power_kw * shown.setpoint_kw > 0.0
            kw = abs(shown.power_kw) if along else 0.0
            if kw < FOLLOWS_SHARE * asked_kw:
                self._share[mrid] = kw / asked_kw
                if not _at_an_end(battery, shown):
                    self._seen[mrid] = (
                        _Seen(kw=kw, asked_kw=asked_kw, at_s=now_s)
                        if last is None
                        else last.again(kw, asked_kw, now_s)
                    )
            elif last is not None and kw > last.kw / FOLLOWS_SHARE:
                del self._seen[mrid]

    def at_most_kw(self, now_s: float) -> dict[str, float]:
        """What a plan may count on, kW by mrid, of those that gave less than they confirmed."""
        return {mrid: seen.kw for mrid, seen in self._seen.items() if now_s - seen.at_s < KEPT_S}

    def share(self, mrid: str) -> float:
        """How much of its confirmed setpoint flowed at the last look, 0 … 1."""
        return self._share.get(mrid, 1.0)


def _at_an_end(battery: Battery, shown: Given) -> bool:
    if shown.setpoint_kw > 0.0:
        return shown.soc_pct <= battery.soc_min_pct + EDGE_PCT
    return shown.soc_pct >= battery.soc_max_pct - EDGE_PCT
