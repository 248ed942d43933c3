"""`gridctl sim …`: what a person and a program get to see, and the exit codes."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

import sim.scenario
from gridctl.cli import app
from gridctl.cli_ending import EXIT_CONFIG, EXIT_REFUSED, EXIT_UNAVAILABLE
from gridctl.exam import examined
from gridctl.model.errors import ConfigError
from sim.fault_kinds import Fault
from sim.process import run_simulator
from sim.scenario import scenario_names
from tests.ports import free_ports
from tests.sim.pilot import make_instance, until_ready


def gridctl(*words: str) -> Result:
    return CliRunner().invoke(app, ["sim", *words])


def test_lists_for_people_and_for_programs() -> None:
    found = json.loads(gridctl("faults", "--json").stdout)["faults"]
    assert [row["name"] for row in found] == [f.value for f in Fault]
    assert "half-open" in gridctl("faults").stdout
    stories = json.loads(gridctl("scenarios", "--json").stdout)["scenarios"]
    assert [row["name"] for row in stories] == list(scenario_names())
    assert len(stories) >= 10
    assert "-> " in gridctl("scenarios").stdout


def test_without_a_simulator_it_says_what_to_start(tmp_path: Path) -> None:
    answer = gridctl("status", "--instance", str(tmp_path))
    assert answer.exit_code == EXIT_UNAVAILABLE
    assert "start gridctl sim" in answer.stderr


async def test_a_fault_is_switched_in_the_running_simulator(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    instance = make_instance(tmp_path / "pilot")
    recorded = instance / "run.csv"
    settings = instance / "gridctl.toml"
    settings.write_text(settings.read_text().replace("[sim]", '[sim]\nrecord = "run.csv"'))
    stop = asyncio.Event()
    task = asyncio.create_task(run_simulator(instance, stop=stop))
    await until_ready(instance, task)

    async def ask(*words: str) -> Result:
        return await asyncio.to_thread(gridctl, *words, "--instance", str(instance))

    try:
        on = await ask("fault", "late-execution", "on", "BESS01", "--amount", "30")
        assert on.exit_code == 0, on.stderr
        assert re.search(
            r"on: late-execution BESS01, 30 s, since \w{3} \d\d \w{3} [\d:]{8}$", on.stdout
        )
        told = json.loads((await ask("status", "--json")).stdout)
        assert [(f["name"], f["target"]) for f in told["faults"]] == [("late-execution", "BESS01")]
        assert told["pace"]["tick_s"] == 0.1
        assert (await ask("fault", "late-execution", "off", "BESS01")).exit_code == 0
        wrong = await ask("fault", "late-exekution", "on", "BESS01")
        assert wrong.exit_code == EXIT_REFUSED
        assert "did you mean late-execution?" in wrong.stderr
        assert (await ask("fault", "local", "maybe", "BESS01")).exit_code == 2
        assert "kW" in (await ask("status")).stdout
    finally:
        stop.set()
        await asyncio.wait_for(task, 10)
    judged = gridctl("exam", "holiday", "--recording", str(recorded), "--json")
    outcome = json.loads(judged.stdout)
    assert outcome["operator"] == f"recorded in {recorded}"
    assert judged.exit_code == EXIT_REFUSED
    assert "of the 300 to be judged" in outcome["score"]["failed"][-1]
    # And shown again, to whoever reads the same points: the recording stays as it is.
    before = recorded.read_bytes()
    stop = asyncio.Event()
    task = asyncio.create_task(run_simulator(instance, stop=stop, replay=recorded))
    await until_ready(instance, task)
    stop.set()
    await asyncio.wait_for(task, 10)
    assert recorded.read_bytes() == before
    with pytest.raises(ConfigError, match="neither recorded nor kept"):
        await run_simulator(instance, stop=stop, replay=recorded, record=tmp_path / "again.csv")
    capsys.readouterr()


async def test_alone_it_prints_what_it_serves_and_ends_at_a_signal(tmp_path: Path) -> None:
    folder = tmp_path / "alone"
    make_instance(folder)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-P", "-m", "gridctl.cli", "sim", "--instance", str(folder),
        "--page", str(free_ports(1)[0]), stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    told = b""
    async with asyncio.timeout(60):
        while b"Ctrl-C" not in told:
            told += await process.stdout.readline()
    text = told.decode()
    address = re.search(r"page +http://(127\.0\.0\.1):(\d+)/", text)
    assert address is not None
    reader, writer = await asyncio.open_connection(address[1], int(address[2]))
    writer.write(f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{address[2]}\r\n\r\n".encode())
    page = (await asyncio.wait_for(reader.read(), 10)).decode()
    writer.close()
    process.send_signal(signal.SIGINT)
    assert await asyncio.wait_for(process.wait(), 20) == 0
    for words in ("link SUB", "DNP3 127.0.0.1:", "outstation 20", "opc.tcp://", "points.csv",
                  "sim-server.der (SHA-256", "a network that you do not own"):  # fmt: skip
        assert words in text
    assert "opcua.password" in text
    assert (folder / "secrets" / "opcua.password").read_text().strip() not in text + page
    assert "Throw a fault in" in page


def test_who_does_nothing_fails_the_hot_afternoon() -> None:
    hot = gridctl("exam", "hot-afternoon", "--operator", "nobody")
    assert hot.exit_code == EXIT_REFUSED
    assert "FAILED head above its limit" in hot.stdout


@pytest.mark.soak
@pytest.mark.parametrize("name", scenario_names())
def test_a_good_operator_passes_and_who_does_nothing_fails(name: str) -> None:
    idle = examined(name, operator="nobody")["score"]
    acted = examined(name, operator="scripted")["score"]
    assert not idle["passed"], "nothing had to be done"
    assert acted["passed"], acted["failed"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("exam", "hot-morning"), "known scenarios"),
        (("exam", "holiday", "--operator", "somebody"), "nobody, scripted or office"),
        (("exam", "holiday", "--recording", "absent.csv"), "cannot be read"),
        (("exam", "holiday", "--record", "run.xyz"), "ends in .csv or .parquet, this name in .xyz"),
        (("exam", "holiday", "--record", "absent/run.csv"), "its folder is not there"),
        (("exam", "holiday", "--recording", "a.csv", "--record", "b.csv"), "leave --record out"),
        (("exam", "holiday", "--recording", "run"), "this name in neither"),
    ],
)
def test_what_cannot_be_examined_is_said(words: tuple[str, ...], said: str) -> None:
    answer = gridctl(*words)
    assert answer.exit_code == EXIT_CONFIG
    assert said in answer.stderr


def test_the_scripted_operator_does_better_than_nobody(tmp_path: Path) -> None:
    story = short_story(tmp_path)
    idle = examined(story, operator="nobody")["score"]
    acted = examined(story, operator="scripted")["score"]
    assert acted["commands"] > 0
    assert acted["head_kw_min"] < 0.6 * idle["head_kw_min"]
    assert acted["unserved_kwh"] == 0.0
    # The concentrator says no at 16:25; each group is asked once, not again and again.
    assert acted["wasted_commands"] <= 29


@pytest.mark.soak
def test_the_scripted_operator_decides_the_same_twice(tmp_path: Path) -> None:
    story = short_story(tmp_path)
    first, second = (examined(story, operator="scripted")["score"] for _ in range(2))
    assert first == second


@pytest.mark.soak
def test_the_office_sits_the_exam_over_the_wire(tmp_path: Path) -> None:
    """Real office, field agent, DNP3 and OPC UA; approvals over HTTP."""
    score = examined(short_story(tmp_path), operator="office", rate=20.0)["score"]
    assert score["commands"] > 0
    assert score["diverged_ticks"] == 0
    assert not any("covers" in reason for reason in score["failed"]), score["failed"]


@pytest.mark.soak
@pytest.mark.timeout(1_200)
def test_the_office_passes_the_hot_afternoon() -> None:
    """The product's promise, over the wire: a plan that no longer holds is followed by another."""
    score = examined("hot-afternoon", operator="office", rate=30.0)["score"]
    assert score["passed"], score["failed"]
    assert score["commands"] > 50


def short_story(tmp_path: Path) -> str:
    """Fifty minutes of the rejected selects."""
    text = Path(sim.scenario.__file__).parent / "scenarios" / "rejected-selects.toml"
    story = tmp_path / "short.toml"
    story.write_text(
        text.read_text("utf-8")
        .replace("hours = 4.5", "hours = 0.9")
        .replace("step_s = 30", "step_s = 60")
        .replace("history_days = 21", "history_days = 2")
        .replace("head_limit_kw = 2950.0", "head_limit_kw = 3000.0"),
        encoding="utf-8",
    )
    return str(story)
