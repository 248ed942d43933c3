"""An exam over the real office: plans approved over HTTP, commands over DNP3 and OPC UA.

Simulator, field agent, office and optimizer run as in a pilot, faster than real time; the scripted
persons approve every plan whose AC check passed, as soon as it waits. What passed is recorded by
the simulator and judged like any other run.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from gridctl.assembly import Ready, run_office
from gridctl.config import Settings, load_settings
from gridctl.demo import seed_history, set_keys, simulator
from gridctl.model.errors import ConfigError, GridctlError, RefusedError, UnavailableError
from gridctl.remote import Remote
from gridctl.wallclock import system_clock
from sim.instance import Ports, create_instance
from sim.instance_ports import reserved_ports
from sim.judge import Moment
from sim.recording import Recording
from sim.scenario import Scenario

log = logging.getLogger(__name__)

LOOK_S: Final = 0.5
START_S: Final = 10.0
CYCLE_S: Final = 5.0
READY_DEADLINE_S: Final = 120.0
WAITING: Final = ("proposed", "partial")


@dataclass(frozen=True, slots=True, kw_only=True)
class Approver:
    """One of the scripted persons, signed in."""

    remote: Remote
    name: str
    secret: str

    def sign_in(self) -> None:
        """With the password; also the proof that is asked for again after a while (SG-07)."""
        self.remote.sign_in(self.name, self.secret)

    def approve(self, plan: Mapping[str, Any]) -> Mapping[str, Any]:
        """This person's yes to exactly this plan; the plan after it. Raises GridctlError."""
        path, body = f"/plans/{plan['id']}/approve", {"digest": plan["digest"]}
        try:
            return self.remote.post(path, body)
        except RefusedError as error:
            if error.refusal.code != "step_up":
                raise
        self.sign_in()
        return self.remote.post(path, body)


async def run_served(
    story: Scenario, scenario: str, *, rate: float, record: Path | None
) -> list[Moment]:
    """The whole of `story` at `rate` times real time; `scenario` is its name or file, `record` a
    .csv or .parquet to keep. Raises ConfigError, and UnavailableError when a part does not start.
    """
    if story.exam is None:
        raise ConfigError("has no [exam]", file=scenario, key="exam")
    with tempfile.TemporaryDirectory(prefix="gridctl-exam-") as folder:
        instance, kept = Path(folder) / "pilot", (record or Path(folder) / "run.csv").resolve()
        with reserved_ports(4) as (web, sub, dr, der):
            create_instance(
                instance,
                scenario=scenario,
                rate=rate,
                now_real_s=system_clock().now_s(),
                ports=Ports(web=web, sub=sub, dr=dr, der=der),
            )
            file = instance / "gridctl.toml"
            # The story begins when everything runs, not while its past is computed.
            begins_s = system_clock().now_s() + START_S
            set_keys(
                file,
                {("planning", "cycle_s"): CYCLE_S, ("clock", "anchor_real_s"): begins_s},
            )
            text = file.read_text(encoding="utf-8")
            told = f"[sim]\nrecord = {json.dumps(str(kept))}\n"
            file.write_text(text.replace("[sim]\n", told, 1), encoding="utf-8")
            await _play(load_settings(file), instance, story.start_s + story.exam.hours * 3600.0)
        return list(Recording(kept).moments())


async def _play(settings: Settings, instance: Path, until_s: float) -> None:
    stop, ready = asyncio.Event(), asyncio.get_running_loop().create_future()
    async with simulator(instance):
        office = asyncio.create_task(
            run_office(
                settings.file,
                with_field=True,
                stop=stop,
                on_ready=ready.set_result,
                prepare=lambda store: seed_history(store, settings),
            )
        )
        try:
            await asyncio.wait(
                {office, ready}, timeout=READY_DEADLINE_S, return_when=asyncio.FIRST_COMPLETED
            )
            if not ready.done():
                raise UnavailableError(f"the office was not ready within {READY_DEADLINE_S:g} s")
            await _approve_until(ready.result(), settings, until_s)
        finally:
            stop.set()
            await office


async def _approve_until(ready: Ready, settings: Settings, until_s: float) -> None:
    clock, persons = settings.grid_clock(), []
    for made in ready.users:
        person = Approver(remote=Remote(ready.url), name=made.name, secret=made.secret)
        await asyncio.to_thread(person.sign_in)
        persons.append(person)
    while clock.now_s() < until_s:
        try:
            await asyncio.to_thread(approve_what_waits, persons)
        except GridctlError as error:
            # A plan may be gone by the time it is read; the next look sees the next one.
            log.info("exam: %s", error)
        await asyncio.sleep(LOOK_S)


def approve_what_waits(persons: list[Approver]) -> None:
    """Every plan that waits and passed its AC check, by as many persons as it needs."""
    reader = persons[0].remote
    frame = reader.get("/overview")
    for row in frame["plans"]:
        if row["state"] not in WAITING:
            continue
        plan: Mapping[str, Any] = reader.get(f"/plans/{row['id']}")
        if plan["check"] is None or not plan["check"]["ok"]:
            continue
        for person in persons:
            if plan["approvals"] >= plan["approvals_needed"]:
                break
            with contextlib.suppress(GridctlError):
                plan = person.approve(plan)
