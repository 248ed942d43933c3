"""The figures by which an alarm system is judged (SG-29; ISA-18.2, IEC 62682, EEMUA 191). Pure.

They say how the alarms treat the operator, not how the grid is: more than 10 in 10 minutes is a
flood, and nobody reads a flood.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from gridctl.model.alarm import Alarm
from gridctl.model.duty import AlarmEvent

WINDOW_S = 600.0
FLOOD_BEGINS = 10
"""More than so many raised in WINDOW_S."""
FLOOD_ENDS = 5
"""Fewer than so many raised in WINDOW_S."""
STALE_S = 86_400.0
CHATTER_S, CHATTER_COUNT = 60.0, 3
DAY_S = 86_400.0
TOP = 10
PER_DAY_FINE, PER_DAY_MANY = 150, 300
PER_WINDOW_FINE = 1.0
FLOOD_SHARE_MAX = 0.01
TOP_SHARE_MAX = 0.05
LOUD_FROM = 400
"""Alarms; of fewer, ten sources are a large share however quiet each of them is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmFigures:
    """Of the time from `start_s` to `end_s` (grid). `judged`: each figure that is not as it should
    be, in words; nothing when all are."""

    start_s: float
    end_s: float
    raised: int
    per_day: float
    per_10_min: float
    most_in_10_min: int
    floods: int
    flood_s: float
    chattering: tuple[str, ...]
    stale: tuple[str, ...]
    top: tuple[tuple[str, int], ...]
    priorities: tuple[tuple[int, int], ...]
    acknowledged_after_s: float | None
    judged: tuple[str, ...]


def figures(
    events: Sequence[AlarmEvent], active: Iterable[Alarm], *, start_s: float, end_s: float
) -> AlarmFigures:
    """The figures of [start_s, end_s) from what happened in it, and what is active at its end."""
    raised = [e for e in events if e.what == "raised"]
    span_s = max(end_s - start_s, 1.0)
    most, floods, flood_s = _floods([e.at_s for e in raised], end_s)
    top = tuple(Counter(e.key for e in raised).most_common(TOP))
    found = AlarmFigures(
        start_s=start_s,
        end_s=end_s,
        raised=len(raised),
        per_day=len(raised) * DAY_S / span_s,
        per_10_min=len(raised) * WINDOW_S / span_s,
        most_in_10_min=most,
        floods=floods,
        flood_s=flood_s,
        chattering=_chattering(events),
        stale=tuple(
            sorted(a.key for a in active if a.cleared_s is None and end_s - a.raised_s > STALE_S)
        ),
        top=top,
        priorities=tuple(sorted(Counter(e.priority for e in raised).items())),
        acknowledged_after_s=_acknowledged_after_s(events),
        judged=(),
    )
    return replace(found, judged=tuple(_judged(found, span_s)))


def _judged(found: AlarmFigures, span_s: float) -> Iterable[str]:
    if span_s >= DAY_S and found.per_day >= PER_DAY_MANY:
        yield f"{found.per_day:.0f} alarms a day: {PER_DAY_MANY} are too many for one operator"
    elif span_s >= DAY_S and found.per_day > PER_DAY_FINE:
        yield f"{found.per_day:.0f} alarms a day: up to {PER_DAY_FINE} are fine"
    if found.per_10_min > PER_WINDOW_FINE:
        yield f"{found.per_10_min:.1f} alarms in 10 minutes on average: up to 1 is fine"
    if found.flood_s / span_s > FLOOD_SHARE_MAX:
        yield f"{100 * found.flood_s / span_s:.1f} % of the time in flood: below 1 % is fine"
    for key in found.chattering:
        yield f"{key} chatters: {CHATTER_COUNT} changes or more in a minute"
    for key in found.stale:
        yield f"{key} has stood for more than a day"
    loud = sum(count for _, count in found.top)
    if found.raised >= LOUD_FROM and loud / found.raised > TOP_SHARE_MAX:
        yield f"the {TOP} loudest make {100 * loud / found.raised:.0f} %: up to 5 % is fine"


def _floods(times_s: Sequence[float], end_s: float) -> tuple[int, int, float]:
    """(most in any 10 minutes, floods, seconds in flood)."""
    window: deque[float] = deque()
    most, floods, flood_s = 0, 0, 0.0
    began_s: float | None = None
    for at_s in sorted(times_s):
        if began_s is not None and (over_s := _over_s(window, at_s)) is not None:
            flood_s += over_s - began_s
            began_s = None
        while window and window[0] <= at_s - WINDOW_S:
            window.popleft()
        window.append(at_s)
        most = max(most, len(window))
        if began_s is None and len(window) > FLOOD_BEGINS:
            began_s, floods = at_s, floods + 1
    if began_s is not None:
        over_s = _over_s(window, end_s)
        flood_s += (end_s if over_s is None else over_s) - began_s
    return most, floods, flood_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Flood:
    """A flood that lasts: when it began, how many alarms it has brought, and which came first: the
    one to look at first (first-out, SG-30)."""

    since_s: float
    count: int
    first_out: str


def flood_now(events: Sequence[AlarmEvent], at_s: float) -> Flood | None:
    """The flood that lasts at `at_s`, or None. `events`: oldest first, of some hours."""
    window: deque[AlarmEvent] = deque()
    flood: Flood | None = None
    for event in (e for e in events if e.what == "raised" and e.at_s <= at_s):
        if flood is not None and _over_s([e.at_s for e in window], event.at_s) is not None:
            flood = None
        while window and window[0].at_s <= event.at_s - WINDOW_S:
            window.popleft()
        window.append(event)
        if flood is not None:
            flood = replace(flood, count=flood.count + 1)
        elif len(window) > FLOOD_BEGINS:
            flood = Flood(since_s=event.at_s, count=len(window), first_out=window[0].key)
    if flood is not None and _over_s([e.at_s for e in window], at_s) is not None:
        return None
    return flood


def _over_s(window: Sequence[float], until_s: float) -> float | None:
    """When, before `until_s`, fewer than FLOOD_ENDS of `window` are in the last 10 minutes."""
    if len(window) < FLOOD_ENDS:
        return window[-1] if window else until_s
    left_s = window[len(window) - FLOOD_ENDS] + WINDOW_S
    return left_s if left_s <= until_s else None


def _chattering(events: Sequence[AlarmEvent]) -> tuple[str, ...]:
    by_key: dict[str, deque[float]] = {}
    found: set[str] = set()
    for event in events:
        if event.what == "acked":
            continue
        last = by_key.setdefault(event.key, deque(maxlen=CHATTER_COUNT))
        last.append(event.at_s)
        if len(last) == CHATTER_COUNT and last[-1] - last[0] <= CHATTER_S:
            found.add(event.key)
    return tuple(sorted(found))


def _acknowledged_after_s(events: Sequence[AlarmEvent]) -> float | None:
    """Mean time from raised to acknowledged, of those that were both here."""
    raised_s: dict[str, float] = {}
    waits: list[float] = []
    for event in events:
        if event.what == "raised":
            raised_s[event.key] = event.at_s
        elif event.what == "acked" and event.key in raised_s:
            waits.append(event.at_s - raised_s.pop(event.key))
    return sum(waits) / len(waits) if waits else None
