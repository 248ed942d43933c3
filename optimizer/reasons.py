"""What a plan is for, beyond the limits that hold it back: an export that an event limits, and what
import costs by its level (a transformer's ageing, say). In sentences with their numbers."""

from __future__ import annotations

import numpy as np

from gridctl.model.planning import Finding, FindingKind, PlanningResult, SolveStatus
from gridctl.model.policy import ImportPrice
from gridctl.model.resource import Battery, LoadGroup
from optimizer.arrays import FloatArray
from optimizer.explain import export_names
from optimizer.hot_spot import paths
from optimizer.limits import emergency, export_max_kw, least_expected_kw
from optimizer.network import FlowResult
from optimizer.problem import Problem
from optimizer.resources.cancelling import may_cancel
from optimizer.resources.depth import wear
from optimizer.wording import KW_MIN, Span, Words, spans

SAVED_MIN = 0.01
"""Share of what import costs by its level that a plan has to save to be told."""
WHOLE_FROM = 10.0


def reasons(words: Words, problem: Problem, result: PlanningResult) -> list[Finding]:
    """All of them; none where only limits ask for the plan."""
    found = [*_emergencies(words, problem), *_exports(words, problem)]
    if result.setpoints:
        after_kw = np.array(result.head_after_kw)
        for price in problem.task.policy.import_prices:
            found += _saved(words, problem, price, after_kw)
        found += _bought(problem, result, after_kw)
        found += _depths(problem, result)
        found += _cooled_ahead(words, problem, result)
    if result.verification is not None or result.status is SolveStatus.NOT_NEEDED:
        found += _announced(words, problem, result)
    return found


def hot_spots(
    words: Words, problem: Problem, result: PlanningResult, near: FlowResult | None
) -> list[Finding]:
    """How hot transformers get whose temperatures are kept, without the plan and with it."""
    if not problem.task.policy.hot_spots:
        return []
    flow = near if near is not None and result.setpoints else problem.base_flow
    found = []
    for (own, before), (_, after) in zip(
        paths(problem, problem.base_flow), paths(problem, flow), strict=True
    ):
        t = int(np.argmax(after.hot_spot_c))
        without = f" ({before.hot_spot_c.max():.0f} without the plan)"
        load_pct = flow.branch_loading_pct[list(flow.branch_names).index(own.branch)].max()
        found.append(
            Finding(
                kind=FindingKind.REASON,
                text=f"The windings of {own.branch} get {after.hot_spot_c[t]:.0f} °C hot at most"
                f"{without if result.setpoints else ''}, at {words.clock(t)};"
                f" {own.hot_spot_max_c:.0f} are allowed. It carries up to {load_pct:.0f} % of its"
                " rating, for no longer than it stays cool enough.",
                first=t,
                last=t,
                amount=round(float(after.hot_spot_c[t]), 1),
                unit="°C",
            )
        )
    return found


def _announced(words: Words, problem: Problem, result: PlanningResult) -> list[Finding]:
    """Calls that customers have been told of and that are taken back, and what that costs."""
    found = []
    for group in problem.task.resources:
        if not isinstance(group, LoadGroup) or group.cancel_cost is None:
            continue
        if group.mrid in problem.excluded:
            continue
        state, grid = problem.states[group.mrid], problem.grid
        on = {s.interval for s in result.setpoints if s.resource == group.mrid and s.kw > 0.0}
        for start_s, end_s in state.announced:
            told = np.flatnonzero((grid.begin_s < end_s) & (grid.end_s > start_s)).tolist()
            if not told or on.issuperset(told) or not may_cancel(group, start_s, grid):
                continue
            span = Span(first=told[0], last=told[-1])
            found.append(
                Finding(
                    kind=FindingKind.REASON,
                    text=f"The call that was announced to {group.name} {words.between(span)} is"
                    f" taken back: that costs {_cost(group.cancel_cost)}, to carry it out would"
                    " cost more.",
                    first=span.first,
                    last=span.last,
                    amount=group.cancel_cost,
                    unit="cost",
                    cost=group.cancel_cost,
                    resources=(group.mrid,),
                )
            )
    return found


def _cooled_ahead(words: Words, problem: Problem, result: PlanningResult) -> list[Finding]:
    """Who draws more before a call, so that it is longer, or less comes back after it."""
    found = []
    for group in problem.task.resources:
        if not isinstance(group, LoadGroup) or group.precool is None:
            continue
        ahead_kw = {
            s.interval: -s.kw for s in result.setpoints if s.resource == group.mrid and s.kw < 0.0
        }
        for span in spans(ahead_kw):
            inside = range(span.first, span.last + 1)
            kwh = sum(ahead_kw[k] * float(problem.grid.hours[k]) for k in inside)
            found.append(
                Finding(
                    kind=FindingKind.REASON,
                    text=f"{group.name}: cooled ahead of its call by {kwh:.0f} kWh"
                    f" {words.between(span)}, so that the call can last longer and less comes back"
                    " after it.",
                    first=span.first,
                    last=span.last,
                    amount=round(kwh, 3),
                    unit="kWh",
                    resources=(group.mrid,),
                )
            )
    return found


