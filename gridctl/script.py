"""`gridctl demo --script`: the whole loop with scripted operators, accelerated, as one JSON object.

Every stage reports what it saw and fails with its reason; nothing is assumed to have happened.
`--break NAME` breaks the loop on purpose, to show that the script can fail.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import tempfile
from collections.abc import Sequence
from pathlib import Path

from gridctl.assembly import Ready, run_office
from gridctl.config import load_settings
from gridctl.demo import SCENARIO, seed_history, set_keys, simulator
from gridctl.instructor import Instructor
from gridctl.model.errors import GridctlError
from gridctl.rehearsal import SHORT_LIFE_S, Rehearsal, Report, stage
from gridctl.wallclock import system_clock
from sim.instance import Ports, create_instance
from sim.instance_ports import reserved_ports

log = logging.getLogger(__name__)

BREAKS = {
    "frozen-feed": "observe",
    "dead-outstation": "dispatch",
    "rejected-select": "dispatch",
    "tampered-plan": "approve",
    "wrong-approver": "approve",
    "expired-plan": "approve",
}
"""What can be broken, and the stage that must notice it."""

RATE = 20.0
HEAD_START_S = 120.0
"""Grid seconds that have passed when the loop begins: the scenario starts five minutes before an
interval of the plan ends, and the persons would decide right on that boundary."""


async def run_script(*, break_name: str | None, as_json: bool) -> int:
    """Run the loop once in a folder of its own; 0 only if every stage really happened."""
    with tempfile.TemporaryDirectory(prefix="gridctl-script-") as folder:
        instance = Path(folder) / "pilot"
        report = Report()
        report.facts["break"] = break_name
        try:
            with reserved_ports(4) as ports:
                await _run(instance, ports, break_name, report)
        except GridctlError as error:
            report.stages.append(stage("start", False, 0.0, str(error)))
        if break_name is not None and report.ok:
            report.stages.append(stage("break", False, 0.0, f"{break_name} went unnoticed"))
    outcome = report.as_json()
    if as_json:
        print(json.dumps(outcome, indent=2, ensure_ascii=False))
    else:
        for done in outcome["stages"]:
            mark = "ok  " if done["ok"] else "FAIL"
            print(f"{mark} {done['name']:<10} {done['seconds']:6.1f} s  {done['reason']}")
    return 0 if outcome["ok"] else 1


async def _run(
    instance: Path, ports: Sequence[int], break_name: str | None, report: Report
) -> None:
    web, sub, dr, der = ports
    create_instance(
        instance,
        scenario=SCENARIO,
        rate=RATE,
        now_real_s=system_clock().now_s() - HEAD_START_S / RATE,
        ports=Ports(web=web, sub=sub, dr=dr, der=der),
    )
    file = instance / "gridctl.toml"
    set_keys(file, {("planning", "cycle_s"): 5.0})
    if break_name == "expired-plan":
        set_keys(file, {("approval", "plan_life_s"): SHORT_LIFE_S})
    settings = load_settings(file)
    stop = asyncio.Event()
    answered: list[Ready] = []
    decided = asyncio.Event()

    def on_ready(ready: Ready) -> None:
        answered.append(ready)
        decided.set()

    async with contextlib.AsyncExitStack() as stack:
        await stack.enter_async_context(simulator(instance))
        office = asyncio.create_task(
            run_office(
                file,
                with_field=True,
                stop=stop,
                on_ready=on_ready,
                prepare=lambda store: seed_history(store, settings),
            )
        )
        office.add_done_callback(lambda _: decided.set())
        try:
            await decided.wait()
            if answered:
                instructor = Instructor(instance / "run" / "sim.sock")
                loop = Rehearsal(answered[0], settings, instructor, break_name, report)
                await loop.walk()
        finally:
            stop.set()
            try:
                await office
            except* GridctlError as errors:
                report.stages.extend(
                    stage("office", False, 0.0, str(error)) for error in errors.exceptions
                )
