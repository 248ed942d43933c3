"""Alarms (ISA-18.2): three priorities, told by shape, number, colour and text."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import quote, unquote


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf:
    """An alarm that somebody put aside until `until_s` (grid), and why (SG-28)."""

    key: str
    by: str
    reason: str
    at_s: float
    until_s: float


SYSTEM = (
    "agenda.", "audit", "dispatch.fault", "events.lost", "field.mismatch", "link", "restart",
    "sign_in.", "store", "timestamp", "validation",
)  # fmt: skip
"""How the keys of alarms about gridctl and its lines begin; the others are about the grid."""


def is_system(key: str) -> bool:
    """Whether an alarm belongs into the list of the system, apart from the grid's (SG-30)."""
    return key.startswith(SYSTEM)


PROCESS = "process:"
"""How the key of an alarm begins that a device keeps itself."""


def process_key(link: str, condition: str) -> str:
    """The key of the alarm `condition` that the device behind `link` keeps."""
    return f"{PROCESS}{quote(link, safe='')}:{condition}"


def process_link(key: str) -> str | None:
    """The link whose device keeps the alarm; None for an alarm of gridctl's own."""
    if not key.startswith(PROCESS):
        return None
    return unquote(key.removeprefix(PROCESS).partition(":")[0])
