"""The rules over a rolling closed loop with the simulator: the hot afternoon, and (soak) a week."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gridctl.model.clock import ManualClock
from gridctl.model.resource import LoadGroup
from sim.scenario import load_scenario
from tests.optimizer.closed_loop import STEP_S, TICK_S, Asked, Loop, _group_deeds, run, world_of


def kept(loop: Loop, *, share: int = 20) -> None:
    """No rule broken in any plan nor in what was done, every plan verified, the head held but for
    one of `share` intervals that would be above its limit."""
    assert loop.broken_in_plans == []
    assert loop.broken_in_deeds == []
    assert loop.unverified == []
    means = loop.head_kw.reshape(-1, round(STEP_S / TICK_S)).mean(axis=1)
    before = int((loop.uncontrolled_kw > loop.limit_kw).sum())
    after = int((means > loop.limit_kw).sum())
    assert before >= 8, "the days ask for control"
    assert after <= before // share
    assert 0.95 <= loop.voltage_pu[0] <= loop.voltage_pu[1] <= 1.05
    moved = [mrid for mrid, asked in loop.asked.items() if len(asked.series) > 1]
    assert len(moved) >= 10


def test_the_hot_afternoon_every_half_hour() -> None:
    loop = run(9.0)
    assert loop.plans == 18
    kept(loop)


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_a_week_of_half_hours() -> None:
    loop = run(7 * 24.0)
    assert loop.plans == 336
    kept(loop)


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_a_week_with_every_wish_and_rule_and_a_generator() -> None:
    """All that a policy can ask, all rules that a group can have, measured voltages, a diesel."""
    loop = run(7 * 24.0, fleet="ieee123-lively", everything=True)
    assert loop.plans == 336
    kept(loop, share=10)
    told = loop.asked["GEN01"].series
    assert len([kw for _, kw in told if kw > 0.0]) >= 2, "it runs, too"


def test_a_plan_with_every_wish_and_rule_and_a_generator() -> None:
    loop = run(0.5, fleet="ieee123-lively", everything=True)
    assert loop.plans == 1
    assert loop.broken_in_plans == []
    assert loop.broken_in_deeds == []
    assert loop.unverified == []


def a_group() -> LoadGroup:
    scenario = load_scenario("hot-afternoon")
    world = world_of(scenario, ManualClock(grid_s=scenario.start_s))
    return next(r for r in world.fleet.resources() if isinstance(r, LoadGroup))


@pytest.mark.parametrize(
    ("series", "words"),
    [
        ([(0.0, 10.0), (600.0, 0.0)], "released after 600 s"),
        ([(0.0, 10.0), (50_000.0, 0.0)], "held for 50000 s"),
        ([(0.0, 10.0), (3600.0, 0.0), (3660.0, 10.0), (7260.0, 0.0)], "started 60 s after"),
        ([(k * 7200.0, 10.0 * (k % 2 == 0)) for k in range(10)], "5 starts on day 0"),
    ],
)
def test_the_judge_of_deeds_sees_what_is_wrong(
    series: list[tuple[float, float]], words: str
) -> None:
    """Durations 30 min to 4 h, an hour of recovery, three starts a day."""
    asked = Asked()
    for at_s, kw in series:
        asked.ask(at_s, kw)
    found = _group_deeds(a_group(), asked.series, 80_000.0, 0.0)
    assert any(words in text for text in found), found


def test_the_judge_of_deeds_counts_hours_by_day() -> None:
    few = replace(a_group(), hours_per_day_max=1.5, hours_per_season_max=2.5)
    midnight_s = 86_400.0
    over_midnight = [(midnight_s - 3600.0, 10.0), (midnight_s + 7200.0, 0.0)]
    found = _group_deeds(few, over_midnight, 2 * midnight_s, 0.0)
    assert f"{few.mrid}: on for 2 h a day" in found
    assert f"{few.mrid}: on for 3 h in all" in found


def test_the_judge_of_deeds_lets_what_is_right_be() -> None:
    series = [(0.0, 10.0), (1800.0, 8.0), (7200.0, 0.0), (10_800.0, 10.0), (14_400.0, 0.0)]
    assert _group_deeds(a_group(), series, 80_000.0, 0.0) == []


def test_a_generator_is_started_by_a_plan_and_runs_in_the_simulated_world() -> None:
    loop = run(1.0, name="ev-evening", limit_kw=1100.0, only="GEN01")
    assert loop.broken_in_plans == []
    assert loop.broken_in_deeds == []
    told_kw = loop.asked["GEN01"].series[-1][1]
    assert told_kw >= 36.0, "at least its least load"
    ticks = round(STEP_S / TICK_S)
    relief_kw = loop.uncontrolled_kw[2] - loop.head_kw[2 * ticks : 3 * ticks].mean()
    assert relief_kw == pytest.approx(told_kw, rel=0.15)
