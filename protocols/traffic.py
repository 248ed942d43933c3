"""What a driver counts on its link, and the round trips of its last requests.

Plain attributes: a driver adds to them where it reads and writes, from one thread; `filled` puts
them into a `LinkHealth`.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field, replace
from itertools import islice
from math import ceil

from gridctl.model.link import DIAGNOSTICS_MAX, LinkHealth

WINDOW = 256
TEXT_MAX = 300


class RoundTrips:
    """The newest `window` round trips of a link, in real seconds."""

    def __init__(self, window: int = WINDOW) -> None:
        if window < 1:
            raise ValueError(f"a window of {window} round trips holds nothing")
        self._window = window
        # Plain doubles: as objects they would be 8 KB of each of hundreds of links.
        self._newest = array("d")
        self._at = 0
        self._last_s: float | None = None

    def add(self, seconds: float) -> None:
        """One more request was answered."""
        self._last_s = seconds
        if len(self._newest) < self._window:
            self._newest.append(seconds)
            return
        self._newest[self._at] = seconds
        self._at = (self._at + 1) % self._window

    @property
    def last_s(self) -> float | None:
        """The newest, None before the first."""
        return self._last_s

    def quantile_s(self, q: float) -> float | None:
        """The smallest one that at least the fraction `q` (0 to 1) does not exceed, or None."""
        if not self._newest:
            return None
        ranked = sorted(self._newest)
        return ranked[max(0, ceil(q * len(ranked)) - 1)]


@dataclass(slots=True, kw_only=True)
class Traffic:
    """Counters of one link since its driver was built; see `LinkHealth` for what each means."""

    bytes_in: int = 0
    bytes_out: int = 0
    frames_in: int = 0
    frames_out: int = 0
    frame_errors: int = 0
    protocol_errors: int = 0
    retries: int = 0
    timeouts: int = 0
    last_error: str = ""
    last_error_s: float | None = None
    round_trips: RoundTrips = field(default_factory=RoundTrips)

    def failed(self, text: str, *, at_s: float) -> None:
        """Remember the newest error, at grid time `at_s`."""
        self.last_error = text[:TEXT_MAX]
        self.last_error_s = at_s

    def filled(self, health: LinkHealth) -> LinkHealth:
        """`health` with everything that is counted here."""
        trips = self.round_trips
        return replace(
            health,
            round_trip_s=trips.last_s if trips.last_s is not None else health.round_trip_s,
            round_trip_p50_s=trips.quantile_s(0.5),
            round_trip_p99_s=trips.quantile_s(0.99),
            bytes_in=self.bytes_in,
            bytes_out=self.bytes_out,
            frames_in=self.frames_in,
            frames_out=self.frames_out,
            frame_errors=self.frame_errors,
            protocol_errors=self.protocol_errors,
            retries=self.retries,
            timeouts=self.timeouts,
            last_error=self.last_error,
            last_error_s=self.last_error_s,
        )


def bounded(health: LinkHealth) -> LinkHealth:
    """`health` as it may travel: texts cut, no more diagnostics than a frame should carry."""
    return replace(
        health,
        detail=health.detail[:TEXT_MAX],
        last_error=health.last_error[:TEXT_MAX],
        diagnostics={
            key[:TEXT_MAX]: text[:TEXT_MAX]
            for key, text in islice(health.diagnostics.items(), DIAGNOSTICS_MAX)
        },
    )
