"""What a VEN reports, as measurements with quality and age. Pure.

Only numbers become measurements. DATA_QUALITY of the same interval is the quality of its values
(OK, ESTIMATED, BAD, MISSING); a reading type ESTIMATED or FORECAST of the descriptor makes them
estimated. The source time is the interval's start, in a VEN's own clock; several values divide
their interval. Without a time of its own a value counts as of its arrival, and says so.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace

from gridctl.model.measurement import (
    GOOD,
    Flag,
    Measurement,
    Origin,
    Quality,
    TimeQuality,
    Validity,
)
from gridctl.openadr.timing import TimingError, Window, windows
from gridctl.openadr.wire import (
    EventRequest,
    Interval,
    ProgramRequest,
    ReportRequest,
    ReportResource,
    ValuesMap,
)

NUMBERS_MAX = 20_000
"""Values of one report that are kept as history; the report itself is kept whole."""
_QUALITY: Mapping[str, Quality] = {
    "OK": GOOD,
    "ESTIMATED": replace(GOOD, origin=Origin.ESTIMATED),
    "MISSING": Quality(validity=Validity.INVALID, flags=frozenset({Flag.DATA_LOSS})),
    "BAD": Quality(validity=Validity.INVALID),
}
_ESTIMATED_READINGS = frozenset({"ESTIMATED", "FORECAST"})
_PROGRAM = ProgramRequest.model_validate({"programName": "report"})


def der_point(resource: str, quantity: str) -> str:
    """The point under which a quantity of a resource of the platform is kept."""
    return f"DER.{resource}.{quantity}"


def measurements(
    report: ReportRequest, places: Mapping[str, str], *, now_s: float
) -> list[Measurement]:
    """The numbers of `report`; `places`: name of a VEN's resource → that of the point."""
    found: list[Measurement] = []
    for part in report.resources:
        place = places.get(part.resource_name)
        if place is None:
            continue
        for measured in _of_resource(report, part, place, now_s):
            if len(found) == NUMBERS_MAX:
                return found
            found.append(measured)
    return found


def _of_resource(
    report: ReportRequest, part: ReportResource, place: str, now_s: float
) -> Iterator[Measurement]:
    times = {id(w.interval): w for w in _windows(part, now_s)}
    for interval in part.intervals:
        window = times.get(id(interval))
        quality = _quality(interval)
        for payload in interval.payloads:
            if payload.type == "DATA_QUALITY":
                continue
            numbers = [v for v in payload.values if _is_number(v)]
            for index, value in enumerate(numbers):
                at_s = _at_s(window, index, len(numbers), now_s)
                yield Measurement(
                    point=der_point(place, payload.type),
                    value=float(value),  # type: ignore[arg-type] # _is_number
                    quality=_read(report, payload, quality),
                    source_time_s=at_s,
                    time_quality=TimeQuality.RECEIVED
                    if window is None
                    else TimeQuality.UNSYNCHRONIZED,
                    received_time_s=now_s,
                )


def _windows(part: ReportResource, now_s: float) -> list[Window]:
    """When its intervals were, by the same rules as an event's."""
    asked = EventRequest.model_construct(
        program_id="report", interval_period=part.interval_period, intervals=part.intervals
    )
    try:
        return windows(asked, _PROGRAM, now_s=now_s)
    except TimingError:
        return []


def _at_s(window: Window | None, index: int, count: int, now_s: float) -> float:
    if window is None:
        return now_s
    if window.end_s is None or count == 1:
        return window.start_s
    return window.start_s + index * (window.end_s - window.start_s) / count


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _quality(interval: Interval) -> Quality:
    words = [
        str(value)
        for payload in interval.payloads
        if payload.type == "DATA_QUALITY"
        for value in payload.values
    ]
    known = [_QUALITY.get(word) for word in words]
    if not words:
        return GOOD
    bad = [q for q in known if q is not None and q is not GOOD]
    if None in known:
        return replace(GOOD, validity=Validity.QUESTIONABLE, native=words[0][:60])
    return replace(bad[-1] if bad else GOOD, native=" ".join(words)[:60])


def _read(report: ReportRequest, payload: ValuesMap, quality: Quality) -> Quality:
    for descriptor in report.payload_descriptors or ():
        if descriptor.payload_type == payload.type:
            if descriptor.reading_type in _ESTIMATED_READINGS:
                quality = replace(quality, origin=Origin.ESTIMATED)
            if descriptor.units is not None and not quality.native:
                quality = replace(quality, native=descriptor.units[:60])
    return quality
