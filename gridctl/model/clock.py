"""Time as an argument.

Two times, never mixed:

- *grid time* (`now_s`): UTC seconds since the epoch, in which measurements, intervals, events and
  leases live. In production it is the system clock; in the simulator it may run faster.
- *monotonic time* (`monotonic_s`): real seconds that no clock step moves, in which deadlines,
  staleness, select windows and the life of an approval live.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol


class Clock(Protocol):
    """What every part that needs time is given."""

    def now_s(self) -> float:
        """Grid time, UTC seconds since 1970-01-01."""
        ...

    def monotonic_s(self) -> float:
        """Real seconds since an arbitrary start; never steps back."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ScaledClock:
    """Grid time that runs `rate` times as fast as a real clock, from an agreed anchor.

    All processes of one pilot share `anchor_real_s`, `anchor_grid_s` and `rate`, so they agree
    without talking. `real_s` and `real_monotonic_s` are passed in: the model reads no clock.
    """

    anchor_real_s: float
    anchor_grid_s: float
    rate: float
    real_s: Callable[[], float]
    real_monotonic_s: Callable[[], float]

    def now_s(self) -> float:
        return self.anchor_grid_s + self.rate * (self.real_s() - self.anchor_real_s)

    def monotonic_s(self) -> float:
        return self.real_monotonic_s()


@dataclass(slots=True)
class ManualClock:
    """A clock that tests and replays move by hand."""

    grid_s: float = 0.0
    mono_s: float = 0.0

    def now_s(self) -> float:
        return self.grid_s

    def monotonic_s(self) -> float:
        return self.mono_s

    def advance(self, seconds: float) -> None:
        """Let both times pass."""
        self.grid_s += seconds
        self.mono_s += seconds
