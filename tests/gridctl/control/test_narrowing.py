"""Dispatches that name devices, planned by the real optimizer on a feeder of two nodes."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from gridctl.control.narrowing import narrowed
from gridctl.model.planning import PlanningTask
from gridctl.model.program import DispatchRequest
from optimizer.plan import plan_task
from tests.optimizer.rules import broken
from tests.optimizer.small import demand_event, group, hourly_task

CHEAP = group("cheap", cost_per_kwh=0.1, recovery_s=0.0)
DEAR = group("dear", cost_per_kwh=0.9, recovery_s=0.0)


def named(
    target_kw: float, first: int, last: int, *devices: str, mrid: str = "N"
) -> DispatchRequest:
    return replace(demand_event(target_kw, first, last, mrid=mrid), devices=devices)


def used(task: PlanningTask) -> dict[str, list[float]]:
    asked = narrowed(task)
    result = plan_task(asked, monotonic_s=time.monotonic)
    assert broken(asked, result) == []
    found = {r.mrid: [0.0] * task.horizon.count for r in task.resources}
    for setpoint in result.setpoints:
        found[setpoint.resource][setpoint.interval] = setpoint.effect_kw
    return found


def near(series: list[float], *wanted: float) -> bool:
    return series == pytest.approx(wanted, abs=1.0)


def test_who_is_named_answers_however_dear_and_nobody_else() -> None:
    task = hourly_task([900] * 4, CHEAP, DEAR, requests=(named(80.0, 1, 2, "dear"),))
    found = used(task)
    assert near(found["cheap"], 0, 0, 0, 0)
    assert near(found["dear"], 0, 80, 80, 0)


def test_what_the_named_cannot_bring_is_missing() -> None:
    task = hourly_task([900] * 3, CHEAP, DEAR, requests=(named(150.0, 1, 1, "dear"),))
    found = used(task)
    assert near(found["cheap"], 0, 0, 0)
    assert near(found["dear"], 0, 100, 0)


def test_beside_a_dispatch_to_everybody_the_named_still_bring_theirs() -> None:
    both = (demand_event(60.0, 1, 1, mrid="all"), named(40.0, 1, 1, "dear"))
    found = used(hourly_task([900] * 3, CHEAP, DEAR, requests=both))
    assert near(found["cheap"], 0, 60, 0)
    assert near(found["dear"], 0, 40, 0)


def test_two_that_name_others_are_not_answered_by_one_of_them() -> None:
    both = (named(30.0, 1, 1, "dear", mrid="one"), named(50.0, 1, 1, "cheap", mrid="two"))
    found = used(hourly_task([900] * 3, CHEAP, DEAR, requests=both))
    assert near(found["cheap"], 0, 50, 0)
    assert near(found["dear"], 0, 30, 0)


def test_a_feeder_above_its_own_limit_may_use_everybody() -> None:
    task = hourly_task([900, 1050, 900], CHEAP, DEAR, requests=(named(30.0, 1, 1, "dear"),))
    found = used(task)
    assert found["dear"][1] >= 29.0
    assert found["cheap"][1] + found["dear"][1] >= 49.0
    assert not any(state.blocked for state in narrowed(task).states)


def test_words_for_those_who_are_not_named() -> None:
    first = named(30.0, 1, 2, "dear")
    task = hourly_task([900] * 4, CHEAP, DEAR, requests=(first, named(1.0, 3, 3, "dear", mrid="M")))
    windows = {state.resource: state.blocked for state in narrowed(task).states}
    assert windows["dear"] == ()
    assert [(w.start_s, w.end_s, w.reason) for w in windows["cheap"]] == [
        (first.start_s, first.end_s, "Event N is for 1 other device"),
        (first.end_s, first.end_s + 3_600.0, "Event M is for 1 other device"),
    ]
    everybody = hourly_task([900] * 4, CHEAP, requests=(demand_event(5.0, 0, 1),))
    assert narrowed(everybody) is everybody


def test_what_is_missing_is_said() -> None:
    task = hourly_task([900] * 3, CHEAP, DEAR, requests=(named(150.0, 1, 1, "dear"),))
    result = plan_task(narrowed(task), monotonic_s=time.monotonic)
    (missed,) = [f.text for f in result.findings if "whom a dispatch names" in f.text]
    assert "is missed from 13:00 to 14:00 by up to 50 kW" in missed