def _bought(problem: Problem, result: PlanningResult, after_kw: FloatArray) -> list[Finding]:
    """What import costs at its prices, and its highest value where that is charged."""
    policy, before_kw, found = problem.task.policy, problem.base_flow.head_kw, []
    if policy.price_per_kwh:
        price = np.array(policy.price_per_kwh) * problem.grid.hours
        before, after = float(price @ before_kw), float(price @ after_kw)
        word = "less" if after <= before else "more"
        found.append(
            Finding(
                kind=FindingKind.REASON,
                text=f"At the prices of import the feeder buys for {_cost(after)} with the plan,"
                f" {_cost(abs(before - after))} {word} than without; what it asks of its resources"
                f" costs {_cost(result.cost)}.",
                amount=round(before - after, 3),
                unit="cost",
                cost=round(result.cost, 3),
            )
        )
    if policy.demand_charge_per_kw > 0.0:
        before, after = (
            max(float(kw.max()), policy.peak_so_far_kw) for kw in (before_kw, after_kw)
        )
        found.append(
            Finding(
                kind=FindingKind.REASON,
                text=f"The highest import is {after:.0f} kW with the plan and {before:.0f} kW"
                f" without (the peak so far counts: {policy.peak_so_far_kw:.0f} kW); at"
                f" {policy.demand_charge_per_kw:g} a kW that is"
                f" {_cost(policy.demand_charge_per_kw * (before - after))} less.",
                amount=round(before - after, 3),
                unit="kW",
                cost=round(policy.demand_charge_per_kw * (before - after), 3),
            )
        )
    return found


def _depths(problem: Problem, result: PlanningResult) -> list[Finding]:
    """How deep batteries are emptied whose wear grows with depth, and what that costs."""
    found = []
    for battery in problem.task.resources:
        if not isinstance(battery, Battery) or not battery.depth_costs:
            continue
        kw = np.zeros(problem.grid.count)
        for s in result.setpoints:
            if s.resource == battery.mrid:
                kw[s.interval] = s.kw
        soc_pct = problem.states[battery.mrid].soc_pct if kw.any() else None
        if soc_pct is None:
            continue
        now_kwh = soc_pct / 100.0 * battery.energy_kwh
        deep_pct, paid = wear(battery, now_kwh, problem.grid, kw)
        found.append(
            Finding(
                kind=FindingKind.REASON,
                text=f"{battery.name} is emptied to {deep_pct:.0f} % below full: deep cycles wear"
                f" it, which costs {_cost(paid)} of this plan.",
                amount=round(deep_pct, 1),
                unit="%",
                cost=round(paid, 3),
                resources=(battery.mrid,),
            )
        )
    return found


def _emergencies(words: Words, problem: Problem) -> list[Finding]:
    """Events of the emergency class, and what that changes."""
    grid, found = problem.grid, []
    for request in problem.task.requests:
        touched = np.flatnonzero(emergency([request], grid)).tolist()
        if touched:
            span = Span(first=touched[0], last=touched[-1])
            found.append(
                Finding(
                    kind=FindingKind.REASON,
                    text=f"{request.name} is an emergency {words.between(span)}: who has agreed to"
                    " emergencies gets no other notice, and missing it counts as much as passing"
                    " the limit of the import.",
                    first=span.first,
                    last=span.last,
                    amount=request.target_kw,
                    unit="kW",
                )
            )
    return found


def _exports(words: Words, problem: Problem) -> list[Finding]:
    """Where events limit the export, and what it would be without the plan."""
    most = export_max_kw(problem.task, problem.grid)
    if np.isinf(most).all():
        return []
    export_kw = -least_expected_kw(problem.task)
    found = []
    for span in spans(np.flatnonzero(export_kw > most + KW_MIN).tolist()):
        inside = slice(span.first, span.last + 1)
        worst = float(export_kw[inside].max())
        found.append(
            Finding(
                kind=FindingKind.REASON,
                text=f"{export_names(problem.task)} allows {most[inside].min():.0f} kW of export"
                f" {words.between(span)}: without the plan it could reach {worst:.0f} kW"
                f" on the sunny side of the forecast.",
                first=span.first,
                last=span.last,
                amount=round(worst - float(most[inside].min()), 3),
                unit="kW",
            )
        )
    return found


def _saved(
    words: Words, problem: Problem, price: ImportPrice, after_kw: FloatArray
) -> list[Finding]:
    """What import costs by its level without the plan and with it."""
    before, after = (
        _paid(price, kw, problem.grid.hours) for kw in (problem.base_flow.head_kw, after_kw)
    )
    saved = before - after
    if saved.sum() <= SAVED_MIN * before.sum():
        return []
    told = np.flatnonzero(saved > SAVED_MIN * saved.sum())
    span = Span(first=int(told.min()), last=int(told.max()))
    return [
        Finding(
            kind=FindingKind.REASON,
            text=f"The {price.what} would cost {_cost(before.sum())} without the plan and costs"
            f" {_cost(after.sum())} with it: it is relieved {words.between(span)}.",
            first=span.first,
            last=span.last,
            amount=round(float(saved.sum()), 3),
            unit="cost",
        )
    ]


def _cost(value: float) -> str:
    return f"{value:.0f}" if value >= WHOLE_FROM else f"{round(value, 2):g}"


def _paid(price: ImportPrice, head_kw: FloatArray, hours: FloatArray) -> FloatArray:
    """What each interval's import costs, (T,): each level costs what it does more than the one
    below it."""
    above, per_kwh = np.array(price.above_kw), np.array(price.per_kwh)
    more = np.maximum(np.diff(per_kwh, axis=0, prepend=0.0), 0.0)
    paid: FloatArray = (more * np.maximum(head_kw - above, 0.0)).sum(axis=0) * hours
    return paid
