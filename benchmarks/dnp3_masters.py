"""One DNP3 master in a process of its own, so that its CPU and memory are its own.

    python -m benchmarks.dnp3_masters KIND TASK PORT POINTS SECONDS

KIND: ours, boxed (yadnp3's values as it boxes them), dnp3py, py1815. TASK: poll (READ of everything
again and again), sessions (POINTS is the number of outstations, 90 points each, 1 s polls), sbo.
Prints one JSON object.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import resource
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any

import opendnp3 as o

from benchmarks.dnp3_boxed import Boxed
from benchmarks.report import median, percentile
from gridctl.interpreter import collect_seldom
from gridctl.model.command import Command, CommandState
from gridctl.model.measurement import Measurement, Point, PointKind
from gridctl.model.permit import mint
from gridctl.model.quantity import Phase, Unit
from gridctl.wallclock import system_clock
from protocols.driver import Driver, LinkSettings, PointAddress, Result
from protocols.inbox import Inbox
from protocols.registry import open_driver

POLL_S = 0.1
SESSION_POINTS = 90
COMMANDS = 1_500
CONNECT_S = 20.0


def usage() -> dict[str, float]:
    """CPU and memory of this process `since` (monotonic) it began."""
    spent = resource.getrusage(resource.RUSAGE_SELF)
    return {
        "cpu_s": time.process_time(),
        "rss_mb": spent.ru_maxrss / 1024,
        "since": time.perf_counter(),
    }


# --- ours ---------------------------------------------------------------------------------------


def _rows(link: str, points: int, scan_s: float, *, command: bool) -> list[PointAddress]:
    def row(index: int, kind: PointKind, address: str, wire: str) -> PointAddress:
        mrid = f"{link}.{address}"
        commandable = kind.commandable
        return PointAddress(
            point=Point(
                mrid=mrid,
                name=mrid,
                equipment=link,
                kind=kind,
                unit=Unit.KW,
                phase=Phase.NONE,
                scan_s=scan_s,
                expect=f"{link}.30:0" if commandable else None,
                tolerance=1.0 if commandable else None,
                link=link,
            ),
            link=link,
            address=address,
            command=wire,
            lease="",
            scale=1.0,
            offset=0.0,
            deadband=0.0,
            min_value=-1e6 if commandable else None,
            max_value=1e6 if commandable else None,
            file="bench.csv",
            line=index + 2,
        )

    found = [row(i, PointKind.ANALOG, f"30:{i}", "") for i in range(points)]
    if command:
        found.append(row(points, PointKind.SETPOINT, "41:0", "ao-float"))
    return found


def _ours(link: str, port: int, points: int, scan_s: float, inbox: Inbox) -> Driver:
    settings = LinkSettings(
        id=link,
        protocol="dnp3",
        file="bench.toml",
        options={
            "host": "127.0.0.1",
            "port": port,
            "master_address": 1,
            "outstation_address": 1024,
            "response_timeout_s": 5.0,
            "select_timeout_s": 10.0,
            "time_sync": "none",
        },
    )
    rows = _rows(link, points, scan_s, command=True)
    return open_driver(settings, rows, inbox, system_clock())


async def _up(drivers: list[Driver]) -> None:
    async with asyncio.timeout(CONNECT_S):
        while any(driver.health().state != "up" for driver in drivers):
            await asyncio.sleep(0.05)


async def ours_poll(port: int, points: int, seconds: float) -> dict[str, Any]:
    """Wire → inbox → Snapshot of `points`; the outstation has the clock of the wire's part."""
    inbox = Inbox(points + 1)
    driver = _ours("L", port, points, POLL_S, inbox)
    snapshot: dict[str, Measurement] = {}
    drains: list[float] = []
    taken = 0
    await driver.start()
    try:
        await _up([driver])
        before, end = usage(), time.perf_counter() + seconds
        while time.perf_counter() < end:
            await asyncio.sleep(POLL_S / 4)
            began = time.perf_counter()
            values = await inbox.get(timeout_s=0.0)
            snapshot.update({value.point: value for value in values})
            if len(values) >= points:
                drains.append(time.perf_counter() - began)
            taken += len(values)
        after = usage()
    finally:
        await driver.stop()
    return {
        "values": taken,
        "cpu_us_per_value": 1e6 * (after["cpu_s"] - before["cpu_s"]) / max(1, taken),
        "drain_s": median(drains) if drains else 0.0,
        "good": sum(1 for value in snapshot.values() if value.quality.is_good),
        **after,
        "since": before["since"],
    }


