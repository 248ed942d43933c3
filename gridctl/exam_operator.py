"""The scripted operator of an exam: forecast and optimizer in process, on what the links tell."""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import dataclass
from datetime import date
from typing import Final

from gridctl.exam_question import STILL_KW, DeviceBooks, answer, question
from gridctl.exam_watch import RegulatorWatch
from gridctl.model.network import Feeder
from gridctl.model.nowcast import nowcast
from gridctl.model.planning import (
    Forecast,
    ForecastTask,
    Horizon,
    PlanningResult,
    ResourceState,
    Series,
    SolveStatus,
)
from gridctl.model.resource import Battery, Generator, LoadGroup, PvInverter, Resource
from optimizer.forecast import forecast
from optimizer.plan import network_of
from optimizer.regulated import RegulatedNetwork
from sim.history import history
from sim.plant import Reading
from sim.scenario import Scenario
from sim.step_field import StepField
from sim.world import World

log = logging.getLogger(__name__)

STEP_S: Final = 900.0
COUNT: Final = 24
QUANTILES: Final = (0.1, 0.5, 0.9)
LEASE_S: Final = 1_200.0
STALE_S: Final = 120.0
CONFIRM_S: Final = 60.0
TRUST_AGAIN_S: Final = 1_800.0
REFUSALS_ENOUGH: Final = 4
PLAN_AGAIN_S: Final = 180.0
"""While the head is above its limit a plan is not let stand for longer than this."""
DEADLINE_S: Final = 20.0
_TOLERANCE_KW: Final = 0.5
_EPOCH: Final = date(1970, 1, 1).toordinal()


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """The head's history before the scenario, mean of each interval, kW."""

    start_s: float
    head_kw: tuple[float, ...]


@dataclass(slots=True, kw_only=True)
class Sent:
    """What a device was told last, and what of it is known."""

    kw: float
    at_s: float
    taken: bool


