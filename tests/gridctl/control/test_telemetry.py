"""The office's process image: what is known, since when, and when it stops being known."""

from __future__ import annotations

import math
from dataclasses import replace

from gridctl.control.telemetry import ProcessImage
from gridctl.model.clock import ManualClock
from gridctl.model.link import Heartbeat, Hello, LinkHealth, Telemetry
from gridctl.model.measurement import (
    GOOD,
    Flag,
    Measurement,
    Point,
    PointKind,
    Snapshot,
    TimeQuality,
    Validity,
)
from gridctl.model.quantity import Phase, Unit
from gridctl.model.staleness import stale_after_s

SLOW_S, FAST_S = 60.0, 1.0


def point(mrid: str, *, scan_s: float, kind: PointKind = PointKind.ANALOG) -> Point:
    return Point(
        mrid=mrid,
        name=mrid,
        equipment="FDR",
        kind=kind,
        unit=Unit.KW,
        phase=Phase.NONE,
        scan_s=scan_s,
    )


POINTS = (
    point("fast", scan_s=FAST_S),
    point("slow", scan_s=SLOW_S),
    point("set", scan_s=FAST_S, kind=PointKind.SETPOINT),
)


def measured(mrid: str, value: float = 1.0) -> Measurement:
    return Measurement(
        point=mrid,
        value=value,
        quality=GOOD,
        source_time_s=100.0,
        time_quality=TimeQuality.SYNCHRONIZED,
        received_time_s=100.0,
    )


def hello(*points: Point) -> Hello:
    return Hello(
        agent="field",
        boot_id="1",
        points=points,
        limits_digest="",
        epoch_seen=0,
        sequence_seen=0,
        stopped=False,
    )


def image_of(clock: ManualClock) -> ProcessImage:
    image = ProcessImage(clock=clock)
    image.greet(hello(*POINTS))
    return image


def tell(image: ProcessImage, sequence: int, *values: Measurement) -> None:
    image.take(Telemetry(sequence=sequence, measurements=values))


def test_a_silent_point_goes_stale_after_its_own_bound_and_comes_back() -> None:
    clock = ManualClock()
    image = image_of(clock)
    tell(image, 1, measured("fast"), measured("slow"))
    assert image.good_share() == 1.0
    clock.advance(stale_after_s(FAST_S) + 0.1)
    stale = image.snapshot().values
    assert stale["fast"].quality.validity is Validity.QUESTIONABLE
    assert Flag.STALE in stale["fast"].quality.flags
    assert stale["slow"].quality.is_good
    assert image.good_share() == 0.5
    tell(image, 2, measured("fast", 2.0))
    assert image.snapshot().good("fast") == measured("fast", 2.0)
    assert image.good_share() == 1.0
    clock.advance(stale_after_s(SLOW_S) + 0.1)
    assert image.snapshot().good("slow") is None
    assert image.good_share() == 0.0


def test_points_that_are_reported_in_turn_age_each_by_its_own_report() -> None:
    clock = ManualClock()
    image = ProcessImage(clock=clock)
    image.greet(hello(point("a", scan_s=FAST_S), point("b", scan_s=FAST_S)))
    tell(image, 1, measured("a"), measured("b"))
    clock.advance(stale_after_s(FAST_S) - 1.0)
    tell(image, 2, measured("a"))
    clock.advance(2.0)
    snapshot = image.snapshot()
    assert snapshot.good("a") is not None
    assert snapshot.good("b") is None


def test_one_point_is_told_as_in_the_snapshot_and_without_one() -> None:
    clock = ManualClock()
    image = image_of(clock)
    tell(image, 1, measured("fast"), measured("slow"))
    before = image.snapshot().revision
    assert image.good("fast") == measured("fast")
    assert image.good("unknown") is None
    clock.advance(stale_after_s(FAST_S) + 0.1)
    assert image.good("fast") is None
    assert image.good("slow") == measured("slow")
    assert image.snapshot().revision == before + 1


def test_the_same_snapshot_as_long_as_nothing_changed() -> None:
    clock = ManualClock()
    image = image_of(clock)
    tell(image, 1, measured("fast"))
    first = image.snapshot()
    clock.advance(1.0)
    assert image.snapshot() is first
    tell(image, 2, measured("slow"))
    second = image.snapshot()
    assert second.revision == first.revision + 1
    assert "slow" not in first.values


def test_a_bad_value_and_a_setpoint_do_not_count_as_good() -> None:
    image = image_of(ManualClock())
    bad = replace(measured("fast"), quality=GOOD.degraded(Flag.OUT_OF_RANGE))
    tell(image, 1, bad, measured("slow"), measured("set"))
    assert image.good_share() == 0.5
    tell(image, 2, measured("fast"))
    assert image.good_share() == 1.0


def test_a_new_hello_keeps_what_is_still_a_point_and_its_age() -> None:
    clock = ManualClock()
    image = image_of(clock)
    tell(image, 1, measured("fast"), measured("slow"), measured("unheard of"))
    clock.advance(stale_after_s(FAST_S) - 1.0)
    image.greet(hello(point("fast", scan_s=FAST_S), point("new", scan_s=FAST_S)))
    assert set(image.snapshot().values) == {"fast"}
    clock.advance(1.1)
    assert image.snapshot().good("fast") is None


def test_a_gap_in_the_frames_is_counted() -> None:
    image = image_of(ManualClock())
    tell(image, 1, measured("fast"))
    tell(image, 4, measured("fast"))
    assert image.lost_frames == 2


def test_a_digest_sees_every_part_of_every_value() -> None:
    def digest(*values: Measurement) -> str:
        return Snapshot(revision=1, at_s=5.0, values={m.point: m for m in values}).digest()

    base = digest(measured("a"), measured("b"))
    assert base == digest(measured("b"), measured("a"))
    changed = {
        digest(measured("a")),
        digest(measured("a"), measured("b", 2.0)),
        digest(measured("a"), replace(measured("b"), source_time_s=101.0)),
        digest(measured("a"), replace(measured("b"), received_time_s=101.0)),
        digest(measured("a"), replace(measured("b"), time_quality=TimeQuality.RECEIVED)),
        digest(measured("a"), replace(measured("b"), quality=GOOD.degraded(Flag.STALE))),
        digest(measured("a"), measured("b", math.nan)),
    }
    assert len(changed) == 7
    assert base not in changed


def test_links_of_the_agent_before_are_not_those_of_the_new_one() -> None:
    clock = ManualClock()
    image = image_of(clock)
    up = LinkHealth(
        link="SUB", protocol="dnp3", endpoint="127.0.0.1:20000", state="up", since_s=0.0, detail="",
        points=1, reads=1, late_scans=0, commands=0, reconnects=0, round_trip_s=0.01,
    )  # fmt: skip
    image.beat(Heartbeat(at_s=0.0, stopped=False, links=(up,), leases=(), dropped=0))
    assert [link.state for link in image.links] == ["up"]
    image.greet(hello(*POINTS))
    assert image.heartbeat is None
    assert [link.state for link in image.links] == ["down"]
    image.beat(Heartbeat(at_s=1.0, stopped=False, links=(up,), leases=(), dropped=0))
    assert [link.state for link in image.links] == ["up"]