async def ours_sessions(port: int, outstations: int, seconds: float) -> dict[str, Any]:
    inbox = Inbox(outstations * (SESSION_POINTS + 1))
    drivers = [_ours(f"L{i}", port, SESSION_POINTS, 1.0, inbox) for i in range(outstations)]
    for driver in drivers:
        await driver.start()
    try:
        await _up(drivers)
        await asyncio.sleep(2.0)
        await inbox.get(timeout_s=0.0)
        before, end, taken = usage(), time.perf_counter() + seconds, 0
        while time.perf_counter() < end:
            await asyncio.sleep(0.25)
            taken += len(await inbox.get(timeout_s=0.0))
        after = usage()
    finally:
        await asyncio.gather(*(driver.stop() for driver in drivers))
    return {
        "cores": (after["cpu_s"] - before["cpu_s"]) / seconds,
        "values_per_s": taken / seconds,
        **after,
        "since": before["since"],
    }


async def ours_sbo(port: int, points: int, seconds: float) -> dict[str, Any]:
    clock = system_clock()
    inbox = Inbox(points + 1)
    driver = _ours("L", port, points, 5.0, inbox)
    await driver.start()
    times: list[float] = []
    try:
        await _up([driver])
        for number in range(COMMANDS):
            permit = mint(
                command=Command(
                    mrid=f"c{number}",
                    plan="bench",
                    resource="bench",
                    point="L.41:0",
                    value=float(number % 100),
                    expect_point="L.30:0",
                    tolerance=1.0,
                    lease_until_s=clock.now_s() + 600,
                    default_value=-1.0,
                    effect_kw=0.0,
                    batch=0,
                ),
                order="bench",
                expires_mono_s=clock.monotonic_s() + 60,
            )
            began = time.perf_counter()
            done = await driver.execute(permit, aborted=_never, stage=_ignore)
            times.append(time.perf_counter() - began)
            if done.result is not Result.ACCEPTED:
                raise RuntimeError(f"command {number}: {done.status} {done.detail}")
    finally:
        await driver.stop()
    return _times(times)


def _never() -> bool:
    return False


def _ignore(_: CommandState) -> None:
    return None


def _times(times: list[float]) -> dict[str, Any]:
    return {
        "p50_ms": 1e3 * median(times),
        "p99_ms": 1e3 * percentile(times, 0.99),
        "max_ms": 1e3 * max(times),
        **usage(),
    }


# --- yadnp3 by itself -----------------------------------------------------------------------------


async def boxed_poll(port: int, points: int, seconds: float) -> dict[str, Any]:
    stack = Boxed()
    loop, ready = asyncio.get_running_loop(), asyncio.Event()
    stack.add("peer", port, POLL_S, lambda: _tell(loop, ready))
    try:
        await asyncio.wait_for(ready.wait(), CONNECT_S)
        before, first = usage(), stack.taken
        await asyncio.sleep(seconds)
        after, taken = usage(), stack.taken - first
    finally:
        stack.manager.Shutdown()
    spent = after["cpu_s"] - before["cpu_s"]
    return {
        "values": taken,
        "cpu_us_per_value": 1e6 * spent / max(1, taken),
        **after,
        "since": before["since"],
    }


def _tell(loop: asyncio.AbstractEventLoop, ready: asyncio.Event) -> None:
    loop.call_soon_threadsafe(ready.set)


