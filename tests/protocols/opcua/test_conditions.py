"""A server's alarms: seen although they began before, acknowledged once, gone with the server."""

from __future__ import annotations

from pathlib import Path

from protocols.driver import Result
from tests.peers.opcua_link import link_to, row, server_of


async def test_alarm_is_seen_and_acknowledged(tmp_path: Path) -> None:
    async with (
        server_of("node-opcua", tmp_path, variables=1, alarm=True) as peer,
        link_to(peer, [row(peer, "V0")], folder=tmp_path, conditions=True) as link,
    ):
        await link.up()
        driver = link.driver
        # The oil is hot 0.2 s after the server's start: before anybody listens.
        assert await link.until(lambda: bool(driver.conditions()), 10.0), driver.health()
        (hot,) = driver.conditions() or ()
        assert (hot.name, hot.active, hot.acknowledged) == ("OilHot", True, False)
        assert hot.severity > 0
        assert "1 retained, 1 not acknowledged" in driver.health().diagnostics["conditions"]
        done = await driver.acknowledge(hot.condition, comment="seen by the operator")
        assert (done.result, done.status) == (Result.ACCEPTED, "Good")
        assert await link.until(
            lambda: [one.acknowledged for one in driver.conditions() or ()] == [True], 5.0
        ), driver.conditions()
        again = await driver.acknowledge(hot.condition, comment="and again")
        assert (again.result, again.status) == (Result.REJECTED, "NOTHING_TO_DO")
        nobody = await driver.acknowledge("ns=2;s=Nobody", comment="")
        assert nobody.status == "UNKNOWN_CONDITION"
        # The values go on beside it, in a subscription of their own.
        await link.every_item_moves()
        link.proxy.cut()
        assert await link.until(lambda: driver.conditions() is None, 5.0), "nobody knows"
        assert (await driver.acknowledge(hot.condition, comment="")).status == "LINK_DOWN"
        await link.up()
        assert await link.until(lambda: len(driver.conditions() or ()) == 1, 10.0)


async def test_server_without_conditions_says_so(tmp_path: Path) -> None:
    async with (
        server_of("o6", tmp_path, variables=1) as peer,
        link_to(peer, [row(peer, "V0")], folder=tmp_path, conditions=True) as link,
    ):
        await link.up()
        await link.every_item_moves()
        assert link.driver.conditions() == ()
        assert link.driver.health().diagnostics["conditions"]
