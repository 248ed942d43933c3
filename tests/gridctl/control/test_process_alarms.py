"""A device's own alarms: server → field → office → people, and an acknowledgement back again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from asyncua.ua.status_codes import StatusCodes

from gridctl.control.alarms import AlarmBook
from gridctl.control.ports import Person
from gridctl.control.process_alarms import ProcessAlarms
from gridctl.model.alarm import Alarm, AlarmState, process_key, process_link
from gridctl.model.clock import Clock, ManualClock
from gridctl.model.errors import RefusedError
from gridctl.model.link import ConditionInfo, Conditions
from gridctl.store.engine import temporary_store
from protocols.conditions import DeviceCondition
from protocols.driver import Driver, Execution, LinkSettings, PointAddress
from protocols.inbox import Inbox
from protocols.opcua.driver import OpcUaDriver
from tests.gridctl.small_site import ANNE, ScriptedDriver, Site, site, until
from tests.peers.asyncua_alarms import NAME, AlarmingServer
from tests.peers.certificates import write_site
from tests.peers.opcua import PASSWORD
from tests.peers.opcua_link import CLOCK, link_options, row
from tests.ports import free_port


class Both(ScriptedDriver):
    """The site's scripted points, and the alarms of a real server over a real session."""

    server: OpcUaDriver

    async def start(self) -> None:
        await super().start()
        await self.server.start()

    async def stop(self) -> None:
        await super().stop()
        await self.server.stop()

    def conditions(self) -> Sequence[DeviceCondition] | None:
        return self.server.conditions()

    async def acknowledge(self, condition: str, *, comment: str) -> Execution:
        return await self.server.acknowledge(condition, comment=comment)


@dataclass
class Stand:
    """A running site whose link DER has an alarming server behind it."""

    site: Site
    server: AlarmingServer

    @property
    def alarm(self) -> Alarm | None:
        found = [a for a in self.site.desk_office.desk.picture().alarms if process_link(a.key)]
        assert len(found) <= 1, found
        return found[0] if found else None

    async def shows(self, what: Callable[[Alarm | None], bool], *, within_s: float = 8.0) -> None:
        await until(lambda: what(self.alarm), within_s=within_s, why=f"it is {self.alarm}")


@asynccontextmanager
async def stand(folder: Path) -> AsyncIterator[Stand]:
    write_site(folder, PASSWORD)
    port = free_port()
    server = AlarmingServer(port=port, folder=folder)
    await server.start()
    peer = type("Peer", (), {"namespace": "urn:gridctl:peer"})
    settings = LinkSettings(
        id="DER",
        protocol="opcua",
        file="field.toml",
        options=link_options(folder, port, conditions=True, publishing_ms=100.0),
    )
    async with site(folder, rate=10.0) as running:

        def open_driver(
            of: LinkSettings, points: Sequence[PointAddress], inbox: Inbox, clock: Clock
        ) -> Driver:
            if of.id != "DER":
                return running.open_driver(of, points, inbox, clock)
            driver = Both("DER", points, inbox, clock, running.plant)
            driver.server = OpcUaDriver(settings, [row(peer, "V0")], Inbox(10), CLOCK)  # type: ignore[arg-type]
            running.drivers["DER"] = driver
            return driver

        running.start_office()
        running.start_field(open_driver)
        try:
            await until(lambda: running.link.connected, within_s=5, why="no field")
            yield Stand(running, server)
        finally:
            await server.stop()


async def test_alarm_of_a_real_server_reaches_people_and_their_word_reaches_it(
    tmp_path: Path,
) -> None:
    async with stand(tmp_path) as made:
        desk = made.site.desk_office.desk
        # It began before anybody listened: the refresh brings it.
        await made.server.show(active=True, acked=False)
        await made.shows(lambda a: a is not None)
        alarm = made.alarm
        assert alarm is not None
        assert (alarm.priority, alarm.state) == (1, AlarmState.UNACKED)
        assert alarm.text == f"T1 {NAME}: oil at 96 °C [DER]"
        assert alarm.key.startswith("process:DER:")
        assert made.server.acknowledged == []
        await desk.acknowledge(alarm.key, person=ANNE)
        await until(lambda: made.server.acknowledged == ["anne"], within_s=5, why="not told")
        await made.shows(lambda a: a is not None and a.state is AlarmState.ACKED)
        orders = [r.entry for r in await made.site.store.audit_rows() if "order." in r.entry.action]
        assert [e.action for e in orders] == ["order.acknowledge"]
        assert orders[0].who == "anne"
        await made.server.show(active=False, acked=True)
        await made.shows(lambda a: a is None)
        with pytest.raises(RefusedError):
            await desk.acknowledge(alarm.key, person=ANNE)


