"""A device that something is under way to is told later; the rest of the order is not lost."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gridctl.control import batches
from gridctl.control.inflight import NAMED_MAX, TOLD_AFTER_S, InFlight
from gridctl.control.telemetry import ProcessImage
from gridctl.field.execution import Executor
from gridctl.model.clock import ManualClock
from gridctl.model.command import Command, CommandState
from gridctl.model.link import Heartbeat
from gridctl.model.plan import PlanState
from gridctl.model.record import CommandRow
from tests.gridctl.control.test_journey import approved, commands, plan_is, ready
from tests.gridctl.small_site import SETPOINTS, Site, site, until

SLOW = SETPOINTS["LG2"]


class Returning:
    """A device whose return to the default takes long. `told`: whether heartbeats say so."""

    def __init__(self, *, told: bool) -> None:
        self.on, self.told = True, told

    def holds(self, point: str) -> bool:
        return self.on and point == SLOW


@pytest.fixture(params=["told-by-heartbeat", "only-when-ordered"])
def returning(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Returning:
    own = Returning(told=request.param == "told-by-heartbeat")
    busy, holder = Executor.busy, Executor.holder
    in_flight: Any = Executor.in_flight

    def now_busy(self: Executor, point: str) -> bool:
        return own.holds(point) or busy(self, point)

    def now_holder(self: Executor, point: str) -> str | None:
        words = "the return to the default after C-0 is in flight since 3 s"
        return words if own.holds(point) else holder(self, point)

    def told(self: Executor) -> frozenset[str]:
        own_too = {SLOW} if own.on and own.told else set()
        return frozenset(in_flight.fget(self) | own_too)

    monkeypatch.setattr(batches, "BATCH_SHARE", 1.0)  # all behind the canary in one order
    monkeypatch.setattr(Executor, "busy", now_busy)
    monkeypatch.setattr(Executor, "holder", now_holder)
    monkeypatch.setattr(Executor, "in_flight", property(told))
    return own


def held(running: Site) -> set[str]:
    return {r for r, point in SETPOINTS.items() if running.plant.setpoints[point] != 0.0}


async def test_sg03_the_others_go_and_the_busy_one_follows(
    tmp_path: Path, returning: Returning
) -> None:
    async with site(tmp_path, rate=10) as running:
        await ready(running)
        mrid = await approved(running)
        others = set(SETPOINTS) - {"LG2"}
        await until(
            lambda: others <= held(running), within_s=15, why=f"only {held(running)} were told"
        )
        assert "LG2" not in held(running)
        no: list[CommandRow] = []
        for _ in range(100):
            no = [r for r in await commands(running, mrid) if r.state is CommandState.REFUSED]
            if returning.told or no:
                break
            await asyncio.sleep(0.1)
        assert bool(no) is not returning.told
        assert all("(SG-03)" in r.detail for r in no)
        stored = await running.store.plan(mrid)
        assert stored is not None
        assert stored.state is PlanState.ACTIVE, stored.reason
        returning.on = False
        await until(
            lambda: "LG2" in held(running), within_s=15, why="the device was not told when free"
        )
        rows = await commands(running, mrid)
        took = [r.command.resource for r in rows if r.state is not CommandState.REFUSED]
        assert sorted(took) == sorted(set(took)), "a device was told twice"
        assert not any(a.key.startswith("order.") for a in running.desk_office.alarms.listed())
        await plan_is(running, mrid, PlanState.COMPLETED, within_s=30)


def waiting_for(points: Iterator[str]) -> list[Command]:
    return [
        Command(
            mrid=f"C-{point}", plan="P", resource=point.upper(), point=point, value=1.0,
            expect_point="x", tolerance=0.1, lease_until_s=900.0, default_value=0.0,
            effect_kw=1.0, batch=1,
        )
        for point in points
    ]  # fmt: skip


def test_people_are_told_when_a_device_is_waited_for_for_long() -> None:
    clock = ManualClock(grid_s=0.0)
    image = ProcessImage(clock=clock)
    names = [f"d{n}" for n in range(NAMED_MAX + 2)]
    image.beat(
        Heartbeat(at_s=0.0, stopped=False, links=(), leases=(), dropped=0, busy=tuple(names))
    )
    own, asked = InFlight(image=image, clock=clock), waiting_for(iter([*names, "free"]))
    assert [c.point for c in own.free(asked)] == ["free"]
    is_late, _ = own.waiting("P", asked)
    assert not is_late
    clock.advance(TOLD_AFTER_S)
    is_late, condition = own.waiting("P", asked)
    assert is_late
    assert "plan P waits for D0 (15 s), D1 (15 s), D2 (15 s), D3 (15 s) and 2 more" in (
        condition.text
    )
    own.waiting("P", [])
    assert own.waiting("P", asked)[0] is False, "it counts from when it is waited for again"
