"""Why each setpoint is as it is: the row that it serves, for the approver (design §5, rule 18).

Of the soft rows with a price in a setpoint's interval, the one to which its kW are worth most: its
share of the row times the row's price (one valid price). Where no priced row gains, the resource's
own rules are the reason: a run is whole, what is charged now is given later.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from gridctl.model.planning import Finding, FindingKind, Setpoint, SetpointReason
from gridctl.model.resource import Battery, Generator, LoadGroup, PvInverter, Resource
from optimizer.arrays import FloatArray
from optimizer.assemble import Programme
from optimizer.explain import export_names, place, request_names
from optimizer.hot_spot import beyond_k, path
from optimizer.limits import Limit, loaded
from optimizer.problem import default_kw
from optimizer.regulated import RegulatedNetwork
from optimizer.run_rows import announced
from optimizer.solve import Solution
from optimizer.wording import Span, Words, spans

GAIN_MIN = 1e-6
MOVED_KW = 0.05
TOLD_MAX = 12
"""Reasons that are told of all; on a feeder with many broken voltages each place is one."""
WATTS = 1e-3
LOADING_PCT = 0.1
VOLTAGE_PU = 1e-4


RUN_ON = "stays on because its runs have a least length and a least level"
GENERATOR_ON = "runs on because its runs have a least length and a least load"
NO_LIMIT = (RUN_ON, GENERATOR_ON)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Serves:
    """A priced row: its interval, what serving it is called, and (channels,) how much of it a kW of
    each channel takes off, times its price."""

    interval: int
    words: str
    worth: FloatArray


def why_each(
    programme: Programme,
    solution: Solution,
    network: RegulatedNetwork,
    setpoints: Sequence[Setpoint],
    injected: FloatArray,
) -> tuple[SetpointReason, ...]:
    """A reason for every setpoint that moves its resource, runs of equal ones as one. `injected`
    (channels, T): what the setpoints inject, as the linear model counts it."""
    best = _best(programme, solution, network, injected)
    row = {programme.blocks[i].resource: i for i in range(len(programme.channels.members))}
    resources = {r.mrid: r for r in programme.problem.task.resources}
    series: dict[str, dict[int, float]] = {}
    for s in setpoints:
        series.setdefault(s.resource, {})[s.interval] = s.kw
    found: list[SetpointReason] = []
    for mrid, kw in series.items():
        of_own = best.get(row.get(mrid, -1), {})
        texts = _texts(programme, resources[mrid], kw, of_own)
        if any(text in NO_LIMIT for text in texts.values()) and mrid in row:
            without = _kept_by(programme, network, injected, row[mrid])
            texts = {
                t: without if text in NO_LIMIT and without else text for t, text in texts.items()
            }
        for text in dict.fromkeys(texts.values()):
            found += [
                SetpointReason(resource=mrid, first=span.first, last=span.last, text=text)
                for span in spans(t for t, own in texts.items() if own == text)
            ]
    return tuple(sorted(found, key=lambda one: (one.first, one.resource, one.last)))


def told(words: Words, why: Sequence[SetpointReason]) -> list[Finding]:
    """The reasons by their words: who moves for each, and from when to when."""
    by_text: dict[str, list[SetpointReason]] = {}
    for one in why:
        by_text.setdefault(one.text, []).append(one)
    found = []
    ranked = sorted(by_text.items(), key=lambda item: -sum(1 + o.last - o.first for o in item[1]))
    for text, ones in ranked[:TOLD_MAX]:
        mrids = list(dict.fromkeys(one.resource for one in ones))
        span = Span(first=min(one.first for one in ones), last=max(one.last for one in ones))
        found.append(
            Finding(
                kind=FindingKind.REASON,
                text=f"{words.names(mrids)} {text} ({words.between(span)})."
                if len(mrids) == 1
                else f"{words.counted(mrids)} {_many(text)} ({words.between(span)}):"
                f" {words.names(mrids)}.",
                first=span.first,
                last=span.last,
                amount=float(len(mrids)),
                unit="resources",
                resources=tuple(mrids),
            )
        )
    if rest := ranked[TOLD_MAX:]:
        mrids = list(dict.fromkeys(one.resource for _, ones in rest for one in ones))
        found.append(
            Finding(
                kind=FindingKind.REASON,
                text=f"{len(rest)} more reasons, each of fewer setpoints, concern"
                f" {words.counted(mrids)}; those of one device are told by its name.",
                amount=float(len(rest)),
                unit="reasons",
                resources=tuple(mrids),
            )
        )
    return found


def _many(text: str) -> str:
    """'moves to …' of one, 'move to …' of many; what follows a comma is of something else."""
    own, comma, other = text.partition(",")
    verb, _, rest = own.partition(" ")
    plural = {"is": "are", "goes": "go"}.get(verb, verb.removesuffix("s"))
    rest = rest.replace("its ", "their ").replace("it moves", "they move")
    return f"{plural} {rest}{comma}{other}"


def _best(
    programme: Programme, solution: Solution, network: RegulatedNetwork, injected: FloatArray
) -> dict[int, dict[int, str]]:
    """By channel and interval the words of the row that it serves most."""
    value = np.full(injected.shape, GAIN_MIN)
    found: dict[int, dict[int, str]] = {}
    for row in _priced(programme, solution, network):
        worth = row.worth * injected[:, row.interval]
        for k in np.flatnonzero(worth > value[:, row.interval]).tolist():
            value[k, row.interval] = worth[k]
            found.setdefault(k, {})[row.interval] = row.words
    return found


def _priced(
    programme: Programme, solution: Solution, network: RegulatedNetwork
) -> Iterator[_Serves]:
    head, target, lazy = programme.soft_rows()
    price, slope = solution.row_price, programme.model.head_slope
    task = programme.problem.task
    for rows, words in (
        (head, "moves to keep the import within the limit"),
        (target, f"moves to bring what {request_names(task)} asks for"),
    ):
        for t in np.flatnonzero(price[rows] > GAIN_MIN).tolist():
            yield _Serves(interval=t, words=words, worth=-slope[:, t] * price[rows][t])
    words = f"moves to keep the export within what {export_names(task)} allows"
    for t, own in zip(programme.system.exports, price[programme.export_rows()], strict=True):
        if own > GAIN_MIN:
            yield _Serves(interval=t, words=words, worth=slope[:, t] * own)
    if programme.head_price.any():
        for t in np.flatnonzero(programme.head_price > GAIN_MIN).tolist():
            worth = -slope[:, t] * programme.head_price[t]
            yield _Serves(interval=t, words="moves because of the price of import", worth=worth)
    yield from _by_system(programme, price, target.stop)
    # Rows that came when it was too late to solve again have no price.
    for row, own in zip(programme.rows, price[lazy], strict=False):
        if own <= GAIN_MIN:
            continue
        t = row.interval
        if row.limit is Limit.LOADING:
            limit, where = loaded(network.branch_names[row.where])
            words = "relieves" if limit is Limit.LOADING else "evens out the voltages at"
            worth = -programme.model.tangent(row.where, t).slope * own
        else:
            low = row.limit is Limit.VOLTAGE_LOW
            words, where = "lifts" if low else "lowers", place(network, row.where)
            words += " the voltage at"
            worth = programme.model.dv_at(row.where, t) * (own if low else -own) * 100.0
        yield _Serves(interval=t, words=f"{words} {where}", worth=worth)


def _by_system(programme: Programme, price: FloatArray, first: int) -> Iterator[_Serves]:
    """What rows of the policy read of import (peak, levels, ramps, scenarios) and of loadings."""
    system, slope = programme.system, programme.model.head_slope
    held = set(system.exports)
    own = price[first : first + system.rows]
    head = system.head.tocoo()
    rows = zip(head.row.tolist(), head.col.tolist(), head.data.tolist(), strict=True)
    for row, t, share in rows:
        if own[row] > GAIN_MIN and row >= len(held):
            words = "moves because of what the import costs or risks"
            yield _Serves(interval=t, words=words, worth=-slope[:, t] * share * own[row])
    branches = {(t, b): b for b, t, *_ in system.hot}
    load = system.load.tocoo()
    for row, k, _ in zip(load.row.tolist(), load.col.tolist(), load.data.tolist(), strict=True):
        if own[row] > GAIN_MIN:
            where, t = system.loads[k]
            name = programme.problem.base_flow.branch_names[where]
            words = f"keeps {branches.get((t, name), name)} cool enough"
            worth = -programme.model.tangent(where, t).slope * 0.01 * own[row]
            yield _Serves(interval=t, words=words, worth=worth)


def _texts(
    programme: Programme, resource: Resource, kw: dict[int, float], best: dict[int, str]
) -> dict[int, str]:
    """By interval why `resource` is moved; nothing where it stands at its default."""
    default, found = default_kw(resource), dict[int, str]()
    for t, value in kw.items():
        if abs(value - default) > MOVED_KW:
            found[t] = best.get(t) or _own_reason(programme, resource, kw, t)
    state = programme.problem.states[resource.mrid]
    if not found and abs(state.setpoint_kw - default) > MOVED_KW:
        found[min(kw)] = "goes back to its default: nothing asks for it any more"
    return found


def _kept_by(
    programme: Programme, network: RegulatedNetwork, injected: FloatArray, row: int
) -> str | None:
    """The limit that would be passed without what one resource does, though it does more than that
    asks for (its least level, its least length); None where there is none. On a large feeder only
    the import is asked: the others would take as long as planning."""
    bounds, problem = programme.bounds, programme.problem
    less = injected.copy()
    less[row] = 0.0
    what = None
    head_kw = programme.model.offsets.head_kw + (programme.model.head_slope * less).sum(axis=0)
    if (head_kw > bounds.import_kw + WATTS).any():
        what = "the import would pass its limit"
    elif (head_kw > bounds.target_kw + WATTS).any():
        what = f"{request_names(problem.task)} would be missed"
    elif not programme.model.is_large:
        said = programme.model.say(less)
        over, low = said.loading_pct - bounds.loading_pct, bounds.v_low_pu - said.v_pu
        hot = _too_hot(programme, said.loading_pct)
        if hot is not None:
            what = f"{hot} would get too hot"
        elif (over > LOADING_PCT).any():
            where = int(np.argmax(over.max(axis=1)))
            what = f"{loaded(network.branch_names[where])[1]} would be overloaded"
        elif (low > VOLTAGE_PU).any():
            where = int(np.argmax(low.max(axis=1)))
            what = f"the voltage at {place(network, where)} would be too low"
    return None if what is None else f"stays on because it moves in one piece, without which {what}"


def _too_hot(programme: Programme, loading_pct: FloatArray) -> str | None:
    """The first transformer that such loadings heat beyond its limits."""
    problem = programme.problem
    names = list(problem.base_flow.branch_names)
    air_c = np.array(problem.task.policy.temperature_c)
    for own in problem.task.policy.hot_spots:
        load = np.maximum(loading_pct[names.index(own.branch)] / 100.0, 0.0)
        if (beyond_k(own, path(own, load, air_c, problem.grid)) > 0.0).any():
            return own.branch
    return None


def _own_reason(programme: Programme, resource: Resource, kw: dict[int, float], t: int) -> str:
    match resource:
        case Battery() if kw[t] < 0.0:
            later = any(value > MOVED_KW for k, value in kw.items() if k > t)
            return "charges for later" if later else "fills up again"
        case Battery():
            return "gives what is left over"
        case LoadGroup() if kw[t] < 0.0:
            return "is cooled ahead of its call"
        case LoadGroup():
            grid = programme.problem.grid
            if announced(programme.problem.states[resource.mrid], grid)[t]:
                return "was announced to its customers"
            return RUN_ON
        case Generator():
            return GENERATOR_ON
        case PvInverter():
            return "is held down because the others that could have no room"
