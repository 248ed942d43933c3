"""What a good operator notices: a tap changer that does not move."""

from __future__ import annotations

import numpy as np

from gridctl.exam_watch import STUCK_AFTER_S, RegulatorWatch, held
from optimizer.regulated import RegulatedNetwork
from sim.feeder import load_feeder


def test_a_regulator_is_stuck_when_it_stays_beyond_its_band() -> None:
    watch = RegulatorWatch()
    watch.look({"R1": 1.0, "R2": -0.4}, 0.0)
    watch.look({"R1": 1.2, "R2": 0.3}, STUCK_AFTER_S / 2)
    assert watch.stuck(STUCK_AFTER_S) == {"R1"}
    watch.look({"R1": -0.1, "R2": 0.3}, STUCK_AFTER_S)
    assert watch.stuck(2 * STUCK_AFTER_S) == {"R2"}


def test_a_held_regulator_does_not_move_in_the_model() -> None:
    feeder = load_feeder("ieee123")
    low = {r.mrid: (r.tap_min,) * len(r.phases) for r in feeder.regulators}
    load = np.full(2, 0.8)
    free = RegulatedNetwork(feeder, taps=low)
    still = RegulatedNetwork(held(feeder, {r.mrid for r in feeder.regulators}), taps=low)
    assert free.taps(free.solve(load_scale=load), 1) != low
    assert still.taps(still.solve(load_scale=load), 1) == low
