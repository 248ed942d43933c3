"""A link that flaps or talks rubbish is told, although it is up at every look."""

from __future__ import annotations

from gridctl.field.steadiness import ERRORS_MAX, LOSSES_MAX, Steadiness
from gridctl.model.link import LinkHealth


def health(reconnects: int = 0, frame_errors: int = 0, protocol_errors: int = 0) -> LinkHealth:
    return LinkHealth(
        link="SUB",
        protocol="dnp3",
        endpoint="127.0.0.1:20000",
        state="up",
        since_s=0.0,
        points=1,
        reads=0,
        late_scans=0,
        commands=0,
        reconnects=reconnects,
        round_trip_s=None,
        detail="",
        frame_errors=frame_errors,
        protocol_errors=protocol_errors,
        last_error="a flood of unsolicited responses",
    )


def test_a_link_that_keeps_breaking_is_told_and_forgiven_after_a_minute() -> None:
    steadiness = Steadiness()
    told = [steadiness.look("SUB", health(n), 5.0 * n) for n in range(LOSSES_MAX + 2)]
    assert told[:-1] == [None] * (LOSSES_MAX + 1)
    assert told[-1] == ("was lost 4 times in the last minute: a flood of unsolicited responses")
    assert steadiness.look("SUB", health(LOSSES_MAX + 1), 85.0) is None


def test_rubbish_counts_by_frames_and_fragments() -> None:
    steadiness = Steadiness()
    assert steadiness.look("SUB", health(), 0.0) is None
    assert steadiness.look("SUB", health(frame_errors=ERRORS_MAX), 1.0) is None
    told = steadiness.look("SUB", health(frame_errors=ERRORS_MAX, protocol_errors=1), 2.0)
    assert told is not None
    assert "31 things" in told


def test_links_are_apart_and_a_driver_made_anew_starts_at_none() -> None:
    steadiness = Steadiness()
    steadiness.look("SUB", health(reconnects=50), 0.0)
    assert steadiness.look("DR", health(reconnects=50), 0.0) is None
    assert steadiness.look("SUB", health(reconnects=0), 1.0) is None
    assert steadiness.look("SUB", health(reconnects=3), 2.0) is None
    steadiness.forget("SUB")
    assert steadiness.look("SUB", health(reconnects=90), 3.0) is None
