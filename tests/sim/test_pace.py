"""A mirror that cannot hold its pace says so."""

from __future__ import annotations

import pytest

from sim.pace import Pace


def test_it_holds_misses_says_so_and_recovers(caplog: pytest.LogCaptureFixture) -> None:
    pace = Pace(1.0)
    pace.ticked(now_s=1.0, took_s=0.2, missed=0)
    assert pace.told() == {"holds": True, "tick_s": 1.0, "took_s": 0.2, "missed": 0}
    pace.ticked(now_s=4.0, took_s=2.4, missed=2)
    pace.ticked(now_s=7.0, took_s=2.4, missed=2)
    assert (pace.holds, pace.missed) == (False, 4)
    assert len(caplog.records) == 1, "once a minute"
    assert "does not hold this pace" in caplog.text
    for k in range(60):
        pace.ticked(now_s=8.0 + k, took_s=0.2, missed=0)
    assert pace.holds
