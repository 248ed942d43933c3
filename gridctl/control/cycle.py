"""The nine verbs in order, on one page.

observe → forecast → optimize → verify → propose → approve → dispatch → confirm → settle

A step takes the plant as it is now as far as it can go. Where it ends before a proposal, it says
why: "no plan" is a visible state with a reason, never a silent one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from gridctl.control.activity import Activity
from gridctl.control.approvals import Approvals
from gridctl.control.dispatcher import Dispatcher
from gridctl.control.foresight import Foresight
from gridctl.control.held import Holding
from gridctl.control.heldregulators import (
    HeldRegulators,
)
from gridctl.control.interlock import Situation, blocked, moved_on
from gridctl.control.modes import AreaModes
from gridctl.control.participation import Participation
from gridctl.control.planrecord import OpenPlan
from gridctl.control.ports import CycleView, Planner, Store
from gridctl.control.proposals import (
    NOTHING_NEEDED,
    WAITING_REQUESTS,
    NoPlan,
    drafted,
    no_plan,
)
from gridctl.control.question import Question
from gridctl.control.resources import (
    Known,
    given_now,
    measured_pu,
)
from gridctl.control.revision import Outlook, outrun, overdone, sagging, takes_less
from gridctl.control.settings import OfficeSettings
from gridctl.control.shadowplans import ShadowPlans
from gridctl.control.weather import WeatherDesk
from gridctl.model.clock import Clock
from gridctl.model.errors import UnavailableError
from gridctl.model.inputs import InputPart
from gridctl.model.measurement import Snapshot
from gridctl.model.plan import Plan, PlanState
from gridctl.model.planning import (
    Forecast,
    Horizon,
    PlanningResult,
    PlanningTask,
)
from gridctl.model.program import DispatchRequest, RequestState


class Cycle:
    """One step after another; the office calls `step` each `cycle_s` real seconds."""

    def __init__(
        self,
        *,
        settings: OfficeSettings,
        store: Store,
        planner: Planner,
        clock: Clock,
        approvals: Approvals,
        dispatcher: Dispatcher,
        activity: Activity,
        situation: Callable[[], Situation],
        known: Callable[[], Known],
        modes: AreaModes,
        participation: Participation,
        weather: WeatherDesk,
    ) -> None:
        self._settings = settings
        self._store = store
        self._planner = planner
        self._clock = clock
        self._approvals = approvals
        self._dispatcher = dispatcher
        self._activity = activity
        self._situation = situation
        self._known = known
        self._modes = modes
        self._holding = Holding(approvals=approvals, dispatcher=dispatcher)
        self._participation = participation
        self._foresight = Foresight(
            settings=settings, store=store, planner=planner, weather=weather, dispatcher=dispatcher
        )
        self._question = Question(
            settings=settings,
            planner=planner,
            dispatcher=dispatcher,
            activity=activity,
            participation=participation,
            foresight=self._foresight,
        )
        self._shadow = ShadowPlans(
            store=store,
            clock=clock,
            modes=modes,
            situation=situation,
            known=known,
            foresight=self._foresight,
            question=self._question,
            draft=self._drafted,
        )
        self._withdrawn: set[str] = set()
        self._one_at_a_time = asyncio.Lock()
        self._rejected_until_mono_s = 0.0
        self._rejected_requests: frozenset[str] = frozenset()
        self.view: CycleView | None = None
        self.proposed: OpenPlan | None = None
        self._overdone: str | None = None
        """Why the active plan does more than is needed, as of this step."""
        self._held = HeldRegulators()
        self._loosened_s: float | None = None
        """Start of the interval in which that was last so."""
        self.is_held_up = False
        """The last step lacked what may come any moment: the field, or anybody who may be used."""

    async def step(self, now_s: float, *, asked: bool = False) -> CycleView:
        """One pass. `asked`: a person wants it, so a recent rejection does not hold it back."""
        async with self._one_at_a_time:
            self.proposed = None
            self.is_held_up = False
            try:
                await self._participation.load()
                known = self._observe()
                outlook = await self._foresight.look(now_s, head_kw=self._head_kw(known))
                requests, instead = await self._wanted(outlook.forecast, asked=asked)
                read_s = self._read_s(outlook.forecast.horizon, now_s)
                task = self._question.of(known, outlook, requests, read_s)
                task, result = await self._question.ask(task)
                self.is_held_up = 0 < len(task.resources) <= len(result.excluded)
                self._let_go(result)
                self._verify(result)
                self.proposed = await self._propose(task, result, known.snapshot, outlook)
                status = str(result.status)
                reason = f"plan {self.proposed.plan.mrid} is proposed{instead}"
            except NoPlan as end:
                status, reason = end.status, end.reason
                self.is_held_up |= status == "blocked"
            except UnavailableError as error:
                status, reason = "unavailable", str(error)
            await self._shadow.look(now_s)
            # approve: people, at the desk. dispatch and confirm: the dispatcher, when they have.
            # settle: the agenda, when a request is over.
            held = self._holding.after(status, reason, now_s)
            self.view = CycleView(at_s=now_s, status=status, reason=reason, held=held)
            return self.view

    def _read_s(self, horizon: Horizon, now_s: float) -> float:
        """When the requests were read, which is when the plan is made of them: a forecast takes a
        while, and what arrives in it is in this plan. Within the first interval."""
        return max(now_s, min(self._clock.now_s(), horizon.start_s + horizon.step_s - 1.0))

    async def question(self, now_s: float) -> PlanningTask:
        """What the mind would be asked now, whether or not a plan is under way: for whoever splits
        a limit over several feeders. Raises UnavailableError with the reason where there is none.
        """
        async with self._one_at_a_time:
            try:
                await self._participation.load()
                known = self._observe()
                outlook = await self._foresight.look(now_s, head_kw=self._head_kw(known))
                horizon = outlook.forecast.horizon
                end_s = horizon.start_s + horizon.step_s * horizon.count
                waiting = await self._store.requests(states=WAITING_REQUESTS)
                requests = tuple(r for r in waiting if r.start_s < end_s and r.end_s > now_s)
                return self._question.of(known, outlook, requests, now_s)
            except NoPlan as end:
                raise UnavailableError(end.reason) from None

    def rejected(self, requests: tuple[str, ...]) -> None:
        """A person has said no: the same question is not asked again for the life of a plan."""
        life_s = self._settings.approval.plan_life_s
        self._rejected_until_mono_s = self._clock.monotonic_s() + life_s
        self._rejected_requests = frozenset(requests)

    def withdrawn(self, requests: Sequence[str]) -> None:
        """Nobody wants these any more: a plan that answers them is not simply carried on."""
        self._withdrawn |= set(requests)

    def _observe(self) -> Known:
        reasons = blocked(self._situation())
        if reasons:
            raise NoPlan(status="blocked", reason="; ".join(reasons))
        known, delivery = self._known(), self._dispatcher.delivery
        if self._dispatcher.is_settled:
            given = given_now(delivery.watched, known.snapshot)
            delivery.look(given, now_s=self._clock.now_s())
        return known

    @property
    def forecast(self) -> Forecast | None:
        """Import at the head without control, as last forecast."""
        outlook = self._foresight.outlook
        return None if outlook is None else outlook.forecast

    def _head_kw(self, known: Known) -> float | None:
        head = known.snapshot.good(self._settings.head_point)
        return None if head is None else head.value

    async def _wanted(
        self, ahead: Forecast, *, asked: bool
    ) -> tuple[tuple[DispatchRequest, ...], str]:
        """What customers ask for in this horizon, and in place of which plan, in words; ends the
        step when a plan answers it already and still holds the limit."""
        horizon, instead, self._overdone = ahead.horizon, "", None
        end_s = horizon.start_s + horizon.step_s * horizon.count
        requests = tuple(
            r
            for r in await self._store.requests(states=WAITING_REQUESTS)
            if r.start_s < end_s and r.end_s > self._clock.now_s()
        )
        names = frozenset(r.mrid for r in requests)
        await self._void_what_moved_on(requests)
        for chosen in self._approvals.open.values():
            raise NoPlan(status="waiting", reason=f"plan {chosen.plan.mrid} waits: {chosen.state}")
        active = self._dispatcher.active
        if active is not None and self._still_answers(active.plan, requests):
            why = self._outrun(active.plan, ahead, requests)
            if why is None:
                why = self._overdone = self._too_much(active.plan, ahead)
            if why is None:
                raise NoPlan(status="active", reason=f"plan {active.plan.mrid} is carried out")
            instead = f": {why}"
        held_back = self._clock.monotonic_s() < self._rejected_until_mono_s
        if held_back and not asked and names == self._rejected_requests:
            raise NoPlan(status="rejected", reason="the last plan was rejected a moment ago")
        return requests, instead

    def _outrun(
        self, plan: Plan, ahead: Forecast, requests: tuple[DispatchRequest, ...]
    ) -> str | None:
        """Why the active `plan` does not hold the limit any more; None also as long as its devices
        have not settled, because then nobody can tell."""
        known = self._known()
        for why in self._held.newly(plan.mrid, known.still_regulators):
            return why
        head_kw = self._head_kw(known)
        if head_kw is None or not self._dispatcher.is_settled:
            return None
        settings, now_s = self._settings, self._clock.now_s()
        return outrun(
            plan,
            ahead,
            quantile=settings.planning.quantile,
            limit_kw=settings.head_limit_kw,
            head_kw=head_kw,
            now_s=now_s,
            utc_offset_s=settings.utc_offset_s,
            requests=requests,
        ) or sagging(
            plan,
            ahead,
            quantile=settings.planning.quantile,
            now_s=now_s,
            utc_offset_s=settings.utc_offset_s,
            held=known.still_regulators,
            voltages_pu=measured_pu(settings.feeder, known) if known.still_regulators else {},
            voltage_min_pu=settings.voltage_min_pu,
            voltage_max_pu=settings.voltage_max_pu,
        )

    def _too_much(self, plan: Plan, ahead: Forecast) -> str | None:
        """Why the active `plan` does much more than is needed; None until its devices have
        settled, once it was told in this interval, and where it is the voltage's (ADR 0047)."""
        start_s = ahead.horizon.start_s
        if not self._dispatcher.is_settled or start_s == self._loosened_s:
            return None
        if self._known().still_regulators:
            return None
        why = overdone(
            plan,
            ahead,
            quantile=self._settings.planning.quantile,
            limit_kw=self._settings.head_limit_kw,
            now_s=self._clock.now_s(),
        )
        if why is not None:
            self._loosened_s = start_s
        return why

    def _let_go(self, result: PlanningResult) -> None:
        """A plan that does more than is needed ends where nothing is needed: what it holds returns
        with its leases. Ends the step where a new plan would do no less."""
        active, refusal = self._dispatcher.active, no_plan(result)
        if self._overdone is None or active is None:
            return
        if refusal is not None and refusal.code in NOTHING_NEEDED:
            self._dispatcher.halt(PlanState.COMPLETED, f"not needed any more: {self._overdone}")
        elif refusal is None and not takes_less(
            result,
            active.plan,
            limit_kw=self._settings.head_limit_kw,
            now_s=self._clock.now_s(),
        ):
            reason = f"plan {active.plan.mrid} is carried out; a new one would do no less"
            raise NoPlan(status="active", reason=reason)

    def _still_answers(self, plan: Plan, requests: tuple[DispatchRequest, ...]) -> bool:
        """Whether the active `plan` is what is wanted. One that answers nothing any more, and that
        the feeder does not need for itself, ends: what it holds returns with its leases."""
        answered, names = frozenset(plan.requests), frozenset(r.mrid for r in requests)
        if answered & self._withdrawn:
            needed = max(plan.result.head_before_kw, default=0.0) > self._settings.head_limit_kw
            if not answered & names and not needed:
                reason = "every dispatch that it answers was withdrawn"
                self._dispatcher.halt(PlanState.COMPLETED, reason)
            return False
        changed = any(r.received_s > plan.created_s for r in requests)
        return names <= answered and not changed and not self._participation.broken(plan)

    async def _void_what_moved_on(self, wanted: tuple[DispatchRequest, ...]) -> None:
        """Open plans whose basis is gone (SG-14) do not wait any longer."""
        requests = frozenset(r.mrid for r in wanted)
        for mrid, chosen in list(self._approvals.open.items()):
            reasons = [
                *moved_on(chosen.plan, self._situation()),
                *self._dispatcher.gate.drifted(chosen),
                *self._held_back(chosen.plan),
                *self._held.newly(chosen.plan.mrid, self._known().still_regulators),
                *self._participation.broken(chosen.plan),
            ]
            changed = any(r.received_s > chosen.plan.created_s for r in wanted)
            if chosen.state.is_open and (changed or frozenset(chosen.plan.requests) != requests):
                reasons.append("the requests have changed since the plan was made")
            if reasons:
                await self._approvals.void(mrid, "; ".join(reasons))

    def _held_back(self, plan: Plan) -> tuple[str, ...]:
        """Areas of the plan that may not be commanded any more (SG-37)."""
        why = self._modes.not_commanded()
        used = {setpoint.resource for setpoint in plan.result.setpoints}
        areas = {r.area for r in self._settings.resources if r.mrid in used}
        return tuple(why[area] for area in sorted(areas & why.keys()))

    def _verify(self, result: PlanningResult) -> None:
        """The mind checks its plan by AC power flow; without that check it is not believed."""
        refusal = no_plan(result)
        if refusal is not None:
            raise NoPlan(status=refusal.code, reason="; ".join(refusal.reasons))

    async def _drafted(
        self, task: PlanningTask, result: PlanningResult, snapshot: Snapshot, outlook: Outlook
    ) -> tuple[Plan, tuple[InputPart, ...]]:
        """The plan and what it was computed from, as they are kept."""
        # In a thread: digests and packing of a big plant's snapshot and model take a blink.
        return await asyncio.to_thread(
            drafted,
            task=task,
            forecast_task=outlook.task,
            result=result,
            snapshot=snapshot,
            limits_digest=self._settings.limits.digest(),
            proposed_by="optimizer",
            on_failure=self._settings.on_failure,
        )

    async def _propose(
        self, task: PlanningTask, result: PlanningResult, snapshot: Snapshot, outlook: Outlook
    ) -> OpenPlan:
        plan, parts = await self._drafted(task, result, snapshot, outlook)
        chosen = await self._approvals.propose(
            plan, snapshot=snapshot, forecast=task.forecast, inputs=parts
        )
        self._held.assumed(plan.mrid, task.network.held_regulators)
        async with self._store.transaction() as unit:
            for request in task.requests:
                if request.state is RequestState.RECEIVED:
                    await unit.move_request(request.mrid, RequestState.PLANNED)
        return chosen
