"""Off, shadow, advisory: what is made, what is kept, and what can never be sent (SG-37)."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from gridctl.control.modes import AreaModes
from gridctl.control.ports import Person
from gridctl.control.promotion import PromotionRules
from gridctl.control.shadow import judged_intervals, score
from gridctl.model.errors import RefusedError
from gridctl.model.mode import Mode, ShadowScore
from gridctl.model.plan import PlanState
from gridctl.model.planning import Forecast
from tests.gridctl.control.test_journey import approved, plan_is, propose, ready, state_of
from tests.gridctl.small_site import ANNE, BERT, GUEST, STEP_S, Site, site, until
from tests.gridctl.store.examples import RESULT, T0, plan

EVE = Person(user="eve", session="s-eve", source="127.0.0.1", role="ENGINEER")
AREA = "A1"


def modes_of(running: Site) -> AreaModes:
    return running.desk_office.duty.modes


def rules_of(running: Site) -> PromotionRules:
    settings = running.settings
    return PromotionRules(
        policy=settings.modes,
        resources=settings.resources,
        limits=settings.limits,
        model_digest=settings.feeder.digest(),
        head_limit_kw=settings.head_limit_kw,
        second_needs_factor=False,
    )


async def refused(what: object, code: str) -> None:
    with pytest.raises(RefusedError) as no:
        await what  # type: ignore[misc]
    assert no.value.refusal.code == code, no.value


async def shadow_plans(running: Site) -> list[str]:
    return [p.plan.mrid for p in await running.store.plans(states=[PlanState.SHADOW])]


async def test_sg37_shadow_plans_are_made_kept_and_scored_and_cannot_be_sent(
    tmp_path: Path,
) -> None:
    async with site(tmp_path, rate=40) as running:
        await ready(running)
        modes, desk = modes_of(running), running.desk_office.desk
        await modes.set(AREA, Mode.SHADOW, reason="a new feeder", person=ANNE)
        assert desk.picture().mode == "shadow"
        await refused(propose(running), "no_setpoints")
        (mrid,) = await shadow_plans(running)
        stored = await running.store.plan(mrid)
        assert stored is not None
        assert stored.plan.result.setpoints
        assert await running.store.dossiers.inputs(mrid), "it can be made again"
        await refused(desk.approve(mrid, shown_digest=stored.digest, person=ANNE), "not_open")
        assert (await modes.views())[0].scored == 0

        scored = 0
        for _ in range(80):
            scored += await running.desk_office.reviews.scores.step()
            if scored:
                break
            await asyncio.sleep(0.1)
        view = (await modes.views())[0]
        assert view.scored == 1
        assert view.forecast_error_pct == pytest.approx(0.0, abs=0.5)
        assert view.over_kwh == pytest.approx(100.0 * 2 * STEP_S / 3600, rel=0.05)
        assert view.relieved_kwh == pytest.approx(view.over_kwh)
        assert running.plant.operated == []


async def test_sg37_up_needs_evidence_and_three_persons_down_needs_one(tmp_path: Path) -> None:
    async with site(tmp_path) as running:
        await ready(running)
        modes = modes_of(running)
        up = modes.set
        await modes.set(AREA, Mode.OFF, reason="works on the line", person=BERT)
        await refused(up(AREA, Mode.ADVISORY, reason="it is done", person=EVE), "no_evidence")
        await modes.set(AREA, Mode.SHADOW, reason="it is done", person=BERT)
        await refused(up(AREA, Mode.ADVISORY, reason="enough seen", person=EVE), "no_evidence")
        await evident(running, error_pct=30.0)
        await refused(up(AREA, Mode.ADVISORY, reason="enough seen", person=EVE), "no_evidence")
        await evident(running, error_pct=1.0, more=6)
        await up(AREA, Mode.ADVISORY, reason="enough seen", person=EVE)
        assert modes.of(AREA).mode is Mode.SHADOW, "asked for is not given"
        await refused(modes.approve(AREA, person=EVE), "wrong_role")
        await modes.approve(AREA, person=ANNE)
        await refused(modes.approve(AREA, person=ANNE), "same_person")
        assert modes.of(AREA).mode is Mode.SHADOW
        await modes.approve(AREA, person=BERT)
        assert modes.of(AREA).mode is Mode.ADVISORY
        assert modes.of(AREA).by == "eve, anne, bert"
        await refused(modes.approve(AREA, person=BERT), "no_request")
        await refused(up(AREA, Mode.SHADOW, reason="why not", person=GUEST), "wrong_role")
        await refused(up(AREA, Mode.SHADOW, reason="", person=ANNE), "no_reason")
        await refused(up("A9", Mode.OFF, reason="why not", person=ANNE), "no_such_area")
        actions = [r.entry.action for r in await running.store.audit_rows(limit=50)]
        assert actions.count("mode.set") == 3
        assert actions.count("mode.request") == 1
        # A restart forgets nothing.
        again = AreaModes(
            store=running.store,
            clock=running.clock,
            policy=running.settings.modes,
            rules=rules_of(running),
            resources=running.settings.resources,
            changed=lambda area: None,
        )
        await again.load()
        assert again.of(AREA) == modes.of(AREA)


async def test_sg37_going_down_ends_what_waits(tmp_path: Path) -> None:
    async with site(tmp_path, rate=20) as running:
        await ready(running)
        mrid, digest = await propose(running)
        await modes_of(running).set(AREA, Mode.OFF, reason="works on the line", person=ANNE)
        desk = running.desk_office.desk
        await refused(desk.approve(mrid, shown_digest=digest, person=ANNE), "blocked")
        await plan_is(running, mrid, PlanState.VOID, within_s=3)
        assert running.plant.operated == []


async def test_sg37_going_down_ends_what_runs(tmp_path: Path) -> None:
    async with site(tmp_path, rate=20) as running:
        await ready(running)
        for driver in running.drivers.values():
            driver.delay_s = 0.3
        mrid = await approved(running)
        await until(lambda: running.plant.operated, within_s=10, why="nothing was operated")
        await modes_of(running).set(AREA, Mode.SHADOW, reason="odd readings", person=ANNE)
        await plan_is(running, mrid, PlanState.STOPPED, within_s=5)
        stored = await running.store.plan(mrid)
        assert stored is not None
        assert "SG-37" in stored.reason
        assert len(running.plant.operated) < 4


async def evident(running: Site, *, error_pct: float, more: int = 2) -> None:
    """Scores as if the area had been in shadow for a while."""
    since_s = modes_of(running).of(AREA).since_s
    for number in range(more):
        mrid = f"S-{error_pct}-{number}"
        one = ShadowScore(
            plan=mrid,
            areas=(AREA,),
            start_s=since_s + number,
            end_s=since_s + number + 1,
            forecast_error_pct=error_pct,
            plan_error_kw=1.0,
            over_kwh=2.0,
            relieved_kwh=1.0,
            moved_kwh=3.0,
            cost=4.0,
        )
        async with running.store.transaction() as unit:
            await unit.add_plan(replace(plan(mrid)), PlanState.SHADOW, since_s)
            await unit.add_score(one)
    assert await state_of(running, f"S-{error_pct}-0") is PlanState.SHADOW


def test_sg37_the_score_by_hand() -> None:
    """Two hours of 15 minutes: LG01 sheds 41.3 kW in the first, BESS01 0.3 in the second."""
    one = replace(plan(), result=replace(RESULT, horizon=replace(RESULT.horizon, step_s=3600.0)))
    forecast = Forecast(
        horizon=one.result.horizon,
        quantiles=(0.5,),
        values_kw=((3300.0, 3300.0),),
        method="",
        history_days=1.0,
        nmae_pct=None,
    )
    assert judged_intervals(one) == 2
    areas = {"LG01": "A1", "BESS01": "A2"}
    found = score(one, forecast=forecast, measured_kw=(3200.0, None), limit_kw=3180.0, areas=areas)
    assert found is not None
    assert found.areas == ("A1", "A2")
    assert found.forecast_error_pct == pytest.approx(100 * 100 / 3200)
    assert found.over_kwh == pytest.approx(20.0)
    assert found.relieved_kwh == pytest.approx(20.0)
    assert found.moved_kwh == pytest.approx(41.3)
    assert found.plan_error_kw == pytest.approx(abs(3190.0 - (3200.0 - 41.3)))
    assert found.end_s == T0 + 7200.0
    assert (
        score(one, forecast=forecast, measured_kw=(None, None), limit_kw=1.0, areas=areas) is None
    )
