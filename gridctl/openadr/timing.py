"""When an event happens, by the specification. Pure; used by REST, by the mapping and for `active`.

An interval's own period overrides the event's, the event's the program's; a start that is missing
follows the interval before; 0001-01-01 is "now", the moment in which the server learns of it;
P9999Y never ends; `event.duration` cuts the intervals off, or repeats them until it is over.
`randomizeStart` is the client's to apply (OpenADR 3.1.0, Definition, intervalPeriod and event).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from gridctl.openadr.periods import duration, instant
from gridctl.openadr.wire import EventRequest, Interval, IntervalPeriod, ProgramRequest

REPEATS_MAX: Final = 1_000
"""Windows that a looping event may unfold to."""


class TimingError(ValueError):
    """Why the times of an event cannot be told; the message is for whoever wrote it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """One interval in grid time; `end_s` None: it never ends."""

    interval: Interval
    start_s: float
    end_s: float | None


def base_period(event: EventRequest, program: ProgramRequest) -> IntervalPeriod:
    """What an interval inherits."""
    return event.interval_period or program.interval_period or IntervalPeriod()


def windows(event: EventRequest, program: ProgramRequest, *, now_s: float) -> list[Window]:
    """The intervals in their order, unfolded; `now_s`: when the event was written.

    Raises TimingError for a start or a duration that nobody gave, an end before its start, more
    than REPEATS_MAX repetitions, or a repetition of nothing.
    """
    base = base_period(event, program)
    once = list(_in_turn(event.intervals or [], base, now_s))
    if event.duration is None or not once:
        return once
    length = duration(event.duration)
    if length.is_forever:
        # until somebody ends it: the intervals stand for themselves
        return once
    end_s = length.after(once[0].start_s)
    if end_s is None:
        return once
    return _cut(_repeated(once, end_s), end_s)


def ends_s(event: EventRequest, program: ProgramRequest, *, now_s: float) -> float | None:
    """When the last of an event is over; None: never, or nobody can tell.

    An event without intervals lasts for its period.
    """
    try:
        found = windows(event, program, now_s=now_s)
        if not found:
            base = base_period(event, program)
            if base.start is None or base.duration is None:
                return None
            start_s = _instant(base.start, now_s)
            return duration(event.duration or base.duration).after(start_s)
    except TimingError:
        return None
    ends = [window.end_s for window in found]
    return None if any(end is None for end in ends) else max(end for end in ends if end is not None)


def is_cancelled(event: EventRequest) -> bool:
    """OpenADR's way to say that an event is off: now, for no time."""
    period = event.interval_period
    if period is None or period.start is None or period.duration is None:
        return False
    return instant(period.start) is None and duration(period.duration).is_nothing


def _in_turn(intervals: list[Interval], base: IntervalPeriod, now_s: float) -> Iterator[Window]:
    following_s: float | None = None
    for interval in intervals:
        own = interval.interval_period or IntervalPeriod()
        if own.start is not None:
            start_s = _instant(own.start, now_s)
        elif following_s is not None:
            start_s = following_s
        elif base.start is not None:
            start_s = _instant(base.start, now_s)
        else:
            raise TimingError("it has no start")
        length = own.duration or base.duration
        if length is None:
            raise TimingError("it has no duration")
        end_s = duration(length).after(start_s)
        if end_s is not None and end_s < start_s:
            raise TimingError("it ends before it starts")
        yield Window(interval=interval, start_s=start_s, end_s=end_s)
        if end_s is None:
            # what follows something without an end never begins
            return
        following_s = end_s


def _instant(text: str, now_s: float) -> float:
    found = instant(text)
    return now_s if found is None else found


def _repeated(once: list[Window], end_s: float) -> list[Window]:
    """The intervals again and again, as a block, until `end_s` is reached."""
    last_s = once[-1].end_s
    if last_s is None or last_s >= end_s:
        return once
    period_s = last_s - once[0].start_s
    if period_s <= 0:
        raise TimingError("its duration repeats intervals that take no time")
    count = int(-(-(end_s - once[0].start_s) // period_s))
    if count * len(once) > REPEATS_MAX:
        raise TimingError(f"its duration repeats the intervals more than {REPEATS_MAX} times")
    return [
        replace(w, start_s=w.start_s + k * period_s, end_s=_later(w.end_s, k * period_s))
        for k in range(count)
        for w in once
    ]


def _later(end_s: float | None, by_s: float) -> float | None:
    return None if end_s is None else end_s + by_s


def _cut(found: list[Window], end_s: float) -> list[Window]:
    return [
        replace(w, end_s=end_s if w.end_s is None else min(w.end_s, end_s))
        for w in found
        if w.start_s < end_s
    ]
