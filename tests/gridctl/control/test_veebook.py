"""What trains a forecast is sound, and bad values of the last day are an alarm."""

from __future__ import annotations

import math

import numpy as np
import pytest

from gridctl.control.alarms import AlarmBook
from gridctl.control.veebook import STEP_S, VeeBook, sound
from gridctl.model.clock import ManualClock
from gridctl.model.measurement import GOOD, Measurement, TimeQuality
from gridctl.model.planning import Series
from gridctl.store.engine import temporary_store

NOW_S = 20_640 * 86_400.0
DAYS = 30


def load() -> list[float]:
    random = np.random.default_rng(2)
    quarter = np.arange(DAYS * 96)
    shape = 1_000.0 + 300.0 * np.sin(quarter % 96 / 96 * 2 * math.pi)
    values: list[float] = (shape + random.normal(0.0, 8.0, len(shape))).tolist()
    return values


def series_of(values: list[float]) -> Series:
    start_s = NOW_S - DAYS * 86_400.0
    return Series(start_s=start_s, step_s=STEP_S, values=tuple(values))


@pytest.mark.parametrize(
    ("first", "count", "value"),
    [(2_000, 1, 1_900.0), (2_000, 40, 1_234.5), (2_000, 30, 0.0), (2_000, 2, 20_000.0)],
    ids=["spike", "frozen", "dead", "impossible"],
)
def test_what_cannot_be_believed_is_not_learned(first: int, count: int, value: float) -> None:
    values = load()
    values[first : first + count] = [value] * count
    found = sound(series_of(values), rating_kw=3_000.0, utc_offset_s=-18_000.0).values
    gone = [k for k, v in enumerate(found) if v is None]
    bad = range(first, first + count)
    # The first of a run that stands still was measured; how long it stands is known later.
    assert set(bad) - set(gone) <= {first, first + 1, first + 2}
    assert len(set(bad) & set(gone)) >= max(1, count - 3)
    assert len(set(gone) - set(bad)) <= 2


def test_a_hot_day_is_learned() -> None:
    values = load()
    values[-96:] = [v * 1.25 for v in values[-96:]]
    found = sound(series_of(values), rating_kw=3_000.0, utc_offset_s=0.0).values
    assert sum(v is None for v in found) == 0


@pytest.mark.parametrize("value", [None, 9_000.0])
async def test_bad_values_of_the_last_day_are_an_alarm(value: float | None) -> None:
    clock = ManualClock(grid_s=NOW_S)
    values = load()
    if value is not None:
        values[-10] = value
    async with temporary_store(clock) as store:
        start_s = NOW_S - DAYS * 86_400.0
        await store.add_samples(
            [
                Measurement(
                    point="HEAD", value=v, quality=GOOD, source_time_s=start_s + (k + 0.5) * STEP_S,
                    time_quality=TimeQuality.SYNCHRONIZED, received_time_s=NOW_S,
                )
                for k, v in enumerate(values)
            ]
        )  # fmt: skip
        alarms = AlarmBook(store=store, clock=clock)
        book = VeeBook(
            store=store, clock=clock, alarms=alarms, ratings_kw={"HEAD": 3_000.0, "NEW": 10.0},
            utc_offset_s=0.0,
        )  # fmt: skip
        review = await book.step()
        assert review is not None
        assert review.looked == 1
        if value is None:
            assert review.marked == ()
            assert not alarms.listed()
        else:
            assert review.marked[0].rejected == 1
            assert any(name.startswith("5 ") for name in review.marked[0].rules)
            assert [alarm.key for alarm in alarms.listed()] == ["validation"]
