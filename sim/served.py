"""What a running mirror serves, for whoever wants to connect: addresses, points, certificates."""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

from gridctl.model.errors import ConfigError
from sim.page import Page, page_served
from sim.plant_points import read_plant_points
from sim.process import Simulator
from sim.scenario import local_text


@asynccontextmanager
async def page_of(
    simulator: Simulator, served: Mapping[str, str], *, port: int, or_any: bool = False
) -> AsyncIterator[str]:
    """The page in front of `simulator` until the block ends; its address. `or_any`: another port
    will do when that one is taken. Raises ConfigError when it cannot listen."""
    # The page has a clock of its own.
    told = {what: value for what, value in served.items() if what != "now"}
    page = Page(simulator.world, simulator.faults, simulator.instructor, told)
    async with AsyncExitStack() as stack:
        try:
            address = await stack.enter_async_context(page_served(page, port))
        except ConfigError:
            if not or_any:
                raise
            address = await stack.enter_async_context(page_served(page, 0))
        yield address


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
    if simulator.playback is not None:
        served["replay"] = f"{simulator.playback.told()}; it obeys nobody"
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
