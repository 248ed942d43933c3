"""Shut-down and re-configuration never hang, crash or leak: a few cycles here, 1,000 in soak."""

from __future__ import annotations

import asyncio
import os
import random
import threading
from pathlib import Path

import pytest

from gridctl.wallclock import system_clock
from protocols.dnp3.driver import Dnp3Driver
from protocols.dnp3.fragments import Fragment
from protocols.inbox import Inbox
from tests.protocols.dnp3.scripted import (
    Answer,
    Bench,
    Outstation,
    analogs,
    answer,
    classes,
    row,
    settings,
)

STOP_MAX_S = 5.0


def steady(request: Fragment) -> Answer:
    return answer(request, analogs(1.5, 2.5) if 0 in classes(request) else b"")


def resources() -> tuple[int, int]:
    """Open descriptors and threads of this process."""
    return len(list(Path("/proc/self/fd").iterdir())), threading.active_count()


async def cycles(count: int, seed: int) -> None:
    """Drivers come, are re-configured and go in every state that they can be in."""
    rng = random.Random(seed)  # noqa: S311
    outstation = Outstation(script=steady)
    await outstation.start()
    loop = asyncio.get_running_loop()
    started: tuple[int, int] | None = None
    for number in range(count):
        points = [row(i, scan_s=rng.choice((0.1, 1.0))) for i in range(rng.randint(1, 5))]
        inbox = Inbox(100)
        driver = Dnp3Driver(settings(outstation.port), points, inbox, system_clock())
        await driver.start()
        match number % 4:
            case 0:
                await Bench(driver, outstation, inbox).up()
            case 1:
                await asyncio.sleep(rng.uniform(0.0, 0.02))
            case 2:
                await asyncio.sleep(rng.uniform(0.0, 0.02))
                outstation.cut()
            case _:
                outstation.script = lambda _: None
                await asyncio.sleep(rng.uniform(0.0, 0.05))
                outstation.script = steady
        before_s = loop.time()
        await driver.stop()
        assert loop.time() - before_s < STOP_MAX_S, f"cycle {number} took too long to stop"
        if number == min(10, count // 2):
            await asyncio.sleep(0.1)
            started = resources()
    await outstation.stop()
    await asyncio.sleep(0.2)
    assert started is not None
    ended = resources()
    assert ended[0] <= started[0] + 5, f"descriptors {started[0]} -> {ended[0]}"
    assert ended[1] <= started[1] + 2, f"threads {started[1]} -> {ended[1]}"


async def test_some_cycles() -> None:
    await cycles(40, seed=1)


@pytest.mark.soak
async def test_a_thousand_cycles() -> None:
    await cycles(1_000, seed=int(os.environ.get("GRIDCTL_SEED", "1")))
