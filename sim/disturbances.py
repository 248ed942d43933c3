"""What lies between the world and those who look at it: sensors that err, devices that disobey."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from sim.fault_kinds import Fault
from sim.plant import Reading

_SPIKE_STREAM: Final = 41
_SPIKE_SHARE: Final = 0.1
_DRIFT_SHARE_PER_H: Final = 0.1
_QUEUE_MAX: Final = 1_000

SENSOR_FAULTS: Final = frozenset(
    {
        Fault.STUCK_SENSOR,
        Fault.DRIFTING_SENSOR,
        Fault.SPIKING_SENSOR,
        Fault.BAD_QUALITY,
        Fault.UNIT_X1000,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SensorFault:
    """One fault of one sensor: since when, from which value on."""

    fault: Fault
    since_s: float
    value: float
    amount: float

    def shown(self, reading: Reading, *, seed: int) -> Reading:
        """What the sensor makes of the truth."""
        match self.fault:
            case Fault.STUCK_SENSOR:
                return replace(reading, value=self.value)
            case Fault.DRIFTING_SENSOR:
                hours = (reading.at_s - self.since_s) / 3600.0
                per_h = self.amount or abs(self.value) * _DRIFT_SHARE_PER_H
                return replace(reading, value=reading.value + per_h * hours)
            case Fault.SPIKING_SENSOR:
                # By the moment, not by the number of looks: all who look see the same.
                word = abs(int(reading.at_s * 1000))
                dice = np.random.default_rng((seed, _SPIKE_STREAM, word)).random()
                times = self.amount if dice < _SPIKE_SHARE else 1.0
                return replace(reading, value=reading.value * times)
            case Fault.BAD_QUALITY:
                return replace(reading, good=False)
            case _:
                return replace(reading, value=reading.value * 1000.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class LateCommand:
    """A command that its device will execute at grid time `due_s`."""

    due_s: float
    point: str
    value: float
    lease_s: float | None


class Disturbances:
    """Faults of sensors by point, and of obedience by device."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self.sensors: dict[str, dict[Fault, SensorFault]] = {}
        self.deaf: set[str] = set()
        self.late_s: dict[str, float] = {}
        self.waiting: list[LateCommand] = []

    def shown(self, point: str, reading: Reading) -> Reading:
        """What is seen of a point whose truth is `reading`."""
        for fault in self.sensors.get(point, {}).values():
            reading = fault.shown(reading, seed=self._seed)
        return reading

    def disturb(self, point: str, fault: Fault, *, truth: Reading, amount: float) -> None:
        """Switch a sensor's fault on."""
        self.sensors.setdefault(point, {})[fault] = SensorFault(
            fault=fault, since_s=truth.at_s, value=truth.value, amount=amount
        )

    def mend(self, point: str, fault: Fault) -> None:
        """Switch it off."""
        faults = self.sensors.get(point, {})
        faults.pop(fault, None)
        if not faults:
            self.sensors.pop(point, None)

    def delay(self, command: LateCommand) -> None:
        """Keep a command for later; the oldest is forgotten when too many wait."""
        self.waiting = [*self.waiting[-(_QUEUE_MAX - 1) :], command]

    def execute_due(self, now_s: float, execute: Callable[[LateCommand], None]) -> None:
        """Execute what is due."""
        if not self.waiting:
            return
        due = [c for c in self.waiting if c.due_s <= now_s]
        self.waiting = [c for c in self.waiting if c.due_s > now_s]
        for command in due:
            execute(command)

    def state(self) -> dict[str, object]:
        """What a checkpoint keeps."""
        return {
            "sensors": [
                [p, f.fault.value, f.since_s, f.value, f.amount]
                for p, faults in self.sensors.items()
                for f in faults.values()
            ],
            "deaf": sorted(self.deaf),
            "late_s": dict(self.late_s),
            "waiting": [[c.due_s, c.point, c.value, c.lease_s] for c in self.waiting],
        }

    def restore(self, state: Mapping[str, object]) -> None:
        """Back to `state`."""
        self.sensors = {}
        for point, fault, since_s, value, amount in state["sensors"]:  # type: ignore[attr-defined]
            self.sensors.setdefault(point, {})[Fault(fault)] = SensorFault(
                fault=Fault(fault), since_s=since_s, value=value, amount=amount
            )
        self.deaf = set(state["deaf"])  # type: ignore[call-overload]
        self.late_s = dict(state["late_s"])  # type: ignore[call-overload]
        self.waiting = [
            LateCommand(due_s=due_s, point=point, value=value, lease_s=lease_s)
            for due_s, point, value, lease_s in state["waiting"]  # type: ignore[attr-defined]
        ]
