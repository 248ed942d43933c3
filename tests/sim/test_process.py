"""The mirror as a process: ready or refused, and nothing left open."""

from __future__ import annotations

import asyncio
import json
import socket
from pathlib import Path

import pytest

from gridctl.model.errors import ConfigError
from sim.process import run_simulator
from tests.sim.pilot import listens, make_instance, port_of, until_ready


@pytest.fixture(scope="module")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_instance(tmp_path_factory.mktemp("pilot") / "demo")


async def test_ready_is_one_json_line_and_nothing_else(
    instance: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    stop = asyncio.Event()
    task = asyncio.create_task(run_simulator(instance, stop=stop))
    await until_ready(instance, task)
    await asyncio.sleep(0.3)
    stop.set()
    await asyncio.wait_for(task, 10)
    out = capfd.readouterr().out
    ready = json.loads(out)
    assert out.count("\n") == 1
    assert ready["links"] == ["DER", "DR", "SUB"]
    assert not (instance / "run" / "sim.sock").exists()
    assert not await listens(port_of(instance, "SUB"))


async def test_a_taken_port_ends_the_start_and_leaves_nothing_open(instance: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port_of(instance, "DR")))
        taken.listen()
        with pytest.raises(ConfigError, match=r"field\.links\.DR: link DR cannot listen.*in use"):
            await run_simulator(instance, stop=asyncio.Event())
    assert not await listens(port_of(instance, "SUB"))


@pytest.mark.parametrize(
    ("before", "after", "complaint"),
    [
        ('scenario = "hot-afternoon"', 'scenario = "winter"', "no scenario"),
        ("tick_s = 0.1", "tick_s = 0.0", "tick_s"),
        ('protocol = "opcua"', 'protocol = "modbus"', "does not speak"),
        ("[sim]", "[sim", "not TOML"),
        ('feeder = "feeder.json"', 'feeder = "other.json"', "cannot be read"),
    ],
)
async def test_bad_settings_are_refused(
    instance: Path, before: str, after: str, complaint: str
) -> None:
    file = instance / "gridctl.toml"
    text = file.read_text(encoding="utf-8")
    assert before in text
    file.write_text(text.replace(before, after), encoding="utf-8")
    try:
        with pytest.raises(ConfigError, match=complaint):
            await run_simulator(instance, stop=asyncio.Event())
    finally:
        file.write_text(text, encoding="utf-8")
