"""From a person's approval to the wire, with 50,000 points streaming past it.

A whole pilot (simulator, office, field agent in a process of its own) that also reads five devices
of 10,000 points each, once a second. The pilot's operators approve plan after plan over HTTP; the
time is taken from the last approval's request to the first SELECT or write in the field, in the
clock that both processes share. The office's event loop is watched meanwhile.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import tempfile
import time
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import Any

from benchmarks.protocols_dnp3 import outstation
from benchmarks.report import Figure, median, percentile
from gridctl.assembly import Ready, run_office
from gridctl.config import Settings, load_settings
from gridctl.control.ports import Person
from gridctl.demo import SCENARIO, seed_history, set_keys, simulator
from gridctl.limitsfile import sign_limits
from gridctl.model.errors import GridctlError, RefusedError
from gridctl.model.program import DispatchRequest, RequestState
from gridctl.remote import Remote
from gridctl.wallclock import system_clock
from sim.instance import Ports, create_instance
from sim.instance_ports import reserved_ports

DEVICES = 5
POINTS = 10_000
RATE = 1.0
SAMPLE_S = 10.0
WATCH_S = 0.01
READY_S = 60.0
PLAN_S = 60.0
WIRE_S = 20.0
TRIES = 5
SENT = ("selected", "operated", "accepted")
EVENT_KW = 400.0
EVENT_S = 7_200.0
CUSTOMER = Person(user="bench", session="bench", source="", role="business-logic")


def _add_devices(instance: Path, ports: list[int]) -> None:
    """Five links, and their points, beside the pilot's own."""
    toml, sheet = instance / "gridctl.toml", instance / "points.csv"
    links, rows = [], []
    columns = sheet.read_text(encoding="utf-8").splitlines()[0].split(",")
    for number, port in enumerate(ports):
        link = f"X{number}"
        links.append(
            f'\n[[field.links]]\nid = "{link}"\nprotocol = "dnp3"\nheartbeat = "{link}.HB"\n'
            f'host = "127.0.0.1"\nport = {port}\nmaster_address = 1\n'
            "outstation_address = 1024\nresponse_timeout_s = 5.0\nselect_timeout_s = 10.0\n"
            'time_sync = "none"\n'
        )
        rows.append(
            _row(
                columns, link=link, mrid=f"{link}.HB", kind="counter", unit="count", address="20:0"
            )
        )
        rows += [
            _row(
                columns,
                link=link,
                mrid=f"{link}.P{i}",
                kind="analog",
                unit="kW",
                address=f"30:{i}",
            )
            for i in range(POINTS)
        ]
    # A period in grid time, stretched by the pilot's rate: ten seconds stay ten seconds.
    text = toml.read_text(encoding="utf-8")
    key = f"sample_interval_s = {SAMPLE_S * RATE}\n"
    if "[dispatch]\n" in text:
        text = text.replace("[dispatch]\n", f"[dispatch]\n{key}")
    else:
        text += f"\n[dispatch]\n{key}"
    toml.write_text(text + "".join(links), encoding="utf-8")
    # Plan follows plan here within seconds: the rest between two commands of a device gives way.
    limits = instance / "limits.toml"
    rested = limits.read_text(encoding="utf-8")
    limits.write_text(re.sub(r"interval_min_s = [\d.]+", "interval_min_s = 0.0", rested))
    sign_limits(limits, instance / "secrets" / "ot.key")
    with sheet.open("a", encoding="utf-8") as file:
        file.writelines(f"{row}\n" for row in rows)


def _row(columns: list[str], *, link: str, mrid: str, kind: str, unit: str, address: str) -> str:
    cells = {
        "mrid": mrid,
        "name": mrid,
        "equipment": link,
        "kind": kind,
        "unit": unit,
        "link": link,
        "address": address,
        "scale": "1.0",
        "offset": "0.0",
        "deadband": "0.0",
        "scan_s": "1.0",
    }
    return ",".join(cells.get(column, "") for column in columns)


