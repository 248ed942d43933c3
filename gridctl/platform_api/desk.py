"""What the platform API needs of the operator's desk (a part of `gridctl.control.ports.Desk`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from gridctl.control.ports import Person, PlanView
from gridctl.model.planning import PlanningTask
from gridctl.model.program import DispatchRequest


class DispatchDesk(Protocol):
    """Requests go in, plans are looked at; nothing here can approve or move anything."""

    async def submit_request(self, request: DispatchRequest, *, person: Person) -> None: ...

    async def cancel_request(self, event_id: str, *, person: Person) -> None: ...

    async def planning_task(self) -> PlanningTask: ...

    async def plans(self, *, limit: int = 50) -> Sequence[PlanView]: ...
