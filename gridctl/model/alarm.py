"""Alarms (ISA-18.2): three priorities, told by shape, number, colour and text."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class AlarmState(StrEnum):
    """States of an alarm (ISA-18.2). CLEARED_UNACKED: back to normal, nobody has seen it yet."""

    UNACKED = "unacked"
    ACKED = "acked"
    CLEARED_UNACKED = "cleared_unacked"
    NORMAL = "normal"


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """One alarm: what, since when, why, and what the operator should do about it.

    `key` names the condition, so that one condition is one alarm. Priority 1 is highest.
    """

    key: str
    priority: int
    text: str
    response: str
    raised_s: float
    cleared_s: float | None
    acked_by: str | None
    state: AlarmState
