"""What an enrolment or an opt-out allows of a device: caps of calls, notice, windows. Pure.

Times are grid seconds; a local day or week is that of the feeder (`utc_offset_s`), a week begins on
Monday. A call is a start: a device that goes on in the next plan is not called again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

DAY_S = 86_400.0
WEEK_DAYS = 7
_MONDAY = 4  # 1970-01-05, the fifth day, was one


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """From `start_s` to `end_s` the device may not be used; `reason` is for the operator."""

    start_s: float
    end_s: float
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WeeklyWindow:
    """The same, each week: `weekdays` 0 (Monday) … 6, seconds of the local standard day."""

    weekdays: tuple[int, ...]
    from_s: float
    to_s: float
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What one enrolment (or opt-out) says of one device; None: no limit.

    `first_s`, `last_s`: its dates, which are also the season; outside them the device may not be
    used. `notice_s`: between the asking and the start; `emergency_notice_s`: the same in an
    emergency (None: no other than always).
    """

    id: str
    device: str
    calls_per_day_max: int | None = None
    calls_per_week_max: int | None = None
    calls_per_season_max: int | None = None
    notice_s: float = 0.0
    emergency_notice_s: float | None = None
    first_s: float | None = None
    last_s: float | None = None
    windows: tuple[Window, ...] = ()
    weekly: tuple[WeeklyWindow, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """What is left of a device for one plan: `excluded` why it may not be used at all, or None;
    `blocked` windows; `starts_per_day_max` None: nobody limits them."""

    excluded: str | None = None
    blocked: tuple[Window, ...] = ()
    starts_per_day_max: int | None = None


def ordinal(number: int) -> str:
    """1st, 2nd, 3rd, 4th, 11th …"""
    last = number % 10
    teens = number % 100 in (11, 12, 13)
    return f"{number}{'th' if teens or last not in (1, 2, 3) else ('st', 'nd', 'rd')[last - 1]}"


def allowance(
    terms: Sequence[Terms],
    *,
    starts_s: Sequence[float],
    is_active: bool,
    asked_s: float,
    now_s: float,
    end_s: float,
    utc_offset_s: float,
    is_emergency: bool = False,
) -> Allowance:
    """What `terms` of one device leave for a plan from `now_s` to `end_s`.

    `starts_s`: when it was called before; `asked_s`: when what the plan answers was asked for, from
    which notice counts; `is_emergency`: whether that is one. A device that is in a call goes on: it
    needs no new call and no notice.
    """
    excluded: list[str] = []
    blocked: list[Window] = []
    per_day: list[int] = []
    for one in terms:
        blocked += _windows(one, now_s=now_s, end_s=end_s, utc_offset_s=utc_offset_s)
        notice_s = one.notice_s
        if is_emergency and one.emergency_notice_s is not None:
            notice_s = one.emergency_notice_s
        if not is_active and notice_s > 0:
            blocked.append(
                Window(
                    start_s=now_s,
                    end_s=asked_s + notice_s,
                    reason=f"{notice_s / 60:g} minutes of notice ({one.id})",
                )
            )
        for left, made, period in _left(one, starts_s, now_s=now_s, utc_offset_s=utc_offset_s):
            if left <= 0 and not is_active:
                excluded.append(f"{ordinal(made + 1)} call this {period} ({one.id})")
            # `left` counts from now; the planner takes today's starts off again
            per_day.append(left + _calls_of_day(starts_s, now_s, utc_offset_s))
            if period != "day" and left < 2 * _days(now_s, end_s, utc_offset_s):
                blocked += _tomorrow(one, now_s, end_s, utc_offset_s)
    inside = [w for w in blocked if w.end_s > now_s and w.start_s < end_s and w.start_s < w.end_s]
    now_blocked = [w.reason for w in inside if w.start_s <= now_s and w.end_s >= end_s]
    return Allowance(
        excluded="; ".join([*excluded, *now_blocked]) or None,
        blocked=tuple(sorted(inside, key=lambda w: (w.start_s, w.end_s, w.reason))),
        starts_per_day_max=min(per_day, default=None),
    )


def _left(
    terms: Terms, starts_s: Sequence[float], *, now_s: float, utc_offset_s: float
) -> Iterator[tuple[int, int, str]]:
    """(calls left, calls made, period) for each cap."""
    day = local_day(now_s, utc_offset_s)
    week = day - (day - _MONDAY) % WEEK_DAYS
    first_s = float("-inf") if terms.first_s is None else terms.first_s
    made = {
        "day": sum(local_day(at, utc_offset_s) >= day for at in starts_s),
        "week": sum(local_day(at, utc_offset_s) >= week for at in starts_s),
        "season": sum(at >= first_s for at in starts_s),
    }
    caps = {
        "day": terms.calls_per_day_max,
        "week": terms.calls_per_week_max,
        "season": terms.calls_per_season_max,
    }
    for period, cap in caps.items():
        if cap is not None:
            yield cap - made[period], made[period], period


def local_day(at_s: float, utc_offset_s: float) -> int:
    """Number of the local day since 1970-01-01."""
    return int((at_s + utc_offset_s) // DAY_S)


def _calls_of_day(starts_s: Sequence[float], now_s: float, utc_offset_s: float) -> int:
    day = local_day(now_s, utc_offset_s)
    return sum(local_day(at, utc_offset_s) >= day for at in starts_s)


def _days(now_s: float, end_s: float, utc_offset_s: float) -> int:
    return local_day(end_s - 1.0, utc_offset_s) - local_day(now_s, utc_offset_s)


def _tomorrow(terms: Terms, now_s: float, end_s: float, utc_offset_s: float) -> list[Window]:
    """After midnight, where a plan over two days could use more calls than are left."""
    midnight_s = (local_day(now_s, utc_offset_s) + 1) * DAY_S - utc_offset_s
    if midnight_s >= end_s:
        return []
    reason = f"its last calls may be used up by tomorrow ({terms.id})"
    return [Window(start_s=midnight_s, end_s=end_s, reason=reason)]


def _windows(terms: Terms, *, now_s: float, end_s: float, utc_offset_s: float) -> Iterator[Window]:
    yield from terms.windows
    if terms.first_s is not None and now_s < terms.first_s:
        reason = f"the enrolment has not begun ({terms.id})"
        yield Window(start_s=now_s, end_s=terms.first_s, reason=reason)
    if terms.last_s is not None and end_s > terms.last_s:
        reason = f"the enrolment is over ({terms.id})"
        yield Window(start_s=terms.last_s, end_s=end_s, reason=reason)
    first = local_day(now_s, utc_offset_s) - 1
    for day in range(first, local_day(end_s, utc_offset_s) + 1):
        midnight_s = day * DAY_S - utc_offset_s
        for one in terms.weekly:
            if (day - _MONDAY) % WEEK_DAYS in one.weekdays:
                yield Window(
                    start_s=midnight_s + one.from_s,
                    end_s=midnight_s + one.to_s,
                    reason=one.reason,
                )
