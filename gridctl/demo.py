"""`gridctl demo`: a whole pilot on this machine."""

from __future__ import annotations

import asyncio
import contextlib
import csv
import json
import logging
import shutil
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from gridctl.assembly import Ready, run_office
from gridctl.config import FieldLinkTable, Settings, load_settings
from gridctl.model.clock import Clock
from gridctl.model.errors import ConfigError, UnavailableError
from gridctl.model.measurement import GOOD, Measurement, TimeQuality
from gridctl.store.engine import SqlStore
from gridctl.supervise import end, spawn, stop_on_signals
from gridctl.wallclock import system_clock
from sim.instance import Ports, create_instance
from sim.instance_ports import reserved_ports
from sim.own_scenario import write_own_scenario

log = logging.getLogger(__name__)

SCENARIO = "hot-afternoon"
USUAL_INSTANCE = Path(".gridctl/demo")
SIM_READY_DEADLINE_S = 60.0
GRID_TIME_SAVE_S = 2.0
AFTERNOON_H = 15.0 + 40.0 / 60.0
EVENING_H = 19.0
DEVICE_PORTS: tuple[int, ...] = (20_101, 20_102, 4_841)
"""Of a new pilot: the two outstations, the OPC UA server; others when these are taken."""


async def run_demo(
    instance: Path, *, port: int, rate: float, fresh: bool = False, feeder: str = "", page: int = 0
) -> None:
    """`gridctl demo`: makes the instance at first start, goes on from its state after that.
    `feeder`: another one than the scenario's, which is told on it with devices of its own.
    `page`: port of the simulator's page, another one when it is taken; 0 for none."""
    if fresh:
        shutil.rmtree(instance, ignore_errors=True)
    with device_ports(instance) as ports:
        if prepare_instance(instance, port=port, rate=rate, devices=ports, feeder=feeder):
            print(f"Made a pilot in {instance}", file=sys.stderr)
        await _run(instance, page=page)


async def _run(instance: Path, *, page: int) -> None:
    settings = load_settings(instance / "gridctl.toml")
    stop = asyncio.Event()
    stop_on_signals(stop)
    async with simulator(instance, page=page) as mirror:
        saving = asyncio.create_task(_save_grid_time(instance, settings.grid_clock()))
        try:
            await run_office(
                settings.file,
                with_field=True,
                stop=stop,
                on_ready=lambda ready: _welcome(
                    ready, settings, instance, str(mirror.get("page", ""))
                ),
                prepare=lambda store: seed_history(store, settings),
            )
        finally:
            saving.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await saving


@contextmanager
def device_ports(instance: Path) -> Iterator[tuple[int, ...]]:
    """The ports of the simulated devices, ours until the block ends: those of the last time, or
    others when another pilot on this machine has them now."""
    file = instance / "gridctl.toml"
    before = DEVICE_PORTS
    if file.exists():
        before = tuple(_device_port(link, file) for link in load_settings(file).field.links)
    with reserved_ports(len(before), first_choice=before) as ports:
        yield ports


def _device_port(link: FieldLinkTable, file: Path) -> int:
    options = link.options()
    port = options.get("port") or urlsplit(str(options.get("url", ""))).port
    if not isinstance(port, int):
        raise ConfigError("names no port", file=str(file), key=f"field.links.{link.id}")
    return port


def _moved(links: Sequence[FieldLinkTable], ports: Sequence[int]) -> dict[tuple[str, str], object]:
    """What to set so that the links have these ports."""
    keys: dict[tuple[str, str], object] = {}
    for i, (link, port) in enumerate(zip(links, ports, strict=True)):
        url = link.options().get("url")
        if url is None:
            keys[f"field.links[{i}]", "port"] = port
        else:
            parts = urlsplit(str(url))
            moved = parts._replace(netloc=f"{parts.hostname}:{port}")
            keys[f"field.links[{i}]", "url"] = moved.geturl()
    return keys


def prepare_instance(
    instance: Path, *, port: int, rate: float, devices: Sequence[int], feeder: str = ""
) -> bool:
    """Make the instance folder, or wind its clock on; whether it was made.

    `port` is the console's, `devices` are those of the links, in their order.
    """
    now_real_s = system_clock().now_s()
    file = instance / "gridctl.toml"
    if not file.exists():
        create_instance(
            instance,
            scenario=str(write_own_scenario(instance, feeder).resolve()) if feeder else SCENARIO,
            rate=rate,
            now_real_s=now_real_s,
            ports=Ports(web=port, sub=devices[0], dr=devices[1], der=devices[2]),
        )
        return True
    settings = load_settings(file)
    set_keys(
        file,
        {
            ("clock", "anchor_real_s"): now_real_s,
            ("clock", "anchor_grid_s"): _resume_at(instance, settings),
            ("clock", "rate"): rate,
            ("web", "port"): port,
            **_moved(settings.field.links, devices),
        },
    )
    return False


