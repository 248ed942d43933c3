"""The plan that is being carried out, how far it is, and how it ends."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from gridctl.control.judge import Promise
from gridctl.control.planrecord import OpenPlan
from gridctl.model.measurement import Snapshot
from gridctl.model.plan import PlanState


class Halt(Exception):  # noqa: N818 - not an error: how a plan ends
    """Ends the active plan in `state`."""

    def __init__(self, *, state: PlanState, reason: str) -> None:
        super().__init__(reason)
        self.state = state
        self.reason = reason


@dataclass(slots=True, kw_only=True)
class Run:
    """The active plan and how far it is."""

    chosen: OpenPlan
    before: Snapshot
    began_s: float
    number: int = 1
    batch: int = 0
    ordered_kw: float = 0.0
    sent: int = 0
    failed: int = 0
    sent_mono_s: float = float("-inf")
    roll_back: bool = False
    given_up: set[str] = field(default_factory=set)
    releasing: bool = False
    halt: Halt | None = None
    promise: Promise | None = None
    judging: asyncio.Task[None] | None = None

    def check_halt(self) -> None:
        """Raises Halt when somebody or something has ended the plan."""
        if self.halt is not None:
            raise self.halt
