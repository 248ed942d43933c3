"""A battery that gives less than it confirms counts for what it gives."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from gridctl.control.activity import Activity
from gridctl.control.delivery import KEPT_S, Delivery, Given
from gridctl.control.resources import Known, resource_states
from gridctl.model.limits import LimitSet
from gridctl.model.measurement import GOOD, Measurement, Snapshot, TimeQuality
from gridctl.model.resource import Battery
from tests.gridctl.control.test_journey import approved, ready
from tests.gridctl.small_site import SHED_KW, site
from tests.optimizer.small import BATTERY

HALF = Given(setpoint_kw=90.0, power_kw=45.0, soc_pct=50.0)
WHOLE = Given(setpoint_kw=90.0, power_kw=89.0, soc_pct=50.0)


@pytest.fixture
def book() -> Delivery:
    return Delivery([replace(BATTERY, rating_kw=90.0)])


def test_half_of_what_it_confirms_is_all_that_is_counted_on_for_an_hour(book: Delivery) -> None:
    book.look({"B": HALF}, now_s=1000.0)
    assert book.at_most_kw(1000.0) == {"B": 45.0}
    assert book.share("B") == 0.5
    assert book.at_most_kw(1000.0 + KEPT_S - 1.0) == {"B": 45.0}
    assert book.at_most_kw(1000.0 + KEPT_S) == {}, "then it is tried again"


def test_asked_for_what_it_can_it_is_not_believed_to_be_whole_again(book: Delivery) -> None:
    book.look({"B": HALF}, now_s=0.0)
    book.look({"B": Given(setpoint_kw=45.0, power_kw=45.0, soc_pct=50.0)}, now_s=900.0)
    assert book.share("B") == 1.0
    assert book.at_most_kw(900.0) == {"B": 45.0}


def test_a_scale_that_is_off_does_not_shrink_it_plan_by_plan(book: Delivery) -> None:
    for now_s, asked_kw in ((0.0, 90.0), (900.0, 72.0), (1800.0, 72.0)):
        shown = Given(setpoint_kw=asked_kw, power_kw=0.8 * asked_kw, soc_pct=50.0)
        book.look({"B": shown}, now_s=now_s)
        assert book.at_most_kw(now_s) == {"B": 72.0}
        assert book.share("B") == pytest.approx(0.8)


def test_a_ceiling_that_comes_down_is_followed(book: Delivery) -> None:
    book.look({"B": HALF}, now_s=0.0)
    book.look({"B": Given(setpoint_kw=45.0, power_kw=20.0, soc_pct=50.0)}, now_s=900.0)
    assert book.at_most_kw(900.0) == {"B": 20.0}


def test_one_that_gives_more_again_counts_in_full(book: Delivery) -> None:
    book.look({"B": HALF}, now_s=0.0)
    book.look({"B": WHOLE}, now_s=60.0)
    assert book.at_most_kw(60.0) == {}
    assert book.share("B") == 1.0


@pytest.mark.parametrize(
    "shown",
    [
        WHOLE,
        Given(setpoint_kw=1.0, power_kw=0.0, soc_pct=50.0),
        Given(setpoint_kw=-90.0, power_kw=-88.0, soc_pct=50.0),
    ],
    ids=["follows", "too little to judge", "charges as it was told"],
)
def test_others_are_not_held_to_anything(book: Delivery, shown: Given) -> None:
    book.look({"B": shown}, now_s=0.0)
    assert book.at_most_kw(0.0) == {}
    assert book.share("B") == 1.0


@pytest.mark.parametrize(
    "shown",
    [
        Given(setpoint_kw=90.0, power_kw=0.0, soc_pct=10.0),
        Given(setpoint_kw=-90.0, power_kw=0.0, soc_pct=90.0),
    ],
    ids=["empty", "full"],
)
def test_an_end_of_its_charge_is_no_weakness_but_brings_nothing_now(
    book: Delivery, shown: Given
) -> None:
    book.look({"B": shown}, now_s=0.0)
    assert book.at_most_kw(0.0) == {}
    assert book.share("B") == 0.0


def test_one_that_runs_the_wrong_way_brings_nothing(book: Delivery) -> None:
    book.look({"B": Given(setpoint_kw=90.0, power_kw=-20.0, soc_pct=50.0)}, now_s=0.0)
    assert book.at_most_kw(0.0) == {"B": 0.0}
    assert book.share("B") == 0.0


def test_a_battery_that_says_what_it_has_is_believed() -> None:
    says = replace(BATTERY, points=replace(BATTERY.points, available="B.Avail"))
    shown = {
        point: Measurement(
            point=point, value=value, quality=GOOD, source_time_s=0.0,
            time_quality=TimeQuality.SYNCHRONIZED, received_time_s=0.0,
        )
        for point, value in (("B.Avail", 20.0), ("B.P", 0.0), ("B.F", 0.0))
    }  # fmt: skip
    known = Known(
        snapshot=Snapshot(revision=1, at_s=0.0, values=shown),
        points={},
        links=(),
        limits=LimitSet(version=1, areas=(), devices=(), inhibited=()),
        not_commanded={},
    )
    activity = Activity(utc_offset_s=0.0)

    def available_kw(one: Battery, **at_most_kw: float) -> float:
        (state,) = resource_states((one,), known, activity, at_most_kw=at_most_kw)
        return state.available_kw

    assert available_kw(BATTERY) == 60.0
    assert available_kw(says) == 20.0
    assert available_kw(says, B=5.0) == 5.0


async def test_the_office_plans_with_what_a_hot_battery_gives(tmp_path: Path) -> None:
    async with site(tmp_path, rate=20) as running:
        await ready(running)
        running.plant.battery_share = 0.5
        await approved(running)
        desk = running.desk_office.desk
        asked_kw, found_kw = SHED_KW["BAT1"], float("nan")

        async def held_to_half() -> bool:
            nonlocal found_kw
            task = await desk.planning_task()
            (found_kw,) = [s.available_kw for s in task.states if s.resource == "BAT1"]
            return found_kw == pytest.approx(asked_kw / 2, abs=0.1)

        for _ in range(100):
            if await held_to_half():
                break
            await asyncio.sleep(0.1)
        assert found_kw == pytest.approx(asked_kw / 2, abs=0.1)
