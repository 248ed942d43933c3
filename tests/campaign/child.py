"""Office or field agent of the campaign, in a process that may be killed at a named point.

    python -m tests.campaign.child ROLE FOLDER ANCHOR_REAL_S ACT [POINT]

ROLE office or field; ACT propose, watch or naive (office only); at POINT the process kills itself
with SIGKILL, in the middle of what it does. The points are put around the real methods from here:
the program has no hook for them.
"""

from __future__ import annotations

import asyncio
import functools
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from gridctl.control.approvals import Approvals
from gridctl.control.ends import PlanEnds
from gridctl.control.journal import ENDED, CommandBook
from gridctl.control.office import Office
from gridctl.field.agent import run_field
from gridctl.field.guard import Guard
from gridctl.link import OfficeLink, UnixEndpoint
from gridctl.link_client import FieldLinkClient
from gridctl.model.command import CommandState
from gridctl.model.errors import RefusedError
from gridctl.model.link import Outcome
from gridctl.model.order import OrderKind
from gridctl.model.permit import Permit
from gridctl.pki import load_private_ed25519
from gridctl.store.engine import SqlStore, open_store
from gridctl.store.transaction import SqlTransaction
from gridctl.wallclock import grid_clock
from protocols.driver import Execution, Result, StageCallback
from tests.campaign.plant import Wire
from tests.gridctl.small_site import (
    ANCHOR_S,
    ANNE,
    BERT,
    ScriptedDriver,
    ToyPlanner,
    ToyPlant,
    _end,
    _field_settings,
    _office_settings,
    until,
)

RATE = 20.0
OFFICE_POINTS = (
    "approval.before",
    "approval.after",
    "release.after",
    "order.numbered",
    "order.written",
    "order.committed",
    "order.sent",
    "ack.before",
    "ack.after",
    "outcome.selected",
    "outcome.operated",
    "outcome.accepted",
    "outcome.confirmed",
    "end.before",
)
FIELD_POINTS = (
    "field.admitted",
    "field.before-select",
    "field.selected",
    "field.before-operate",
    "field.operated",
    "field.answered",
    "field.confirmed",
)
NAIVE_POINTS = ("order.sent", "ack.after", "outcome.operated", "outcome.accepted")
LIFE_S = 45.0
RESENT_LEASE_S = 100.0
"""Grid seconds."""

_kill_at = ""


def at(point: str) -> None:
    """Die here, if this is the point."""
    if point == _kill_at:
        os.kill(os.getpid(), signal.SIGKILL)


def at_if(holds: object, point: str) -> None:
    """Die here, if this is the point and `holds` is so."""
    if holds:
        at(point)


def around(owner: type, name: str, *, before: Any = None, after: Any = None) -> None:
    """Call `before(*arguments)` and `after(result, *arguments)` around an async or plain method."""
    original: Callable[..., Any] = getattr(owner, name)

    @functools.wraps(original)
    async def asynchronous(*arguments: Any, **named: Any) -> Any:
        if before is not None:
            before(*arguments)
        result = await original(*arguments, **named)
        if after is not None:
            after(result, *arguments)
        return result

    @functools.wraps(original)
    def plain(*arguments: Any, **named: Any) -> Any:
        if before is not None:
            before(*arguments)
        result = original(*arguments, **named)
        if after is not None:
            after(result, *arguments)
        return result

    setattr(owner, name, asynchronous if asyncio.iscoroutinefunction(original) else plain)


def arm_office() -> None:
    around(
        Approvals,
        "_accept",
        before=lambda *_: at("approval.before"),
        after=lambda *_: at("approval.after"),
    )
    around(Approvals, "take", after=lambda taken, *_: at_if(taken, "release.after"))
    around(SqlTransaction, "next_sequence", after=lambda *_: at("order.numbered"))
    around(CommandBook, "write_order", after=lambda *_: at("order.written"))
    around(CommandBook, "written", before=lambda *_: at("order.committed"))
    around(
        OfficeLink,
        "send",
        after=lambda _r, _s, order: at_if(order.kind is OrderKind.DISPATCH, "order.sent"),
    )
    around(
        CommandBook,
        "take_ack",
        before=lambda *_: at("ack.before"),
        after=lambda *_: at("ack.after"),
    )
    around(CommandBook, "take_outcome", before=lambda _s, outcome: at(f"outcome.{outcome.state}"))
    around(PlanEnds, "end", before=lambda *_: at("end.before"))


def arm_field() -> None:
    around(
        Guard,
        "admit",
        after=lambda _r, _s, signed: at_if(
            signed.order.kind is OrderKind.DISPATCH, "field.admitted"
        ),
    )
    around(FieldLinkClient, "tell", after=lambda _r, _s, frame: _told(frame))


def _told(frame: object) -> None:
    if isinstance(frame, Outcome) and frame.state is CommandState.CONFIRMED:
        at("field.confirmed")


