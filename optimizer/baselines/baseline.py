"""The baseline of one event: unadjusted, its adjustment, and what was used for it.

All in kW over the event's intervals; load drawn is positive. B is the baseline, L the load.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from gridctl.model.errors import Refusal, RefusedError
from optimizer.arrays import BoolArray, FloatArray
from optimizer.baselines.days import Chosen, choose_days
from optimizer.baselines.history import Event, History
from optimizer.baselines.methods import Adjust, Method, Rule
from optimizer.baselines.regression import regressed


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Baseline:
    """`baseline_kw` (m,) after the adjustment, `unadjusted_kw` (m,) before. `raw`: the ratio, or
    the kW added, as it came out; `used`: after the cap; None without adjustment. `notes`: whatever
    made it less than the method promises."""

    method: str
    digest: str
    baseline_kw: FloatArray
    unadjusted_kw: FloatArray
    raw: float | None
    used: float | None
    days: tuple[int, ...]
    passed: tuple[tuple[int, str], ...]
    notes: tuple[str, ...] = ()


def baseline(
    history: History,
    event: Event,
    method: Method,
    *,
    methods: Mapping[str, Method],
    firm_kw: float | None = None,
) -> Baseline:
    """Compute it. Raises RefusedError with the reason when the method cannot be applied."""
    match method.rule:
        case Rule.FIRM:
            return _firm(event, method, firm_kw)
        case Rule.MEAN:
            return _mean(history, event, method, methods)
        case _:
            return _from_days(history, event, method)


def _firm(event: Event, method: Method, firm_kw: float | None) -> Baseline:
    if firm_kw is None:
        raise RefusedError(
            Refusal(code="baseline", reasons=("a firm service level must be named in kW",))
        )
    level = np.full(event.end - event.start, firm_kw)
    return Baseline(
        method=method.id, digest=method.digest(), baseline_kw=level, unadjusted_kw=level,
        raw=None, used=None, days=(), passed=(),
    )  # fmt: skip


def _mean(
    history: History, event: Event, method: Method, methods: Mapping[str, Method]
) -> Baseline:
    parts = [baseline(history, event, methods[name], methods=methods) for name in method.of]
    return Baseline(
        method=method.id,
        digest=replace(method, of=tuple(part.digest for part in parts)).digest(),
        baseline_kw=np.mean([part.baseline_kw for part in parts], axis=0),
        unadjusted_kw=np.mean([part.unadjusted_kw for part in parts], axis=0),
        raw=None,
        used=None,
        days=parts[-1].days,
        passed=parts[-1].passed,
        notes=tuple(note for part in parts for note in part.notes),
    )


def windows(history: History, event: Event, method: Method) -> BoolArray:
    """(s,) slots of the adjustment, cut off at midnight."""
    found = np.zeros(history.slots, dtype=bool)
    if method.pre is not None:
        start, end = (event.start - round(h / history.step_h) for h in method.pre)
        found[max(0, start) : max(0, end)] = True
    if method.post is not None:
        start, end = (event.end + round(h / history.step_h) for h in method.post)
        found[start:end] = True
    return found


def _from_days(history: History, event: Event, method: Method) -> Baseline:
    window = windows(history, event, method)
    needed = window.copy()
    needed[event.start : event.end] = True
    chosen: Chosen = choose_days(history, event, method, needed)
    if method.rule is Rule.REGRESSION:
        profile = regressed(history, event, chosen.days)
    else:
        profile = history.load_kw[list(chosen.days)].mean(axis=0)
    unadjusted = profile[event.start : event.end]
    raw, used, notes = _adjustment(history.load_kw[event.day], profile, window, method)
    if method.adjust is Adjust.RATIO and used is not None:
        adjusted = unadjusted * used
    elif method.adjust is Adjust.ADDITIVE and used is not None:
        adjusted = np.maximum(unadjusted + used, 0.0)
    else:
        adjusted = unadjusted
    return Baseline(
        method=method.id,
        digest=method.digest(),
        baseline_kw=adjusted,
        unadjusted_kw=unadjusted,
        raw=raw,
        used=used,
        days=chosen.days,
        passed=chosen.passed,
        notes=notes,
    )


def _adjustment(
    load: FloatArray, profile: FloatArray, window: BoolArray, method: Method
) -> tuple[float | None, float | None, tuple[str, ...]]:
    """Raw and capped ratio or kW; None and a note where the day itself cannot tell."""
    if method.adjust is Adjust.NONE:
        return None, None, ()
    at = window & np.isfinite(load) & np.isfinite(profile)
    if not at.any():
        return None, None, ("no adjustment: no reading in its hours",)
    notes = () if at.sum() == window.sum() else ("adjustment from part of its hours",)
    if method.adjust is Adjust.ADDITIVE:
        delta = float(np.mean(load[at] - profile[at]))
        return delta, delta, notes
    below = float(np.mean(profile[at]))
    if below <= 0.0:
        return None, None, (*notes, "no adjustment: the reference is not above zero in its hours")
    ratio = float(np.mean(load[at])) / below
    if method.cap is None:
        return ratio, ratio, notes
    low, high = method.cap
    return ratio, min(max(ratio, low), high), notes
