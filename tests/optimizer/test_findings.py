"""What a plan says of itself: every sentence is true of a plan that can be worked out by hand."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest

from gridctl.model.planning import Finding, FindingKind, PlanningResult, SolveStatus
from gridctl.model.resource import LoadGroup
from optimizer.plan import plan_task
from optimizer.wording import spans
from tests.optimizer.pilot import pilot_task
from tests.optimizer.small import (
    BATTERY,
    HOUR_S,
    PV,
    START_S,
    at_rest,
    demand_event,
    group,
    hourly_task,
    two_nodes,
)


def of(result: PlanningResult, kind: FindingKind) -> list[Finding]:
    return [f for f in result.findings if f.kind is kind]


def texts(result: PlanningResult, kind: FindingKind) -> list[str]:
    return [f.text for f in of(result, kind)]


def test_a_binding_limit_is_told_with_its_hours_and_one_price() -> None:
    cheap, dear = group("cheap", cost_per_kwh=0.1), group("dear")
    task = hourly_task([900, 1150, 900], cheap, dear)
    result = plan_task(task, monotonic_s=time.monotonic)
    (finding,) = of(result, FindingKind.BINDING)
    # The forecast's hour 1 begins at 13:00: the tests' start is noon.
    assert finding.text == (
        "The limit of the import (head) holds the plan back from 13:00 to 14:00: with one kW more"
        " room the plan would cost 0.3 less in each hour (one valid price)."
    )
    assert (finding.first, finding.last, finding.unit) == (1, 1, "per kW")
    assert finding.amount == pytest.approx(0.3, rel=0.01)


def test_a_missed_limit_says_how_much_who_stands_where_and_what_would_help() -> None:
    a, b, c = group("a"), group("b"), group("c", cost_per_kwh=2.0)
    spent = group("spent", starts_per_day_max=1)
    states = (
        at_rest(a), at_rest(b), at_rest(c, excluded="local control"),
        at_rest(spent, starts_today=1), at_rest(BATTERY, soc_pct=10.0),
    )  # fmt: skip
    task = hourly_task([1300, 1300], a, b, c, spent, BATTERY, states=states)
    result = plan_task(task, monotonic_s=time.monotonic)
    (missed,) = texts(result, FindingKind.SHORTFALL)
    assert missed == (
        "The limit of the import (head) is missed from 12:00 to 14:00 by up to 100 kW, 200 kWh in"
        " all."
    )
    conflict = {f.text: f.resources for f in of(result, FindingKind.CONFLICT) if f.resources}
    assert conflict == {
        "At 12:00: 2 load groups shed all they have.": ("a", "b"),
        "At 12:00: 1 load group has made its starts of the day.": ("spent",),
        "At 12:00: 1 battery has no energy left.": ("B",),
    }
    relax, out, start = of(result, FindingKind.REMEDY)
    assert relax.text == (
        "The limit of the import (head) could be kept if it were 100 kW higher from 12:00 to 14:00."
    )
    assert out.text == (
        "If c could be used, that would be up to 100 kW from 12:00 to 14:00, which would be enough;"
        " it would cost about 400."
    )
    assert (out.amount, out.resources) == (100.0, ("c",))
    assert out.cost == pytest.approx(400.0, rel=0.01)
    assert start.text.startswith("If spent might start once more today, that would be up to 100 kW")
    (excluded,) = texts(result, FindingKind.EXCLUDED)
    assert excluded == "1 load group may not be used (local control): c."


def test_the_remedy_is_true() -> None:
    """With the resource that the sentence names, the limit is kept."""
    a, c = group("a"), group("c", cost_per_kwh=2.0)
    out = hourly_task([900, 1150], a, c, states=(at_rest(a), at_rest(c, excluded="opted out")))
    result = plan_task(out, monotonic_s=time.monotonic)
    (remedy,) = [f for f in of(result, FindingKind.REMEDY) if f.resources]
    assert remedy.resources == ("c",)
    assert "which would be enough" in remedy.text
    back = plan_task(hourly_task([900, 1150], a, c), monotonic_s=time.monotonic)
    assert back.shortfalls == ()


@pytest.mark.parametrize(
    ("change", "state", "words"),
    [
        ({"starts_per_day_max": 1}, {"starts_today": 1}, "has made its starts of the day"),
        ({"recovery_s": 4 * HOUR_S}, {"released_at_s": START_S - HOUR_S, "starts_today": 1},
         "recovers from its last run"),
        ({}, {}, "sheds all it has"),
    ],
)  # fmt: skip
def test_a_group_says_which_rule_holds_it(
    change: dict[str, float], state: dict[str, float], words: str
) -> None:
    g = group("g", **change)
    task = hourly_task(
        [1300, 900], g, group("other"), states=(at_rest(g, **state), at_rest(group("other")))
    )
    result = plan_task(task, monotonic_s=time.monotonic)
    said = [f.text for f in of(result, FindingKind.CONFLICT) if "g" in f.resources]
    assert any(words in text or "shed all they have" in text for text in said), said


def test_a_battery_that_saves_its_energy_for_later_says_so() -> None:
    event = demand_event(40, 0, 0)
    result = plan_task(
        hourly_task([900, 1036], BATTERY, requests=(event,)), monotonic_s=time.monotonic
    )
    (missed,) = of(result, FindingKind.SHORTFALL)
    assert "target of Event R" in missed.text
    who, what = texts(result, FindingKind.CONFLICT)
    assert who == "At 12:00: 1 battery needs its energy later."
    assert "cannot be kept whatever the resources do" in what, "36 of 40 kW for an hour"


def test_a_missed_loading_and_voltage_are_told_in_their_units() -> None:
    feeder = two_nodes(rating_a=100 / (3**0.5 * 12.47))
    g = group("a")
    states = (at_rest(g), at_rest(PV, excluded="local control"))
    task = hourly_task([-150, -150], g, PV, states=states, feeder=feeder)
    result = plan_task(task, monotonic_s=time.monotonic)
    (missed,) = texts(result, FindingKind.SHORTFALL)
    assert missed.startswith("The rating of line, passed already without the plan, is missed")
    assert missed.endswith("% beyond it at most.")
    assert of(result, FindingKind.REMEDY) == []


def test_an_error_of_the_forecast_is_played_through() -> None:
    task = hourly_task([900, 1080, 900], group("a"), group("b"))
    result = plan_task(task, monotonic_s=time.monotonic)
    above, below = of(result, FindingKind.FORECAST)
    # 10 % of 1080 kW on top of a plan that just keeps 1000 kW.
    assert above.amount == pytest.approx(108.0, abs=2.0)
    assert above.text.startswith(
        "If the load is 10 % above the forecast, the import passes its limit by up to"
        " 108 kW (13:00),"
    )
    assert (above.first, above.last) == (1, 1)
    assert "the import stays within its limit" in below.text
    assert below.first is None


def test_a_quiet_day_has_nothing_to_say_but_who_is_out() -> None:
    a, b = group("a"), group("b")
    states = (at_rest(a, excluded="no data"), at_rest(b))
    result = plan_task(hourly_task([900, 900], a, b, states=states), monotonic_s=time.monotonic)
    assert result.status is SolveStatus.NOT_NEEDED
    assert [f.kind for f in result.findings] == [FindingKind.EXCLUDED]


def test_the_pilot_is_explained_in_a_page() -> None:
    task = pilot_task(limit_kw=2700.0)
    out = {r.mrid for r in task.resources if isinstance(r, LoadGroup)}
    states = tuple(replace(s, excluded="no data") if s.resource in out else s for s in task.states)
    result = plan_task(replace(task, states=states), monotonic_s=time.monotonic)
    assert result.shortfalls
    kinds = {f.kind for f in result.findings}
    assert kinds == set(FindingKind) - {FindingKind.FIELD}, "no wish asks the field"
    assert len(result.findings) < 40
    names = {r.mrid for r in task.resources}
    for finding in result.findings:
        assert finding.text.endswith(".")
        assert "  " not in finding.text
        assert set(finding.resources) <= names
        assert finding.amount is None or np.isfinite(finding.amount)


def test_spans_are_runs_of_neighbours() -> None:
    assert [(s.first, s.last) for s in spans([5, 1, 2, 3, 7, 6])] == [(1, 3), (5, 7)]
    assert spans([]) == []
