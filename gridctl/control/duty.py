"""What belongs to a shift beside the plans: modes of areas, handovers, manual steps, tags."""

from __future__ import annotations

from dataclasses import dataclass

from gridctl.control.modes import AreaModes
from gridctl.control.shifts import Shifts
from gridctl.control.tags import TagBook


@dataclass(frozen=True, slots=True, kw_only=True)
class Duty:
    """The parts, as console and API reach them."""

    modes: AreaModes
    shifts: Shifts
    tags: TagBook
