"""A device that heeds another master is an alarm of its own (SG-25)."""

from __future__ import annotations

import pytest

from gridctl.control.activity import Activity
from gridctl.control.alarms import AlarmBook
from gridctl.control.audit import OFFICE
from gridctl.control.distrust import Distrust
from gridctl.control.journal import CommandBook
from gridctl.model.clock import ManualClock
from gridctl.model.command import CommandState
from gridctl.model.link import Ack, Outcome
from gridctl.model.order import Order, OrderKind
from gridctl.store.engine import temporary_store
from tests.gridctl.store.examples import T0, command


@pytest.mark.parametrize(("status", "told"), [("BLOCKED_OTHER_MASTER", True), ("LOCAL", False)])
async def test_sg25_another_master_is_an_alarm(status: str, told: bool) -> None:
    clock = ManualClock(grid_s=T0)
    async with temporary_store(clock) as store:
        alarms = AlarmBook(store=store, clock=clock)
        book = CommandBook(
            store=store,
            clock=clock,
            alarms=alarms,
            activity=Activity(utc_offset_s=0.0),
            distrust=Distrust(utc_offset_s=0.0, link_of=lambda _: None),
        )
        order = Order(
            mrid="O-1-1",
            kind=OrderKind.DISPATCH,
            epoch=1,
            sequence=1,
            plan="P1",
            plan_digest="",
            limits_digest="",
            approved_by=("anne",),
            not_before_s=T0,
            not_after_s=T0 + 60,
            commands=(command(),),
        )
        async with store.transaction() as unit:
            await book.write_order(unit, order, person=OFFICE, reason="")
        book.written(order)
        await book.take_ack(Ack(order=order.mrid, admitted=True, code="admitted", reasons=()))
        await book.take_outcome(
            Outcome(
                command=command().mrid,
                order=order.mrid,
                state=CommandState.FAILED,
                status=status,
                detail="",
                at_s=T0,
            )
        )
        found = [a for a in alarms.listed() if a.key.startswith("other_master")]
        assert bool(found) is told
        assert all(a.priority == 1 for a in found)
