"""What all devices have in common: a setpoint held on a lease, a local/remote switch, a fault."""

from __future__ import annotations

from typing import Final

from sim.plant import Verdict

_WIRE_ROUNDING: Final = 1e-6
"""DNP3 carries setpoints as single precision: the rating itself may arrive a hair above it."""
RETURN_S: Final = 300.0
RAMP_S: Final = 300.0
LEASE_OWN_S = 1800.0
"""A device's own reversion time: also a command without a lease does not hold for ever."""


class SetpointHold:
    """The setpoint of one device, in its point's unit.

    Falls back to `default` by itself when the lease runs out. A device that is switched to local
    or faulty takes nothing; going local or faulty also drops what it held.
    """

    def __init__(self, *, default: float, low: float, high: float) -> None:
        self.default = default
        self.low = low
        self.high = high
        self.remote = True
        self.fault = False
        self.opposite = False
        """Wired the wrong way round: confirms the setpoint and does the opposite."""
        self._value = default
        self._since_s = float("-inf")
        self._until_s = float("-inf")

    @property
    def value(self) -> float:
        """The setpoint in force."""
        return self._value

    @property
    def since_s(self) -> float:
        """Grid time of the last change."""
        return self._since_s

    def check(self, value: float) -> Verdict:
        """Whether `value` would be taken now."""
        if self.fault:
            return Verdict.BLOCKED
        if not self.remote:
            return Verdict.LOCAL
        slack = _WIRE_ROUNDING * max(1.0, abs(self.low), abs(self.high))
        if not self.low - slack <= value <= self.high + slack:
            return Verdict.OUT_OF_RANGE
        return Verdict.ACCEPTED

    def take(self, value: float, *, at_s: float, lease_s: float | None) -> Verdict:
        """Take `value` until `at_s + lease_s`, if `check` lets it."""
        verdict = self.check(value)
        if verdict is Verdict.ACCEPTED:
            held_s = LEASE_OWN_S if lease_s is None else min(lease_s, LEASE_OWN_S)
            self._until_s = at_s + max(0.0, held_s)
            self._set(min(max(value, self.low), self.high), at_s)
        return verdict

    def expire(self, at_s: float) -> None:
        """Let time pass: back to the default when the lease is over or the device is not ours."""
        if self._value != self.default and (at_s >= self._until_s or self.fault or not self.remote):
            self._set(self.default, at_s)

    def drop(self) -> None:
        """Whoever set it is gone: the lease is over now."""
        self._until_s = float("-inf")

    def _set(self, value: float, at_s: float) -> None:
        if value != self._value:
            self._since_s = at_s
        self._value = value


class GridTie:
    """An inverter's tie to the grid: off at once, back `RETURN_S` later by a ramp of `RAMP_S`
    (IEEE 1547-2018 §4.10.3 and §4.10.4, default settings)."""

    def __init__(self) -> None:
        self.tripped = False
        """Held off: by a fault, or for want of voltage."""
        self.since_s = float("-inf")
        """Grid time at which the way back began."""

    def share(self, at_s: float) -> float:
        """How much of its rating the inverter may give now, 0 … 1."""
        if self.tripped:
            self.since_s = at_s
            return 0.0
        gone_s = at_s - self.since_s
        if gone_s >= RETURN_S + RAMP_S:
            return 1.0
        return max(0.0, (gone_s - RETURN_S) / RAMP_S)


def ramped(value: float, target: float, *, per_s: float, dt_s: float) -> float:
    """`value` after moving towards `target` at `per_s` for `dt_s`."""
    step = per_s * dt_s
    if abs(target - value) <= step:
        return target
    return value + step if target > value else value - step
