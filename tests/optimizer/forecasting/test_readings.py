"""Foreign data: refused with file, line and column, or marked; never taken for what it is not."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from gridctl.model.errors import ConfigError
from optimizer.forecasting.readings import Readings, read_csv
from optimizer.forecasting.settings import BacktestSettings
from tests.optimizer.forecasting.series import hourly

Rows = list[list[str]]
START = datetime(2026, 3, 2)  # noqa: DTZ001 - local civil time


def rows_of(days: int = 20, *, step_min: int = 60) -> Rows:
    load, temperature = hourly(days, per_day=1440 // step_min)
    step = timedelta(minutes=step_min)
    return [
        [(START + k * step).isoformat(), f"{load[k]:.1f}", f"{temperature[k]:.2f}"]
        for k in range(len(load))
    ]


def written(folder: Path, rows: Rows, header: str = "timestamp,load,temperature") -> Path:
    file = folder / "feeder.csv"
    file.write_text("\n".join([header, *(",".join(row) for row in rows)]) + "\n", encoding="utf-8")
    return file


def settings(**changed: Any) -> BacktestSettings:
    table = {"unit": "kW", "weather": {"temperature": ["temperature"]}} | changed
    return BacktestSettings.model_validate(table)


def read(folder: Path, rows: Rows, **changed: Any) -> Readings:
    return read_csv(written(folder, rows), settings(**changed))


def codes(found: Readings) -> dict[str, int]:
    return {mark.code: mark.count for mark in found.marks["load"]}


def test_a_clean_file_has_no_mark(tmp_path: Path) -> None:
    found = read(tmp_path, rows_of())
    grid = found.grids["load"]
    assert codes(found) == {}
    assert grid.count == 20 * 24
    assert grid.per_day == 24
    assert np.isfinite(grid.load_kw).all()
    assert grid.temperature_c.shape == (1, 480)
    assert int(grid.hour(np.array([5]))[0]) == 5


def test_units_zip_and_end_stamps(tmp_path: Path) -> None:
    rows = rows_of(step_min=15)
    plain = read(tmp_path, rows)
    file = tmp_path / "feeder.csv.gz"
    with gzip.open(file, "wt") as text:
        text.write((tmp_path / "feeder.csv").read_text())
    found = read_csv(file, settings(unit="MW", stamp="end"))
    assert found.grids["load"].load_kw == pytest.approx(plain.grids["load"].load_kw * 1000.0)
    assert found.grids["load"].calendar.first == plain.grids["load"].calendar.first - 1


def test_fahrenheit(tmp_path: Path) -> None:
    rows = [[t, load, "68.0"] for t, load, _ in rows_of()]
    weather = {"temperature": ["temperature"], "temperature_unit": "F"}
    found = read(tmp_path, rows, weather=weather)
    assert found.grids["load"].temperature_c == pytest.approx(20.0)


def test_gaps_are_kept_and_marked(tmp_path: Path) -> None:
    rows = rows_of()
    for k, word in enumerate(("", "NaN", "null", "NA")):
        rows[100 + k][1] = word
    del rows[200:230]
    found = read(tmp_path, rows)
    load = found.grids["load"].load_kw
    assert codes(found)["gap"] == 34
    assert "the longest 30 h" in next(m.text for m in found.marks["load"] if m.code == "gap")
    assert np.isnan(load[100:104]).all()
    assert np.isnan(load[200:230]).all()
    assert np.isfinite(load[230:]).all()


def test_double_and_unordered_rows(tmp_path: Path) -> None:
    rows = rows_of()
    rows.insert(50, rows[49])
    rows[70], rows[71] = rows[71], rows[70]
    found = read(tmp_path, rows)
    assert codes(found) == {"double": 1, "order": 1}
    assert found.grids["load"].count == 480


def test_days_of_23_and_25_hours_in_local_time(tmp_path: Path) -> None:
    """Madrid 2026: 29 March has no 02:00, 25 October has it twice."""
    zone = ZoneInfo("Europe/Madrid")
    for start, code in ((datetime(2026, 3, 20, tzinfo=UTC), "day_23h"),
                        (datetime(2026, 10, 16, tzinfo=UTC), "day_25h")):  # fmt: skip
        local, aware = [], []
        for k, row in enumerate(rows_of()):
            at = start + timedelta(hours=k)
            local.append([at.astimezone(zone).replace(tzinfo=None).isoformat(), *row[1:]])
            aware.append([at.isoformat(), *row[1:]])
        naive = read(tmp_path, local)
        zoned = read(tmp_path, aware, timezone="Europe/Madrid")
        assert codes(naive)[code] == codes(zoned)[code] == 1
        a, b = naive.grids["load"], zoned.grids["load"]
        assert a.calendar.first == b.calendar.first
        assert np.array_equal(a.load_kw, b.load_kw, equal_nan=True)


def test_a_night_hour_that_is_missing_again_and_again_is_a_gap(tmp_path: Path) -> None:
    rows = [row for k, row in enumerate(rows_of()) if k % 96 != 50]
    assert codes(read(tmp_path, rows)) == {"gap": 5, "weather_gap": 5}


def test_archived_forecasts_are_found_by_their_names(tmp_path: Path) -> None:
    rows = [[*row, row[2], "1.5"] for row in rows_of()]
    header = "timestamp,load,temperature,temperature@24h,temperature@1h"
    found = read_csv(written(tmp_path, rows, header), settings())
    assert [v.lead_slots for v in found.vintages] == [1, 24]
    assert found.vintages[0].temperature_c == pytest.approx(1.5)


def test_weather_that_is_missing_is_marked(tmp_path: Path) -> None:
    rows = rows_of()
    for row in rows[40:60]:
        row[2] = ""
    assert codes(read(tmp_path, rows))["weather_gap"] == 20
    assert codes(read(tmp_path, rows, weather={}))["no_weather"] == 1


def test_a_net_load_and_a_frozen_day_are_marked(tmp_path: Path) -> None:
    rows = rows_of()
    rows[10][1] = "-50"
    for row in rows[100:130]:
        row[1] = "1700"
    assert {"negative", "frozen"} <= set(codes(read(tmp_path, rows)))


def spoilt(change: Callable[[Rows], object]) -> Rows:
    rows = rows_of()
    change(rows)
    return rows


def put(row: int, column: int, text: str) -> Callable[[Rows], object]:
    return lambda rows: rows[row].__setitem__(column, text)


def refusals() -> Iterator[tuple[Rows, dict[str, Any], str]]:
    yield spoilt(put(7, 0, "yesterday")), {}, r"feeder.csv:9:timestamp: 'yesterday' is no timestamp"
    yield spoilt(put(7, 1, "12kW")), {}, r"feeder.csv:9:load: '12kW' is no number"
    yield spoilt(put(7, 1, "inf")), {}, r":9:load: 'inf' is not finite"
    yield spoilt(put(7, 0, "2026-03-02T07:00:00Z")), {}, r":9:timestamp: some timestamps have"
    yield spoilt(put(7, 0, "2026-03-02T07:00:30")), {}, r":9:timestamp: .* not a whole minute"
    yield spoilt(lambda r: r[7].pop()), {}, r":9: the row has 2 cells"
    yield [], {}, "no row under the header"
    yield rows_of(), {"load": "kw"}, r"feeder.csv:1:kw: there is no such column .*timestamp, load"
    yield [[t, "1500", c] for t, _, c in rows_of()], {}, "load: the series is constant at 1500 kW"
    yield [[t, "", c] for t, _, c in rows_of()], {}, "load: there is no value"
    yield rows_of()[::48], {}, "rows are 2880 min apart"
    yield rows_of(), {"rated_kw": 5e6}, "is the unit right"
    thousand = [[t, v if k < 240 else f"{float(v) / 1000:.4f}", c] for k, (t, v, c) in
                enumerate(rows_of())]  # fmt: skip
    yield thousand, {}, r"feeder.csv:242:load: from here on .* a thousand times"
    yield [[t, v, f"{70 + float(c)}"] for t, v, c in rows_of()], {}, "temperature: .* cannot be"
    double = [row for pair in zip(rows_of(), rows_of(), strict=True) for row in pair]
    for k, row in enumerate(double):
        row[1] = str(1500 + k)
    yield double, {}, r":3:timestamp: 480 times stand twice with different values"


@pytest.mark.parametrize(("rows", "changed", "words"), list(refusals()), ids=lambda v: "")
def test_what_cannot_be_scored_is_refused_with_its_place(
    rows: Rows, changed: dict[str, Any], words: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=words):
        read(tmp_path, rows, **changed)
