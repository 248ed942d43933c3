"""What a good operator sees beside the plan: a forecast that is off, a regulator that sticks."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Final

from gridctl.model.network import Feeder
from gridctl.model.planning import Forecast

FADES: Final = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3)
"""How much of what is off now is still off after so many intervals."""
STUCK_AFTER_S: Final = 300.0
"""A relay that has been beyond its band for so long has moved, or its tap changer does not."""
_STILL_BAND_V: Final = 1e3


def nowcast(ahead: Forecast, quantile: float, now_kw: float) -> Forecast:
    """`ahead`, moved to what the head draws now without control: to `now_kw` where that is above
    the forecast at `quantile` or below its median; in between the forecast is right."""
    median_kw, high_kw = ahead.at_quantile(0.5)[0], ahead.at_quantile(quantile)[0]
    off_kw = max(now_kw - high_kw, 0.0) + min(now_kw - median_kw, 0.0)
    count = ahead.horizon.count
    fades = (*FADES, *(FADES[-1:] * count))[:count]
    return replace(
        ahead,
        values_kw=tuple(
            tuple(kw + off_kw * fade for kw, fade in zip(values, fades, strict=True))
            for values in ahead.values_kw
        ),
        paths_kw=(),
    )


class RegulatorWatch:
    """Which regulators are beyond their band and stay there."""

    def __init__(self) -> None:
        self._since_s: dict[str, float] = {}

    def look(self, beyond_v: Mapping[str, float], now_s: float) -> None:
        """`beyond_v`: by how much each regulator's worst relay is beyond its band."""
        for name, volts in beyond_v.items():
            if volts > 0.0:
                self._since_s.setdefault(name, now_s)
            else:
                self._since_s.pop(name, None)

    def stuck(self, now_s: float) -> frozenset[str]:
        """Those that should have moved long ago."""
        return frozenset(n for n, t in self._since_s.items() if now_s - t >= STUCK_AFTER_S)


def held(feeder: Feeder, regulators: Collection[str]) -> Feeder:
    """`feeder` with these regulators where they stand."""
    if not regulators:
        return feeder
    return replace(
        feeder,
        regulators=tuple(
            replace(r, band_v=_STILL_BAND_V) if r.mrid in regulators else r
            for r in feeder.regulators
        ),
    )
