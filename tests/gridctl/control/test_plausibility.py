"""What comes in and cannot be true: its quality says so, and nothing is dispatched on it."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest

from gridctl.control.plausibility import Plausibility
from gridctl.model.errors import RefusedError
from gridctl.model.measurement import (
    GOOD,
    Flag,
    Measurement,
    Point,
    PointKind,
    TimeQuality,
    Validity,
)
from gridctl.model.plausibility import PlausibilityBounds
from gridctl.model.quantity import Phase, Unit
from tests.gridctl.control.test_journey import propose, ready
from tests.gridctl.small_site import ANNE, HEAD, resources, site, until


def point(mrid: str, unit: Unit, kind: PointKind = PointKind.ANALOG) -> Point:
    return Point(
        mrid=mrid, name=mrid, equipment="E", kind=kind, unit=unit, phase=Phase.NONE, scan_s=1.0
    )


POINTS = {
    p.mrid: p
    for p in (
        point(HEAD, Unit.KW),
        point("LG1.TotW", Unit.KW),
        point("BAT1.TotW", Unit.KW),
        point("N1.VA", Unit.VOLT_PU),
        point("BAT1.SoC", Unit.PERCENT),
        point("X.W", Unit.KW),
        point("LG1.ShedSpt", Unit.KW, PointKind.SETPOINT),
    )
}


def judge() -> Plausibility:
    made = Plausibility(
        PlausibilityBounds(), head_point=HEAD, head_limit_kw=900.0, resources=resources()
    )
    made.greet(POINTS)
    return made


def seen(
    mrid: str,
    value: float,
    *,
    at_s: float = 0.0,
    ahead_s: float = 0.0,
    time_quality: TimeQuality = TimeQuality.SYNCHRONIZED,
) -> Measurement:
    return Measurement(
        point=mrid,
        value=value,
        quality=GOOD,
        source_time_s=at_s + ahead_s,
        time_quality=time_quality,
        received_time_s=at_s,
    )


KW = {r.mrid: r.rating_kw for r in resources()}


@pytest.mark.parametrize(
    ("mrid", "value", "fine"),
    [
        (HEAD, 2699.0, True),
        (HEAD, 2701.0, False),
        (HEAD, -2701.0, False),
        ("LG1.TotW", 9.9 * KW["LG1"], True),
        ("LG1.TotW", 10.1 * KW["LG1"], False),
        ("BAT1.TotW", -1.29 * KW["BAT1"], True),
        ("BAT1.TotW", -1.31 * KW["BAT1"], False),
        ("N1.VA", 0.51, True),
        ("N1.VA", 0.49, False),
        ("N1.VA", 120.0, False),
        ("N1.VA", 0.0, True),
        ("BAT1.SoC", 106.0, False),
        ("X.W", 1e9, True),
        ("LG1.ShedSpt", 1e9, True),
    ],
)
def test_5_what_the_equipment_cannot_do(mrid: str, value: float, fine: bool) -> None:
    (told,) = judge().judged([seen(mrid, value)], pace=1.0)
    assert told.value == value
    assert told.quality.is_good is fine
    if not fine:
        assert told.quality.validity is Validity.INVALID
        assert Flag.OUT_OF_RANGE in told.quality.flags


def test_a_value_that_is_no_number_stays_as_the_field_has_judged_it() -> None:
    bad = replace(seen(HEAD, math.nan), quality=GOOD.degraded(Flag.OUT_OF_RANGE, Validity.INVALID))
    assert judge().judged([bad], pace=1.0) == [bad]


def test_2_a_stamp_of_the_future_by_a_clock_that_says_it_is_set() -> None:
    told = judge().judged([seen("X.W", 1.0, ahead_s=4.9), seen("X.W", 1.0, ahead_s=5.1)], pace=1.0)
    assert [m.quality.is_good for m in told] == [True, False]
    assert Flag.INCONSISTENT in told[1].quality.flags
    not_set = seen("X.W", 1.0, ahead_s=600.0, time_quality=TimeQuality.UNSYNCHRONIZED)
    assert judge().judged([not_set], pace=1.0) == [not_set]
    # In a pilot that runs twenty times as fast five real seconds are a hundred.
    assert judge().judged([seen("X.W", 1.0, ahead_s=99.0)], pace=20.0)[0].quality.is_good


def test_8_a_jump_of_the_head_is_doubted_until_the_next_report_says_the_same() -> None:
    own = judge()

    def good(*values: float) -> list[bool]:
        return [own.judged([seen(HEAD, v)], pace=1.0)[0].quality.is_good for v in values]

    assert good(800.0, 780.0, 400.0) == [True, True, True], "a plan that works is no jump"
    assert good(1_900.0, 410.0) == [False, True], "a spike is over before it decides"
    assert good(1_500.0, 1_510.0, 1_490.0) == [False, True, True], "a level that stays is believed"
    assert good(300.0, 1_400.0) == [False, True]


def test_12_the_head_stands_still_while_its_resources_move() -> None:
    own = judge()

    def told(at_s: float, head_kw: float, power_kw: float) -> Measurement:
        values = [seen("LG1.TotW", power_kw, at_s=at_s), seen(HEAD, head_kw, at_s=at_s)]
        return own.judged(values, pace=1.0)[1]

    assert told(0.0, 1000.0, 100.0).quality.is_good
    assert told(299.0, 1000.0, 80.0).quality.is_good
    late = told(301.0, 1000.0, 80.0)
    assert late.quality.validity is Validity.QUESTIONABLE
    assert Flag.FROZEN in late.quality.flags
    # It moves again: believed again.
    assert told(302.0, 1000.5, 80.0).quality.is_good
    # Still, and so are the others: a quiet night.
    assert told(3600.0, 1000.5, 80.0).quality.is_good
    # A feeder without load stands at zero: the jump to it is doubted once.
    assert told(3600.5, 0.0, 80.0).quality.flags == {Flag.INCONSISTENT}
    assert told(3601.0, 0.0, 80.0).quality.is_good
    assert told(7200.0, 0.0, 20.0).quality.is_good


async def test_a_meter_that_freezes_blocks_dispatch_with_its_reason_on_screen(
    tmp_path: Path,
) -> None:
    """Its link lives and its heartbeat goes on: only the value gives it away."""
    async with site(tmp_path, rate=20.0) as running:
        running.settings = replace(running.settings, plausibility=PlausibilityBounds(frozen_s=30.0))
        running.plant.obeys = False
        await ready(running)
        mrid, digest = await propose(running)
        running.plant.setpoints["LG1.ShedSpt"] = 60.0
        desk = running.desk_office.desk
        await until(lambda: desk.picture().blocked, within_s=10, why="nothing is blocked")
        words = "the measurement at the feeder head is not good: questionable "
        words += "(stands still while the feeder moves) (SG-12)"
        assert words in desk.picture().blocked
        with pytest.raises(RefusedError, match=r"questionable \(stands still"):
            await desk.approve(mrid, shown_digest=digest, person=ANNE)
        with pytest.raises(RefusedError):
            await propose(running)
        assert running.plant.operated == []