async def test_what_the_device_does_not_take_is_said(tmp_path: Path) -> None:
    async with stand(tmp_path) as made:
        desk = made.site.desk_office.desk
        made.server.acknowledges = StatusCodes.BadUserAccessDenied
        await made.server.show(active=True, acked=False, severity=500)
        await made.shows(lambda a: a is not None and a.priority == 2)
        alarm = made.alarm
        assert alarm is not None
        await desk.acknowledge(alarm.key, person=ANNE)
        await made.shows(lambda a: a is not None and "BadUserAccessDenied" in a.text)
        assert made.alarm is not None
        assert made.alarm.state is AlarmState.ACKED, "a person has seen it all the same"


@pytest.mark.soak
async def test_a_lost_server_clears_nothing(tmp_path: Path) -> None:
    async with stand(tmp_path) as made:
        await made.server.show(active=True, acked=False)
        await made.shows(lambda a: a is not None)
        await made.server.stop()
        await asyncio.sleep(2.0)
        assert made.alarm is not None, "nobody knows that it is over"
        # Somebody else acknowledged meanwhile, and it cooled down: all told after the return.
        await made.server.start()
        await made.server.show(active=False, acked=True)
        await made.shows(
            lambda a: a is not None and a.state is AlarmState.CLEARED_UNACKED, within_s=15
        )


# The book alone: states that a server goes through, without a server

HOT = ConditionInfo(
    condition="c", source="T1", name="Hot", message="", severity=300, active=True,
    acknowledged=False, at_s=1.0,
)  # fmt: skip
KEY = process_key("L", "c")


@pytest.mark.parametrize(
    ("told", "state"),
    [
        ([HOT], AlarmState.UNACKED),
        ([HOT, replace(HOT, acknowledged=True, at_s=2.0)], AlarmState.ACKED),
        ([HOT, replace(HOT, active=False, at_s=2.0)], AlarmState.CLEARED_UNACKED),
        ([replace(HOT, active=False)], AlarmState.CLEARED_UNACKED),
        ([HOT, None], AlarmState.CLEARED_UNACKED),
        ([HOT, replace(HOT, active=False, acknowledged=True, at_s=2.0)], None),
        ([replace(HOT, active=False, acknowledged=True)], None),
        ([replace(HOT, active=None, acknowledged=None)], AlarmState.UNACKED),
    ],
)
async def test_states(told: list[ConditionInfo | None], state: AlarmState | None) -> None:
    clock = ManualClock()
    async with temporary_store(clock) as store:
        book = AlarmBook(store=store, clock=clock)
        alarms = ProcessAlarms(alarms=book, order=nobody)
        for one in told:
            await alarms.take(Conditions(link="L", conditions=() if one is None else (one,)))
        known = book.all.get(KEY)
        assert (None if known is None else known.state) == state


async def test_a_person_is_asked_once_for_each_state_of_the_device() -> None:
    clock = ManualClock()
    async with temporary_store(clock) as store:
        book = AlarmBook(store=store, clock=clock)
        told: list[tuple[str, str]] = []

        async def order(link: str, condition: str, person: Person) -> str | None:
            told.append((link, condition))
            return "the line to the field is down"

        alarms = ProcessAlarms(alarms=book, order=order)
        over = replace(HOT, active=False, at_s=2.0)
        await alarms.take(Conditions(link="L", conditions=(HOT,)))
        await alarms.take(Conditions(link="L", conditions=(over,)))
        await book.acknowledge(KEY, person=ANNE)
        await alarms.acknowledged(KEY, person=ANNE)
        assert told == [("L", "c")]
        # The device did not hear it and goes on waiting: nobody here is asked again for that.
        await alarms.take(Conditions(link="L", conditions=(over,)))
        assert KEY not in book.all
        again = replace(over, active=True, at_s=3.0)
        await alarms.take(Conditions(link="L", conditions=(again,)))
        assert book.all[KEY].state is AlarmState.UNACKED
        await book.acknowledge(KEY, person=ANNE)
        await alarms.acknowledged(KEY, person=ANNE)
        assert "the line to the field is down" in book.all[KEY].text


async def test_links_do_not_touch_each_others_alarms() -> None:
    clock = ManualClock()
    async with temporary_store(clock) as store:
        book = AlarmBook(store=store, clock=clock)
        alarms = ProcessAlarms(alarms=book, order=nobody)
        for link in ("L", "L:c", "process:L"):
            await alarms.take(Conditions(link=link, conditions=(HOT,)))
            assert process_link(process_key(link, "a:b")) == link
        await alarms.take(Conditions(link="L", conditions=()))
        active = {key for key, one in book.all.items() if one.cleared_s is None}
        assert active == {process_key("L:c", "c"), process_key("process:L", "c")}
        assert process_link("link.L") is None


async def nobody(link: str, condition: str, person: Person) -> str | None:
    raise AssertionError("no device waits for anybody")
