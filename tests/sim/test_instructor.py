"""The instructor's hand on a running mirror: status, faults, log, and a socket that is bounded."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from sim.instructor import LINE_BYTES_MAX, ask
from sim.process import run_simulator
from tests.sim.pilot import RATE, listens, make_instance, port_of, until_ready

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Path]:
    instance = make_instance(tmp_path_factory.mktemp("pilot") / "demo")
    stop = asyncio.Event()
    task = asyncio.create_task(run_simulator(instance, stop=stop))
    try:
        await until_ready(instance, task)
        yield instance
    finally:
        stop.set()
        await asyncio.wait_for(task, 10)


async def _ask(instance: Path, **question: Any) -> dict[str, Any]:
    return await ask(instance / "run" / "sim.sock", question, timeout_s=20)


async def test_status_tells_the_truth_and_time_runs(running: Path) -> None:
    first = await _ask(running, do="status")
    await asyncio.sleep(0.5)
    second = await _ask(running, do="status")
    assert second["tick"] > first["tick"]
    assert 300 < second["head_kw"] < 4500
    assert second["commands"] == {"total": 0, "by_link": {"DER": 0, "DR": 0}, "by_point": {}}
    passed_s = second["grid_s"] - first["grid_s"]
    assert 0.2 * RATE < passed_s < 5 * RATE
    assert all([await listens(port_of(running, link)) for link in ("SUB", "DR", "DER")])


async def test_an_outstation_dies_alone_and_comes_back(running: Path) -> None:
    answer = await _ask(running, do="fault", name="dead-outstation", on=True, target="DR")
    (active,) = answer["faults"]
    assert (active["name"], active["target"]) == ("dead-outstation", "DR")
    assert active["since_s"] <= answer["grid_s"]
    assert active["since"] == answer["local"]
    assert not await listens(port_of(running, "DR"))
    assert await listens(port_of(running, "SUB"))
    before = (await _ask(running, do="status"))["tick"]
    await asyncio.sleep(0.4)
    assert (await _ask(running, do="status"))["tick"] > before
    answer = await _ask(running, do="fault", name="dead-outstation", on=False, target="DR")
    assert answer["faults"] == []
    assert await listens(port_of(running, "DR"))


@pytest.mark.parametrize(
    ("name", "target"),
    [
        ("frozen-feed", ""),
        ("rejected-select", ""),
        ("rejected-select", "DR"),
        ("comm-loss", "LG03"),
        ("device-fault", "PV07"),
        ("local", "BESS02"),
    ],
)
async def test_faults_go_on_and_off(running: Path, name: str, target: str) -> None:
    on = await _ask(running, do="fault", name=name, on=True, target=target)
    assert [(f["name"], f["target"]) for f in on["faults"]] == [(name, target)]
    off = await _ask(running, do="fault", name=name, on=False, target=target)
    assert off["faults"] == []


@pytest.mark.parametrize(
    "question",
    [
        {"do": "fault", "name": "meteor", "on": True},
        {"do": "fault", "name": "local", "on": True, "target": "BESS99"},
        {"do": "fault", "name": "dead-outstation", "on": True},
        {"do": "fault", "name": "frozen-feed", "on": True, "target": "DR"},
        {"do": "fault", "name": "rejected-select", "on": True, "target": "LG03"},
        {"do": "fault", "name": "frozen-feed", "on": "yes"},
        {"do": "log", "limit": 0},
        {"do": "status", "verbose": True},
        {"do": "anything"},
        {},
    ],
)
async def test_bad_questions_are_refused_with_a_reason(
    running: Path, question: dict[str, Any]
) -> None:
    answer = await _ask(running, **question)
    assert answer["ok"] is False
    assert answer["reasons"]


async def test_the_socket_is_private_and_bounded(running: Path) -> None:
    path = running / "run" / "sim.sock"
    assert path.stat().st_mode & 0o777 == 0o600
    reader, writer = await asyncio.open_unix_connection(str(path))
    writer.write(b"not json\n")
    assert json.loads(await asyncio.wait_for(reader.readline(), 5))["ok"] is False
    writer.write(b"x" * (4 * LINE_BYTES_MAX) + b"\n")
    assert await asyncio.wait_for(reader.read(), 5) == b""
    writer.close()
    assert (await _ask(running, do="log"))["commands"] == []
