"""Alarms that a device keeps itself, in neutral words, for the drivers whose protocol has them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from protocols.driver import Execution


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceCondition:
    """One alarm as the device shows it. `condition` names it on its link. `severity` 1 to 1000 as
    in OPC 10000-5; `active` and `acknowledged` None where the device has no such state; `at_s`:
    UTC seconds, as the device stamped its last change."""

    condition: str
    source: str
    name: str
    message: str
    severity: int
    active: bool | None
    acknowledged: bool | None
    at_s: float


@runtime_checkable
class ConditionSource(Protocol):
    """A driver whose device keeps alarms; beside `Driver`."""

    def conditions(self) -> Sequence[DeviceCondition] | None:
        """What the device retains now, worst first; None while nobody knows (link down, or not
        told yet): then what was known before stays."""
        ...

    async def acknowledge(self, condition: str, *, comment: str) -> Execution:
        """Acknowledge the condition's present state in the device, once, after a person has
        confirmed it. Never raises an error of the connection."""
        ...


def source_of(driver: object) -> ConditionSource | None:
    """`driver` as a source of conditions, None when its protocol has none."""
    return driver if isinstance(driver, ConditionSource) else None
