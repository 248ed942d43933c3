"""When the cycle runs again: by its period, and at once when planning has become possible."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from gridctl.model.planning import Forecast, ForecastTask, SolveStatus
from gridctl.model.program import DispatchRequest, RequestState
from tests.gridctl.small_site import ToyPlanner, site, until


async def test_a_start_before_the_field_is_there_does_not_cost_a_whole_cycle(
    tmp_path: Path,
) -> None:
    """The period is an hour; the field comes after the first step."""
    async with site(tmp_path, cycle_s=3_600.0, retry_s=0.5) as running:
        office = running.start_office()
        await until(
            lambda: office.cycle.view is not None and office.cycle.view.status == "blocked",
            within_s=5,
            why="the first step is not blocked",
        )
        running.start_field()
        await until(
            lambda: office.cycle.view is not None and office.cycle.view.status == "optimal",
            within_s=15,
            why=f"it ended as {office.cycle.view}",
        )


async def test_a_step_with_nobody_who_may_be_used_is_made_again_soon(tmp_path: Path) -> None:
    """At the start devices are heard of one after the other."""
    async with site(tmp_path, cycle_s=3_600.0, retry_s=0.5) as running:
        running.planner.nobody = "nothing was heard of it"
        running.planner.status = SolveStatus.INFEASIBLE
        running.start_field()
        office = running.start_office()
        await until(
            lambda: office.cycle.view is not None and office.cycle.view.status == "infeasible",
            within_s=15,
            why="the first step could use somebody",
        )
        running.planner.nobody = ""
        running.planner.status = SolveStatus.OPTIMAL
        await until(
            lambda: office.cycle.view is not None and office.cycle.view.status == "optimal",
            within_s=15,
            why=f"it ended as {office.cycle.view}",
        )


class SlowForecaster(ToyPlanner):
    """While it forecasts for half a second, something happens."""

    def __init__(self, meanwhile: Callable[[], Awaitable[None]]) -> None:
        super().__init__()
        self._meanwhile = meanwhile

    async def forecast(self, task: ForecastTask, *, deadline_s: float) -> Forecast:
        await asyncio.sleep(0.5)
        await self._meanwhile()
        return await super().forecast(task, deadline_s=deadline_s)


async def test_what_is_asked_during_the_forecast_is_in_the_plan_and_does_not_void_it(
    tmp_path: Path,
) -> None:
    """Ten grid seconds pass while it forecasts; a plan as old as the step's beginning would have
    been made before the request that it answers, and be void at the next step."""
    async with site(tmp_path, rate=20.0, cycle_s=3_600.0, retry_s=0.5) as running:

        async def asks() -> None:
            now_s = running.clock.now_s()
            event = DispatchRequest(
                mrid="R-0", event_id="R", name="R", source="utility", start_s=now_s,
                end_s=now_s + 600.0, target_kw=50.0, priority=1, received_s=now_s,
                state=RequestState.RECEIVED,
            )  # fmt: skip
            async with running.store.transaction() as unit:
                await unit.put_request(event)

        running.planner = SlowForecaster(asks)
        running.start_field()
        office = running.start_office()
        await until(
            lambda: office.cycle.proposed is not None, within_s=15, why=f"{office.cycle.view}"
        )
        proposed = office.cycle.proposed
        assert proposed is not None
        assert proposed.plan.requests == ("R-0",)
        (request,) = await running.store.requests()
        assert request.received_s <= proposed.plan.created_s
        view = await office.cycle.step(running.clock.now_s())
        assert view.status == "waiting", view.reason
