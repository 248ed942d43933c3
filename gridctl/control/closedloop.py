"""Closed loop at work: which plans stand by an envelope, and what ends it by itself (SG-37).

Plans inside the envelopes of all their areas are approved by those who promoted the areas; every
other plan waits for people as before. Whatever makes people look, a flood, doubtful data, two
commands that cannot be verified, makes the area advisory again, at once and with an alarm.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from gridctl.control.alarms import AlarmBook, Condition
from gridctl.control.approvals import Approvals
from gridctl.control.modes import AreaModes
from gridctl.control.planrecord import OpenPlan
from gridctl.model.approval import Standing
from gridctl.model.clock import Clock
from gridctl.model.envelope import RAMP_WINDOW_S, SMALLEST_KW, Present, Promotion, outside
from gridctl.model.limits import LimitSet
from gridctl.model.link import LeaseInfo
from gridctl.model.plan import Plan, PlanState
from gridctl.model.resource import Resource


class Envelopes:
    """What the envelopes say to a plan. `leases`: what the field holds by point; `moved_kw`: of an
    area within so many grid seconds."""

    def __init__(
        self,
        *,
        clock: Clock,
        modes: AreaModes,
        resources: Sequence[Resource],
        limits: LimitSet,
        leases: Callable[[], Mapping[str, LeaseInfo]],
        moved_kw: Callable[[str, float], float],
    ) -> None:
        self._clock = clock
        self._modes = modes
        self._leases = leases
        self._moved_kw = moved_kw
        default = {d.point: d.default_value for d in limits.devices}
        self._area_of_point = {d.point: d.area for d in limits.devices}
        self._names = {r.points.setpoint: r.mrid for r in resources}
        self._areas = {r.mrid: r.area for r in resources}
        self._default_kw = {
            r.mrid: default[r.points.setpoint] for r in resources if r.points.setpoint in default
        }

    def inside(self, chosen: OpenPlan) -> Standing:
        """Whether `chosen` stands by the promotions of its areas."""
        plan, closed = chosen.plan, self._modes.closed
        areas = self._areas_of(plan)
        people = tuple(
            f"area {area} is {self._modes.of(area).mode} (SG-37)"
            for area in sorted(areas - closed.keys())
        )
        promotions = tuple(closed[area] for area in sorted(areas & closed.keys()))
        if not promotions:
            return Standing(promotions=(), reasons=people or ("it moves nothing",))
        reasons = [*people]
        for promotion in promotions:
            reasons += self._modes.over(promotion)
            reasons += outside(plan, promotion, self._present(promotion.envelope.area))
        return Standing(promotions=promotions, reasons=tuple(dict.fromkeys(reasons)))

    def _areas_of(self, plan: Plan) -> set[str]:
        """Of all that it moves, and of all that is held and would be moved back."""
        areas = {
            self._areas.get(s.resource, "")
            for s in plan.result.setpoints
            if s.kvar != 0
            or abs(s.kw - self._default_kw.get(s.resource, float("inf"))) > SMALLEST_KW
        }
        return areas | {self._area_of_point.get(point, "") for point in self._leases()}

    def _present(self, area: str) -> Present:
        return Present(
            now_s=self._clock.now_s(),
            held={
                self._names.get(point, point): lease.value
                for point, lease in self._leases().items()
                if self._area_of_point.get(point) == area
            },
            default_kw={n: kw for n, kw in self._default_kw.items() if self._areas[n] == area},
            spent_kw=self._moved_kw(area, RAMP_WINDOW_S),
        )


class ClosedLoop:
    """`step` twice a second. `halt`: ends the plan that is carried out; `active`: which one;
    `triggers`: why an area may not go on by its promotion."""

    def __init__(
        self,
        *,
        modes: AreaModes,
        approvals: Approvals,
        alarms: AlarmBook,
        active: Callable[[], OpenPlan | None],
        halt: Callable[[PlanState, str], None],
        triggers: Callable[[Promotion], Iterable[str]],
    ) -> None:
        self._modes = modes
        self._approvals = approvals
        self._alarms = alarms
        self._active = active
        self._halt = halt
        self._triggers = triggers
        self.left_to_people: dict[str, tuple[str, ...]] = {}
        """Why plans that wait are not inside their envelopes, by plan."""

    async def step(self) -> None:
        """End what must end, then let stand what may. Raises UnavailableError."""
        await self._modes.write_demotions()
        ends = {
            area: "; ".join(reasons)
            for area, promotion in self._modes.closed.items()
            if (reasons := [*self._modes.over(promotion), *self._triggers(promotion)])
        }
        await self._end(ends)
        waiting = list(self._approvals.open) if self._modes.closed else []
        self.left_to_people = {m: r for m, r in self.left_to_people.items() if m in waiting}
        for mrid in waiting:
            reasons_for_people = await self._approvals.stand(mrid)
            if reasons_for_people:
                self.left_to_people[mrid] = reasons_for_people

    async def end_all(self, why: str) -> None:
        """Every area: a new shift promotes anew, a new office too."""
        await self._end(dict.fromkeys(self._modes.closed, why))

    async def _end(self, ends: Mapping[str, str]) -> None:
        """Areas are advisory at once, and why; all of them, before the first is written down.
        Somebody must see it."""
        ended = [area for area, why in ends.items() if self._modes.demote(area, why)]
        if ended:
            await self._modes.write_demotions()
        for area in ended:
            condition = Condition(
                key=f"demoted.{area}",
                priority=2,
                text=f"area {area} is no longer in closed loop: {ends[area]}",
                response="decide on its plans yourself; what it holds runs out with its leases; "
                "mend the cause before anybody asks for closed loop again",
            )
            # Over at once, so that it stays on the list until somebody has seen it.
            await self._alarms.raised(condition)
            await self._alarms.cleared(condition.key)

    def mode_changed(self, area: str) -> None:
        """What is carried out by a promotion of `area` that is no more ends now."""
        active = self._active()
        if active is None:
            return
        for promotion in active.standing:
            ended = self._modes.over(promotion) if promotion.envelope.area == area else ()
            if ended:
                self._halt(PlanState.STOPPED, "; ".join(ended))
