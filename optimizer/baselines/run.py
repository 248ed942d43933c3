"""A settlement run: pure, from stored inputs to rows; same inputs, same run, to the bit.

Reduction is baseline minus load, kW. What a run is made of is digested into its id, so that a run
can be made again by anybody who has its inputs, and another input is another run.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import numpy as np
from scipy.special import ndtr

from gridctl.model.canonical import digest
from gridctl.model.errors import Refusal, RefusedError
from optimizer.arrays import FloatArray
from optimizer.baselines.baseline import Baseline, baseline
from optimizer.baselines.history import History, event_of
from optimizer.baselines.methods import Method, Rule
from optimizer.baselines.placebo import Score, placebo, placebo_events

RUN_VERSION = 1
BAND = 1.645
"""Sigmas of a two-sided 90 % band."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What is to be settled. `inputs`: digest of the readings; `committed_kw`: what was promised;
    `firm_kw`: the level of a firm service; `is_netted`: use above the baseline counts against."""

    resource: str
    when: date
    start_h: float
    end_h: float
    method: str
    committed_kw: float
    inputs: str
    timezone: str
    holidays: tuple[str, ...] = ()
    event_days: tuple[str, ...] = ()
    firm_kw: float | None = None
    is_netted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One interval of the event. `doubts`: what validation says of its reading."""

    start_h: float
    load_kw: float
    baseline_kw: float
    reduction_kw: float
    doubts: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """All that a statement needs. `band_kwh`: half of the 90 % band of `reduction_kwh`, from the
    placebo events; None for a firm service level, which has no error of its own. `adjustment`:
    "ratio" or "additive" (kW), raw and as used. `why_not`: why it does not settle; empty: it does.
    """

    id: str
    version: int
    ask: Ask
    method_version: str
    method_digest: str
    title: str
    rows: tuple[Row, ...]
    days: tuple[str, ...]
    passed: tuple[tuple[str, str], ...]
    adjustment: str
    adjustment_raw: float | None
    adjustment_used: float | None
    notes: tuple[str, ...]
    score: Score | None
    baseline_kwh: float
    load_kwh: float
    reduction_kwh: float
    committed_kwh: float
    band_kwh: float | None
    probability: float | None
    performance_pct: float | None
    why_not: tuple[str, ...]


def settle(
    history: History,
    ask: Ask,
    methods: Mapping[str, Method],
    *,
    doubts: Mapping[int, str] | None = None,
) -> Run:
    """Compute the run. `doubts`: words of validation by slot of the event's day.

    Raises RefusedError when there is no baseline, or a reading of the event itself is missing.
    """
    method = methods.get(ask.method)
    if method is None:
        raise _refused(f"no method {ask.method}; there are {', '.join(methods)}")
    event = event_of(history, ask.when, ask.start_h, ask.end_h)
    load = history.load_kw[event.day, event.start : event.end]
    if not np.isfinite(load).all():
        gone = int((~np.isfinite(load)).sum())
        raise _refused(f"{ask.when}: {gone} of {len(load)} readings of the event are not usable")
    made = baseline(history, event, method, methods=methods, firm_kw=ask.firm_kw)
    if not np.isfinite(made.baseline_kw).all():
        raise _refused(f"{ask.method}: no baseline for every hour of the event")
    score = None
    if method.rule is not Rule.FIRM:
        score, _ = placebo(
            history,
            placebo_events(history, event),
            lambda other: baseline(history, other, method, methods=methods),
        )
    reduction = made.baseline_kw - load
    if not ask.is_netted:
        reduction = np.maximum(reduction, 0.0)
    rows = tuple(
        Row(
            start_h=(event.start + k) * history.step_h,
            load_kw=float(load[k]),
            baseline_kw=float(made.baseline_kw[k]),
            reduction_kw=float(reduction[k]),
            doubts=(doubts or {}).get(event.start + k, ""),
        )
        for k in range(len(load))
    )
    return _summed(history, ask, method, made=made, rows=rows, score=score, load=load)


def _summed(
    history: History,
    ask: Ask,
    method: Method,
    *,
    made: Baseline,
    rows: tuple[Row, ...],
    score: Score | None,
    load: FloatArray,
) -> Run:
    hours = history.step_h
    reduction_kwh = sum(row.reduction_kw for row in rows) * hours
    committed_kwh = ask.committed_kw * len(rows) * hours
    sigma_kw = None if score is None or math.isnan(score.event_sigma_kw) else score.event_sigma_kw
    signed_kw = float(np.mean(made.baseline_kw - load))
    probability = None
    if sigma_kw is not None and sigma_kw > 0.0:
        probability = float(ndtr(signed_kw / sigma_kw))
    return Run(
        id=run_id(ask, made.digest),
        version=RUN_VERSION,
        ask=ask,
        method_version=method.version,
        method_digest=made.digest,
        title=method.title,
        rows=rows,
        days=tuple(history.date_of(day).isoformat() for day in made.days),
        passed=tuple((history.date_of(day).isoformat(), why) for day, why in made.passed),
        adjustment=method.adjust.value,
        adjustment_raw=made.raw,
        adjustment_used=made.used,
        notes=made.notes,
        score=score,
        baseline_kwh=float(made.baseline_kw.sum()) * hours,
        load_kwh=float(load.sum()) * hours,
        reduction_kwh=reduction_kwh,
        committed_kwh=committed_kwh,
        band_kwh=None if sigma_kw is None else BAND * sigma_kw * len(rows) * hours,
        probability=probability,
        performance_pct=100.0 * reduction_kwh / committed_kwh if committed_kwh > 0 else None,
        why_not=() if score is None else score.why_not,
    )


def run_id(ask: Ask, method_digest: str) -> str:
    """The run's name: what it is made of, digested."""
    named = {
        "run_version": RUN_VERSION,
        "resource": ask.resource,
        "when": ask.when.isoformat(),
        "start_h": ask.start_h,
        "end_h": ask.end_h,
        "method": ask.method,
        "method_digest": method_digest,
        "committed_kw": ask.committed_kw,
        "inputs": ask.inputs,
        "timezone": ask.timezone,
        "holidays": list(ask.holidays),
        "event_days": list(ask.event_days),
        "firm_kw": ask.firm_kw,
        "is_netted": ask.is_netted,
    }
    return "S-" + digest(named)[:16]


def _refused(why: str) -> RefusedError:
    return RefusedError(Refusal(code="settlement", reasons=(why,)))
