"""A plan in sentences for a person who is not an optimizer, each with its numbers beside it.

What it is for beside its limits (`optimizer.reasons`); which limits hold it back, where, when and
at what price; what could not be kept; who was left out and why; what stands against doing more;
what would help and what that would cost; what a forecast error of 10 % would do. Everything is read
from the plan, the rules and AC power flows, so that a sentence can be checked by hand. Prices are
duals of the last linear programme: where several are valid the solver names one, and the sentence
says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from gridctl.model.planning import (
    Exclusion,
    Finding,
    FindingKind,
    PlanningResult,
    Shortfall,
)
from gridctl.model.resource import PvInverter, Resource
from optimizer.arrays import BoolArray, FloatArray
from optimizer.explain import export_names
from optimizer.limits import Limit, export_max_kw
from optimizer.network import FlowResult
from optimizer.problem import Problem, default_kw, held_back
from optimizer.reasons import hot_spots, reasons
from optimizer.regulated import RegulatedNetwork
from optimizer.restricted import blocked_intervals
from optimizer.why import told
from optimizer.wording import ALREADY, KW_MIN, Span, Words, limit_name, spans

FORECAST_ERROR = 0.1
LITTLE = 0.01
PRICE_STEPS = 0.05
"""Prices that differ by less than this share are told as one."""
ONE = {
    "per kW": "one kW",
    "per %": "one per cent",
    "per % of the limit": "one per cent of the limit",
    "per K": "one kelvin",
}
BEYOND = {Limit.IMPORT.value: "each kW too much", Limit.TARGET.value: "each kW short of it"}
KW_LIMITS = (Limit.IMPORT.value, Limit.TARGET.value)


def findings(
    problem: Problem,
    network: RegulatedNetwork,
    result: PlanningResult,
    *,
    near: FlowResult | None = None,
) -> tuple[Finding, ...]:
    """All findings on `result`, in the order in which a person asks; `near`: the AC flow of its
    setpoints, to begin from."""
    words = Words(problem)
    found = [
        *reasons(words, problem, result),
        *hot_spots(words, problem, result, near),
        *told(words, result.why),
        *_bindings(words, result),
        *_shortfalls(words, problem, result.shortfalls),
        *_conflict(words, problem, result),
        *_remedies(words, problem, result),
        *_exclusions(words, result.excluded),
        *_windows(words, problem),
    ]
    if result.setpoints:
        found += _forecast(words, problem, network, result, near)
    return tuple(found)


def _bindings(words: Words, result: PlanningResult) -> list[Finding]:
    found = []
    places = dict.fromkeys((b.limit, b.where, b.unit) for b in result.bindings)
    for limit, where, unit in places:
        price = {
            b.interval: b.price
            for b in result.bindings
            if (b.limit, b.where, b.unit) == (limit, where, unit)
        }
        missed = {
            s.interval
            for s in result.shortfalls
            if s.limit.removesuffix(ALREADY) == limit and s.where == where
        }
        for span in spans(price):
            prices = [price[k] for k in range(span.first, span.last + 1)]
            low, high = min(prices), max(prices)
            told = f"between {low:.3g} and {high:.3g}"
            if high - low <= PRICE_STEPS * high:
                told = f"{high:.3g}"
            elif low <= LITTLE * high:
                told = f"up to {high:.3g}"
            lost = missed & set(range(span.first, span.last + 1))
            what = BEYOND.get(limit, f"{_one(unit)} beyond it")
            ends = (
                f" and is missed: {what} counts {told} in each {words.step} (a penalty, so"
                " that it is missed only where nothing else helps)."
                if lost
                else f": with {_one(unit)} more room the plan would cost {told} less in each"
                f" {words.step} (one valid price)."
            )
            found.append(
                Finding(
                    kind=FindingKind.BINDING,
                    text=f"{_limit_at(limit, where)} holds the plan back"
                    f" {words.between(span)}{ends}",
                    first=span.first,
                    last=span.last,
                    amount=round(high, 6),
                    unit=unit,
                )
            )
    return found


def _limit_at(limit: str, where: str) -> str:
    return f"The {limit_name(limit, where)}"


def _one(unit: str) -> str:
    return ONE.get(unit, unit.removeprefix("per "))


def _shortfalls(words: Words, problem: Problem, missed: Sequence[Shortfall]) -> list[Finding]:
    found = []
    places = dict.fromkeys((s.limit, s.where, s.unit) for s in missed)
    for limit, where, unit in places:
        amount = {
            s.interval: s.amount
            for s in missed
            if (s.limit, s.where, s.unit) == (limit, where, unit)
        }
        for span in spans(amount):
            inside = range(span.first, span.last + 1)
            most = max(amount[k] for k in inside)
            text = f"{_limit_at(limit, where)} is missed {words.between(span)}"
            if unit == "kW":
                kwh = sum(amount[k] * float(problem.grid.hours[k]) for k in inside)
                text += f" by up to {most:.0f} kW, {kwh:.0f} kWh in all."
            else:
                text += f": {most:g} {unit} beyond it at most."
            found.append(
                Finding(
                    kind=FindingKind.SHORTFALL,
                    text=text,
                    first=span.first,
                    last=span.last,
                    amount=most,
                    unit=unit,
                )
            )
    return found


def _worst(result: PlanningResult) -> Shortfall | None:
    """The greatest shortfall in kW, which more reduction of the import would mend."""
    of_import = [s for s in result.shortfalls if s.limit in KW_LIMITS]
    return max(of_import, key=lambda s: s.amount, default=None)


def _series(problem: Problem, result: PlanningResult) -> Mapping[str, FloatArray]:
    found = {
        r.mrid: np.full(problem.grid.count, default_kw(r))
        for r in problem.task.resources
        if r.mrid not in problem.excluded
    }
    for s in result.setpoints:
        if s.resource in found:
            found[s.resource][s.interval] = s.kw
    return found


def _why(problem: Problem, result: PlanningResult, t: int) -> dict[str, list[str]]:
    """Usable resources by what holds them back in interval `t` ("" where no rule does)."""
    reasons: dict[str, list[str]] = {}
    series = _series(problem, result)
    for r in problem.task.resources:
        if r.mrid in series:
            why = held_back(r, problem.states[r.mrid], problem.grid, series[r.mrid], t)
            reasons.setdefault(why or "", []).append(r.mrid)
    return reasons


def _conflict(words: Words, problem: Problem, result: PlanningResult) -> list[Finding]:
    """Why not more, in the interval of the greatest shortfall: who stands at which limit."""
    worst = _worst(result)
    if worst is None:
        return []
    t = worst.interval
    reasons = _why(problem, result, t)
    found = [
        Finding(
            kind=FindingKind.CONFLICT,
            text=f"At {words.clock(t)}: {words.counted(mrids)} {_agreed(why, len(mrids))}.",
            first=t,
            last=t,
            amount=float(len(mrids)),
            unit="resources",
            resources=tuple(mrids),
        )
        for why, mrids in reasons.items()
        if why
    ]
    free = reasons.get("", [])
    if free:
        found.append(
            Finding(
                kind=FindingKind.CONFLICT,
                text=f"At {words.clock(t)}: {words.counted(free)} could do more, but what comes"
                " after it (rebound, or the energy that later hours need) would cost more.",
                first=t,
                last=t,
                amount=float(len(free)),
                unit="resources",
                resources=tuple(free),
            )
        )
    return found


def _agreed(why: str, count: int) -> str:
    """'has …' of one, 'have …' of many."""
    if count == 1:
        return why
    verb, _, rest = why.partition(" ")
    plural = {"has": "have", "is": "are"}.get(verb, verb.removesuffix("s"))
    own = rest.replace("it has", "they have").replace("its ", "their ")
    return f"{plural} {own}"


def _remedies(words: Words, problem: Problem, result: PlanningResult) -> list[Finding]:
    """What would mend the greatest shortfall: who is out or has no start left, or the limit."""
    worst = _worst(result)
    if worst is None:
        return []
    window = next(
        span
        for span in spans(s.interval for s in result.shortfalls if s.limit == worst.limit)
        if span.first <= worst.interval <= span.last
    )
    hours = float(problem.grid.hours[window.first : window.last + 1].sum())
    when = words.between(window)
    found = [
        Finding(
            kind=FindingKind.REMEDY,
            text=f"The {limit_name(worst.limit, worst.where)} could be kept if it were"
            f" {worst.amount:.0f} kW"
            f" {'higher' if worst.limit == Limit.IMPORT.value else 'lower'} {when}.",
            first=window.first,
            last=window.last,
            amount=worst.amount,
            unit="kW",
        )
    ]
    barred = _why(problem, result, worst.interval).get("has made its starts of the day", [])
    out = [e.resource for e in result.excluded]
    for mrids, what in (
        (out, "If {} could be used"),
        (barred, "If {} might start once more today"),
    ):
        helps = [(r, kw) for r in _of(problem, mrids) if (kw := _could_kw(problem, r)) >= KW_MIN]
        if not helps:
            continue
        kw = sum(kw for _, kw in helps)
        cost = sum(kw * hours * r.cost_per_kwh for r, kw in helps)
        names = words.names([r.mrid for r, _ in helps])
        enough = (
            "which would be enough"
            if kw + KW_MIN >= worst.amount
            else f"of {worst.amount:.0f} missing"
        )
        found.append(
            Finding(
                kind=FindingKind.REMEDY,
                text=f"{what.format(names)}, that would be up to {kw:.0f} kW {when}, {enough};"
                f" it would cost about {cost:.0f}.",
                first=window.first,
                last=window.last,
                amount=round(kw, 3),
                unit="kW",
                cost=round(cost, 3),
                resources=tuple(r.mrid for r, _ in helps),
            )
        )
    return found


def _of(problem: Problem, mrids: Sequence[str]) -> list[Resource]:
    return [r for r in problem.task.resources if r.mrid in mrids]


def _could_kw(problem: Problem, resource: Resource) -> float:
    """kW by which a resource that is out now could lower the import, as far as is known."""
    state = problem.states.get(resource.mrid)
    if state is None or isinstance(resource, PvInverter) or not np.isfinite(state.available_kw):
        return 0.0
    return float(max(min(resource.rating_kw, state.available_kw), 0.0))


def _exclusions(words: Words, excluded: Sequence[Exclusion]) -> list[Finding]:
    by_reason: dict[str, list[str]] = {}
    for e in excluded:
        by_reason.setdefault(e.reason, []).append(e.resource)
    return [
        Finding(
            kind=FindingKind.EXCLUDED,
            text=f"{words.counted(mrids)} may not be used ({reason}): {words.names(mrids)}.",
            amount=float(len(mrids)),
            unit="resources",
            resources=tuple(mrids),
        )
        for reason, mrids in by_reason.items()
    ]


def _windows(words: Words, problem: Problem) -> list[Finding]:
    """Who may not be used in a part of the horizon, and why."""
    found: dict[tuple[str, int, int], list[str]] = {}
    for resource in problem.task.resources:
        state = problem.states.get(resource.mrid)
        if state is None or resource.mrid in problem.excluded:
            continue
        for window in state.blocked:
            touched = np.flatnonzero(blocked_intervals([window], problem.grid)).tolist()
            if touched:
                key = (window.reason, touched[0], touched[-1])
                found.setdefault(key, []).append(resource.mrid)
    return [
        Finding(
            kind=FindingKind.EXCLUDED,
            text=f"{words.counted(mrids)} may not be used"
            f" {words.between(Span(first=first, last=last))} ({reason}): {words.names(mrids)}.",
            first=first,
            last=last,
            amount=float(len(mrids)),
            unit="resources",
            resources=tuple(mrids),
        )
        for (reason, first, last), mrids in found.items()
    ]


def _forecast(
    words: Words,
    problem: Problem,
    network: RegulatedNetwork,
    result: PlanningResult,
    near: FlowResult | None,
) -> list[Finding]:
    """The same setpoints when the load without control is 10 % more, and 10 % less."""
    case = problem.case_with(result.setpoints, result.positions)
    found = []
    for sign, word in ((1.0, "above"), (-1.0, "below")):
        share = (
            FORECAST_ERROR * problem.base_flow.head_kw / np.maximum(problem.base_flow.load_kw, 1.0)
        )
        scale = np.maximum(case.load_scale * (1.0 + sign * share), 0.0)
        other = replace(case, load_scale=scale)
        said = f"If the load is {100 * FORECAST_ERROR:.0f} % {word} the forecast"
        flow = problem.flow(other, network, start=near, rough=True)
        if near is not None and near.converged and flow.converged:
            # What is as far on the other side lies about opposite.
            near = replace(near, v_complex=2.0 * near.v_complex - flow.v_complex)
        found.append(_if_off(words, problem, flow, network.judged, said))
    return found


def _if_off(
    words: Words, problem: Problem, flow: FlowResult, live: BoolArray, said: str
) -> Finding:
    if not flow.converged:
        text = f"{said}, the power flow of this plan does not converge."
        return Finding(kind=FindingKind.FORECAST, text=text)
    limits = problem.task.limits
    over_kw = flow.head_kw - limits.head_import_kw
    late = spans(np.flatnonzero(over_kw > KW_MIN).tolist())
    low, high = float(flow.v_pu[live].min()), float(flow.v_pu[live].max())
    if late:
        worst = int(np.argmax(over_kw))
        text = (
            f"{said}, the import passes its limit by up to {over_kw[worst]:.0f} kW"
            f" ({words.clock(worst)}), {words.between(late[0])}"
            + (f" and {len(late) - 1} more times" if len(late) > 1 else "")
        )
    else:
        text = f"{said}, the import stays within its limit"
    beyond_kw = -flow.head_kw - export_max_kw(problem.task, problem.grid)
    if beyond_kw.max(initial=-np.inf) > KW_MIN:
        text += (
            f", the export passes what {export_names(problem.task)} allows by up to"
            f" {beyond_kw.max():.0f} kW ({words.clock(int(np.argmax(beyond_kw)))})"
        )
    inside = limits.voltage_min_pu <= low and high <= limits.voltage_max_pu
    allowed = "" if inside else ", not all within their limits"
    text += f"; voltages lie between {low:.3f} and {high:.3f} pu{allowed}."
    return Finding(
        kind=FindingKind.FORECAST,
        text=text,
        first=late[0].first if late else None,
        last=late[-1].last if late else None,
        amount=round(float(over_kw.max()), 3),
        unit="kW",
    )
