"""A simulator that is ended and started again goes on, faults and story included."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from gridctl.model.errors import ConfigError
from sim.faults import FaultBoard
from sim.instructor import ask
from sim.process import run_simulator
from sim.scenario import load_scenario
from sim.state_file import read_state, resume, write_state
from sim.step_field import StepField
from sim.timeline import Timeline
from tests.sim.lively import Lively
from tests.sim.pilot import make_instance, until_ready

FAULTS = (
    ("stuck-regulator", "REG4", None), ("comm-loss", "PV01", None),
    ("delayed-replies", "DR", 2.0), ("line-out", "L67-68", None),
)  # fmt: skip


def board_of(stage: Lively) -> FaultBoard:
    return StepField(stage.world, {}).board


async def test_what_was_on_is_on_again_and_can_be_switched_off(tmp_path: Path) -> None:
    stage, path = Lively(), tmp_path / "world.json"
    board = board_of(stage)
    for name, target, amount in FAULTS:
        assert await board.switch(name, on=True, target=target, amount=amount) is None
    stage.run(10)
    write_state(path, stage.world, board)
    kept = read_state(path)
    assert kept is not None

    again = Lively(start_s=kept["at_s"])
    other, story = board_of(again), load_scenario("rejected-selects")
    timeline = Timeline(story.events)
    await resume(kept, file="x", world=again.world, faults=other, timeline=timeline)
    assert other.kept() == board.kept()
    assert again.world.outages.dark == stage.world.outages.dark
    assert not again.world.read("PV01.TotW").good
    for name, target, _ in FAULTS:
        assert await other.switch(name, on=False, target=target) is None
    assert other.active == ()
    assert not again.world.outages.dark
    assert again.world.read("PV01.TotW").good


def test_what_the_story_has_done_is_not_done_again() -> None:
    events = load_scenario("rejected-selects").events
    timeline = Timeline(events)
    timeline.skip(max(e.at_s for e in events))
    assert [begins for _, begins in timeline.due(float("inf"))] == [
        False for e in events if e.until_s is not None
    ]


@pytest.mark.parametrize("text", ["{}", "no json", '{"at_s": "now"}'])
def test_a_file_that_is_no_state_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "world.json"
    assert read_state(path) is None
    path.write_text(text)
    with pytest.raises(ConfigError, match="is no state of a simulator"):
        read_state(path)
    with pytest.raises(ConfigError, match="its folder is not there"):
        read_state(tmp_path / "nowhere" / "world.json")


async def test_a_process_goes_on_where_the_last_one_ended(tmp_path: Path) -> None:
    instance, path = make_instance(tmp_path / "pilot"), tmp_path / "world.json"
    socket = instance / "run" / "sim.sock"
    told = []
    for turn in range(2):
        stop = asyncio.Event()
        task = asyncio.create_task(run_simulator(instance, stop=stop, state=path))
        await until_ready(instance, task)
        if turn == 0:
            question = {"do": "fault", "name": "local", "on": True, "target": "BESS01"}
            assert (await ask(socket, question, timeout_s=20))["ok"]
        await asyncio.sleep(0.3)
        told.append(await ask(socket, {"do": "status"}, timeout_s=20))
        stop.set()
        await asyncio.wait_for(task, 10)
    assert told[1]["tick"] > told[0]["tick"] > 0
    assert told[1]["faults"] == told[0]["faults"], "since when it is on goes on too"
    assert [(f["name"], f["target"]) for f in told[1]["faults"]] == [("local", "BESS01")]
    assert json.loads(path.read_text())["ticks"] >= told[1]["tick"]
