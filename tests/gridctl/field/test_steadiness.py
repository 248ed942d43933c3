"""A link that flaps or talks rubbish is told, although it is up at every look."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from gridctl.field.steadiness import ERRORS_MAX, LOSSES_MAX, Steadiness
from gridctl.model.link import FieldAlarm, LinkHealth
from tests.gridctl.field.test_agent import bench
from tests.gridctl.small_site import ScriptedDriver, until


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


async def test_the_office_hears_of_a_link_that_flaps_and_of_its_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Up at every look, and lost in between: the alarm of a dead link would never come."""
    lost = 0
    honest = ScriptedDriver.health

    def flapping(driver: ScriptedDriver) -> LinkHealth:
        return replace(honest(driver), reconnects=lost, last_error="a flood of something")

    monkeypatch.setattr(ScriptedDriver, "health", flapping)
    monkeypatch.setattr("gridctl.field.steadiness.WINDOW_S", 2.0)
    async with bench(tmp_path) as made:

        def told() -> list[bool]:
            return [
                frame.active
                for frame in made.of(FieldAlarm)
                if isinstance(frame, FieldAlarm) and frame.key.endswith(".unsteady")
            ]

        assert not told()
        lost = LOSSES_MAX + 1
        await until(lambda: True in told(), within_s=5, why="no alarm")
        await until(lambda: told()[-1] is False, within_s=6, why="the alarm stays")
