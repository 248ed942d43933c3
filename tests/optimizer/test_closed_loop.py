"""The rules over a rolling closed loop with the simulator: the hot afternoon, and (soak) a week."""

from __future__ import annotations

import csv
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import sim.fleet
from gridctl.model.clock import ManualClock
from gridctl.model.resource import Comfort, LoadGroup, Resource
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
def test_a_week_with_every_wish_and_rule_and_a_generator(tmp_path: Path) -> None:
    """All that a policy can ask, all rules that a group can have (cooling ahead among them),
    batteries that wear by depth, measured voltages, a diesel."""
    loop = run(7 * 24.0, fleet=cooled_ahead(tmp_path, units=24), everything=True)
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


def cooled_ahead(folder: Path, *, units: int = 80) -> str:
    """The lively fleet with so many air conditioners by the lake, which may be cooled ahead."""
    source = Path(sim.fleet.__file__).parent / "fleets/ieee123-lively"
    shutil.copytree(source, folder, dirs_exist_ok=True)
    with (source / "thermal.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    rows[0] |= {
        "units": str(units), "duration_max_s": "14400", "precool_kw": str(0.75 * units),
        "precool_kwh": str(units),
        "precool_ahead_s": "7200", "precool_fade_h": "4",
    }  # fmt: skip
    with (folder / "thermal.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return str(folder)


def within_comfort(resource: Resource) -> Resource:
    """25 kWh may be put off, of some 80 kW that are there."""
    if not isinstance(resource, LoadGroup):
        return resource
    return replace(resource, comfort=Comfort(energy_kwh=25.0, fade_h=4.0))


def above_kwh(loop: Loop) -> float:
    means = loop.head_kw.reshape(-1, round(STEP_S / TICK_S)).mean(axis=1)
    return float(np.maximum(means - loop.limit_kw, 0.0).sum() * STEP_S / 3600.0)


def test_rooms_that_are_cooled_ahead_hold_the_peak_in_the_simulated_world(tmp_path: Path) -> None:
    loop = run(
        2.5, fleet=cooled_ahead(tmp_path), only="HV01", limit_kw=3740.0, changed=within_comfort
    )
    assert loop.broken_in_plans == []
    assert loop.broken_in_deeds == []
    assert loop.unverified == []
    told = loop.asked["HV01"].series
    assert told[0][1] < 0.0, "cooled first"
    assert max(kw for _, kw in told) > 50.0, "then called"
    assert float((loop.uncontrolled_kw - loop.limit_kw).max()) > 70.0
    assert above_kwh(loop) == 0.0


@pytest.mark.soak
def test_rooms_that_are_not_do_not_hold_it(tmp_path: Path) -> None:
    def not_ahead(resource: Resource) -> Resource:
        group = within_comfort(resource)
        return replace(group, precool=None) if isinstance(group, LoadGroup) else group

    loop = run(2.5, fleet=cooled_ahead(tmp_path), only="HV01", limit_kw=3740.0, changed=not_ahead)
    assert loop.broken_in_deeds == []
    assert above_kwh(loop) > 30.0


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
