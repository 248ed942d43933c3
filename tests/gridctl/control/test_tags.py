"""Tags from the desk to the device: planning, approval, dispatch, the field heed them (SG-26)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from pathlib import Path

import pytest

from gridctl.control.ports import Person
from gridctl.control.tags import TagBook
from gridctl.model.errors import RefusedError
from gridctl.model.plan import PlanState
from gridctl.model.tag import TagKind
from tests.gridctl.control.test_journey import approved, plan_is, propose, ready
from tests.gridctl.small_site import ANNE, BERT, GUEST, Site, site, until

CARL = Person(user="carl", session="s-carl", source="127.0.0.1", role="OPERATOR")
WHY = "a fitter works on the contactor of this group until the evening, see the permit to work"


def book(running: Site) -> TagBook:
    return running.desk_office.duty.tags


async def refused(act: Awaitable[object], code: str) -> RefusedError:
    with pytest.raises(RefusedError) as no:
        await act
    assert no.value.refusal.code == code, no.value
    return no.value


async def hang(running: Site, device: str, kind: TagKind, by: Person = ANNE) -> str:
    view = await book(running).place(
        device, kind, reason=WHY, work_order="W-17", until_s=None, person=by
    )
    return view.tag.id


def in_field(running: Site) -> list[bool | None]:
    return [view.in_field for view in book(running).views()]


async def actions(running: Site) -> list[str]:
    return [r.entry.action for r in await running.store.audit_rows(limit=500)]


async def test_sg26_a_tagged_device_is_left_out_shown_and_audited(tmp_path: Path) -> None:
    async with site(tmp_path) as running:
        await ready(running)
        mrid = await hang(running, "LG1", TagKind.CONTROL_INHIBIT)
        await until(lambda: in_field(running) == [True], within_s=5, why="not in the field")
        picture = running.desk_office.desk.picture()
        (view,) = [r for r in picture.resources if r.excluded is not None]
        assert view.resource.mrid == "LG1"
        assert view.excluded is not None
        assert f"control inhibit by anne, work order W-17: {WHY} ({mrid}" in view.excluded
        assert [t.tag.id for t in picture.tags] == [mrid]
        # It is planned anew at once, without the device.
        office = running.desk_office
        await until(lambda: office.cycle.proposed is not None, within_s=8, why="no plan")
        chosen = office.cycle.proposed
        assert chosen is not None
        assert {s.resource for s in chosen.plan.result.setpoints} == {"LG2", "LG3", "BAT1"}
        assert {"tag.place", "order.tag"} <= set(await actions(running))


async def test_sg26_a_tag_placed_after_the_plan_blocks_its_approval(tmp_path: Path) -> None:
    async with site(tmp_path) as running:
        await ready(running)
        plan, digest = await propose(running)
        await hang(running, "LG2", TagKind.CONTROL_AUTHORITY)
        no = await refused(
            running.desk_office.desk.approve(plan, shown_digest=digest, person=ANNE), "blocked"
        )
        assert "LG2: control authority by anne" in str(no)


async def test_sg26_a_tag_ends_the_plan_that_runs_and_nothing_more_leaves(tmp_path: Path) -> None:
    async with site(tmp_path) as running:
        await ready(running)
        for driver in running.drivers.values():
            driver.delay_s = 0.4  # between SELECT and OPERATE
        plan = await approved(running)
        await until(lambda: running.drivers["DR"].executed, within_s=15, why="no second batch")
        done = list(running.plant.operated)
        row = await running.store.command(running.drivers["DR"].executed[-1])
        assert row is not None
        await hang(running, row.command.resource, TagKind.CONTROL_INHIBIT)
        await plan_is(running, plan, PlanState.STOPPED, within_s=5)
        await asyncio.sleep(0.6)
        assert running.plant.operated == done, "what was selected was not operated"
        ended = await running.store.command(row.command.mrid)
        assert ended is not None
        assert ended.state == "failed"
        assert "control inhibit by anne" in ended.detail
        stored = await running.store.plan(plan)
        assert stored is not None
        assert "SG-26" in stored.reason


async def test_sg06_sg26_anothers_tag_needs_two_persons_and_a_supervisor(tmp_path: Path) -> None:
    async with site(tmp_path) as running:
        await ready(running)
        tags = book(running)
        mrid = await hang(running, "LG1", TagKind.CONTROL_INHIBIT)
        await refused(tags.remove(mrid, reason="", person=CARL), "no_reason")
        await refused(tags.remove(mrid, reason="it is done", person=GUEST), "wrong_role")
        asked = await tags.remove(mrid, reason="he has left the site", person=CARL)
        assert asked is not None
        assert asked.tag.removal is not None
        await refused(tags.remove(mrid, reason="again", person=CARL), "same_person")
        dora = Person(user="dora", session="s-dora", source="::1", role="OPERATOR")
        await refused(tags.remove(mrid, reason="seen", person=dora), "wrong_role")
        assert in_field(running) == [True]
        assert await tags.remove(mrid, reason="seen on site", person=BERT) is None
        await until(
            lambda: (
                running.desk_office.image.heartbeat is not None
                and not running.desk_office.image.heartbeat.tags
            ),
            within_s=3,
            why="the field still holds it",
        )
        assert tags.all() == ()
        rows = [r.entry for r in await running.store.audit_rows(limit=500)]
        (gone,) = [r for r in rows if r.action == "tag.remove"]
        assert gone.after == "removed by carl and bert"
        assert {"tag.removal_asked", "order.untag"} <= {r.action for r in rows}


async def test_sg26_the_owner_removes_a_tag_alone_but_not_without_the_field(
    tmp_path: Path,
) -> None:
    async with site(tmp_path) as running:
        await ready(running)
        mrid = await hang(running, "LG1", TagKind.CONTROL_INHIBIT)
        await running.end("field")
        await until(lambda: not running.link.connected, within_s=5, why="still connected")
        await refused(book(running).remove(mrid, reason="it is done", person=ANNE), "unavailable")
        running.start_field()
        await until(lambda: running.link.connected, within_s=8, why="not connected")
        assert await book(running).remove(mrid, reason="it is done", person=ANNE) is None


async def test_sg26_what_one_side_forgets_the_other_hangs_up_again(tmp_path: Path) -> None:
    async with site(tmp_path) as running:
        await ready(running)
        mrid = await hang(running, "LG1", TagKind.CONTROL_INHIBIT)
        await until(lambda: in_field(running) == [True], within_s=5, why="not in the field")
        # The office loses its memory, the field keeps it.
        async with running.store.transaction() as unit:
            await unit.remove_tag(mrid)
        await running.end("office")
        running.start_office()
        running.line.cut()  # as it is when the office's process ends
        await until(lambda: in_field(running) == [True], within_s=8, why="not adopted")
        assert [t.id for t in book(running).all()] == [mrid]
        assert "tag.adopt" in await actions(running)
        # The field loses its memory, the office keeps it.
        await running.end("field")
        running.field_settings.spool.unlink()
        running.start_field()
        image = running.desk_office.image
        await until(
            lambda: running.link.connected and image.heartbeat and not image.heartbeat.tags,
            within_s=8,
            why="it never forgot",
        )
        await book(running).step()
        await until(lambda: in_field(running) == [True], within_s=5, why="not hung up again")


async def test_sg26_a_caution_is_read_before_the_plan_is_approved(tmp_path: Path) -> None:
    async with site(tmp_path) as running:
        await ready(running)
        mrid = await hang(running, "BAT1", TagKind.CAUTION)
        assert in_field(running) == [None]
        plan, digest = await propose(running)
        desk = running.desk_office.desk
        view = await desk.plan(plan)
        assert view is not None
        assert [t.id for t in view.cautions] == [mrid]
        no = await refused(desk.approve(plan, shown_digest=digest, person=ANNE), "caution")
        assert WHY in str(no)
        first = await desk.approve(plan, shown_digest=digest, person=ANNE, cautions=[mrid])
        assert first.stored.state is PlanState.PARTIAL


async def test_sg26_a_caution_ends_by_itself_and_a_blocking_tag_never(tmp_path: Path) -> None:
    async with site(tmp_path, rate=20) as running:
        await ready(running)
        tags, soon_s = book(running), running.clock.now_s() + 10.0
        for device, kind in (("LG1", TagKind.CAUTION), ("LG2", TagKind.CONTROL_INHIBIT)):
            await tags.place(device, kind, reason=WHY, work_order="", until_s=soon_s, person=ANNE)
        await until(lambda: running.clock.now_s() > soon_s, within_s=5, why="no time passes")
        await tags.step()
        assert [t.device for t in tags.all()] == ["LG2"]
        keys = [a.key for a in running.desk_office.alarms.listed()]
        assert f"tag.overdue.{tags.all()[0].id}" in keys


async def test_bad_tags_are_refused_with_their_reason(tmp_path: Path) -> None:
    async with site(tmp_path) as running:
        await ready(running)
        place, kind, now_s = book(running).place, TagKind.CAUTION, running.clock.now_s()
        for code, device, reason, order, until_s, person in (
            ("no_such_device", "LG9", WHY, "", None, ANNE),
            ("no_reason", "LG1", "  ", "", None, ANNE),
            ("no_reason", "LG1", "x" * 501, "", None, ANNE),
            ("work_order", "LG1", WHY, "x" * 101, None, ANNE),
            ("until", "LG1", WHY, "", now_s - 1, ANNE),
            ("wrong_role", "LG1", WHY, "", None, GUEST),
        ):
            await refused(
                place(
                    device, kind, reason=reason, work_order=order, until_s=until_s, person=person
                ),
                code,
            )
        assert book(running).all() == ()
