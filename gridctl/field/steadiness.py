"""A link that is up most of the time and yet not sound: it keeps breaking, or talks rubbish.

The alarm of a dead link waits until it has been down for a while; a device that is dropped for its
floods and answers at once when it is dialed again would never raise it.
"""

from __future__ import annotations

from collections import deque
from typing import Final

from gridctl.model.link import LinkHealth

WINDOW_S: Final = 60.0
LOSSES_MAX: Final = 3
ERRORS_MAX: Final = 30
"""More than this many in `WINDOW_S` is no accident of a line."""
LOOKS_MAX: Final = 240


class Steadiness:
    """Counters of the links over the last minute, in real monotonic seconds."""

    def __init__(self) -> None:
        self._looks: dict[str, deque[tuple[float, int, int]]] = {}

    def look(self, link: str, health: LinkHealth, mono_s: float) -> str | None:
        """Why `link` is not steady, in words, or None."""
        losses, errors = health.reconnects, health.frame_errors + health.protocol_errors
        looks = self._looks.setdefault(link, deque(maxlen=LOOKS_MAX))
        if looks and (losses < looks[-1][1] or errors < looks[-1][2]):
            looks.clear()  # a driver made anew, which counts from 0
        looks.append((mono_s, losses, errors))
        while looks[0][0] < mono_s - WINDOW_S:
            looks.popleft()
        lost, wrong = losses - looks[0][1], errors - looks[0][2]
        told = []
        if lost > LOSSES_MAX:
            told.append(f"was lost {lost} times")
        if wrong > ERRORS_MAX:
            told.append(f"told {wrong} things that are no protocol")
        if not told:
            return None
        last = f": {health.last_error}" if health.last_error else ""
        return f"{' and '.join(told)} in the last minute{last}"

    def forget(self, link: str) -> None:
        """`link` is not configured any more."""
        self._looks.pop(link, None)
