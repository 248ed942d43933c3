"""The end of a plan, told and written down."""

from __future__ import annotations

import pytest

from gridctl.control.alarms import AlarmBook
from gridctl.control.ends import PlanEnds
from gridctl.control.planrecord import OpenPlan
from gridctl.model.alarm import AlarmState
from gridctl.model.clock import ManualClock
from gridctl.model.measurement import Snapshot
from gridctl.model.plan import PlanState
from gridctl.model.selection import Selection
from gridctl.store.engine import temporary_store
from tests.gridctl.control.test_approvals import FORECAST
from tests.gridctl.store.examples import T0, plan


@pytest.mark.parametrize("state", [PlanState.STOPPED, PlanState.COMPLETED])
async def test_a_plan_that_was_stopped_is_told_until_it_is_seen_and_does_not_last(
    state: PlanState,
) -> None:
    """An alarm that nobody could ever clear would stand for ever (SG-28, SG-29)."""
    clock = ManualClock(grid_s=T0)
    async with temporary_store(clock) as store:
        alarms = AlarmBook(store=store, clock=clock)
        one = plan("P1")
        chosen = OpenPlan(
            plan=one,
            digest=one.digest(),
            snapshot=Snapshot(revision=1, at_s=T0, values={}),
            forecast=FORECAST,
            proposed_mono_s=0.0,
            selection=Selection(timeout_s=1.0),
            state=PlanState.ACTIVE,
        )
        async with store.transaction() as unit:
            await unit.add_plan(one, PlanState.ACTIVE, T0)
        await PlanEnds(store=store, clock=clock, alarms=alarms).end(chosen, state, "STOP by anne")
        stored = await store.plan("P1")
        assert stored is not None
        assert (chosen.state, stored.state) == (state, state)
        left = [(a.key, a.state) for a in await store.alarms(active_only=False)]
        told = [("plan.P1", AlarmState.CLEARED_UNACKED)]
        assert left == (told if state is PlanState.STOPPED else [])
