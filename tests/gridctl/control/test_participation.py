"""Opt-outs hold at the desk, and a dispatch that is withdrawn lets its devices go."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import cast

from gridctl.control.activity import Activity
from gridctl.control.participation import Participation
from gridctl.control.ports import Store
from gridctl.model.clock import ManualClock
from gridctl.model.enrolment import Terms, Window
from gridctl.model.plan import Plan, PlanState
from gridctl.model.planning import PlanningResult, PlanningTask, Setpoint, SolveStatus
from gridctl.model.program import DispatchRequest, RequestState
from gridctl.model.record import AuditEntry
from gridctl.store.platform import PlatformObject
from optimizer.unplanned import no_plan
from tests.gridctl.control.test_journey import approved, plan_is, propose, ready
from tests.gridctl.small_site import ANNE, SHED_KW, Site, ToyPlanner, site, until
from tests.optimizer.small import HOUR_S, group, hourly_task


async def opt_out(running: Site, device: str, *, why: str = "opted out of R: the pump") -> None:
    """As the platform API writes it."""
    now_s = running.store.clock.now_s()
    terms = Terms(
        id="PAR-1", device=device, windows=(Window(start_s=0.0, end_s=now_s + 1e6, reason=why),)
    )
    one = PlatformObject(
        kind="participation", id="PAR-1", parent="DSP-1", name="RES-1", client_id="", version=1,
        created_s=now_s, modified_s=now_s, body={},
    )  # fmt: skip
    entry = AuditEntry(
        at_s=now_s, who="ven", session="", source="", role="ven", action="test", object="PAR-1",
        before="", after="", reason=why, plan_digest="", result="done",
    )  # fmt: skip
    await running.store.platform.add([one], entry=entry, terms={"PAR-1": terms})


async def test_sg27_who_opts_out_is_in_no_plan_and_the_plan_says_why(tmp_path: Path) -> None:
    async with site(tmp_path) as running:
        await ready(running)
        desk = running.desk_office.desk
        first, _ = await propose(running)
        await opt_out(running, "LG1")
        second, _ = await propose(running)
        stored = await running.store.plan(first)
        assert stored is not None
        assert stored.state is PlanState.VOID
        assert "LG1: opted out of R: the pump" in stored.reason
        shown = await desk.plan(second)
        assert shown is not None
        used = {s.resource for s in shown.stored.plan.result.setpoints}
        assert used == set(SHED_KW) - {"LG1"}
        views = {r.resource.mrid: r.excluded for r in desk.picture().resources}
        assert views["LG1"] == "opted out of R: the pump"


def request(running: Site) -> DispatchRequest:
    now_s = running.store.clock.now_s()
    return DispatchRequest(
        mrid="DSP-1", event_id="DSP-1", name="hot", source="bl", start_s=now_s,
        end_s=now_s + 7_200.0, target_kw=50.0, priority=1, received_s=now_s,
        state=RequestState.RECEIVED,
    )  # fmt: skip


class CalmPlanner(ToyPlanner):
    """The feeder needs nothing for itself: its import is below the limit without any plan."""

    async def plan(self, task: PlanningTask) -> PlanningResult:
        result = await super().plan(task)
        return replace(result, head_before_kw=tuple(kw / 2 for kw in result.head_before_kw))


async def test_a_withdrawn_dispatch_ends_the_plan_that_answers_nothing_else(
    tmp_path: Path,
) -> None:
    async with site(tmp_path) as running:
        running.planner = CalmPlanner()
        await ready(running)
        desk = running.desk_office.desk
        await desk.submit_request(request(running), person=ANNE)
        mrid = await approved(running)
        await plan_is(running, mrid, PlanState.ACTIVE, within_s=8)
        await desk.cancel_request("DSP-1", person=ANNE)
        await plan_is(running, mrid, PlanState.COMPLETED, within_s=8)
        stored = await running.store.plan(mrid)
        assert stored is not None
        assert stored.reason == "every dispatch that it answers was withdrawn"


async def test_a_changed_dispatch_is_planned_anew(tmp_path: Path) -> None:
    async with site(tmp_path) as running:
        await ready(running)
        desk = running.desk_office.desk
        asked = request(running)
        await desk.submit_request(asked, person=ANNE)
        mrid, _ = await propose(running)
        await asyncio.sleep(0.05)
        later = replace(asked, target_kw=80.0, received_s=running.store.clock.now_s())
        await desk.submit_request(later, person=ANNE)
        await until(
            lambda: mrid not in running.desk_office._approvals.open,
            within_s=8,
            why="the old plan still waits",
        )
        stored = await running.store.plan(mrid)
        assert stored is not None
        assert stored.state is PlanState.VOID
        assert "the requests have changed since the plan was made" in stored.reason


class OneStore:
    """The terms that are agreed; nothing else of a store is asked here."""

    def __init__(self, *agreed: Terms) -> None:
        self.platform, self._agreed = self, agreed

    async def terms(self) -> tuple[Terms, ...]:
        return self._agreed


async def test_calls_that_customers_were_told_of_are_announced_to_the_next_plan() -> None:
    """Two hours of notice. The plan that runs calls G in an hour and again in four: of the first
    its customers have been told, the second may still be left out free of charge."""
    own = group("G", cancel_cost=20.0)
    task = hourly_task([900] * 6, own)
    store = OneStore(Terms(id="ENR-1", device="G", notice_s=2 * HOUR_S))
    who = Participation(
        store=cast(Store, store),
        clock=ManualClock(grid_s=task.now_s),
        activity=Activity(utc_offset_s=0.0),
        utc_offset_s=0.0,
    )
    await who.load()
    result = no_plan(task, SolveStatus.OPTIMAL, "")
    on = (0.0, 60.0, 60.0, 0.0, 50.0, 0.0)
    result = replace(
        result,
        setpoints=tuple(
            Setpoint(resource="G", interval=k, kw=kw, effect_kw=kw) for k, kw in enumerate(on)
        ),
    )
    running = cast(Plan, SimpleNamespace(result=result))
    (state,) = who.restricted(task, running).states
    assert state.announced == ((task.now_s + HOUR_S, task.now_s + 3 * HOUR_S),)
    assert state.blocked == (), "who has been told needs no notice again"
    (state,) = who.restricted(task).states
    assert state.announced == ()
    assert state.blocked[0].end_s == task.now_s + 2 * HOUR_S
    free = replace(task, resources=(group("G"),))
    (state,) = who.restricted(free, running).states
    assert state.announced == (), "nobody says what taking it back costs"
