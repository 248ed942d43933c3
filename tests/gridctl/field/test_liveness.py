"""Silence shows: stale points, frozen links, values that are no numbers."""

from __future__ import annotations

import math
from dataclasses import replace

from gridctl.field.liveness import FieldImage
from gridctl.model.measurement import (
    GOOD,
    Flag,
    Measurement,
    Point,
    PointKind,
    TimeQuality,
    Validity,
)
from gridctl.model.quantity import Phase, Unit
from gridctl.model.staleness import stale_after_s


def point(mrid: str, link: str = "L", scan_s: float = 2.0) -> Point:
    return Point(
        mrid=mrid,
        name=mrid,
        equipment="E",
        kind=PointKind.ANALOG,
        unit=Unit.KW,
        phase=Phase.ABC,
        scan_s=scan_s,
        link=link,
    )


def measured(mrid: str, value: float) -> Measurement:
    return Measurement(
        point=mrid,
        value=value,
        quality=GOOD,
        source_time_s=0.0,
        time_quality=TimeQuality.SYNCHRONIZED,
        received_time_s=0.0,
    )


def image() -> FieldImage:
    return FieldImage(
        [point("X"), point("SLOW", scan_s=20.0), point("HB"), point("Y", link="M")],
        heartbeats={"L": "HB"},
        start_mono_s=0.0,
    )


def flags(found: Measurement | None) -> frozenset[Flag]:
    assert found is not None
    return found.quality.flags


def test_sg12_stale_after_three_scans_but_not_before_ten_seconds() -> None:
    assert stale_after_s(2.0) == 10.0
    assert stale_after_s(20.0) == 60.0


def test_sg12_a_silent_point_turns_stale_once_and_recovers() -> None:
    now = image()
    now.accept([measured("Y", 1.0)], 0.0)
    assert now.judge(10.0) == []
    told = now.judge(10.1)
    assert [m.point for m in told] == ["Y"]
    assert told[0].quality.validity is Validity.QUESTIONABLE
    assert Flag.STALE in told[0].quality.flags
    assert now.judge(20.0) == []
    assert now.accept([measured("Y", 1.0)], 21.0)[0].quality.is_good


def test_sg23_a_frozen_heartbeat_makes_the_whole_link_stale_however_much_it_talks() -> None:
    now = image()
    for second in range(10):
        now.accept([measured("HB", 7.0), measured("X", float(second))], float(second))
        now.judge(float(second))
    assert flags(now.present("X")) == frozenset()
    # The heartbeat last changed at 0, when it was first seen.
    now.accept([measured("HB", 7.0), measured("X", 11.0)], 11.0)
    told = now.judge(11.0)
    assert {m.point for m in told} == {"HB", "X"}
    assert now.frozen_links == {"L"}
    late = now.accept([measured("X", 12.0)], 12.0)
    assert flags(late[0]) == {Flag.STALE}
    now.accept([measured("HB", 8.0)], 13.0)
    now.judge(13.0)
    assert now.frozen_links == frozenset()
    assert flags(now.present("X")) == frozenset()


def test_sg23_a_link_whose_heartbeat_never_came_is_frozen_too() -> None:
    now = image()
    now.accept([measured("X", 1.0)], 9.0)
    now.judge(10.5)
    assert now.frozen_links == {"L"}
    assert flags(now.present("X")) == {Flag.STALE}


def test_a_value_that_is_no_number_keeps_the_last_one_and_is_invalid() -> None:
    now = image()
    assert now.accept([measured("X", math.nan)], 0.0) == []
    now.accept([measured("X", 5.0)], 1.0)
    told = now.accept([measured("X", math.inf)], 2.0)
    assert told[0].value == 5.0
    assert told[0].quality.validity is Validity.INVALID
    assert told[0].quality.flags == {Flag.OUT_OF_RANGE}


def test_points_that_nobody_configured_are_ignored() -> None:
    now = image()
    assert now.accept([replace(measured("X", 1.0), point="NEW")], 0.0) == []
    assert now.all() == []
