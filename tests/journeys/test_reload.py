"""SIGHUP to a running pilot: real outstations and a real server count who connects."""

from __future__ import annotations

import asyncio
import csv
import json
import os
import re
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import pytest

from gridctl.config import load_settings
from gridctl.field.reload import answer_file
from gridctl.remote import Remote
from tests.contracts.loopback_proxy import LoopbackProxy
from tests.journeys.running_demo import gridctl
from tests.pilot import make_pilot
from tests.ports import free_port

pytestmark = [pytest.mark.journey, pytest.mark.soak, pytest.mark.timeout(300)]

READY_S = 60.0


def behind_proxies(file: Path) -> dict[str, LoopbackProxy]:
    """A proxy in front of each device; the links dial the proxies from now on."""
    text = file.read_text(encoding="utf-8")
    proxies = {}
    for link in load_settings(file).field.links:
        options = link.options()
        url = str(options.get("url", ""))
        device = int(options.get("port") or url.split(":")[2].split("/", maxsplit=1)[0])
        port = free_port()
        proxies[link.id] = LoopbackProxy(port=port, upstream_port=device)
        # The file names each device's port once in its own table.
        assert len(re.findall(rf"\b{device}\b", text)) == 1, (link.id, device)
        text = re.sub(rf"\b{device}\b", str(port), text)
    file.write_text(text, encoding="utf-8")
    return proxies


def started(word: str, folder: Path, output: IO[str] | int) -> subprocess.Popen[bytes]:
    """`gridctl WORD` as a process of its own."""
    return subprocess.Popen(
        gridctl(word, "--instance", str(folder)),
        stdin=subprocess.PIPE,
        stdout=output,
        stderr=output,
    )


async def until(what: Callable[[], Any], within_s: float, why: Callable[[], object]) -> Any:
    end_s = asyncio.get_running_loop().time() + within_s
    while not (found := await asyncio.to_thread(what)):
        assert asyncio.get_running_loop().time() < end_s, why()
        await asyncio.sleep(0.2)
    return found


def field_of(office: int) -> int | None:
    """The field agent among the office's children."""
    for task in Path(f"/proc/{office}/task").iterdir():
        for child in (task / "children").read_text(encoding="ascii").split():
            if b"field" in Path(f"/proc/{child}/cmdline").read_bytes().split(b"\0"):
                return int(child)
    return None


async def test_sighup_to_the_office_or_the_field_drops_no_healthy_link(tmp_path: Path) -> None:
    folder = make_pilot(tmp_path / "pilot")
    simulator = started("sim", folder, subprocess.DEVNULL)
    proxies: dict[str, LoopbackProxy] = {}
    log = (tmp_path / "run.log").open("w+")
    office: subprocess.Popen[bytes] | None = None
    try:
        station = folder / "run" / "sim.sock"
        await until(station.exists, READY_S, lambda: "the simulator does not start")
        file = folder / "gridctl.toml"
        proxies = behind_proxies(file)
        for proxy in proxies.values():
            await proxy.start()
        settings = load_settings(file)
        office = started("run", folder, log)
        with Remote(f"http://127.0.0.1:{settings.web.port}") as remote:
            found = await until(
                lambda: re.search(r"operator-a \(OPERATOR\): (\S+)", read(tmp_path)),
                READY_S,
                lambda: read(tmp_path)[-3000:],
            )
            await asyncio.to_thread(remote.sign_in, "operator-a", found[1])

            def all_up() -> bool:
                links = remote.get("/links")["links"]
                return len(links) == 3 and all(one["state"] == "up" for one in links)

            await until(all_up, READY_S, lambda: remote.get("/links"))
            before = {link: proxy.connections for link, proxy in proxies.items()}
            child = field_of(office.pid)
            assert child is not None

            # The office's process passes it on to the field agent, which follows its files.
            edit(settings.field.points, renamed)
            told = await hung_up(office.pid, settings.field.stop_file)
            assert told["accepted"], told
            assert set(told["kept"]) == set(proxies)
            assert not told["changed"]

            # One link's rows differ: that one is opened anew, the others are left alone.
            edit(settings.field.points, slower)
            told = await hung_up(child, settings.field.stop_file)
            assert (told["changed"], set(told["kept"])) == (["DR"], set(proxies) - {"DR"})
            await until(all_up, READY_S, lambda: remote.get("/links"))
            after = {link: proxy.connections for link, proxy in proxies.items()}
            assert after["DR"] > before["DR"], "a new session"
            assert {k: v for k, v in after.items() if k != "DR"} == {
                k: v for k, v in before.items() if k != "DR"
            }, "healthy links keep their connections"
            assert field_of(office.pid) == child, "nobody was restarted"
            assert office.poll() is None
    finally:
        for process in (office, simulator):
            if process is not None:
                process.send_signal(signal.SIGINT)
                await asyncio.to_thread(process.wait, 25)
                assert process.stdin is not None
                process.stdin.close()
        for proxy in proxies.values():
            await proxy.stop()
        log.close()


def read(folder: Path) -> str:
    return (folder / "run.log").read_text(encoding="utf-8")


def edit(points: Path, change: Callable[[dict[str, str]], None]) -> None:
    """`change` each row of the points file."""
    with points.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        rows = list(reader)
        names = list(reader.fieldnames or ())
    for row in rows:
        change(row)
    with points.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, names)
        writer.writeheader()
        writer.writerows(rows)


def renamed(row: dict[str, str]) -> None:
    row["name"] += " (new)"


def slower(row: dict[str, str]) -> None:
    if row["link"] == "DR":
        row["scan_s"] = str(2 * float(row["scan_s"]))


async def hung_up(pid: int, stop_file: Path) -> dict[str, Any]:
    """SIGHUP; what the field agent answers to it."""
    answer = answer_file(stop_file)
    answer.unlink(missing_ok=True)
    os.kill(pid, signal.SIGHUP)
    await until(answer.exists, 20.0, lambda: "no answer to SIGHUP")
    told: dict[str, Any] = json.loads(answer.read_text(encoding="utf-8"))
    assert told["request"] == "signal"
    return told
