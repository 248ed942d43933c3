"""`gridctl sim`: the mirror without anybody in front of it, for a master of the user's own."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import tomllib
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from gridctl.demo import set_keys
from gridctl.model.errors import ConfigError
from gridctl.observe import set_up_logging
from gridctl.provenance import check_provenance
from gridctl.supervise import stop_on_signals
from gridctl.wallclock import system_clock
from sim.instance import Ports, create_instance
from sim.instance_ports import reserved_ports
from sim.page import Page, page_served
from sim.plant_points import read_plant_points
from sim.process import Simulator, run_simulator
from sim.scenario import local_text
from sim.state_file import read_state

HISTORY_DAYS: Final = 2
RESUME_IN_S: Final = 5.0
WARNING: Final = (
    "A test instrument: no access control on DNP3, faults at the push of a button. It listens on "
    "loopback only; never let it face a network that you do not own."
)


async def run_alone(
    instance: Path,
    *,
    scenario: str,
    rate: float,
    page: int,
    record: Path | None,
    replay: Path | None,
    state: Path | None = None,
) -> None:
    """Make the folder when it is not there, serve it until a signal. `state`: from where it goes
    on, its clock too, and where the world is kept at the end. Raises ConfigError."""
    set_up_logging(level="warning")
    check_provenance()
    if not (instance / "gridctl.toml").exists():
        _make(instance, scenario, rate)
    kept = read_state(state)
    if kept is not None:
        _resume(instance / "gridctl.toml", at_s=float(kept["at_s"]))
    stop = asyncio.Event()
    stop_on_signals(stop)

    @asynccontextmanager
    async def say(simulator: Simulator) -> AsyncIterator[None]:
        served = what_is_served(instance, simulator)
        async with contextlib.AsyncExitStack() as stack:
            if page:
                # The page has a clock of its own.
                told = {what: value for what, value in served.items() if what != "now"}
                shown = Page(simulator.world, simulator.faults, simulator.instructor, told)
                address = await stack.enter_async_context(page_served(shown, page))
                served = {"page": address, **served}
            _print(served)
            yield

    await run_simulator(instance, stop=stop, record=record, replay=replay, state=state, say=say)


def _resume(file: Path, *, at_s: float) -> None:
    """Grid time goes on from where the state was kept, once everything is likely to listen."""
    set_keys(
        file,
        {
            ("clock", "anchor_real_s"): system_clock().now_s() + RESUME_IN_S,
            ("clock", "anchor_grid_s"): at_s,
        },
    )


def _make(instance: Path, scenario: str, rate: float) -> None:
    with reserved_ports(4) as (web, sub, dr, der):
        create_instance(
            instance,
            scenario=scenario,
            rate=rate,
            now_real_s=system_clock().now_s(),
            ports=Ports(web=web, sub=sub, dr=dr, der=der),
            history_days=HISTORY_DAYS,
        )
    print(f"Made {instance} for {scenario}.", file=sys.stderr)


def what_is_served(instance: Path, simulator: Simulator) -> dict[str, str]:
    """What a master needs to know, by what it is about."""
    settings = tomllib.loads(simulator.file.read_text(encoding="utf-8"))
    rows = read_plant_points(instance / settings["field"]["points"])
    points = Counter(row.link for row in rows)
    commands = Counter(row.link for row in rows if row.command)
    story = simulator.world.scenario
    served = {
        "scenario": f"{story.name}: {story.title}",
        "begins": local_text(story, story.start_s),
        "now": local_text(story, simulator.world.at_s),
        "point map": str(instance / settings["field"]["points"]),
        "instructor": str(instance / simulator.table.instructor_socket),
    }
    for link in settings["field"]["links"]:
        name = str(link["id"])
        size = f"{points[name]} points, {commands[name]} commands"
        served[f"link {name}"] = f"{_address(link)} · {size}"
        if link["protocol"] == "opcua":
            served.update(_certificates(instance, link))
    return served


def _address(link: Mapping[str, Any]) -> str:
    if link["protocol"] == "dnp3":
        return (
            f"DNP3 {link['host']}:{link['port']}, outstation {link['outstation_address']}, "
            f"master {link['master_address']}, SELECT before OPERATE"
        )
    return f"OPC UA {link['url']}, {link['security_policy']} SignAndEncrypt, user {link['user']}"


def _certificates(instance: Path, link: Mapping[str, Any]) -> dict[str, str]:
    shown = {"server certificate": "server_certificate", "trusted client": "certificate"}
    found = {}
    for what, key in shown.items():
        path = instance / str(link[key])
        try:
            thumbprint = sha256(path.read_bytes()).hexdigest()
        except OSError as error:
            raise ConfigError(f"cannot be read: {error.strerror}", file=str(path)) from None
        found[what] = f"{path} (SHA-256 {thumbprint})"
    found["client key"] = str(instance / str(link["key"]))
    found["password"] = f"in {instance / str(link['password_file'])}"
    return found


def _print(served: Mapping[str, str]) -> None:
    width = max(len(what) for what in served)
    print()
    for what, value in served.items():
        print(f"  {what:<{width}}  {value}")
    print(f"\n  {WARNING}")
    print("  Ctrl-C ends it.\n", flush=True)
