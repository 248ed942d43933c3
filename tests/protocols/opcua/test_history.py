"""The gap read back from servers that keep a history: in order, once, never as the newest value."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from asyncua import ua

from protocols.events import EventQueue
from protocols.opcua import driver as driver_module
from protocols.opcua.connection import Connection
from protocols.opcua.history import Gap, read_gap
from tests.peers.opcua import SERVERS
from tests.peers.opcua_link import link_to, row, server_of

BACK_S = 20.0


@pytest.mark.parametrize("make", sorted(SERVERS))
async def test_every_change_of_the_gap_is_told_in_order(make: str, tmp_path: Path) -> None:
    async with server_of(make, tmp_path, variables=1, hz=10.0, history=True) as peer:
        past = replace(row(peer, "Past"), soe=True)
        plain = row(peer, "V0", line=3)
        events = EventQueue(["Past"])
        async with link_to(
            peer, [past, plain], folder=tmp_path, events=events, backfill=True
        ) as link:
            await link.up()
            await link.until(lambda: False, 1.0)
            link.proxy.cut()
            await link.proxy.stop()
            await link.until(lambda: False, 2.5)  # some 25 changes that nobody hears
            await link.proxy.start()
            await link.up(BACK_S)
            await link.until(lambda: False, 1.0)
            told = [
                one.measurement
                for one in events.take()
                if one.measurement.quality.is_good  # not the loss of the link itself
            ]
            read = int(link.driver.health().diagnostics["values read from history"])
            newest = link.latest["Past"]
    values = [one.value for one in told]
    assert 15 <= read <= 60
    if make == "o6":
        # It stamps a value in its history and the same value when subscribed with two times.
        values = [
            one for one, after in zip(values, [*values[1:], -1.0], strict=True) if one != after
        ]
    # The counter goes up by one each time: no change is missing, none is told twice.
    assert values == [values[0] + n for n in range(len(values))]
    times = [one.source_time_s for one in told]
    assert times == sorted(times)
    assert newest.value >= values[-1] - 1
    assert newest.source_time_s >= times[-1] - 0.2


async def test_changes_while_the_history_is_read_are_told_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The subscription lives already: it knows changes that the history knows, and changes that
    came after it was read. The pauses make both certain, and the publishing late."""
    pauses = 0

    async def slow(
        connection: Connection,
        nodes: Mapping[int, ua.NodeId],
        *,
        since_s: Mapping[int, float],
        until_s: float,
        live_ticks: Mapping[int, int],
    ) -> Gap:
        nonlocal pauses
        pauses += bool(nodes)
        await asyncio.sleep(0.35)
        gap = await read_gap(
            connection, nodes, since_s=since_s, until_s=until_s + 0.35, live_ticks=live_ticks
        )
        await asyncio.sleep(0.35)
        return gap

    monkeypatch.setattr(driver_module, "read_gap", slow)
    async with server_of("node-opcua", tmp_path, variables=1, hz=10.0, history=True) as peer:
        past = replace(row(peer, "Past"), soe=True)
        events = EventQueue(["Past"])
        async with link_to(
            peer, [past], folder=tmp_path, events=events, backfill=True, publishing_ms=200.0
        ) as link:
            await link.up()
            await link.until(lambda: False, 0.5)
            link.proxy.cut()
            assert await link.until(link.all_lost, 5.0)
            await link.up(BACK_S)
            await link.until(lambda: False, 0.7)
            told = [e.measurement for e in events.take() if e.measurement.quality.is_good]
    values = [one.value for one in told]
    assert pauses >= 1
    assert values == [values[0] + n for n in range(len(values))]


async def test_server_without_history_costs_nothing(tmp_path: Path) -> None:
    async with server_of("node-opcua", tmp_path, variables=3) as peer:
        rows = [replace(row(peer, f"V{n}"), soe=True) for n in range(3)]
        async with link_to(peer, rows, folder=tmp_path, backfill=True) as link:
            await link.up()
            link.proxy.cut()
            assert await link.until(link.all_lost, 5.0)
            await link.up(BACK_S)
            assert link.driver.health().diagnostics["values read from history"] == "0"
