"""How good a baseline is: events that never were, in which baseline minus load is pure error."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from gridctl.model.errors import RefusedError
from optimizer.arrays import FloatArray
from optimizer.baselines.baseline import Baseline
from optimizer.baselines.history import Event, History

PLACEBO_LEAST = 40
"""So many placebo events make an eligibility."""
RRMSE_MAX_PCT = 20.0
BIAS_MAX_PCT = 4.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """`rrmse_pct` = sqrt(mean (L-B)^2) / mean L; `bias_pct` = mean (B-L) / mean L, positive: the
    baseline is too high and pays too much. `sigma_kw`: of a single interval's error;
    `event_sigma_kw`: of an event's mean error. `refused`: events without a baseline."""

    events: int
    refused: int
    rrmse_pct: float
    bias_pct: float
    sigma_kw: float
    event_sigma_kw: float

    @property
    def why_not(self) -> tuple[str, ...]:
        """Why the baseline may not settle; empty: it may."""
        reasons: list[str] = []
        if self.events < PLACEBO_LEAST:
            reasons.append(f"{self.events} placebo events, {PLACEBO_LEAST} are needed")
        if not self.events:
            return tuple(reasons)
        if not self.rrmse_pct <= RRMSE_MAX_PCT:
            reasons.append(f"RRMSE {self.rrmse_pct:.1f} %, {RRMSE_MAX_PCT:g} % are allowed")
        if not abs(self.bias_pct) <= BIAS_MAX_PCT:
            reasons.append(f"bias {self.bias_pct:+.1f} %, {BIAS_MAX_PCT:g} % are allowed")
        return tuple(reasons)


def scored(loads: Sequence[FloatArray], baselines: Sequence[FloatArray], refused: int) -> Score:
    """From the loads and baselines of each placebo event, kW."""
    if not loads:
        nan = float("nan")
        return Score(events=0, refused=refused, rrmse_pct=nan, bias_pct=nan, sigma_kw=nan,
                     event_sigma_kw=nan)  # fmt: skip
    load, found = np.concatenate(list(loads)), np.concatenate(list(baselines))
    error = found - load
    mean_kw = float(np.mean(load))
    per_event = [float(np.mean(b - own)) for own, b in zip(loads, baselines, strict=True)]
    scale = 100.0 / mean_kw if mean_kw > 0 else float("nan")
    return Score(
        events=len(loads),
        refused=refused,
        rrmse_pct=scale * float(np.sqrt(np.mean(error**2))),
        bias_pct=scale * float(np.mean(error)),
        sigma_kw=float(np.sqrt(np.mean(error**2))),
        event_sigma_kw=float(np.sqrt(np.mean(np.square(per_event)))),
    )


def placebo(
    history: History, events: Sequence[Event], compute: Callable[[Event], Baseline]
) -> tuple[Score, list[tuple[Event, Baseline]]]:
    """Score `compute` on events in which nothing was asked for."""
    loads: list[FloatArray] = []
    found: list[tuple[Event, Baseline]] = []
    refused = 0
    for event in events:
        load = history.load_kw[event.day, event.start : event.end]
        if not np.isfinite(load).all():
            refused += 1
            continue
        try:
            made = compute(event)
        except RefusedError:
            refused += 1
            continue
        if not np.isfinite(made.baseline_kw).all():
            refused += 1
            continue
        loads.append(load)
        found.append((event, made))
    return scored(loads, [made.baseline_kw for _, made in found], refused), found


def placebo_events(
    history: History, like: Event, *, count: int = PLACEBO_LEAST, seed: int = 0
) -> list[Event]:
    """`count` earlier days of the same kind at the same hours, drawn once and for all by `seed`;
    the latest year only."""
    kinds = history.kind == history.kind[like.day]
    days = [
        day
        for day in range(max(0, like.day - 365), like.day)
        if kinds[day] and day not in history.event_days and day not in history.excluded
    ]
    # The earliest have no history of their own.
    days = [day for day in days if day >= 20]  # noqa: PLR2004 - ten weekdays and a weekend or two
    if len(days) > count:
        drawn = np.random.default_rng(seed).choice(len(days), count, replace=False)
        days = sorted(days[k] for k in drawn)
    return [Event(day=day, start=like.start, end=like.end) for day in days]
