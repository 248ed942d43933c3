"""A world with every kind of device, on a clock that tests move."""

from __future__ import annotations

from gridctl.model.clock import ManualClock
from sim.fleet import load_fleet
from sim.scenario import load_scenario, scenario_feeder
from sim.step_field import links_of
from sim.world import World


class Lively:
    """The evening of the new charging points, `hours` after it begins."""

    def __init__(self, *, start_s: float | None = None) -> None:
        self.story = load_scenario("ev-evening")
        self.clock = ManualClock(grid_s=self.story.start_s if start_s is None else start_s)
        feeder = scenario_feeder(self.story)
        fleet = load_fleet(feeder, self.story.fleet)
        self.world = World(
            feeder=feeder,
            fleet=fleet,
            scenario=self.story,
            clock=self.clock,
            links=links_of(fleet),
        )

    def run(self, ticks: int, step_s: float = 30.0) -> None:
        for _ in range(ticks):
            self.clock.advance(step_s)
            self.world.tick(self.clock.now_s())
