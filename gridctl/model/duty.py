"""What belongs to a shift: its handover, and steps that are done by hand over the telephone."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class DutyKind(StrEnum):
    """What a duty record is."""

    HANDOVER = "handover"
    MANUAL_STEP = "manual step"


@dataclass(frozen=True, slots=True, kw_only=True)
class Handover:
    """A shift is prepared by the one who goes and signed by the one who comes (SG-35).

    `open_items`: one line for each thing that is not finished, as it was when it was prepared.
    `taken_by` "": not signed yet.
    """

    prepared_by: str
    session: str
    at_s: float
    open_items: tuple[str, ...]
    notes: str
    taken_by: str = ""
    taken_at_s: float | None = None
    remarks: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ManualStep:
    """A step by telephone in three fields (SG-36): what was said, what was repeated back, and the
    word that it is done. "" where it has not come yet. `to`: who does it. `closed`: "done", or why
    it was given up."""

    issued_by: str
    to: str
    instruction: str
    issued_at_s: float
    repeat_back: str = ""
    repeated_at_s: float | None = None
    confirmation: str = ""
    confirmed_at_s: float | None = None
    closed: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DutyRecord:
    """A numbered record of either kind."""

    number: int
    body: Handover | ManualStep


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmEvent:
    """What happened to an alarm: "raised", "cleared" or "acked", and by whom."""

    key: str
    priority: int
    what: str
    at_s: float
    by: str
