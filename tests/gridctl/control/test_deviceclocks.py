"""A device with a wrong clock: its values count, its times do not, and somebody is told."""

from __future__ import annotations

from gridctl.control.deviceclocks import DeviceClocks
from gridctl.control.telemetry import ProcessImage
from gridctl.model.clock import ManualClock
from gridctl.model.link import Hello, Telemetry
from gridctl.model.measurement import GOOD, Measurement, Point, PointKind, TimeQuality
from gridctl.model.quantity import Phase, Unit

BOUND_S, NOW_S, WRONG_S = 5.0, 10_000.0, 600.0
NOT_SET, SET = TimeQuality.UNSYNCHRONIZED, TimeQuality.SYNCHRONIZED


def point(mrid: str, link: str) -> Point:
    return Point(
        mrid=mrid,
        name=mrid,
        equipment="FDR",
        kind=PointKind.ANALOG,
        unit=Unit.KW,
        phase=Phase.NONE,
        scan_s=1.0,
        link=link,
    )


POINTS = {p.mrid: p for p in (point("a", "SUB"), point("b", "SUB"), point("c", "DR"))}


def stamped(
    mrid: str, off_s: float, quality: TimeQuality = NOT_SET, *, at_s: float = NOW_S
) -> Measurement:
    """A value received at `at_s` whose device said `off_s` later (negative: earlier)."""
    return Measurement(
        point=mrid,
        value=1.0,
        quality=GOOD,
        source_time_s=at_s + off_s,
        time_quality=quality,
        received_time_s=at_s,
    )


def clocks() -> DeviceClocks:
    return DeviceClocks(bound_s=BOUND_S)


def test_a_time_of_a_clock_that_is_not_set_gives_way_to_the_time_of_receipt() -> None:
    own = clocks()
    for off_s in (WRONG_S, -WRONG_S):
        (told,) = own.judged([stamped("a", off_s)], POINTS, pace=1.0)
        assert told.source_time_s == NOW_S
        assert told.time_quality is TimeQuality.RECEIVED
        assert told.quality.is_good
    near = stamped("a", BOUND_S - 1.0)
    assert own.judged([near], POINTS, pace=1.0) == [near]


def test_what_claims_to_be_set_keeps_its_time() -> None:
    """It may be an old value, or one that the device kept; the future is doubted elsewhere."""
    own = clocks()
    for off_s in (WRONG_S, -WRONG_S):
        one = stamped("a", off_s, SET)
        assert own.judged([one], POINTS, pace=1.0) == [one]
    assert own.wrong_s == {"SUB": WRONG_S}


def test_a_clock_ahead_is_told_at_once_and_until_it_is_set() -> None:
    own = clocks()
    own.judged([stamped("a", WRONG_S), stamped("c", 0.0)], POINTS, pace=1.0)
    assert own.wrong_s == {"SUB": WRONG_S}
    own.judged([stamped("c", 0.0, SET, at_s=NOW_S + 1)], POINTS, pace=1.0)
    assert own.wrong_s == {"SUB": WRONG_S}
    own.judged([stamped("b", 0.5, SET, at_s=NOW_S + 2)], POINTS, pace=1.0)
    assert own.wrong_s == {}


def test_a_clock_behind_is_one_that_is_behind_by_the_same_later_on() -> None:
    own = clocks()
    own.judged([stamped("a", -WRONG_S)], POINTS, pace=1.0)
    assert own.wrong_s == {}
    own.judged([stamped("b", -WRONG_S - 1.0, at_s=NOW_S + 60.0)], POINTS, pace=1.0)
    assert own.wrong_s == {"SUB": -WRONG_S - 1.0}


def test_what_a_device_kept_while_its_line_was_down_accuses_nobody() -> None:
    own = clocks()
    kept = [stamped("a", -WRONG_S + k) for k in range(0, 500, 10)]
    own.judged(kept, POINTS, pace=1.0)
    assert own.wrong_s == {}
    # The last of them is told again as long as it does not change: it gets older, not the clock.
    for later_s in (60.0, 120.0):
        again = stamped("a", -WRONG_S + 490 - later_s, at_s=NOW_S + later_s)
        own.judged([again], POINTS, pace=1.0)
    assert own.wrong_s == {}


def test_a_faster_pilot_widens_the_bound() -> None:
    own = clocks()
    one = stamped("a", 10 * BOUND_S - 1.0)
    assert own.judged([one], POINTS, pace=10.0) == [one]


def test_the_image_keeps_the_time_of_receipt() -> None:
    clock = ManualClock(grid_s=NOW_S)
    image = ProcessImage(clock=clock, clocks=clocks())
    image.greet(
        Hello(
            agent="field",
            boot_id="1",
            points=tuple(POINTS.values()),
            limits_digest="",
            epoch_seen=0,
            sequence_seen=0,
            stopped=False,
        )
    )
    image.take(Telemetry(sequence=1, measurements=(stamped("a", WRONG_S),)))
    seen = image.snapshot().good("a")
    assert seen is not None
    assert seen.source_time_s == NOW_S
    assert image.wrong_clocks_s == {"SUB": WRONG_S}
