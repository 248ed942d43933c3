"""`gridctl health …`: what it prints of files of measurements, what it leaves with."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from gridctl.cli import app

START_S = 1_783_036_800.0
"""2026-07-03T00:00Z."""


def file_of(folder: Path, step_s: float, **columns: list[float | None]) -> Path:
    file = folder / "measured.csv"
    text = "timestamp," + ",".join(columns) + "\n"
    for k, row in enumerate(zip(*columns.values(), strict=True)):
        stamp = datetime.fromtimestamp(START_S + step_s * k, UTC).isoformat()
        text += stamp + "," + ",".join("" if v is None else repr(v) for v in row) + "\n"
    file.write_text(text, encoding="utf-8")
    return file


def told(*words: str) -> Result:
    return CliRunner().invoke(app, ["health", *words])


def transformer(folder: Path, *, ahead: float | None) -> Path:
    hours = 72
    load: list[float | None] = [800.0] * hours
    columns: dict[str, list[float | None]] = {"ambient_c": [25.0] * hours}
    if ahead is not None:
        load[48:] = [None] * 24
        for name, factor in (("q10", 0.8), ("q50", 1.0), ("q90", 1.3)):
            columns[f"load_kw_{name}"] = [None] * 48 + [ahead * factor] * 24
    load[10] = None
    return file_of(folder, 3600.0, load_kw=load, **columns)


def test_a_transformer_at_four_fifths(tmp_path: Path) -> None:
    file = transformer(tmp_path, ahead=None)
    found = told("transformer", str(file), "--rating", "1000", "--json")
    assert found.exit_code == 0, found.output
    body = json.loads(found.stdout)
    # 25 + 52 ((1 + .64 x 6) / 7)^.8 + 26 x .8^1.3
    by_hand = 25 + 52 * ((1 + 0.64 * 6) / 7) ** 0.8 + 26 * 0.8**1.3
    assert body["hot_spot_max_c"] == round(by_hand, 2)
    assert body["coverage"] == round(71 / 72, 4)
    assert set(body["health"]["parts"]) == {"life used", "thermal margin q95"}
    assert "no failure probability" in body["note"]
    words = told("transformer", str(file), "--rating", "1000")
    assert "hot spot max c" in words.stdout


@pytest.mark.parametrize(
    ("load_kw", "ambient_c", "said"),
    [
        (800_000.0, 25.0, "load_kw: 800 times the rating cannot be"),
        (800.0, 298.0, "ambient_c: 298 °C of air cannot be"),
    ],
    ids=["watts", "kelvin"],
)
def test_a_wrong_unit_is_refused(
    load_kw: float, ambient_c: float, said: str, tmp_path: Path
) -> None:
    file = file_of(tmp_path, 3600.0, load_kw=[load_kw] * 4, ambient_c=[ambient_c] * 4)
    found = told("transformer", str(file), "--rating", "1000")
    assert found.exit_code == 3
    assert said in found.stderr


def test_a_forecast_that_goes_beyond_the_limits_alarms(tmp_path: Path) -> None:
    file = transformer(tmp_path, ahead=1050.0)
    found = told("transformer", str(file), "--rating", "1000", "--json")
    body = json.loads(found.stdout)
    assert found.exit_code == 1
    assert body["samples"] == 48
    assert body["alarm_within_48_h"] is True
    ahead = body["outlook"]
    assert ahead["q10"]["time_to_limit_min"] is None
    assert ahead["q90"]["time_to_limit_min"] > 0
    assert ahead["q90"]["headroom"] < 1.0 < ahead["q10"]["headroom"]


def test_what_cannot_be_used_is_told(tmp_path: Path) -> None:
    file = transformer(tmp_path, ahead=None)
    assert told("transformer", str(file), "--rating", "1000", "--kind", "oil").exit_code == 3
    found = told("transformer", str(file), "--rating", "1000", "--column", "kva")
    assert found.exit_code == 3
    assert "kva: no such column" in found.stderr
    assert told("breaker", str(file), "--mechanical", "M9").exit_code == 3


def test_voltage_weeks(tmp_path: Path) -> None:
    good: list[float | None] = [1.0] * 1008
    bad: list[float | None] = [1.0 if k < 900 else 0.89 for k in range(1008)]
    file = file_of(tmp_path, 600.0, va=good, vb=bad, vc=good)
    columns = ["--column", "va", "--column", "vb", "--column", "vc"]
    found = told("voltage", str(file), *columns, "--json")
    body = json.loads(found.stdout)
    assert found.exit_code == 1
    assert [week["complies"] for week in body["weeks"]] == [True, False, True]
    mean = (2 + 0.89) / 3
    assert body["unbalance_max_pct"] == round(100 * (mean - 0.89) / mean, 4)
    assert told("voltage", str(file), "--column", "va").exit_code == 0
    hourly = file_of(tmp_path, 3600.0, va=[1.0] * 24)
    assert "do not make up" in told("voltage", str(hourly), "--column", "va").stderr


def test_breaker_and_taps(tmp_path: Path) -> None:
    file = file_of(tmp_path, 86_400.0, ka=[20.0] * 11, ms=[50.0] * 11)
    found = told("breaker", str(file), "--trip", "ms", "--commissioned-ms", "50", "--json")
    body = json.loads(found.stdout)
    assert found.exit_code == 1
    assert body["state"] == "alarm"
    assert body["drift"] == 0.0
    turns: list[float | None] = [0.0, 1.0] * 6
    file = file_of(tmp_path, 240.0, tap=turns)
    found = told("taps", str(file), "--json")
    assert found.exit_code == 1
    assert json.loads(found.stdout)["operations"] == 11
