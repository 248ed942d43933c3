"""A regulator that stands still does not move in a plan, and the plan says so."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from gridctl.model.policy import Movable, Policy
from optimizer.plan import network_of, plan_task
from optimizer.regulated import RegulatedNetwork
from optimizer.standing import moving_only, standing
from sim.feeder import load_feeder
from tests.optimizer.tasks import ieee123_task

LOAD = np.full(2, 0.8)


def test_it_stays_in_the_model_where_the_others_move() -> None:
    feeder = load_feeder("ieee123")
    low = {r.mrid: (r.tap_min,) * len(r.phases) for r in feeder.regulators}
    free = RegulatedNetwork(feeder, taps=low)
    one = RegulatedNetwork(standing(feeder, ["REG4"]), taps=low)
    still = RegulatedNetwork(standing(feeder, [r.mrid for r in feeder.regulators]), taps=low)
    assert free.taps(free.solve(load_scale=LOAD), 1)["REG4"] != low["REG4"]
    found = one.taps(one.solve(load_scale=LOAD), 1)
    assert found["REG4"] == low["REG4"]
    assert found["REG1"] != low["REG1"]
    assert still.taps(still.solve(load_scale=LOAD), 1) == low
    assert standing(feeder, ()) is feeder
    with pytest.raises(ValueError, match="there is no regulator REG9"):
        standing(feeder, ["REG4", "REG9"])


def test_a_plan_neither_moves_it_nor_keeps_quiet_about_it() -> None:
    asked = ieee123_task(count=4)
    name = asked.feeder.regulators[0].mrid
    policy = Policy(movable=(Movable(equipment=name, moves_per_day_max=4, cost_per_move=1.0),))
    assert moving_only(policy, [name]).movable == ()
    assert moving_only(policy, ()) is policy
    held = replace(asked, policy=policy, network=replace(asked.network, held_regulators=(name,)))
    result = plan_task(held, monotonic_s=iter(range(10**9)).__next__, network=network_of(held))
    said = [f.text for f in result.findings if "still although the relay asks" in f.text]
    assert len(said) == 1
    assert said[0].startswith(
        f"1 regulator stands still although the relay asks for a step: {name}"
    )
    assert result.positions == (), "no position is planned for it"
    usual = plan_task(asked, monotonic_s=iter(range(10**9)).__next__)
    assert not any("stand still" in f.text for f in usual.findings)
