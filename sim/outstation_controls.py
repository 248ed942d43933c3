"""What a master may command at a simulated outstation, and what the plant says to it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from py1815.control import (
    AnalogOutput,
    CommandStatus,
    ControlRelayOutputBlock,
    OperationType,
    TripCloseCode,
)
from py1815.session import Control

from sim.outstation_image import ObjectKey, OutstationImage, parse_address, to_plant
from sim.plant import Plant, PlantPoint, Verdict

_STATUS = {
    Verdict.ACCEPTED: CommandStatus.SUCCESS,
    Verdict.OUT_OF_RANGE: CommandStatus.OUT_OF_RANGE,
    Verdict.LOCAL: CommandStatus.LOCAL,
    Verdict.BLOCKED: CommandStatus.BLOCKED,
    Verdict.NOT_SUPPORTED: CommandStatus.NOT_SUPPORTED,
}
_ANALOG_OUTPUT, _BINARY_OUTPUT = 40, 10
_ANALOG_COMMAND = 41
_NUL = int(TripCloseCode.NUL)
_PULSE = int(OperationType.PULSE_ON)
_LATCH: Mapping[tuple[int, int], float] = {
    (int(OperationType.LATCH_ON), _NUL): 1.0,
    (int(OperationType.LATCH_OFF), _NUL): 0.0,
}
_CROB_VALUES: Mapping[str, Mapping[tuple[int, int], float]] = {
    "crob-pulse": {(_PULSE, _NUL): 1.0, (int(OperationType.PULSE_OFF), _NUL): 0.0},
    "crob-trip-close": {
        (_PULSE, int(TripCloseCode.CLOSE)): 1.0,
        (_PULSE, int(TripCloseCode.TRIP)): 0.0,
    },
}
"""What each kind of output takes, and as which value; latching where nothing else is said."""


class OutstationControls:
    """Every output of an image, by SELECT and OPERATE (py1815's ControlProvider).

    `reject_select` answers every SELECT with LOCAL; `operates` counts what reached the plant.
    """

    def __init__(self, image: OutstationImage, plant: Plant) -> None:
        self._image = image
        self._plant = plant
        self._leases_s: dict[int, float] = {}
        self._enabled: set[int] = set()
        self._pending: dict[PlantPoint, tuple[float, float | None]] = {}
        self.reject_select = False
        self.operates = 0

    def select(self, controls: Sequence[Control]) -> Sequence[CommandStatus]:
        if self.reject_select:
            return [CommandStatus.LOCAL for _ in controls]
        return [self._judge(control, operate=False) for control in controls]

    def operate(self, controls: Sequence[Control]) -> Sequence[CommandStatus]:
        return [self._judge(control, operate=True) for control in controls]

    def _judge(self, control: Control, *, operate: bool) -> CommandStatus:
        group = _ANALOG_OUTPUT if control.group == _ANALOG_COMMAND else _BINARY_OUTPUT
        key = ObjectKey(group, control.index)
        shown = self._image.outputs.get(key)
        wire = _wire_value(control, "" if shown is None else shown.command)
        if isinstance(wire, CommandStatus):
            return wire
        if group == _ANALOG_OUTPUT and key.index in self._image.leases:
            return self._hold(key, wire, operate=operate)
        if group == _BINARY_OUTPUT and key.index in self._image.enables:
            return self._enable(key, wire != 0.0, operate=operate)
        point = shown
        if point is None:
            return CommandStatus.NOT_SUPPORTED
        value = to_plant(point, wire)
        if not operate:
            return _STATUS[self._plant.check(point.mrid, value)]
        self.operates += 1
        lease_s = self._lease_of(point)
        if point.enable and parse_address(point.enable).index not in self._enabled:
            verdict = self._plant.check(point.mrid, value)
            if verdict is Verdict.ACCEPTED:
                self._pending[point] = value, lease_s
        else:
            verdict = self._plant.command(point.mrid, value, lease_s=lease_s)
        if verdict is Verdict.ACCEPTED:
            self._image.operated(key, wire)
        return _STATUS[verdict]

    def _hold(self, key: ObjectKey, seconds: float, *, operate: bool) -> CommandStatus:
        """A lease point: seconds until the device goes home, for the setpoint written next."""
        if seconds < 0:
            return CommandStatus.OUT_OF_RANGE
        if operate:
            self._leases_s[key.index] = seconds
            self._image.operated(key, seconds)
        return CommandStatus.SUCCESS

    def _enable(self, key: ObjectKey, on: bool, *, operate: bool) -> CommandStatus:
        """The output that puts setpoints in force (IEEE 1815.2 BO17): those that wait for it take
        effect now. Switching it off lets a present setpoint run out with its lease."""
        if not operate:
            return CommandStatus.SUCCESS
        self._image.operated(key, float(on))
        if not on:
            self._enabled.discard(key.index)
            return CommandStatus.SUCCESS
        self._enabled.add(key.index)
        worst = Verdict.ACCEPTED
        for point in self._image.enables[key.index]:
            waiting = self._pending.pop(point, None)
            if waiting is not None:
                value, lease_s = waiting
                verdict = self._plant.command(point.mrid, value, lease_s=lease_s)
                worst = verdict if worst is Verdict.ACCEPTED else worst
        return _STATUS[worst]

    def _lease_of(self, point: PlantPoint) -> float | None:
        """The lease that was written for this setpoint; used up by it."""
        for index, points in self._image.leases.items():
            if point in points:
                return self._leases_s.pop(index, None)
        return None


def _wire_value(control: Control, command: str) -> float | CommandStatus:
    """The number that a command carries, or why it carries none that this device takes. `command`:
    how the point is commanded, as in the points file."""
    match control.command:
        case AnalogOutput(value=value):
            return float(value) if math.isfinite(value) else CommandStatus.OUT_OF_RANGE
        case ControlRelayOutputBlock() as crob:
            if crob.queued:
                return CommandStatus.FORMAT_ERROR
            taken = _CROB_VALUES.get(command.partition(":")[0], _LATCH)
            found = taken.get((int(crob.operation), int(crob.trip_close)))
            if found is None or crob.count != 1:
                return CommandStatus.NOT_SUPPORTED
            return found
