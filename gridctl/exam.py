"""`gridctl sim exam`: a scenario run stepped, as fast as the machine can, and judged.

The scripted operator is the real forecast and the real optimizer in this process, with the office's
rules in short: it plans on what the links tell, leaves out what is stale, bad, local or faulty, and
does not plan at all while the head is not known. Left out are approval (a plan is carried out as
soon as it is verified), the wire (no socket is opened) and the settlement. With `office` as the
operator none of these is left out (`gridctl.exam_served`), and it takes its time.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, Protocol

from gridctl.exam_operator import ScriptedOperator
from gridctl.exam_served import run_served
from gridctl.model.clock import ManualClock
from gridctl.model.errors import ConfigError, UnavailableError
from sim.fleet import load_fleet
from sim.judge import Moment, Witness, judge
from sim.recording import Recording, check_recordable, recording
from sim.scenario import Scenario, load_scenario, scenario_feeder
from sim.step_field import StepField, links_of
from sim.timeline import Timeline
from sim.world import World

OPERATORS: Final = ("nobody", "scripted", "office")
SERVED_RATE: Final = 30.0


class Operator(Protocol):
    """Who acts in a stepped run."""

    def act(self, now_s: float) -> None:
        """Look at the field and do what is to be done at `now_s`."""
        ...


class Nobody:
    """Watches."""

    def act(self, now_s: float) -> None:  # noqa: ARG002 - nothing moves this one
        return


def examined(
    scenario: str,
    *,
    operator: str,
    recording: Path | None = None,
    record: Path | None = None,
    rate: float = SERVED_RATE,
) -> dict[str, Any]:
    """Run and judge `scenario`, or judge a recorded run of it (of `operator`).

    Raises ConfigError for an unknown scenario or operator, for a scenario that nobody can judge,
    and for a recording that is none.
    """
    story = load_scenario(scenario)
    if story.exam is None:
        raise ConfigError(
            "has no [exam]: nobody can pass or fail it", file=f"{story.name}.toml", key="exam"
        )
    if record is not None:
        if recording is not None:
            raise ConfigError(
                "a run that is recorded already is not written down again",
                file=str(recording),
                hint="leave --record out",
            )
        check_recordable(record)
    if recording is not None:
        who, moments, real_s = f"recorded in {recording}", list(Recording(recording).moments()), 0.0
    else:
        if operator not in OPERATORS:
            raise ConfigError(
                f"there is no operator {operator!r}",
                file="gridctl sim exam",
                key="--operator",
                hint=", ".join(OPERATORS[:-1]) + f" or {OPERATORS[-1]}",
            )
        began_s = time.monotonic()
        if operator == "office":
            run = run_served(story, scenario, rate=rate, record=record)
        else:
            run = run_stepped(story, operator, record)
        who, moments = operator, asyncio.run(run)
        real_s = time.monotonic() - began_s
    try:
        score = judge(moments, story, heeds=operator == "office")
    except ValueError as error:
        raise ConfigError(str(error), file=str(recording or scenario)) from None
    return {
        "scenario": story.name,
        "title": story.title,
        "good_operator": story.exam.good_operator,
        "operator": who,
        "score": score.as_json(),
        "real_s": round(real_s, 2),
    }


async def run_stepped(story: Scenario, operator: str, record: Path | None = None) -> list[Moment]:
    """Every tick of a run of `story.exam.hours`, with its faults, under `operator`."""
    if story.exam is None:
        raise ValueError(f"{story.name} has no exam")
    feeder = scenario_feeder(story)
    fleet = load_fleet(feeder, story.fleet)
    acting: Operator = Nobody()
    clock = ManualClock(grid_s=story.start_s)
    scripted = operator == "scripted"
    # The history takes this process's only power flow engine, so it comes before the world.
    past = ScriptedOperator.past(story, feeder) if scripted else None
    links = links_of(fleet)
    world = World(feeder=feeder, fleet=fleet, scenario=story, clock=clock, links=links)
    field = StepField(world, links)
    if past is not None:
        acting = ScriptedOperator(story, world, field, past)
    timeline, witness = Timeline(story.events), Witness(world)
    if unfit := timeline.unfit(field.board):
        # Passed over, the exam would be of another story.
        raise ConfigError("; ".join(unfit), file=f"{story.name}.toml", key="event")
    moments = []
    with contextlib.ExitStack() as stack:
        recorder = stack.enter_context(recording(record, world)) if record is not None else None
        for _ in range(round(story.exam.hours * 3600.0 / story.exam.step_s)):
            now_s = clock.now_s()
            await timeline.play(now_s, field.board)
            field.look()
            acting.act(now_s)
            clock.advance(story.exam.step_s)
            with contextlib.suppress(UnavailableError):  # the moment says that it diverged
                world.tick(clock.now_s())
            moment = witness.moment()
            moments.append(
                replace(
                    moment,
                    commands=moment.commands + field.commands,
                    wasted=moment.wasted + field.refused,
                )
            )
            if recorder is not None:
                recorder.take(world)
    return moments
