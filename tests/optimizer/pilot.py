"""The pilot's hot afternoon as planning tasks: what the office would ask the mind.

States, taps and the true import come from the simulated world of the scenario, run ahead of time;
the forecast is that truth (median) with a band of 3 %.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np

from gridctl.model.clock import ManualClock
from gridctl.model.network import Feeder
from gridctl.model.planning import (
    Forecast,
    Horizon,
    NetworkLimits,
    NetworkState,
    PlanningTask,
    ResourceState,
)
from gridctl.model.program import DispatchRequest
from gridctl.model.resource import LoadGroup, PvInverter, Resource
from sim.fleet import load_fleet
from sim.scenario import Scenario, load_scenario, scenario_feeder
from sim.world import World

STEP_S = 900.0
TICK_S = 150.0
LONGEST = 96


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Afternoon:
    """What the world shows at the scenario's start, and the import that is to come, kW (96,)."""

    scenario: Scenario
    feeder: Feeder
    resources: tuple[Resource, ...]
    states: tuple[ResourceState, ...]
    taps: Mapping[str, tuple[int, ...]]
    closed: tuple[str, ...]
    voltages_pu: Mapping[str, float]
    now_s: float
    horizon_start_s: float
    head_kw: np.ndarray


HOT = "hot-afternoon"


@cache
def afternoon(story: str = HOT) -> Afternoon:
    """Run the scenario for a day without control (about a second)."""
    scenario = load_scenario(story)
    feeder = scenario_feeder(scenario)
    fleet = load_fleet(feeder, scenario.fleet)
    clock = ManualClock(grid_s=scenario.start_s)
    world = World(feeder=feeder, fleet=fleet, scenario=scenario, clock=clock, links={})
    resources = fleet.resources()
    states = tuple(_state(world, r) for r in resources)
    taps = dict(world.grid.taps())
    closed = tuple(c.mrid for c in feeder.capacitors if world.grid.closed(c.mrid))
    voltages = {
        f"{n.mrid}.{p}": world.grid.voltage_pu(n.mrid, p) for n in feeder.nodes for p in n.phases
    }
    begin_s = scenario.start_s // STEP_S * STEP_S
    sums, counts = np.zeros(LONGEST), np.zeros(LONGEST)
    while (k := int((clock.now_s() - begin_s) // STEP_S)) < LONGEST:
        sums[k] += world.read("FDR.TotW").value
        counts[k] += 1
        clock.advance(TICK_S)
        world.tick(clock.now_s())
    return Afternoon(
        scenario=scenario,
        feeder=feeder,
        resources=resources,
        states=states,
        taps=taps,
        closed=closed,
        voltages_pu=voltages,
        now_s=scenario.start_s + 60.0,
        horizon_start_s=begin_s,
        head_kw=sums / counts,
    )


def _state(world: World, resource: Resource) -> ResourceState:
    points = resource.points
    read = {p: world.read(p).value for p in (points.setpoint, points.power)}
    available = (
        resource.rating_kw if points.available is None else world.read(points.available).value
    )
    soc = None if points.soc is None else world.read(points.soc).value
    power = read[points.power]
    if isinstance(resource, LoadGroup | PvInverter) and points.available is None:
        available = power
    return ResourceState(
        resource=resource.mrid,
        available_kw=available,
        power_kw=power,
        setpoint_kw=world.read(points.feedback).value,
        soc_pct=soc,
        excluded=None,
    )


def pilot_task(
    *,
    count: int = 24,
    requests: tuple[DispatchRequest, ...] = (),
    limit_kw: float | None = None,
    scale: float = 1.0,
    story: str = HOT,
) -> PlanningTask:
    """The task at the scenario's start; `scale` multiplies the forecast."""
    seen = afternoon(story)
    horizon = Horizon(start_s=seen.horizon_start_s, step_s=STEP_S, count=count)
    p50 = scale * seen.head_kw[:count]
    scenario = seen.scenario
    return PlanningTask(
        feeder=seen.feeder,
        resources=seen.resources,
        states=seen.states,
        network=NetworkState(
            head_kw=float(seen.head_kw[0]),
            head_kvar=0.0,
            taps=dict(seen.taps),
            closed_capacitors=seen.closed,
            open_switches=tuple(s.mrid for s in seen.feeder.switches if s.is_open),
            voltages_pu=dict(seen.voltages_pu),
        ),
        limits=NetworkLimits(
            head_import_kw=scenario.head_limit_kw if limit_kw is None else limit_kw,
            voltage_min_pu=scenario.voltage_min_pu,
            voltage_max_pu=scenario.voltage_max_pu,
            loading_max_pct=scenario.loading_max_pct,
        ),
        forecast=Forecast(
            horizon=horizon,
            quantiles=(0.1, 0.5, 0.9),
            values_kw=tuple(tuple(float(v) for v in f * p50) for f in (0.97, 1.0, 1.03)),
            method="the simulated world, run ahead",
            history_days=35.0,
            nmae_pct=3.0,
        ),
        quantile=0.9,
        requests=requests,
        horizon=horizon,
        now_s=seen.now_s,
        utc_offset_s=scenario.utc_offset_s,
        deadline_s=20.0,
    )
