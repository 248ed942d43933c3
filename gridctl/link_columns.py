"""Telemetry as it goes over the line: column by column, each quality written once.

A second of a big plant is ten thousands of values with some dozens of qualities. Column by column
they are small to write and quick to check, and what comes out shares its qualities: the collector
of cycles has one object a value to walk instead of three, which it would do for a third of a
second at a time.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from gridctl.model.link import MEASUREMENTS_PER_FRAME_MAX, Telemetry
from gridctl.model.measurement import Measurement, Quality, TimeQuality

QUALITIES_KEPT_MAX = 4_096


@dataclass(frozen=True, slots=True, kw_only=True)
class TelemetryColumns:
    """A Telemetry frame on the wire. All columns have one entry a value; `quality` says which of
    `qualities`. A value that is no number is null."""

    type: Literal["telemetry"] = "telemetry"
    sequence: int
    qualities: tuple[Quality, ...]
    points: tuple[str, ...]
    values: tuple[float | None, ...]
    quality: tuple[int, ...]
    source_times_s: tuple[float, ...]
    time_qualities: tuple[TimeQuality, ...]
    received_times_s: tuple[float, ...]


def to_columns(telemetry: Telemetry) -> TelemetryColumns:
    """`telemetry` as it is written."""
    numbers: dict[Quality, int] = {}
    # By identity first: most values share their quality's object, and hashing one is slow.
    seen: dict[int, int] = {}
    quality: list[int] = []
    for measurement in telemetry.measurements:
        number = seen.get(id(measurement.quality))
        if number is None:
            number = numbers.setdefault(measurement.quality, len(numbers))
            seen[id(measurement.quality)] = number
        quality.append(number)
    measured = telemetry.measurements
    return TelemetryColumns(
        sequence=telemetry.sequence,
        qualities=tuple(numbers),
        points=tuple(m.point for m in measured),
        values=tuple(m.value if math.isfinite(m.value) else None for m in measured),
        quality=tuple(quality),
        source_times_s=tuple(m.source_time_s for m in measured),
        time_qualities=tuple(m.time_quality for m in measured),
        received_times_s=tuple(m.received_time_s for m in measured),
    )


_kept: dict[Quality, Quality] = {}
"""Qualities met so far, so that equal ones are one object. Frames are read by one loop alone."""


def _shared(quality: Quality) -> Quality:
    if len(_kept) >= QUALITIES_KEPT_MAX:
        _kept.clear()
    return _kept.setdefault(quality, quality)


def from_columns(columns: TelemetryColumns) -> Telemetry:
    """What was written. ValueError for columns of different lengths, a number of no quality, or too
    many values."""
    count = len(columns.points)
    if count > MEASUREMENTS_PER_FRAME_MAX:
        raise ValueError(f"telemetry of {count} values in one frame")
    if len(columns.qualities) > count:
        raise ValueError(f"{len(columns.qualities)} qualities for {count} values")
    if columns.quality and not 0 <= min(columns.quality) <= max(columns.quality) < len(
        columns.qualities
    ):
        raise ValueError("a value names a quality that is not there")
    qualities = [_shared(quality) for quality in columns.qualities]
    rows = zip(
        columns.points,
        columns.values,
        columns.quality,
        columns.source_times_s,
        columns.time_qualities,
        columns.received_times_s,
        strict=True,
    )
    return Telemetry(
        sequence=columns.sequence,
        measurements=tuple(
            Measurement(
                point=point,
                value=math.nan if value is None else value,
                quality=qualities[number],
                source_time_s=source_s,
                time_quality=time_quality,
                received_time_s=received_s,
            )
            for point, value, number, source_s, time_quality, received_s in rows
        ),
    )
