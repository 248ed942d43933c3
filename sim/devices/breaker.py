"""A breaker or switch with a motor: it takes its operating time, and may be at local or faulty."""

from __future__ import annotations

from sim.fleet_units import BreakerSite
from sim.plant import Verdict

OPEN, CLOSED = 0.0, 1.0


class BreakerLatch:
    """The command side: 1 closes, 0 opens. A breaker keeps its position: no lease, no default."""

    def __init__(self) -> None:
        self.remote = True
        self.fault = False
        self.value = CLOSED
        self.since_s = float("-inf")

    def check(self, value: float) -> Verdict:
        """Whether `value` would be taken now."""
        if self.fault:
            return Verdict.BLOCKED
        if not self.remote:
            return Verdict.LOCAL
        return Verdict.ACCEPTED if value in (OPEN, CLOSED) else Verdict.OUT_OF_RANGE

    def take(self, value: float, *, at_s: float, lease_s: float | None) -> Verdict:  # noqa: ARG002
        """Take `value`, if `check` lets it."""
        verdict = self.check(value)
        if verdict is Verdict.ACCEPTED and value != self.value:
            self.value, self.since_s = value, at_s
        return verdict

    def drop(self) -> None:
        """A breaker stays where it is, whoever is gone."""


class BreakerDevice:
    """One switch of the feeder."""

    def __init__(self, site: BreakerSite) -> None:
        self.site = site
        self.hold = BreakerLatch()
        self.position = CLOSED
        self.operations = 0

    def step(self, *, at_s: float) -> bool:
        """Let time pass; True when it has moved now."""
        if self.position == self.hold.value or at_s - self.hold.since_s < self.site.operating_s:
            return False
        self.position = self.hold.value
        self.operations += 1
        return True
