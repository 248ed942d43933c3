"""When the cycle runs again: by its period, and at once when planning has become possible."""

from __future__ import annotations

from pathlib import Path

from gridctl.model.planning import SolveStatus
from tests.gridctl.small_site import site, until


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
