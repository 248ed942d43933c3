"""What happens when commands of a plan do not take is in the plan before it is approved (SG-20)."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from gridctl.model.command import CommandState
from gridctl.model.plan import OnFailure, PlanState
from tests.gridctl.control.test_journey import approved, commands, plan_is, ready
from tests.gridctl.small_site import SETPOINTS, Site, site, until


async def begun(running: Site, policy: OnFailure) -> str:
    """A plan whose canary takes and whose next device does not."""
    running.settings = replace(running.settings, on_failure=policy)
    await ready(running)
    running.drivers["DR"].script = ["reject_operate"]
    mrid = await approved(running)
    stored = await running.store.plan(mrid)
    assert stored is not None
    assert stored.plan.on_failure is policy
    return mrid


def held(running: Site) -> set[str]:
    return {r for r, point in SETPOINTS.items() if running.plant.setpoints[point] != 0.0}


async def test_sg20_hold_orders_nothing_more_and_leaves_the_leases(tmp_path: Path) -> None:
    async with site(tmp_path, rate=20) as running:
        mrid = await begun(running, OnFailure.HOLD)
        await plan_is(running, mrid, PlanState.STOPPED, within_s=10)
        assert held(running) == {"BAT1"}


async def test_sg20_roll_back_returns_what_is_held_at_once(tmp_path: Path) -> None:
    async with site(tmp_path, rate=20) as running:
        mrid = await begun(running, OnFailure.ROLL_BACK)
        await plan_is(running, mrid, PlanState.STOPPED, within_s=10)
        stored = await running.store.plan(mrid)
        assert stored is not None
        assert stored.reason.endswith("rolled back to the defaults")
        await until(lambda: not held(running), within_s=3, why=f"still held: {held(running)}")
        actions = [r.entry.action for r in await running.store.audit_rows(limit=60)]
        assert "order.default" in actions


async def test_sg20_continue_orders_the_others_and_sg19_tries_nothing_twice(
    tmp_path: Path,
) -> None:
    async with site(tmp_path, rate=20) as running:
        mrid = await begun(running, OnFailure.CONTINUE)
        await until(lambda: len(held(running)) == 3, within_s=10, why=f"only {held(running)}")
        await asyncio.sleep(1.0)
        rows = await commands(running, mrid)
        failed = [r for r in rows if r.state is CommandState.FAILED]
        assert len(failed) == 1
        assert [r.command.resource for r in rows].count(failed[0].command.resource) == 1
        await plan_is(running, mrid, PlanState.COMPLETED, within_s=15)


@pytest.mark.parametrize("policy", OnFailure)
def test_sg20_the_policy_is_in_the_digest(policy: OnFailure) -> None:
    from tests.gridctl.store.examples import plan

    others = {replace(plan(), on_failure=p).digest() for p in OnFailure if p is not policy}
    assert replace(plan(), on_failure=policy).digest() not in others
