"""The service's file is archived as it was known, and a question gets what could be known."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from gridctl.control.settings import WeatherSettings
from gridctl.control.weather import WeatherDesk
from gridctl.model.clock import ManualClock
from gridctl.model.errors import UnavailableError
from gridctl.model.measurement import GOOD, Measurement, TimeQuality
from gridctl.model.planning import ForecastTask, Horizon, Series
from gridctl.store.engine import SqlStore, temporary_store

HOUR_S = 3_600.0
NOW_S = 20_640 * 86_400.0


def written(file: Path, *, start_s: float, degrees: list[str], step_s: float = HOUR_S) -> None:
    stamps = [datetime.fromtimestamp(start_s + k * step_s, UTC) for k in range(len(degrees))]
    rows = [f"{t.isoformat()},{v}" for t, v in zip(stamps, degrees, strict=True)]
    file.write_text("\n".join(["timestamp,temperature_c", *rows]) + "\n")


@pytest.fixture
async def store() -> AsyncIterator[SqlStore]:
    clock = ManualClock(grid_s=NOW_S)
    async with temporary_store(clock) as made:
        readings = [
            Measurement(
                point="WX", value=10.0 + k, quality=GOOD, source_time_s=NOW_S + (k - 3.5) * HOUR_S,
                time_quality=TimeQuality.SYNCHRONIZED, received_time_s=NOW_S,
            )
            for k in range(4)
        ]  # fmt: skip
        await made.add_samples(readings)
        yield made


def desk_of(store: SqlStore, file: Path) -> WeatherDesk:
    settings = WeatherSettings(forecast_file=file, holidays=(date(2026, 7, 4),))
    return WeatherDesk(settings, store=store, clock=store.clock, temperature_point="WX")


def question(hours: int) -> ForecastTask:
    return ForecastTask(
        history=Series(start_s=NOW_S - 4 * HOUR_S, step_s=HOUR_S, values=(None,) * 4),
        temperature_c=None,
        horizon=Horizon(start_s=NOW_S, step_s=HOUR_S, count=hours),
        quantiles=(0.5,),
        utc_offset_s=0.0,
    )


async def test_measured_then_forecast_and_how_it_was_seen_before(
    store: SqlStore, tmp_path: Path
) -> None:
    file = tmp_path / "weather.csv"
    clock = store.clock
    assert isinstance(clock, ManualClock)
    desk = desk_of(store, file)
    clock.grid_s = NOW_S - 6 * HOUR_S
    written(file, start_s=NOW_S - 6 * HOUR_S, degrees=["5"] * 12)
    assert await desk.step() == 1
    assert await desk.step() == 0, "the same file says nothing new"
    clock.grid_s = NOW_S
    written(file, start_s=NOW_S, degrees=["20", "21", "", "23", "24"])
    os.utime(file, ns=(1, 1))
    assert await desk.step() == 1
    task = await desk.added(question(4))
    assert task.temperature_c is not None
    # Where the newest forecast has a gap the one before it stands in, while it is not a day old.
    assert task.temperature_c.values == (10.0, 11.0, 12.0, 13.0, 20.0, 21.0, 5.0, 23.0)
    by_lead = {one.lead_s / HOUR_S: one.temperature_c for one in task.vintages}
    assert by_lead[1.0] is not None
    # An hour ahead: until now only the older run was known; of 01:30 the newer one says 21.
    assert by_lead[1.0].values[:6] == (5.0, 5.0, 5.0, 5.0, 5.0, 21.0)
    assert by_lead[6.0] is not None
    assert by_lead[6.0].values[:4] == (None, None, None, None)
    assert 24.0 not in by_lead
    assert task.holidays == ((date(2026, 7, 4) - date(1970, 1, 1)).days,)


@pytest.mark.parametrize(
    ("degrees", "step_s", "words"),
    [
        (["200"], HOUR_S, "steps"),
        (["70", "71", "69"], HOUR_S, "cannot be"),
        (["warm", "71", "69"], HOUR_S, "no column"),
    ],
)
async def test_a_file_that_cannot_be_used_is_told(
    store: SqlStore, tmp_path: Path, degrees: list[str], step_s: float, words: str
) -> None:
    file = tmp_path / "weather.csv"
    written(file, start_s=NOW_S, degrees=degrees, step_s=step_s)
    with pytest.raises(UnavailableError, match=words):
        await desk_of(store, file).step()
    with pytest.raises(UnavailableError, match="No such file"):
        await desk_of(store, tmp_path / "nothing.csv").step()
