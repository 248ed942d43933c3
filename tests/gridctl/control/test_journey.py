"""The whole will, in one process: proposed → approved by two → ordered → confirmed → effective."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from gridctl.control.ports import CommandRow
from gridctl.model.command import CommandState
from gridctl.model.errors import RefusedError
from gridctl.model.plan import PlanState
from gridctl.model.planning import PlanningResult, PlanningTask
from tests.gridctl.small_site import (
    ANNE,
    BERT,
    GUEST,
    SETPOINTS,
    SHED_KW,
    STEP_S,
    Site,
    ToyPlanner,
    site,
    until,
)

RATE = 20.0


async def ready(running: Site) -> None:
    """Both parts run and nothing stands in the way."""
    running.start_office()
    running.start_field()
    desk = running.desk_office.desk
    await until(
        lambda: not desk.picture().blocked and desk.picture().snapshot.values,
        within_s=8,
        why=f"blocked: {desk.picture().blocked}",
    )
    await until(
        lambda: all(r.excluded is None for r in desk.picture().resources),
        within_s=5,
        why="resources stay excluded",
    )


async def state_of(running: Site, mrid: str) -> PlanState:
    stored = await running.store.plan(mrid)
    assert stored is not None
    return stored.state


async def plan_is(running: Site, mrid: str, state: PlanState, within_s: float) -> None:
    for _ in range(int(within_s / 0.1)):
        if await state_of(running, mrid) is state:
            return
        await asyncio.sleep(0.1)
    stored = await running.store.plan(mrid)
    assert stored is not None
    raise AssertionError(f"{mrid} is {stored.state}, not {state}: {stored.reason}")


async def propose(running: Site) -> tuple[str, str]:
    mrid = await running.desk_office.desk.propose_now(person=ANNE)
    stored = await running.store.plan(mrid)
    assert stored is not None
    return mrid, stored.digest


async def commands(running: Site, plan: str) -> list[CommandRow]:
    return list(await running.store.commands(plan=plan))


async def approved(running: Site) -> str:
    """A plan that two persons have approved."""
    mrid, digest = await propose(running)
    desk = running.desk_office.desk
    await desk.approve(mrid, shown_digest=digest, person=ANNE)
    await desk.approve(mrid, shown_digest=digest, person=BERT)
    return mrid


async def test_proposed_approved_by_two_ordered_confirmed_effective_released(
    tmp_path: Path,
) -> None:
    async with site(tmp_path, rate=10) as running:
        await ready(running)
        desk = running.desk_office.desk
        mrid, digest = await propose(running)
        first = await desk.approve(mrid, shown_digest=digest, person=ANNE)
        assert first.stored.state is PlanState.PARTIAL
        assert first.approvals_needed == 2
        assert running.plant.operated == []
        second = await desk.approve(mrid, shown_digest=digest, person=BERT)
        assert second.stored.state is PlanState.APPROVED

        async def effective() -> bool:
            rows = await commands(running, mrid)
            return len(rows) == 4 and all(r.state is CommandState.EFFECTIVE for r in rows)

        for _ in range(80):
            if await effective():
                break
            await asyncio.sleep(0.1)
        rows = await commands(running, mrid)
        assert {r.command.resource: r.state for r in rows} == dict.fromkeys(
            SHED_KW, CommandState.EFFECTIVE
        ), [(r.command.resource, r.state, r.status, r.detail) for r in rows]
        # Intent, sending, acceptance and confirmation are all there, in order, and the canary
        # (the smallest device) went alone and first.
        for row in rows:
            assert [state for state, *_ in row.history] == [
                CommandState.APPROVED,
                CommandState.ORDERED,
                CommandState.ADMITTED,
                CommandState.SELECTED,
                CommandState.OPERATED,
                CommandState.ACCEPTED,
                CommandState.CONFIRMED,
                CommandState.EFFECTIVE,
            ]
            assert row.measured_kw == pytest.approx(row.command.effect_kw, abs=0.5)
            (kept,) = await running.store.evidence(row.command.mrid)
            assert kept.state is CommandState.ACCEPTED
            assert kept.lines == (f"→ OPERATE {row.command.value:g}", "← SUCCESS")
            (noted,) = [
                one.entry
                for one in await running.store.audit_rows(limit=200)
                if (one.entry.action, one.entry.object) == ("command.evidence", row.command.mrid)
            ]
            assert kept.digest in noted.after
        # What is held and not yet told of by the field is not taken for due once more.
        assert not any(a.key == "dispatch.held" for a in desk.picture().alarms)
        first_batch = [r.command.resource for r in rows if r.command.batch == 1]
        assert first_batch == ["BAT1"]
        assert running.plant.operated[0] == (SETPOINTS["BAT1"], SHED_KW["BAT1"])
        effect = desk.picture().effect
        assert effect is not None
        assert effect.kept is True
        assert effect.measured_kw == pytest.approx(180.0, abs=1)
        held = {r.resource.mrid: r for r in desk.picture().resources}
        assert held["LG1"].confirmed_kw == 50.0
        assert held["LG1"].intended_kw == 50.0
        assert held["PV1"].intended_kw is None

        await plan_is(running, mrid, PlanState.COMPLETED, within_s=40)
        await until(
            lambda: all(running.plant.setpoints[p] == 0.0 for p in SETPOINTS.values()),
            within_s=20,
            why=f"devices stay at {running.plant.setpoints}",
        )
        for _ in range(50):
            rows = await commands(running, mrid)
            if all(r.state is CommandState.RELEASED for r in rows):
                break
            await asyncio.sleep(0.1)
        assert {r.state for r in rows} == {CommandState.RELEASED}
        # One command a device: the second interval wanted the same, and the lease reached that far.
        # Then one return to the default each.
        assert len(running.plant.operated) == 8
        check = await running.store.verify_audit()
        assert check.ok
        actions = [r.entry.action for r in await running.store.audit_rows(limit=200)]
        for action in ("plan.propose", "plan.approve", "plan.active", "order.dispatch"):
            assert action in actions


async def test_sg07_same_person_twice_and_sg09_other_digest_are_refused(tmp_path: Path) -> None:
    async with site(tmp_path) as running:
        await ready(running)
        desk = running.desk_office.desk
        mrid, digest = await propose(running)
        with pytest.raises(RefusedError) as other:
            await desk.approve(mrid, shown_digest="0" * 64, person=ANNE)
        assert other.value.refusal.code == "plan_changed"
        with pytest.raises(RefusedError) as guest:
            await desk.approve(mrid, shown_digest=digest, person=GUEST)
        assert guest.value.refusal.code == "wrong_role"
        await desk.approve(mrid, shown_digest=digest, person=ANNE)
        with pytest.raises(RefusedError) as twice:
            await desk.approve(mrid, shown_digest=digest, person=ANNE)
        assert twice.value.refusal.code == "same_person"
        assert await state_of(running, mrid) is PlanState.PARTIAL
        await asyncio.sleep(0.8)
        assert running.plant.operated == []
        rows = await running.store.audit_rows(limit=50)
        refused = [r.entry.result for r in rows if r.entry.result.startswith("refused")]
        assert sorted(refused) == [
            "refused: plan_changed",
            "refused: same_person",
            "refused: wrong_role",
        ]


async def test_sg08_expired_plan_is_never_released(tmp_path: Path) -> None:
    async with site(tmp_path, plan_life_s=0.6) as running:
        await ready(running)
        desk = running.desk_office.desk
        mrid, digest = await propose(running)
        await desk.approve(mrid, shown_digest=digest, person=ANNE)
        await asyncio.sleep(1.3)
        with pytest.raises(RefusedError) as late:
            await desk.approve(mrid, shown_digest=digest, person=BERT)
        assert late.value.refusal.code == "expired"
        assert await state_of(running, mrid) is PlanState.EXPIRED
        assert running.plant.operated == []


async def test_sg17_rejected_canary_stops_the_plan_before_anything_moves(tmp_path: Path) -> None:
    async with site(tmp_path) as running:
        await ready(running)
        running.drivers["DER"].script = ["reject_select"]
        mrid = await approved(running)
        await plan_is(running, mrid, PlanState.STOPPED, within_s=10)
        rows = await commands(running, mrid)
        assert [(r.command.resource, r.state, r.status) for r in rows] == [
            ("BAT1", CommandState.FAILED, "LOCAL")
        ]
        assert running.plant.operated == []


async def test_sg18_effect_that_does_not_come_is_told(tmp_path: Path) -> None:
    async with site(tmp_path) as running:
        await ready(running)
        running.plant.obeys = False
        mrid = await approved(running)
        desk = running.desk_office.desk
        await until(
            lambda: (effect := desk.picture().effect) is not None and effect.settled,
            within_s=20,
            why="the effect is never judged",
        )
        effect = desk.picture().effect
        assert effect is not None
        assert effect.kept is False
        await until(
            lambda: any(a.key == "effect" for a in desk.picture().alarms),
            within_s=3,
            why="no alarm",
        )
        rows = await commands(running, mrid)
        assert {r.state for r in rows} == {CommandState.UNCONFIRMED}
        assert {r.status for r in rows} == {"NO_EFFECT"}


async def test_sg21_stop_in_the_middle_of_a_batch(tmp_path: Path) -> None:
    async with site(tmp_path) as running:
        await ready(running)
        desk = running.desk_office.desk
        for driver in running.drivers.values():
            driver.delay_s = 0.4  # between SELECT and OPERATE
        mrid = await approved(running)
        await until(lambda: running.drivers["DR"].executed, within_s=15, why="no second batch")
        done = list(running.plant.operated)
        latency_s = await desk.stop(reason="a fire", person=ANNE)
        assert latency_s < 1.0
        assert desk.picture().stopped
        await plan_is(running, mrid, PlanState.STOPPED, within_s=5)
        await asyncio.sleep(1.0)
        # The one that was selected was not operated, and nothing follows.
        assert running.plant.operated == done
        rows = await commands(running, mrid)
        aborted = [r for r in rows if r.status in ("ABORTED", "STOPPED")]
        assert aborted
        assert all(r.state is CommandState.FAILED for r in aborted)
        with pytest.raises(RefusedError) as blocked:
            await propose(running)
        assert "STOP" in str(blocked.value)
        with pytest.raises(RefusedError) as silent:
            await desk.resume(reason="", person=ANNE)
        assert silent.value.refusal.code == "no_reason"
        await desk.resume(reason="the fire is out", person=ANNE)
        await until(lambda: not desk.picture().stopped, within_s=3, why="it stays stopped")
        # What was held before returns by its lease, or now, on request.
        await desk.return_to_default(reason="begin anew", person=ANNE)
        await until(
            lambda: all(running.plant.setpoints[p] == 0.0 for p in SETPOINTS.values()),
            within_s=8,
            why=f"devices stay at {running.plant.setpoints}",
        )


async def test_sg22_leases_run_out_with_the_office_dead(tmp_path: Path) -> None:
    async with site(tmp_path, rate=20, lease_s=70.0) as running:
        await ready(running)
        mrid = await approved(running)
        await until(
            lambda: running.plant.setpoints["LG3.ShedSpt"] == 60.0, within_s=10, why="no dispatch"
        )
        await running.kill("office")
        await until(
            lambda: all(running.plant.setpoints[p] == 0.0 for p in SETPOINTS.values()),
            within_s=12,
            why=f"devices stay at {running.plant.setpoints}",
        )
        # A new office leaves nothing half, takes no old plan up again, and hears what happened.
        operated = len(running.plant.operated)
        running.start_office()
        await plan_is(running, mrid, PlanState.STOPPED, within_s=5)
        rows = await commands(running, mrid)
        for _ in range(60):
            if all(r.state.is_final for r in rows):
                break
            await asyncio.sleep(0.1)
            rows = await commands(running, mrid)
        assert {r.state for r in rows} == {CommandState.RELEASED}
        assert len(running.plant.operated) == operated


async def test_sg14_plan_is_void_when_the_feeder_has_moved_away(tmp_path: Path) -> None:
    async with site(tmp_path) as running:
        await ready(running)
        mrid, digest = await propose(running)
        running.plant.base_kw += 150.0
        desk = running.desk_office.desk
        await until(
            lambda: desk.picture().snapshot.values["FDR.TotW"].value > 1100,
            within_s=3,
            why="the change is not seen",
        )
        with pytest.raises(RefusedError) as moved:
            await desk.approve(mrid, shown_digest=digest, person=ANNE)
        assert moved.value.refusal.code == "blocked"
        await running.desk_office.cycle.step(running.clock.now_s())
        assert await state_of(running, mrid) is PlanState.VOID


async def test_sg12_dead_link_blocks_the_plan_that_needs_it(tmp_path: Path) -> None:
    async with site(tmp_path) as running:
        await ready(running)
        mrid, digest = await propose(running)
        running.drivers["DER"].up = False
        desk = running.desk_office.desk
        await until(
            lambda: any(link.state == "down" for link in desk.picture().links),
            within_s=4,
            why="the dead link is not seen",
        )
        with pytest.raises(RefusedError) as dead:
            await desk.approve(mrid, shown_digest=digest, person=ANNE)
        assert dead.value.refusal.code == "blocked"
        assert any("DER" in reason for reason in dead.value.refusal.reasons)


async def interval_begins(running: Site) -> None:
    """Sleep to the start of the next interval."""
    left_s = STEP_S - running.clock.now_s() % STEP_S
    await asyncio.sleep(left_s / RATE + 0.05)


async def test_what_does_not_fit_into_its_interval_is_not_sent_late(tmp_path: Path) -> None:
    """Four batches take longer than the one interval that the plan moves anything in: the last
    device would be told to hold until a moment ago. The plan ends well, it is not refused."""
    async with site(tmp_path, rate=RATE) as running:
        running.settings = replace(running.settings, batch_settle_s=0.4 * STEP_S)
        running.planner.intervals = 1
        await ready(running)
        await interval_begins(running)
        mrid = await approved(running)
        await plan_is(running, mrid, PlanState.COMPLETED, within_s=15)
        rows = await commands(running, mrid)
        assert 1 <= len(rows) < len(SHED_KW)
        assert {r.state for r in rows} <= {CommandState.CONFIRMED, CommandState.EFFECTIVE} | {
            CommandState.RELEASED
        }, [(r.state, r.detail) for r in rows]
        effect = running.desk_office.desk.picture().effect
        assert effect is None or effect.settled


async def test_batches_that_reach_into_the_next_interval_go_on_there(tmp_path: Path) -> None:
    async with site(tmp_path, rate=RATE) as running:
        running.settings = replace(running.settings, batch_settle_s=0.4 * STEP_S)
        await ready(running)
        await interval_begins(running)
        mrid = await approved(running)
        await plan_is(running, mrid, PlanState.COMPLETED, within_s=15)
        rows = await commands(running, mrid)
        assert {r.command.resource for r in rows} == SHED_KW.keys()
        assert not [r for r in rows if r.state is CommandState.FAILED]


class OneShort(ToyPlanner):
    """Wants the second largest device in the first interval only."""

    async def plan(self, task: PlanningTask) -> PlanningResult:
        result = await super().plan(task)
        kept = tuple(s for s in result.setpoints if s.interval == 0 or s.resource != "LG1")
        return replace(result, setpoints=kept)


async def test_a_device_that_comes_too_late_is_left_alone_and_the_others_go(
    tmp_path: Path,
) -> None:
    """Approved right before an interval ends: who is wanted in that one only is not commanded."""
    async with site(tmp_path, rate=RATE) as running:
        running.settings = replace(running.settings, effect_settle_s=0.5 * STEP_S)
        running.planner = OneShort()
        running.planner.intervals = 3
        await ready(running)
        await interval_begins(running)
        await asyncio.sleep(0.65 * STEP_S / RATE)
        mrid = await approved(running)
        await plan_is(running, mrid, PlanState.COMPLETED, within_s=15)
        rows = await commands(running, mrid)
        assert {r.command.resource for r in rows} == SHED_KW.keys() - {"LG1"}
        assert len({r.command.mrid for r in rows}) == len(rows)


async def test_an_office_that_stops_leaves_no_plan_running_behind_it(tmp_path: Path) -> None:
    """The next one ends the plan in the record; leases run out in the field meanwhile."""
    async with site(tmp_path, rate=RATE) as running:
        running.settings = replace(running.settings, batch_settle_s=STEP_S)
        await ready(running)
        mrid = await approved(running)
        await until(lambda: running.plant.operated, within_s=8, why="nothing was operated")
        await running.end("office")
        assert [t for t in asyncio.all_tasks() if t.get_name().startswith("plan ")] == []
        running.start_office()
        await plan_is(running, mrid, PlanState.STOPPED, within_s=8)
