"""How a plan ended: told at once, written down as soon as that can be."""

from __future__ import annotations

import logging
from collections import deque
from dataclasses import dataclass

from gridctl.control.alarms import AlarmBook, Condition
from gridctl.control.audit import OFFICE, entry
from gridctl.control.planrecord import OpenPlan
from gridctl.control.ports import Store
from gridctl.model.clock import Clock
from gridctl.model.errors import UnavailableError
from gridctl.model.plan import PlanState

log = logging.getLogger(__name__)

KEPT_MAX = 100
"""Ends that wait for a store that cannot be written; there is one plan at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _End:
    chosen: OpenPlan
    state: PlanState
    reason: str
    at_s: float


class PlanEnds:
    """One user: the dispatcher."""

    def __init__(self, *, store: Store, clock: Clock, alarms: AlarmBook) -> None:
        self._store = store
        self._clock = clock
        self._alarms = alarms
        self._unwritten: deque[_End] = deque(maxlen=KEPT_MAX)

    async def end(self, chosen: OpenPlan, state: PlanState, reason: str) -> None:
        """The plan has ended in `state`."""
        plan, at_s = chosen.plan, self._clock.now_s()
        if state is not PlanState.COMPLETED:
            condition = Condition(
                key=f"plan.{plan.mrid}",
                priority=2,
                text=f"plan {plan.mrid} ended as {state}: {reason}",
                response="held setpoints return at the end of their leases; "
                "a new plan needs a new approval",
            )
            # It has happened and does not last: it stays on the list until somebody has seen it.
            await self._alarms.raised(condition)
            await self._alarms.cleared(condition.key)
        chosen.state = state
        log.info("plan %s ended as %s: %s", plan.mrid, state, reason)
        one = _End(chosen=chosen, state=state, reason=reason, at_s=at_s)
        try:
            await self._write(one)
        except UnavailableError as error:
            log.error("the end of plan %s could not be written down yet: %s", plan.mrid, error)
            self._unwritten.append(one)

    async def by_fault(
        self, chosen: OpenPlan, state: PlanState, reason: str, error: Exception
    ) -> None:
        """A bug has ended the plan: where everybody sees it, and not only in the log."""
        await self._alarms.raised(
            Condition(
                key="dispatch.fault",
                priority=1,
                text=f"a fault in gridctl ended plan {chosen.plan.mrid}: "
                f"{type(error).__name__}: {error}",
                response="held setpoints return at the end of their leases; keep the log, and "
                "approve nothing before somebody has looked at it",
            )
        )
        await self.end(chosen, state, reason)

    async def write(self) -> None:
        """Write down what could not be before. Raises UnavailableError."""
        while self._unwritten:
            await self._write(self._unwritten[0])
            self._unwritten.popleft()

    async def _write(self, end: _End) -> None:
        plan = end.chosen.plan
        async with self._store.transaction() as unit:
            await unit.move_plan(
                plan.mrid,
                expected=PlanState.ACTIVE,
                to=end.state,
                at_s=end.at_s,
                reason=end.reason,
            )
            await unit.audit(
                entry(
                    at_s=end.at_s,
                    person=OFFICE,
                    action=f"plan.{end.state}",
                    object_=plan.mrid,
                    before=PlanState.ACTIVE,
                    after=end.state,
                    reason=end.reason,
                    plan_digest=end.chosen.digest,
                )
            )