class WireDriver(ScriptedDriver):
    """Reads and operates the recording outstation."""

    wire: Wire
    seen: ToyPlant

    async def execute(
        self, permit: Permit, *, aborted: Callable[[], bool], stage: StageCallback
    ) -> Execution:
        reason = permit.use(self._clock.monotonic_s())
        if reason is not None:
            return _end(Result.REJECTED, "PERMIT", reason)
        command = permit.command
        at("field.before-select")
        stage(CommandState.SELECTED)
        at("field.selected")
        await asyncio.sleep(0.02)
        if aborted():
            return _end(Result.ABORTED, "ABORTED", "stopped between select and operate")
        stage(CommandState.OPERATED)
        at("field.before-operate")
        self.wire.ask(op="operate", command=command.mrid, point=command.point, value=command.value)
        at("field.operated")
        await asyncio.sleep(0.02)
        at("field.answered")
        return _end(Result.ACCEPTED, "SUCCESS", "")


class FarPlant(ToyPlant):
    """What the outstation shows."""

    def __init__(self, wire: Wire) -> None:
        super().__init__()
        self._wire = wire

    def values(self) -> dict[str, float]:
        return self._wire.ask(op="read")


async def field(folder: Path, anchor_real_s: float) -> None:
    arm_field()
    clock = grid_clock(anchor_real_s=anchor_real_s, anchor_grid_s=ANCHOR_S, rate=RATE)
    wire = Wire(folder / "plant.sock")

    def opened(settings: Any, points: Any, inbox: Any, its_clock: Any) -> WireDriver:
        driver = WireDriver(settings.id, points, inbox, its_clock, FarPlant(wire))
        driver.wire = wire
        return driver

    await run_field(_field_settings(folder), clock=clock, stop=asyncio.Event(), open_driver=opened)


async def office(folder: Path, anchor_real_s: float, act: str) -> None:
    arm_office()
    clock = grid_clock(anchor_real_s=anchor_real_s, anchor_grid_s=ANCHOR_S, rate=RATE)
    store = await open_store(f"sqlite:///{folder}/control.db", clock=clock)
    open_rows = [r for r in await store.commands() if r.state not in ENDED]
    link = OfficeLink(
        endpoint=UnixEndpoint(path=folder / "link.sock"),
        key=load_private_ed25519(folder / "office.key"),
    )
    await link.start()
    settings = _office_settings(folder, 100.0, 60.0, 3600.0, None)
    running = Office(settings=settings, store=store, planner=ToyPlanner(), link=link, clock=clock)
    stop = asyncio.Event()
    task = asyncio.create_task(running.run(stop))
    try:
        async with asyncio.timeout(LIFE_S):
            if act != "watch":
                await _ready(running)
            if act == "propose":
                await _approve(running, store)
            elif act == "naive":
                await _resend(running, store, open_rows)
            await _settled(store)
    except TimeoutError:
        sys.stderr.write("not settled in time\n")
    stop.set()
    await task
    await link.close()
    await store.close()


async def _ready(running: Office) -> None:
    def usable() -> bool:
        picture = running.desk.picture()
        is_read = bool(picture.snapshot.values) and not picture.blocked
        return is_read and all(r.excluded is None for r in picture.resources)

    await until(usable, within_s=LIFE_S, why="the field does not get ready")


async def _approve(running: Office, store: SqlStore) -> None:
    mrid = await running.desk.propose_now(person=ANNE)
    stored = await store.plan(mrid)
    assert stored is not None
    for person in (ANNE, BERT):
        await running.desk.approve(mrid, shown_digest=stored.digest, person=person)


async def _resend(running: Office, store: SqlStore, rows: Any) -> None:
    """What a simple program does after a restart: whatever has no good end is sent again."""
    for row in rows:
        plan = await store.plan(row.command.plan)
        assert plan is not None
        # With a lease of its own: on a slow machine the old one would be over.
        until_s = running._clock.now_s() + RESENT_LEASE_S
        again = replace(row.command, mrid=f"{row.command.mrid}.again", lease_until_s=until_s)
        try:
            await running._orders.dispatch(
                plan.plan, plan.digest, [a.by for a in plan.approvals], [again]
            )
        except RefusedError as no:
            sys.stderr.write(f"naive: {no}\n")
        await asyncio.sleep(1.0)


async def _settled(store: SqlStore) -> None:
    """Until no plan and no command is on its way any more; at least a second."""
    quiet = 0
    while quiet < 4:
        await asyncio.sleep(0.25)
        plans = await store.plans()
        rows = await store.commands()
        moving = any(not p.state.is_final for p in plans) or any(r.state not in ENDED for r in rows)
        quiet = 0 if moving else quiet + 1


def main() -> None:
    global _kill_at  # noqa: PLW0603 - the one word of this process
    role, folder, anchor_real_s, act, *point = sys.argv[1:]
    _kill_at = point[0] if point else ""
    work = field(Path(folder), float(anchor_real_s))
    if role == "office":
        work = office(Path(folder), float(anchor_real_s), act)
    asyncio.run(work)


if __name__ == "__main__":
    main()
