"""What is asked of the mind where the simulated world stands in for a plant: an exam's scripted
operator and the benchmark of what planning is worth ask in the same way.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from gridctl.model.planning import (
    Forecast,
    NetworkLimits,
    NetworkState,
    PlanningResult,
    PlanningTask,
    ResourceState,
)
from gridctl.model.policy import Existing, Policy
from gridctl.model.resource import Generator, LoadGroup, PvInverter, Resource
from optimizer.plan import plan_task
from optimizer.regulated import RegulatedNetwork
from sim.scenario import Scenario
from sim.world import World

DAY_S: Final = 86_400.0
QUANTILE: Final = 0.9
STILL_KW: Final = 1e-3
"""A device that is told less than this is not called."""


class DeviceBooks:
    """What the rules of devices need of the past: since when each is called, when it was given
    back, how often it was started each day of `utc_offset_s`."""

    def __init__(self, *, utc_offset_s: float) -> None:
        self._utc_offset_s = utc_offset_s
        self._starts: dict[tuple[str, int], int] = {}
        self.since_s: dict[str, float] = {}
        self.released_s: dict[str, float] = {}
        self.calls = 0

    def told(self, resource: Resource, kw: float, at_s: float) -> None:
        """A device was told a setpoint, and has taken it."""
        mrid = resource.mrid
        if not isinstance(resource, LoadGroup | Generator):
            return
        if kw > STILL_KW and mrid not in self.since_s:
            self.since_s[mrid] = at_s
            key = mrid, self._day(at_s)
            self._starts[key] = self._starts.get(key, 0) + 1
            self.calls += 1
        elif kw <= STILL_KW and mrid in self.since_s:
            del self.since_s[mrid]
            self.released_s[mrid] = at_s

    def starts_today(self, mrid: str, at_s: float) -> int:
        """How often it was called on the day of `at_s`."""
        return self._starts.get((mrid, self._day(at_s)), 0)

    def state(
        self,
        resource: Resource,
        read: Callable[[str | None], float | None],
        at_s: float,
        *,
        excluded: str | None = None,
    ) -> ResourceState:
        """The state of a device. `read`: the value of a point, None for none and for one that
        cannot be believed; `excluded`: why it may not be used."""
        points = resource.points
        power_kw = read(points.power) or 0.0
        available_kw = resource.rating_kw
        if points.available is not None:
            available_kw = read(points.available) or 0.0
        elif isinstance(resource, PvInverter):
            available_kw = power_kw
        return ResourceState(
            resource=resource.mrid,
            available_kw=available_kw,
            power_kw=power_kw,
            setpoint_kw=read(points.feedback) or 0.0,
            soc_pct=read(points.soc),
            excluded=excluded,
            starts_today=self.starts_today(resource.mrid, at_s),
            active_since_s=self.since_s.get(resource.mrid),
            released_at_s=self.released_s.get(resource.mrid),
        )

    def _day(self, at_s: float) -> int:
        return int((at_s + self._utc_offset_s) // DAY_S)


def question(
    world: World,
    story: Scenario,
    *,
    states: tuple[ResourceState, ...],
    ahead: Forecast,
    head_kw: float,
    now_s: float,
    deadline_s: float,
    stuck: frozenset[str] = frozenset(),
) -> PlanningTask:
    """The planning task of `now_s`: the world's feeder as its controls stand, the story's limits.
    `stuck`: regulators whose tap changers do not move."""
    return PlanningTask(
        feeder=world.feeder,
        # With a tap changer that does not help, voltage is the loads' to mend.
        policy=Policy(existing_voltage=Existing.HARD) if stuck else Policy(),
        resources=world.fleet.resources(),
        states=states,
        network=NetworkState(
            head_kw=head_kw,
            head_kvar=0.0,
            taps=dict(world.grid.taps()),
            closed_capacitors=tuple(
                c.mrid for c in world.feeder.capacitors if world.grid.closed(c.mrid)
            ),
            open_switches=tuple(s.mrid for s in world.feeder.switches if s.is_open),
            voltages_pu={},
            held_regulators=tuple(sorted(stuck)),
        ),
        limits=NetworkLimits(
            head_import_kw=story.head_limit_kw,
            voltage_min_pu=story.voltage_min_pu,
            voltage_max_pu=story.voltage_max_pu,
            loading_max_pct=story.loading_max_pct,
        ),
        forecast=ahead,
        quantile=QUANTILE,
        requests=(),
        horizon=ahead.horizon,
        now_s=now_s,
        utc_offset_s=story.utc_offset_s,
        deadline_s=deadline_s,
    )


def answer(task: PlanningTask, network: RegulatedNetwork) -> PlanningResult:
    """The plan by a clock that counts calls: the same run takes the same decisions on every
    machine."""
    calls = iter(range(10**9))
    return plan_task(task, monotonic_s=lambda: 1e-3 * next(calls), network=network)
