"""`gridctl forecast backtest` on a made feeder: a report, or a refusal with file, line, column."""

from __future__ import annotations

import csv
import json
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gridctl.cli import app
from tests.optimizer.forecasting.series import hourly

CONFIG = """
load = "load_kw"
unit = "kW"
[weather]
temperature = ["air"]
[backtest]
horizons_h = [1, 12, 24]
"""
RUNNER = CliRunner()


@pytest.fixture
def feeder(tmp_path: Path) -> tuple[Path, Path]:
    load, warm = hourly(40, seed=9)
    start = datetime(2026, 5, 4)  # noqa: DTZ001 - local civil time
    rows = [
        f"{(start + timedelta(hours=k)).isoformat()},{load[k]:.1f},{warm[k]:.1f}"
        for k in range(len(load))
    ]
    del rows[300:310]
    data, config = tmp_path / "feeder.csv", tmp_path / "feeder.toml"
    data.write_text("\n".join(["timestamp,load_kw,air", *rows]) + "\n")
    config.write_text(CONFIG)
    return data, config


def test_a_report_as_json_and_in_words(feeder: tuple[Path, Path]) -> None:
    data, config = feeder
    done = RUNNER.invoke(
        app, ["forecast", "backtest", str(data), "--config", str(config), "--json"]
    )
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    one = found["series"][0]
    assert found["weather"] == "as it was (ex post)"
    assert one["name"] == "load_kw"
    assert 0.0 < one["npin_pct"] < one["nmae_pct"] < one["floors"]["seasonal_naive"]["nmae_pct"]
    assert one["floors"]["vanilla"] is None
    assert "similar_day" in one["floors"]
    assert set(one["horizons"]) == {"0-6 h", "6-24 h", "24-48 h"}
    assert one["marks"][0]["code"] == "gap"
    assert one["method"].startswith("ensemble with Hong's model in its lite form")
    assert found["mean"]["nmae_pct"] == one["nmae_pct"]
    said = RUNNER.invoke(app, ["forecast", "backtest", str(data), "--config", str(config)])
    assert "marked: gaps" in said.stdout
    assert "vanilla         not run: it needs temperature and 400 days" in said.stdout


def test_one_day_of_history_is_refused(feeder: tuple[Path, Path]) -> None:
    data, config = feeder
    lines = data.read_text().splitlines()
    data.write_text("\n".join(lines[:25]) + "\n")
    done = RUNNER.invoke(app, ["forecast", "backtest", str(data), "--config", str(config)])
    assert done.exit_code == 3
    assert "feeder.csv:load_kw: 1.0 days of values: 8 to learn from and 7 to score" in done.stderr


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('unit = "kVA"', "feeder.toml:3:unit: Input should be 'W', 'kW' or 'MW'"),
        ("", "feeder.toml:unit: Field required"),
        ('unit = "kW"\ntimezone = "Mars/Olympus"', "no time zone of the IANA list"),
        ('unit = "kW"\nstart = 2026-05-20', "feeder.toml:4:start: Extra inputs"),
    ],
)
def test_a_configuration_that_is_wrong_is_refused(
    feeder: tuple[Path, Path], line: str, words: str
) -> None:
    data, config = feeder
    config.write_text(CONFIG.replace('unit = "kW"', line))
    done = RUNNER.invoke(app, ["forecast", "backtest", str(data), "--config", str(config)])
    assert done.exit_code == 3
    assert words in done.stderr


def test_the_written_forecasts_give_the_same_figures(
    feeder: tuple[Path, Path], tmp_path: Path
) -> None:
    data, config = feeder
    text = data.read_text().replace(",", ";").replace(".", ",")
    data.write_text(text)
    config.write_text('decimal = ","\n' + CONFIG)
    out = tmp_path / "forecasts.csv"
    arguments = ["forecast", "backtest", str(data), "--config", str(config), "--json"]
    done = RUNNER.invoke(app, [*arguments, "--forecasts", str(out)])
    assert done.exit_code == 0, done.output
    with out.open(newline="") as text_of:
        rows = [row for row in csv.DictReader(text_of) if row["actual_kw"]]
    actual = [float(row["actual_kw"]) for row in rows]
    level = sum(abs(kw) for kw in actual)
    error = sum(abs(kw - float(row["q0.5"])) for kw, row in zip(actual, rows, strict=True))
    inside = sum(
        float(row["q0.1"]) <= kw <= float(row["q0.9"]) for kw, row in zip(actual, rows, strict=True)
    )
    one = json.loads(done.stdout)["series"][0]
    assert one["count"] == len(rows)
    assert one["nmae_pct"] == pytest.approx(100.0 * error / level, rel=1e-3)
    assert one["coverage_80_pct"] == pytest.approx(100.0 * inside / len(rows), rel=1e-3)
    row = rows[0]
    ahead = datetime.fromisoformat(row["target"]) - datetime.fromisoformat(row["origin"])
    assert ahead + timedelta(hours=1) == timedelta(hours=float(row["lead_h"]))
    refused = RUNNER.invoke(app, [*arguments, "--forecasts", str(tmp_path / "no" / "x.csv")])
    assert refused.exit_code == 3
