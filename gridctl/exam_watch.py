"""What a good operator sees beside the plan: a regulator that sticks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

STUCK_AFTER_S: Final = 300.0
"""A relay that has been beyond its band for so long has moved, or its tap changer does not."""


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
