"""Whether the plan that is carried out still holds the head's limits. Pure.

A plan looks hours ahead; its forecast is as old as the plan. What is measured and what is newly
forecast is held against it, and where it no longer suffices a new plan is made in its place. The
old one goes on until people have approved the new one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from statistics import fmean
from typing import Final

from gridctl.model.plan import Plan
from gridctl.model.planning import Forecast, ForecastTask, PlanningResult
from gridctl.model.program import DispatchRequest

LOOKAHEAD_S: Final = 3_600.0
"""Further ahead the next forecasts are early enough."""
MARGIN_SHARE: Final = 0.005
"""Of the limit: below this the head's own noise would call for a new plan again and again."""
OVERDONE_SHARE: Final = 0.1
"""Of the limit: by so much a plan must take off more than is needed, all of OVERDONE_AHEAD_S,
before people are asked for another. Less is what a forecast may err by, and asking costs more."""
OVERDONE_AHEAD_S: Final = 1_800.0
"""Further ahead a forecast that is off may be right again: what was planned for then stands."""
NEAR_S: Final = 900.0
"""What is forecast to begin within this is told at once. A plan needs minutes to be read, approved
and followed."""
FRESH_S: Final = 900.0
"""A plan younger than this is not replaced for what lies further ahead than NEAR_S: the forecast of
a quarter of an hour later is better, and in time (ADR 0047)."""
MUCH_SHARE: Final = 0.03
"""Of the limit: what is forecast above it by more is told at once, however far ahead."""
NEARLY_PU: Final = 0.001
"""A voltage so near to its limit is asked about before it is outside."""
SAG_AGAIN_S: Final = 300.0
"""For so long a plan is let be although a meter is outside the voltage limits."""
CHECKED_SHARE: Final = 0.02
"""By so much the head may pass what a plan was checked for where a regulator stands still, before
the voltage behind it is looked at anew."""
EXPORT_MARGIN_SHARE: Final = 0.02
"""Of a limit of export, besides: clouds are rougher than load."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """A forecast and what it was made from."""

    forecast: Forecast
    task: ForecastTask


def outrun(
    plan: Plan,
    ahead: Forecast,
    *,
    quantile: float,
    limit_kw: float,
    head_kw: float,
    now_s: float,
    utc_offset_s: float,
    requests: Sequence[DispatchRequest] = (),
) -> str | None:
    """Why `plan` no longer holds `limit_kw`, or the export that `requests` allow, in the next hour;
    None: it does.

    `ahead`: the newest forecast of the head without control, moved to what is now; `head_kw`: the
    head as it is measured, with the plan in force and its devices settled. Grid time, kW. What is
    measured is told at once; of what is forecast, what is near or much is, the rest where `plan` is
    not fresh any more.
    """
    allowed_kw = limit_kw * (1.0 + MARGIN_SHARE)
    if head_kw > allowed_kw:
        return f"the head shows {head_kw:.0f} kW although plan {plan.mrid} is carried out"
    least_kw = _least_kw(requests, now_s, now_s, limit_kw)
    if head_kw < least_kw:
        return f"the head exports {-head_kw:.0f} kW although plan {plan.mrid} is carried out"
    fresh = now_s - plan.created_s < FRESH_S
    horizon, high_kw = ahead.horizon, ahead.at_quantile(quantile)
    low_kw = ahead.at_quantile(min(ahead.quantiles, key=lambda q: abs(q - (1.0 - quantile))))
    for k in range(horizon.count):
        start_s = horizon.start_s + k * horizon.step_s
        # The interval that is running is measured; it is not forecast any more.
        if start_s <= now_s or start_s >= now_s + LOOKAHEAD_S:
            continue
        expected_kw = high_kw[k] - relief_kw(plan, start_s)
        can_wait_kw = MUCH_SHARE * limit_kw if fresh and start_s - now_s > NEAR_S else 0.0
        if expected_kw > max(allowed_kw, limit_kw + can_wait_kw):
            at = datetime.fromtimestamp(start_s + utc_offset_s, UTC)
            return (
                f"the newest forecast has {expected_kw:.0f} kW at {at:%H:%M} "
                f"although plan {plan.mrid} is carried out"
            )
        least_kw = _least_kw(requests, start_s, start_s + horizon.step_s, limit_kw)
        if (lowest_kw := low_kw[k] - relief_kw(plan, start_s)) < least_kw - can_wait_kw:
            at = datetime.fromtimestamp(start_s + utc_offset_s, UTC)
            return (
                f"the newest forecast has {-lowest_kw:.0f} kW of export at {at:%H:%M} "
                f"although plan {plan.mrid} is carried out"
            )
    return None


def sagging(
    plan: Plan,
    ahead: Forecast,
    *,
    quantile: float,
    now_s: float,
    utc_offset_s: float,
    held: Sequence[str],
    voltages_pu: Mapping[str, float],
    voltage_min_pu: float,
    voltage_max_pu: float,
) -> str | None:
    """Why the voltages behind the regulators `held`, which stand still, are not `plan`'s any more:
    a meter is outside the limits or nearly, or the head is expected to draw more in the next hour
    than the plan was checked for. None: they are, or the plan is fresh. Arguments as of `outrun`.
    A meter is told after a few minutes: until then it may be the devices, which still follow."""
    if not held or now_s - plan.created_s < SAG_AGAIN_S:
        return None
    still = f"{', '.join(held)} {'does' if len(held) == 1 else 'do'} not move"
    outside = {
        place: max(voltage_min_pu - pu, pu - voltage_max_pu) for place, pu in voltages_pu.items()
    }
    worst = max(outside, key=lambda place: outside[place], default=None)
    if worst is not None and outside[worst] > -NEARLY_PU:
        return (
            f"{worst} is at {voltages_pu[worst]:.4f} pu although plan {plan.mrid} is carried out, "
            f"and {still}"
        )
    if now_s - plan.created_s < FRESH_S:
        return None
    horizon, high_kw, checked = ahead.horizon, ahead.at_quantile(quantile), plan.result
    for k in range(horizon.count):
        start_s = horizon.start_s + k * horizon.step_s
        at = int((start_s - checked.horizon.start_s) // checked.horizon.step_s)
        if start_s <= now_s or start_s >= now_s + LOOKAHEAD_S:
            continue
        if not 0 <= at < len(checked.head_after_kw):
            continue
        expected_kw, checked_kw = high_kw[k] - relief_kw(plan, start_s), checked.head_after_kw[at]
        if expected_kw > checked_kw + CHECKED_SHARE * abs(checked_kw):
            hour = datetime.fromtimestamp(start_s + utc_offset_s, UTC)
            return (
                f"the newest forecast has {expected_kw:.0f} kW at {hour:%H:%M}, plan {plan.mrid} "
                f"was checked for {checked_kw:.0f} kW, and {still}"
            )
    return None


def overdone(
    plan: Plan,
    ahead: Forecast,
    *,
    quantile: float,
    limit_kw: float,
    now_s: float,
) -> str | None:
    """Why `plan` takes much more off the head than `limit_kw` needs, in each interval of the next
    half hour, or in one of them where none needs anything: what is about to begin too early; None:
    it does not, or customers asked for it. Arguments as of `outrun`."""
    if plan.requests:
        return None
    horizon, high_kw = ahead.horizon, ahead.at_quantile(quantile)
    reliefs, needs = [], []
    for k in range(horizon.count):
        start_s = horizon.start_s + k * horizon.step_s
        if now_s < start_s < now_s + OVERDONE_AHEAD_S:
            reliefs.append(relief_kw(plan, start_s))
            needs.append(max(0.0, high_kw[k] - limit_kw))
    if not reliefs:
        return None
    is_needed = max(needs) > 0.0
    spare_kw = min(r - n for r, n in zip(reliefs, needs, strict=True))
    if (spare_kw if is_needed else max(reliefs)) <= OVERDONE_SHARE * limit_kw:
        return None
    takes = f"{min(reliefs):.0f} kW at least" if is_needed else f"up to {max(reliefs):.0f} kW"
    return (
        f"the newest forecast needs {max(needs):.0f} kW in the next half hour, "
        f"plan {plan.mrid} takes off {takes}"
    )


def takes_less(result: PlanningResult, plan: Plan, *, limit_kw: float, now_s: float) -> bool:
    """Whether `result` takes noticeably less off the head than `plan`, over the next half hour."""
    step_s = plan.result.horizon.step_s
    starts_s = [now_s + k * step_s for k in range(1, 1 + round(OVERDONE_AHEAD_S / step_s))]
    less_kw = [_relief_kw(plan.result, at_s) - _relief_kw(result, at_s) for at_s in starts_s]
    return fmean(less_kw) > OVERDONE_SHARE / 2.0 * limit_kw


def _least_kw(
    requests: Sequence[DispatchRequest], start_s: float, end_s: float, limit_kw: float
) -> float:
    """The import below which the export passes what is allowed between two times; -infinite where
    nothing limits it."""
    allowed = [
        r.export_max_kw * (1.0 + EXPORT_MARGIN_SHARE)
        for r in requests
        if r.export_max_kw is not None and r.start_s <= end_s and r.end_s > start_s
    ]
    return -(min(allowed) + MARGIN_SHARE * limit_kw) if allowed else -math.inf


def relief_kw(plan: Plan, at_s: float) -> float:
    """By how much `plan` lowers the head in the interval that `at_s` lies in; negative where what
    it has let go rebounds; 0 outside of its horizon."""
    return _relief_kw(plan.result, at_s)


def _relief_kw(result: PlanningResult, at_s: float) -> float:
    k = int((at_s - result.horizon.start_s) // result.horizon.step_s)
    if not 0 <= k < min(len(result.head_before_kw), len(result.head_after_kw)):
        return 0.0
    return result.head_before_kw[k] - result.head_after_kw[k]
