"""Who takes part: what enrolments and opt-outs leave of each device, for planning and dispatch.

Everything here narrows: a limit makes a device unusable, for a window or for a plan, and says why.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from gridctl.control.activity import Activity
from gridctl.control.narrowing import narrowed
from gridctl.control.ports import Store
from gridctl.model.clock import Clock
from gridctl.model.enrolment import Allowance, Terms, Window, allowance
from gridctl.model.plan import Plan
from gridctl.model.planning import Exclusion, PlanningResult, PlanningTask, ResourceState
from gridctl.model.resource import LoadGroup, Resource

TOLD_MAX = 3
"""Windows of one device that a plan names."""
MOVES_KW = 0.05


class Participation:
    """The terms as last loaded; `load` before each step."""

    def __init__(
        self, *, store: Store, clock: Clock, activity: Activity, utc_offset_s: float
    ) -> None:
        self._store = store
        self._clock = clock
        self._activity = activity
        self._utc_offset_s = utc_offset_s
        self._terms: dict[str, list[Terms]] = {}
        self._known: tuple[int, Mapping[str, str]] | None = None

    async def load(self) -> None:
        """Read what is agreed now. Raises UnavailableError."""
        found: dict[str, list[Terms]] = {}
        for terms in await self._store.platform.terms():
            found.setdefault(terms.device, []).append(terms)
        self._terms = found
        self._known = None

    def not_now(self) -> Mapping[str, str]:
        """Devices that may not be used at this moment, each with why. Worked out once a second."""
        now_s = self._clock.now_s()
        second = int(now_s)
        if self._known is None or self._known[0] != second:
            self._known = (second, self._withdrawn(now_s))
        return self._known[1]

    def _withdrawn(self, now_s: float) -> Mapping[str, str]:
        reasons: dict[str, str] = {}
        for device in self._terms:
            # notice is a matter of planning: what is sent now was planned with it
            one = self._allowance(device, asked_s=float("-inf"), now_s=now_s, end_s=now_s + 1.0)
            held = [w.reason for w in one.blocked if w.start_s <= now_s < w.end_s]
            if held:
                reasons[device] = "; ".join(dict.fromkeys(held))
        return reasons

    def restricted(self, task: PlanningTask, active: Plan | None = None) -> PlanningTask:
        """`task` with every limit in it, with what dispatches name, and with the calls that the
        `active` plan has announced to those who need notice."""
        task = narrowed(task)
        if not self._terms:
            return task
        end_s = task.horizon.start_s + task.horizon.step_s * task.horizon.count
        asked_s = min([task.now_s, *(r.received_s for r in task.requests)])
        told = {} if active is None else self._announced(task, active)
        found = {
            device: self._allowance(
                device,
                # who has been told needs no further notice
                asked_s=float("-inf") if device in told else asked_s,
                now_s=task.now_s,
                end_s=end_s,
                is_emergency=any(r.is_emergency for r in task.requests),
            )
            for device in self._terms
        }
        return replace(
            task,
            resources=tuple(_with_starts(r, found.get(r.mrid)) for r in task.resources),
            states=tuple(
                replace(_with_windows(s, found.get(s.resource)), announced=told.get(s.resource, ()))
                for s in task.states
            ),
        )

    def _announced(
        self, task: PlanningTask, active: Plan
    ) -> dict[str, tuple[tuple[float, float], ...]]:
        """(start, end) of the calls that have not begun and of which customers have been told, by
        device: only where the group says what it costs to take one back."""
        priced = {
            r.mrid for r in task.resources if isinstance(r, LoadGroup) and r.cancel_cost is not None
        }
        found = {}
        for device in priced & self._terms.keys():
            notice_s = max(one.notice_s for one in self._terms[device])
            told = tuple(
                (start_s, end_s)
                for start_s, end_s in _calls(active.result, device)
                if task.now_s < start_s <= task.now_s + notice_s
            )
            if told:
                found[device] = told
        return found

    def told(self, task: PlanningTask, result: PlanningResult) -> PlanningResult:
        """`result` with the windows that kept devices out of a part of the plan."""
        known = {e.resource for e in result.excluded}
        windows = tuple(
            Exclusion(resource=s.resource, reason=_words(s.blocked, self._utc_offset_s))
            for s in task.states
            if s.blocked and s.resource not in known
        )
        return replace(result, excluded=(*result.excluded, *windows)) if windows else result

    def broken(self, plan: Plan) -> tuple[str, ...]:
        """Which devices `plan` moves although they have been withdrawn since, and why."""
        horizon = plan.result.horizon
        reasons: dict[str, str] = {}
        now_s = self._clock.now_s()
        end_s = horizon.start_s + horizon.step_s * horizon.count
        allowed = {
            device: self._allowance(device, asked_s=float("-inf"), now_s=now_s, end_s=end_s)
            for device in self._terms
        }
        for setpoint in plan.result.setpoints:
            one = allowed.get(setpoint.resource)
            if one is None or abs(setpoint.effect_kw) <= MOVES_KW:
                continue
            start_s = horizon.start_s + setpoint.interval * horizon.step_s
            for window in one.blocked:
                if window.start_s < start_s + horizon.step_s and start_s < window.end_s:
                    reasons[setpoint.resource] = window.reason
        return tuple(f"{device}: {reason}" for device, reason in sorted(reasons.items()))

    def _allowance(
        self, device: str, *, asked_s: float, now_s: float, end_s: float, is_emergency: bool = False
    ) -> Allowance:
        use = self._activity.of(device)
        return allowance(
            self._terms[device],
            starts_s=use.starts_s,
            is_active=use.active_since_s is not None,
            asked_s=asked_s,
            now_s=now_s,
            end_s=end_s,
            utc_offset_s=self._utc_offset_s,
            is_emergency=is_emergency,
        )


def _calls(result: PlanningResult, device: str) -> list[tuple[float, float]]:
    """(start, end) of each run of shedding that a plan has for `device`."""
    horizon = result.horizon
    on = sorted(s.interval for s in result.setpoints if s.resource == device and s.kw > MOVES_KW)
    found: list[tuple[float, float]] = []
    for k in on:
        start_s = horizon.start_s + k * horizon.step_s
        if found and found[-1][1] == start_s:
            start_s = found.pop()[0]
        found.append((start_s, horizon.start_s + (k + 1) * horizon.step_s))
    return found


def _with_starts(resource: Resource, allowed: Allowance | None) -> Resource:
    if allowed is None or allowed.starts_per_day_max is None:
        return resource
    if not isinstance(resource, LoadGroup):
        return resource
    most = max(0, min(resource.starts_per_day_max, allowed.starts_per_day_max))
    return replace(resource, starts_per_day_max=most)


def _with_windows(state: ResourceState, allowed: Allowance | None) -> ResourceState:
    if allowed is None:
        return state
    return replace(
        state, excluded=state.excluded or allowed.excluded, blocked=state.blocked + allowed.blocked
    )


def _words(windows: Sequence[Window], utc_offset_s: float) -> str:
    def clock(at_s: float) -> str:
        return datetime.fromtimestamp(at_s + utc_offset_s, UTC).strftime("%H:%M")

    told = [f"{clock(w.start_s)} to {clock(w.end_s)}: {w.reason}" for w in windows[:TOLD_MAX]]
    more = len(windows) - TOLD_MAX
    return "not from " + "; ".join(told) + (f"; and {more} more windows" if more > 0 else "")