async def boxed_sessions(port: int, outstations: int, seconds: float) -> dict[str, Any]:
    stack = Boxed()
    loop = asyncio.get_running_loop()
    events = [asyncio.Event() for _ in range(outstations)]
    for number, event in enumerate(events):
        stack.add(f"peer{number}", port, 1.0, partial(_tell, loop, event))
    try:
        await asyncio.wait_for(asyncio.gather(*(e.wait() for e in events)), CONNECT_S)
        await asyncio.sleep(2.0)
        before, first = usage(), stack.taken
        await asyncio.sleep(seconds)
        after, taken = usage(), stack.taken - first
    finally:
        stack.manager.Shutdown()
    cores = (after["cpu_s"] - before["cpu_s"]) / seconds
    return {"cores": cores, "values_per_s": taken / seconds, **after, "since": before["since"]}


async def boxed_sbo(port: int, points: int, seconds: float) -> dict[str, Any]:
    stack = Boxed()
    loop, ready = asyncio.get_running_loop(), asyncio.Event()
    master = stack.add("peer", port, 5.0, lambda: _tell(loop, ready))
    times: list[float] = []
    try:
        await asyncio.wait_for(ready.wait(), CONNECT_S)
        for number in range(COMMANDS):
            done: asyncio.Future[int] = loop.create_future()

            def answered(result: Any, done: asyncio.Future[int] = done) -> None:
                states = [int(point.status) for point in result.to_list()]
                loop.call_soon_threadsafe(done.set_result, len(states))

            began = time.perf_counter()
            master.SelectAndOperate(o.AnalogOutputFloat32(float(number % 100)), 0, answered)
            await asyncio.wait_for(done, 5.0)
            times.append(time.perf_counter() - began)
    finally:
        stack.manager.Shutdown()
    return _times(times)


# --- the masters in Python -------------------------------------------------------------------


async def dnp3py_poll(port: int, points: int, seconds: float) -> dict[str, Any]:
    from dnp3.master import DefaultSOEHandler, Master, MasterConfig  # noqa: PLC0415
    from dnp3.master.tcp_runner import MasterTcpRunner  # noqa: PLC0415

    master = Master(
        config=MasterConfig(address=1, outstation_address=1024), handler=DefaultSOEHandler()
    )
    runner = MasterTcpRunner(master=master, host="127.0.0.1", port=port, response_timeout=10.0)
    await runner.open()
    try:
        return await _read_again(runner.integrity_poll, points, seconds)
    finally:
        await runner.close()


async def dnp3py_sessions(port: int, outstations: int, seconds: float) -> dict[str, Any]:
    from dnp3.master import DefaultSOEHandler, Master, MasterConfig  # noqa: PLC0415
    from dnp3.master.tcp_runner import MasterTcpRunner  # noqa: PLC0415

    async with contextlib.AsyncExitStack() as held:
        polls: list[Callable[[], Awaitable[object]]] = []
        for _ in range(outstations):
            master = Master(
                config=MasterConfig(address=1, outstation_address=1024), handler=DefaultSOEHandler()
            )
            runner = MasterTcpRunner(
                master=master, host="127.0.0.1", port=port, response_timeout=10.0
            )
            await runner.open()
            held.push_async_callback(runner.close)
            polls.append(runner.integrity_poll)
        return await _each_second(polls, seconds)


async def py1815_sessions(port: int, outstations: int, seconds: float) -> dict[str, Any]:
    from py1815.master import Master, Tasks  # noqa: PLC0415

    async with Master() as master:
        polls: list[Callable[[], Awaitable[object]]] = []
        for number in range(outstations):
            device = await master.add(
                f"peer{number}",
                host="127.0.0.1",
                port=port,
                outstation_address=1024,
                master_address=1,
                response_timeout=10.0,
                tasks=Tasks.none(),
            )
            polls.append(device.integrity_poll)
        return await _each_second(polls, seconds)


