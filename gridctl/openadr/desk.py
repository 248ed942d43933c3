"""What the VTN needs of the operator's desk, and what stands there where no feeder is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from gridctl.control.ports import Person, PlanView, ResourceView
from gridctl.model.errors import Refusal, RefusedError
from gridctl.model.planning import Forecast, PlanningTask
from gridctl.model.program import DispatchRequest


class Outlook(Protocol):
    """What is expected of the feeder, and what can be used on it."""

    @property
    def forecast(self) -> Forecast | None: ...

    @property
    def resources(self) -> Sequence[ResourceView]: ...


class DemandDesk(Protocol):
    """The part of `gridctl.control.ports.Desk` that demand events go to."""

    def picture(self) -> Outlook: ...

    async def submit_request(self, request: DispatchRequest, *, person: Person) -> None: ...

    async def cancel_request(self, event_id: str, *, person: Person) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class _Nothing:
    forecast: Forecast | None = None
    resources: Sequence[ResourceView] = ()


class NoFeeder:
    """A desk without a feeder: events are kept and told, and nothing is ever moved."""

    def picture(self) -> Outlook:
        """Nothing is expected, and nothing is there."""
        return _Nothing()

    async def submit_request(self, request: DispatchRequest, *, person: Person) -> None:  # noqa: ARG002
        """Refused, with the reason."""
        raise RefusedError(
            Refusal(code="no_feeder", reasons=("this VTN has no feeder: events are kept only",))
        )

    async def planning_task(self) -> PlanningTask:
        """Refused, with the reason: there is nothing to plan."""
        raise RefusedError(Refusal(code="no_feeder", reasons=("this VTN has no feeder",)))

    async def plans(self, *, limit: int = 50) -> Sequence[PlanView]:  # noqa: ARG002
        """There are none."""
        return ()

    async def cancel_request(self, event_id: str, *, person: Person) -> None:  # noqa: ARG002
        """Nothing was submitted."""
        raise RefusedError(
            Refusal(code="no_such_request", reasons=(f"nothing was asked for by {event_id}",))
        )