class LoopLag:
    """How late the event loop is, every 10 ms."""

    def __init__(self) -> None:
        self.late_s: list[float] = []

    async def run(self) -> None:
        while True:
            began = time.perf_counter()
            await asyncio.sleep(WATCH_S)
            self.late_s.append(time.perf_counter() - began - WATCH_S)


@contextlib.asynccontextmanager
async def running(devices: int) -> AsyncIterator[tuple[Path, Settings, Ready]]:
    """The pilot with `devices` more; ready when its console answers."""
    with contextlib.ExitStack() as held:
        folder = Path(held.enter_context(tempfile.TemporaryDirectory(prefix="gridctl-bench-")))
        extra = [held.enter_context(outstation(POINTS)) for _ in range(devices)]
        web, sub, dr, der = held.enter_context(reserved_ports(4))
        instance = folder / "pilot"
        create_instance(
            instance,
            scenario=SCENARIO,
            rate=RATE,
            now_real_s=system_clock().now_s(),
            ports=Ports(web=web, sub=sub, dr=dr, der=der),
        )
        async with simulator(instance):
            # The simulator has read its points by now: these are not its own.
            _add_devices(instance, [device.port for device in extra])
            set_keys(instance / "gridctl.toml", {("planning", "cycle_s"): 5.0})
            settings = load_settings(instance / "gridctl.toml")
            async with _office(settings) as ready:
                yield instance, settings, ready


@contextlib.asynccontextmanager
async def _office(settings: Settings) -> AsyncIterator[Ready]:
    stop = asyncio.Event()
    answered: asyncio.Future[Ready] = asyncio.get_running_loop().create_future()
    office = asyncio.create_task(
        run_office(
            settings.file,
            with_field=True,
            stop=stop,
            on_ready=lambda ready: None if answered.done() else answered.set_result(ready),
            prepare=lambda store: seed_history(store, settings),
        )
    )
    try:
        office.add_done_callback(
            lambda _: None if answered.done() else answered.set_exception(_NoOfficeError())
        )
        yield await answered
    finally:
        stop.set()
        await office


class _NoOfficeError(Exception):
    """The office ended before it answered; its own log says why."""


