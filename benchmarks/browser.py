"""The console's main thread in Chromium at 2,000 buses and a frame a second:
`python -m benchmarks.browser`.

A real server serves the built console; every voltage of every bus moves each second. Chromium tells
how long its main thread was busy (DevTools, Performance.getMetrics, TaskDuration). Goal: 6 %.
"""

from __future__ import annotations

import json
import math
import sys
import time
from dataclasses import replace

from playwright.sync_api import expect, sync_playwright

from benchmarks.report import Figure, machine
from gridctl.control.ports import Picture
from gridctl.model.measurement import GOOD, Measurement, Point, PointKind, Snapshot, TimeQuality
from gridctl.model.network import ConnectivityNode, Feeder, Switch
from gridctl.model.quantity import Phase, Unit
from tests.gridctl.web.desk import FEEDER, NOW_S, RecordingDesk
from tests.ui.chromium import ARGUMENTS, CHROMIUM
from tests.ui.signin_server import SignInServer

BUSES = 2_000
LATERAL = 9
"""Buses of a lateral; each hangs on a bus of the main line."""
SETTLE_S = 6.0
MEASURE_S = 20.0
GOAL = 0.06
PASSWORD = "a bench needs no secret"  # noqa: S105 - of a server that lives for a minute
PHASES = (Phase.A, Phase.B, Phase.C)


class Lively(RecordingDesk):
    """A desk whose 6,000 voltages all move each second."""

    def picture(self) -> Picture:
        """The picture of now."""
        base, now_s = super().picture(), time.monotonic()
        points, values = dict(base.points), dict(base.snapshot.values)
        for node in range(BUSES):
            for number, phase in enumerate(PHASES):
                mrid = f"N{node}.{phase.value}"
                points[mrid] = Point(
                    mrid=mrid, name=mrid, equipment=f"N{node}", kind=PointKind.ANALOG,
                    unit=Unit.VOLT_PU, phase=phase, scan_s=1.0, link="SUB",
                )  # fmt: skip
                values[mrid] = Measurement(
                    point=mrid, value=1.0 + 0.01 * math.sin(now_s + node + number), quality=GOOD,
                    source_time_s=NOW_S + now_s, time_quality=TimeQuality.SYNCHRONIZED,
                    received_time_s=NOW_S + now_s,
                )  # fmt: skip
        snapshot = Snapshot(revision=int(now_s), at_s=NOW_S + now_s, values=values)
        return replace(base, at_s=NOW_S + now_s, points=points, snapshot=snapshot)


def feeder() -> Feeder:
    """A main line with a lateral at each of its buses."""
    nodes = tuple(
        ConnectivityNode(mrid=f"N{n}", nominal_kv=4.16, phases="ABC") for n in range(BUSES)
    )
    stride = LATERAL + 1

    def before(n: int) -> str:
        if n == 0:
            return FEEDER.nodes[-1].mrid
        return f"N{n - stride}" if n % stride == 0 else f"N{n - 1}"

    lines = tuple(
        Switch(mrid=f"L{n}", from_node=before(n), to_node=f"N{n}", phases="ABC", is_open=False)
        for n in range(BUSES)
    )
    return replace(FEEDER, nodes=(*FEEDER.nodes, *nodes), switches=(*FEEDER.switches, *lines))


def measured() -> list[Figure]:
    """Share of its main thread that the console used."""
    with (
        SignInServer.started(
            {"wall": "VIEWER"}, password=PASSWORD, feeder=feeder(), desk=Lively()
        ) as server,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        page = browser.new_page(viewport={"width": 1920, "height": 1080})
        page.goto(server.origin)
        page.get_by_label("User").fill("wall")
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in", exact=True).click()
        expect(page.get_by_role("application")).to_be_visible(timeout=30_000)
        tools = page.context.new_cdp_session(page)
        # Processor time of the thread: what else this machine does is not counted.
        tools.send("Performance.enable", {"timeDomain": "threadTicks"})

        def busy_s() -> float:
            told = tools.send("Performance.getMetrics")["metrics"]
            return float(next(m["value"] for m in told if m["name"] == "TaskDuration"))

        time.sleep(SETTLE_S)
        before_s, start_s = busy_s(), time.monotonic()
        time.sleep(MEASURE_S)
        share = (busy_s() - before_s) / (time.monotonic() - start_s)
        if "--look" in sys.argv:
            page.screenshot(path=sys.argv[-1])
        browser.close()
    return [
        Figure(
            name=f"main thread of the browser, overview at {BUSES} buses, 1 Hz",
            ours=share, peer=None, unit="of a core", goal=f"≤ {GOAL}", met=share <= GOAL,
        )
    ]  # fmt: skip


def main() -> None:
    """Print the figure."""
    found = [f.as_json() for f in measured()]
    print(json.dumps({"figures": found, "machine": machine(), "compared": []}, indent=2))


if __name__ == "__main__":
    main()
