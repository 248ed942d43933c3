"""What a good operator notices: a tap changer that does not move."""

from __future__ import annotations

from gridctl.exam_watch import STUCK_AFTER_S, RegulatorWatch


def test_a_regulator_is_stuck_when_it_stays_beyond_its_band() -> None:
    watch = RegulatorWatch()
    watch.look({"R1": 1.0, "R2": -0.4}, 0.0)
    watch.look({"R1": 1.2, "R2": 0.3}, STUCK_AFTER_S / 2)
    assert watch.stuck(STUCK_AFTER_S) == {"R1"}
    watch.look({"R1": -0.1, "R2": 0.3}, STUCK_AFTER_S)
    assert watch.stuck(2 * STUCK_AFTER_S) == {"R2"}
