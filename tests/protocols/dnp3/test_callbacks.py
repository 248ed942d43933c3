"""Callbacks are total: what goes wrong inside is logged and never reaches the native stack."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

import opendnp3 as o
import pytest

from gridctl.model.clock import ManualClock
from gridctl.wallclock import system_clock
from protocols.dnp3.callbacks import Application, Readings
from protocols.dnp3.codec import Sample
from protocols.dnp3.stack import total
from tests.contracts.driver_peer import BenchPlant
from tests.contracts.peer_dnp3 import Dnp3Peer


class BrokenClock(ManualClock):
    def now_s(self) -> float:
        raise OSError("the clock is away")


def test_a_total_callback_returns_its_fallback_and_logs(caplog: pytest.LogCaptureFixture) -> None:
    @total(7)
    def callback() -> int:
        raise KeyError("gone")

    assert callback() == 7
    assert "callback" in caplog.text
    assert "gone" in caplog.text


def test_a_broken_clock_never_tells_the_device_1970(caplog: pytest.LogCaptureFixture) -> None:
    clock = ManualClock(grid_s=1_800_000_000.0)
    application = Application(clock)
    clock.advance(5.0)
    assert application.Now().msSinceEpoch == 1_800_000_005_000
    application._clock = BrokenClock()
    assert application.Now().msSinceEpoch == 1_800_000_005_000
    assert "the clock is away" in caplog.text


def analogs(*pairs: tuple[int, float]) -> list[o.Indexed]:
    return [
        o.IndexedAnalog(o.Analog(value, o.Flags(1)), index)  # type: ignore[attr-defined]
        for index, value in pairs
    ]


class Response:
    """The native ResponseInfo has no constructor."""

    unsolicited = False


RESPONSE: Any = Response()


def test_a_fragment_is_handed_over_whole() -> None:
    given: list[list[Sample]] = []
    readings = Readings(lambda samples, _: given.append(samples))
    readings.BeginFragment(RESPONSE)
    readings.Process(o.HeaderInfo(), analogs((0, 1.5), (7, 2.5)))
    readings.EndFragment(RESPONSE)
    ((first, second),) = given
    assert (first.group, first.index, second.index, second.value) == (30, 0, 7, 2.5)
    assert not readings.failed


def test_rubbish_in_process_is_swallowed_the_rest_is_kept_and_nothing_confirmed(
    caplog: pytest.LogCaptureFixture,
) -> None:
    given: list[list[Sample]] = []
    readings = Readings(lambda samples, _: given.append(samples))
    readings.BeginFragment(RESPONSE)
    readings.Process(o.HeaderInfo(), ["rubbish"])  # type: ignore[list-item]
    readings.Process(o.HeaderInfo(), analogs((0, 2.5)))
    readings.EndFragment(RESPONSE)
    assert [sample.value for sample in given[0]] == [2.5]
    assert readings.failed
    assert "callback" in caplog.text


def test_a_handler_that_fails_is_remembered() -> None:
    def broken(samples: list[Sample], unsolicited: bool) -> None:
        raise OSError("disk full")

    readings = Readings(broken)
    readings.BeginFragment(RESPONSE)
    readings.EndFragment(RESPONSE)
    assert readings.failed


async def test_the_interpreter_ends_although_nobody_stopped_the_driver(tmp_path: Path) -> None:
    """Without the manager's Shutdown at exit it would hang for ever (G3)."""
    clock = system_clock()
    peer = Dnp3Peer("BENCH", BenchPlant(clock=clock), clock, tmp_path)
    await peer.start()
    code = f"""
import asyncio
from gridctl.wallclock import system_clock
from protocols.driver import LinkSettings
from protocols.inbox import Inbox
from protocols.registry import open_driver
from tests.contracts.driver_peer import bench_points
from tests.contracts.peer_dnp3 import WIRES

async def main():
    inbox = Inbox(10)
    settings = LinkSettings(
        id="BENCH", protocol="dnp3", file="x", options={dict(peer.settings().options)!r}
    )
    driver = open_driver(settings, bench_points("BENCH", WIRES), inbox, system_clock())
    await driver.start()
    print(len(await inbox.get(timeout_s=5.0)) > 0)
    raise SystemExit(0)

asyncio.run(main())
"""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    try:
        out, err = await asyncio.wait_for(process.communicate(), 20)
    finally:
        if process.returncode is None:
            process.kill()
        await peer.kill()
    assert process.returncode == 0, err
    assert out.split() == [b"True"]
