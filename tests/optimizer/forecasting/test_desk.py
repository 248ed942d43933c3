"""The mind's desk of forecasts: similar day while it learns, then the ensemble; never a wait."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from gridctl.model.planning import ForecastTask, Horizon, Series, Vintage
from optimizer.arrays import FloatArray
from optimizer.forecasting.desk import Desk
from tests.optimizer.forecasting.series import FIRST_DAY, hourly

STEP_S = 3600.0
START_S = FIRST_DAY * 86_400.0
LOAD, WARM = hourly(80, seed=4)


def task_of(end: int, *, begin: int = 0, warm: FloatArray | None = None) -> ForecastTask:
    """History of slots begin … end - 1, and the day after."""
    start_s = START_S + begin * STEP_S
    temperature = None
    if warm is not None:
        temperature = Series(start_s=start_s, step_s=STEP_S, values=tuple(map(float, warm[begin:])))
    return ForecastTask(
        history=Series(start_s=start_s, step_s=STEP_S, values=tuple(map(float, LOAD[begin:end]))),
        temperature_c=temperature,
        horizon=Horizon(start_s=START_S + end * STEP_S, step_s=STEP_S, count=24),
        quantiles=(0.1, 0.5, 0.8, 0.9),
        utc_offset_s=0.0,
    )


def at_once(work: Callable[[], None]) -> None:
    work()


def test_it_answers_while_it_learns_and_better_afterwards() -> None:
    waiting: list[Callable[[], None]] = []
    desk = Desk(beside=waiting.append)
    first = desk.forecast(task_of(70 * 24))
    assert first.method.startswith("similar day")
    desk.forecast(task_of(70 * 24 + 1))
    assert len(waiting) == 1, "one training at a time"
    waiting[0]()
    found = desk.forecast(task_of(70 * 24 + 2, begin=24))
    assert found.method.startswith("ensemble: similar days, Hong's model in its lite form")
    assert found.nmae_pct is not None
    assert 0.2 < found.nmae_pct < 8.0
    actual = LOAD[70 * 24 + 2 : 71 * 24 + 2]
    error = np.abs(np.array(found.at_quantile(0.5)) - actual).mean() / actual.mean()
    assert error < 0.05
    rows = [np.array(found.at_quantile(q)) for q in found.quantiles]
    assert all((high >= low).all() for low, high in pairwise(rows))


def test_after_a_few_weeks_it_trains_anew_and_answers_meanwhile() -> None:
    waiting: list[Callable[[], None]] = []
    desk = Desk(beside=waiting.append)
    desk.forecast(task_of(62 * 24))
    waiting.pop()()
    for day in range(63, 71):
        assert desk.forecast(task_of(day * 24)).method.startswith("ensemble")
    assert len(waiting) == 1


def test_another_series_has_a_forecaster_of_its_own() -> None:
    desk = Desk(beside=at_once)
    own = desk.forecast(task_of(65 * 24))
    values = task_of(65 * 24)
    other = ForecastTask(
        history=Series(
            start_s=values.history.start_s,
            step_s=STEP_S,
            values=tuple(float(v) * 3.0 for v in LOAD[: 65 * 24]),
        ),
        temperature_c=None,
        horizon=values.horizon,
        quantiles=values.quantiles,
        utc_offset_s=0.0,
    )
    found = desk.forecast(other)
    assert np.mean(found.at_quantile(0.5)) == pytest.approx(
        3.0 * np.mean(own.at_quantile(0.5)), rel=0.01
    )


def test_short_or_stale_histories_stay_with_the_similar_day() -> None:
    desk = Desk(beside=at_once)
    assert desk.forecast(task_of(35 * 24)).method.startswith("similar day")
    stale = task_of(65 * 24)
    gone = (*stale.history.values[:-8], *[None] * 8)
    late = ForecastTask(
        history=Series(start_s=START_S, step_s=STEP_S, values=gone),
        temperature_c=None,
        horizon=stale.horizon,
        quantiles=stale.quantiles,
        utc_offset_s=0.0,
    )
    assert desk.forecast(late).method.startswith("similar day")


def test_a_forecaster_that_goes_on_equals_one_that_was_just_asked() -> None:
    """Hour by hour or after a night of silence: the same forecast."""
    patient, eager = Desk(beside=at_once), Desk(beside=at_once)
    for desk in (patient, eager):
        desk.forecast(task_of(65 * 24, warm=WARM))
    for hour in range(1, 8):
        eager.forecast(task_of(65 * 24 + hour, warm=WARM))
    last = eager.forecast(task_of(65 * 24 + 8, warm=WARM))
    found = patient.forecast(task_of(65 * 24 + 8, warm=WARM))
    assert found.at_quantile(0.5) == pytest.approx(last.at_quantile(0.5), rel=2e-3)


def test_what_was_learned_is_found_again_at_the_next_start(tmp_path: Path) -> None:
    desk = Desk(beside=at_once, folder=tmp_path)
    desk.forecast(task_of(66 * 24))
    before = desk.forecast(task_of(66 * 24 + 1))
    assert len(list(tmp_path.iterdir())) == 1
    waiting: list[Callable[[], None]] = []
    again = Desk(beside=waiting.append, folder=tmp_path)
    after = again.forecast(task_of(66 * 24 + 1, begin=24))
    assert not waiting, "nothing is learned anew"
    assert after.method == before.method
    assert np.allclose(after.values_kw, before.values_kw, rtol=1e-3)
    (tmp_path / "broken.npz").write_bytes(b"PK cut")
    Desk(beside=at_once, folder=tmp_path)
    assert not (tmp_path / "broken.npz").exists()


def test_forecast_weather_is_used_as_good_as_it_has_been() -> None:
    end = 66 * 24
    task = task_of(end, warm=WARM[: end + 48])
    wrong = np.random.default_rng(5).normal(0.0, 3.0, len(WARM))
    archived = Series(
        start_s=START_S, step_s=STEP_S, values=tuple(map(float, (WARM + wrong)[: end + 48]))
    )
    archive = (Vintage(lead_s=86_400.0, temperature_c=archived),)
    known = Desk(beside=at_once).forecast(replace(task, path_count=50))
    doubted = Desk(beside=at_once).forecast(replace(task, vintages=archive))
    assert known.method.startswith("ensemble: similar days, Hong's model in its lite form, diff")
    assert ", temperature," in known.method
    width = [
        np.mean(np.array(one.at_quantile(0.9)) - np.array(one.at_quantile(0.1)))
        for one in (known, doubted)
    ]
    assert width[1] > 1.1 * width[0], "a weather forecast that was wrong makes wider bands"
    assert np.array(known.paths_kw).shape == (50, 24)
    assert np.corrcoef(np.array(known.paths_kw)[:, 11:13].T)[0, 1] > 0.3
    assert known.paths_kw == Desk(beside=at_once).forecast(replace(task, path_count=50)).paths_kw
