"""The ports to the mind and to the field: the planner in its process, and the line."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol

from gridctl.model.link import UpFrame
from gridctl.model.order import Order
from gridctl.model.planning import Forecast, ForecastTask, PlanningResult, PlanningTask


class Planner(Protocol):
    """The mind, in its own process. Both calls end by their deadline: TIMEOUT is an answer."""

    async def forecast(self, task: ForecastTask, *, deadline_s: float) -> Forecast:
        """Raises UnavailableError when the worker died or did not answer in time."""
        ...

    async def plan(self, task: PlanningTask) -> PlanningResult:
        """Never raises for a hard problem: the result's status and reason say what happened."""
        ...


class FieldLink(Protocol):
    """The office's end of the line. Frames come in order; `connected` is false when it is down."""

    @property
    def connected(self) -> bool: ...

    async def send(self, order: Order) -> None:
        """Sign and send. Raises UnavailableError when the line is down: nothing is queued."""
        ...

    def frames(self) -> AsyncIterator[UpFrame]:
        """Frames from the field, for ever, across reconnects."""
        ...
