"""Rule 17 on a feeder as the mirror's engine has it: a voltage that lies is named, a sound set is
let be."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import numpy as np

from gridctl.control.resources import Known
from gridctl.control.statecheck import StateCheck
from gridctl.model.limits import LimitSet
from gridctl.model.measurement import GOOD, Measurement, Point, PointKind, Snapshot, TimeQuality
from gridctl.model.quantity import Phase, Unit
from optimizer.validation.marks import Mark
from tests.optimizer.estimation.metered import LEVELS, Truth, meters, truth

AT_S = 20_640 * 86_400.0


def point(mrid: str, equipment: str, unit: Unit, phase: Phase) -> Point:
    return Point(
        mrid=mrid, name=mrid, equipment=equipment, kind=PointKind.ANALOG, unit=unit, phase=phase,
        scan_s=4.0,
    )  # fmt: skip


def measured(mrid: str, value: float) -> Measurement:
    return Measurement(
        point=mrid, value=value, quality=GOOD, source_time_s=AT_S,
        time_quality=TimeQuality.SYNCHRONIZED, received_time_s=AT_S,
    )  # fmt: skip


def known(seen: Truth) -> Known:
    """The head and a tenth of the voltages, as the field tells them."""
    points = {"HEAD": point("HEAD", "head", Unit.KW, Phase.ABC)}
    values = {"HEAD": measured("HEAD", seen.head[0])}
    for meter in meters(seen, LEVELS[1], seed=5):
        if meter.phase:
            points[meter.name] = point(meter.name, meter.place, Unit.VOLT_PU, Phase(meter.phase))
            values[meter.name] = measured(meter.name, meter.value)
    return Known(
        snapshot=Snapshot(revision=1, at_s=AT_S, values=values), points=points, links=(),
        # Nothing is commanded here.
        limits=cast(LimitSet, None), not_commanded={},
    )  # fmt: skip


def with_value(own: Known, name: str, value: float) -> Known:
    values = {**own.snapshot.values, name: measured(name, value)}
    return replace(own, snapshot=replace(own.snapshot, values=values))


def test_a_voltage_that_lies_is_named_and_a_sound_set_is_let_be() -> None:
    seen = truth("ieee13", seed=4)
    sound = known(seen)
    now = [sound]
    check = StateCheck(seen.feeder, (), head_point="HEAD", known=lambda: now[0])
    assert check.look() == {}
    name = sorted(sound.points)[2]
    assert sound.points[name].unit is Unit.VOLT_PU
    now[0] = with_value(sound, name, sound.snapshot.values[name].value + 0.05)
    found = check.look()
    assert name in found
    assert len(found) <= 3
    assert all(marks == {Mark.STATE: 1} for marks in found.values())
    now[0] = with_value(sound, "HEAD", float(np.nan))
    assert check.look() == {}, "no head, no state"
