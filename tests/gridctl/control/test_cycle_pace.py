"""When the cycle runs again: by its period, and at once when planning has become possible."""

from __future__ import annotations

from pathlib import Path

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
