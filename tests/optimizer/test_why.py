"""Every setpoint has a reason, and it is the limit that it serves or the rule that binds it."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest

from gridctl.model.planning import FindingKind, PlanningResult, PlanningTask, SetpointReason
from gridctl.model.policy import Policy
from gridctl.model.resource import Comfort, Precool
from optimizer.plan import network_of, plan_task
from optimizer.problem import build_problem, default_kw
from optimizer.why import TOLD_MAX, told
from optimizer.wording import Words
from tests.optimizer.pilot import pilot_task
from tests.optimizer.small import (
    BATTERY,
    GENERATOR,
    HOUR_S,
    PV,
    START_S,
    at_rest,
    demand_event,
    group,
    hourly_task,
    two_nodes,
)
from tests.optimizer.test_hot_spot import IEEE, LONG, task_of


def planned(task: PlanningTask) -> PlanningResult:
    return plan_task(task, monotonic_s=time.monotonic)


def without_reason(task: PlanningTask, result: PlanningResult) -> list[str]:
    """Setpoints that move a resource and have none, or more than one."""
    default = {r.mrid: default_kw(r) for r in task.resources}
    said = [(one.resource, t) for one in result.why for t in range(one.first, one.last + 1)]
    return [
        f"{s.resource} in interval {s.interval}: {said.count((s.resource, s.interval))} reasons"
        for s in result.setpoints
        if abs(s.kw - default[s.resource]) > 0.05 and said.count((s.resource, s.interval)) != 1
    ]


def why(result: PlanningResult, mrid: str) -> list[tuple[int, int, str]]:
    return [(one.first, one.last, one.text) for one in result.why if one.resource == mrid]


def test_a_group_and_a_battery_that_hold_the_import() -> None:
    task = hourly_task([900, 1090, 1090, 700], group("G"), BATTERY)
    result = planned(task)
    assert without_reason(task, result) == []
    assert why(result, "G") == [(1, 2, "moves to keep the import within the limit")]
    texts = {first: text for first, _, text in why(result, "B")}
    assert "moves to keep the import within the limit" in texts.values()
    assert texts[3] == "fills up again"
    told = [f.text for f in result.findings if f.kind is FindingKind.REASON]
    assert any(t.startswith("1 battery and 1 load group move to keep the import") for t in told), (
        told
    )


def test_an_event_is_named() -> None:
    task = hourly_task([900] * 4, group("G"), requests=(demand_event(60.0, 1, 2),))
    result = planned(task)
    assert why(result, "G") == [(1, 2, "moves to bring what Event R asks for")]


def test_a_run_that_must_go_on_says_which_limit_it_is_for() -> None:
    own = group("G", duration_min_s=3 * HOUR_S)
    task = hourly_task([900, 1080, 900, 900, 900], own)
    result = planned(task)
    assert without_reason(task, result) == []
    assert {text for *_, text in why(result, "G")} == {
        "moves to keep the import within the limit",
        "stays on because it moves in one piece, without which the import would pass its limit",
    }


def test_a_run_that_has_lost_its_limit_says_that_its_rules_hold_it() -> None:
    own = group("G", duration_min_s=3 * HOUR_S)
    state = at_rest(own, setpoint_kw=50.0, active_since_s=START_S - HOUR_S, starts_today=1)
    result = planned(hourly_task([700] * 4, own, states=[state]))
    assert why(result, "G") == [
        (0, 1, "stays on because its runs have a least length and a least level")
    ]


def test_voltage_price_heat_and_precooling_are_named() -> None:
    weak = hourly_task([1200, 1450, 1200], group("G", rating_kw=300.0), BATTERY,
                       feeder=two_nodes(r_ohm=6.2), limit_kw=5000.0)  # fmt: skip
    result = planned(weak)
    assert without_reason(weak, result) == []
    assert any(text.startswith("lifts the voltage at load.") for *_, text in why(result, "B"))
    priced = hourly_task([900] * 4, replace(BATTERY, efficiency=0.95))
    priced = replace(priced, policy=Policy(price_per_kwh=(0.05, 0.9, 0.9, 0.05)))
    result = planned(priced)
    assert without_reason(priced, result) == []
    assert "moves because of the price of import" in [text for *_, text in why(result, "B")]
    hot = task_of(LONG, replace(IEEE, hot_spot_max_c=112.0))
    result = planned(hot)
    assert without_reason(hot, result) == []
    assert {text for *_, text in why(result, "G")} <= {
        "keeps line cool enough",
        "stays on because it moves in one piece, without which line would get too hot",
    }
    ahead = Precool(rating_kw=40.0, energy_kwh=60.0, ahead_s=2 * HOUR_S, fade_h=0.0)
    own = group("G", comfort=Comfort(energy_kwh=100.0, fade_h=0.0), precool=ahead, level_min=0.1)
    cooled = hourly_task([900, 900, 900, 1080, 1080, 900], own)
    result = planned(cooled)
    assert without_reason(cooled, result) == []
    assert why(result, "G")[0] == (1, 2, "is cooled ahead of its call")


def test_what_goes_back_says_so() -> None:
    state = at_rest(group("G"), setpoint_kw=50.0, active_since_s=START_S - 3 * HOUR_S)
    result = planned(hourly_task([700] * 4, group("G"), states=[state]))
    assert [text for *_, text in why(result, "G")] == [
        "goes back to its default: nothing asks for it any more"
    ]


def test_of_many_reasons_the_greatest_are_told_and_the_rest_counted() -> None:
    result = planned(hourly_task([900, 1090, 1090, 700], group("G"), BATTERY))
    many = [
        SetpointReason(resource="GB"[k % 2], first=0, last=k % 3, text=f"relieves line {k}")
        for k in range(20)
    ]
    task = hourly_task([900] * 4, group("G"), BATTERY)
    words = Words(build_problem(task, network_of(task)))
    found = told(words, many)
    assert len(found) == TOLD_MAX + 1
    assert "8 more reasons" in found[-1].text
    assert len(told(words, result.why)) == len({one.text for one in result.why})


@pytest.mark.parametrize("seed", range(3))
def test_nobody_moves_without_a_reason(seed: int) -> None:
    chance = np.random.default_rng(seed)
    head = [float(v) for v in 900 + 300 * chance.random(8)]
    resources = (group("G"), group("H", cost_per_kwh=0.2), BATTERY, PV, GENERATOR)
    task = hourly_task(head, *resources, requests=(demand_event(50.0, 2, 4),))
    assert without_reason(task, planned(task)) == []


def test_nobody_moves_without_a_reason_on_the_pilot() -> None:
    task = pilot_task()
    result = planned(task)
    assert result.setpoints
    assert without_reason(task, result) == []
    assert len(result.why) < len(result.setpoints) / 4, "told by runs, not by intervals"
