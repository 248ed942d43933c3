"""A plan names the batteries that it cannot count on in full."""

from __future__ import annotations

import time
from dataclasses import replace

from gridctl.model.planning import FindingKind
from optimizer.derated import derated
from optimizer.plan import plan_task
from tests.optimizer.small import BATTERY, group, hourly_task


def test_half_a_battery_is_planned_with_and_named() -> None:
    whole = hourly_task([900, 1040, 900], BATTERY, group("G"))
    states = tuple(
        replace(s, available_kw=BATTERY.rating_kw / 2) if s.resource == BATTERY.mrid else s
        for s in whole.states
    )
    result = plan_task(replace(whole, states=states), monotonic_s=time.monotonic)
    most_kw = max(s.kw for s in result.setpoints if s.resource == BATTERY.mrid)
    assert 0.0 < most_kw <= BATTERY.rating_kw / 2 + 1e-6
    (said,) = [f for f in result.findings if f.kind is FindingKind.FIELD]
    assert said.text == (
        "1 battery counts for less than the rating, because no more was there: B 30 of 60 kW."
    )
    assert (said.amount, said.unit, said.resources) == (30.0, "kW", ("B",))


def test_whole_ones_and_those_that_are_out_are_not_named() -> None:
    task = hourly_task([900, 1040, 900], BATTERY)
    assert derated(task) is None
    out = replace(task.states[0], available_kw=0.0, excluded="switched to local")
    assert derated(replace(task, states=(out,))) is None
