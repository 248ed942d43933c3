"""Whether the machine holds the pace: a mirror that falls behind says so, it does not slur."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Final

log = logging.getLogger(__name__)

_WINDOW: Final = 60
_TELL_EVERY_S: Final = 60.0


class Pace:
    """Counts ticks that came too late; real seconds."""

    def __init__(self, tick_s: float) -> None:
        self._tick_s = tick_s
        self._took_s = 0.0
        self._told_s = float("-inf")
        self._recent = 0
        self.ticks = 0
        self.missed = 0

    def ticked(self, *, now_s: float, took_s: float, missed: int) -> None:
        """A tick took `took_s`; `missed` more were due meanwhile and are skipped."""
        self.ticks += 1
        self.missed += missed
        self._took_s += (took_s - self._took_s) / min(self.ticks, _WINDOW)
        self._recent = _WINDOW if missed else max(0, self._recent - 1)
        if missed and now_s - self._told_s >= _TELL_EVERY_S:
            self._told_s = now_s
            log.warning(
                "the machine does not hold this pace: a tick takes %.2f s and is due each %.2f s; "
                "%d ticks were skipped so far (grid time is right, it moves in larger steps)",
                self._took_s,
                self._tick_s,
                self.missed,
            )

    @property
    def holds(self) -> bool:
        """Whether no tick was skipped of late."""
        return self._recent == 0

    def told(self) -> Mapping[str, Any]:
        """For the instructor's status."""
        return {
            "holds": self.holds,
            "tick_s": self._tick_s,
            "took_s": round(self._took_s, 4),
            "missed": self.missed,
        }