class Operators:
    """Two people who approve whatever is proposed."""

    def __init__(self, instance: Path, settings: Settings, ready: Ready) -> None:
        self._instance = instance
        self._clock = settings.grid_clock()
        self._ready = ready
        self._people = [Remote(ready.url) for _ in ready.users]

    async def sign_in(self, points: int) -> None:
        for person, made in zip(self._people, self._ready.users, strict=True):
            await asyncio.to_thread(person.sign_in, made.name, made.secret)
        async with asyncio.timeout(READY_S):
            while len(self._ready.desk.picture().snapshot.values) < points:
                await asyncio.sleep(0.2)

    async def ask(self, number: int) -> None:
        """A demand event that begins now, so that its plan moves something at once."""
        now_s = self._clock.now_s()
        await self._ready.desk.submit_request(
            DispatchRequest(
                mrid=f"bench-{number}-0",
                event_id=f"bench-{number}",
                name="bench",
                source="bench",
                start_s=now_s,
                end_s=now_s + EVENT_S,
                target_kw=EVENT_KW,
                priority=1,
                received_s=now_s,
                state=RequestState.RECEIVED,
            ),
            person=CUSTOMER,
        )

    async def approve(self) -> float:
        """Approve the waiting plan; real seconds from the last approval to the wire."""
        for _ in range(TRIES):
            plan = await self._waiting()
            try:
                asked_s = await self._approved(plan)
            except RefusedError:  # a newer plan took its place between the look and the act
                continue
            sent_s = await self._on_the_wire_s(plan["id"])
            if sent_s is not None:
                return (sent_s - asked_s) / RATE
        raise TimeoutError(f"{TRIES} plans were void before they could be approved")

    async def _on_the_wire_s(self, plan: str) -> float | None:
        """When `plan` reached the field; None when it was void before anything of it had left."""
        async with asyncio.timeout(WIRE_S):
            while True:
                ended = await asyncio.to_thread(self._people[0].get, f"/plans/{plan}")
                sent_s = await self._first_sent_s(plan)
                if sent_s is not None or ended["state"] == "void":
                    return sent_s
                await asyncio.sleep(0.05)

    async def _approved(self, plan: dict[str, Any]) -> float:
        """Grid time of the last approval that `plan` needs. Raises RefusedError."""
        asked_s = self._clock.now_s()
        for person in self._people:
            asked_s = self._clock.now_s()
            body = {"digest": plan["digest"]}
            told = await asyncio.to_thread(person.post, f"/plans/{plan['id']}/approve", body)
            if told["approvals"] >= told["approvals_needed"]:
                break
        return asked_s

    async def again(self, number: int) -> None:
        """Stop the plan, send everything home, and wait for quiet."""
        await self._ready.desk.cancel_request(f"bench-{number}", person=CUSTOMER)
        person = self._people[0]
        for path, body in (
            ("/stop", {"reason": "next round"}),
            ("/resume", {"reason": "next round"}),
            ("/return-to-default", {"reason": "next round"}),
        ):
            await asyncio.to_thread(person.post, path, body)
        await asyncio.sleep(3.0)

    async def _waiting(self) -> dict[str, Any]:
        async with asyncio.timeout(PLAN_S):
            while True:
                frame = await asyncio.to_thread(self._people[0].get, "/overview")
                found = [p for p in frame["plans"] if p["state"] in ("proposed", "partial")]
                if found:
                    path = f"/plans/{found[0]['id']}"
                    with contextlib.suppress(GridctlError):
                        plan = await asyncio.to_thread(self._people[0].get, path)
                        if any(row["series_kw"][0] != 0 for row in plan["rows"]):
                            return plan
                await asyncio.sleep(0.3)

    async def _first_sent_s(self, plan: str) -> float | None:
        """Grid time of the first SELECT, or OPERATE where there is no SELECT, of `plan`."""
        told = await asyncio.to_thread(self._people[0].get, f"/commands?plan={plan}")
        sent = [
            datetime.fromisoformat(step["at"]).timestamp()
            for row in told["commands"]
            for step in row["history"]
            if step["state"] in SENT
        ]
        return min(sent, default=None)


async def measure(*, devices: int, rounds: int) -> tuple[list[float], list[float]]:
    """Approval to wire of `rounds` plans, and the loop's lateness all the while; real seconds."""
    lag = LoopLag()
    taken: list[float] = []
    async with running(devices) as (instance, settings, ready):
        operators = Operators(instance, settings, ready)
        await operators.sign_in(devices * POINTS)
        watching = asyncio.create_task(lag.run())
        try:
            for number in range(rounds):
                if number:
                    await operators.again(number - 1)
                await operators.ask(number)
                taken.append(await operators.approve())
        finally:
            watching.cancel()
    return taken, lag.late_s


def figures(quick: bool) -> list[Figure]:
    rounds = 2 if quick else 20
    taken, late_s = asyncio.run(measure(devices=DEVICES, rounds=rounds))
    quiet, quiet_late_s = asyncio.run(measure(devices=0, rounds=1 if quick else 5))
    return [
        Figure(
            name=f"approval to wire p99 of {rounds}, 50,000 points at 1 s (peer: pilot alone)",
            ours=1e3 * percentile(taken, 0.99),
            peer=1e3 * percentile(quiet, 0.99),
            unit="ms",
            goal="<= 100 ms",
            met=percentile(taken, 0.99) <= 0.100,
        ),
        Figure(
            name="approval to wire p50, 50,000 points at 1 s (peer: pilot alone)",
            ours=1e3 * median(taken),
            peer=1e3 * median(quiet),
            unit="ms",
            goal="",
            met=None,
        ),
        Figure(
            name="office event loop lag p99, 50,000 points at 1 s (peer: pilot alone)",
            ours=1e3 * percentile(late_s, 0.99),
            peer=1e3 * percentile(quiet_late_s, 0.99),
            unit="ms",
            goal="< 50 ms",
            met=percentile(late_s, 0.99) < 0.050,
        ),
    ]
