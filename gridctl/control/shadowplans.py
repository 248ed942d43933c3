"""Plans of areas in shadow: made as if they could be commanded, kept to be scored, never sent."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TypeAlias

from gridctl.control.audit import OFFICE, entry
from gridctl.control.foresight import Foresight
from gridctl.control.interlock import Situation, blocked
from gridctl.control.modes import AreaModes
from gridctl.control.ports import Store
from gridctl.control.proposals import MRID_DIGITS, WAITING_REQUESTS, NoPlan, no_plan
from gridctl.control.question import Question
from gridctl.control.resources import Known
from gridctl.control.revision import Outlook
from gridctl.model.clock import Clock
from gridctl.model.errors import UnavailableError
from gridctl.model.inputs import InputPart
from gridctl.model.measurement import Snapshot
from gridctl.model.plan import Plan, PlanState
from gridctl.model.planning import PlanningResult, PlanningTask

log = logging.getLogger(__name__)

Draft: TypeAlias = Callable[
    [PlanningTask, PlanningResult, Snapshot, Outlook], Awaitable[tuple[Plan, tuple[InputPart, ...]]]
]


class ShadowPlans:
    """One an interval, as long as any area is in shadow. `draft`: the plan of an answer, and what
    it was computed from."""

    def __init__(
        self,
        *,
        store: Store,
        clock: Clock,
        modes: AreaModes,
        situation: Callable[[], Situation],
        known: Callable[[], Known],
        foresight: Foresight,
        question: Question,
        draft: Draft,
    ) -> None:
        self._store = store
        self._clock = clock
        self._modes = modes
        self._situation = situation
        self._known = known
        self._foresight = foresight
        self._question = question
        self._draft = draft
        self._start_s: float | None = None

    async def look(self, now_s: float) -> None:
        """Once an interval, where an area is in shadow: the plan that would be made if it could be
        commanded. It is kept to be scored; nothing can approve or send it (SG-37)."""
        outlook = self._foresight.outlook
        if outlook is None or not self._modes.any_shadow or blocked(self._situation()):
            return
        forecast = outlook.forecast
        if self._start_s == forecast.horizon.start_s:
            return
        known = replace(self._known(), not_commanded=self._modes.not_commanded(shadow=True))
        end_s = forecast.horizon.start_s + forecast.horizon.step_s * forecast.horizon.count
        try:
            waiting = await self._store.requests(states=WAITING_REQUESTS)
            requests = tuple(r for r in waiting if r.start_s < end_s and r.end_s > now_s)
            task = self._question.of(known, outlook, requests, now_s)
            task, result = await self._question.ask(task)
            self._start_s = forecast.horizon.start_s
            if no_plan(result) is None:
                await self._keep(task, result, known.snapshot, outlook)
        except (NoPlan, UnavailableError) as end:
            log.info("no shadow plan: %s", end)

    async def _keep(
        self, task: PlanningTask, result: PlanningResult, snapshot: Snapshot, outlook: Outlook
    ) -> None:
        plan, parts = await self._draft(task, result, snapshot, outlook)
        plan = replace(plan, mrid=f"S-{plan.input_digest[:MRID_DIGITS]}", proposed_by="shadow")
        if await self._store.plan(plan.mrid) is not None:
            return
        async with self._store.transaction() as unit:
            await unit.add_plan(plan, PlanState.SHADOW, self._clock.now_s())
            await unit.keep_inputs(plan.mrid, parts)
            await unit.audit(
                entry(
                    at_s=self._clock.now_s(),
                    person=OFFICE,
                    action="plan.shadow",
                    object_=plan.mrid,
                    after=PlanState.SHADOW,
                    reason=f"{plan.net_kw:.0f} kW, never to be sent",
                    plan_digest=plan.digest(),
                )
            )
