"""What customer systems ask for: a demand event, as a request in our own words.

Wire types of OpenADR live in `gridctl.openadr.wire`; this is what is left of an event when it has
been understood.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class RequestState(StrEnum):
    """Life of a dispatch request."""

    RECEIVED = "received"
    PLANNED = "planned"
    ACTIVE = "active"
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    UNMET = "unmet"


EMERGENCY_PRIORITY = 0
"""The first in order (OpenADR: lower numbers come first): the class of emergencies."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DispatchRequest:
    """A request to reduce the feeder's import by `target_kw` from `start_s` to `end_s` (grid time),
    or, with `export_max_kw`, to export no more than that many kW (`target_kw` is then 0).

    `source` is the client that asked, `event_id` the OpenADR event it came from. `devices`: the
    only resources that may answer it (mRIDs); None: whoever the plan finds.
    """

    mrid: str
    event_id: str
    name: str
    source: str
    start_s: float
    end_s: float
    target_kw: float
    priority: int
    received_s: float
    state: RequestState
    devices: tuple[str, ...] | None = None
    export_max_kw: float | None = None

    @property
    def is_emergency(self) -> bool:
        """Whether it is of the emergency class: who has agreed to it is not given notice."""
        return self.priority <= EMERGENCY_PRIORITY

    @property
    def asked(self) -> str:
        """What it asks for, in words."""
        if self.export_max_kw is not None:
            return f"at most {self.export_max_kw:g} kW of export"
        return f"{self.target_kw:g} kW less import"
