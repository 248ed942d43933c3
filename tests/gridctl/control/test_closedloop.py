"""Closed loop over a real store, office and field: what goes by itself, what ends it (SG-37)."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from gridctl.control.alarms import Condition
from gridctl.model.command import CommandState
from gridctl.model.envelope import Cause
from gridctl.model.errors import RefusedError, UnavailableError
from gridctl.model.mode import Mode
from gridctl.model.plan import Plan, PlanState
from gridctl.model.planning import PlanningResult, PlanningTask
from tests.gridctl.control.closed import (
    AREA,
    ENVELOPE,
    EVE,
    closed_loop_limits,
    evident,
    modes_of,
    promoted,
    somebody_at_the_desk,
)
from tests.gridctl.control.test_journey import approved, commands, plan_is, propose, ready
from tests.gridctl.small_site import ANNE, BERT, Site, site, until


@asynccontextmanager
async def closed_site(
    folder: Path, *, rate: float = 20.0, promote: bool = True
) -> AsyncIterator[Site]:
    async with site(folder, rate=rate, limits=closed_loop_limits()) as running:
        await somebody_at_the_desk(running)
        await ready(running)
        await evident(running)
        if promote:
            await promoted(running)
        yield running


async def refused(what: Awaitable[object], code: str) -> None:
    with pytest.raises(RefusedError) as no:
        await what
    assert no.value.refusal.code == code, no.value


async def advisory(running: Site, *, within_s: float = 6.0) -> str:
    """Wait for the demotion; its reason."""
    alarms = running.desk_office.alarms
    await until(
        lambda: f"demoted.{AREA}" in alarms.all, within_s=within_s, why="still in closed loop"
    )
    mode = modes_of(running).of(AREA)
    assert mode.mode is Mode.ADVISORY
    assert mode.promotion is None
    assert mode.by == "gridctl"
    return mode.reason


async def test_sg37_a_plan_inside_the_envelope_goes_by_the_yes_of_two_persons(
    tmp_path: Path,
) -> None:
    async with closed_site(tmp_path) as running:
        mrid, digest = await propose(running)
        await plan_is(running, mrid, PlanState.ACTIVE, within_s=15)
        stored = await running.store.plan(mrid)
        promotion = modes_of(running).of(AREA).promotion
        assert stored is not None
        assert promotion is not None
        assert {(a.by, a.session, a.digest, a.standing) for a in stored.approvals} == {
            ("anne", ANNE.session, digest, promotion.digest()),
            ("bert", BERT.session, digest, promotion.digest()),
        }

        async def confirmed() -> bool:
            rows = await commands(running, mrid)
            seen = [{state for state, *_ in row.history} for row in rows]
            return len(rows) == 4 and all(CommandState.CONFIRMED in states for states in seen)

        for _ in range(300):
            if await confirmed():
                break
            await asyncio.sleep(0.1)
        assert await confirmed(), [(r.state, r.detail) for r in await commands(running, mrid)]
        rows = await running.store.audit_rows(limit=100)
        (stood,) = [r.entry for r in rows if r.entry.action == "plan.stand"]
        assert promotion.digest() in stood.reason
        # The record holds the promotion itself, whose digest everything else names.
        (made,) = [r.entry for r in rows if r.entry.action == "mode.set"]
        body = made.after.removeprefix("closed loop, promotion ")
        assert hashlib.sha256(body.encode()).hexdigest() == promotion.digest()
        assert stood.plan_digest == digest


async def test_sg37_a_plan_outside_the_envelope_waits_for_people_as_ever(tmp_path: Path) -> None:
    async with closed_site(tmp_path, promote=False) as running:
        await promoted(running, replace(ENVELOPE, max_kw=179.0))
        mrid, digest = await propose(running)
        loop = running.desk_office.closed_loop
        await until(lambda: mrid in loop.left_to_people, within_s=3, why="nobody was asked")
        assert "180 kW at once, 179 kW allowed" in "; ".join(loop.left_to_people[mrid])
        assert running.plant.operated == []
        desk = running.desk_office.desk
        await desk.approve(mrid, shown_digest=digest, person=ANNE)
        await asyncio.sleep(0.7)
        stored = await running.store.plan(mrid)
        assert stored is not None
        assert stored.state is PlanState.PARTIAL, "one person is not made up for by an envelope"
        await desk.approve(mrid, shown_digest=digest, person=BERT)
        await until(lambda: running.plant.operated, within_s=10, why="nothing was operated")
        stored = await running.store.plan(mrid)
        assert stored is not None
        assert {a.standing for a in stored.approvals} == {""}


async def test_sg37_closed_loop_takes_evidence_ots_leave_and_three_persons(tmp_path: Path) -> None:
    async with site(tmp_path, limits=closed_loop_limits()) as running:
        await ready(running)
        modes = modes_of(running)

        def ask(**changes: object) -> Awaitable[object]:
            envelope = replace(ENVELOPE, **changes)  # type: ignore[arg-type]
            return modes.ask(envelope, reason="a quiet night", person=EVE)

        await refused(ask(), "no_evidence")
        await evident(running, days=10.0)
        await refused(ask(), "no_evidence")
        await evident_again(running)
        await refused(ask(max_kw=201.0), "bad_envelope")
        await refused(ask(devices=("LG1", "PV1")), "bad_envelope")
        await refused(ask(devices=("LG1", "LG9")), "bad_envelope")
        await refused(ask(life_s=12 * 3_600.0 + 1), "bad_envelope")
        await refused(ask(area="A9"), "no_such_area")
        await refused(modes.ask(ENVELOPE, reason="faster", person=ANNE), "wrong_role")
        await refused(modes.set(AREA, Mode.CLOSED_LOOP, reason="faster", person=EVE), "no_envelope")
        await ask()
        digest = ENVELOPE.digest()
        other = replace(ENVELOPE, max_kw=150.0, ramp_kw=150.0).digest()
        approve = modes.approve
        await refused(approve(AREA, person=ANNE, shown_digest=other), "envelope_changed")
        await refused(approve(AREA, person=EVE, shown_digest=digest), "wrong_role")
        await approve(AREA, person=ANNE, shown_digest=digest)
        await refused(approve(AREA, person=ANNE, shown_digest=digest), "same_person")
        carl = replace(ANNE, user="carl", session="s-carl")
        await refused(approve(AREA, person=carl, shown_digest=digest), "no_supervisor")
        assert modes.of(AREA).mode is Mode.ADVISORY, "one yes is none"
        after = await approve(AREA, person=BERT, shown_digest=digest)
        assert after.mode is Mode.CLOSED_LOOP
        assert after.promotion is not None
        assert after.promotion.approved_by == ("anne", "bert")
        await modes.set(AREA, Mode.ADVISORY, reason="that is enough", person=ANNE)
        assert modes.of(AREA).mode is Mode.ADVISORY, "down is one person's act"
        assert modes.closed == {}


@pytest.mark.soak
async def test_sg37_what_people_approved_and_was_carried_out_is_evidence(tmp_path: Path) -> None:
    async with site(tmp_path, rate=40.0, limits=closed_loop_limits()) as running:
        await ready(running)
        mrid = await approved(running)
        await plan_is(running, mrid, PlanState.COMPLETED, within_s=20)
        (view,) = await modes_of(running).views()
        for _ in range(80):
            if view.evidence.advisory:
                break
            await asyncio.sleep(0.1)
            await running.desk_office.reviews.scores.step()
            (view,) = await modes_of(running).views()
        assert view.evidence.advisory == 1
        assert view.scored == 0, "of shadow there is none"
        assert view.evidence.plan_error_pct is not None
        assert view.evidence.plan_error_pct < 5.0


async def evident_again(running: Site) -> None:
    """The scores reach back far enough now."""
    async with running.store.transaction() as unit:
        found = (await running.store.modes.scores(limit=1))[0]
        await unit.add_plan(
            (await plan_of(running, found.plan, "S-long-ago")), PlanState.SHADOW, found.end_s
        )
        start_s = running.clock.now_s() - 20 * 86_400.0
        await unit.add_score(
            replace(found, plan="S-long-ago", start_s=start_s, end_s=start_s + 60.0)
        )


async def plan_of(running: Site, mrid: str, name: str) -> Plan:
    stored = await running.store.plan(mrid)
    assert stored is not None
    return replace(stored.plan, mrid=name)


async def test_sg37_without_ots_leave_nobody_can_promote(tmp_path: Path) -> None:
    async with site(tmp_path) as running:
        await ready(running)
        await evident(running)
        with pytest.raises(RefusedError, match="there is none"):
            await modes_of(running).ask(ENVELOPE, reason="faster", person=EVE)


async def stop(running: Site) -> None:
    await running.desk_office.desk.stop(reason="smoke", person=ANNE)


async def lose_the_field(running: Site) -> None:
    await running.kill("field")


async def fail_two(running: Site) -> None:
    for driver in running.drivers.values():
        driver.script += ["ok", "unknown_lost", "unknown_lost"]
    await propose(running)


async def disagree(running: Site) -> None:
    plan = running.planner.plan

    async def planned(task: PlanningTask) -> PlanningResult:
        result = await plan(task)
        assert result.verification is not None
        check = replace(result.verification, ok=False, reasons=("N1 is below its limit",))
        return replace(result, verification=check)

    running.planner.plan = planned  # type: ignore[method-assign]
    with pytest.raises(RefusedError):
        await propose(running)


async def hand_over(running: Site) -> None:
    shifts = running.desk_office.duty.shifts
    record = await shifts.prepare(notes="all calm", person=ANNE)
    await shifts.take(record.number, remarks="seen", person=BERT)


async def promise_too_much(running: Site) -> None:
    running.plant.obeys = False
    await propose(running)


@pytest.mark.parametrize(
    ("disturb", "reason", "within_s"),
    [
        (stop, "STOP holds", 3.0),
        pytest.param(lose_the_field, "line to the field is down", 12.0, marks=pytest.mark.soak),
        pytest.param(fail_two, "could not be verified", 15.0, marks=pytest.mark.soak),
        (disagree, "disagrees", 3.0),
        pytest.param(hand_over, "handed over", 3.0, marks=pytest.mark.soak),
        pytest.param(
            promise_too_much, "could not be verified|promised", 15.0, marks=pytest.mark.soak
        ),
    ],
)
async def test_sg37_closed_loop_ends_by_itself(
    tmp_path: Path, disturb: Callable[[Site], Awaitable[None]], reason: str, within_s: float
) -> None:
    async with closed_site(tmp_path) as running:
        await disturb(running)
        why = await advisory(running, within_s=within_s)
        assert any(word in why for word in reason.split("|")), why
        actions = [r.entry.action for r in await running.store.audit_rows(limit=100)]
        assert "mode.demote" in actions
        # Nobody's yes stands for anything any more.
        assert running.desk_office.closed_loop.left_to_people == {}


@pytest.mark.soak
async def test_sg37_what_runs_ends_with_its_envelope(tmp_path: Path) -> None:
    async with closed_site(tmp_path, promote=False) as running:
        await promoted(running, replace(ENVELOPE, life_s=60.0))
        for driver in running.drivers.values():
            driver.delay_s = 1.0
        mrid, _ = await propose(running)
        await until(lambda: running.plant.operated, within_s=5, why="nothing was operated")
        assert "expired" in await advisory(running)
        await plan_is(running, mrid, PlanState.STOPPED, within_s=5)
        held = running.desk_office.image.leases
        assert all(lease.until_s <= running.clock.now_s() + 60.0 for lease in held.values())


@pytest.mark.soak
async def test_sg37_what_people_approved_goes_on_when_closed_loop_ends(tmp_path: Path) -> None:
    async with closed_site(tmp_path, promote=False) as running:
        mrid = await approved(running)
        await plan_is(running, mrid, PlanState.ACTIVE, within_s=5)
        await promoted(running)
        await running.desk_office.closed_loop.end_all("a test")
        await asyncio.sleep(0.6)
        stored = await running.store.plan(mrid)
        assert stored is not None
        assert stored.state is PlanState.ACTIVE


async def test_sg37_a_new_office_begins_without_closed_loop(tmp_path: Path) -> None:
    async with closed_site(tmp_path) as running:
        await running.kill("office")
        running.start_office()
        assert "restarted" in await advisory(running)


async def test_sg37_it_ends_also_when_the_record_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with closed_site(tmp_path) as running:
        store, modes = running.store, modes_of(running)
        whole = store.transaction

        def broken() -> object:
            raise UnavailableError("the disk is full")

        monkeypatch.setattr(store, "transaction", broken)
        await running.desk_office.closed_loop.end_all("a test")
        assert modes.of(AREA).mode is Mode.ADVISORY
        monkeypatch.setattr(store, "transaction", whole)
        written: dict[str, Mode] = {}
        for _ in range(40):
            written = {m.area: m.mode for m in await store.modes.all()}
            if written.get(AREA) is Mode.ADVISORY:
                break
            await asyncio.sleep(0.1)
        assert written[AREA] is Mode.ADVISORY


@pytest.mark.soak
async def test_sg37_an_event_type_that_was_not_allowed_is_left_to_people(tmp_path: Path) -> None:
    async with closed_site(tmp_path, promote=False) as running:
        await promoted(running, replace(ENVELOPE, causes=(Cause.REQUEST,)))
        mrid, _ = await propose(running)
        loop = running.desk_office.closed_loop
        await until(lambda: mrid in loop.left_to_people, within_s=3, why="nobody was asked")
        assert "head limit" in "; ".join(loop.left_to_people[mrid])


@pytest.mark.soak
async def test_sg37_a_condition_of_another_kind_does_not_end_it(tmp_path: Path) -> None:
    """The triggers can tell a quiet plant from a loud one."""
    async with closed_site(tmp_path) as running:
        await running.desk_office.alarms.raised(
            Condition(key="one", priority=3, text="a door is open", response="close it")
        )
        await asyncio.sleep(1.5)
        assert modes_of(running).of(AREA).mode is Mode.CLOSED_LOOP
