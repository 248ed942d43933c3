"""A small pilot in a folder, and a simulator that runs on it, for tests of the mirror."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

from sim.instance import Ports, create_instance
from tests.ports import free_ports

RATE = 10.0


def make_instance(folder: Path) -> Path:
    """A pilot with a day of history, ticking ten times a second."""
    web, sub, dr, der = free_ports(4)
    create_instance(
        folder,
        scenario="hot-afternoon",
        rate=RATE,
        now_real_s=1_795_000_000.0,
        ports=Ports(web=web, sub=sub, dr=dr, der=der),
        history_days=1,
    )
    text = (folder / "gridctl.toml").read_text(encoding="utf-8")
    (folder / "gridctl.toml").write_text(
        text.replace("tick_s = 1.0", "tick_s = 0.1"), encoding="utf-8"
    )
    return folder


async def until_ready(instance: Path, task: asyncio.Task[None]) -> None:
    """Wait until the simulator of `task` listens; raises what it died of."""
    async with asyncio.timeout(30):
        while not (instance / "run" / "sim.sock").exists():
            if task.done():
                task.result()
            await asyncio.sleep(0.02)


async def listens(port: int) -> bool:
    """Whether somebody listens on a port of loopback."""
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except ConnectionRefusedError:
        return False
    writer.close()
    await writer.wait_closed()
    return True


def port_of(instance: Path, link: str) -> int:
    """The port of a link, as its settings say."""
    text = (instance / "gridctl.toml").read_text(encoding="utf-8")
    table = text.split(f'id = "{link}"')[1].split("[[")[0]
    found = re.search(r"port = (\d+)|:(\d+)/gridctl", table)
    assert found is not None
    return int(found[1] or found[2])
