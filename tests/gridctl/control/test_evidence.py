"""The record of a whole plan as a pack: everything is in it, and it fits together."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from gridctl.control.evidence import AUDIT, inconsistent, packed
from gridctl.evidencepack import Pack, read_pack
from gridctl.model.command import CommandState
from gridctl.model.errors import RefusedError
from gridctl.model.plan import PlanState
from gridctl.model.program import DispatchRequest, RequestState
from gridctl.pki import load_private_ed25519, load_public_ed25519
from tests.gridctl.control.test_journey import approved, commands, plan_is, ready
from tests.gridctl.small_site import ANNE, HEAD, STEP_S, Site, site


async def pack_of(running: Site, about: str) -> Pack:
    data = await packed(
        about,
        store=running.store,
        head_point=HEAD,
        key=load_private_ed25519(running.folder / "office.key"),
        made_at_s=running.clock.now_s(),
        made_by="anne",
    )
    return read_pack(data, key=load_public_ed25519(running.folder / "office.pub"))


def event(running: Site) -> DispatchRequest:
    now_s = running.clock.now_s()
    return DispatchRequest(
        mrid="REQ-1",
        event_id="EV-1",
        name="a hot day",
        source="customer-system",
        start_s=now_s,
        end_s=now_s + 2 * STEP_S,
        target_kw=100.0,
        priority=1,
        received_s=now_s,
        state=RequestState.RECEIVED,
    )


async def test_sg34_a_pack_holds_the_whole_life_of_a_plan(tmp_path: Path) -> None:
    async with site(tmp_path, rate=20) as running:
        await ready(running)
        await running.desk_office.desk.submit_request(event(running), person=ANNE)
        mrid = await approved(running)
        await plan_is(running, mrid, PlanState.COMPLETED, within_s=20)
        rows = await commands(running, mrid)
        assert all(CommandState.CONFIRMED in {s for s, *_ in r.history} for r in rows)

        pack = await pack_of(running, mrid)
        folder = f"plans/{mrid}"
        assert {name.removeprefix(f"{folder}/") for name in pack.files} | {
            name.removeprefix(f"{folder}/") for name in pack.absent
        } == {
            "plan.json", "fate.json", "approvals.json", "snapshot.txt", "forecast_task.json",
            "forecast.json", "problem.json", "solution.json", "verification.json",
            "commands.json", "wire.json", "read_backs.json", "effect.json",
            "requests/REQ-1.json", AUDIT,
        }  # fmt: skip
        assert inconsistent(pack.files, pack.plans) == ()
        assert [a["by"] for a in pack.json(f"{folder}/approvals.json")] == ["anne", "bert"]
        fate = pack.json(f"{folder}/fate.json")
        assert [s["state"] for s in fate["steps"]] == [
            "proposed", "partial", "approved", "active", "completed",
        ]  # fmt: skip
        assert len(pack.json(f"{folder}/commands.json")) == len(rows)
        read_backs = pack.json(f"{folder}/read_backs.json")
        assert any(value == 50.0 for _, value, *_ in read_backs["LG1.ShedFb"])
        actions = [json.loads(line)["entry"]["action"] for line in pack.files[AUDIT].splitlines()]
        for action in ("plan.propose", "plan.approve", "plan.active", "order.dispatch"):
            assert action in actions

        whole = await pack_of(running, "EV-1")
        assert whole.plans == (mrid,)
        assert "requests/REQ-1.json" in whole.files
        with pytest.raises(RefusedError, match="neither a plan nor an event"):
            await pack_of(running, "P-nothing")

        for name, before, after, says in (
            ("plan.json", b'"net_kw"', b'"net_Kw"', "another digest"),
            ("problem.json", b"900.0", b"901.0", "not what the plan was computed from"),
            ("snapshot.txt", b"0.99", b"0.98", "not what the plan was computed from"),
            ("solution.json", b"50.0", b"51.0", "not what plan.json holds"),
            ("approvals.json", fate["digest"].encode(), b"0" * 64, "approved another digest"),
        ):
            body = pack.files[f"{folder}/{name}"]
            assert before in body, name
            changed = {**pack.files, f"{folder}/{name}": body.replace(before, after, 1)}
            assert says in " ".join(inconsistent(changed, pack.plans)), name
        lines = pack.files[AUDIT].splitlines(keepends=True)
        for forged in (
            lines[:1] + lines[2:1:-1] + lines[3:],
            [lines[0].replace(b'"who":"', b'"who":"x'), *lines[1:]],
        ):
            assert inconsistent({**pack.files, AUDIT: b"".join(forged)}, pack.plans)


async def test_a_plan_of_before_says_what_it_lacks(tmp_path: Path) -> None:
    from tests.gridctl.store.examples import plan

    async with site(tmp_path) as running:
        old = replace(plan("P-old"), requests=())
        async with running.store.transaction() as unit:
            await unit.add_plan(old, PlanState.PROPOSED, running.clock.now_s())
        pack = await pack_of(running, "P-old")
        assert "plans/P-old/problem.json" in pack.absent
        assert inconsistent(pack.files, pack.plans) == ()
