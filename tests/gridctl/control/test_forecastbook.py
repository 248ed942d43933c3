"""Forecasts held against what came: by hand, in a real store, and a level that shifts."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from gridctl.control.alarms import AlarmBook
from gridctl.control.forecastbook import DAY_S, HOUR_S, ForecastBook, leads_of, said_at, skill_at
from gridctl.model.clock import ManualClock
from gridctl.model.measurement import GOOD, Measurement, TimeQuality
from gridctl.model.planning import Forecast, Horizon
from gridctl.store.engine import temporary_store

FIRST_S = 20_640 * DAY_S
HEAD = "HEAD"


def said(start_s: float, *rows: tuple[float, float, float]) -> Forecast:
    """P10, P50, P90 of hour after hour."""
    return Forecast(
        horizon=Horizon(start_s=start_s, step_s=HOUR_S, count=len(rows)),
        quantiles=(0.1, 0.5, 0.9),
        values_kw=tuple(zip(*rows, strict=True)),
        method="by hand",
        history_days=1.0,
        nmae_pct=None,
    )


def came(hour: int) -> float:
    return 1_000.0 + 100.0 * math.sin(hour * math.pi / 12.0)


def reading(hour: int, kw: float) -> Measurement:
    at_s = FIRST_S + (hour + 0.5) * HOUR_S
    return Measurement(
        point=HEAD, value=kw, quality=GOOD, source_time_s=at_s,
        time_quality=TimeQuality.SYNCHRONIZED, received_time_s=at_s,
    )  # fmt: skip


def test_what_was_said_of_an_interval() -> None:
    one = said(FIRST_S, (1, 2, 3), (4, 5, 6))
    assert said_at(one, 2 * HOUR_S) == (FIRST_S + HOUR_S, 4, 5, 6)
    assert said_at(one, 3 * HOUR_S) is None
    assert said_at(replace(one, quantiles=(0.2, 0.5, 0.9)), HOUR_S) is None
    assert leads_of([one]) == (HOUR_S, 2 * HOUR_S)


def test_skill_by_hand() -> None:
    made = [said(FIRST_S + k * HOUR_S, (90.0, 100.0, 110.0)) for k in range(8)]
    # Half of the targets come 5 kW above the median, half 20 below it: outside of the band.
    actual = {FIRST_S + k * HOUR_S: 105.0 if k % 2 else 80.0 for k in range(8)}
    actual |= {FIRST_S + k * HOUR_S - 7 * DAY_S: 130.0 for k in range(8)}
    found = skill_at(made, HOUR_S, actual)
    assert found is not None
    assert found.nmae_pct == pytest.approx(100 * 12.5 / 92.5)
    assert found.bias_kw == pytest.approx(-7.5)
    assert found.naive_pct == pytest.approx(100 * 37.5 / 92.5)
    assert found.skill_pct == pytest.approx(100 * (1 - 12.5 / 37.5))
    assert (found.coverage_80_pct, found.count) == (50.0, 8)
    assert skill_at(made[:5], HOUR_S, actual) is None


@pytest.mark.parametrize("shift_kw", [0.0, 150.0])
async def test_a_shifted_level_is_an_alarm(shift_kw: float) -> None:
    days, since = 40, 30
    clock = ManualClock(grid_s=FIRST_S + days * DAY_S)
    async with temporary_store(clock) as store:
        readings = [
            # A little unrest from day to day, so that there is something usual.
            reading(h, came(h) + 10.0 * math.sin(1.7 * (h // 24)) + shift_kw * (h >= since * 24))
            for h in range(days * 24)
        ]
        await store.add_samples(readings)
        alarms = AlarmBook(store=store, clock=clock)
        book = ForecastBook(
            store=store, clock=clock, alarms=alarms, head_point=HEAD, utc_offset_s=0.0
        )
        for h in range(0, days * 24 - 24, 3):
            kw = [came(h + k) for k in range(24)]
            await book.note(said(FIRST_S + h * HOUR_S, *((v - 15, v, v + 15) for v in kw)))
        review = await book.step(None)
        assert review is not None
        assert [one.lead_s / HOUR_S for one in review.horizons] == [1, 2, 3, 6, 12, 24]
        shown = [alarm.key for alarm in alarms.listed()]
        if shift_kw:
            assert shown == ["forecast.shift"]
            assert review.shift is not None
            assert review.shift.shift_kw == pytest.approx(150.0, abs=30.0)
            assert review.shift.since_s == FIRST_S + since * DAY_S
        else:
            assert shown == []
            assert review.horizons[0].coverage_80_pct == 100.0
            past = await book.past(
                lead_s=6 * HOUR_S, start_s=FIRST_S + 10 * DAY_S, end_s=FIRST_S + 11 * DAY_S
            )
            assert past is not None
            # Every third hour was forecast; what was said lies where it came.
            known = [k for k, kw in enumerate(past.p50_kw.values) if kw is not None]
            assert len(known) == 8
            assert past.p50_kw.values[known[0]] == came(240 + known[0])
