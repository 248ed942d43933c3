"""OpenADR times: RFC 3339 texts and ISO 8601 durations, kept literally and computed here.

0001-01-01 means "now"; P9999Y means "for ever". Both overflow ordinary date arithmetic, so nothing
here ever goes through them.
"""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache

REMEMBERED = 4_096
"""Texts whose meaning is kept: the intervals of an event repeat a few of them over and over."""
DURATION_PATTERN = (
    r"^(-?)P(?=\d|T\d)(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)([DW]))?"
    r"(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?$"
)
DATETIME_PATTERN = (
    r"^\d{4}-\d{2}-\d{2}([Tt ]\d{2}:\d{2}:\d{2}(\.\d{1,9})?([Zz]|[+-]\d{2}:\d{2})?)?$"
)
_DURATION = re.compile(DURATION_PATTERN)
_FOREVER_YEARS = 1000
_DAY_S = 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Duration:
    """A parsed duration: calendar months and seconds apart, since a month has no fixed length."""

    months: int
    seconds: float

    @property
    def is_forever(self) -> bool:
        return self.months >= 12 * _FOREVER_YEARS or self.seconds >= _FOREVER_YEARS * 366 * _DAY_S

    @property
    def is_nothing(self) -> bool:
        return self.months == 0 and self.seconds == 0

    def after(self, start_s: float) -> float | None:
        """Grid time of the end when it begins at `start_s`; None when that is never."""
        if self.is_forever:
            return None
        if self.months == 0:
            return start_s + self.seconds
        try:
            start = datetime.fromtimestamp(start_s, UTC)
        except (OverflowError, ValueError, OSError):
            return None
        month0 = start.year * 12 + start.month - 1 + self.months
        year, month = divmod(month0, 12)
        if not 1 <= year <= 9999:  # noqa: PLR2004 - what a datetime can hold
            return None
        day = min(start.day, calendar.monthrange(year, month + 1)[1])
        return start.replace(year=year, month=month + 1, day=day).timestamp() + self.seconds


@lru_cache(REMEMBERED)
def duration(text: str) -> Duration:
    """Parse an ISO 8601 duration. ValueError for anything that the contract's pattern refuses."""
    match = _DURATION.match(text)
    if match is None:
        raise ValueError(f"{text!r} is not an ISO 8601 duration")
    sign, years, months, days, unit, hours, minutes, seconds = match.groups()
    if any(part is not None and len(part) > 9 for part in match.groups()):  # noqa: PLR2004
        raise ValueError("a part of the duration has more than 9 digits")
    factor = -1 if sign else 1
    day_count = int(days or 0) * (7 if unit == "W" else 1)
    total_s = day_count * _DAY_S + int(hours or 0) * 3600 + int(minutes or 0) * 60
    return Duration(
        months=factor * (int(years or 0) * 12 + int(months or 0)),
        seconds=factor * (total_s + float(seconds or 0)),
    )


@lru_cache(REMEMBERED)
def instant(text: str) -> float | None:
    """Grid seconds of an RFC 3339 text; None for 0001-01-01…, which means "now".

    ValueError for a text that is no date-time or has no offset from UTC.
    """
    if re.match(DATETIME_PATTERN, text) is None:
        raise ValueError(f"{text!r} is not an RFC 3339 date-time")
    if text.startswith("0001-01-01"):
        return None
    found = datetime.fromisoformat(text.upper())
    if found.tzinfo is None:
        raise ValueError(f"{text!r} has no offset from UTC (write …Z)")
    # a subtraction, because timestamp() of the first and last days overflows
    return (found - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds()


def written(at_s: float) -> str:
    """RFC 3339 in UTC with milliseconds."""
    at = datetime.fromtimestamp(at_s, UTC)
    return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"
