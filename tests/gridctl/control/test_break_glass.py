"""One person releases an emergency plan; everybody sees it (SG-11)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from gridctl.model.duty import ManualStep
from gridctl.model.errors import RefusedError
from gridctl.model.plan import PlanState
from gridctl.model.planning import PlanningResult, PlanningTask
from tests.gridctl.control.test_journey import propose, ready, state_of
from tests.gridctl.small_site import ANNE, GUEST, Site, ToyPlanner, site, until

WHY = "feeder head burns, nobody else here"


class Healing(ToyPlanner):
    """Without its plan a limit is broken."""

    async def plan(self, task: PlanningTask) -> PlanningResult:
        result = await super().plan(task)
        check = result.verification
        assert check is not None
        return replace(
            result, verification=replace(check, before=replace(check.before, violations=2))
        )


async def refused(running: Site, code: str, mrid: str, digest: str, **changes: object) -> None:
    said: dict[str, object] = {"shown_digest": digest, "reason": WHY, "person": ANNE, **changes}
    with pytest.raises(RefusedError) as no:
        await running.desk_office.desk.break_glass(mrid, **said)  # type: ignore[arg-type]
    assert no.value.refusal.code == code


async def test_sg11_one_person_releases_an_emergency_and_everybody_sees_it(
    tmp_path: Path,
) -> None:
    async with site(tmp_path) as running:
        running.planner = Healing()
        await ready(running)
        mrid, digest = await propose(running)
        await refused(running, "no_reason", mrid, digest, reason="it burns")
        await refused(running, "plan_changed", mrid, "0" * 64)
        await refused(running, "wrong_role", mrid, digest, person=GUEST)
        assert running.plant.operated == []
        desk = running.desk_office.desk
        view = await desk.break_glass(mrid, shown_digest=digest, reason=WHY, person=ANNE)
        assert view.approvals_needed == 2
        assert [a.by for a in view.stored.approvals] == ["anne"]
        await until(lambda: running.plant.operated, within_s=10, why="it is not released")
        assert await state_of(running, mrid) is PlanState.ACTIVE
        alarms = {a.key: a.priority for a in desk.picture().alarms}
        assert alarms[f"break_glass.{mrid}"] == 1
        (task,) = await running.desk_office.duty.shifts.steps()
        assert isinstance(task.body, ManualStep)
        assert mrid in task.body.instruction
        assert not task.body.closed
        rows = await running.store.audit_rows(limit=60)
        (row,) = [
            r for r in rows if r.entry.action == "plan.break_glass" and r.entry.result == "ok"
        ]
        assert WHY in row.entry.reason


async def test_sg11_a_plan_that_heals_nothing_is_no_emergency(tmp_path: Path) -> None:
    async with site(tmp_path) as running:
        await ready(running)
        mrid, digest = await propose(running)
        await refused(running, "no_emergency", mrid, digest)
        assert running.plant.operated == []
