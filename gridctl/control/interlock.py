"""May this be approved, or ordered, now? Pure: facts in, reasons out; no reason means yes.

The field asks the same again with its own eyes. Here it is asked so that an operator reads why
before anything is tried (SG-12, SG-14, SG-21, SG-27).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gridctl.control.settings import DriftBounds
from gridctl.model.measurement import Point, Snapshot
from gridctl.model.plan import Plan
from gridctl.model.quantity import Unit

GOOD_SHARE_MIN = 0.95
BLAMED_MAX = 5
"""So many devices are named one by one; the rest is a number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """What holds for the feeder as a whole. `clock_offset_s` None: the field never told the time.
    `field_limits_digest`: of the limits that the field enforces. `head_words`: what is wrong with
    the head's measurement."""

    field_connected: bool
    stopped: bool
    clock_offset_s: float | None
    clock_offset_max_s: float
    good_share: float
    head_is_good: bool
    limits_digest: str
    field_limits_digest: str | None
    model_digest: str
    lost_audit: str | None
    head_words: str = ""


def blocked(now: Situation) -> tuple[str, ...]:
    """Why nothing at all may be approved or released now."""
    reasons: list[str] = []
    if not now.field_connected:
        reasons.append("the line to the field is down (SG-12)")
    if now.stopped:
        reasons.append("STOP holds (SG-21)")
    if now.clock_offset_s is None:
        reasons.append("the field's clock is not known (SG-12)")
    elif abs(now.clock_offset_s) > now.clock_offset_max_s:
        reasons.append(
            f"clocks of office and field differ by {now.clock_offset_s:+.1f} s, "
            f"{now.clock_offset_max_s:g} s are allowed (SG-12)"
        )
    if not now.head_is_good:
        why = f": {now.head_words}" if now.head_words else ""
        reasons.append(f"the measurement at the feeder head is not good{why} (SG-12)")
    if now.good_share < GOOD_SHARE_MIN:
        reasons.append(
            f"only {now.good_share:.0%} of the points are good, {GOOD_SHARE_MIN:.0%} are needed "
            "(SG-12)"
        )
    if now.field_limits_digest is not None and now.field_limits_digest != now.limits_digest:
        reasons.append("the field enforces other limits than the office knows (SG-05)")
    if now.lost_audit is not None:
        reasons.append(f"the audit record cannot be written: {now.lost_audit} (SG-34)")
    return tuple(reasons)


def moved_on(plan: Plan, now: Situation) -> tuple[str, ...]:
    """Why `plan` is void: what it was computed with is no more (SG-14)."""
    reasons: list[str] = []
    if plan.model_digest != now.model_digest:
        reasons.append("the network model has changed since the plan was made (SG-14)")
    if plan.limits_digest != now.limits_digest:
        reasons.append("the limits have changed since the plan was made (SG-14)")
    return tuple(reasons)


def unusable(plan: Plan, excluded: Mapping[str, str | None]) -> tuple[str, ...]:
    """Devices of the plan that may not be used now, and why (SG-12, SG-14, SG-27)."""
    wanted = {setpoint.resource for setpoint in plan.result.setpoints}
    reasons = [
        f"{resource}: {excluded[resource]}"
        for resource in sorted(wanted)
        if excluded.get(resource) is not None
    ]
    reasons += [f"{resource}: not a resource" for resource in sorted(wanted - excluded.keys())]
    if len(reasons) > BLAMED_MAX:
        more = len(reasons) - BLAMED_MAX
        return (*reasons[:BLAMED_MAX], f"and {more} more devices (SG-14)")
    return tuple(reasons)


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """The head now against what the plan was made for, kW.

    `then_kw`: import in the plan's snapshot; `forecast_change_kw`: what the forecast that the plan
    was verified with says has come on top since; `ordered_kw`: effect of what was ordered so far,
    which may have arrived in full, in part, or not yet.
    """

    then_kw: float
    now_kw: float
    forecast_change_kw: float
    ordered_kw: float


def head_drift(drift: Drift, bounds: DriftBounds) -> tuple[str, ...]:
    """Why the feeder is not the one that the plan was made for any more (SG-14)."""
    expected_kw = drift.then_kw + drift.forecast_change_kw
    bound_kw = max(bounds.head_pct / 100 * abs(drift.then_kw), bounds.head_kw)
    highest_kw = expected_kw + max(0.0, -drift.ordered_kw) + bound_kw
    lowest_kw = expected_kw - max(0.0, drift.ordered_kw) - bound_kw
    if lowest_kw <= drift.now_kw <= highest_kw:
        return ()
    return (
        (
            f"the head shows {drift.now_kw:.0f} kW, the plan was made for "
            f"{lowest_kw:.0f} … {highest_kw:.0f} kW (SG-14)"
        ),
    )


def voltage_drift(
    then: Snapshot, now: Snapshot, points: Mapping[str, Point], bounds: DriftBounds
) -> tuple[str, ...]:
    """Voltages that have moved further than the plan allows for (SG-14)."""
    worst: tuple[float, str] | None = None
    for point in points.values():
        if point.unit is not Unit.VOLT_PU:
            continue
        before, after = then.good(point.mrid), now.good(point.mrid)
        if before is not None and after is not None:
            change = abs(after.value - before.value)
            if change > bounds.voltage_pu and (worst is None or change > worst[0]):
                worst = (change, point.mrid)
    if worst is None:
        return ()
    return (
        (
            f"{worst[1]} has moved by {worst[0]:.3f} pu since the plan was made, "
            f"{bounds.voltage_pu:g} pu are allowed (SG-14)"
        ),
    )


def outside_limits(
    now: Snapshot,
    points: Mapping[str, Point],
    *,
    before: Snapshot,
    voltage_min_pu: float,
    voltage_max_pu: float,
) -> tuple[str, ...]:
    """Voltages that are outside the limits now and were within before the plan began: dispatch
    stops (SG-17)."""
    reasons: list[str] = []
    for point in points.values():
        if point.unit is not Unit.VOLT_PU:
            continue
        measured, earlier = now.good(point.mrid), before.good(point.mrid)
        if measured is None or earlier is None:
            continue
        was_within = voltage_min_pu <= earlier.value <= voltage_max_pu
        if was_within and not voltage_min_pu <= measured.value <= voltage_max_pu:
            reasons.append(f"{point.mrid} shows {measured.value:.3f} pu (SG-17)")
    return tuple(reasons[:BLAMED_MAX])


def too_many_failed(failed: int, sent: int, *, share_max: float) -> tuple[str, ...]:
    """Why no further batch may go: too many commands of the plan did not take (SG-17)."""
    if sent == 0 or failed <= share_max * sent:
        return ()
    return (f"{failed} of {sent} commands did not take, {share_max:.0%} are allowed (SG-17)",)
