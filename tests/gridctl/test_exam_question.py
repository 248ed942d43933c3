"""What the scripted operator keeps of its devices."""

from __future__ import annotations

from gridctl.exam_question import DAY_S, STILL_KW, DeviceBooks
from gridctl.model.resource import LoadGroup, PvInverter
from sim.fleet import load_fleet
from sim.scenario import load_scenario, scenario_feeder

STORY = load_scenario("hot-afternoon")
RESOURCES = load_fleet(scenario_feeder(STORY), STORY.fleet).resources()
GROUP = next(r for r in RESOURCES if isinstance(r, LoadGroup))
PV = next(r for r in RESOURCES if isinstance(r, PvInverter))


def test_a_call_begins_counts_once_a_day_and_is_given_back() -> None:
    books = DeviceBooks(utc_offset_s=3_600.0)
    for at_s, kw in ((0.0, 5.0), (60.0, 8.0), (120.0, 0.0), (180.0, STILL_KW), (240.0, 5.0)):
        books.told(GROUP, kw, at_s)
    assert books.since_s == {GROUP.mrid: 240.0}
    assert books.released_s == {GROUP.mrid: 120.0}
    assert (books.calls, books.starts_today(GROUP.mrid, 300.0)) == (2, 2)
    # The day ends by local time.
    assert books.starts_today(GROUP.mrid, DAY_S - 3_601.0) == 2
    assert books.starts_today(GROUP.mrid, DAY_S - 3_600.0) == 0


def test_an_inverter_is_not_called() -> None:
    books = DeviceBooks(utc_offset_s=0.0)
    books.told(PV, 5.0, 0.0)
    assert (books.calls, books.since_s) == (0, {})


def test_a_state_is_what_the_points_say_and_nothing_where_they_cannot_be_believed() -> None:
    books, points = DeviceBooks(utc_offset_s=0.0), GROUP.points
    values: dict[str | None, float] = {points.power: 40.0, points.available: 12.0}
    books.told(GROUP, 5.0, 7.0)
    state = books.state(GROUP, values.get, 8.0)
    assert (state.power_kw, state.available_kw, state.setpoint_kw) == (40.0, 12.0, 0.0)
    assert (state.starts_today, state.active_since_s, state.soc_pct) == (1, 7.0, None)
    state = books.state(GROUP, lambda _: None, 8.0, excluded="stale")
    assert (state.power_kw, state.available_kw, state.excluded) == (0.0, 0.0, "stale")
