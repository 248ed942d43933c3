"""The forecast: no future, no crossing, honest bands, clear refusals."""

from __future__ import annotations

import csv
import gzip
import math
import os
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gridctl.model.planning import Forecast, ForecastTask, Horizon, Series
from optimizer.arrays import FloatArray
from optimizer.forecast import forecast
from optimizer.similar_day import Calendar, LevelShift, SimilarDays

STEP_S = 900.0
PER_DAY = 96
MONDAY_S = 1_783_900_800.0  # 2026-07-13 00:00 UTC
QUANTILES = (0.1, 0.5, 0.9)
TETOUAN = "data/load/tetouan2017_3zones_10min.csv.gz"


def summer_load_kw(days: int, *, seed: int = 1, noise_kw: float = 25.0) -> FloatArray:
    """A feeder's import: evening peak, quieter weekends, a slow level, noise."""
    random = np.random.default_rng(seed)
    slot = np.arange(days * PER_DAY)
    hour = slot % PER_DAY / 4.0
    weekend = (slot // PER_DAY) % 7 >= 5
    level = np.repeat(np.cumsum(random.normal(0.0, 30.0, days)), PER_DAY)
    shape = 2200.0 + 900.0 * np.exp(-(((hour - 18.0) / 4.0) ** 2)) - 300.0 * np.cos(hour / 3.82)
    load: FloatArray = shape * np.where(weekend, 0.85, 1.0) + level
    return load + random.normal(0.0, noise_kw, len(slot))


def task_of(
    values: FloatArray | list[float | None],
    *,
    count: int = 24,
    gap: int = 0,
    temperature: Series | None = None,
    quantiles: tuple[float, ...] = QUANTILES,
) -> ForecastTask:
    """History from a Monday on; the horizon starts `gap` slots after its end."""
    history = Series(
        start_s=MONDAY_S,
        step_s=STEP_S,
        values=tuple(None if v is None or math.isnan(v) else float(v) for v in values),
    )
    start = MONDAY_S + (len(history.values) + gap) * STEP_S
    return ForecastTask(
        history=history,
        temperature_c=temperature,
        horizon=Horizon(start_s=start, step_s=STEP_S, count=count),
        quantiles=quantiles,
        utc_offset_s=0.0,
    )


def error_pct(found: Forecast, actual_kw: FloatArray) -> float:
    median = np.array(found.at_quantile(0.5))
    return float(100.0 * np.mean(np.abs(median - actual_kw)) / np.mean(np.abs(actual_kw)))


def test_it_follows_the_days_and_says_how_well() -> None:
    load = summer_load_kw(36)
    cut = 35 * PER_DAY - 30
    found = forecast(task_of(load[:cut]))
    assert error_pct(found, load[cut : cut + 24]) < 3.0
    assert found.nmae_pct is not None
    assert 0.3 < found.nmae_pct < 4.0
    assert found.history_days == pytest.approx(cut / PER_DAY)
    assert "similar day" in found.method


def test_bands_hold_what_they_promise() -> None:
    load = summer_load_kw(60)
    inside = []
    for cut in range(35 * PER_DAY, 58 * PER_DAY, 61):
        monday = (cut // PER_DAY - 28) // 7 * 7 * PER_DAY
        found = forecast(task_of(load[monday:cut]))
        low, high = found.at_quantile(0.1), found.at_quantile(0.9)
        actual = load[cut : cut + 24]
        inside.append(np.mean((actual >= low) & (actual <= high)))
    assert 0.68 < float(np.mean(inside)) < 0.92


def test_a_holiday_is_a_sunday_and_no_base_of_another_day() -> None:
    """A Wednesday with the habits of a weekend: known to the calendar, and not."""
    load = summer_load_kw(32, noise_kw=5.0)
    first_day = round(MONDAY_S / 86_400.0)
    free, after = 23, 30
    day = load[free * PER_DAY : (free + 1) * PER_DAY]
    day *= 0.85
    actual = day.copy()
    task = task_of(load[: free * PER_DAY], count=PER_DAY)
    unknown, known = forecast(task), forecast(replace(task, holidays=(first_day + free,)))
    assert error_pct(known, actual) < 3.0
    assert error_pct(unknown, actual) > 8.0
    assert known.method.endswith("holiday as a Sunday, conformal quantiles")
    assert "holiday" not in unknown.method
    # In the week after it the forecasts of ordinary days are not led astray by it.
    later = task_of(load[: after * PER_DAY])
    told = forecast(replace(later, holidays=(first_day + free,)))
    believed = forecast(later)
    assert told.nmae_pct is not None
    assert believed.nmae_pct is not None
    assert told.nmae_pct < 0.5 * believed.nmae_pct


def test_five_weeks_take_less_than_half_a_second() -> None:
    task = task_of(summer_load_kw(35), count=PER_DAY)
    forecast(task)
    before = time.process_time()
    forecast(task)
    assert time.process_time() - before < 0.5


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    cut=st.integers(min_value=9 * PER_DAY, max_value=20 * PER_DAY),
    later=st.integers(min_value=1, max_value=300),
    wild=st.floats(min_value=-1e5, max_value=1e5),
)
def test_what_comes_after_the_origin_never_enters(cut: int, later: int, wild: float) -> None:
    load = summer_load_kw(21, seed=4)
    honest = task_of(load[:cut], count=8)
    tail = tuple(float(wild + k) for k in range(later))
    peeking = replace(
        honest, history=replace(honest.history, values=(*honest.history.values, *tail))
    )
    assert forecast(peeking) == forecast(honest)


@settings(max_examples=8, deadline=None)
@given(cut=st.integers(min_value=10, max_value=19), lead=st.sampled_from([1, 9, 96, 130]))
def test_the_errors_that_set_the_bands_are_those_of_real_forecasts(cut: int, lead: int) -> None:
    """What a past day's forecast was must not change when later days are known."""
    calendar = Calendar(first=round(MONDAY_S / STEP_S), per_day=PER_DAY)

    def errors(days: int) -> dict[int, float]:
        load = np.full(23 * PER_DAY, np.nan)
        load[: days * PER_DAY] = summer_load_kw(21, seed=7)[: days * PER_DAY]
        similar = SimilarDays(load, np.zeros((0, len(load))), calendar)
        trained = LevelShift(similar, days * PER_DAY).lead(lead)
        return dict(zip(trained.targets.tolist(), trained.errors.tolist(), strict=True))

    early, late = errors(cut), errors(21)
    assert len(early) > PER_DAY
    for target, error in early.items():
        assert late[target] == pytest.approx(error, abs=1e-6)


@settings(max_examples=15, deadline=None)
@given(
    days=st.integers(min_value=1, max_value=16),
    seed=st.integers(min_value=0, max_value=1000),
    asked=st.lists(
        st.sampled_from([0.02, 0.1, 0.25, 0.5, 0.8, 0.9, 0.98]), min_size=1, unique=True
    ),
    holes=st.integers(min_value=0, max_value=400),
)
def test_quantiles_never_cross(days: int, seed: int, asked: list[float], holes: int) -> None:
    load = summer_load_kw(days, seed=seed)
    random = np.random.default_rng(seed)
    load[random.integers(0, len(load) - 8, holes)] = np.nan
    found = forecast(task_of(load, quantiles=tuple(asked)))
    rows = [found.at_quantile(q) for q in sorted(asked)]
    assert all(len(row) == 24 and np.isfinite(row).all() for row in rows)
    for low, high in pairwise(rows):
        assert np.all(np.array(high) >= np.array(low))


def test_gaps_and_a_late_history_are_bridged() -> None:
    load = summer_load_kw(30)
    cut = 28 * PER_DAY + 40
    holed = load[:cut].copy()
    holed[5 * PER_DAY : 6 * PER_DAY] = np.nan
    holed[1000:1010] = np.nan
    holed[-6:] = np.nan
    assert error_pct(forecast(task_of(holed)), load[cut : cut + 24]) < 4.0
    late = task_of(load[: cut - 12], gap=12)
    assert error_pct(forecast(late), load[cut : cut + 24]) < 4.0


def test_a_time_of_day_that_was_never_seen_is_bridged() -> None:
    load = summer_load_kw(20).reshape(20, PER_DAY)
    load[:, 40:44] = np.nan
    found = forecast(task_of(load[:19].ravel(), count=PER_DAY))
    assert np.isfinite(found.values_kw).all()


def test_temperature_helps_when_it_drives_the_load() -> None:
    days = 36
    random = np.random.default_rng(3)
    hour = np.arange(days * PER_DAY) % PER_DAY / 4.0
    of_day = np.repeat(random.normal(26.0, 5.0, days), PER_DAY)
    celsius = of_day + 6.0 * np.sin((hour - 9.0) / 24.0 * 2 * np.pi)
    load = summer_load_kw(days) + 60.0 * np.clip(celsius - 18.0, 0.0, None)
    cut = 35 * PER_DAY
    series = Series(start_s=MONDAY_S, step_s=STEP_S, values=tuple(map(float, celsius)))
    known, blind = [], []
    for back in range(0, 8 * PER_DAY, PER_DAY):
        end = cut - back
        actual = load[end : end + PER_DAY]
        known.append(
            error_pct(forecast(task_of(load[:end], count=PER_DAY, temperature=series)), actual)
        )
        blind.append(error_pct(forecast(task_of(load[:end], count=PER_DAY)), actual))
    assert np.mean(known) < 0.8 * np.mean(blind)


def test_temperature_that_ends_before_the_horizon_is_left_out() -> None:
    load = summer_load_kw(20)
    short = Series(start_s=MONDAY_S, step_s=STEP_S, values=tuple([20.0] * (20 * PER_DAY)))
    assert forecast(task_of(load, temperature=short)) == forecast(task_of(load))


@pytest.mark.parametrize(("days", "words"), [(0.5, "less than a day"), (3.0, "3.0 days")])
def test_a_short_history_is_a_cold_start_with_wide_bands(days: float, words: str) -> None:
    load = summer_load_kw(40)
    cut = round(days * PER_DAY)
    cold = forecast(task_of(load[:cut]))
    warm = forecast(task_of(load[: 35 * PER_DAY]))
    assert "cold start" in cold.method
    assert words in cold.method
    assert cold.nmae_pct is None
    width = np.mean(np.array(cold.at_quantile(0.9)) - np.array(cold.at_quantile(0.1)))
    usual = np.mean(np.array(warm.at_quantile(0.9)) - np.array(warm.at_quantile(0.1)))
    assert width > 3.0 * usual
    assert error_pct(cold, load[cut : cut + 24]) < 40.0


def refusals() -> Iterator[tuple[ForecastTask, str]]:
    good = task_of(summer_load_kw(10))
    yield task_of([None] * 960), "nothing but gaps"
    yield task_of([]), "nothing but gaps"
    yield task_of([2500.0] * 960), "constant at 2500 kW"
    yield task_of([1.0, 2.0]), "at least 1 h"
    yield replace(good, quantiles=(0.5, 1.0)), "between 0 and 1"
    yield replace(good, quantiles=(0.5, 0.5)), "asked for twice"
    yield replace(good, horizon=replace(good.horizon, count=0)), "no interval"
    yield replace(good, horizon=replace(good.horizon, step_s=300.0)), "steps of 900 s"
    yield replace(good, history=replace(good.history, step_s=700.0)), "does not divide the day"
    yield task_of(summer_load_kw(12), gap=8 * PER_DAY), "ends 8.0 days before"
    shifted = replace(good.horizon, start_s=good.horizon.start_s + 60.0)
    yield replace(good, horizon=shifted), "does not start on the history's steps"
    yield replace(good, utc_offset_s=60.0), "local midnight"
    infinite = replace(good.history, values=(*good.history.values[:-1], math.inf))
    yield replace(good, history=infinite), "not a number"


@pytest.mark.parametrize(("task", "words"), list(refusals()), ids=[w for _, w in refusals()])
def test_what_cannot_be_forecast_is_refused_in_words(task: ForecastTask, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        forecast(task)


def tetouan_kw() -> FloatArray:
    root = os.environ.get("GRIDCTL_SHARED")
    folder = Path(root) if root else Path(__file__).parents[3] / "shared"
    file = folder / TETOUAN
    if not file.is_file():
        pytest.skip(f"{file} is not there (set GRIDCTL_SHARED): real load series")
    with gzip.open(file, "rt") as rows:
        return np.array([float(row["zone1_kw"]) for row in csv.DictReader(rows)])


def test_on_a_real_substation_it_beats_last_week() -> None:
    """Tetouan 2017 zone 1 (UCI 849), 24 h ahead, 20 origins from September on, five weeks known."""
    load = tetouan_kw()
    per_day, start = 144, 1_483_228_800.0
    ours, naive = [], []
    for origin in range(243 * per_day, 343 * per_day, 5 * per_day + 6 * 7):
        first = origin - 35 * per_day
        task = ForecastTask(
            history=Series(
                start_s=start + first * 600.0,
                step_s=600.0,
                values=tuple(map(float, load[first:origin])),
            ),
            temperature_c=None,
            horizon=Horizon(start_s=start + origin * 600.0, step_s=600.0, count=per_day),
            quantiles=QUANTILES,
            utc_offset_s=0.0,
        )
        actual = load[origin : origin + per_day]
        ours.append(error_pct(forecast(task), actual))
        week = load[origin - 7 * per_day : origin - 6 * per_day]
        naive.append(100.0 * np.mean(np.abs(week - actual)) / np.mean(actual))
    assert np.mean(ours) < 0.75 * np.mean(naive)
    assert np.mean(ours) < 5.0
