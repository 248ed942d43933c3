"""A small site in closed loop: OT's bounds, people at the desk, evidence, a promotion."""

from __future__ import annotations

from dataclasses import replace

from gridctl.control.modes import AreaModes
from gridctl.control.ports import Person
from gridctl.model.envelope import Cause, Envelope
from gridctl.model.mode import AreaMode, Mode, ShadowScore
from gridctl.model.plan import PlanState
from gridctl.model.record import AuditEntry
from tests.gridctl.small_site import ANCHOR_S, ANNE, BERT, SETPOINTS, Site, limits_text
from tests.gridctl.store.examples import plan

AREA = "A1"
DAY_S = 86_400.0
EVE = Person(user="eve", session="s-eve", source="127.0.0.1", role="ENGINEER")
ENVELOPE = Envelope(
    area=AREA,
    max_kw=200.0,
    ramp_kw=400.0,
    devices=("LG1", "LG2", "LG3", "BAT1"),
    from_hour=0,
    to_hour=24,
    utc_offset_s=0.0,
    causes=(Cause.HEAD, Cause.REQUEST),
    life_s=3_600.0,
)
"""The toy's plan fits in: 180 kW up and, two minutes later, down again."""


def closed_loop_limits() -> str:
    """The site's limits with OT's leave for closed loop."""
    points = ", ".join(f'"{p}"' for p in SETPOINTS.values())
    return (
        limits_text()
        + f"""
[[closed_loop]]
area = "{AREA}"
max_kw = 200.0
ramp_kw = 400.0
points = [{points}]
"""
    )


def modes_of(running: Site) -> AreaModes:
    return running.desk_office.duty.modes


def _row(action: str) -> AuditEntry:
    return AuditEntry(
        at_s=ANCHOR_S, who="test", session="", source="", role="", action=action, object="",
        before="", after="", reason="", plan_digest="", result="ok",
    )  # fmt: skip


async def somebody_at_the_desk(running: Site) -> str:
    """A live session of one who may approve; its token."""
    await running.store.users.add_user(
        "anne", "Operator A", "OPERATOR", "correct horse battery", audit=_row("add")
    )
    return await running.store.sessions.open("anne", "127.0.0.1")


async def evident(running: Site, *, plans: int = 6, days: float = 20.0) -> None:
    """Scores as if the area had been in shadow and advisory for `days`."""
    now_s = running.clock.now_s()
    for number in range(plans):
        mrid = f"{'S' if number else 'P'}-seen-{number}"
        start_s = now_s - days * DAY_S if number == plans - 1 else now_s - 120.0
        score = ShadowScore(
            plan=mrid,
            areas=(AREA,),
            start_s=start_s,
            end_s=start_s + 60.0,
            forecast_error_pct=1.0,
            plan_error_kw=1.0,
            over_kwh=2.0,
            relieved_kwh=1.0,
            moved_kwh=3.0,
            cost=4.0,
        )
        async with running.store.transaction() as unit:
            await unit.add_plan(replace(plan(mrid)), PlanState.SHADOW, now_s)
            await unit.add_score(score)


async def promoted(running: Site, envelope: Envelope = ENVELOPE) -> AreaMode:
    """Asked for by one, approved by two others."""
    modes = modes_of(running)
    await modes.ask(envelope, reason="a quiet night", person=EVE)
    await modes.approve(AREA, person=ANNE, shown_digest=envelope.digest())
    after = await modes.approve(AREA, person=BERT, shown_digest=envelope.digest())
    assert after.mode is Mode.CLOSED_LOOP
    return after