def _resume_at(instance: Path, settings: Settings) -> float:
    """Grid time to go on from: where the pilot stopped, or the next afternoon when that was in
    the evening. Never back, so that history stays in order: what may have run since the time was
    last saved is skipped."""
    try:
        last_s = float((instance / "run" / "grid-time").read_text(encoding="utf-8"))
        last_s += GRID_TIME_SAVE_S * (settings.clock.rate if settings.clock else 1.0)
    except (OSError, ValueError):
        last_s = settings.clock.anchor_grid_s if settings.clock else system_clock().now_s()
    local = datetime.fromtimestamp(last_s, UTC) + timedelta(hours=settings.site.utc_offset_h)
    midnight_s = last_s - (local.hour * 3600 + local.minute * 60 + local.second)
    if last_s < midnight_s + EVENING_H * 3600:
        return last_s
    return midnight_s + 86_400 + AFTERNOON_H * 3600


async def _save_grid_time(instance: Path, clock: Clock) -> None:
    path = instance / "run" / "grid-time"
    path.parent.mkdir(parents=True, exist_ok=True)
    while True:
        path.write_text(f"{clock.now_s():.0f}\n", encoding="utf-8")
        await asyncio.sleep(GRID_TIME_SAVE_S)


def set_keys(file: Path, values: Mapping[tuple[str, str], object]) -> None:
    """Replace single values of a TOML file, keeping everything else as the person wrote it.

    `values`: by table and key; the n-th `[[a.b]]` is the table `a.b[n]`, from 0.
    Raises ConfigError for a table or key that is not there.
    """
    wanted = dict(values)
    table = ""
    arrays: Counter[str] = Counter()
    lines = file.read_text(encoding="utf-8").splitlines()
    for i, line in enumerate(lines):
        text = line.strip()
        if text.startswith("["):
            table = text.split("#")[0].strip().strip("[]").strip()
            if text.startswith("[["):
                arrays[table] += 1
                table = f"{table}[{arrays[table] - 1}]"
            continue
        key = text.partition("=")[0].strip()
        if (table, key) in wanted:
            lines[i] = f"{key} = {json.dumps(wanted.pop((table, key)))}"
    if wanted:
        table, key = next(iter(wanted))
        raise ConfigError("missing", file=str(file), key=f"{table}.{key}")
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")


@asynccontextmanager
async def simulator(instance: Path, *, page: int = 0) -> AsyncIterator[Mapping[str, Any]]:
    """The mirror as a child process, from ready to stopped; what it says when it is ready. `page`:
    port of its page, 0 for none. Raises UnavailableError."""
    words = ["sim", "--child", "--instance", str(instance), "--page", str(page)]
    process = await spawn(words, pipe_stdout=True)
    try:
        if process.stdout is None:
            raise UnavailableError("the simulator has no output")
        try:
            line = await asyncio.wait_for(process.stdout.readline(), SIM_READY_DEADLINE_S)
        except TimeoutError:
            raise UnavailableError(
                f"the simulator was not ready within {SIM_READY_DEADLINE_S:g} s"
            ) from None
        if not line:
            code = await process.wait()
            raise UnavailableError(
                f"the simulator ended with code {code}; its message stands above"
            )
        yield json.loads(line)
    finally:
        await end(process)


async def seed_history(store: SqlStore, settings: Settings) -> None:
    """Weeks of head load and temperature from the simulator, once."""
    if await store.flag("history_seeded") is not None:
        return
    path = settings.file.parent / "history.csv"
    if not path.is_file():
        return
    with path.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    points = [(settings.site.head_point, "head_kw")]
    if settings.site.temperature_point is not None:
        points.append((settings.site.temperature_point, "temperature_c"))
    await store.add_samples(
        [
            Measurement(
                point=point,
                value=float(row[column]),
                quality=GOOD,
                source_time_s=float(row["t_s"]),
                time_quality=TimeQuality.SYNCHRONIZED,
                received_time_s=float(row["t_s"]),
            )
            for row in rows
            for point, column in points
        ]
    )
    async with store.transaction() as unit:
        await unit.set_flag("history_seeded", path.name)


def _welcome(ready: Ready, settings: Settings, instance: Path, page: str) -> None:
    clock = settings.grid_clock()
    local = datetime.fromtimestamp(clock.now_s(), UTC) + timedelta(hours=settings.site.utc_offset_h)
    rate = settings.clock.rate if settings.clock else 1.0
    print(f"\n  gridctl   {settings.site.name}: {local:%A %d %B, %H:%M} local, {rate:g}x real time")
    print(f"  console   {ready.url}")
    if page:
        print(f"  field     {page}  (the simulator's own page: what is true, and faults)")
    print()
    if ready.users:
        print("  Secrets of this pilot, shown this one time:")
        for made in ready.users:
            print(f"    {made.name:<12} {made.role:<11} password {made.secret}")
        for made in ready.clients:
            print(f"    {made.name:<24} OpenADR secret {made.secret}")
    else:
        print("  Users and secrets as at the first start (`gridctl demo --fresh` begins anew).")
    print(f"\n  STOP from a terminal:  .venv/bin/gridctl stop --instance {instance}")
    if instance != USUAL_INSTANCE:
        print(f"  Other commands there:  export GRIDCTL_INSTANCE={instance}")
    print("  Ctrl-C ends the pilot; the next start goes on from here.\n", flush=True)
