"""A shift is handed over by two persons, and steps by telephone have three fields."""

from __future__ import annotations

from pathlib import Path

import pytest

from gridctl.model.duty import Handover, ManualStep
from gridctl.model.errors import RefusedError
from gridctl.model.plan import PlanState
from tests.gridctl.control.test_journey import propose, ready, state_of
from tests.gridctl.small_site import ANNE, BERT, GUEST, site


async def refused(what: object, code: str) -> None:
    with pytest.raises(RefusedError) as no:
        await what  # type: ignore[misc]
    assert no.value.refusal.code == code, no.value


async def test_sg35_who_goes_and_who_comes_sign_and_half_an_approval_does_not_survive(
    tmp_path: Path,
) -> None:
    async with site(tmp_path) as running:
        await ready(running)
        desk, shifts = running.desk_office.desk, running.desk_office.duty.shifts
        mrid, digest = await propose(running)
        await desk.approve(mrid, shown_digest=digest, person=ANNE)
        await shifts.issue(to="field crew", instruction="open switch 7", person=ANNE)
        await refused(shifts.prepare(notes="", person=GUEST), "wrong_role")
        made = await shifts.prepare(notes="mind the heat", person=ANNE)
        assert isinstance(made.body, Handover)
        text = "\n".join(made.body.open_items)
        assert f"plan {mrid} is partial, 1 approvals" in text
        assert "open switch 7" in text
        await refused(shifts.take(made.number, remarks="", person=ANNE), "same_person")
        assert await state_of(running, mrid) is PlanState.PARTIAL
        done = await shifts.take(made.number, remarks="seen it all", person=BERT)
        assert isinstance(done.body, Handover)
        assert (done.body.taken_by, done.body.remarks) == ("bert", "seen it all")
        stored = await running.store.plan(mrid)
        assert stored is not None
        assert (stored.state, "SG-35" in stored.reason) == (PlanState.VOID, True)
        await refused(shifts.take(made.number, remarks="", person=BERT), "taken")
        assert (await shifts.handovers())[0] == done
        older = await shifts.prepare(notes="", person=BERT)
        await shifts.prepare(notes="", person=BERT)
        await refused(shifts.take(older.number, remarks="", person=ANNE), "no_handover")
        actions = [r.entry.action for r in await running.store.audit_rows(limit=60)]
        assert actions.count("handover.take") == 1


async def test_sg36_issued_repeated_back_confirmed_in_this_order(tmp_path: Path) -> None:
    async with site(tmp_path) as running:
        await ready(running)
        shifts = running.desk_office.duty.shifts
        await refused(shifts.issue(to="", instruction="open 7", person=ANNE), "not_said")
        await refused(shifts.issue(to="crew", instruction="open 7", person=GUEST), "wrong_role")
        made = await shifts.issue(to="field crew", instruction="open switch 7", person=ANNE)
        number = made.number
        await refused(shifts.confirmed(number, words="it is open", person=ANNE), "not_repeated")
        await shifts.repeated(number, words="I open switch seven", person=ANNE)
        await refused(shifts.repeated(number, words="once more", person=ANNE), "repeated")
        done = await shifts.confirmed(number, words="it is open", person=BERT)
        assert isinstance(done.body, ManualStep)
        assert (done.body.repeat_back, done.body.confirmation, done.body.closed) == (
            "I open switch seven",
            "it is open",
            "done",
        )
        await refused(shifts.given_up(number, reason="too late", person=ANNE), "closed")
        other = await shifts.issue(to="field crew", instruction="close switch 7", person=ANNE)
        given_up = await shifts.given_up(other.number, reason="no answer", person=ANNE)
        assert isinstance(given_up.body, ManualStep)
        assert given_up.body.closed == "given up: no answer"
        await refused(shifts.confirmed(99, words="it is open", person=ANNE), "no_step")
