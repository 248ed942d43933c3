"""The port between the simulated world and the protocol servers in front of it.

The world (`sim/world.py`) fulfils it; the DNP3 outstations and the OPC UA server speak it. Tests of
the servers use a small plant of their own that passes the same contract.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a device shows now: value in the point's unit, whether it trusts it, and since when
    (grid time of its last measurement)."""

    value: float
    good: bool
    at_s: float


class Verdict(StrEnum):
    """A device's answer to a command."""

    ACCEPTED = "accepted"
    OUT_OF_RANGE = "out_of_range"
    LOCAL = "local"
    BLOCKED = "blocked"
    NOT_SUPPORTED = "not_supported"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlantPoint:
    """One row of the points file as the mirror needs it (it reads the same CSV as the field).

    `enable`: the output that puts this setpoint in force; "" where it is in force at once.
    """

    mrid: str
    name: str
    equipment: str
    kind: str
    unit: str
    phase: str
    link: str
    address: str
    command: str
    lease: str
    scale: float
    offset: float
    deadband: float
    scan_s: float
    min_value: float | None
    max_value: float | None
    enable: str = ""


class Plant(Protocol):
    """All devices behind the servers."""

    def read(self, point: str) -> Reading:
        """The value of a readable point; KeyError for a point that the plant does not have."""
        ...

    def check(self, point: str, value: float) -> Verdict:
        """What SELECT is answered: whether the device would take the command, nothing moves."""
        ...

    def command(self, point: str, value: float, *, lease_s: float | None) -> Verdict:
        """OPERATE: the device takes the setpoint; it returns to its default by itself when
        `lease_s` (grid seconds) have passed without a new one. Every call is counted."""
        ...

    def revision(self) -> int:
        """Goes up with every tick of the world; servers publish when it has moved."""
        ...