async def _each_second(
    polls: Sequence[Callable[[], Awaitable[object]]], seconds: float
) -> dict[str, Any]:
    """Each of `polls` once a second, apart from each other; a slow one puts off only itself."""
    done, going_on = 0, True

    async def one(poll: Callable[[], Awaitable[object]], phase_s: float) -> None:
        nonlocal done
        due_s = time.perf_counter() + phase_s
        # Asked to end, not cancelled: dnp3py takes a cancellation for a timeout and goes on.
        while going_on:
            await asyncio.sleep(max(0.0, due_s - time.perf_counter()))
            await poll()
            done += 1
            due_s = max(due_s + 1.0, time.perf_counter())

    tasks = [
        asyncio.create_task(one(poll, number / len(polls))) for number, poll in enumerate(polls)
    ]
    await asyncio.sleep(3.0)
    before, first = usage(), done
    await asyncio.sleep(seconds)
    after, polled = usage(), done - first
    going_on = False
    await asyncio.gather(*tasks)
    return {
        "cores": (after["cpu_s"] - before["cpu_s"]) / seconds,
        "values_per_s": polled * SESSION_POINTS / seconds,
        **after,
        "since": before["since"],
    }


async def py1815_poll(port: int, points: int, seconds: float) -> dict[str, Any]:
    from py1815.master import Master, Tasks  # noqa: PLC0415

    async with Master() as master:
        device = await master.add(
            "peer",
            host="127.0.0.1",
            port=port,
            outstation_address=1024,
            master_address=1,
            response_timeout=10.0,
            tasks=Tasks.none(),
        )
        return await _read_again(device.integrity_poll, points, seconds)


async def py1815_sbo(port: int, points: int, seconds: float) -> dict[str, Any]:
    from py1815.master import Master, Tasks  # noqa: PLC0415

    async with Master() as master:
        device = await master.add(
            "peer",
            host="127.0.0.1",
            port=port,
            outstation_address=1024,
            master_address=1,
            tasks=Tasks.none(),
        )
        times: list[float] = []
        for number in range(COMMANDS):
            began = time.perf_counter()
            done = await device.operate(
                analog_outputs={0: float(number % 100)}, mode="select", variation=3
            )
            times.append(time.perf_counter() - began)
            if done.accepted is not True:
                raise RuntimeError(f"command {number}: {done}")
        return _times(times)


async def _read_again(
    poll: Callable[[], Awaitable[object]], points: int, seconds: float
) -> dict[str, Any]:
    await poll()
    polls, before = 0, usage()
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        await poll()
        polls += 1
    after = usage()
    spent = after["cpu_s"] - before["cpu_s"]
    taken = polls * points
    return {
        "values": taken,
        "cpu_us_per_value": 1e6 * spent / max(1, taken),
        **after,
        "since": before["since"],
    }


TASKS: dict[tuple[str, str], Callable[[int, int, float], Awaitable[dict[str, Any]]]] = {
    ("ours", "poll"): ours_poll,
    ("ours", "sessions"): ours_sessions,
    ("ours", "sbo"): ours_sbo,
    ("boxed", "poll"): boxed_poll,
    ("boxed", "sessions"): boxed_sessions,
    ("boxed", "sbo"): boxed_sbo,
    ("dnp3py", "poll"): dnp3py_poll,
    ("dnp3py", "sessions"): dnp3py_sessions,
    ("py1815", "poll"): py1815_poll,
    ("py1815", "sessions"): py1815_sessions,
    ("py1815", "sbo"): py1815_sbo,
}


if __name__ == "__main__":
    # As the field agent does, and for all masters the same.
    collect_seldom()
    kind, task = sys.argv[1:3]
    port, points, seconds = int(sys.argv[3]), int(sys.argv[4]), float(sys.argv[5])
    print(json.dumps(asyncio.run(TASKS[kind, task](port, points, seconds))))  # type: ignore[arg-type]
