"""A dispatch that names devices is answered by those alone. Pure.

While only such dispatches are on, nobody else may be used. Two things lift that: another dispatch
that names nobody, and a feeder that is above its own limit without control, which may use everybody
for itself. In both cases the optimizer still asks of those that are named what was asked of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from gridctl.model.enrolment import Window
from gridctl.model.planning import PlanningTask


def narrowed(task: PlanningTask) -> PlanningTask:
    """`task` with everybody else blocked while only dispatches that name devices are on."""
    found = _windows(task)
    if not found:
        return task
    states = tuple(
        replace(state, blocked=(*state.blocked, *found.get(state.resource, ())))
        for state in task.states
    )
    return replace(task, states=states)


def _windows(task: PlanningTask) -> Mapping[str, list[Window]]:
    """Windows by the mRID of the resource that may not be used in them."""
    if all(request.devices is None for request in task.requests):
        return {}
    horizon = task.horizon
    expected_kw = task.forecast.at_quantile(task.quantile)
    found: dict[str, list[Window]] = {}
    for k in range(horizon.count):
        start_s = horizon.start_s + k * horizon.step_s
        end_s = start_s + horizon.step_s
        on = [r for r in task.requests if r.start_s < end_s and r.end_s > start_s]
        named = [r.devices for r in on if r.devices is not None]
        if not on or len(named) < len(on) or expected_kw[k] > task.limits.head_import_kw:
            continue
        allowed = {device for devices in named for device in devices}
        names = ", ".join(dict.fromkeys(r.name for r in on))
        reason = f"{names} is for {len(allowed)} other device{'s' if len(allowed) > 1 else ''}"
        for resource in task.resources:
            if resource.mrid not in allowed:
                windows = found.setdefault(resource.mrid, [])
                before = windows.pop() if windows else None
                if before is not None and (before.end_s, before.reason) != (start_s, reason):
                    windows.append(before)
                    before = None
                first_s = start_s if before is None else before.start_s
                windows.append(Window(start_s=first_s, end_s=end_s, reason=reason))
    return found
