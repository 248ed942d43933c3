"""Planning fails: the last verified plan stands, and people are told which, why and since when."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from gridctl.control.ports import HeldPlan
from gridctl.model.errors import UnavailableError
from gridctl.model.plan import PlanState
from gridctl.model.planning import (
    Forecast,
    ForecastTask,
    PlanningResult,
    PlanningTask,
    SolveStatus,
)
from gridctl.web.plan_views import plan_detail
from tests.gridctl.control.test_journey import RATE, approved, plan_is, propose, ready
from tests.gridctl.small_site import Site, site, until


async def no_forecast(task: ForecastTask, *, deadline_s: float) -> Forecast:
    raise UnavailableError(f"no forecast within {deadline_s:g} s")


def held(running: Site) -> HeldPlan | None:
    view = running.desk_office.cycle.view
    return None if view is None else view.held


async def test_an_active_plan_goes_on_when_the_optimizer_is_gone(tmp_path: Path) -> None:
    async with site(tmp_path, rate=RATE, cycle_s=0.5) as running:
        await ready(running)
        mrid = await approved(running)
        await plan_is(running, mrid, PlanState.ACTIVE, within_s=10)
        running.planner.forecast = no_forecast  # type: ignore[method-assign]
        await until(lambda: held(running) is not None, within_s=15, why="nothing is held")
        found = held(running)
        assert found is not None
        assert found.plan == mrid
        assert found.is_active
        assert "no forecast" in found.reason
        stored = await running.store.plan(mrid)
        assert stored is not None
        assert stored.state in (PlanState.ACTIVE, PlanState.COMPLETED)
        view = await running.desk_office.desk.plan(mrid)
        assert view is not None
        shown = plan_detail(view, running.desk_office.desk.picture())["held"]
        if shown is not None:
            assert shown["plan"] == mrid
            assert shown["reason"] == found.reason


async def test_a_plan_that_waits_still_waits_and_is_named(tmp_path: Path) -> None:
    async with site(tmp_path, rate=RATE, cycle_s=0.5) as running:
        await ready(running)
        mrid, _ = await propose(running)
        running.planner.forecast = no_forecast  # type: ignore[method-assign]
        await until(lambda: held(running) is not None, within_s=15, why="nothing is held")
        found = held(running)
        assert found is not None
        assert (found.plan, found.is_active) == (mrid, False)
        stored = await running.store.plan(mrid)
        assert stored is not None
        assert stored.state is PlanState.PROPOSED


async def test_with_no_plan_to_hold_it_is_said_and_over_when_planning_works(
    tmp_path: Path,
) -> None:
    """Late at first, then with plans that fail their AC check."""
    async with site(tmp_path, rate=RATE, cycle_s=0.5) as running:
        answer = running.planner.plan

        async def unverified(task: PlanningTask) -> PlanningResult:
            result = await answer(task)
            assert result.verification is not None
            check = replace(result.verification, ok=False, reasons=("N1.A falls too low",))
            return replace(result, verification=check)

        def ended_as(status: str) -> Callable[[], bool]:
            return lambda: (v := running.desk_office.cycle.view) is not None and v.status == status

        running.planner.status = SolveStatus.TIMEOUT
        await ready(running)
        await until(ended_as("timeout"), within_s=15, why="planning works")
        found = held(running)
        assert found is not None
        assert found.plan is None
        assert "timeout" in found.reason
        running.planner.status = SolveStatus.OPTIMAL
        running.planner.plan = unverified  # type: ignore[method-assign]
        await until(ended_as("not_verified"), within_s=15, why="it is believed")
        again = held(running)
        assert again is not None
        assert "N1.A falls too low" in again.reason
        assert again.since_s == found.since_s, "since the first failure"
        running.planner.plan = answer  # type: ignore[method-assign]
        await until(lambda: held(running) is None, within_s=15, why="still held")