class ScriptedOperator:
    """Plans at each interval and carries the plan out."""

    def __init__(self, story: Scenario, world: World, field: StepField, past: Past) -> None:
        self._story = story
        self._world = world
        self._field = field
        self._resources = world.fleet.resources()
        self._past_start_s = past.start_s
        self._base_kw: list[float | None] = list(past.head_kw)
        self._sum, self._count = 0.0, 0
        self._slot = self._slot_of(story.start_s)
        self._sent: dict[str, Sent] = {}
        self._distrusted_until_s: dict[str, float] = {}
        self._books = DeviceBooks(utc_offset_s=story.utc_offset_s)
        self._network: RegulatedNetwork | None = None
        self._planned_slot, self._planned_at_s = -1, 0.0
        self._watch = RegulatorWatch()
        self._held: frozenset[str] = frozenset()
        self.plans = 0
        self.idle: list[str] = []
        """Why there was no plan, in words, one entry each time."""

    @staticmethod
    def past(story: Scenario, feeder: Feeder) -> Past:
        """The weeks before; takes the process's power flow engine for a while."""
        table = history(feeder, story, end_s=story.start_s, days=story.history_days, step_s=STEP_S)
        return Past(start_s=table.start_s, head_kw=table.head_kw)

    def act(self, now_s: float) -> None:
        """Keep the books; at the start of an interval plan and send."""
        self._book(now_s)
        self._confirm(now_s)
        self._watch.look(self._world.grid.beyond_band_v(), now_s)
        slot, head = self._slot_of(now_s), self._known(self._world_head, now_s)
        is_over = head is not None and head > self._story.head_limit_kw
        if slot == self._planned_slot and not (
            is_over and now_s - self._planned_at_s >= PLAN_AGAIN_S
        ):
            return
        self._planned_slot, self._planned_at_s = slot, now_s
        if head is None:
            self.idle.append("the head is not known")
            return
        result = self._plan(now_s, head)
        if result is not None:
            self._carry_out(result, now_s)

    # ---- what is known -------------------------------------------------------------------------

    _world_head: Final = "FDR.TotW"

    def _known(self, point: str | None, now_s: float) -> float | None:
        reading = self._reading(point)
        if reading is None or not reading.good or now_s - reading.at_s > STALE_S:
            return None
        return reading.value

    def _reading(self, point: str | None) -> Reading | None:
        if point is None:
            return None
        try:
            return self._field.read(point)
        except KeyError:
            return None

    def _why_excluded(self, resource: Resource, now_s: float) -> str | None:
        if now_s < self._distrusted_until_s.get(resource.mrid, 0.0):
            return "did not do what it was told"
        points = resource.points
        for point in (points.feedback, points.power, points.available, points.soc):
            if point is not None and self._known(point, now_s) is None:
                return f"{point} is stale or not good"
        if points.remote is not None and self._known(points.remote, now_s) != 1.0:
            return "switched to local"
        if points.fault is not None and self._known(points.fault, now_s) != 0.0:
            return "reports a fault"
        return None

    def _state(self, resource: Resource, now_s: float) -> ResourceState:
        return self._books.state(
            resource,
            lambda point: self._known(point, now_s),
            now_s,
            excluded=self._why_excluded(resource, now_s),
        )

    # ---- books ---------------------------------------------------------------------------------

    def _slot_of(self, at_s: float) -> int:
        return int(at_s // STEP_S)

    def _book(self, now_s: float) -> None:
        """The head's mean without what we do, interval by interval; a gap where it is unknown."""
        slot = self._slot_of(now_s)
        while self._slot < slot:
            self._base_kw.append(self._sum / self._count if self._count else None)
            self._sum, self._count, self._slot = 0.0, 0, self._slot + 1
        head = self._known(self._world_head, now_s)
        if head is not None:
            self._sum += head + self._relief_kw(now_s)
            self._count += 1

    def _relief_kw(self, now_s: float) -> float:
        """By how much our devices lower the head now, from their own readings."""
        total = 0.0
        for resource in self._resources:
            told = self._known(resource.points.feedback, now_s) or 0.0
            power = self._known(resource.points.power, now_s) or 0.0
            match resource:
                case LoadGroup():
                    total += told
                case Battery() | Generator():
                    total += power
                case PvInverter():
                    available = self._known(resource.points.available, now_s) or power
                    total -= max(0.0, available - told)
        return total

    def _confirm(self, now_s: float) -> None:
        """Who does not show after a minute what it has been told is left alone for a while."""
        for resource in self._resources:
            sent = self._sent.get(resource.mrid)
            if sent is None or now_s - sent.at_s < CONFIRM_S or not sent.taken:
                continue
            shown = self._known(resource.points.feedback, now_s)
            fresh = now_s - sent.at_s < LEASE_S
            if fresh and shown is not None and abs(shown - sent.kw) > _TOLERANCE_KW:
                self._distrust(resource.mrid, now_s)
                sent.taken = False

    def _distrust(self, mrid: str, now_s: float) -> None:
        self._distrusted_until_s[mrid] = now_s + TRUST_AGAIN_S

    # ---- plan and act --------------------------------------------------------------------------

    def _plan(self, now_s: float, head_kw: float) -> PlanningResult | None:
        horizon = Horizon(start_s=self._slot_of(now_s) * STEP_S, step_s=STEP_S, count=COUNT)
        try:
            ahead = self._forecast(horizon)
            ahead = nowcast(ahead, head_kw + self._relief_kw(now_s))
        except ValueError as error:
            self.idle.append(f"no forecast: {error}")
            return None
        world, story, stuck = self._world, self._story, self._watch.stuck(now_s)
        if stuck != self._held:
            self._held, self._network = stuck, None
        task = question(
            world,
            story,
            states=tuple(self._state(r, now_s) for r in self._resources),
            ahead=ahead,
            head_kw=head_kw,
            now_s=now_s,
            deadline_s=DEADLINE_S,
            stuck=stuck,
        )
        self._network = network_of(task, models_of=self._network)
        result = answer(task, self._network)
        self.plans += 1
        usable = result.status in (SolveStatus.OPTIMAL, SolveStatus.FEASIBLE)
        check = result.verification
        if usable and check is not None and not check.ok:
            self.idle.append(f"the AC check says no: {check.reasons[:1]}")
            return None
        return result

    def _forecast(self, horizon: Horizon) -> Forecast:
        begin_s = self._past_start_s
        weather = self._world.weather
        count = len(self._base_kw)
        return forecast(
            ForecastTask(
                history=Series(start_s=begin_s, step_s=STEP_S, values=tuple(self._base_kw)),
                temperature_c=Series(
                    start_s=begin_s,
                    step_s=STEP_S,
                    values=tuple(
                        weather.temperature_c(begin_s + (i + 0.5) * STEP_S)
                        for i in range(count + COUNT)
                    ),
                ),
                horizon=horizon,
                quantiles=QUANTILES,
                utc_offset_s=self._story.utc_offset_s,
                holidays=tuple(day.toordinal() - _EPOCH for day in self._story.holidays),
            )
        )

    def _carry_out(self, result: PlanningResult, now_s: float) -> None:
        wanted = {s.resource: s.kw for s in result.setpoints if s.interval == 0}
        refusals: Counter[type[Resource]] = Counter()
        for resource in self._resources:
            if self._why_excluded(resource, now_s) is not None:
                continue
            default = resource.rating_kw if isinstance(resource, PvInverter) else 0.0
            kw = wanted.get(resource.mrid, default)
            last = self._sent.get(resource.mrid)
            idle = last is None or abs(last.kw - default) <= STILL_KW
            if idle and abs(kw - default) <= STILL_KW:
                continue
            if refusals[type(resource)] >= REFUSALS_ENOUGH:
                continue
            self._send(resource, kw, now_s)
            refusals[type(resource)] += not self._sent[resource.mrid].taken
        for resource in self._resources:
            # Where several of a kind have said no, the others behind the same station will.
            if refusals[type(resource)] >= REFUSALS_ENOUGH:
                self._distrust(resource.mrid, now_s)

    def _send(self, resource: Resource, kw: float, now_s: float) -> None:
        mrid = resource.mrid
        taken = self._field.command(resource.points.setpoint, kw, lease_s=LEASE_S)
        self._sent[mrid] = Sent(kw=kw, at_s=now_s, taken=taken)
        if not taken:
            self._distrust(mrid, now_s)
            return
        self._books.told(resource, kw, now_s)
