"""After a restart nothing is half: no old plan goes on, no command is sent again."""

from __future__ import annotations

from gridctl.control.alarms import AlarmBook, Condition
from gridctl.control.audit import OFFICE, entry
from gridctl.control.journal import CommandBook
from gridctl.control.ports import Store
from gridctl.model.clock import Clock
from gridctl.model.plan import PlanState

UNFINISHED = (PlanState.PROPOSED, PlanState.PARTIAL, PlanState.APPROVED, PlanState.ACTIVE)
PLANS_MAX = 1_000


async def end_what_was_open(
    *, store: Store, clock: Clock, alarms: AlarmBook, book: CommandBook, feeder: str
) -> None:
    """End the plans of the office before, settle what is known of its commands, and say so. Raises
    UnavailableError."""
    doubtful = await book.recover()
    at_s, ended = clock.now_s(), 0
    for stored in await store.plans(states=UNFINISHED, limit=PLANS_MAX):
        async with store.transaction() as unit:
            await unit.move_plan(
                stored.plan.mrid,
                expected=stored.state,
                to=PlanState.STOPPED if stored.state is PlanState.ACTIVE else PlanState.VOID,
                at_s=at_s,
                reason="the office was restarted: its snapshot is gone",
            )
        ended += 1
    async with store.transaction() as unit:
        await unit.audit(
            entry(
                at_s=at_s,
                person=OFFICE,
                action="office.start",
                object_=feeder,
                after=f"{ended} plans ended, {doubtful} commands in doubt",
            )
        )
    await alarms.follows(
        doubtful > 0,
        Condition(
            key="restart",
            priority=2,
            text=f"{doubtful} commands were under way when the office was restarted",
            response="see the command list: the field tells what became of them",
        ),
    )
