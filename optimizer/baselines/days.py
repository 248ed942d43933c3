"""Which earlier days a baseline is made of. Every day that was passed over has its reason."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gridctl.model.errors import Refusal, RefusedError
from optimizer.arrays import BoolArray
from optimizer.baselines.history import SATURDAY, WEEKDAY, Event, History
from optimizer.baselines.methods import Choose, Days, Method, Rule


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """`days` latest first; `passed`: day → why it was not used."""

    days: tuple[int, ...]
    passed: tuple[tuple[int, str], ...]


def rule_for(method: Method, kind: int) -> tuple[Days, frozenset[int]]:
    """The row for a day of `kind` and which kinds are like it."""
    if kind == WEEKDAY:
        found, like = method.weekday, frozenset({WEEKDAY})
    elif method.saturday is not None:
        found = method.saturday if kind == SATURDAY else method.weekend
        like = frozenset({kind})
    else:
        found, like = method.weekend, frozenset({1, 2})
    if found is None:
        raise ValueError(f"{method.id}: no row for such a day")
    return found, like


def choose_days(history: History, event: Event, method: Method, needed: BoolArray) -> Chosen:
    """The days of `method`. `needed` (s,): slots in which a reference day must have values.

    Raises RefusedError when there are fewer than the method's least.
    """
    rule, like = rule_for(method, int(history.kind[event.day]))
    passed: list[tuple[int, str]] = []
    eligible = _eligible(history, event, method, like=like, needed=needed, passed=passed)
    match method.rule:
        case Rule.MATCH:
            kept = _closest(history, event, method, eligible)[: rule.keep]
        case Rule.WEATHER:
            kept = _same_weather(history, event, eligible)[: rule.keep]
        case _:
            looked = _looked_at(history, event, method, rule=rule, eligible=eligible, passed=passed)
            kept = _kept(history, event, rule, looked)
    if method.fill_with_event_days and len(kept) < rule.least:
        lent = _event_days(history, event, method, like=like, needed=needed)
        kept += lent[: rule.least - len(kept)]
    if len(kept) < rule.least:
        why = (
            f"{method.id}: {len(kept)} like days in {method.lookback_days} days, "
            f"{rule.least} are needed"
        )
        raise RefusedError(Refusal(code="baseline", reasons=(why,)))
    return Chosen(days=tuple(sorted(kept, reverse=True)), passed=tuple(passed))


def usage_kw(history: History, event: Event, day: int) -> float:
    """Mean power in the hours of the event on another day."""
    return float(np.mean(history.load_kw[day, event.start : event.end]))


def _eligible(
    history: History,
    event: Event,
    method: Method,
    *,
    like: frozenset[int],
    needed: BoolArray,
    passed: list[tuple[int, str]],
) -> list[int]:
    """Like days within the look-back, latest first."""
    found: list[int] = []
    for day in range(
        event.day - 1 - method.skip_days, max(-1, event.day - method.lookback_days - 1), -1
    ):
        if int(history.kind[day]) not in like:
            continue
        if day in history.event_days:
            passed.append((day, "event day"))
        elif day in history.excluded:
            passed.append((day, history.excluded[day]))
        elif not np.isfinite(history.load_kw[day][needed]).all():
            passed.append((day, "readings are missing or not usable"))
        else:
            found.append(day)
    return found


def _looked_at(
    history: History,
    event: Event,
    method: Method,
    *,
    rule: Days,
    eligible: list[int],
    passed: list[tuple[int, str]],
) -> list[int]:
    """The latest `look` days whose use is not so low that nobody was there."""
    if method.low_usage_share <= 0.0 or int(history.kind[event.day]) != WEEKDAY:
        return eligible[: rule.look]
    if method.low_usage_seed_days:
        return _above_running_mean(
            history, event, method, rule=rule, eligible=eligible, passed=passed
        )
    looked = eligible[: rule.look]
    rest = eligible[rule.look :]
    while looked:
        bound_kw = method.low_usage_share * float(
            np.mean([usage_kw(history, event, day) for day in looked])
        )
        low = [day for day in looked if usage_kw(history, event, day) < bound_kw]
        if not low:
            break
        passed += [(day, "use below a quarter of the mean") for day in low]
        looked = [day for day in looked if day not in low]
        looked, rest = looked + rest[: len(low)], rest[len(low) :]
    return looked


def _above_running_mean(
    history: History,
    event: Event,
    method: Method,
    *,
    rule: Days,
    eligible: list[int],
    passed: list[tuple[int, str]],
) -> list[int]:
    """NYISO: seeded with the peak of the last 30 days, each accepted day joins the mean."""
    recent = [d for d in eligible if event.day - d <= method.low_usage_seed_days]
    if not recent:
        return []
    known = [max(usage_kw(history, event, day) for day in recent)]
    looked: list[int] = []
    for day in eligible:
        if len(looked) == rule.look:
            break
        used = usage_kw(history, event, day)
        if used < method.low_usage_share * float(np.mean(known)):
            passed.append((day, "use below a quarter of the running mean"))
            continue
        looked.append(day)
        known.append(used)
    return looked


def _kept(history: History, event: Event, rule: Days, looked: list[int]) -> list[int]:
    match rule.choose:
        case Choose.ALL:
            return looked[: rule.keep]
        case Choose.HIGHEST:
            ranked = sorted(looked, key=lambda day: -usage_kw(history, event, day))
            return ranked[: rule.keep]
        case Choose.MIDDLE:
            ranked = sorted(looked, key=lambda day: float(np.nansum(history.load_kw[day])))
            drop = (rule.look - rule.keep) // 2
            return ranked[drop : len(ranked) - drop] if len(ranked) == rule.look else []


def _event_days(
    history: History, event: Event, method: Method, *, like: frozenset[int], needed: BoolArray
) -> list[int]:
    """Earlier event days with the highest load: only where there are too few others."""
    found = [
        day
        for day in history.event_days
        if event.day - method.lookback_days <= day < event.day
        and day >= 0
        and int(history.kind[day]) in like
        and day not in history.excluded
        and np.isfinite(history.load_kw[day][needed]).all()
    ]
    return sorted(found, key=lambda day: -usage_kw(history, event, day))


def _closest(history: History, event: Event, method: Method, eligible: list[int]) -> list[int]:
    """By the mean squared difference in the hours that the event did not touch."""
    guard = round(method.guard_h / history.step_h)
    away = np.ones(history.slots, dtype=bool)
    away[max(0, event.start - guard) : event.end + guard] = False
    own = history.load_kw[event.day, away]
    distance = {day: float(np.nanmean((history.load_kw[day, away] - own) ** 2)) for day in eligible}
    return sorted(eligible, key=lambda day: (distance[day], -day))


def _same_weather(history: History, event: Event, eligible: list[int]) -> list[int]:
    if history.temperature_c is None:
        raise RefusedError(
            Refusal(code="baseline", reasons=("weather-match: no temperature is given",))
        )
    degrees = history.temperature_c
    known = [day for day in eligible if np.isfinite(degrees[day]).any()]
    if not np.isfinite(degrees[event.day]).any():
        return []
    highest = float(np.nanmax(degrees[event.day]))
    return sorted(known, key=lambda day: (abs(float(np.nanmax(degrees[day])) - highest), -day))
