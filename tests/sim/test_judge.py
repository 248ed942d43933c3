"""The judge's arithmetic, on runs that are written down by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sim.judge import Moment, Witness, judge
from sim.plant import Verdict
from sim.scenario import Bound, Exam, load_scenario
from tests.sim.lively import Lively

QUIET = Moment(
    at_s=0.0, head_kw=1_000.0, low_pu=0.98, high_pu=1.02, unserved_kw=0.0, shed_customers=0.0,
    commands=0, wasted=0, diverged=False,
)  # fmt: skip
STORY = replace(
    load_scenario("hot-afternoon"),
    head_limit_kw=2_000.0,
    exam=Exam(
        good_operator="waits",
        hours=0.1,
        step_s=60.0,
        head_kw_min_max=99.0,
        voltage_pu_min_max=0.09,
        unserved_kwh_max=4.9,
        wasted_commands_max=1,
        discomfort_customer_h_max=0.9,
    ),
)


def run(**changes: float) -> list[Moment]:
    """Two minutes quiet, two minutes with `changes`, two minutes quiet."""
    counts = {k: changes.pop(k) for k in ("commands", "wasted") if k in changes}
    found = []
    for k in range(7):
        moment = replace(QUIET, at_s=60.0 * k)
        if 2 <= k < 4:
            moment = replace(moment, **changes)  # type: ignore[arg-type]
        if k >= 2:
            moment = replace(moment, **counts)  # type: ignore[arg-type]
        found.append(moment)
    return found


def test_a_quiet_run_passes() -> None:
    score = judge(run(), STORY)
    assert score.passed
    assert score.minutes == 6.0
    assert (score.head_kw_min, score.voltage_pu_min, score.unserved_kwh) == (0.0, 0.0, 0.0)


@pytest.mark.parametrize(
    ("changes", "figure", "value", "words"),
    [
        ({"head_kw": 2_050.0}, "head_kw_min", 100.0, "head above its limit: 100 kW·min"),
        ({"low_pu": 0.90}, "voltage_pu_min", 0.10, "voltage outside its band"),
        ({"high_pu": 1.10}, "voltage_pu_min", 0.10, "voltage outside its band"),
        ({"unserved_kw": 150.0}, "unserved_kwh", 5.0, "energy not served"),
        ({"shed_customers": 30.0}, "discomfort_customer_h", 1.0, "customers under shed"),
        ({"commands": 9, "wasted": 2}, "wasted_commands", 2, "wasted commands: 2"),
    ],
)
def test_each_figure_can_fail_a_run(
    changes: dict[str, float], figure: str, value: float, words: str
) -> None:
    score = judge(run(**changes), STORY)
    assert getattr(score, figure) == pytest.approx(value)
    assert len(score.failed) == 1
    assert words in score.failed[0]
    assert score.as_json()["passed"] is False


def test_a_tick_without_a_power_flow_never_passes() -> None:
    score = judge(run(diverged=True), STORY)
    assert score.diverged_ticks == 2
    assert "not known" in score.failed[0]


def test_half_a_run_does_not_pass() -> None:
    assert judge(run()[:4], STORY).failed == ("the run covers 3 min of the 6 to be judged",)


def test_one_tick_is_no_run() -> None:
    with pytest.raises(ValueError, match="fewer than two"):
        judge([QUIET], STORY)


def test_the_witness_counts_what_was_wasted() -> None:
    stage = Lively()
    witness = Witness(stage.world)
    command = stage.world.command
    assert command("LG13.ShedSpt", 20.0, lease_s=600.0) is Verdict.ACCEPTED
    stage.run(1)
    assert (witness.moment().commands, witness.moment().wasted) == (1, 0)
    command("LG13.ShedSpt", 20.0, lease_s=600.0)  # half a minute later the same again
    command("LG13.ShedSpt", 1e9, lease_s=600.0)  # refused
    stage.run(4)
    command("LG13.ShedSpt", 20.0, lease_s=600.0)  # a lease renewed after two minutes
    seen = witness.moment()
    assert (seen.commands, seen.wasted) == (4, 2)
    assert 0.0 < seen.shed_customers <= 2.0
    assert 0.9 < seen.low_pu < seen.high_pu < 1.06


def test_of_whoever_heeds_the_safeguards_nothing_is_asked_while_they_forbid_it() -> None:
    assert STORY.exam is not None
    bound = (Bound(from_s=120.0, to_s=180.0, why="SG-12"),)
    story = replace(STORY, exam=replace(STORY.exam, bound=bound))
    moments = run(head_kw=2_050.0, low_pu=0.90)
    whole, heeding = judge(moments, story), judge(moments, story, heeds=True)
    assert (whole.head_kw_min, whole.head_kw_min_bound) == (100.0, 0.0)
    assert (heeding.head_kw_min, heeding.head_kw_min_bound) == (50.0, 50.0)
    assert heeding.voltage_pu_min == whole.voltage_pu_min == pytest.approx(0.10)
    assert [reason.split(":")[0] for reason in heeding.failed] == ["voltage outside its band"]
