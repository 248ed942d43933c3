"""Times on the wire: RFC 3339 in UTC, out and in."""

from __future__ import annotations

from gridctl.openadr.periods import instant, written

LATEST_S = 253_402_300_799.0
"""9999-12-31T23:59:59Z: what "without an end" is computed with."""


def at_s(text: str) -> float:
    """Grid seconds of a date-time with an offset. ValueError in words otherwise."""
    found = instant(text)
    if found is None:
        raise ValueError("the year 1 is not a time here: name the moment itself")
    return found


def when(at: float) -> str:
    """RFC 3339 in UTC with milliseconds."""
    return written(at)


def when_or_none(at: float | None) -> str | None:
    """The same; null stays null."""
    return None if at is None else written(at)
