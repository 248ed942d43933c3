"""Controls of regulators and switched capacitors, with their delays, in grid time.

A regulator looks at the voltage at its load side, takes off the line drop that its compensator
imitates (IEEE C57.15), and steps one tap when the rest has been outside the band for its delay.
One that is fed from behind and has settings for that holds the voltage of its other side.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import Final

from gridctl.model.network import ShuntCapacitor, VoltageRegulator

NEXT_TAP_S: Final = 5.0
_DEAD_V: Final = 60.0
_CAPACITOR_DELAY_S: Final = 60.0
_CAPACITOR_LOCKOUT_S: Final = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseReading:
    """What a regulator's relay sees on one phase: voltage in volts to neutral, current in A."""

    voltage_v: complex
    current_a: complex


def relay_volts(regulator: VoltageRegulator, index: int, seen: PhaseReading) -> float:
    """Compensated relay voltage of phase number `index`, on the 120 V base."""
    drop = complex(regulator.ldc_r_v[index], regulator.ldc_x_v[index])
    return abs(seen.voltage_v / regulator.pt_ratio - drop * seen.current_a / regulator.ct_primary_a)


class RegulatorControl:
    """One tap changer's relay. A ganged regulator has one for all phases, the others one each.
    `turned`: it is fed from behind."""

    def __init__(self, regulator: VoltageRegulator, phases: str, *, turned: bool = False) -> None:
        self.regulator = regulator
        self._reverse = regulator.reverse if turned else None
        self.phases = phases
        self.index = regulator.phases.index(phases[0])
        self.tap = regulator.taps[self.index]
        self.stuck = False
        self._outside_s = 0.0
        self._last_step = 0

    def off_v(self, seen: PhaseReading) -> float:
        """What the relay's voltmeter shows above its set voltage."""
        return self._seen_v(seen) - self._set_v

    @property
    def place(self) -> str:
        """The node where it measures."""
        return self.regulator.to_node if self._reverse is None else self.regulator.from_node

    @property
    def band_v(self) -> float:
        """Width of its band."""
        return self.regulator.band_v if self._reverse is None else self._reverse.band_v

    @property
    def _set_v(self) -> float:
        r = self.regulator
        return r.vreg_v[self.index] if self._reverse is None else self._reverse.vreg_v

    def _seen_v(self, seen: PhaseReading) -> float:
        if self._reverse is not None:
            return abs(seen.voltage_v / self.regulator.pt_ratio)
        return relay_volts(self.regulator, self.index, seen)

    def wanted(self, seen: PhaseReading) -> int:
        """The step the relay asks for now: -1, 0 or 1 tap, never past the end."""
        r = self.regulator
        seen_v = self._seen_v(seen)
        if self.stuck or seen_v < _DEAD_V:
            return 0  # a relay without supply does nothing
        error_v = seen_v - self._set_v
        if abs(error_v) <= self.band_v / 2:
            return 0
        # Fed from behind, the voltage that it holds falls as the tap rises.
        step = -1 if (error_v > 0) == (self._reverse is None) else 1
        return step if r.tap_min <= self.tap + step <= r.tap_max else 0

    def step(self, seen: PhaseReading, *, dt_s: float) -> bool:
        """Let `dt_s` pass; True when the tap has moved."""
        wanted = self.wanted(seen)
        if wanted == 0:
            self._outside_s, self._last_step = 0.0, 0
            return False
        self._outside_s += dt_s
        # Once it moves, it goes on at the mechanism's pace until the relay is content.
        due_s = NEXT_TAP_S if self._last_step == wanted else self.regulator.delay_s
        if self._outside_s < due_s:
            return False
        self._outside_s, self._last_step = 0.0, wanted
        self.tap += wanted
        return True


class CapacitorControl:
    """Voltage control of a bank: open when high, closed when low, with a lockout.

    ValueError for a bank that has no limits to switch at.
    """

    def __init__(self, bank: ShuntCapacitor) -> None:
        if bank.open_above_pu is None or bank.close_below_pu is None:
            raise ValueError(f"{bank.mrid} has no voltage control")
        self.bank = bank
        self._open_above_pu, self._close_below_pu = bank.open_above_pu, bank.close_below_pu
        self.closed = bank.is_closed
        self._outside_s = 0.0
        self._locked_s = 0.0

    def step(self, mean_pu: float, *, dt_s: float) -> bool:
        """Let `dt_s` pass at the mean voltage of its phases; True when it has switched."""
        self._locked_s = max(0.0, self._locked_s - dt_s)
        high = self.closed and mean_pu > self._open_above_pu
        low = not self.closed and mean_pu < self._close_below_pu
        self._outside_s = self._outside_s + dt_s if high or low else 0.0
        if self._outside_s < _CAPACITOR_DELAY_S or self._locked_s > 0:
            return False
        self.closed = not self.closed
        self._outside_s, self._locked_s = 0.0, _CAPACITOR_LOCKOUT_S
        return True


def nominal_v(nominal_kv: float) -> float:
    """Volts to neutral of a node's nominal line to line voltage."""
    return nominal_kv * 1e3 / sqrt(3)
