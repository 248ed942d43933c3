"""Batteries of which a plan counts on less than their rating, because they gave no more: said."""

from __future__ import annotations

from gridctl.model.planning import Finding, FindingKind, PlanningTask
from gridctl.model.resource import Battery

WHOLE_SHARE = 0.99
NAMED_MAX = 6


def derated(task: PlanningTask) -> Finding | None:
    """Which batteries may be used, and not with all of their rating; None where there is none."""
    states = {s.resource: s for s in task.states}
    found = [
        (r, states[r.mrid].available_kw)
        for r in task.resources
        if isinstance(r, Battery)
        and r.mrid in states
        and states[r.mrid].excluded is None
        and 0.0 <= states[r.mrid].available_kw < WHOLE_SHARE * r.rating_kw
    ]
    if not found:
        return None
    named = ", ".join(f"{r.name} {kw:.0f} of {r.rating_kw:g} kW" for r, kw in found[:NAMED_MAX])
    more = f" and {len(found) - NAMED_MAX} more" if len(found) > NAMED_MAX else ""
    who = "1 battery counts" if len(found) == 1 else f"{len(found)} batteries count"
    return Finding(
        kind=FindingKind.FIELD,
        text=f"{who} for less than the rating, because no more was there: {named}{more}.",
        amount=round(sum(r.rating_kw - kw for r, kw in found), 3),
        unit="kW",
        resources=tuple(r.mrid for r, _ in found),
    )
