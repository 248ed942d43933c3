"""Pauses between attempts, spread out: hundreds of links must not fall upon a restarted
communications server in the same instant, nor upon their own host at its start.

Pure: randomness comes in, no clock is read, nothing sleeps.
"""

from __future__ import annotations

from typing import Protocol

FIRST_S = 0.5
CAP_S = 5.0
STAGGER_PER_LINK_S = 0.02
STAGGER_MAX_S = 5.0


class Randomness(Protocol):
    """The one thing that is asked of a source of randomness (`random.Random` has it)."""

    def uniform(self, a: float, b: float, /) -> float: ...


class Backoff:
    """Pauses between attempts: doubled each time up to `cap_s`, each between half and all of it.

    `settled` is told when a connection has been of use; what accepts and closes at once is not.
    """

    def __init__(
        self, *, randomness: Randomness, first_s: float = FIRST_S, cap_s: float = CAP_S
    ) -> None:
        if not 0 < first_s <= cap_s:
            raise ValueError(f"pauses from {first_s:g} s to {cap_s:g} s make no sense")
        self._first_s = first_s
        self._cap_s = cap_s
        self._randomness = randomness
        self._next_s = first_s

    def pause_s(self) -> float:
        """The next pause, in real seconds."""
        pause_s, self._next_s = self._next_s, min(2.0 * self._next_s, self._cap_s)
        return self._randomness.uniform(0.5, 1.0) * pause_s

    def settled(self) -> None:
        """Begin with short pauses again."""
        self._next_s = self._first_s


def start_delays_s(count: int, *, randomness: Randomness) -> list[float]:
    """How long each of `count` links waits before its first attempt, in real seconds.

    One slot a link, jittered within it, all within STAGGER_MAX_S; a single link starts at once.
    """
    slot_s = min(STAGGER_PER_LINK_S, STAGGER_MAX_S / max(1, count))
    return [(i + randomness.uniform(0.0, 1.0)) * slot_s if i else 0.0 for i in range(count)]
