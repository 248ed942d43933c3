"""The console's server under 50 clients on a feeder of 500 nodes: `make bench-console`.

A child process serves the real application (store, sessions, frames each second); this process
signs in, opens 50 WebSockets and counts. One more client never reads: what it costs the others is
told. Goals: at most 5 % of a core, the first frame within 1.5 s, the beat of the frames kept.
"""

from __future__ import annotations

import asyncio
import json
import math
import sys
import time
from dataclasses import replace
from pathlib import Path

from aiohttp import ClientSession, CookieJar, WSMsgType, web

from benchmarks.report import Figure, machine, percentile
from gridctl.model.measurement import GOOD, Measurement, Point, PointKind, Snapshot, TimeQuality
from gridctl.model.network import ConnectivityNode, Feeder
from gridctl.model.quantity import Phase, Unit
from gridctl.store.engine import temporary_store
from gridctl.wallclock import system_clock
from gridctl.web.auth import Gate
from gridctl.web.stream import Stream
from gridctl.web.views import FrameView
from tests.gridctl.web.desk import FEEDER, NOW_S, RecordingDesk

NODES = 500
CLIENTS = 50
MEASURE_S = 20.0
CORE_SHARE_GOAL = 0.05
FIRST_FRAME_GOAL_S = 1.5
BEAT_GOAL_S = 1.5


class Lively(RecordingDesk):
    """A desk whose 1,500 voltages all move each second."""

    def picture(self):  # type: ignore[no-untyped-def]
        """The picture of a feeder with NODES nodes, three phases each."""
        base, now = super().picture(), time.monotonic()
        points, values = dict(base.points), dict(base.snapshot.values)
        for node in range(NODES):
            for number, phase in enumerate((Phase.A, Phase.B, Phase.C)):
                mrid = f"N{node}.{phase.value}"
                points[mrid] = Point(
                    mrid=mrid, name=mrid, equipment=f"N{node}", kind=PointKind.ANALOG,
                    unit=Unit.VOLT_PU, phase=phase, scan_s=1.0, link="SUB",
                )  # fmt: skip
                values[mrid] = Measurement(
                    point=mrid, value=1.0 + 0.01 * math.sin(now + node + number), quality=GOOD,
                    source_time_s=NOW_S, time_quality=TimeQuality.SYNCHRONIZED,
                    received_time_s=NOW_S,
                )  # fmt: skip
        snapshot = Snapshot(revision=int(now), at_s=NOW_S, values=values)
        return replace(base, points=points, snapshot=snapshot)


def feeder() -> Feeder:
    """NODES nodes; a stream needs no lines."""
    nodes = tuple(
        ConnectivityNode(mrid=f"N{n}", nominal_kv=4.16, phases="ABC") for n in range(NODES)
    )
    return replace(FEEDER, nodes=(*FEEDER.nodes, *nodes))


async def serve() -> None:
    """The child: prints port and cookie, serves until stdin closes, then prints its CPU time."""
    clock = system_clock()
    async with temporary_store(clock) as store:
        await store.users.add_user("wall", "Wall", "VIEWER", "a bench needs no secret")
        token = await store.sessions.open("wall", "bench")
        gate = Gate(store.sessions, secure=False, step_up_s=300.0)
        stream = Stream(
            desk=Lively(), store=store, gate=gate, clock=clock,
            view=FrameView(feeder(), time_rate=1.0),
        )  # fmt: skip
        app = web.Application()
        app.router.add_get("/stream", stream.serve)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        running = asyncio.create_task(stream.run())
        print(json.dumps({"port": port, "token": token, "cookie": gate.cookie}), flush=True)
        loop = asyncio.get_running_loop()
        while await loop.run_in_executor(None, sys.stdin.readline):
            print(json.dumps({"cpu_s": time.process_time()}), flush=True)
        running.cancel()
        await runner.cleanup()


async def measured() -> list[Figure]:
    """The parent: clients, and what they see."""
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.console", "--child",
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        cwd=Path(__file__).parents[1],
    )  # fmt: skip
    if child.stdin is None or child.stdout is None:
        raise RuntimeError("the child has no pipes")
    told = json.loads(await child.stdout.readline())
    url = f"http://127.0.0.1:{told['port']}/stream"
    first_s: list[float] = []
    gaps_s: list[float] = []

    async def watch(session: ClientSession, until_s: float) -> None:
        start_s = last_s = time.monotonic()
        async with session.ws_connect(url, max_msg_size=0) as socket:
            async for message in socket:
                now_s = time.monotonic()
                if message.type is not WSMsgType.TEXT or now_s > until_s:
                    return
                if last_s == start_s:
                    first_s.append(now_s - start_s)
                else:
                    gaps_s.append(now_s - last_s)
                last_s = now_s

    async def cpu_s() -> float:
        child.stdin.write(b"\n")  # type: ignore[union-attr]
        return float(json.loads(await child.stdout.readline())["cpu_s"])  # type: ignore[union-attr]

    cookies = {told["cookie"]: told["token"]}
    async with (
        ClientSession(cookies=cookies, cookie_jar=CookieJar(unsafe=True)) as session,
        session.ws_connect(url, max_msg_size=0),  # never read: a slow client
    ):
        until_s = time.monotonic() + MEASURE_S + 4.0
        tasks = [asyncio.create_task(watch(session, until_s)) for _ in range(CLIENTS)]
        await asyncio.sleep(2.0)
        before_s, start_s = await cpu_s(), time.monotonic()
        await asyncio.sleep(MEASURE_S)
        share = (await cpu_s() - before_s) / (time.monotonic() - start_s)
        await asyncio.gather(*tasks)
    child.stdin.close()
    await child.wait()
    worst_first_s, beat_s = max(first_s), percentile(gaps_s, 0.99)
    return [
        Figure(
            name=f"core used for {CLIENTS} clients, {NODES} nodes, one of them slow",
            ours=share, peer=None, unit="cores", goal=f"≤ {CORE_SHARE_GOAL}",
            met=share <= CORE_SHARE_GOAL,
        ),
        Figure(
            name="first frame, the last of them to get it", ours=worst_first_s, peer=None,
            unit="s", goal=f"≤ {FIRST_FRAME_GOAL_S}", met=worst_first_s <= FIRST_FRAME_GOAL_S,
        ),
        Figure(
            name="between two frames beside a slow client, p99", ours=beat_s, peer=None, unit="s",
            goal=f"≤ {BEAT_GOAL_S}", met=beat_s <= BEAT_GOAL_S,
        ),
    ]  # fmt: skip


def main() -> None:
    """Print the figures, or serve as the child."""
    if "--child" in sys.argv:
        asyncio.run(serve())
        return
    found = asyncio.run(measured())
    print(
        json.dumps(
            {"figures": [f.as_json() for f in found], "machine": machine(), "compared": []},
            indent=2,
            ensure_ascii=False,
        )
    )


if __name__ == "__main__":
    main()
